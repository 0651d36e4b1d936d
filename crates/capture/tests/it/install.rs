//! What install makes, preflight finds, and uninstall leaves: nothing.

use crate::on_both;
use crate::world::{DETIL, Engine, JUAL, PELANGGAN, PRODUK, World, chunk_of, key, shop, shops};
use capture::{Code, Error, SharedBy, Source};
use std::sync::Arc;
use vocab::id::ShopId;
use vocab::row::{Cell, RowKey, ShopPath, Table};

/// Everything in the database that has our name.
const OURS: &str = "select (select count(*) from pg_class where relname like 'balik%') \
     + (select count(*) from pg_trigger where tgname like 'balik%' and not tgisinternal) \
     + (select count(*) from pg_proc where proname like 'balik%') \
     + (select count(*) from pg_publication where pubname like 'balik%') \
     + (select count(*) from pg_replication_slots where database = current_database())";

on_both!(uninstall_leaves_nothing, uninstall);
async fn uninstall(engine: Engine) {
    let world = World::bare(engine).await;
    let mut client = world.client().await;
    let ours = match engine {
        Engine::Postgres => OURS,
        Engine::Sqlite => "select count(*) from sqlite_master where name like '%balik%'",
    };
    let everything = match engine {
        Engine::Postgres => "select count(*) from pg_class where relnamespace = 'public'::regnamespace",
        Engine::Sqlite => "select count(*) from sqlite_master",
    };
    let before = client.ask(everything).await;
    world.source.install(&shops()).await.unwrap();
    world.source.install(&shops()).await.unwrap();
    assert_ne!(client.ask(ours).await, "0");
    let stream = world.source.stream(None).await.unwrap();
    world.source.uninstall().await.unwrap();
    drop(stream);
    assert_eq!(client.ask(ours).await, "0");
    assert_eq!(client.ask(everything).await, before);
    client.exec("update produk set stok = 1 where id = 1").await;
    world.source.uninstall().await.unwrap();
}

on_both!(the_printed_statements_are_the_install, printed);
async fn printed(engine: Engine) {
    let world = World::bare(engine).await;
    let mut client = world.client().await;
    for statement in world.source.install_sql(&shops()).await.unwrap() {
        assert!(statement.contains("balik_"), "{statement}");
        client.exec(&statement).await;
    }
    world.source.fence(&shop("1"), vocab::id::Epoch(2), crate::world::LONG).await.unwrap();
    assert!(client.run("update produk set stok = 1 where id = 1").await.is_err());
    drop(world.source.stream(None).await.unwrap());
}

on_both!(a_rebuilt_table_has_lost_its_guards, guards);
async fn guards(engine: Engine) {
    let world = World::new(engine).await;
    let mut client = world.client().await;
    assert_eq!(world.source.missing_guards().await.unwrap(), Vec::<String>::new());
    client.exec("create table produk_baru as select * from produk").await;
    client.exec("drop table produk").await;
    client.exec("alter table produk_baru rename to produk").await;
    let missing = world.source.missing_guards().await.unwrap();
    assert!(
        !missing.is_empty() && missing.iter().all(|name| name.contains("produk") || name.contains('0')),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_disabled_trigger_is_a_missing_guard() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    client.exec("alter table jual disable trigger balik_fence").await;
    assert_eq!(world.source.missing_guards().await.unwrap(), ["jual"]);
}

on_both!(a_source_as_declared_has_nothing_to_find, sound);
async fn sound(engine: Engine) {
    let world = World::new(engine).await;
    let findings = world.source.preflight().await.unwrap();
    let blocking: Vec<_> = findings.iter().filter(|finding| finding.code.blocks()).map(ToString::to_string).collect();
    assert_eq!(blocking, Vec::<String>::new());
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::Cascade]);
}

on_both!(preflight_finds_what_differs, differs);
async fn differs(engine: Engine) {
    let world = World::bare(engine).await;
    let mut client = world.client().await;
    let changes = match engine {
        Engine::Postgres => {
            "alter table produk add column warna text; alter table produk alter column stok type text; \
             alter table produk alter column besar set not null; alter table jual drop column total; \
             alter table jual_detil drop constraint jual_detil_pkey; drop table pelanggan; \
             create function f() returns trigger language plpgsql as 'begin return null; end'; \
             create trigger lama after insert on jual for each row execute function f()"
        }
        Engine::Sqlite => {
            "alter table produk add column warna text; alter table jual drop column total; drop table pelanggan; \
             create trigger lama after insert on jual begin select 1; end; \
             create unique index separuh on jual (pelanggan_id) where toko_id = 1; \
             drop table jual_detil; create table jual_detil (id text primary key, jual_id int, produk_id text not null, jml int not null)"
        }
    };
    if engine == Engine::Postgres {
        client.exec("update produk set besar = ''").await;
    }
    client.exec(changes).await;
    drop(client);
    let mut codes: Vec<_> = world.source.preflight().await.unwrap().into_iter().map(|finding| finding.code).collect();
    codes.sort();
    codes.dedup();
    let expected: &[Code] = match engine {
        Engine::Postgres => &[
            Code::TableMissing,
            Code::ColumnMissing,
            Code::ColumnUnknown,
            Code::TypeDiffers,
            Code::NullDiffers,
            Code::KeyDiffers,
            Code::ReplicaIdentity,
            Code::LegacyTrigger,
            Code::Cascade,
        ],
        Engine::Sqlite => &[
            Code::TableMissing,
            Code::ColumnMissing,
            Code::ColumnUnknown,
            Code::TypeDiffers,
            Code::NullDiffers,
            Code::LegacyTrigger,
            Code::NoSequence,
            Code::ReplaceUnseen,
        ],
    };
    assert_eq!(codes, expected);
}

