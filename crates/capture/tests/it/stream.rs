//! The change stream tells every committed transaction, in order, once per position.

use crate::on_both;
use crate::world::{BESAR, DETIL, DILIHAT, Engine, JUAL, PELANGGAN, PRODUK, World, drain, key, read_to, shop, shops};
use capture::{Error, Marker, Position, Transaction};
use vocab::row::Cell;

on_both!(changes_come_with_their_rows, changes);
async fn changes(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    client
        .exec(
            "begin; insert into produk (toko_id, nama, harga, kode, stok) values (1, 'baru', '2.50', 'C1', 9); \
                 insert into jual (toko_id, pelanggan_id, total) values (1, 2, '5.00'); commit",
        )
        .await;
    client.exec("update produk set id = 60 where id = 2; delete from jual_detil where id = 1").await;
    let seen = drain(&world, &mut stream).await;
    let changes: Vec<_> = seen.iter().flat_map(|transaction| &transaction.changes).collect();
    let told: Vec<_> = changes.iter().map(|change| (change.table, change.key.clone(), change.row.is_some())).collect();
    assert_eq!(
        told,
        [
            (PRODUK, key(6), true),
            (JUAL, key(3), true),
            (PRODUK, key(2), false),
            (PRODUK, key(60), true),
            (DETIL, key(1), false),
        ]
    );
    let kode = if engine == Engine::Postgres { "C1  " } else { "C1" };
    let cells = [
        Cell::Int(6),
        Cell::Int(1),
        Cell::Text("baru".into()),
        Cell::Text("2.50".into()),
        Cell::Text(kode.into()),
        Cell::Int(9),
        Cell::Int(0),
        Cell::Null,
    ];
    assert_eq!(changes[0].row, Some(cells.map(Some).to_vec()));
    assert!(seen.iter().all(|transaction| transaction.committed_at.is_some() && transaction.schema.is_empty()));
    assert!(seen.is_sorted_by(|a, b| a.tx.order < b.tx.order));
}

on_both!(a_secret_never_leaves_the_source, secret);
async fn secret(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    world.client().await.exec("update pelanggan set sandi = 'baru', nama = 'Ayu 2' where id = 1").await;
    let seen = drain(&world, &mut stream).await;
    let change = &seen[0].changes[0];
    assert_eq!((change.table, &change.key), (PELANGGAN, &key(1)));
    assert_eq!(change.row.as_ref().unwrap()[2], Some(Cell::Null));
    assert!(seen.iter().all(|transaction| transaction.schema.is_empty()), "it is not reported as missing");
}

on_both!(a_stream_goes_on_where_it_was_left, resume);
async fn resume(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    for stok in 10..15 {
        client.exec(&format!("update produk set stok = {stok} where id = 1")).await;
        world.source.mark(&Marker(format!("m{stok}"))).await.unwrap();
    }
    let first = read_to(&mut stream, &Marker("m12".into())).await;
    let position = first.last().unwrap().position;
    // Taken out of the stream but not made durable: must come again.
    let lost = stream.next(2).await.unwrap();
    stream.acknowledge(position);
    drop(stream);
    client.exec("update produk set stok = 99 where id = 1").await;
    let mut stream = world.source.stream(Some(position)).await.unwrap();
    let again = drain(&world, &mut stream).await;
    assert!(lost.iter().all(|transaction| transaction.position > position));
    // SQLite may put neighbours together otherwise than before; nothing is left out, nothing comes again.
    assert!(again[0].position > position);
    let markers: Vec<_> = again.iter().flat_map(|transaction| &transaction.markers).take(2).cloned().collect();
    assert_eq!(markers, [Marker("m13".into()), Marker("m14".into())]);
    let last = again.iter().flat_map(|transaction| &transaction.changes).next_back().unwrap();
    assert_eq!(last.row.as_ref().unwrap()[5], Some(Cell::Int(99)));
}

on_both!(a_position_of_an_earlier_install_is_lost, lost);
async fn lost(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let position = drain(&world, &mut stream).await.last().unwrap().position;
    drop(stream);
    world.source.uninstall().await.unwrap();
    assert!(matches!(world.source.stream(Some(position)).await, Err(Error::NotInstalled(_))));
    world.source.install(&shops()).await.unwrap();
    assert!(matches!(world.source.stream(Some(position)).await, Err(Error::PositionLost { .. })));
    let future = Position(i64::MAX.cast_unsigned());
    assert!(matches!(world.source.stream(Some(future)).await, Err(Error::PositionLost { .. })));
}

on_both!(a_new_column_is_told_before_its_rows, schema);
async fn schema(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    client.exec("update produk set stok = 6 where id = 1").await;
    let before = drain(&world, &mut stream).await;
    assert!(before.iter().all(|transaction| transaction.schema.is_empty()));
    client.exec("alter table produk add column warna text").await;
    client.exec("update produk set stok = 7 where id = 1").await;
    let after = drain(&world, &mut stream).await;
    let told = after.iter().position(|transaction| !transaction.schema.is_empty()).unwrap();
    let changed = after.iter().position(|transaction| !transaction.changes.is_empty()).unwrap();
    assert!(told <= changed);
    let change = &after[told].schema[0];
    assert_eq!((change.table, change.unknown.len(), change.missing.len()), (PRODUK, 1, 0));
    assert_eq!(&*change.unknown[0], "warna");
}

