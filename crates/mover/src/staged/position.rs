//! Up to where the stream is staged, and behind which transaction.

use super::{Staged, signed, unsigned};
use crate::error::{Error, Result};
use capture::{Last, Position, Transaction, Tx};
use rusqlite::{Connection, OptionalExtension, params};
use vocab::id::Timestamp;

impl Staged {
    /// Up to where the stream is staged; none before the first batch.
    pub(crate) fn position(&self) -> Result<Option<Position>> {
        let at: Option<i64> = self.reader().query_row("SELECT at FROM position", [], |row| row.get(0)).optional()?;
        at.map(|at| Ok(Position(u64::try_from(at).map_err(|_| Error::Staged("a negative position"))?))).transpose()
    }

    /// The last transaction that is staged whole; none where the position is that of no transaction.
    pub(crate) fn last(&self) -> Result<Option<Last>> {
        let sql = "SELECT at, before, tx_order, tx_xid, committed_at FROM last JOIN position USING (one, at)";
        let last = self.reader().query_row(sql, [], |row| {
            let number = |column| row.get::<_, i64>(column).map(unsigned);
            Ok(Last {
                position: Position(number(0)?),
                before: Position(number(1)?),
                tx: Tx { order: number(2)?, xid: number(3)? },
                committed_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            })
        });
        Ok(last.optional()?)
    }
}

/// Notes which transaction the position is behind, and where the one before it ended.
pub(super) fn set_last(db: &Connection, last: &Transaction, before: Option<Position>) -> Result<()> {
    let before = before.map(|position| signed(position.0));
    db.prepare_cached(
        "INSERT INTO last(one, at, before, tx_order, tx_xid, committed_at)
         VALUES (1, ?1, coalesce(?2, (SELECT at FROM position), 0), ?3, ?4, ?5)
         ON CONFLICT(one) DO UPDATE SET at = excluded.at, before = excluded.before, tx_order = excluded.tx_order,
         tx_xid = excluded.tx_xid, committed_at = excluded.committed_at",
    )?
    .execute(params![
        signed(last.position.0),
        before,
        signed(last.tx.order),
        signed(last.tx.xid),
        last.committed_at.map(|at| at.0)
    ])?;
    Ok(())
}

pub(super) fn set_position(db: &Connection, position: Position) -> Result<()> {
    let at = i64::try_from(position.0).map_err(|_| Error::Staged("a position past 2^63"))?;
    db.execute(
        "INSERT INTO position(one, at) VALUES (1, ?1) ON CONFLICT(one) DO UPDATE SET at = max(at, excluded.at)",
        [at],
    )?;
    Ok(())
}
