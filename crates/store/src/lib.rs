//! What a shop is made of and who owns it, kept in one SQLite file or in a database of PostgreSQL.
//!
//! A shop's tables change through two doors only: `commit` (the owner is Backend; raises `seq`, leaves a fact) and
//! `import` (the owner is Legacy; leaves no fact). Both check the shop's head inside the transaction that writes, so
//! the database decides and no memory of this process does: the command line, the supervisor and a second process may
//! have the same store open. `control` (heads, wishes, step records, findings, blocks, leases) is the third door, `inbox`
//! (what providers say by themselves) the fourth.
//!
//! Every write of a shop passes one thread, which commits whatever waits as one group and answers after the sync (a long import may
//! ask for it piece by piece, `import_lightly`). Reads run on connections of their own, each in one snapshot.
//! Absent on purpose: what a document means, clocks, HTTP; a second wording of any statement (`sql::dialect` translates).

mod again;
mod belongings;
mod blocks;
mod checkpoint;
mod commit;
mod copy;
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
mod loads;
mod notes;
mod overview;
mod pages;
mod payments;
mod plan;
mod readers;
mod schema;
mod serials;
mod sql;
mod sqlite;
mod steps;
mod stock;
mod wishes;
mod writer;

pub use blocks::Block;
pub use checkpoint::checkpoint_beside;
pub use commit::{Commit, CommitError, Committed, Entry, StockChange, Wake, Write};
pub use copy::Rows;
pub use debts::Debt;
pub use documents::{Class, Count, Kept, Stored};
pub use error::Error;
pub use facts::Fact;
pub use findings::{AcceptError, Acceptance, Finding, FindingCount, FoundFinding};
pub use head::{Head, HeadChange, HeadError};
pub use import::{Fingerprint, Import, ImportError, Imported, Made, Outcome, What};
pub use inbox::{Due, Letter, Notice, NoticeKey};
pub use json::{decode, encode};
pub use ledger::LedgerSum;
pub use loads::Loaded;
pub use overview::{FindingKey, Flip, HoldLength, ShopCount};
pub use pages::{Wanted, decode_in_part};
pub use payments::{Referred, Woken};
pub use plan::{Plan, PlanFile, PlannedShop};
pub use steps::{RecordedStep, Step};
pub use wishes::{StoredWish, Wish};

use loads::Loads;
use readers::{READERS, Readers};
use sql::{Connection, Plans, Postgres};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use vocab::id::ShopId;
use writer::{Door, Writer};

/// What the store answers, or how the world failed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Threads that write to PostgreSQL, each with shops of its own.
const WRITERS: usize = 4;

/// In the folder of a store: the store itself.
const FILE: &str = "store.sqlite";
/// In the folder of a store that is on PostgreSQL: where that is.
const ADDRESS: &str = "store.url";

/// One store, open: a file, or a database of PostgreSQL. A clone is cheap and shares the writers and the readers.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Step records and changes of a head are refused unless this lease is held.
    lease: Option<Arc<leases::Held>>,
}

struct Inner {
    /// One of them where there is one file.
    writers: Vec<Writer>,
    readers: Readers,
    /// None where whoever asks reads.
    loads: Option<Loads>,
    /// How often something was loaded.
    loaded: AtomicU64,
}

