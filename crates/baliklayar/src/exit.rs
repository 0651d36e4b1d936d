//! How the process ends: the exit codes that the outside may rely on.

use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Clean,
    /// It ran, and what it found is not clean.
    NotClean,
    /// It was asked for wrongly.
    Usage,
    /// Something of the machine is missing.
    Environment,
    /// Refused by state or policy; the code was printed.
    Refused,
    /// Interrupted, and everything released.
    Interrupted,
}

impl Exit {
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Clean => 0,
            Self::NotClean => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        })
    }
}

/// Hears, from now on, when the process is asked to end.
pub struct Ears(Option<[Signal; 3]>);

impl Ears {
    pub fn open() -> Self {
        let hear = |kind| signal(kind).ok();
        let of = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(hear);
        let [Some(interrupt), Some(terminate), Some(hangup)] = of else { return Self(None) };
        Self(Some([interrupt, terminate, hangup]))
    }

    /// Says how the process should end: by Ctrl-C it is interrupted; by SIGTERM, or when its terminal goes away, it has done its work.
    pub async fn asked(&mut self) -> Exit {
        let Some([interrupt, terminate, hangup]) = &mut self.0 else {
            // Where there are no signals to hear of, nobody will ever ask otherwise.
            let _ = tokio::signal::ctrl_c().await;
            return Exit::Interrupted;
        };
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Clean,
            _ = hangup.recv() => Exit::Clean,
        }
    }
}
