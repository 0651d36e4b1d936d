//! The rows of many aggregates at once, as they are staged now.
//!
//! Anchors of a page lie beside each other, and so do most of the rows that hang on them: where they lie close enough
//! they are read in one go over their range, otherwise one after the other.

use super::gather::keys_where;
use super::{Inner, Staged, number, whole};
use crate::cells;
use crate::error::Result;
use mapping::{Anchor, Gather, Join, Rows};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};
use vocab::row::{Cell, ColumnNo, Row, RowKey, TableNo};

/// A range may hold so many times what is wanted of it.
const SPARSE_MAX: i64 = 4;

/// The rows found for each wanted cell.
type Found = HashMap<Cell, Vec<(RowKey, Row)>>;

impl Staged {
    /// The rows of each of these aggregates of one rule, in their order.
    pub(crate) fn rows_of(&self, gather: &Gather, anchors: &[Anchor]) -> Result<Vec<Rows>> {
        let Gather::Anchored { table, joins } = gather else {
            return anchors.iter().map(|anchor| self.rows(gather, anchor)).collect();
        };
        let keys: Vec<&RowKey> = anchors.iter().filter_map(row_key).collect();
        let db = self.reader();
        let mut anchored = anchor_rows(&db, &self.0, *table, &keys)?;
        let mut joined = Vec::with_capacity(joins.len());
        for join in joins {
            joined.push(rows_joined(&db, &self.0, join, anchored.values())?);
        }
        let anchor_key = &self.0.mapping.tables()[*table].key[..];
        let mut pages = Vec::with_capacity(anchors.len());
        for key in keys {
            let mut rows = Rows::default();
            if let Some(row) = anchored.remove(key) {
                for (join, found) in joins.iter().zip(&mut joined) {
                    let link = &row.0[join.anchor_column];
                    // What hangs on the anchor's own key hangs on no other anchor.
                    let own = anchor_key == [join.anchor_column];
                    let children = if own { found.remove(link) } else { found.get(link).cloned() };
                    for (key, child) in children.into_iter().flatten() {
                        rows.insert(join.table, key, child);
                    }
                }
                rows.insert(*table, key.clone(), row);
            }
            pages.push(rows);
        }
        Ok(pages)
    }
}

fn row_key(anchor: &Anchor) -> Option<&RowKey> {
    match anchor {
        Anchor::Row(key) => Some(key),
        Anchor::Group(_) => None,
    }
}

fn anchor_rows<'a>(
    db: &Connection,
    inner: &Inner,
    table: TableNo,
    keys: &[&'a RowKey],
) -> Result<HashMap<&'a RowKey, Row>> {
    let mut found = HashMap::with_capacity(keys.len());
    let single: Vec<&Cell> = keys.iter().filter_map(|key| key.0.first()).collect();
    let wanted: HashMap<Vec<u8>, &RowKey> = keys.iter().map(|key| (cells::encode_key(key), *key)).collect();
    let is_single = inner.mapping.tables()[table].key.len() == 1;
    let between = is_single.then(|| range(&single)).flatten();
    by_key(db, table, &wanted, between, |key, row| drop(found.insert(*key, row)))?;
    Ok(found)
}

/// The rows with these keys: in one go, where the keys lie close together between two of them.
fn by_key<K>(
    db: &Connection,
    table: TableNo,
    wanted: &HashMap<Vec<u8>, K>,
    between: Option<(Vec<u8>, Vec<u8>)>,
    mut take: impl FnMut(&K, Row),
) -> Result<()> {
    if let Some((low, high)) = between {
        let sql = "SELECT key, cells FROM staged WHERE tbl = ?1 AND key BETWEEN ?2 AND ?3 AND cells IS NOT NULL";
        let mut select = db.prepare_cached(sql)?;
        let mut rows = select.query(params![number(table), low, high])?;
        while let Some(row) = rows.next()? {
            let Some(key) = wanted.get(row.get_ref(0)?.as_blob().unwrap_or_default()) else { continue };
            if let Some(cells) = whole(cells::decode(row.get_ref(1)?.as_blob().unwrap_or_default())?) {
                take(key, cells);
            }
        }
        return Ok(());
    }
    for (bytes, key) in wanted {
        if let Some(row) = one(db, table, bytes)? {
            take(key, row);
        }
    }
    Ok(())
}

