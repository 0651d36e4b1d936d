//! How the process ends: the exit codes that the outside may rely on.

use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

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

/// Resolves when the process is asked to end, and says how it should: by Ctrl-C it is interrupted, by SIGTERM it has done its work.
pub async fn asked() -> Exit {
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = tokio::signal::ctrl_c() => Exit::Interrupted,
            _ = terminated.recv() => Exit::Clean,
        },
        Err(_) => {
            // Nobody will ever ask otherwise where there are no signals to hear of.
            let _ = tokio::signal::ctrl_c().await;
            Exit::Interrupted
        }
    }
}
