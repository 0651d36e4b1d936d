//! A look at a stranger's database: every trap is found where it was laid, nothing is found in a sound one, nothing
//! changes, nobody is waited for, and no value of a cell comes out.

use crate::world::{Engine, LONG, World};
use capture::inspect::{Code, Inspection, Kind, Rows, Unread, inspect};
use std::collections::BTreeSet;
use std::time::Instant;
use tempfile::TempDir;
use testkit::postgres::{Database, fresh_database};

/// In many cells of both fixtures, and in no name.
const VALUE: &str = "Rahasia";

const POSTGRES: &str = "
    create schema kasir;
    create table sound (id bigserial primary key, harga numeric(12,2) not null, dibuat timestamptz not null);
    create table keyless (kode text not null unique, nama text);
    create table nothing_unique (nama text, catatan text);
    create table nothing_identifies (id serial primary key, nama text);
    alter table nothing_identifies replica identity nothing;
    create table late_key (id int primary key deferrable initially deferred, nama text);
    create table other_index (id serial primary key, kode text not null unique, nama text);
    alter table other_index replica identity using index other_index_kode_key;
    create unlogged table unlogged_cart (id serial primary key, isi text);
    create table pesanan (id serial primary key, harga float8 not null, ongkir real, berat real, dibuat timestamp,
      pajak numeric(10,2) generated always as (2 * 1.0) stored);
    create table kasir.\"Baris\" (id serial primary key, pesanan_id int not null references pesanan on delete cascade,
      induk_id int references kasir.\"Baris\" on delete set null on update cascade, jml int not null);
    create table pair (a int, b int, primary key (b, a));
    create table pair_note (id serial primary key, a int, b int, foreign key (b, a) references pair (b, a));
    create table detached (id int primary key, nama text);
    create sequence detached_id_seq;
    create table given (id int primary key, nama text);
    create table catatan (id serial primary key, isi text);
    create table hari (id bigserial, hari date not null, primary key (id, hari)) partition by range (hari);
    create table hari_1 partition of hari for values from ('2024-01-01') to ('2025-01-01');
    create table parent (id serial primary key, nama text);
    create table child (lebih text) inherits (parent);
    alter table child add primary key (id);
    create table guarded (id serial primary key, nama text);
    alter table guarded enable row level security;
    create function noted() returns trigger language plpgsql as 'begin return null; end';
    create trigger lama after insert on sound for each row execute function noted();
    create trigger padam after update on sound for each row execute function noted();
    alter table sound disable trigger padam;
    insert into sound (harga, dibuat) values (1, now()), (2, now());
    insert into other_index (id, kode, nama) values (5, 'x', 'Rahasia');
    insert into catatan (isi) select string_agg(md5(n::text), 'Rahasia') from generate_series(1, 2000) n;
    insert into parent (nama) values ('Rahasia');
    insert into child (id, nama) values (7, 'Rahasia'), (8, 'Rahasia');
    insert into hari (hari) values ('2024-05-01');
    select setval('sound_id_seq', 2);";

const SQLITE: &str = "
    create table sound (id integer primary key autoincrement, kode text not null);
    create table keyless (kode text not null, nama text);
    create unique index keyless_kode on keyless (kode);
    create table reused (id integer primary key, nama text);
    create table no_rowid (kode text primary key, nama text) without rowid;
    create table pesanan (id integer primary key autoincrement, harga decimal(15,4), ongkir double, berat real,
      dibuat datetime, jml integer, pajak generated always as (jml * 2) stored);
    create table baris (id integer primary key autoincrement, pesanan_id integer not null
      references pesanan (id) on delete cascade, produk_id integer references produk (id));
    create table half (id integer primary key autoincrement, kode text, aktif integer);
    create unique index half_kode on half (kode) where aktif = 1;
    create virtual table cari using fts5 (isi);
    create trigger lama after insert on sound begin select 1; end;
    pragma foreign_keys = off;
    insert into sound (kode) values ('Rahasia'), ('Rahasia');
    insert into pesanan (harga, jml) values (10.5, 1), (11, 'Rahasia'), (12.25, '3');
    insert into baris (pesanan_id, produk_id) values (1, null), (99, 5), (98, null);";

