//! What the seam counts of those who wait, and whose waits these are.

use std::time::Duration;

use cutover::latency::Counts;
use vocab::id::{ShopId, Side};

use crate::world::World;

#[tokio::test]
async fn every_answer_is_counted_once_for_all_and_once_for_its_shop() {
    let world = World::with(|config| config.default_owner = Some(Side::Legacy)).await;
    for _ in 0..3 {
        world.call("POST", "/shops/a/carts", "w").await;
        world.call("GET", "/shops/a/carts/1", "").await;
        world.call("POST", "/shops/b/carts", "w").await;
    }
    let b = ShopId::parse("b").unwrap();
    let of = |shop: &ShopId| world.handle.take_waits_of(shop).total();
    assert_eq!((world.handle.take_waits().total(), of(&world.shop), of(&b)), (9, 6, 3));
    assert_eq!((world.handle.take_waits().total(), of(&world.shop), of(&b)), (0, 0, 0), "they were handed out");
}

#[tokio::test]
async fn a_write_that_was_held_counts_in_its_shop_and_not_against_the_copy() {
    let world = World::start().await;
    world.hold(2);
    let write = world.park("POST", "/shops/a/carts", "w").await;
    world.call("GET", "/shops/a/carts/1", "").await;
    // The hold is as long as this test says; what is counted is at least that.
    let held = Duration::from_millis(30);
    tokio::time::sleep(held).await;
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    write.await.unwrap();
    assert_eq!(world.handle.take_waits().total(), 1, "the read");
    let of_shop: Counts = world.handle.take_waits_of(&world.shop);
    let longest = Duration::from_micros(of_shop.quantile(1_000).unwrap());
    assert_eq!(of_shop.total(), 2);
    assert!(longest >= held * 7 / 8, "{longest:?}");
}

#[tokio::test]
async fn a_refusal_of_the_seam_itself_is_nobodys_wait() {
    let world = World::start().await;
    assert_eq!(world.call("GET", "/shops/nowhere/carts/1", "").await.status, 404);
    assert!(world.handle.take_waits().is_empty());
}
