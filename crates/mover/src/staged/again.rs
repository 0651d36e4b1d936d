//! Staged rows that are read again: a few aggregates by key, or all of a shop from nothing.
//!
//! Invariant: a row that the stream wrote and the new read does not see yet is never lost. PostgreSQL tells a commit in
//! its log before any snapshot shows it, so only what the cut covers is replaced or forgotten (I4).

use super::write::{base_after, next_generation, relink, store_row};
use super::{Staged, StagedRow, load, number, signed, unsigned};
use crate::cells;
use crate::error::Result;
use capture::{Cut, Position, Tx};
use mapping::{Anchor, Rows, RuleNo};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::ShopId;
use vocab::row::{RowKey, TableNo};

/// Aggregates kept beside one rogue, to look at them again.
pub(crate) const ROGUE_MAX: usize = 1_000;

/// Rows forgotten in one transaction: others stage between two.
const FORGOTTEN: usize = 2_000;

/// Aggregates of one rule as the source has them at one cut.
pub(crate) struct Again {
    pub(crate) shop: ShopId,
    pub(crate) rule: RuleNo,
    pub(crate) cut: Cut,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) found: BTreeMap<Anchor, Rows>,
    /// The backend owns the shop: the rows at the flip stay its base, and nothing is to be derived.
    pub(crate) soaks: bool,
}

impl Staged {
    /// The stream is to begin anew, and nobody knows where yet: no position that is kept may be gone on from.
    pub(crate) fn lose_position(&self) -> Result<()> {
        self.writer().execute("UPDATE position SET at = 0", [])?;
        Ok(())
    }

