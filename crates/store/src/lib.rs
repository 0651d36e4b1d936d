//! What a shop is made of and who owns it, kept in one SQLite file.
//!
//! A shop's tables change through two doors only: `commit` (the owner is Backend; raises `seq`, leaves a fact) and
//! `import` (the owner is Legacy; leaves no fact). Both check the shop's head inside the transaction that writes, so
//! the database decides and no memory of this process does: the command line, the supervisor and a second process may
//! have the same file open. `control` (heads, wishes, step records, findings, blocks, leases) is the third door, `inbox`
//! (what providers say by themselves) the fourth.
//!
//! Every write passes one thread, which commits whatever waits as one group and answers after the sync (a long import may
//! ask for it piece by piece, `import_lightly`). Reads run on connections of their own, each in one snapshot.
//! Absent on purpose: what a document means, clocks, HTTP, a second engine.

mod again;
mod belongings;
mod blocks;
mod checkpoint;
mod commit;
mod debts;
mod dials;
mod documents;
mod error;
mod facts;
mod findings;
mod head;
mod import;
mod inbox;
mod json;
mod leases;
mod ledger;
mod notes;
mod overview;
mod pages;
mod payments;
mod plan;
mod readers;
mod schema;
mod serials;
mod sql;
mod steps;
mod stock;
mod wishes;
mod writer;

pub use blocks::Block;
pub use checkpoint::checkpoint_beside;
pub use commit::{Commit, CommitError, Committed, Entry, StockChange, Wake, Write};
pub use debts::Debt;
pub use documents::{Class, Count, Kept, Loaded, Stored};
pub use error::Error;
pub use facts::Fact;
pub use findings::{AcceptError, Acceptance, Finding, FindingCount, FoundFinding};
pub use head::{Head, HeadChange, HeadError};
pub use import::{Fingerprint, Import, ImportError, Imported, Made, Outcome, What};
pub use inbox::{Due, Letter, Notice, NoticeKey};
pub use json::{decode, encode};
pub use ledger::LedgerSum;
pub use overview::{FindingKey, Flip, HoldLength, ShopCount};
pub use pages::{Wanted, decode_in_part};
pub use payments::{Referred, Woken};
pub use plan::{Plan, PlanFile, PlannedShop};
pub use steps::{RecordedStep, Step};
pub use wishes::{StoredWish, Wish};

use readers::{READERS, Readers};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use writer::{Door, Writer};

/// What the store answers, or how the world failed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How often and how many times a connection asks again for a lock that another process holds: 5 s in all. SQLite's
/// own time-out sleeps up to 100 ms at a time, a fifth of what a hold may last.
const BUSY_PAUSE: Duration = Duration::from_micros(500);
const BUSY_TRIES_MAX: i32 = 10_000;

/// Prepared statements per connection; the crate has fewer.
const STATEMENTS: usize = 128;

/// One store file, open. A clone is cheap and shares the writer and the readers.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Step records and changes of a head are refused unless this lease is held.
    lease: Option<Arc<leases::Held>>,
}

struct Inner {
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens `dir/store.sqlite`, creating folder and file where they are missing, and brings its tables up to date.
    ///
    /// # Errors
    /// The folder cannot be made, the file is no store, or it was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .map_err(|source| Error::Open { path: dir.display().to_string(), source: source.into() })?;
        let path = dir.join("store.sqlite");
        let mut connection = connect(&path)?;
        schema::migrate(&mut connection)?;
        checkpoint_beside(&mut connection, connect(&path)?)?;
        let readers = (0..READERS).map(|_| reader(&path)).collect::<Result<_>>()?;
        let inner = Inner { writer: Writer::start(connection)?, readers: Readers::new(readers) };
        Ok(Self { inner: Arc::new(inner), lease: None })
    }

    async fn write<T, E>(
        &self,
        door: Door,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.writer.run(door, act).await
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        self.inner.readers.run(read).await
    }
}

/// A connection that waits for locks and syncs each commit.
fn connect(path: &Path) -> Result<Connection> {
    // Without a mutex of SQLite's own: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(error::during("open"))?;
    connection.busy_handler(Some(wait_for_lock)).map_err(error::during("open"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan that may depend on a bound value is made anew at each bind, and our partial index makes it depend.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(error::during("open"))?;
    to_wal(&connection).map_err(error::during("switch to WAL"))?;
    connection.execute_batch("pragma synchronous = full; pragma cache_size = -65536").map_err(error::during("open"))?;
    Ok(connection)
}

fn reader(path: &Path) -> Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true).map_err(error::during("open"))?;
    Ok(connection)
}

/// The busy handler is not asked when two processes switch the same new file, so this asks again itself.
fn to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.execute_batch("pragma page_size = 4096; pragma journal_mode = wal") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && wait_for_lock(tries) =>
            {
                tries += 1;
            }
            result => return result,
        }
    }
}

fn wait_for_lock(tries: i32) -> bool {
    std::thread::sleep(BUSY_PAUSE);
    tries < BUSY_TRIES_MAX
}
