//! What a closed fence refuses, and what passes.

use crate::on_both;
use crate::world::{Engine, LONG, World, shop};
use capture::{Error, Fence, FenceOutcome};
use std::time::Duration;
use vocab::id::Epoch;

on_both!(a_closed_fence_refuses_every_write_of_its_shop_and_no_other, refuses);
async fn refuses(engine: Engine) {
    let world = World::new(engine).await;
    let mut client = world.client().await;
    assert_eq!(world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap(), FenceOutcome::Closed);
    for write in [
        "insert into produk (toko_id, nama, harga, kode, stok) values (1, 'x', '1', 'X', 1)",
        "update produk set stok = 1 where id = 1",
        "update produk set toko_id = 2 where id = 1",
        "update produk set toko_id = 1 where id = 4",
        "update produk set id = 70 where id = 1",
        "delete from produk where id = 1",
        "insert into jual_detil (jual_id, produk_id, jml) values (1, 1, 1)",
        "update jual_detil set jual_id = 2 where id = 1",
        "update jual_detil set jual_id = 1 where id = 3",
        "delete from jual_detil where id = 1",
        "delete from jual where id = 1",
        "delete from jual_detil",
    ] {
        let refused = client.run(write).await.expect_err(write);
        assert!(refused.0.contains("balik_fence"), "{write}: {}", refused.0);
        assert!(engine == Engine::Sqlite || refused.0.starts_with("BALIK "), "{}", refused.0);
    }
    for write in [
        "update produk set dilihat = dilihat + 1 where id = 1",
        "update produk set stok = stok where id = 1",
        "update produk set stok = 1 where id = 4",
        "insert into jual_detil (jual_id, produk_id, jml) values (2, 4, 1)",
        "delete from jual where id = 2",
        "update pelanggan set nama = 'lain' where id = 1",
        "insert into produk (toko_id, nama, harga, kode, stok) values (3, 'unplanned', '1', 'X', 1)",
    ] {
        client.run(write).await.unwrap_or_else(|refused| panic!("{write}: {}", refused.0));
    }
    world.source.unfence(&shop("1"), Epoch(2), LONG).await.unwrap();
    client.exec("update produk set stok = 1 where id = 1").await;
}

/// REPLACE deletes rows of another shop too, and no delete trigger fires.
#[tokio::test]
async fn a_row_of_a_closed_shop_cannot_be_replaced() {
    let world = World::bare(Engine::Sqlite).await;
    let mut client = world.client().await;
    client.exec("create unique index nama_sekali on produk (nama)").await;
    world.source.install(&crate::world::shops()).await.unwrap();
    world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap();
    let before = client.ask("select group_concat(id || nama || toko_id) from produk where toko_id = 1").await;
    for write in [
        "insert or replace into produk (id, toko_id, nama, harga, kode, stok) values (1, 2, 'baru', '1', 'K', 1)",
        "insert or replace into produk (toko_id, nama, harga, kode, stok) values (2, 'kopi', '1', 'K', 1)",
        "replace into produk (id, toko_id, nama, harga, kode, stok) values (1, 1, 'baru', '1', 'K', 1)",
        "update or replace produk set nama = 'kopi' where id = 4",
        "update or replace produk set id = 1 where id = 4",
        "insert or ignore into produk (toko_id, nama, harga, kode, stok) values (1, 'baru', '1', 'K', 1)",
    ] {
        let refused = client.run(write).await.expect_err(write);
        assert!(refused.0.contains("balik_fence"), "{write}: {}", refused.0);
    }
    assert_eq!(client.ask("select group_concat(id || nama || toko_id) from produk where toko_id = 1").await, before);
    client
        .exec("insert or replace into produk (id, toko_id, nama, harga, kode, stok) values (4, 2, 'susu', '1', 'K', 1)")
        .await;
    client.exec("update produk set stok = 3, id = 44 where id = 4").await;
}

on_both!(an_epoch_that_is_over_closes_nothing, epochs);
async fn epochs(engine: Engine) {
    let world = World::new(engine).await;
    let source = &world.source;
    let one = shop("1");
    let fence = |epoch| source.fence(&one, Epoch(epoch), LONG);
    assert_eq!(fence(2).await.unwrap(), FenceOutcome::Closed);
    assert_eq!(fence(2).await.unwrap(), FenceOutcome::Closed, "it may be repeated");
    source.unfence(&shop("1"), Epoch(2), LONG).await.unwrap();
    source.unfence(&shop("1"), Epoch(2), LONG).await.unwrap();
    assert!(matches!(fence(2).await, Err(Error::StaleEpoch { at: Epoch(2), .. })), "a late arrival");
    assert!(matches!(fence(1).await, Err(Error::StaleEpoch { .. })));
    assert!(matches!(source.unfence(&shop("1"), Epoch(1), LONG).await, Err(Error::StaleEpoch { .. })));
    assert_eq!(fence(3).await.unwrap(), FenceOutcome::Closed);
    assert!(matches!(source.fence(&shop("9"), Epoch(2), LONG).await, Err(Error::NotInstalled(_))));
    let fences = source.fences().await.unwrap();
    assert_eq!(
        fences,
        [
            Fence { shop: shop("1"), closed: true, epoch: Epoch(3) },
            Fence { shop: shop("2"), closed: false, epoch: Epoch(0) },
        ]
    );
    // A second install leaves it closed.
    source.install(&crate::world::shops()).await.unwrap();
    assert_eq!(source.fences().await.unwrap(), fences);
}

