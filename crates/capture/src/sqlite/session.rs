//! The file and its connections: few, kept open, each given back with no transaction open in it.

use crate::declared::Declared;
use crate::error::{Error, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long our work waits for the legacy's writers, where nothing else is said.
pub(super) const BUSY: Duration = Duration::from_secs(10);
const IDLE_MAX: usize = 8;

pub(super) struct File {
    pub path: PathBuf,
    pub declared: Declared,
    pub name: String,
    idle: Mutex<Vec<Connection>>,
}

impl File {
    pub fn new(path: &Path, declared: Declared, name: &str) -> Self {
        Self { path: path.to_owned(), declared, name: name.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// The file must exist: a legacy is never created here.
    pub fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed("open"))?;
        connection.busy_timeout(BUSY).map_err(failed("open"))?;
        Ok(connection)
    }

    pub fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    pub fn give(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && connection.is_autocommit() {
            idle.push(connection);
        }
    }
}

/// Names what was tried.
pub(super) fn failed(act: &'static str) -> impl Fn(rusqlite::Error) -> Error + Copy {
    move |source| Error::Sqlite { act, source }
}

/// Another connection holds the write lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}
