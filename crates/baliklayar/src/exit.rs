//! How the process ends: the exit codes that the outside may rely on.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Clean,
    /// It ran, and what it found is not clean.
    NotClean,
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
            Self::Environment => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        })
    }
}
