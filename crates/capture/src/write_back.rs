//! What goes back into the source, and what reads come out of it.

use crate::cut::Cut;
use crate::transaction::Marker;
use vocab::id::{Epoch, Seq, ShopId};
use vocab::row::{Cell, ColumnNo, Edit, Row, RowKey, TableNo};

/// One fact's edits. All facts of one call are one transaction of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteBack {
    /// What it was made from follows this fact: if a later one is there already, none of the call is written.
    pub after: Seq,
    pub seq: Seq,
    /// In this order.
    pub edits: Vec<Edit>,
    /// Read again after the edits, in the same transaction; a difference rolls everything back.
    pub expect: Vec<Expect>,
}

/// The last of facts that are not in the source, whose last one there is `before`; none where there is nothing to
/// write, or where one of them was made from facts of which some are there: it would count them twice.
pub(crate) fn last_to_write(new: &[&WriteBack], before: Seq) -> Option<Seq> {
    if new.iter().any(|fact| fact.after < before) {
        return None;
    }
    new.iter().map(|fact| fact.seq).max()
}

/// Cells as they must stand after a fact's edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    pub table: TableNo,
    pub key: RowKey,
    pub cells: Vec<(ColumnNo, Cell)>,
}

/// A piece of a table, read at one cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub cut: Cut,
    /// In the order of their keys.
    pub rows: Vec<(RowKey, Row)>,
    /// Nothing lies behind these rows.
    pub last: bool,
    /// Comes in the stream behind every transaction that `cut` covers.
    pub marker: Marker,
}

/// Rows of a long read, as many as were asked for or as there are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// In the order of their keys.
    pub rows: Vec<(RowKey, Row)>,
    /// The read is over with them.
    pub ended: bool,
    /// Nothing lies behind these rows.
    pub last: bool,
}

/// Through which rows of a shop a row of a shared table becomes that shop's: `table.column = shared.key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedBy {
    pub table: TableNo,
    pub column: ColumnNo,
    /// A column of the shared table.
    pub key: ColumnNo,
}

/// What became of the attempt to close a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceOutcome {
    Closed,
    /// A writer held the shop for the whole wait: nothing changed.
    Waited,
}

/// The fence of one shop, as it stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub shop: ShopId,
    pub closed: bool,
    pub epoch: Epoch,
}

/// How the fence's trigger reads the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceRead {
    /// With a lock that is held to the end of the writer's transaction: the only right one.
    Locking,
    /// Without: a writer that read before the fence closed commits after it. For the test that shows so.
    Plain,
}
