//! One door to a source, whichever engine it runs on.

use crate::cut::{Cut, Position};
use crate::declared::Declared;
use crate::error::{Error, Result, WriteBackError};
use crate::finding::Finding;
use crate::guards::Guards;
use crate::postgres::{self, Postgres};
use crate::sql::OfShop;
use crate::sqlite::{self, Sqlite};
use crate::transaction::{Last, Marker, Transaction};
use crate::write_back::{Fence, FenceOutcome, FenceRead, SharedBy, WriteBack};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vocab::id::{Epoch, Seq, ShopId, Timestamp};
use vocab::row::{Cell, ColumnNo, Row, RowKey, Table, TableNo};

/// Beside `balik_` it must fit into a name of 63 bytes with room to spare.
const NAME_BYTES_MAX: usize = 40;

/// A legacy's database. Cheap to clone; every clone may be used at the same time.
#[derive(Clone)]
pub struct Source {
    pub(crate) engine: Arc<Engine>,
}

pub(crate) enum Engine {
    Postgres(Box<Postgres>),
    Sqlite(Sqlite),
}

/// The change stream of a source.
pub struct Stream {
    engine: StreamEngine,
}

enum StreamEngine {
    Postgres(Box<postgres::Stream>),
    Sqlite(sqlite::Stream),
}

/// A read of the source at one cut. Holds a transaction open: not longer than needed.
pub struct Reader {
    engine: ReaderEngine,
}

enum ReaderEngine {
    Postgres(postgres::Reader),
    Sqlite(sqlite::Reader),
}