enum Place {
    Postgres(Database),
    Sqlite(TempDir),
}

impl Place {
    async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => {
                let database = fresh_database().await;
                database.connect().await.batch_execute(POSTGRES).await.unwrap();
                Self::Postgres(database)
            }
            Engine::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let connection = rusqlite::Connection::open(folder.path().join("legacy.db")).unwrap();
                connection.execute_batch(SQLITE).unwrap();
                Self::Sqlite(folder)
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url.clone(),
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("legacy.db").display()),
        }
    }
}

/// `code table (columns)` of every trap, without those of the server, which other tests share.
fn traps(inspection: &Inspection) -> BTreeSet<String> {
    let shared = [Code::SlotsFull, Code::SendersFull];
    let found = inspection.traps.iter().filter(|trap| !shared.contains(&trap.code));
    let told = found.map(|trap| {
        let columns = if trap.columns.is_empty() { String::new() } else { format!(" ({})", trap.columns.join(", ")) };
        format!("{} {}{columns}", trap.code.name(), trap.table.as_deref().unwrap_or("-"))
    });
    told.collect()
}

#[track_caller]
fn check(inspection: &Inspection, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&line| line.to_owned()).collect();
    assert_eq!(traps(inspection), expected);
}

/// The statement that mends one trap.
fn mend(inspection: &Inspection, code: Code, table: &str) -> String {
    let is_it = |trap: &&capture::inspect::Trap| trap.code == code && trap.table.as_deref() == Some(table);
    inspection.traps.iter().find(is_it).and_then(|trap| trap.mend.clone()).unwrap_or_else(|| panic!("{code:?} {table}"))
}

#[tokio::test]
async fn every_trap_of_a_postgres_is_found() {
    let place = Place::new(Engine::Postgres).await;
    let inspection = inspect(&place.url()).await.unwrap();
    check(
        &inspection,
        &[
            "no_primary_key keyless",
            "replica_identity keyless",
            "no_primary_key nothing_unique",
            "replica_identity nothing_unique",
            "replica_identity nothing_identifies",
            "replica_identity late_key",
            "no_sequence late_key (id)",
            "replica_identity other_index",
            "sequence_behind other_index (id)",
            "unlogged unlogged_cart",
            "float_money pesanan (harga, ongkir)",
            "zoneless_time pesanan (dibuat)",
            "generated pesanan (pajak)",
            "cascade kasir.Baris (pesanan_id)",
            "cascade kasir.Baris (induk_id)",
            "no_sequence detached (id)",
            "no_sequence given (id)",
            "out_of_line catatan (isi)",
            "partitioned hari",
            "inherited parent",
            "sequence_behind parent (id)",
            "sequence_behind child (id)",
            "row_security guarded",
            "legacy_trigger sound",
        ],
    );
}

#[tokio::test]
async fn every_table_of_a_postgres_is_told() {
    let place = Place::new(Engine::Postgres).await;
    let inspection = inspect(&place.url()).await.unwrap();
    let table = |name: &str| inspection.tables.iter().find(|table| table.name == name).unwrap();
    assert_eq!((inspection.tables.len(), inspection.left_out), (19, 0));
    assert_eq!((table("sound").rows, table("parent").rows), (Rows::Exact(2), Rows::Exact(1)));
    assert_eq!((table("hari").kind, table("hari_1").kind), (Kind::Partitioned, Kind::Partition));
    assert_eq!(table("pair").key, ["b", "a"]);
    assert!(table("sound").bytes.is_some_and(|bytes| bytes >= 8_192) && table("hari").bytes.is_none());
    let note = &table("pair_note").references[0];
    assert_eq!((note.columns.join(","), note.to.join(","), note.table.as_str()), ("b,a".into(), "b,a".into(), "pair"));
    let column = &table("pesanan").columns[2];
    assert_eq!((column.name.as_str(), column.type_name.as_str(), column.nullable), ("ongkir", "real", true));
}