fn rows_joined<'a>(
    db: &Connection,
    inner: &Inner,
    join: &Join,
    anchors: impl Iterator<Item = &'a Row>,
) -> Result<Found> {
    let mut wanted: BTreeMap<&Cell, ()> = anchors.map(|row| (&row.0[join.anchor_column], ())).collect();
    wanted.remove(&Cell::Null);
    let cells: Vec<&Cell> = wanted.into_keys().collect();
    let mut found = Found::with_capacity(cells.len());
    if inner.mapping.tables()[join.table].key == [join.column] {
        let wanted: HashMap<Vec<u8>, &Cell> = cells.iter().map(|cell| (cells::encode([Some(*cell)]), *cell)).collect();
        by_key(db, join.table, &wanted, range(&cells), |cell, row| {
            found.insert((*cell).clone(), vec![(RowKey(vec![(*cell).clone()]), row)]);
        })?;
        return Ok(found);
    }
    match range(&cells) {
        Some((low, high)) => in_range(db, join.table, join.column, &low, &high, &mut found)?,
        None => {
            let shape = &inner.mapping.tables()[join.table];
            for cell in cells {
                for key in keys_where(db, shape, join.table, join.column, cell)? {
                    if let Some(row) =
                        one(db, join.table, &cells::encode_key(&key))?.filter(|row| row.0[join.column] == *cell)
                    {
                        found.entry(cell.clone()).or_default().push((key, row));
                    }
                }
            }
        }
    }
    Ok(found)
}

/// All rows whose column lies in a range: what is not wanted is not looked for afterwards.
fn in_range(
    db: &Connection,
    table: TableNo,
    column: ColumnNo,
    low: &[u8],
    high: &[u8],
    found: &mut Found,
) -> Result<()> {
    let mut select = db.prepare_cached(
        "SELECT s.key, s.cells FROM link l CROSS JOIN staged s ON s.tbl = l.tbl AND s.key = l.key
         WHERE l.tbl = ?1 AND l.col = ?2 AND l.value BETWEEN ?3 AND ?4 AND s.cells IS NOT NULL
         ORDER BY l.value, l.key",
    )?;
    let mut rows = select.query(params![number(table), number(column), low, high])?;
    while let Some(row) = rows.next()? {
        let key = cells::decode_key(row.get_ref(0)?.as_blob().unwrap_or_default())?;
        if let Some(row) = whole(cells::decode(row.get_ref(1)?.as_blob().unwrap_or_default())?) {
            // A link that is kept for the base may lead to a row that has moved on: it stands there once more.
            let at = found.entry(row.0[column].clone()).or_default();
            if at.last().is_none_or(|(last, _)| *last != key) {
                at.push((key, row));
            }
        }
    }
    Ok(())
}

fn one(db: &Connection, table: TableNo, key: &[u8]) -> Result<Option<Row>> {
    let mut select = db.prepare_cached("SELECT cells FROM staged WHERE tbl = ?1 AND key = ?2 AND cells IS NOT NULL")?;
    let mut rows = select.query(params![number(table), key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(whole(cells::decode(row.get_ref(0)?.as_blob().unwrap_or_default())?))
}

/// The bytes of the least and the greatest of these cells, where they are integers that lie close to each other.
fn range(cells: &[&Cell]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut integers = Vec::with_capacity(cells.len());
    for cell in cells {
        let Cell::Int(value) = cell else { return None };
        integers.push(*value);
    }
    let (low, high) = (*integers.iter().min()?, *integers.iter().max()?);
    let room = i64::try_from(integers.len()).ok()?.checked_mul(SPARSE_MAX)?;
    let close = high.checked_sub(low).is_some_and(|span| span <= room);
    close.then(|| (cells::encode([Some(&Cell::Int(low))]), cells::encode([Some(&Cell::Int(high))])))
}