on_both!(rows_are_read_by_shop_along_their_paths, read);
async fn read(engine: Engine) {
    let world = World::new(engine).await;
    let source = &world.source;
    assert_eq!(source.shops(PRODUK, 1).await.unwrap(), shops());
    let ids = |rows: &[(RowKey, vocab::row::Row)]| rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();

    let first = chunk_of(source, "1", PRODUK, None, 2, &[]).await;
    assert_eq!((ids(&first.rows), first.last), (vec![key(1), key(2)], false));
    let second = chunk_of(source, "1", PRODUK, Some(&key(2)), 2, &[]).await;
    assert_eq!((ids(&second.rows), second.last), (vec![key(3)], true));
    assert_eq!(second.rows[0].1.0[2], Cell::Text("it's".into()));

    let lines = chunk_of(source, "1", DETIL, None, 10, &[]).await;
    assert_eq!(ids(&lines.rows), [key(1), key(2)]);
    let by_sale = [SharedBy { table: JUAL, column: 2, key: 0 }];
    let customers = chunk_of(source, "2", PELANGGAN, None, 10, &by_sale).await;
    assert_eq!(ids(&customers.rows), [key(2)]);
    assert_eq!(customers.rows[0].1.0, [Cell::Int(2), Cell::Text("Budi".into()), Cell::Null]);
    assert!(chunk_of(source, "2", PELANGGAN, None, 10, &[]).await.rows.is_empty());

    let mut reader = source.snapshot().await.unwrap();
    world.client().await.exec("update produk set stok = 77 where id = 1").await;
    let rows = reader.rows_where(PRODUK, 2, &[Cell::Text("kopi".into()), Cell::Text("it's".into())]).await.unwrap();
    assert_eq!(ids(&rows), [key(1), key(3)]);
    assert_eq!(rows[0].1.0[5], Cell::Int(5), "as it was when the reader was opened");
    assert_eq!(ids(&reader.rows_of_shop(&shop("2"), DETIL, None, 10, &[]).await.unwrap()), [key(3)]);
    let total = "select count(*), sum(stok), null from produk where toko_id = :shop and nama <> :nama";
    let row = |count: &str, sum: &str| vec![vec![Some(count.to_owned()), Some(sum.to_owned()), None]];
    let it = [(":shop", "1"), (":nama", "it's")];
    assert_eq!(reader.total(total, &it).await.unwrap(), row("2", "10"));
}

// Three hops, and a fixed shop.
on_both!(long_paths_and_fixed_shops_are_followed, paths);
async fn paths(engine: Engine) {
    let world = World::bare(engine).await;
    let mut client = world.client().await;
    client.exec("create table catatan (id integer primary key, detil_id int not null); insert into catatan values (1, 1), (2, 3); \
                 create table setelan (id integer primary key, detil_id int not null); insert into setelan values (1, 1)").await;
    let mut tables: Vec<Table> = crate::world::tables().to_vec();
    let of = |name: &str, shop| Table {
        name: name.into(),
        columns: tables[DETIL].columns[..2].to_vec(),
        key: vec![0],
        shop,
        read_only: false,
    };
    let mut notes = of("catatan", ShopPath::Through { column: 1, table: DETIL });
    notes.columns[1].name = "detil_id".into();
    let mut settings = of("setelan", ShopPath::Fixed(shop("2")));
    settings.columns[1].name = "detil_id".into();
    tables.extend([notes, settings]);
    let source = Source::connect(&world.url, Arc::new(tables), "paths").await.unwrap();
    source.install(&shops()).await.unwrap();
    let chunk = chunk_of(&source, "2", 4, None, 10, &[]).await;
    assert_eq!(chunk.rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key(2)]);
    source.fence(&shop("2"), vocab::id::Epoch(2), crate::world::LONG).await.unwrap();
    for (write, passes) in [
        ("insert into catatan values (3, 1)", true),
        ("insert into catatan values (4, 3)", false),
        ("update catatan set detil_id = 1 where id = 2", false),
        ("delete from setelan", false),
    ] {
        assert_eq!(client.run(write).await.is_ok(), passes, "{write}");
    }
    assert!(chunk_of(&source, "1", 5, None, 10, &[]).await.rows.is_empty());
}

#[tokio::test]
async fn a_file_without_a_write_ahead_log_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("legacy.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("create table produk (id integer primary key)").unwrap();
    let source = Source::connect(&format!("sqlite:{}", path.display()), Arc::default(), "test").await.unwrap();
    let codes: Vec<_> = source.preflight().await.unwrap().into_iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::JournalMode]);
}

#[tokio::test]
async fn what_cannot_be_a_source_is_refused() {
    let connect = |url: &'static str, name: &'static str| Source::connect(url, crate::world::tables(), name);
    assert!(matches!(connect("mysql://x", "a").await, Err(Error::Url(_))));
    let secret = connect("postgres://shop:hunter2@127.0.0.1/db?sslmode=sometimes", "a").await.err().unwrap();
    assert_eq!(
        secret.to_string(),
        "the source's address is none (postgres://USER:PASSWORD@HOST/DATABASE or sqlite:PATH): \
         invalid value for option `sslmode`"
    );
    assert!(matches!(connect("sqlite:/nowhere/at/all.db", "a").await, Err(Error::Sqlite { .. })));
    assert!(matches!(connect("sqlite:x", "A;").await, Err(Error::CaptureName(_))));
    let mut tables = crate::world::tables().to_vec();
    tables[JUAL].shop = ShopPath::Through { column: 0, table: DETIL };
    assert!(matches!(Source::connect("sqlite:x", Arc::new(tables), "a").await, Err(Error::Declaration { .. })));
    assert!(ShopId::parse("").is_err());
}