impl Source {
    /// Opens `postgres://…` or `sqlite:PATH`. `name` (1 to 40 of `a-z 0-9 _`) tells two captures of one server apart.
    pub async fn connect(url: &str, tables: Arc<Vec<Table>>, name: &str) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
            return Err(Error::CaptureName(name.to_owned()));
        }
        let declared = Declared::new(tables)?;
        let engine = if let Some(path) = url.strip_prefix("sqlite:") {
            Engine::Sqlite(Sqlite::connect(path, declared, name).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Engine::Postgres(Box::new(Postgres::connect(url, declared, name).await?))
        } else {
            return Err(Error::Url("it begins with neither".to_owned()));
        };
        Ok(Self { engine: Arc::new(engine) })
    }

    pub fn tables(&self) -> &Arc<Vec<Table>> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.declared().tables(),
            Engine::Sqlite(sqlite) => sqlite.declared().tables(),
        }
    }

    /// Compares the source with the declared tables and looks for what would make a move wrong.
    pub async fn preflight(&self) -> Result<Vec<Finding>> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.preflight().await,
            Engine::Sqlite(sqlite) => sqlite.preflight().await,
        }
    }

    /// The statements of [`install`](Self::install), in order.
    pub async fn install_sql(&self, shops: &[ShopId]) -> Result<Vec<String>> {
        match &*self.engine {
            Engine::Postgres(postgres) => Ok(postgres.install_sql(shops, FenceRead::Locking)),
            Engine::Sqlite(sqlite) => sqlite.install_sql(shops).await,
        }
    }

    /// Makes fence, change capture and stream in the source. May be repeated; shops that are known keep their fence.
    pub async fn install(&self, shops: &[ShopId]) -> Result<()> {
        self.install_reading(shops, FenceRead::Locking).await
    }

    /// As [`install`](Self::install), with the fence's trigger reading in a chosen way: for the test that shows why
    /// it must lock. SQLite has one writer at a time, so there both ways are one.
    pub async fn install_reading(&self, shops: &[ShopId], read: FenceRead) -> Result<()> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.install(shops, read).await,
            Engine::Sqlite(sqlite) => sqlite.install(shops).await,
        }
    }

    /// Removes every `balik_*` object, open streams included. May be repeated.
    pub async fn uninstall(&self) -> Result<()> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.uninstall().await,
            Engine::Sqlite(sqlite) => sqlite.uninstall().await,
        }
    }

    /// Opens the change stream behind `from`; none: from the install, or the last acknowledged position.
    /// [`Error::PositionLost`]: what lies behind `from` is not there any more, copy again.
    pub async fn stream(&self, from: Option<Position>) -> Result<Stream> {
        let engine = match &*self.engine {
            Engine::Postgres(postgres) => StreamEngine::Postgres(Box::new(postgres.stream(from).await?)),
            Engine::Sqlite(sqlite) => StreamEngine::Sqlite(sqlite.stream(from).await?),
        };
        Ok(Stream { engine })
    }

    /// Opens the change stream behind a transaction that is durable here. [`Error::PositionLost`] also where the source
    /// turns out to have another history: then the first [`next`](Stream::next) says so. On SQLite only the position counts.
    pub async fn resume(&self, last: Last) -> Result<Stream> {
        let engine = match &*self.engine {
            Engine::Postgres(postgres) => StreamEngine::Postgres(Box::new(postgres.resume(last).await?)),
            Engine::Sqlite(sqlite) => StreamEngine::Sqlite(sqlite.stream(Some(last.position)).await?),
        };
        Ok(Stream { engine })
    }

    /// Whether a stream can be opened behind `from`: it is installed, and nothing that lies there is forgotten.
    pub async fn follows(&self, from: Option<Position>) -> Result<bool> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.follows(from).await,
            Engine::Sqlite(sqlite) => sqlite.follows(from).await,
        }
    }

    /// Where the stream that is installed begins; what lies before it is in no stream.
    pub async fn begins(&self) -> Result<Position> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.begins().await,
            Engine::Sqlite(sqlite) => sqlite.begins().await,
        }
    }

    /// Gives up the stream: the next [`install`](Self::install) begins another one, at a position of its own. May be
    /// repeated. Only where whoever followed has forgotten its position first.
    pub async fn forget_stream(&self) -> Result<()> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.forget_stream().await,
            Engine::Sqlite(sqlite) => sqlite.forget_stream().await,
        }
    }

    /// The different values of a column, as shops. A value that cannot be a shop's id is an error.
    pub async fn shops(&self, table: TableNo, column: ColumnNo) -> Result<Vec<ShopId>> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.shops(table, column).await,
            Engine::Sqlite(sqlite) => sqlite.shops(table, column).await,
        }
    }

    /// A marker that no other call of any process has given.
    pub fn fresh_marker(&self) -> Marker {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        Marker(format!("{}-{nanos:x}-{count}", std::process::id()))
    }

    /// Writes a marker into the stream, in a transaction of its own; returns when that is committed.
    pub async fn mark(&self, marker: &Marker) -> Result<()> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.mark(marker).await,
            Engine::Sqlite(sqlite) => sqlite.mark(marker).await,
        }
    }

    /// A read of everything at one cut.
    pub async fn snapshot(&self) -> Result<Reader> {
        let engine = match &*self.engine {
            Engine::Postgres(postgres) => ReaderEngine::Postgres(postgres.snapshot().await?),
            Engine::Sqlite(sqlite) => ReaderEngine::Sqlite(sqlite.snapshot().await?),
        };
        Ok(Reader { engine })
    }

    /// The source's own clock.
    pub async fn clock(&self) -> Result<Timestamp> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.clock().await,
            Engine::Sqlite(sqlite) => sqlite.clock().await,
        }
    }

    /// How many transactions, written in or only read in, the sessions of `role` (none: of anyone but us) have open;
    /// with `begun_before` only those begun up to that instant of the source's [`clock`](Self::clock).
    /// SQLite: 0, because the one writer's lock, which [`fence`](Self::fence) waits for, is the drain.
    pub async fn open_transactions(&self, role: Option<&str>, begun_before: Option<Timestamp>) -> Result<u64> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.open_transactions(role, begun_before).await,
            Engine::Sqlite(_) => Ok(0),
        }
    }

    /// How many transactions an install waits for that have been open for a second: those of the whole server, not of this
    /// database alone. SQLite: 0.
    pub async fn keeps_from_installing(&self) -> Result<u64> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.keeps_from_installing().await,
            Engine::Sqlite(_) => Ok(0),
        }
    }

    /// Closes a shop's fence at an epoch; waits for writers that hold the shop, at most `wait`. May be repeated.
    pub async fn fence(&self, shop: &ShopId, epoch: Epoch, wait: Duration) -> Result<FenceOutcome> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.fence(shop, epoch, None, wait).await,
            Engine::Sqlite(sqlite) => sqlite.fence(shop, epoch, None, wait).await,
        }
    }

    /// Fence and marker in one transaction. With [`FenceOutcome::Waited`] there is no marker.
    pub async fn fence_and_mark(
        &self,
        shop: &ShopId,
        epoch: Epoch,
        marker: &Marker,
        wait: Duration,
    ) -> Result<FenceOutcome> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.fence(shop, epoch, Some(marker), wait).await,
            Engine::Sqlite(sqlite) => sqlite.fence(shop, epoch, Some(marker), wait).await,
        }
    }

    /// Opens a shop's fence. A later `fence` of the same epoch, a lost one's late arrival, is refused; on SQLite not
    /// where a writer has the file the whole time. Where a writer holds a fence that is open, it is not waited for
    /// longer than `wait`: longer than any fence of this epoch that may still be under way.
    pub async fn unfence(&self, shop: &ShopId, epoch: Epoch, wait: Duration) -> Result<()> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.unfence(shop, epoch, wait).await,
            Engine::Sqlite(sqlite) => sqlite.unfence(shop, epoch, wait).await,
        }
    }

    /// Every shop's fence, in the order of the shops.
    pub async fn fences(&self) -> Result<Vec<Fence>> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.fences().await,
            Engine::Sqlite(sqlite) => sqlite.fences().await,
        }
    }

    /// What of capture and fence is not in the source as [`install`](Self::install) made it: a table that the legacy
    /// rebuilt has silently lost them. On PostgreSQL also what is not as declared; on SQLite the stream says that.
    pub async fn guards(&self) -> Result<Guards> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.guards().await,
            Engine::Sqlite(sqlite) => Ok(Guards { missing: sqlite.missing_guards().await?, changed: Vec::new() }),
        }
    }

    /// As [`guards`](Self::guards): only what is missing.
    pub async fn missing_guards(&self) -> Result<Vec<String>> {
        Ok(self.guards().await?.missing)
    }

    /// Writes facts of one shop back, in the order given, in one transaction of the source; facts that are there
    /// already are left out. Answers with the last one that is there now: not the last of these where some of what one
    /// was made from is there already.
    pub async fn write_back(&self, shop: &ShopId, facts: &[WriteBack]) -> Result<Seq, WriteBackError> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.write_back(shop, facts).await,
            Engine::Sqlite(sqlite) => sqlite.write_back(shop, facts).await,
        }
    }

    /// The last fact of a shop that was written back; 0 before the first.
    pub async fn applied(&self, shop: &ShopId) -> Result<Seq> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.applied(shop).await,
            Engine::Sqlite(sqlite) => sqlite.applied(shop).await,
        }
    }

    /// Advances the legacy's own sequence of a table's key by `n` and gives the ids taken, as runs from–to, both
    /// included.
    pub async fn take_block(&self, table: TableNo, n: u32) -> Result<Vec<(i64, i64)>> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.take_block(table, n).await,
            Engine::Sqlite(sqlite) => sqlite.take_block(table, n).await,
        }
    }
}

