//! What somebody wrote past the fence of a shop that the backend owns: noted with the batch that staged it, until it was told.

use super::{Staged, signed};
use crate::error::Result;
use rusqlite::{Connection, params};

/// One transaction of somebody else than our write-back that changed moved cells of a shop that the backend owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rogue {
    pub(crate) shop: String,
    pub(crate) order: u64,
    pub(crate) changes: u64,
    /// Table and key of its first row.
    pub(crate) first: String,
}

impl Staged {
    /// The rogues that nobody has told of yet.
    pub(crate) fn rogues(&self) -> Result<Vec<Rogue>> {
        let reader = self.reader();
        let mut select = reader.prepare_cached("SELECT shop, tx_order, changes, first FROM rogue")?;
        let rogue = |row: &rusqlite::Row<'_>| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(Rogue { shop: row.get(0)?, order: number(1)?, changes: number(2)?, first: row.get(3)? })
        };
        Ok(select.query_map([], rogue)?.collect::<rusqlite::Result<_>>()?)
    }

    pub(crate) fn rogue_is_told(&self, rogue: &Rogue) -> Result<()> {
        let key = params![rogue.shop, signed(rogue.order)];
        self.writer().execute("DELETE FROM rogue WHERE shop = ?1 AND tx_order = ?2", key)?;
        Ok(())
    }
}

pub(super) fn note(db: &Connection, rogue: &Rogue) -> Result<()> {
    let cells = params![rogue.shop, signed(rogue.order), signed(rogue.changes), rogue.first];
    db.prepare_cached(
        "INSERT INTO rogue(shop, tx_order, changes, first) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(shop, tx_order) DO UPDATE SET changes = excluded.changes",
    )?
    .execute(cells)?;
    Ok(())
}