/// Roles of the legacy need no right on our tables, and a truncate of a table in which a closed shop has rows is
/// refused.
#[tokio::test]
async fn a_role_without_rights_on_our_tables_writes_and_is_fenced() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    let role = format!("balik_test_role_{}", std::process::id());
    client.exec(&format!("create role {role}; grant all on all tables in schema public to {role}; grant all on all sequences in schema public to {role}; \
                          revoke all on balik_fence, balik_applied, balik_origin from {role}; set role {role}")).await;
    let open = client.run("update produk set stok = 4 where id = 1").await;
    world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap();
    let closed = client.run("update produk set stok = 3 where id = 1").await;
    let truncated = client.run("truncate jual_detil").await;
    client.exec("reset role").await;
    client.exec(&format!("drop owned by {role}; drop role {role}")).await;
    open.unwrap();
    assert!(closed.unwrap_err().0.contains("balik_fence"));
    assert!(truncated.unwrap_err().0.contains("balik_fence"));
}

#[tokio::test]
async fn drain_sees_readers_too_and_not_us() {
    let world = World::new(Engine::Postgres).await;
    let open = |before| world.source.open_transactions(Some("postgres"), before);
    let _ours = world.source.snapshot().await.unwrap();
    assert_eq!(open(None).await.unwrap(), 0);
    let mut client = world.client().await;
    client.exec("begin isolation level repeatable read; select 1").await;
    assert_eq!(open(None).await.unwrap(), 1);
    let line = world.source.clock().await.unwrap();
    let mut later = world.client().await;
    later.exec("begin; select 1").await;
    assert_eq!(open(None).await.unwrap(), 2);
    assert_eq!(open(Some(line)).await.unwrap(), 1, "who began later meets the fence");
    client.exec("rollback").await;
    assert_eq!(open(Some(line)).await.unwrap(), 0);
}

/// A fence that waited in vain for a writer was never closed; to say so needs no more patience than that.
#[tokio::test]
async fn an_open_fence_that_a_writer_holds_is_given_up_without_it() {
    let world = World::new(Engine::Postgres).await;
    let (source, one) = (&world.source, shop("1"));
    let mut straggler = world.client().await;
    straggler.exec("begin; update produk set stok = 1 where id = 1").await;
    let short = Duration::from_millis(20);
    assert_eq!(source.fence(&one, Epoch(2), short).await.unwrap(), FenceOutcome::Waited);
    tokio::time::timeout(LONG / 4, source.unfence(&one, Epoch(2), short)).await.expect("no longer").unwrap();
    straggler.exec("commit").await;
    assert!(matches!(source.fence(&one, Epoch(2), LONG).await, Err(Error::StaleEpoch { at: Epoch(2), .. })), "late");
    assert_eq!(straggler.ask("select stok from produk where id = 1").await, "1");
    straggler.exec("update produk set stok = 2 where id = 1").await;
    assert_eq!(source.fence(&one, Epoch(3), LONG).await.unwrap(), FenceOutcome::Closed);
}

/// The same on a file: its writer keeps everybody from writing, and nobody from reading that the fence is open.
#[tokio::test]
async fn an_open_fence_of_a_file_that_a_writer_has_is_given_up_without_it() {
    let world = World::new(Engine::Sqlite).await;
    let (source, one) = (&world.source, shop("1"));
    let mut straggler = world.client().await;
    straggler.exec("begin immediate; update produk set stok = 1 where id = 1").await;
    let short = Duration::from_millis(20);
    assert_eq!(source.fence(&one, Epoch(2), short).await.unwrap(), FenceOutcome::Waited);
    tokio::time::timeout(LONG / 4, source.unfence(&one, Epoch(2), short)).await.expect("no longer").unwrap();
    straggler.exec("commit").await;
    assert_eq!(straggler.ask("select stok from produk where id = 1").await, "1");
    assert_eq!(source.fence(&one, Epoch(3), LONG).await.unwrap(), FenceOutcome::Closed);
}