impl Stream {
    /// Waits for the next transactions, at most `max`, in commit order; never answers with none. Nothing is lost
    /// where the future is dropped.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Transaction>> {
        match &mut self.engine {
            StreamEngine::Postgres(stream) => stream.next(max).await,
            StreamEngine::Sqlite(stream) => stream.next(max).await,
        }
    }

    /// The source may forget what lies up to here. Only after it is durable.
    pub fn acknowledge(&mut self, position: Position) {
        match &mut self.engine {
            StreamEngine::Postgres(stream) => stream.acknowledge(position),
            StreamEngine::Sqlite(stream) => stream.acknowledge(position),
        }
    }
}

impl Reader {
    pub fn cut(&self) -> &Cut {
        match &self.engine {
            ReaderEngine::Postgres(reader) => reader.cut(),
            ReaderEngine::Sqlite(reader) => reader.cut(),
        }
    }

    /// The rows in which the column holds one of the values, in key order.
    pub async fn rows_where(
        &mut self,
        table: TableNo,
        column: ColumnNo,
        values: &[Cell],
    ) -> Result<Vec<(RowKey, Row)>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        match &mut self.engine {
            ReaderEngine::Postgres(reader) => reader.rows_where(table, column, values).await,
            ReaderEngine::Sqlite(reader) => reader.rows_where(table, column, values).await,
        }
    }

    /// The rows with these keys, in key order.
    pub async fn rows_by_key(&mut self, table: TableNo, keys: &[RowKey]) -> Result<Vec<(RowKey, Row)>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = match &mut self.engine {
            ReaderEngine::Postgres(reader) => reader.rows_by_key(table, keys).await?,
            ReaderEngine::Sqlite(reader) => reader.rows_by_key(table, keys).await?,
        };
        // The parts of several keys make others together, and a source may take two texts for one.
        let wanted: BTreeSet<&RowKey> = keys.iter().collect();
        rows.retain(|(key, _)| wanted.contains(key));
        Ok(rows)
    }

    /// Up to `limit` rows of one shop behind `after`, in key order, at this reader's cut. Fewer: nothing lies behind them.
    /// `shared` is read for tables declared [`Shared`](vocab::row::ShopPath::Shared) only.
    pub async fn rows_of_shop(
        &mut self,
        shop: &ShopId,
        table: TableNo,
        after: Option<&RowKey>,
        limit: u32,
        shared: &[SharedBy],
    ) -> Result<Vec<(RowKey, Row)>> {
        let ask = OfShop { shop, table, after, limit, shared };
        match &mut self.engine {
            ReaderEngine::Postgres(reader) => reader.rows_of_shop(&ask).await,
            ReaderEngine::Sqlite(reader) => reader.rows_of_shop(&ask).await,
        }
    }

    /// Runs hand-written SQL; every cell comes as text, none for NULL. In the SQL each name of `texts` stands for its
    /// text as a literal; one is put in after the other.
    pub async fn total(&mut self, sql: &str, texts: &[(&str, &str)]) -> Result<Vec<Vec<Option<String>>>> {
        match &mut self.engine {
            ReaderEngine::Postgres(reader) => reader.total(sql, texts).await,
            ReaderEngine::Sqlite(reader) => reader.total(sql, texts).await,
        }
    }
}
