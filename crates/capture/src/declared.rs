//! The tables as the mapping declares them, checked once so that the rest can rely on it: keys exist, and every path
//! from a row to its shop ends.

use crate::error::{Error, Result};
use std::sync::Arc;
use vocab::id::{Name, ShopId};
use vocab::row::{Column, ColumnNo, Row, RowKey, ShopPath, Table, TableNo, Use};

/// Hops from a row to the row that names the shop.
const HOPS_MAX: usize = 8;

/// Tables whose indices and paths hold.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    tables: Arc<Vec<Table>>,
}

/// How a row's shop is found: over these hops, then at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'t> {
    /// Column of the row so far, and the table whose key it holds.
    pub hops: Vec<(ColumnNo, TableNo)>,
    pub end: End<'t>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End<'t> {
    Column(ColumnNo),
    Fixed(&'t ShopId),
    Shared,
}

impl Declared {
    pub fn new(tables: Arc<Vec<Table>>) -> Result<Self> {
        for table in tables.iter() {
            check_columns(&tables, table)?;
        }
        let declared = Self { tables };
        for no in 0..declared.tables.len() {
            declared.find_path(no)?;
        }
        Ok(declared)
    }

    pub fn tables(&self) -> &Arc<Vec<Table>> {
        &self.tables
    }

    pub fn table(&self, no: TableNo) -> &Table {
        &self.tables[no]
    }

    pub fn column(&self, table: TableNo, column: ColumnNo) -> &Column {
        &self.tables[table].columns[column]
    }

    pub fn number_of(&self, name: &str) -> Option<TableNo> {
        self.tables.iter().position(|table| &*table.name == name)
    }

    pub fn each(&self) -> impl Iterator<Item = (TableNo, &Table)> {
        self.tables.iter().enumerate()
    }

    pub fn path(&self, table: TableNo) -> Path<'_> {
        // Checked for every table when this was made.
        self.find_path(table).unwrap_or(Path { hops: Vec::new(), end: End::Shared })
    }

    /// Whether writes to the table are stopped by a closed fence.
    pub fn fenced(&self, table: TableNo) -> bool {
        !self.tables[table].read_only && self.path(table).end != End::Shared
    }

    pub fn keyed(&self, table: TableNo, row: Row) -> (RowKey, Row) {
        (self.tables[table].key_of(&row), row)
    }

    fn find_path(&self, table: TableNo) -> Result<Path<'_>> {
        let mut hops = Vec::new();
        let mut at = table;
        while hops.len() <= HOPS_MAX {
            match &self.tables[at].shop {
                ShopPath::Column(column) => return Ok(Path { hops, end: End::Column(*column) }),
                ShopPath::Fixed(shop) => return Ok(Path { hops, end: End::Fixed(shop) }),
                ShopPath::Shared if hops.is_empty() => return Ok(Path { hops, end: End::Shared }),
                ShopPath::Shared => return Err(wrong(&self.tables[table], "its shop is found through a shared table")),
                ShopPath::Through { column, table: next } => {
                    hops.push((*column, *next));
                    at = *next;
                }
            }
        }
        Err(wrong(&self.tables[table], "the path to its shop has no end"))
    }
}

/// Columns that a change of which stops at the fence: all but those declared to pass.
pub(crate) fn held_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| !matches!(column.usage, Use::Unmoved | Use::Secret))
}

fn check_columns(tables: &[Table], table: &Table) -> Result<()> {
    let known = |column: &ColumnNo| *column < table.columns.len();
    if table.key.is_empty() || !table.key.iter().all(known) {
        return Err(wrong(table, "it has no key among its columns"));
    }
    match &table.shop {
        ShopPath::Column(column) if !known(column) => Err(wrong(table, "its shop's column does not exist")),
        ShopPath::Through { column, table: next } => {
            let Some(parent) = tables.get(*next) else {
                return Err(wrong(table, "its shop is found through a table that does not exist"));
            };
            if !known(column) {
                return Err(wrong(table, "the column of its shop's path does not exist"));
            }
            if parent.key.len() != 1 {
                return Err(wrong(table, "its shop is found through a table with a key of several columns"));
            }
            Ok(())
        }
        ShopPath::Column(_) | ShopPath::Fixed(_) | ShopPath::Shared => Ok(()),
    }
}

fn wrong(table: &Table, reason: &str) -> Error {
    Error::Declaration { table: Name::clone(&table.name), reason: reason.to_owned() }
}
