//! Rows of the copy: how far it has come by table, and what of it was never derived.
//!
//! A chunk row is written only if the chunk's cut covers the transaction that last wrote its key (I4). Nearly every row
//! of a first copy is new, so each is inserted first and looked at only where its key is there already.

use super::gap::emptied;
use super::write::store_row;
use super::{BASE_SAME, Inner, Staged, StagedRow, load, number};
use crate::cells;
use crate::error::{Error, Result};
use capture::{Cut, Tx};
use crash::{Act, Phase};
use mapping::RuleNo;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use vocab::id::ShopId;
use vocab::row::{Cell, ColumnNo, Row, RowKey, ShopPath, TableNo};

/// Rows of one table of one shop, read at one cut.
pub(crate) struct Chunk {
    pub(crate) shop: ShopId,
    pub(crate) table: TableNo,
    pub(crate) cut: Cut,
    pub(crate) rows: Vec<(RowKey, Row)>,
    pub(crate) last: bool,
}

/// How many rows of a shop are copied, by table, and whether all are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copied(pub(crate) BTreeMap<TableNo, CopiedTable>);

#[derive(Debug, Clone)]
pub(crate) struct CopiedTable {
    pub(crate) after: Option<RowKey>,
    pub(crate) done: bool,
}

impl Staged {
    /// Stages a chunk whose marker the stream has passed, and how far the copy of that table has come: together, so what
    /// is lost with the power is copied again.
    pub(crate) fn stage_chunk(&self, chunk: &Chunk) -> Result<()> {
        self.lightly(|tx| self.stage_rows(tx, chunk))
    }

    fn stage_rows(&self, tx: &Connection, chunk: &Chunk) -> Result<()> {
        // Whoever emptied the table behind the read's cut took all that the read has; only what the stream told is left.
        let is_gone = emptied(tx, chunk.table)?.is_some_and(|emptied| !chunk.cut.covers(&emptied));
        let mut inserting = Inserting::new(tx, &self.0, chunk)?;
        for (key, row) in chunk.rows.iter().filter(|_| !is_gone) {
            let key = cells::encode_key(key);
            if !inserting.insert(&key, row)? {
                stage_over(tx, &self.0, chunk, &key, row)?;
            }
        }
        drop(inserting);
        let after = chunk.rows.last().map(|(key, _)| cells::encode_key(key));
        tx.prepare_cached(
            "INSERT INTO copied(shop, tbl, after, done, rows) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT(shop, tbl) DO UPDATE SET after = coalesce(excluded.after, after), done = excluded.done,
             rows = rows + excluded.rows",
        )?
        .execute(params![
            chunk.shop.as_str(),
            number(chunk.table),
            after,
            chunk.last,
            number(chunk.rows.len())
        ])?;
        crash::reach(Act::CopyChunk, Phase::During);
        Ok(())
    }

    /// Everything of these rules that a shop has staged is to be derived, from the first anchor to the last: one row
    /// for all that a copy brought. What changes meanwhile is listed one by one, as ever.
    pub(crate) fn list_copied(&self, shop: &ShopId, rules: &[RuleNo]) -> Result<()> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        for rule in rules {
            tx.execute(
                "INSERT INTO underived(shop, rule, after) VALUES (?1, ?2, x'')
                 ON CONFLICT(shop, rule) DO UPDATE SET after = excluded.after",
                params![shop.as_str(), number(*rule)],
            )?;
        }
        Ok(tx.commit()?)
    }

    /// The first rule of which something copied is not derived, and behind which anchor.
    pub(crate) fn underived(&self, shop: &ShopId) -> Result<Option<(RuleNo, Vec<u8>)>> {
        let db = self.reader();
        let mut select =
            db.prepare_cached("SELECT rule, after FROM underived WHERE shop = ?1 ORDER BY rule LIMIT 1")?;
        let found = select.query_row([shop.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
        let rule = |rule| usize::try_from(rule).map_err(|_| Error::Staged("a negative rule"));
        found.map(|(no, after)| Ok((rule(no)?, after))).transpose()
    }

    /// All of a rule that was copied is derived.
    pub(crate) fn all_derived(&self, shop: &ShopId, rule: RuleNo) -> Result<()> {
        let sql = "DELETE FROM underived WHERE shop = ?1 AND rule = ?2";
        self.writer().execute(sql, params![shop.as_str(), number(rule)])?;
        Ok(())
    }

    pub(crate) fn copied(&self, shop: &ShopId) -> Result<Copied> {
        let db = self.reader();
        let mut select = db.prepare_cached("SELECT tbl, after, done FROM copied WHERE shop = ?1")?;
        let rows = select.query_map([shop.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, bool>(2)?))
        })?;
        let mut copied = Copied::default();
        for row in rows {
            let (table, after, done) = row?;
            let after = after.map(|bytes| cells::decode_key(&bytes)).transpose()?;
            let table = usize::try_from(table).map_err(|_| Error::Staged("a negative table"))?;
            copied.0.insert(table, CopiedTable { after, done });
        }
        Ok(copied)
    }
}

