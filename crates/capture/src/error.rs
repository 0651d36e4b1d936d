//! What can go wrong with somebody else's database, and whose fault it is.

use tokio_postgres::error::DbError;
use vocab::id::{Epoch, Name, Seq, ShopId};
use vocab::row::{Cell, RowKey, TableNo};

/// The world failed, or the source is not what was declared. `act` names what was tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Why only: an address may have a password in it.
    #[error("the source's address is none (postgres://USER:PASSWORD@HOST/DATABASE or sqlite:PATH): {0}")]
    Url(String),
    #[error("`{0}` cannot name a capture: 1 to 40 of a-z 0-9 _")]
    CaptureName(String),
    #[error("table `{table}`: {reason}")]
    Declaration { table: Name, reason: String },
    #[error("{act}: the source's PostgreSQL")]
    Postgres {
        act: &'static str,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("{act}: the source's SQLite file")]
    Sqlite {
        act: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("the change stream of the source broke")]
    Replication(#[source] pgwire_replication::PgWireError),
    #[error("the change stream of the source cannot be read: {0}")]
    Decode(String),
    #[error("the change stream cannot go on at {wanted}: {why}; copy again")]
    PositionLost { wanted: u64, why: Lost },
    #[error("nothing is installed in the source: {0}")]
    NotInstalled(String),
    #[error("shop `{shop}`: epoch {epoch} is over, the source's fence is at {at}")]
    StaleEpoch { shop: ShopId, epoch: Epoch, at: Epoch },
    #[error("table `{table}` gives no ids away: {reason}")]
    NoSequence { table: Name, reason: String },
    #[error("work on the source was cut short: {0}")]
    Interrupted(&'static str),
}

/// Why a stream cannot go on behind a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("the source begins at {0}")]
    Begins(u64),
    #[error("the source's log ends at {0} already")]
    Ends(u64),
    #[error("the source has thrown away what comes next, because it was to keep too much")]
    Thrown,
    #[error("the source has another history than the one that was followed: it was set back, or is another server")]
    Another,
}

impl Error {
    /// What PostgreSQL answered, where it did.
    pub(crate) fn refusal(&self) -> Option<&DbError> {
        if let Self::Postgres { source, .. } = self { source.as_db_error() } else { None }
    }
}

/// Why a write-back was rolled back. Nothing of it is in the source.
#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// After the edits a cell is not what was foreseen: a trigger of the legacy that nobody declared, say.
    #[error("fact {seq}: table {table} {key:?} column {column} holds {found:?} where {expected:?} was foreseen")]
    Mismatch {
        seq: Seq,
        table: TableNo,
        key: RowKey,
        column: usize,
        expected: Cell,
        /// None: there is no such row.
        found: Option<Cell>,
    },
    /// An edit met no row or two, or broke a constraint of the legacy. `edit` counts in the fact's edits, where known.
    #[error("fact {seq:?}, edit {edit:?}: {reason}")]
    Conflict { seq: Option<Seq>, edit: Option<usize>, reason: String },
    #[error(transparent)]
    Source(#[from] Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
