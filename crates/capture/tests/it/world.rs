//! A small legacy on either engine: two shops, products, sales with lines, customers shared by the shops.

use capture::{Cut, Marker, SharedBy, Source, Stream, Transaction};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use testkit::postgres::{Database, fresh_database};
use vocab::id::ShopId;
use vocab::row::{Cell, Column, ColumnType, Row, RowKey, ShopPath, Table, TableNo, Use};

pub const PRODUK: TableNo = 0;
pub const JUAL: TableNo = 1;
pub const DETIL: TableNo = 2;
pub const PELANGGAN: TableNo = 3;

pub const NAMA: usize = 2;
pub const STOK: usize = 5;
pub const DILIHAT: usize = 6;
pub const BESAR: usize = 7;

/// Nothing here takes that long; a test that waits longer has failed.
pub const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

pub struct World {
    pub source: Source,
    pub url: String,
    place: Place,
}

enum Place {
    Postgres(Database),
    Sqlite(TempDir),
}

/// A client of the legacy, which knows nothing of us.
pub enum Client {
    Postgres(tokio_postgres::Client),
    Sqlite(rusqlite::Connection),
}

/// Why the legacy's database refused: its message, and the SQLSTATE where there is one.
#[derive(Debug)]
pub struct Refused(pub String);

impl Client {
    pub async fn run(&mut self, sql: &str) -> Result<(), Refused> {
        match self {
            Self::Postgres(client) => client.batch_execute(sql).await.map_err(|error| {
                let code = error.code().map_or_else(String::new, |code| code.code().to_owned());
                Refused(format!(
                    "{code} {}",
                    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
                ))
            }),
            Self::Sqlite(connection) => connection.execute_batch(sql).map_err(|error| Refused(error.to_string())),
        }
    }

    pub async fn exec(&mut self, sql: &str) {
        self.run(sql).await.unwrap_or_else(|refused| panic!("{sql}: {}", refused.0));
    }

    /// The first cell of the answer, as text.
    pub async fn ask(&mut self, sql: &str) -> String {
        match self {
            Self::Postgres(client) => {
                let rows = client.simple_query(sql).await.unwrap();
                let row = rows.iter().find_map(|message| {
                    let tokio_postgres::SimpleQueryMessage::Row(row) = message else { return None };
                    Some(row.get(0).unwrap_or("").to_owned())
                });
                row.unwrap_or_default()
            }
            Self::Sqlite(connection) => {
                let sql = format!("select cast(({sql}) as text)");
                connection.query_row(&sql, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
            }
        }
    }
}

impl World {
    /// Tables and two shops with a little in them, nothing of ours.
    pub async fn bare(engine: Engine) -> Self {
        let (place, url) = match engine {
            Engine::Postgres => {
                let database = fresh_database().await;
                let url = database.url.clone();
                (Place::Postgres(database), url)
            }
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("legacy.db");
                let connection = rusqlite::Connection::open(&path).unwrap();
                connection.execute_batch("pragma journal_mode = wal").unwrap();
                (Place::Sqlite(folder), format!("sqlite:{}", path.display()))
            }
        };
        let mut client = client_of(&place).await;
        client.exec(&ddl(engine)).await;
        client.exec(SEED).await;
        drop(client);
        let source = Source::connect(&url, tables(), "test").await.unwrap();
        Self { source, url, place }
    }

    /// The same, with fence and capture installed.
    pub async fn new(engine: Engine) -> Self {
        let world = Self::bare(engine).await;
        world.source.install(&shops()).await.unwrap();
        world
    }

    pub async fn client(&self) -> Client {
        client_of(&self.place).await
    }
}

async fn client_of(place: &Place) -> Client {
    match place {
        Place::Postgres(database) => Client::Postgres(database.connect().await),
        Place::Sqlite(folder) => {
            let connection = rusqlite::Connection::open(folder.path().join("legacy.db")).unwrap();
            connection.busy_timeout(LONG).unwrap();
            // The machine does not fail in a test; the legacy's syncs would only be slow.
            connection.pragma_update(None, "synchronous", "off").unwrap();
            Client::Sqlite(connection)
        }
    }
}

