//! Staged rows: a copy of the source's rows as they are, each with the source transaction that last wrote it.
//!
//! One SQLite file per source database. Rows of a stream batch, the position they reach and the aggregates they
//! dirty become durable in one transaction, so a crash repeats a batch and never skips one (I7). A row keeps the
//! cells it had at the latest flip beside the ones that write-back gave it: they are the complement that `put`
//! needs. Absent on purpose: what a row means; that is the mapping's.

mod again;
mod copied;
mod dirty;
mod gap;
mod gather;
mod losers;
mod page;
mod position;
mod rogue;
#[cfg(test)]
mod tests;
mod write;

use crate::cells;
use crate::error::{Error, Result};
use capture::Position;
use mapping::{Gather, Mapping};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vocab::id::ShopId;
use vocab::row::{Cell, ColumnNo, Row, ShopPath, TableNo};

pub(crate) use again::{Again, ROGUE_MAX};
pub(crate) use copied::Chunk;
pub(crate) use dirty::{Dirty, Ledger};
pub(crate) use losers::Lost;
pub(crate) use rogue::Rogue;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS staged(
  tbl INTEGER NOT NULL, key BLOB NOT NULL, shop TEXT, tx_order INTEGER NOT NULL, tx_xid INTEGER NOT NULL,
  cells BLOB, base_kind INTEGER NOT NULL DEFAULT 0, base BLOB,
  PRIMARY KEY(tbl, key)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS staged_shop ON staged(shop, tbl);
CREATE INDEX IF NOT EXISTS staged_base ON staged(shop) WHERE base_kind <> 0;
CREATE TABLE IF NOT EXISTS link(
  tbl INTEGER NOT NULL, col INTEGER NOT NULL, value BLOB NOT NULL, key BLOB NOT NULL,
  PRIMARY KEY(tbl, col, value, key)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dirty(
  shop TEXT NOT NULL, rule INTEGER NOT NULL, anchor BLOB NOT NULL, gen INTEGER NOT NULL,
  PRIMARY KEY(shop, rule, anchor)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS underived(
  shop TEXT NOT NULL, rule INTEGER NOT NULL, after BLOB NOT NULL,
  PRIMARY KEY(shop, rule)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unproven(
  shop TEXT NOT NULL, rule INTEGER NOT NULL, anchor BLOB NOT NULL, gen INTEGER NOT NULL,
  PRIMARY KEY(shop, rule, anchor)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copied(
  shop TEXT NOT NULL, tbl INTEGER NOT NULL, after BLOB, done INTEGER NOT NULL, rows INTEGER NOT NULL,
  PRIMARY KEY(shop, tbl)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rogue(
  shop TEXT NOT NULL, tx_order INTEGER NOT NULL, changes INTEGER NOT NULL, first TEXT NOT NULL,
  PRIMARY KEY(shop, tx_order)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rogue_of(
  shop TEXT NOT NULL, tx_order INTEGER NOT NULL, rule INTEGER NOT NULL, anchor BLOB NOT NULL,
  PRIMARY KEY(shop, tx_order, rule, anchor)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loser(
  shop TEXT NOT NULL, rule INTEGER NOT NULL, anchor BLOB NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  field TEXT NOT NULL, value TEXT NOT NULL, votes INTEGER NOT NULL,
  PRIMARY KEY(shop, rule, anchor, field, value)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position(one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS last(
  one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL, before INTEGER NOT NULL, tx_order INTEGER NOT NULL,
  tx_xid INTEGER NOT NULL, committed_at INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS gap(shop TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS renumbered(shop TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS emptied(tbl INTEGER PRIMARY KEY, tx_order INTEGER NOT NULL, tx_xid INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS half(one INTEGER PRIMARY KEY CHECK (one = 1)) STRICT;
CREATE TABLE IF NOT EXISTS gen(one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO gen VALUES (1, 1);
";

/// What the base of a row is: the cells it has now, other cells (kept in `base`), or no row at all.
const BASE_SAME: i64 = 0;
const BASE_KEPT: i64 = 1;
const BASE_ABSENT: i64 = 2;

/// Rows whose base goes in one transaction: every shop of the source waits for that long, and no longer.
const BASES_AT_ONCE: usize = 256;

/// The staged rows of one source.
#[derive(Clone)]
pub(crate) struct Staged(Arc<Inner>);

struct Inner {
    mapping: Arc<Mapping>,
    /// The columns of each table by whose cells rows are looked up.
    linked: Vec<BTreeSet<ColumnNo>>,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// How often this process has changed the table of losers.
    losers_changed: AtomicU64,
    /// Whether a piece of a large transaction is staged, and the rest is not; the table of that name says it to the next
    /// process.
    half: AtomicBool,
    /// Whether there may be shops in the table of that name.
    renumbered: AtomicBool,
}

impl Staged {
    pub(crate) fn open(path: &Path, mapping: Arc<Mapping>) -> Result<Self> {
        let mut writer = connect(path)?;
        check_format(&writer)?;
        writer.execute_batch(SCHEMA)?;
        store::checkpoint_beside(&mut writer, connect(path)?)?;
        let reader = connect(path)?;
        let linked = linked(&mapping);
        let any = |table: &str| {
            writer.query_row(&format!("SELECT EXISTS (SELECT 1 FROM {table})"), [], |row| row.get::<_, bool>(0))
        };
        let (half, renumbered) = (any("half")?, any("renumbered")?);
        let (writer, reader) = (Mutex::new(writer), Mutex::new(reader));
        Ok(Self(Arc::new(Inner {
            mapping,
            linked,
            writer,
            reader,
            losers_changed: AtomicU64::new(0),
            half: AtomicBool::new(half),
            renumbered: AtomicBool::new(renumbered),
        })))
    }

    /// Whether a transaction is staged in part: nobody may take what is there for what the source was at any time.
    pub(crate) fn is_half(&self) -> bool {
        self.0.half.load(Ordering::SeqCst)
    }

    /// Runs `work` where it may block.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let staged = self.clone();
        tokio::task::spawn_blocking(move || work(&staged)).await.map_err(|_| Error::Task("staged rows"))?
    }

    /// What is left of a shop once its way back is closed: nothing.
    pub(crate) fn forget(&self, shop: &ShopId) -> Result<()> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        tx.execute(
            "DELETE FROM link WHERE (tbl, key) IN (SELECT tbl, key FROM staged WHERE shop = ?1)",
            [shop.as_str()],
        )?;
        for table in ["staged", "dirty", "underived", "unproven", "copied", "rogue", "rogue_of", "gap", "renumbered"] {
            tx.execute(&format!("DELETE FROM {table} WHERE shop = ?1"), [shop.as_str()])?;
        }
        Ok(tx.commit()?)
    }

    /// The same as [`Staged::set_base`] for some of the rows that an earlier flip left with a base of their own. While
    /// the legacy owns the shop nothing reads a base, so this may be done at any time, again, and half; what is done
    /// is not left for the hold. Rows later than `until`, a position of that time, keep theirs: a mover that slept
    /// through a flip and its write-back takes away nothing of the new way back. Returns whether more may be left.
    pub(crate) fn let_base_go(&self, shop: &ShopId, until: Position) -> Result<bool> {
        let gone = self
            .writer()
            .prepare_cached(
                "UPDATE staged SET base_kind = 0, base = NULL WHERE (tbl, key) IN
                 (SELECT tbl, key FROM staged WHERE shop = ?1 AND base_kind <> 0 AND tx_order <= ?3 LIMIT ?2)",
            )?
            .execute(params![shop.as_str(), number(BASES_AT_ONCE), signed(until.0)])?;
        Ok(gone == BASES_AT_ONCE)
    }

    /// From now on the rows as they are now are what `put` compares with. Answers with how many aggregates are not derived
    /// from these rows yet.
    pub(crate) fn set_base(&self, shop: &ShopId) -> Result<u64> {
        let mut writer = self.writer();
        let tx = writer.transaction()?;
        let reset = "UPDATE staged SET base_kind = 0, base = NULL WHERE shop = ?1 AND base_kind <> 0";
        tx.execute(reset, [shop.as_str()])?;
        let left =
            "SELECT (SELECT count(*) FROM dirty WHERE shop = ?1) + (SELECT count(*) FROM underived WHERE shop = ?1)";
        let left: i64 = tx.query_row(left, [shop.as_str()], |row| row.get(0))?;
        // What was settled lightly before is durable with this, and nobody would do it again after the flip.
        write::next_generation(&tx)?;
        tx.commit()?;
        Ok(unsigned(left))
    }

    /// A transaction that may be lost with the power, because what it says was done is done again then. It is durable with
    /// the next one that is synced and has changed something.
    fn lightly<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = Unsynced::begin(self.writer())?;
        let tx = writer.0.transaction()?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.0.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer while it does not sync, whatever ends that.
struct Unsynced<'a>(MutexGuard<'a, Connection>);

impl<'a> Unsynced<'a> {
    fn begin(writer: MutexGuard<'a, Connection>) -> Result<Self> {
        writer.execute_batch("PRAGMA synchronous = NORMAL")?;
        Ok(Self(writer))
    }
}

impl Drop for Unsynced<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.execute_batch("PRAGMA synchronous = FULL") {
            tracing::error!(%error, "staged rows are not synced any more");
        }
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; PRAGMA busy_timeout = 10000;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    // Otherwise statements are prepared again for other values of a limit or of a table's number: a plan may depend on them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// How rows are stored in this version.
const FORMAT: i64 = 2;

/// A file that another version began is refused: its bytes would be read as other cells.
fn check_format(db: &Connection) -> Result<()> {
    let format: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let begun: bool = db.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    match (format, begun) {
        (FORMAT, _) => Ok(()),
        (0, false) => Ok(db.pragma_update(None, "user_version", FORMAT)?),
        _ => Err(Error::Staged("staged.sqlite is of another version: finish its moves with that one")),
    }
}

/// Which cells are looked up by, other than by their own table's key: of joined rows, of anchors that share a row, of groups.
fn linked(mapping: &Mapping) -> Vec<BTreeSet<ColumnNo>> {
    let mut linked = vec![BTreeSet::new(); mapping.tables().len()];
    let mut grouped = Vec::new();
    let mut link = |table: TableNo, column: ColumnNo| {
        if mapping.tables()[table].key != [column] {
            linked[table].insert(column);
        }
    };
    for rule in mapping.rules() {
        match &rule.gather {
            Gather::Grouped { table, column } => {
                grouped.push((*table, *column));
            }
            Gather::Anchored { table, joins } => {
                for join in joins {
                    link(join.table, join.column);
                    link(*table, join.anchor_column);
                }
            }
        }
    }
    // The groups of a table are listed by their links, whatever the key.
    for (table, column) in grouped {
        linked[table].insert(column);
    }
    linked
}

/// A row as it is staged.
struct StagedRow {
    shop: Option<String>,
    tx_order: u64,
    tx_xid: u64,
    /// None: the row is gone.
    cells: Option<Vec<Option<Cell>>>,
    base_kind: i64,
    base: Option<Vec<u8>>,
}

fn load(db: &Connection, table: TableNo, key: &[u8]) -> Result<Option<StagedRow>> {
    let mut select = db.prepare_cached(
        "SELECT shop, tx_order, tx_xid, cells, base_kind, base FROM staged WHERE tbl = ?1 AND key = ?2",
    )?;
    let found = select
        .query_row(params![number(table), key], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<Vec<u8>>>(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    found
        .map(|(shop, tx_order, tx_xid, cells, base_kind, base)| {
            Ok(StagedRow {
                shop,
                tx_order: unsigned(tx_order),
                tx_xid: unsigned(tx_xid),
                cells: cells.map(|bytes| cells::decode(&bytes)).transpose()?,
                base_kind,
                base,
            })
        })
        .transpose()
}

/// The shop that a staged row belongs to.
fn owner(db: &Connection, table: TableNo, key: &[u8]) -> Result<Option<String>> {
    let mut select = db.prepare_cached("SELECT shop FROM staged WHERE tbl = ?1 AND key = ?2")?;
    Ok(select.query_row(params![number(table), key], |row| row.get(0)).optional()?.flatten())
}

/// The shop of a row by its declared path, where `owner` tells that of its parent; none where it is shared or its parent is
/// not staged yet.
fn shop_of(
    mapping: &Mapping,
    table: TableNo,
    cells: &[Option<Cell>],
    owner: impl FnOnce(TableNo, &[u8]) -> Result<Option<String>>,
) -> Result<Option<String>> {
    Ok(match &mapping.tables()[table].shop {
        ShopPath::Shared => None,
        ShopPath::Fixed(shop) => Some(shop.as_str().to_owned()),
        ShopPath::Column(column) => match &cells[*column] {
            Some(Cell::Int(value)) => Some(value.to_string()),
            Some(Cell::Text(text)) => Some(text.trim_end().to_owned()),
            Some(Cell::Null | Cell::Bytes(_)) | None => None,
        },
        ShopPath::Through { column, table: parent } => match &cells[*column] {
            Some(cell) => owner(*parent, &cells::encode([Some(cell)]))?,
            None => None,
        },
    })
}

/// A whole row, if every cell is known.
fn whole(cells: Vec<Option<Cell>>) -> Option<Row> {
    cells.into_iter().collect::<Option<Vec<Cell>>>().map(Row)
}

/// An index as SQLite's integer.
fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