/// The statements of a chunk, each prepared once.
struct Inserting<'a> {
    inner: &'a Inner,
    chunk: &'a Chunk,
    shop: Option<&'a str>,
    row: CachedStatement<'a>,
    link: CachedStatement<'a>,
}

impl<'a> Inserting<'a> {
    fn new(db: &'a Connection, inner: &'a Inner, chunk: &'a Chunk) -> Result<Self> {
        let row = db.prepare_cached(
            "INSERT INTO staged(tbl, key, shop, tx_order, tx_xid, cells) VALUES (?1, ?2, ?3, 0, 0, ?4)
             ON CONFLICT DO NOTHING",
        )?;
        let link = db.prepare_cached("INSERT OR IGNORE INTO link(tbl, col, value, key) VALUES (?1, ?2, ?3, ?4)")?;
        Ok(Self { inner, chunk, shop: shop_of(inner, chunk), row, link })
    }

    /// Whether the key was new.
    fn insert(&mut self, key: &[u8], row: &Row) -> Result<bool> {
        let (table, cells) = (number(self.chunk.table), cells::encode(row.0.iter().map(Some)));
        if self.row.execute(params![table, key, self.shop, cells])? == 0 {
            return Ok(false);
        }
        for &column in &self.inner.linked[self.chunk.table] {
            self.link(key, column, &row.0[column])?;
        }
        Ok(true)
    }

    fn link(&mut self, key: &[u8], column: ColumnNo, cell: &Cell) -> Result<()> {
        let value = cells::encode([Some(cell)]);
        self.link.execute(params![number(self.chunk.table), number(column), value, key])?;
        Ok(())
    }
}

/// A shared row belongs to no shop.
fn shop_of<'a>(inner: &Inner, chunk: &'a Chunk) -> Option<&'a str> {
    let shared = inner.mapping.tables()[chunk.table].shop == ShopPath::Shared;
    (!shared).then(|| chunk.shop.as_str())
}

/// A row whose key is there: of a chunk before, or because the stream has told of it.
fn stage_over(db: &Connection, inner: &Inner, chunk: &Chunk, key: &[u8], row: &Row) -> Result<()> {
    let old = load(db, chunk.table, key)?;
    let mut tx = Tx { order: 0, xid: 0 };
    let mut cells: Vec<Option<Cell>> = row.0.iter().cloned().map(Some).collect();
    if let Some(old) = &old {
        tx = Tx { order: old.tx_order, xid: old.tx_xid };
        if old.tx_order > 0 && !chunk.cut.covers(&tx) {
            // A later transaction wrote this row; only what it did not tell is taken from the chunk.
            match &old.cells {
                Some(known) if known.iter().any(Option::is_none) => {
                    let filled = known.iter().zip(cells).map(|(known, read)| known.clone().or(read)).collect();
                    cells = filled;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }
    let fresh = StagedRow {
        shop: shop_of(inner, chunk).map(str::to_owned),
        tx_order: tx.order,
        tx_xid: tx.xid,
        cells: Some(cells),
        base_kind: old.as_ref().map_or(BASE_SAME, |row| row.base_kind),
        base: old.as_ref().and_then(|row| row.base.clone()),
    };
    store_row(db, inner, chunk.table, key, old.as_ref(), &fresh)
}
