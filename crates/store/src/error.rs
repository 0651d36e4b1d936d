//! How the world fails under the store: the file, the disk, the server, a caller's mistake. A shop's own no is not here.

use std::sync::Arc;

/// An error is cloneable, because one failed sync is the answer to every command of its group.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database failed; nothing of the command is stored. A retry is safe.
    #[error("store: {act} failed")]
    Database {
        act: &'static str,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The file or its folder cannot be opened, or the server is not there.
    #[error("store: cannot open {path}")]
    Open {
        path: String,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The file's tables are not the ones this version knows.
    #[error("store: {0}")]
    Schema(String),
    /// Something stored cannot be read back: our bug or a damaged file.
    #[error("store: stored {what} cannot be read: {why}")]
    Corrupt { what: &'static str, why: String },
    /// The caller asked for what cannot be stored: the caller's bug.
    #[error("store: {0}")]
    Invalid(String),
    /// Another holds the lease that this write was made under: nothing of it is stored, and nothing may be repeated.
    #[error("store: the lease `{0}` is another's")]
    LeaseLost(String),
    /// The store is closing or its writer has died; whether the command was stored is not known.
    #[error("store: closed while the command was under way")]
    Closed,
}

impl Error {
    /// Whether the same call may succeed if it is simply made again. A `Closed` commit may have been stored: look
    /// before repeating it.
    pub const fn may_be_repeated(&self) -> bool {
        matches!(self, Self::Database { .. })
    }
}

/// Names what the database failed at.
pub fn during<E: std::error::Error + Send + Sync + 'static>(act: &'static str) -> impl Fn(E) -> Error {
    move |source| Error::Database { act, source: Arc::new(source) }
}
