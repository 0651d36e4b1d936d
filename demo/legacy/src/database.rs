//! The database, whichever engine it is: one request is one transaction on one connection on one thread.
//!
//! Invariant: what `write` answers was committed, or nothing of it was. Statements are written once, with `?1` for an
//! argument and `/*lock*/` where a row has to be locked; PostgreSQL reads them as `$1` and `for update`, SQLite has
//! one writer and needs no row locks.

use crate::value::{Row, Value};
use crate::wire::Stop;
use crate::{postgres, sqlite};
use anyhow::Context;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections to PostgreSQL at a time.
const POSTGRES_CONNECTIONS: usize = 16;
/// Readers of a SQLite file at a time, beside its one writer.
const SQLITE_READERS: usize = 4;
/// How often a transaction that lost against another one is tried.
const ATTEMPTS_MAX: u32 = 8;
/// How long a request waits for a connection.
const WAIT: Duration = Duration::from_secs(10);

/// The database failed.
#[derive(Debug)]
pub struct Error {
    pub what: String,
    /// Lost against another transaction: the same may pass at once.
    pub again: bool,
    /// A guard that somebody put on the tables said no.
    pub is_guard: bool,
}

impl Error {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), again: false, is_guard: false }
    }

    pub(crate) fn unreadable(index: usize, cell: Option<&Value>) -> Self {
        Self::new(format!("column {index} holds {cell:?}, which this program cannot read"))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}

/// Where the tables are.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    /// # Errors
    /// Where the URL is neither `sqlite:PATH` nor `postgres://…`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        anyhow::bail!("`{url}` is no database: sqlite:PATH or postgres://…")
    }

    async fn connect(&self, readonly: bool) -> Result<Connection, Error> {
        match self {
            Self::Sqlite(path) => sqlite::connect(path, readonly).map(Connection::Sqlite),
            Self::Postgres(url) => postgres::connect(url).await.map(|it| Connection::Postgres(Box::new(it))),
        }
    }
}

/// One connection, used by one request at a time.
pub enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
}

impl Connection {
    fn script(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).map_err(Error::from),
            Self::Postgres(connection) => connection.script(sql),
        }
    }

    /// Reads see one state of the tables throughout; SQLite's write lock is taken at once.
    fn begin(&mut self, mode: Mode) -> Result<(), Error> {
        self.script(match (&*self, mode) {
            (Self::Sqlite(_), Mode::Read) => "begin",
            (Self::Sqlite(_), Mode::Write) => "begin immediate",
            (Self::Postgres(_), Mode::Read) => "begin isolation level repeatable read, read only",
            (Self::Postgres(_), Mode::Write) => "begin isolation level read committed",
        })
    }

    fn is_usable(&self) -> bool {
        match self {
            Self::Sqlite(connection) => connection.is_autocommit(),
            Self::Postgres(connection) => connection.is_open(),
        }
    }
}

/// An open transaction.
pub struct Transaction<'a> {
    connection: &'a mut Connection,
}

impl Transaction<'_> {
    /// The rows that a statement answers.
    ///
    /// # Errors
    /// What the database says.
    pub fn rows(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Error> {
        match &mut *self.connection {
            Connection::Sqlite(connection) => sqlite::rows(connection, sql, args),
            Connection::Postgres(connection) => connection.rows(sql, args),
        }
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// What the database says.
    pub fn row(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, args)?.into_iter().next())
    }

    /// The id that an `insert … returning id` was given.
    ///
    /// # Errors
    /// What the database says.
    pub fn insert(&mut self, sql: &'static str, args: &[Value]) -> Result<i64, Error> {
        let row = self.row(sql, args)?;
        row.ok_or_else(|| Error::new(format!("no id came back from: {sql}")))?.int(0)
    }

    /// # Errors
    /// What the database says.
    pub fn run(&mut self, sql: &'static str, args: &[Value]) -> Result<(), Error> {
        self.rows(sql, args).map(drop)
    }

    /// Waits until no other transaction holds `name`; it is held to the end of this one.
    ///
    /// # Errors
    /// What the database says.
    pub fn hold(&mut self, name: &str) -> Result<(), Error> {
        match &mut *self.connection {
            // There is one writer, and this is it.
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(connection) => {
                let sql = "select pg_advisory_xact_lock(hashtextextended(?1, 0))";
                connection.rows(sql, &[Value::from(name)]).map(drop)
            }
        }
    }

    /// The next number of `jual`, which its public number is made of.
    ///
    /// # Errors
    /// What the database says.
    pub fn next_order_id(&mut self) -> Result<i64, Error> {
        let row = match &mut *self.connection {
            Connection::Sqlite(connection) => {
                // Exact, because this transaction is the only writer.
                sqlite::rows(
                    connection,
                    "select coalesce(max(seq), 0) + 1 from sqlite_sequence where name = 'jual'",
                    &[],
                )
            }
            Connection::Postgres(connection) => {
                connection.rows("select nextval(pg_get_serial_sequence('jual', 'id'))", &[])
            }
        }?;
        row.first().ok_or_else(|| Error::new("no next number of jual"))?.int(0)
    }

    /// The same, and nobody else is given it, whether a row of `jual` comes of it or not.
    ///
    /// # Errors
    /// What the database says.
    pub fn reserve_order_id(&mut self) -> Result<i64, Error> {
        let id = self.next_order_id()?;
        if let Connection::Sqlite(connection) = &*self.connection {
            let known = connection.execute("update sqlite_sequence set seq = ?1 where name = 'jual'", [id])?;
            if known == 0 {
                connection.execute("insert into sqlite_sequence (name, seq) values ('jual', ?1)", [id])?;
            }
        }
        Ok(id)
    }

    /// Several statements without arguments.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), Error> {
        self.connection.script(sql)
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection
    }
}

