//! What the change stream of a source tells: its transactions, in the order of their commits.

use crate::cut::{Position, Tx};
use vocab::id::{Name, Timestamp};
use vocab::row::{Applied, Change, TableNo};

/// One transaction of the source. On SQLite: neighbouring changes of one writer, and each row as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub tx: Tx,
    /// What to store, and to acknowledge, once this transaction is durable here.
    pub position: Position,
    /// Tables that are empty after this transaction, save the rows in `changes`.
    pub emptied: Vec<TableNo>,
    pub changes: Vec<Change>,
    /// More of it follows: a large one comes in pieces, each of them committed. Its position counts with the last only.
    pub more: bool,
    pub markers: Vec<Marker>,
    /// Our own write-back: staged and compared, never derived.
    pub ours: bool,
    /// How far write-back is with it. On SQLite told by the first transaction of a write-back that is told in several.
    pub applied: Option<Applied>,
    /// By the source's clock; SQLite: to the millisecond.
    pub committed_at: Option<Timestamp>,
    /// Tables whose columns are not those declared, told before the first row of that shape.
    pub schema: Vec<SchemaChange>,
}

/// The last transaction that is durable here, and where the stream stood before it. A stream that goes on where that
/// was not acknowledged begins with it once more, and so it is seen that the source has the history that was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    pub before: Position,
    pub position: Position,
    pub tx: Tx,
    pub committed_at: Option<Timestamp>,
}

/// A word that we wrote into the source's stream, to find it again at its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker(pub String);

/// How a table's columns differ from the declared ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    pub table: TableNo,
    /// Declared, and gone.
    pub missing: Vec<Name>,
    /// There, and not declared.
    pub unknown: Vec<Name>,
    /// Declared with another type.
    pub retyped: Vec<Name>,
}
