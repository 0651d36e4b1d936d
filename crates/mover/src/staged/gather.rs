//! Reading staged rows: all rows of one aggregate, as they are now or as they were at the flip.

use super::{BASE_ABSENT, BASE_SAME, Staged, StagedRow, load, number, whole};
use crate::cells;
use crate::error::{Error, Result};
use mapping::{Anchor, Gather, Join, Rows};
use rusqlite::{Connection, params};
use vocab::row::{Cell, ColumnNo, Row, RowKey, Table, TableNo};

/// Which state of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    AtFlip,
}

impl Staged {
    /// The rows of an aggregate as they are staged now.
    pub(crate) fn rows(&self, gather: &Gather, anchor: &Anchor) -> Result<Rows> {
        self.gather(gather, anchor, When::Now)
    }

    /// The rows of an aggregate as they were at the latest flip; shared rows as they are.
    pub(crate) fn base(&self, gather: &Gather, anchor: &Anchor) -> Result<Rows> {
        self.gather(gather, anchor, When::AtFlip)
    }

    fn gather(&self, gather: &Gather, anchor: &Anchor, when: When) -> Result<Rows> {
        let db = self.reader();
        let mut rows = Rows::default();
        match (gather, anchor) {
            (Gather::Anchored { table, joins }, Anchor::Row(key)) => {
                let Some(row) = self.row(&db, *table, key, when)? else { return Ok(rows) };
                for join in joins {
                    self.joined(&db, join, &row, when, &mut rows)?;
                }
                rows.insert(*table, key.clone(), row);
            }
            (Gather::Grouped { table, column }, Anchor::Group(cell)) => {
                for key in keys_where(&db, &self.0.mapping.tables()[*table], *table, *column, cell)? {
                    if let Some(row) = self.row(&db, *table, &key, when)? {
                        rows.insert(*table, key, row);
                    }
                }
            }
            (Gather::Anchored { .. }, Anchor::Group(_)) | (Gather::Grouped { .. }, Anchor::Row(_)) => {
                return Err(Error::Staged("an anchor of another rule"));
            }
        }
        Ok(rows)
    }

    fn joined(&self, db: &Connection, join: &Join, anchor: &Row, when: When, rows: &mut Rows) -> Result<()> {
        let cell = &anchor.0[join.anchor_column];
        if *cell == Cell::Null {
            return Ok(());
        }
        let when = if join.shared { When::Now } else { when };
        for key in keys_where(db, &self.0.mapping.tables()[join.table], join.table, join.column, cell)? {
            if let Some(row) = self.row(db, join.table, &key, when)? {
                // A row that write-back moved to another parent is not this one's at the flip.
                if row.0[join.column] == *cell {
                    rows.insert(join.table, key, row);
                }
            }
        }
        Ok(())
    }

    fn row(&self, db: &Connection, table: TableNo, key: &RowKey, when: When) -> Result<Option<Row>> {
        let Some(row) = load(db, table, &cells::encode_key(key))? else { return Ok(None) };
        let cells = match when {
            When::Now => row.cells,
            When::AtFlip => base_of(row)?,
        };
        Ok(cells.and_then(whole))
    }

    /// The anchors of a rule that a shop has, after one of them, in the order of their bytes.
    pub(crate) fn anchors(
        &self,
        gather: &Gather,
        shop: &str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Anchor)>> {
        let db = self.reader();
        match gather {
            Gather::Anchored { table, .. } => {
                let mut select = db.prepare_cached(
                    "SELECT key FROM staged WHERE shop = ?1 AND tbl = ?2 AND key > ?3 AND cells IS NOT NULL
                     ORDER BY key LIMIT ?4",
                )?;
                let found = select
                    .query_map(params![shop, number(*table), after.unwrap_or(&[]), number(limit)], |row| {
                        row.get::<_, Vec<u8>>(0)
                    })?;
                found
                    .map(|bytes| {
                        let bytes = bytes?;
                        let key = cells::decode_key(&bytes)?;
                        Ok((bytes, Anchor::Row(key)))
                    })
                    .collect()
            }
            Gather::Grouped { table, column } => {
                let mut select = db.prepare_cached(
                    "SELECT DISTINCT value FROM link WHERE tbl = ?1 AND col = ?2 AND value > ?3 ORDER BY value LIMIT ?4",
                )?;
                let found = select.query_map(
                    params![number(*table), number(*column), after.unwrap_or(&[]), number(limit)],
                    |row| row.get::<_, Vec<u8>>(0),
                )?;
                found
                    .map(|bytes| {
                        let bytes = bytes?;
                        Ok((bytes.clone(), super::dirty::group(&bytes)?))
                    })
                    .collect()
            }
        }
    }
}

fn base_of(row: StagedRow) -> Result<Option<Vec<Option<Cell>>>> {
    Ok(match row.base_kind {
        BASE_SAME => row.cells,
        BASE_ABSENT => None,
        _ => row.base.map(|bytes| cells::decode(&bytes)).transpose()?,
    })
}

/// The keys of the rows whose column has this cell: by the key itself where the column is the key, else by the links.
pub(super) fn keys_where(
    db: &Connection,
    shape: &Table,
    table: TableNo,
    column: ColumnNo,
    cell: &Cell,
) -> Result<Vec<RowKey>> {
    if shape.key == [column] {
        return Ok(vec![RowKey(vec![cell.clone()])]);
    }
    let mut select =
        db.prepare_cached("SELECT key FROM link WHERE tbl = ?1 AND col = ?2 AND value = ?3 ORDER BY key")?;
    let keys = select.query_map(params![number(table), number(column), cells::encode([Some(cell)])], |row| {
        row.get::<_, Vec<u8>>(0)
    })?;
    keys.map(|bytes| cells::decode_key(&bytes?)).collect()
}
