//! Edits of rows: applying them, and finding those that turn rows into other rows.

use crate::api::Rows;
use vocab::row::{Cell, Edit, Row, Table};

/// Applies edits to rows in memory. Cells of an insert that are not named are null.
pub fn apply(rows: &mut Rows, tables: &[Table], edits: &[Edit]) {
    for edit in edits {
        match edit {
            Edit::Insert { table, key, cells } => {
                let mut row = Row(vec![Cell::Null; tables[*table].columns.len()]);
                for (column, cell) in cells {
                    row.0[*column] = cell.clone();
                }
                rows.insert(*table, key.clone(), row);
            }
            Edit::Update { table, key, set, add } => {
                let Some(row) = rows.get_mut(*table, key) else { continue };
                for (column, cell) in set {
                    row.0[*column] = cell.clone();
                }
                for (column, by) in add {
                    if let Cell::Int(value) = row.0[*column] {
                        row.0[*column] = Cell::Int(value.saturating_add(*by));
                    }
                }
            }
            Edit::Delete { table, key } => rows.remove(*table, key),
        }
    }
}