/// Connections that nobody uses just now, and how many there may be.
struct Pool {
    place: Place,
    readonly: bool,
    free: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    fn new(place: &Place, readonly: bool, size: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(size));
        Arc::new(Self { place: place.clone(), readonly, free: Mutex::default(), permits })
    }

    async fn take(&self) -> Result<(Connection, OwnedSemaphorePermit), Error> {
        let waiting = tokio::time::timeout(WAIT, Arc::clone(&self.permits).acquire_owned());
        let permit = match waiting.await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(Error::new("no connection became free")),
        };
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match free {
            Some(connection) if connection.is_usable() => connection,
            Some(_) | None => self.place.connect(self.readonly).await?,
        };
        Ok((connection, permit))
    }

    fn give_back(&self, connection: Connection) {
        if connection.is_usable() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// An open database; cheap to clone.
#[derive(Clone)]
pub struct Database {
    readers: Arc<Pool>,
    writers: Arc<Pool>,
    place: Place,
}

impl Database {
    /// # Errors
    /// Where the URL is no database or nobody answers there.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let place = Place::parse(url)?;
        let (writers, readers) = match &place {
            // The writer opens first: it makes the file.
            Place::Sqlite(_) => (Pool::new(&place, false, 1), Pool::new(&place, true, SQLITE_READERS)),
            Place::Postgres(_) => {
                let both = Pool::new(&place, false, POSTGRES_CONNECTIONS);
                (Arc::clone(&both), both)
            }
        };
        let (connection, permit) = writers.take().await.with_context(|| format!("open {url}"))?;
        writers.give_back(connection);
        drop(permit);
        Ok(Self { readers, writers, place })
    }

    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Runs `work` on one state of the tables.
    ///
    /// # Errors
    /// What `work` or the database says.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Stop>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T, Stop> + Send + 'static,
    {
        on_a_thread(Arc::clone(&self.readers), Mode::Read, work).await
    }

    /// Runs `work` in a transaction that is committed if it succeeds and leaves nothing behind if it does not; again
    /// if it lost against another transaction.
    ///
    /// # Errors
    /// What `work` or the database says.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Stop>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T, Stop> + Send + 'static,
    {
        on_a_thread(Arc::clone(&self.writers), Mode::Write, work).await
    }
}

/// The thread goes on when the client has gone: the connection always comes back to its pool.
async fn on_a_thread<T, F>(pool: Arc<Pool>, mode: Mode, work: F) -> Result<T, Stop>
where
    T: Send + 'static,
    F: Fn(&mut Transaction<'_>) -> Result<T, Stop> + Send + 'static,
{
    let (mut connection, permit) = pool.take().await?;
    let running = tokio::task::spawn_blocking(move || {
        let answer = attempts(&mut connection, mode, &work);
        pool.give_back(connection);
        drop(permit);
        answer
    });
    running.await.map_err(|error| Error::new(format!("a request died: {error}")))?
}

fn attempts<T>(
    connection: &mut Connection,
    mode: Mode,
    work: &impl Fn(&mut Transaction<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt(connection, mode, work) {
            Err(Stop::Database(error)) if error.again => {}
            answer => return answer,
        }
    }
    attempt(connection, mode, work)
}

fn attempt<T>(
    connection: &mut Connection,
    mode: Mode,
    work: &impl Fn(&mut Transaction<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    connection.begin(mode)?;
    let worked = work(&mut Transaction { connection });
    let ended = match &worked {
        Ok(_) => connection.script("commit"),
        Err(_) => Ok(()),
    };
    if worked.is_err() || ended.is_err() {
        // A connection that cannot even do this is found unusable and closed.
        drop(connection.script("rollback"));
    }
    ended?;
    worked
}
