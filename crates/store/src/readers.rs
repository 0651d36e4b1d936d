//! Reading connections: a few, each used by one reader at a time, each read one snapshot.

use crate::error::Error;
use crate::sql::{Begin, Connection};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads at one time; more wait. Readers do not wait for a writer, on either engine.
pub const READERS: usize = 4;

pub struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub fn new(connections: Vec<Connection>) -> Self {
        let turns = Arc::new(Semaphore::new(connections.len()));
        Self { free: Arc::new(Mutex::new(connections)), turns }
    }

    /// Runs `read` on a thread where it may block; all it sees is one snapshot.
    pub async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Closed)?;
        let mut reader = Reader::take(Arc::clone(&self.free), turn)?;
        let job = tokio::task::spawn_blocking(move || reader.in_snapshot(Begin::Read, read));
        job.await.map_err(|_| Error::Closed)?
    }

    /// The same for a few rows by their keys. In a file they are found in less time than another thread takes to wake, so they are
    /// read by whoever asks. A server is waited for elsewhere, and `read` asks it once: one question, or several together.
    pub async fn run_briefly<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Closed)?;
        let mut reader = Reader::take(Arc::clone(&self.free), turn)?;
        if reader.connection.as_ref().is_some_and(|connection| !connection.is_postgres()) {
            return reader.in_snapshot(Begin::ReadOnce, read);
        }
        let job = tokio::task::spawn_blocking(move || reader.in_snapshot(Begin::ReadOnce, read));
        job.await.map_err(|_| Error::Closed)?
    }
}

/// A connection in use. It goes back before its turn does, whatever happens to the read.
struct Reader {
    connection: Option<Connection>,
    free: Arc<Mutex<Vec<Connection>>>,
    _turn: OwnedSemaphorePermit,
}

impl Reader {
    fn take(free: Arc<Mutex<Vec<Connection>>>, turn: OwnedSemaphorePermit) -> Result<Self, Error> {
        let connection = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Self { connection, free, _turn: turn })
    }

    fn in_snapshot<T>(&mut self, begin: Begin, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = self.connection.as_ref().ok_or(Error::Closed)?;
        connection.begin(begin, "begin of a read")?;
        let read = read(connection);
        // There is nothing to keep. One that cannot even end is found out by whoever begins next.
        let _ = connection.rollback("end of a read");
        read
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
