//! What of the world has been failing for a while: a stop with a code, which goes away by itself when the world does as it
//! should again. Nothing is wrong with what is copied; only it does not go on.

use crate::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What fails for less long is not worth a word.
const AFTER: Duration = Duration::from_secs(2);

/// Since when the change stream fails, and the code of why.
#[derive(Default)]
pub(crate) struct Trouble(Mutex<Option<(Instant, &'static str)>>);

impl Trouble {
    pub(crate) fn note(&self, error: &Error) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.map_or_else(Instant::now, |(since, _)| since);
        *trouble = Some((since, code(error)));
    }

    pub(crate) fn over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// None while nothing fails, or not for long.
    pub(crate) fn code(&self) -> Option<&'static str> {
        let trouble = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.filter(|(since, _)| since.elapsed() >= AFTER).map(|(_, code)| code)
    }
}

/// The code of what a shop waits for while this error comes again and again.
pub(crate) fn code(error: &Error) -> &'static str {
    match error {
        Error::Source(capture::Error::Replication(_) | capture::Error::Decode(_)) => "stream.failing",
        Error::Source(_) | Error::Silent => "source.failing",
        Error::Store(_) => "store.failing",
        Error::StagedFile(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => "staged.full",
        Error::StagedFile(_) | Error::Staged(_) | Error::Elsewhere(_) => "staged.failing",
        Error::Task(_) | Error::UnknownShop(_) | Error::Plan(_) | Error::LeaseLost | Error::Stopped => "mover.failing",
    }
}