    /// The stream begins here. What it tells is of another life of the log: nothing staged is newer, whatever its number
    /// says, so a position never comes from before; and no transaction of before is one that a read of now may not see.
    pub(crate) fn begin_at(&self, begins: Position) -> Result<()> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        tx.execute("UPDATE staged SET tx_order = 0, tx_xid = 0 WHERE tx_order > 0", [])?;
        tx.execute("DELETE FROM emptied", [])?;
        tx.execute(
            "INSERT INTO position(one, at) VALUES (1, ?1) ON CONFLICT(one) DO UPDATE SET at = excluded.at",
            [signed(begins.0)],
        )?;
        Ok(tx.commit()?)
    }

    /// Forgets what was copied of a shop, so that its copy begins from nothing: all rows that a read at this cut shows as
    /// they are now, and all from before the stream. A crash leaves some of them, and the next call takes those.
    pub(crate) fn forget_copy(&self, shop: &ShopId, cut: &Cut, begins: Position) -> Result<()> {
        let mut after = (-1, Vec::new());
        while let Some(next) = self.forget_some(shop, cut, begins, &after)? {
            after = next;
        }
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        for table in ["copied", "underived", "rogue", "rogue_of"] {
            tx.execute(&format!("DELETE FROM {table} WHERE shop = ?1"), [shop.as_str()])?;
        }
        Ok(tx.commit()?)
    }

    /// Answers where to go on; none at the end.
    fn forget_some(
        &self,
        shop: &ShopId,
        cut: &Cut,
        Position(begins): Position,
        after: &(i64, Vec<u8>),
    ) -> Result<Option<(i64, Vec<u8>)>> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        let mut page = Vec::new();
        {
            let mut select = tx.prepare_cached(
                "SELECT tbl, key, tx_order, tx_xid FROM staged WHERE shop = ?1 AND (tbl, key) > (?2, ?3)
                 ORDER BY tbl, key LIMIT ?4",
            )?;
            let rows = select.query_map(params![shop.as_str(), after.0, after.1, number(FORGOTTEN)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
            })?;
            for row in rows {
                page.push(row?);
            }
        }
        for (table, key, order, xid) in &page {
            let written = Tx { order: unsigned(*order), xid: unsigned(*xid) };
            if written.order < begins || cut.covers(&written) {
                let table = usize::try_from(*table).map_err(|_| crate::error::Error::Staged("a negative table"))?;
                self.forget_row(&tx, table, key)?;
            }
        }
        tx.commit()?;
        Ok(page.pop().filter(|_| page.len() + 1 == FORGOTTEN).map(|(table, key, _, _)| (table, key)))
    }

    fn forget_row(&self, db: &Connection, table: TableNo, key: &[u8]) -> Result<()> {
        let cells = load(db, table, key)?.and_then(|row| row.cells);
        for &column in &self.0.linked[table] {
            let before = cells.as_ref().and_then(|cells| cells[column].as_ref());
            relink(db, table, column, key, before, None)?;
        }
        db.prepare_cached("DELETE FROM staged WHERE tbl = ?1 AND key = ?2")?.execute(params![number(table), key])?;
        Ok(())
    }

    /// Stages aggregates as they were read again, once the stream has passed the marker behind that read; they are to be
    /// derived and proven anew. Rows that the source has no more are gone.
    pub(crate) fn stage_again(&self, again: &Again) -> Result<()> {
        let gather = &self.0.mapping.rules()[again.rule].gather;
        let mut known: BTreeSet<(TableNo, RowKey)> = BTreeSet::new();
        for anchor in &again.anchors {
            let rows = self.rows(gather, anchor)?;
            known.extend(rows.iter().map(|(table, key, _)| (table, key.clone())));
        }
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        for rows in again.found.values() {
            for (table, key, row) in rows.iter() {
                known.remove(&(table, key.clone()));
                let cells = row.0.iter().cloned().map(Some).collect();
                self.replace(&tx, again, table, key, Some(cells))?;
            }
        }
        for (table, key) in known {
            // A shared row is somebody else's too; what hangs on nothing any more harms nobody.
            if !matches!(self.0.mapping.tables()[table].shop, vocab::row::ShopPath::Shared) {
                self.replace(&tx, again, table, &key, None)?;
            }
        }
        let generation = next_generation(&tx)?;
        let lists: &[&str] = if again.soaks { &[] } else { &["dirty", "unproven"] };
        for list in lists {
            let sql = format!(
                "INSERT INTO {list}(shop, rule, anchor, gen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(shop, rule, anchor) DO UPDATE SET gen = excluded.gen"
            );
            for anchor in &again.anchors {
                let cells = params![again.shop.as_str(), number(again.rule), cells::encode_anchor(anchor), generation];
                tx.prepare_cached(&sql)?.execute(cells)?;
            }
        }
        Ok(tx.commit()?)
    }

    /// A row as it was read, unless a later transaction than the read shows has written it.
    fn replace(
        &self,
        db: &Connection,
        again: &Again,
        table: TableNo,
        key: &RowKey,
        cells: Option<Vec<Option<vocab::row::Cell>>>,
    ) -> Result<()> {
        let bytes = cells::encode_key(key);
        let old = load(db, table, &bytes)?;
        let written = old.as_ref().map_or(Tx { order: 0, xid: 0 }, |row| Tx { order: row.tx_order, xid: row.tx_xid });
        if written.order > 0 && !again.cut.covers(&written) {
            return Ok(());
        }
        if again.soaks && old.as_ref().and_then(|row| row.cells.as_ref()) == cells.as_ref() {
            return Ok(());
        }
        let shared = matches!(self.0.mapping.tables()[table].shop, vocab::row::ShopPath::Shared);
        let (base_kind, base) = base_after(old.as_ref(), again.soaks, true);
        let fresh = StagedRow {
            shop: (!shared).then(|| again.shop.as_str().to_owned()),
            tx_order: written.order,
            tx_xid: written.xid,
            cells,
            base_kind,
            base,
        };
        store_row(db, &self.0, table, &bytes, old.as_ref(), &fresh)
    }

    /// The aggregates that a rogue's transaction touched, at most [`ROGUE_MAX`].
    pub(crate) fn rogue_of(&self, shop: &ShopId, order: u64) -> Result<Vec<(RuleNo, Anchor)>> {
        let db = self.reader();
        let mut select = db.prepare_cached(
            "SELECT rule, anchor FROM rogue_of WHERE shop = ?1 AND tx_order = ?2 ORDER BY rule, anchor",
        )?;
        let rows = select.query_map(params![shop.as_str(), signed(order)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        rows.map(|row| {
            let (rule, anchor) = row?;
            let rule = usize::try_from(rule).map_err(|_| crate::error::Error::Staged("a negative rule"))?;
            Ok((rule, self.anchor(rule, &anchor)?))
        })
        .collect()
    }
}