on_both!(what_passes_the_fence_is_told_too, unmoved);
async fn unmoved(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    world.source.fence(&shop("1"), vocab::id::Epoch(2), crate::world::LONG).await.unwrap();
    world.client().await.exec("update produk set dilihat = dilihat + 1 where id = 1").await;
    let seen = drain(&world, &mut stream).await;
    let change = seen.iter().flat_map(|transaction| &transaction.changes).next().unwrap();
    assert_eq!(change.row.as_ref().unwrap()[DILIHAT], Some(Cell::Int(1)));
}

#[tokio::test]
async fn an_unchanged_large_value_is_not_told() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    client.exec("alter table produk alter column besar set storage external").await;
    client.exec("update produk set besar = repeat('x', 100000) where id = 1").await;
    let mut stream = world.source.stream(None).await.unwrap();
    client.exec("update produk set stok = 6 where id = 1").await;
    let seen = drain(&world, &mut stream).await;
    let rows: Vec<_> =
        seen.iter().flat_map(|transaction| &transaction.changes).filter_map(|change| change.row.as_ref()).collect();
    assert!(matches!(&rows[0][BESAR], Some(Cell::Text(text)) if text.len() == 100_000));
    assert_eq!(rows[1][BESAR], None);
    assert_eq!(rows[1][5], Some(Cell::Int(6)));
}

/// Under a new key nobody knows the large value of the old one.
#[tokio::test]
async fn a_large_value_goes_with_a_changed_key() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    client.exec("alter table produk alter column besar set storage external").await;
    client.exec("update produk set besar = repeat('x', 100000) where id in (1, 2)").await;
    let mut stream = world.source.stream(None).await.unwrap();
    drain(&world, &mut stream).await;
    client.exec("update produk set id = 101 where id = 1").await;
    client.exec("update produk set id = 102 where id = 2; delete from produk where id = 102").await;
    let seen = drain(&world, &mut stream).await;
    let changes: Vec<_> = seen.iter().flat_map(|transaction| &transaction.changes).collect();
    let keys: Vec<_> = changes.iter().map(|change| (change.key.clone(), change.row.is_some())).collect();
    assert_eq!(keys[..2], [(key(1), false), (key(101), true)]);
    assert!(matches!(&changes[1].row.as_ref().unwrap()[BESAR], Some(Cell::Text(text)) if text.len() == 100_000));
    assert_eq!(keys.last(), Some(&(key(102), false)));
}

#[tokio::test]
async fn truncate_empties_a_table() {
    let world = World::new(Engine::Postgres).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    client
        .exec(
            "begin; insert into jual_detil (jual_id, produk_id, jml) values (1, 3, 1); truncate jual_detil; \
                 insert into jual_detil (jual_id, produk_id, jml) values (2, 5, 1); commit",
        )
        .await;
    let seen = drain(&world, &mut stream).await;
    assert_eq!(seen[0].emptied, [DETIL]);
    let keys: Vec<_> = seen[0].changes.iter().map(|change| change.key.clone()).collect();
    assert_eq!(keys, [key(5)]);
}

/// A table nobody declared must not make the source keep its log for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_stream_lets_the_log_go() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    let mut stream = world.source.stream(None).await.unwrap();
    let position = drain(&world, &mut stream).await.last().unwrap().position;
    stream.acknowledge(position);
    client
        .exec("create table lain (x text); insert into lain select repeat('x', 500) from generate_series(1, 20000)")
        .await;
    let written = client.ask("select pg_current_wal_lsn()").await;
    let behind = format!(
        "select count(*) from pg_replication_slots where database = current_database() and confirmed_flush_lsn < '{written}'"
    );
    // Nothing comes, so this never ends by itself; it is polled until the slot has moved.
    let moved = async {
        while client.ask(&behind).await != "0" {
            client.exec("select pg_switch_wal()").await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        next = stream.next(1) => panic!("nothing was written to us: {:?}", next.map(|all: Vec<Transaction>| all.len())),
        done = tokio::time::timeout(crate::world::LONG, moved) => done.expect("the slot moves on"),
    }
}

/// REPLACE through another unique index deletes a row without a delete trigger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_row_is_told_as_gone() {
    let world = World::bare(Engine::Sqlite).await;
    let mut client = world.client().await;
    client.exec("create unique index nama_sekali on produk (toko_id, nama)").await;
    world.source.install(&shops()).await.unwrap();
    let mut stream = world.source.stream(None).await.unwrap();
    client
        .exec(
            "insert or replace into produk (id, toko_id, nama, harga, kode, stok) values (77, 1, 'kopi', '1', 'K', 1)",
        )
        .await;
    client.exec("update or replace produk set nama = 'susu' where id = 4").await;
    let seen = drain(&world, &mut stream).await;
    let mut told: Vec<_> = seen
        .iter()
        .flat_map(|transaction| &transaction.changes)
        .map(|change| (change.key.clone(), change.row.is_some()))
        .collect();
    told.sort();
    assert_eq!(told, [(key(1), false), (key(4), true), (key(5), false), (key(77), true)]);
}

/// What was acknowledged is forgotten, and the stream goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_changes_are_forgotten() {
    let world = World::new(Engine::Sqlite).await;
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    client
        .exec(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500) \
                 insert into jual_detil (jual_id, produk_id, jml) select 1, 1, i from n",
        )
        .await;
    let last = drain(&world, &mut stream).await.last().unwrap().position;
    stream.acknowledge(last);
    let emptied = async {
        while client.ask("select count(*) from balik_changes").await != "0" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::world::LONG, emptied).await.expect("the changes are forgotten");
    client.exec("update produk set stok = 1 where id = 1").await;
    assert!(drain(&world, &mut stream).await.iter().any(|transaction| transaction.changes.len() == 1));
}