/// Reads the stream to the marker; all transactions, the marker's included. Acknowledges none.
pub async fn read_to(stream: &mut Stream, marker: &Marker) -> Vec<Transaction> {
    let mut seen = Vec::new();
    let reading = async {
        loop {
            // One at a time, so that nothing behind the marker is taken out of the stream.
            let next = stream.next(1).await.unwrap();
            let found = next.iter().any(|transaction| transaction.markers.contains(marker));
            seen.extend(next);
            if found {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, reading).await.expect("the marker comes in the stream");
    seen
}

/// Marks and reads to the mark.
pub async fn drain(world: &World, stream: &mut Stream) -> Vec<Transaction> {
    let marker = world.source.fresh_marker();
    world.source.mark(&marker).await.unwrap();
    read_to(stream, &marker).await
}

pub fn key(id: i64) -> RowKey {
    RowKey(vec![Cell::Int(id)])
}

pub fn shop(id: &str) -> ShopId {
    ShopId::parse(id).unwrap()
}

pub fn shops() -> Vec<ShopId> {
    vec![shop("1"), shop("2")]
}

pub fn tables() -> Arc<Vec<Table>> {
    Arc::new(vec![
        table(
            "produk",
            ShopPath::Column(1),
            vec![
                moved("id", ColumnType::Int),
                moved("toko_id", ColumnType::Int),
                moved("nama", ColumnType::Text(Some(80))),
                moved("harga", ColumnType::Text(None)),
                moved("kode", ColumnType::Char(4)),
                moved("stok", ColumnType::Int),
                Column { usage: Use::Unmoved, ..moved("dilihat", ColumnType::Int) },
                Column { nullable: true, ..moved("besar", ColumnType::Text(None)) },
            ],
        ),
        table(
            "jual",
            ShopPath::Column(1),
            vec![
                moved("id", ColumnType::Int),
                moved("toko_id", ColumnType::Int),
                moved("pelanggan_id", ColumnType::Int),
                moved("total", ColumnType::Text(None)),
            ],
        ),
        table(
            "jual_detil",
            ShopPath::Through { column: 1, table: JUAL },
            vec![
                moved("id", ColumnType::Int),
                moved("jual_id", ColumnType::Int),
                moved("produk_id", ColumnType::Int),
                moved("jml", ColumnType::Int),
            ],
        ),
        table(
            "pelanggan",
            ShopPath::Shared,
            vec![
                moved("id", ColumnType::Int),
                moved("nama", ColumnType::Text(None)),
                Column { usage: Use::Secret, nullable: true, ..moved("sandi", ColumnType::Text(None)) },
            ],
        ),
    ])
}

fn table(name: &str, shop: ShopPath, columns: Vec<Column>) -> Table {
    Table { name: name.into(), columns, key: vec![0], shop, read_only: false }
}

fn moved(name: &str, ty: ColumnType) -> Column {
    Column { name: name.into(), ty, nullable: false, usage: Use::Moved }
}

fn ddl(engine: Engine) -> String {
    let id = match engine {
        Engine::Postgres => "id serial primary key",
        Engine::Sqlite => "id integer primary key autoincrement not null",
    };
    format!(
        "create table produk ({id}, toko_id int not null, nama varchar(80) not null, harga varchar(20) not null, \
         kode char(4) not null, stok int not null, dilihat int not null default 0, besar text);
         create table jual ({id}, toko_id int not null, pelanggan_id int not null, total varchar(20) not null);
         create table jual_detil ({id}, jual_id int not null references jual (id) on delete cascade, \
         produk_id int not null, jml int not null);
         create table pelanggan ({id}, nama text not null, sandi text);"
    )
}

/// Products 1–3 are shop 1's, 4 and 5 shop 2's; sale 1 is shop 1's with two lines, sale 2 shop 2's with one.
const SEED: &str = "
    insert into produk (toko_id, nama, harga, kode, stok) values (1, 'kopi', '10.00', 'A1', 5),
      (1, 'teh', '7.50', 'A2', 5), (1, 'it''s', '1.00', 'A3', 5), (2, 'gula', '3.00', 'B1', 5), (2, 'susu', '4.00', 'B2', 5);
    insert into pelanggan (nama, sandi) values ('Ayu', 'rahasia'), ('Budi', 'rahasia'), ('Citra', 'rahasia');
    insert into jual (toko_id, pelanggan_id, total) values (1, 1, '17.50'), (2, 2, '3.00');
    insert into jual_detil (jual_id, produk_id, jml) values (1, 1, 1), (1, 2, 1), (2, 4, 1);";

/// One test body on both engines.
#[macro_export]
macro_rules! on_both {
    ($name:ident, $body:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$body($crate::world::Engine::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$body($crate::world::Engine::Sqlite).await;
            }
        }
    };
}

/// All that one read handed out.
#[derive(Debug)]
pub struct Chunk {
    pub cut: Cut,
    pub marker: Marker,
    pub rows: Vec<(RowKey, Row)>,
    pub last: bool,
}

/// Reads up to `limit` rows behind `after` as a copy does, in several pieces.
pub async fn chunk_of(
    source: &Source,
    of: &str,
    table: TableNo,
    after: Option<&RowKey>,
    limit: u32,
    shared: &[SharedBy],
) -> Chunk {
    let mut read = source.begin_copy(&shop(of), table, after, limit, shared).await.unwrap();
    let (cut, marker) = (read.cut().clone(), read.marker().clone());
    let mut rows = Vec::new();
    loop {
        let mut piece = read.next(limit.div_ceil(3)).await.unwrap();
        rows.append(&mut piece.rows);
        if piece.ended {
            return Chunk { cut, marker, rows, last: piece.last };
        }
    }
}
