//! Rows of somebody else's database, as they are: cells, keys, changes, edits, and the tables they are of.

use crate::id::{Name, Seq, ShopId};

/// A cell. A number that is not an integer is its text; a float never enters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The cells of the key, in the order in which the mapping declares them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub Vec<Cell>);

/// All declared cells of a row, in the order of the declared columns; `secret` columns are absent from the
/// declared columns' cells: their place holds `Cell::Null`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub Vec<Cell>);

/// The index of a table among the tables of a mapping, and of a column among a table's columns.
pub type TableNo = usize;
pub type ColumnNo = usize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    Int,
    /// Text with an upper bound in characters.
    Text(Option<u32>),
    /// Text that the column pads with blanks to this length (PostgreSQL `char(n)`).
    Char(u32),
    Bytes,
}

/// How far a column takes part in a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Mapped to a field, or used by structure (key, shop path, link, order), or kept as it is.
    Moved,
    /// Changes pass the fence, are staged, and dirty nothing.
    Unmoved,
    /// Set to the fact's time on every edit of the row.
    Touch,
    /// Never read.
    Secret,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: Name,
    pub ty: ColumnType,
    pub nullable: bool,
    pub usage: Use,
}

/// How the shop of a row is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShopPath {
    /// The column holds the shop's id; decimal text of an integer, or text.
    Column(ColumnNo),
    /// The column is the key of a row of another table, whose shop it is.
    Through { column: ColumnNo, table: TableNo },
    /// All rows belong to one shop.
    Fixed(ShopId),
    /// One row, many shops: no fence, copied per shop.
    Shared,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: Name,
    pub columns: Vec<Column>,
    pub key: Vec<ColumnNo>,
    pub shop: ShopPath,
    /// `writes = "never"`: only read, never fenced, never written back.
    pub read_only: bool,
}

impl Table {
    pub fn key_of(&self, row: &Row) -> RowKey {
        RowKey(self.key.iter().map(|&column| row.0[column].clone()).collect())
    }

    pub fn column(&self, name: &str) -> Option<ColumnNo> {
        self.columns.iter().position(|column| &*column.name == name)
    }
}

/// One changed row in a source transaction, as it stands after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub table: TableNo,
    pub key: RowKey,
    /// None: the row is gone. A cell of None: not told, because it did not change (PostgreSQL TOAST).
    pub row: Option<Vec<Option<Cell>>>,
    /// Whether a cell that takes part in the move changed; none where the cells themselves tell.
    pub moved: Option<bool>,
}

/// What write-back does to one row. Cells that are not named do not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Insert { table: TableNo, key: RowKey, cells: Vec<(ColumnNo, Cell)> },
    Update { table: TableNo, key: RowKey, set: Vec<(ColumnNo, Cell)>, add: Vec<(ColumnNo, i64)> },
    Delete { table: TableNo, key: RowKey },
}

/// Which of our facts a source transaction carries back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub shop: ShopId,
    pub seq: Seq,
}
