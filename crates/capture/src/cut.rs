//! Which transactions of the source a read contains, exactly.
//!
//! A position in the log does not say it on PostgreSQL: a commit is in the log before new snapshots see it. What a
//! snapshot sees is decided by transaction id, so a [`Cut`] there is the snapshot itself.

use std::cmp::Ordering;
use vocab::id::Timestamp;

/// A transaction of the source. Ordered by `order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tx {
    /// PostgreSQL: position of the commit in the log. SQLite: number of the last change.
    pub order: u64,
    /// PostgreSQL: the full transaction id, with its epoch. SQLite: as `order`.
    pub xid: u64,
}

impl Ord for Tx {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.order, self.xid).cmp(&(other.order, other.xid))
    }
}

impl PartialOrd for Tx {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where a stream goes on: after the transaction that carried it. Durable, comparable within one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// The transactions that a read contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// All changes up to this number.
    Sqlite(u64),
    /// All below `xmin`, none from `xmax` on, and between them all that are not `running`.
    Postgres { xmin: u64, xmax: u64, running: Vec<u64> },
}

impl Cut {
    /// Whether the read contains what the transaction did.
    pub fn covers(&self, tx: &Tx) -> bool {
        match self {
            Self::Sqlite(last) => tx.order <= *last,
            Self::Postgres { xmin, xmax, running } => tx.xid < *xmin || (tx.xid < *xmax && !running.contains(&tx.xid)),
        }
    }

    /// Reads the text of `pg_current_snapshot()`: `xmin:xmax:xip,xip`.
    pub(crate) fn from_snapshot(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let xmin = parts.next()?.parse().ok()?;
        let xmax = parts.next()?.parse().ok()?;
        let running = parts.next()?.split(',').filter(|xid| !xid.is_empty()).map(|xid| xid.parse().ok());
        Some(Self::Postgres { xmin, xmax, running: running.collect::<Option<_>>()? })
    }
}

/// The full id of a transaction that the stream names by its low 32 bits: the one nearest to `near`, because ids in
/// use are never 2^31 apart.
pub(crate) fn full_xid(low: u32, near: u64) -> u64 {
    const ROUND: u64 = 1 << 32;
    let base = (near & !(ROUND - 1)) | u64::from(low);
    if base > near && base - near > ROUND / 2 {
        base.saturating_sub(ROUND)
    } else if near > base && near - base > ROUND / 2 {
        base + ROUND
    } else {
        base
    }
}

/// Microseconds from 1970 to 2000, where PostgreSQL's clock begins.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

pub(crate) const fn from_postgres_micros(micros: i64) -> Timestamp {
    Timestamp(micros.saturating_add(POSTGRES_EPOCH_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_covers_what_it_sees_and_nothing_else() {
        let cut = Cut::from_snapshot("100:104:101,103").unwrap();
        let seen: Vec<u64> = (98..106).filter(|&xid| cut.covers(&Tx { order: 7, xid })).collect();
        assert_eq!(seen, [98, 99, 100, 102]);
        assert!(Cut::from_snapshot("5:5:").unwrap().covers(&Tx { order: 1, xid: 4 }));
        assert_eq!(Cut::from_snapshot("5:x:"), None);
    }

    #[test]
    fn a_short_transaction_id_finds_its_epoch_on_both_sides_of_the_wrap() {
        let wrap = 3u64 << 32;
        assert_eq!(full_xid(5, wrap + 2), wrap + 5);
        assert_eq!(full_xid(u32::MAX, wrap + 2), wrap - 1);
        assert_eq!(full_xid(3, wrap - 4), wrap + 3);
        assert_eq!(full_xid(900, 1_000), 900);
    }
}