impl Store {
    /// Opens `dir/store.sqlite`, creating folder and file where they are missing, or the database of PostgreSQL that
    /// `dir/store.url` names; and brings its tables up to date.
    ///
    /// # Errors
    /// The folder cannot be made, the file is no store, the server is not there, or it was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self> {
        sqlite::make_folder(dir)?;
        Self::open_as(dir, Tables::Renewed)
    }

    /// The same, of a store that is there, whose tables are left as they are: they must be those that this version knows.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_unchanged(dir: &Path) -> Result<Self> {
        if !dir.join(FILE).exists() && !dir.join(ADDRESS).exists() {
            return Err(Error::Invalid(format!("{} has no store", dir.display())));
        }
        Self::open_as(dir, Tables::Known)
    }

    fn open_as(dir: &Path, tables: Tables) -> Result<Self> {
        match std::fs::read_to_string(dir.join(ADDRESS)) {
            Ok(url) => Self::on_postgres(url.trim(), tables),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::in_file(&dir.join(FILE), tables),
            Err(error) => Err(cannot_open(dir.join(ADDRESS).display(), error)),
        }
    }

    /// Opens the store of a folder in this database of PostgreSQL, from now on.
    ///
    /// # Errors
    /// As for `open`; the folder has a store of another place already.
    pub fn open_at(dir: &Path, url: &str) -> Result<Self> {
        sqlite::make_folder(dir)?;
        let address = dir.join(ADDRESS);
        let known = std::fs::read_to_string(&address).ok();
        if known.as_ref().is_some_and(|known| known.trim() != url) || dir.join(FILE).exists() {
            let content = format!(
                "{} has a store already, which is somewhere else; where it is only the address that changed, write the new one into \
                 {ADDRESS} there",
                dir.display()
            );
            return Err(Error::Invalid(content));
        }
        let store = Self::on_postgres(url, Tables::Renewed)?;
        if known.is_none() {
            sqlite::write_privately(&address, url).map_err(|source| cannot_open(address.display(), source))?;
        }
        Ok(store)
    }

    /// Whether processes with other folders may be over the same store.
    pub fn is_shared(&self) -> bool {
        self.inner.writers.len() > 1
    }

    fn in_file(path: &Path, tables: Tables) -> Result<Self> {
        let mut connection = sqlite::connect(path)?;
        checkpoint_beside(&mut connection, sqlite::connect(path)?)?;
        let connection = Connection::Sqlite(connection);
        tables.look(&connection)?;
        let readers = (0..READERS).map(|_| sqlite::reader(path).map(Connection::Sqlite)).collect::<Result<_>>()?;
        Self::of(vec![connection], readers, None)
    }

    /// On a thread of its own: whoever opens a store may be a task, and these connections wait.
    fn on_postgres(url: &str, tables: Tables) -> Result<Self> {
        let opened = std::thread::scope(|scope| scope.spawn(|| connect_all(url, tables)).join());
        let (writers, readers, loads) = opened.map_err(|_| Error::Closed)??;
        Self::of(writers, readers, Some(Loads::start(loads)?))
    }

    fn of(writers: Vec<Connection>, readers: Vec<Connection>, loads: Option<Loads>) -> Result<Self> {
        let writers = writers.into_iter().map(Writer::start).collect::<Result<_>>()?;
        Ok(Self {
            inner: Arc::new(Inner { writers, readers: Readers::new(readers), loads, loaded: AtomicU64::default() }),
            lease: None,
        })
    }

    /// Something of the deployment's.
    async fn write<T, E>(
        &self,
        door: Door,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.inner.writers[0].run(door, None, act).await
    }

    /// Something of a shop's, in line with all that is written of it by this process.
    async fn write_of<T, E>(
        &self,
        shop: &ShopId,
        door: Door,
        act: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer_of(shop).run(door, Some(shop.clone()), act).await
    }

    /// Whoever writes all that this process writes of a shop.
    fn writer_of(&self, shop: &ShopId) -> &Writer {
        let mut hasher = DefaultHasher::new();
        shop.hash(&mut hasher);
        let count = u64::try_from(self.inner.writers.len()).unwrap_or(1);
        let nth = usize::try_from(hasher.finish() % count).unwrap_or(0);
        &self.inner.writers[nth]
    }

    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        self.inner.readers.run(read).await
    }

    /// Few rows by their keys, asked for once: one question, or several together.
    async fn read_briefly<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.readers.run_briefly(read).await
    }
}

/// What becomes of tables that are of another version.
#[derive(Debug, Clone, Copy)]
enum Tables {
    Renewed,
    Known,
}

impl Tables {
    fn look(self, connection: &Connection) -> Result<()> {
        match self {
            Self::Renewed => schema::migrate(connection),
            Self::Known => schema::must_be_known(connection),
        }
    }
}

/// Connections to write, to read and to load by, and the tables as they should be. As many of them read as do in a file.
fn connect_all(url: &str, tables: Tables) -> Result<(Vec<Connection>, Vec<Connection>, Connection)> {
    let connect = |plans| {
        let connected = Postgres::connect(url, plans)
            .map_err(|source| Error::Open { path: "the store's database".to_owned(), source: source.into() })?;
        Ok(Connection::Postgres(Box::new(connected)))
    };
    let writers: Vec<Connection> = (0..WRITERS).map(|_| connect(Plans::Once)).collect::<Result<_>>()?;
    writers.first().map_or(Ok(()), |writer| tables.look(writer))?;
    let readers = (1..READERS).map(|_| connect(Plans::AsGiven)).collect::<Result<_>>()?;
    Ok((writers, readers, connect(Plans::Once)?))
}

fn cannot_open(path: impl ToString, source: std::io::Error) -> Error {
    Error::Open { path: path.to_string(), source: Arc::new(source) }
}
