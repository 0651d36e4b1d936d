//! Writing staged rows: batches of the stream.
//!
//! A guard keeps a key from going backwards (I4): a row is written only by a later transaction than the one that last
//! wrote it.

use super::gap::{gaps, note_emptied};
use super::position::{set_last, set_position};
use super::rogue::{Rogue, note};
use super::{
    BASE_ABSENT, BASE_KEPT, BASE_SAME, Inner, ROGUE_MAX, Staged, StagedRow, load, number, owner, shop_of, signed, whole,
};
use crate::cells;
use crate::error::Result;
use capture::{Transaction, Tx};
use crash::{Act, Phase};
use mapping::Touch;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use vocab::row::{Cell, Change, ColumnNo, Row, RowKey, TableNo, Use};

/// What one batch needs at hand while it is written.
struct Batch<'a> {
    db: &'a Connection,
    inner: &'a Inner,
    generation: i64,
    /// The shops that the backend owns, each with the mark of its flip.
    owned: &'a BTreeMap<String, u64>,
    rogues: BTreeMap<(String, u64), Rogue>,
    /// The rogue whose change is being staged: what it makes dirty is kept beside it.
    rogue: Option<(String, u64)>,
    /// What this batch has listed already: the rows of one aggregate mostly come together.
    marked: HashSet<(usize, Vec<u8>, String)>,
    /// The shops of rows that this batch has staged or looked up: what hangs on a row mostly comes with it.
    owners: HashMap<(TableNo, Vec<u8>), Option<String>>,
    /// The shops of which every change is staged as ours.
    gaps: BTreeSet<String>,
}

impl Staged {
    /// Stages transactions in commit order and the position they reach. What a rogue wrote behind the mark of an owned
    /// shop is noted in the same transaction, until somebody has said so ([`Staged::rogue_is_told`]). Whether there was
    /// any is the answer.
    pub(crate) fn stage_stream(
        &self,
        transactions: &[Transaction],
        owned: impl FnOnce() -> BTreeMap<String, u64>,
    ) -> Result<bool> {
        let Some(newest) = transactions.last() else { return Ok(false) };
        crash::reach(Act::ApplyBatch, Phase::Before);
        let mut writer = self.writer();
        // Whoever sets a shop's mark and then has the file to itself knows: what is staged later is compared with it.
        let owned = owned();
        let tx = writer.transaction()?;
        let generation = next_generation(&tx)?;
        let mut batch = Batch {
            db: &tx,
            inner: &self.0,
            generation,
            owned: &owned,
            rogues: BTreeMap::new(),
            rogue: None,
            marked: HashSet::new(),
            owners: HashMap::new(),
            gaps: gaps(&tx)?,
        };
        for transaction in transactions {
            for table in &transaction.emptied {
                batch.empty(*table, &transaction.tx)?;
            }
            for change in &transaction.changes {
                batch.stage(change, &transaction.tx, transaction.ours)?;
            }
        }
        let rogues = batch.rogues;
        for rogue in rogues.values() {
            note(&tx, rogue)?;
        }
        let mut whole = transactions.iter().filter(|transaction| !transaction.more).rev();
        if let Some(last) = whole.next() {
            let before = whole.next().map(|before| before.position);
            set_last(&tx, last, before)?;
            set_position(&tx, last.position)?;
        }
        if newest.more {
            tx.execute("INSERT OR IGNORE INTO half VALUES (1)", [])?;
        } else if self.is_half() {
            tx.execute("DELETE FROM half", [])?;
        }
        crash::reach(Act::ApplyBatch, Phase::During);
        // Said before a half can be seen, and taken back after the whole can.
        if newest.more {
            self.0.half.store(true, Ordering::SeqCst);
        }
        tx.commit()?;
        if !newest.more {
            self.0.half.store(false, Ordering::SeqCst);
        }
        crash::reach(Act::ApplyBatch, Phase::After);
        Ok(!rogues.is_empty())
    }
}

