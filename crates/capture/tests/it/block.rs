//! Blocks of ids out of the legacy's own sequence.

use crate::on_both;
use crate::world::{Engine, JUAL, PRODUK, World};
use capture::Error;
use std::collections::HashSet;

on_both!(a_block_never_meets_what_the_legacy_takes, blocks);
async fn blocks(engine: Engine) {
    let world = World::new(engine).await;
    let mut inserting = Vec::new();
    for _ in 0..3 {
        let mut client = world.client().await;
        inserting.push(tokio::spawn(async move {
            for _ in 0..60 {
                client.exec("insert into jual (toko_id, pelanggan_id, total) values (1, 1, '1')").await;
            }
        }));
    }
    let mut taken = HashSet::new();
    for _ in 0..20 {
        let mut count = 0;
        for (from, to) in world.source.take_block(JUAL, 100).await.unwrap() {
            for id in from..=to {
                assert!(taken.insert(id), "{id} is given twice");
                count += 1;
            }
        }
        assert_eq!(count, 100);
    }
    for task in inserting {
        task.await.unwrap();
    }
    let mut client = world.client().await;
    client.exec("insert into jual (toko_id, pelanggan_id, total) values (1, 1, 'last')").await;
    let mut reader = world.source.snapshot().await.unwrap();
    let rows = reader.rows_of_shop(&crate::world::shop("1"), JUAL, None, 10_000, &[]).await.unwrap();
    assert_eq!(rows.len(), 182);
    for (row_key, _) in rows {
        let vocab::row::Cell::Int(id) = row_key.0[0] else { panic!("an id") };
        assert!(!taken.contains(&id), "the legacy took {id}");
    }
}

on_both!(a_sequence_behind_its_rows_gives_no_block_that_collides, behind);
async fn behind(engine: Engine) {
    let world = World::new(engine).await;
    world
        .client()
        .await
        .exec("insert into produk (id, toko_id, nama, harga, kode, stok) values (5000, 1, 'x', '1', 'X', 1)")
        .await;
    match world.source.take_block(PRODUK, 10).await {
        Ok(runs) => assert!(runs.iter().all(|(from, _)| *from > 5000)),
        Err(Error::NoSequence { .. }) => assert_eq!(engine, Engine::Postgres),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_empty_table_gives_a_block_too() {
    let world = World::bare(Engine::Sqlite).await;
    let mut client = world.client().await;
    client.exec("delete from jual_detil; delete from jual; delete from sqlite_sequence where name = 'jual'").await;
    assert_eq!(world.source.take_block(JUAL, 3).await.unwrap(), [(1, 3)]);
    assert_eq!(world.source.take_block(JUAL, 2).await.unwrap(), [(4, 5)]);
}
