//! Shops of the backend whose legacy was written while nobody followed it, and tables that were emptied.
//!
//! What was carried back in a gap of the stream is in no staged row, so the next change of such a row, whoever makes it,
//! brings our own cells along. Until the rows have been read again ([`Staged::gap_is_over`]) a change of the shop is staged
//! as ours: it accuses nobody, and what the legacy had at the flip stays the base of the way back.

use super::{Staged, number, signed, unsigned};
use crate::error::Result;
use capture::Tx;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use vocab::id::ShopId;
use vocab::row::TableNo;

impl Staged {
    /// Before the stream goes on, or begins anew.
    pub(crate) fn begin_gap(&self, shops: &[ShopId]) -> Result<()> {
        self.put("gap", shops)
    }

    /// Every row of the shop has been read again.
    pub(crate) fn gap_is_over(&self, shop: &ShopId) -> Result<()> {
        self.writer().execute("DELETE FROM gap WHERE shop = ?1", [shop.as_str()])?;
        Ok(())
    }

    /// The log began anew while the backend had these shops: what was imported of them before has numbers of another log.
    pub(crate) fn renumber(&self, shops: &[ShopId]) -> Result<()> {
        self.put("renumbered", shops)?;
        self.0.renumbered.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) fn is_renumbered(&self, shop: &ShopId) -> Result<bool> {
        if !self.0.renumbered.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM renumbered WHERE shop = ?1)";
        Ok(self.reader().query_row(sql, [shop.as_str()], |row| row.get(0))?)
    }

    pub(crate) fn numbers_are_forgotten(&self, shop: &ShopId) -> Result<()> {
        let writer = self.writer();
        writer.execute("DELETE FROM renumbered WHERE shop = ?1", [shop.as_str()])?;
        let left = writer.query_row("SELECT EXISTS (SELECT 1 FROM renumbered)", [], |row| row.get(0))?;
        // Still under the writer's lock: whoever adds a shop says so afterwards.
        self.0.renumbered.store(left, Ordering::SeqCst);
        Ok(())
    }

    fn put(&self, table: &str, shops: &[ShopId]) -> Result<()> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        for shop in shops {
            tx.execute(&format!("INSERT OR IGNORE INTO {table}(shop) VALUES (?1)"), [shop.as_str()])?;
        }
        Ok(tx.commit()?)
    }
}

/// The shops whose gap is not over.
pub(super) fn gaps(db: &Connection) -> Result<BTreeSet<String>> {
    let mut select = db.prepare_cached("SELECT shop FROM gap")?;
    Ok(select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Notes the transaction that emptied a table: a read that does not see it has rows that are gone.
pub(super) fn note_emptied(db: &Connection, table: TableNo, tx: &Tx) -> Result<()> {
    let sql = "INSERT INTO emptied(tbl, tx_order, tx_xid) VALUES (?1, ?2, ?3)
               ON CONFLICT(tbl) DO UPDATE SET tx_order = excluded.tx_order, tx_xid = excluded.tx_xid";
    db.prepare_cached(sql)?.execute(params![number(table), signed(tx.order), signed(tx.xid)])?;
    Ok(())
}

/// The transaction that emptied a table last.
pub(super) fn emptied(db: &Connection, table: TableNo) -> Result<Option<Tx>> {
    let mut select = db.prepare_cached("SELECT tx_order, tx_xid FROM emptied WHERE tbl = ?1")?;
    let found = select.query_row([number(table)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    Ok(found.optional()?.map(|(order, xid)| Tx { order: unsigned(order), xid: unsigned(xid) }))
}
