//! Ids that are taken in the legacy for the backend.

use crate::world::{Engine, World};

/// They are copied at the same time, and each wants the ids to be there.
const SHOPS: u32 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn shops_that_are_copied_together_take_one_block_of_each_table() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::start(engine, 3, SHOPS).await;
        world.start_moving().await;
        for block in world.mapping.blocks() {
            let table = &world.mapping.tables()[block.table].name;
            let held = world.store.blocks(table).await.unwrap();
            let [held] = held.as_slice() else { panic!("{engine:?} {table}: {} blocks", held.len()) };
            assert_eq!(held.to - held.from + 1, i64::try_from(block.size).unwrap(), "{engine:?} {table}");
        }
    }
}