/// Each printed statement is one that its database takes, and the trap is gone afterwards.
#[tokio::test]
async fn what_is_printed_mends() {
    let place = Place::new(Engine::Postgres).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.connect().await;
    let before = inspect(&place.url()).await.unwrap();
    for trap in &before.traps {
        let Some(mend) = trap.mend.as_ref().filter(|_| trap.table.is_some()) else { continue };
        let statement = mend.replace("'ZONE'", "'Asia/Jakarta'");
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let after = inspect(&place.url()).await.unwrap();
    check(
        &after,
        &[
            "no_sequence late_key (id)",
            "no_sequence given (id)",
            "cascade kasir.Baris (pesanan_id)",
            "cascade kasir.Baris (induk_id)",
            "partitioned hari",
            "inherited parent",
            "row_security guarded",
            "legacy_trigger sound",
        ],
    );
}

#[tokio::test]
async fn every_trap_of_a_sqlite_file_is_found() {
    let place = Place::new(Engine::Sqlite).await;
    let inspection = inspect(&place.url()).await.unwrap();
    let shadows = |line: &String| line.contains("cari_");
    assert_eq!(traps(&inspection).into_iter().filter(shadows).count(), 0, "shadow tables are nobody's own");
    check(
        &inspection,
        &[
            "journal_mode -",
            "no_primary_key keyless",
            "replace_followed keyless (kode)",
            "no_sequence reused (id)",
            "without_rowid no_rowid",
            "float_money pesanan (harga)",
            "float_money pesanan (ongkir)",
            "zoneless_time pesanan (dibuat)",
            "affinity pesanan (jml)",
            "generated pesanan (pajak)",
            "cascade baris (pesanan_id)",
            "orphans baris (pesanan_id)",
            "orphans baris (produk_id)",
            "replace_unseen half (kode)",
            "rows_elsewhere cari",
            "legacy_trigger sound",
        ],
    );
    let details: Vec<&str> = inspection.traps.iter().map(|trap| trap.detail.as_str()).collect();
    assert!(details.contains(&"2 of 3 rows looked at have no parent in pesanan"), "{details:?}");
    assert!(details.contains(&"1 values of another class than INTEGER in 3 rows looked at"), "{details:?}");
    let sound = inspection.tables.iter().find(|table| table.name == "sound").unwrap();
    assert_eq!((sound.rows, sound.bytes), (Rows::Exact(2), Some(4_096)));
    assert_eq!(mend(&inspection, Code::Orphans, "baris"), "pragma foreign_key_check('baris'); -- lists them all");
}

crate::on_both!(no_value_comes_out, values);
async fn values(engine: Engine) {
    let place = Place::new(engine).await;
    let told = format!("{:?}", inspect(&place.url()).await.unwrap());
    assert!(!told.contains(VALUE), "{told}");
}

/// The whole database as it can be read, and what its catalogue says.
async fn picture(client: &tokio_postgres::Client) -> String {
    let sql = "select md5(string_agg(one, '|' order by one)) from (\
        select table_to_xml(c.oid::regclass, true, false, '')::text || c.xmin::text || c.relname \
        from pg_class c where c.relkind = 'r' \
        and c.relnamespace in ('public'::regnamespace, 'kasir'::regnamespace) \
        union all select t.xmin::text || t.tgname from pg_trigger t \
        union all select a.xmin::text || a.attname from pg_attribute a where a.attrelid > 16384 \
        union all select s.schemaname || s.sequencename || coalesce(s.last_value, 0) \
        from pg_sequences s) everything (one)";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_role_that_may_only_select_sees_the_same_and_changes_nothing() {
    let place = Place::new(Engine::Postgres).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.connect().await;
    let role = format!("peeping_{}", database.name);
    let grants = format!(
        "create role {role} login; \
         grant select on all tables in schema public to {role}; \
         grant select on all sequences in schema public, kasir to {role}; revoke select on given from {role}"
    );
    client.batch_execute(&grants).await.unwrap();
    let all = inspect(&place.url()).await.unwrap();
    let before = picture(&client).await;
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let seen = inspect(&url).await;
    let after = picture(&client).await;
    client.batch_execute(&format!("drop owned by {role}; drop role {role}")).await.unwrap();
    let seen = seen.unwrap();
    assert_eq!(before, after);
    let mut expected = traps(&all);
    expected.remove("row_security guarded");
    let own = ["no_replication -", "sessions_hidden -", "rows_hidden guarded", "unread given", "unread kasir.Baris"];
    expected.extend(own.map(str::to_owned));
    assert_eq!(traps(&seen), expected);
    let rows = |name: &str| seen.tables.iter().find(|table| table.name == name).unwrap().rows;
    assert_eq!((rows("guarded"), rows("given")), (Rows::Unread(Unread::RowsHidden), Rows::Unread(Unread::Right)));
    assert_eq!(
        mend(&seen, Code::Unread, "kasir.Baris"),
        format!("grant usage on schema \"kasir\" to \"{role}\"; grant select on \"kasir\".\"Baris\" to \"{role}\";")
    );
    assert_eq!(mend(&seen, Code::Unread, "given"), format!("grant select on \"public\".\"given\" to \"{role}\";"));
}

#[tokio::test]
async fn a_file_is_as_it_was_and_may_be_read_only() {
    let place = Place::new(Engine::Sqlite).await;
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let path = folder.path().join("legacy.db");
    let before = std::fs::read(&path).unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    inspect(&place.url()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_locked_table_is_unread_and_nobody_queues_behind_us() {
    let place = Place::new(Engine::Postgres).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.connect().await;
    client.batch_execute("begin; lock table sound in access exclusive mode").await.unwrap();
    let began = Instant::now();
    let inspection = inspect(&place.url()).await.unwrap();
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    let sound = inspection.tables.iter().find(|table| table.name == "sound").unwrap();
    assert_eq!((sound.rows, sound.columns.len()), (Rows::Unread(Unread::Lock), 3));
    assert!(traps(&inspection).contains("unread sound"), "{:?}", traps(&inspection));
}

#[tokio::test]
async fn a_file_that_somebody_keeps_is_an_error_and_the_writer_goes_on() {
    let place = Place::new(Engine::Sqlite).await;
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let writer = rusqlite::Connection::open(folder.path().join("legacy.db")).unwrap();
    writer.execute_batch("begin exclusive; insert into sound (kode) values ('x')").unwrap();
    let refused = inspect(&place.url()).await;
    assert!(matches!(refused, Err(capture::Error::Sqlite { .. })), "not even its catalogue can be read");
    writer.execute_batch("commit").unwrap();
}

#[tokio::test]
async fn a_file_with_a_write_ahead_log_is_read_beside_its_writer() {
    let place = Place::new(Engine::Sqlite).await;
    let Place::Sqlite(folder) = &place else { unreachable!() };
    let path = folder.path().join("legacy.db");
    let writer = rusqlite::Connection::open(&path).unwrap();
    writer.execute_batch("pragma journal_mode = wal; begin immediate; insert into sound (kode) values ('x')").unwrap();
    let inspection = inspect(&place.url()).await.unwrap();
    let sound = inspection.tables.iter().find(|table| table.name == "sound").unwrap();
    assert_eq!(sound.rows, Rows::Exact(2), "as it was committed");
    assert!(!traps(&inspection).contains("journal_mode -"));
    writer.execute_batch("commit").unwrap();
    drop(writer);
    let before = std::fs::read(&path).unwrap();
    inspect(&place.url()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing stays beside it");
}

crate::on_both!(what_we_made_ourselves_is_not_told, ours);
async fn ours(engine: Engine) {
    let bare = World::bare(engine).await;
    let installed = World::new(engine).await;
    let (bare, installed) = (inspect(&bare.url).await.unwrap(), inspect(&installed.url).await.unwrap());
    assert_eq!(traps(&bare), traps(&installed));
    assert_eq!(bare.tables.len(), installed.tables.len());
}

#[tokio::test]
async fn many_rows_are_estimated() {
    let database = fresh_database().await;
    let client = database.connect().await;
    let fill = "create table large (id int primary key) with (autovacuum_enabled = off); \
                insert into large select generate_series(1, 100001)";
    client.batch_execute(fill).await.unwrap();
    let rows = async || inspect(&database.url).await.unwrap().tables[0].rows;
    assert_eq!(rows().await, Rows::AtLeast(100_000));
    client.batch_execute("analyze large").await.unwrap();
    assert_eq!(rows().await, Rows::Estimate(100_001));
}