impl Batch<'_> {
    fn stage(&mut self, change: &Change, tx: &Tx, ours: bool) -> Result<()> {
        let key = cells::encode_key(&change.key);
        let old = load(self.db, change.table, &key)?;
        if old.as_ref().is_some_and(|row| row.tx_order > tx.order) {
            return Ok(());
        }
        let new = change.row.clone().map(|row| filled(row, old.as_ref()));
        let shop = match &new {
            Some(cells) => {
                let inner = self.inner;
                shop_of(&inner.mapping, change.table, cells, |table, key| self.owner(table, key))?
            }
            None => None,
        };
        let shop = shop.or_else(|| old.as_ref().and_then(|row| row.shop.clone()));
        self.owners.insert((change.table, key.clone()), shop.clone());
        let ours = ours || shop.as_ref().is_some_and(|shop| self.gaps.contains(shop));
        let old_cells = old.as_ref().and_then(|row| row.cells.as_deref());
        let moved = change.moved.unwrap_or_else(|| self.moved(change.table, old_cells, new.as_deref()));
        let new = if moved || ours { new } else { self.unmoved_only(change.table, old_cells, new) };
        let (base_kind, base) = base_after(old.as_ref(), ours, moved);
        store_row(
            self.db,
            self.inner,
            change.table,
            &key,
            old.as_ref(),
            &StagedRow { shop: shop.clone(), tx_order: tx.order, tx_xid: tx.xid, cells: new.clone(), base_kind, base },
        )?;
        if ours || !moved {
            return Ok(());
        }
        self.rogue = self.note_rogue(change, shop.as_deref(), tx);
        for cells in [old.and_then(|row| row.cells), new].into_iter().flatten() {
            if let Some(row) = whole(cells) {
                self.dirty(change.table, &row, shop.as_deref())?;
            }
        }
        Ok(())
    }

    /// A table was truncated: every row of it is gone.
    fn empty(&mut self, table: TableNo, tx: &Tx) -> Result<()> {
        note_emptied(self.db, table, tx)?;
        let mut select = self.db.prepare_cached("SELECT key FROM staged WHERE tbl = ?1 AND cells IS NOT NULL")?;
        let keys: Vec<Vec<u8>> =
            select.query_map([number(table)], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for key in keys {
            let change = Change { table, key: cells::decode_key(&key)?, row: None, moved: Some(true) };
            self.stage(&change, tx, false)?;
        }
        Ok(())
    }

    /// Whether any cell changed that takes part in the move.
    fn moved(&self, table: TableNo, old: Option<&[Option<Cell>]>, new: Option<&[Option<Cell>]>) -> bool {
        let (Some(old), Some(new)) = (old, new) else { return true };
        let columns = &self.inner.mapping.tables()[table].columns;
        columns
            .iter()
            .zip(old.iter().zip(new))
            .any(|(column, (old, new))| matches!(column.usage, Use::Moved | Use::Touch) && old != new)
    }

    /// The row as a change left it that touched nothing of the move. It may have been read after later changes, which
    /// are told later: what takes part in the move is kept as it was.
    fn unmoved_only(
        &self,
        table: TableNo,
        old: Option<&[Option<Cell>]>,
        new: Option<Vec<Option<Cell>>>,
    ) -> Option<Vec<Option<Cell>>> {
        let (Some(old), Some(new)) = (old, &new) else { return new };
        let columns = self.inner.mapping.tables()[table].columns.iter();
        let cells = columns.zip(old.iter().zip(new)).map(|(column, (old, new))| match column.usage {
            Use::Moved | Use::Touch => old.clone(),
            Use::Unmoved | Use::Secret => new.clone(),
        });
        Some(cells.collect())
    }

    fn note_rogue(&mut self, change: &Change, shop: Option<&str>, tx: &Tx) -> Option<(String, u64)> {
        let shop = shop.filter(|shop| self.owned.get(*shop).is_some_and(|mark| tx.order > *mark))?;
        let table = &self.inner.mapping.tables()[change.table].name;
        let rogue = self.rogues.entry((shop.to_owned(), tx.order)).or_insert_with(|| Rogue {
            shop: shop.to_owned(),
            order: tx.order,
            changes: 0,
            first: format!("{table} {:?}", change.key.0),
        });
        rogue.changes += 1;
        Some((shop.to_owned(), tx.order))
    }

    fn dirty(&mut self, table: TableNo, row: &Row, shop: Option<&str>) -> Result<()> {
        let inner = self.inner;
        for (rule_no, rule) in inner.mapping.rules().iter().enumerate() {
            match rule.touched(table, row) {
                None => {}
                Some(Touch::Anchor(key)) => self.dirty_anchor(rule_no, &key, shop)?,
                Some(Touch::AnchorsWhere(column, cell)) => {
                    for key in self.anchors_where(rule_no, column, &cell)? {
                        self.dirty_anchor(rule_no, &key, None)?;
                    }
                }
                Some(Touch::Group(cell)) => {
                    if let Some(shop) = shop {
                        self.mark(rule_no, &cells::encode([Some(&cell)]), shop)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The shop of an aggregate is its anchor row's.
    fn dirty_anchor(&mut self, rule: usize, key: &RowKey, shop: Option<&str>) -> Result<()> {
        let mapping::Gather::Anchored { table, .. } = &self.inner.mapping.rules()[rule].gather else { return Ok(()) };
        let bytes = cells::encode_key(key);
        let owner = self.owner(*table, &bytes)?;
        // Without a staged anchor the shop is not copied yet: the end of its copy dirties everything.
        match owner.as_deref().or(shop) {
            Some(shop) => self.mark(rule, &bytes, shop),
            None => Ok(()),
        }
    }

    /// The shop of a staged row.
    fn owner(&mut self, table: TableNo, key: &[u8]) -> Result<Option<String>> {
        if let Some(known) = self.owners.get(&(table, key.to_vec())) {
            return Ok(known.clone());
        }
        let found = owner(self.db, table, key)?;
        self.owners.insert((table, key.to_vec()), found.clone());
        Ok(found)
    }

    fn anchors_where(&self, rule: usize, column: ColumnNo, cell: &Cell) -> Result<Vec<RowKey>> {
        let mapping::Gather::Anchored { table, .. } = &self.inner.mapping.rules()[rule].gather else {
            return Ok(Vec::new());
        };
        super::gather::keys_where(self.db, &self.inner.mapping.tables()[*table], *table, column, cell)
    }

    fn mark(&mut self, rule: usize, anchor: &[u8], shop: &str) -> Result<()> {
        if self.marked.insert((rule, anchor.to_vec(), shop.to_owned())) {
            for list in [
                "INSERT INTO dirty(shop, rule, anchor, gen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(shop, rule, anchor) DO UPDATE SET gen = excluded.gen",
                "INSERT INTO unproven(shop, rule, anchor, gen) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(shop, rule, anchor) DO UPDATE SET gen = excluded.gen",
            ] {
                self.db.prepare_cached(list)?.execute(params![shop, number(rule), anchor, self.generation])?;
            }
        }
        if let Some((shop, order)) = &self.rogue {
            let sql = "INSERT OR IGNORE INTO rogue_of(shop, tx_order, rule, anchor) SELECT ?1, ?2, ?3, ?4
                       WHERE (SELECT count(*) FROM rogue_of WHERE shop = ?1 AND tx_order = ?2) < ?5";
            let cells = params![shop, signed(*order), number(rule), anchor, number(ROGUE_MAX)];
            self.db.prepare_cached(sql)?.execute(cells)?;
        }
        Ok(())
    }
}

/// Cells that the stream did not tell are the ones that were there.
fn filled(row: Vec<Option<Cell>>, old: Option<&StagedRow>) -> Vec<Option<Cell>> {
    let old = old.and_then(|row| row.cells.as_ref());
    row.into_iter()
        .enumerate()
        .map(|(column, cell)| cell.or_else(|| old.and_then(|cells| cells[column].clone())))
        .collect()
}

/// Write-back leaves the cells of the flip beside its own; a foreign write that takes part in the move moves the base
/// along.
pub(super) fn base_after(old: Option<&StagedRow>, ours: bool, moved: bool) -> (i64, Option<Vec<u8>>) {
    match old {
        Some(row) if !ours && !moved => (row.base_kind, row.base.clone()),
        _ if !ours => (BASE_SAME, None),
        None => (BASE_ABSENT, None),
        Some(row) if row.base_kind != BASE_SAME => (row.base_kind, row.base.clone()),
        Some(row) => match &row.cells {
            Some(cells) => (BASE_KEPT, Some(cells::encode(cells.iter().map(Option::as_ref)))),
            None => (BASE_ABSENT, None),
        },
    }
}

pub(super) fn store_row(
    db: &Connection,
    inner: &Inner,
    table: TableNo,
    key: &[u8],
    old: Option<&StagedRow>,
    new: &StagedRow,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO staged(tbl, key, shop, tx_order, tx_xid, cells, base_kind, base) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)
         ON CONFLICT(tbl, key) DO UPDATE SET shop = excluded.shop, tx_order = excluded.tx_order,
         tx_xid = excluded.tx_xid, cells = excluded.cells, base_kind = excluded.base_kind, base = excluded.base",
    )?
    .execute(params![
        number(table),
        key,
        new.shop,
        signed(new.tx_order),
        signed(new.tx_xid),
        new.cells.as_ref().map(|cells| cells::encode(cells.iter().map(Option::as_ref))),
        new.base_kind,
        new.base,
    ])?;
    for &column in &inner.linked[table] {
        let before = old.and_then(|row| row.cells.as_ref()).and_then(|cells| cells[column].as_ref());
        let after = new.cells.as_ref().and_then(|cells| cells[column].as_ref());
        // While a base is kept its links are kept too; a reader compares the cell and is not misled.
        let before = if new.base_kind == BASE_KEPT && before != after { None } else { before };
        relink(db, table, column, key, before, after)?;
    }
    Ok(())
}

pub(super) fn relink(
    db: &Connection,
    table: TableNo,
    column: ColumnNo,
    key: &[u8],
    before: Option<&Cell>,
    after: Option<&Cell>,
) -> Result<()> {
    if before == after {
        return Ok(());
    }
    if let Some(cell) = before {
        db.prepare_cached("DELETE FROM link WHERE tbl = ?1 AND col = ?2 AND value = ?3 AND key = ?4")?
            .execute(params![number(table), number(column), cells::encode([Some(cell)]), key])?;
    }
    if let Some(cell) = after {
        db.prepare_cached("INSERT OR IGNORE INTO link(tbl, col, value, key) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![number(table), number(column), cells::encode([Some(cell)]), key])?;
    }
    Ok(())
}

pub(super) fn next_generation(db: &Connection) -> Result<i64> {
    Ok(db.query_row("UPDATE gen SET next = next + 1 RETURNING next", [], |row| row.get(0))?)
}
