//! What one hold does to one write: its wait, its end, its order, its bounds.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use vocab::id::{Epoch, Side};

use crate::client::{PATIENCE, Raw};
use crate::world::{World, eventually};

#[tokio::test]
async fn reads_go_on_to_the_old_owner_and_writes_wait_for_the_new() {
    let world = World::start().await;
    world.hold(2);
    let write = world.park("POST", "/shops/a/carts", "w").await;
    assert_eq!(world.call("POST", "/shops/a/catalog/search", "r").await.body, "legacy r");
    assert_eq!(world.call("GET", "/shops/a/carts/1", "").await.body, "legacy ");
    world.handle.publish(&world.route(Side::Backend, 2)).unwrap();
    assert_eq!(world.call("GET", "/shops/a/carts/1", "").await.body, "backend ");
    assert_eq!((world.stats().parked, world.stats().held), (1, Some(Epoch(2))), "a route ends no hold");
    let released = world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    assert_eq!((released.held, released.refused, released.overflowed), (1, 0, false));
    assert!(released.longest_us > 0);
    assert_eq!(write.await.unwrap().body, "backend w");
}

#[tokio::test]
async fn another_shop_is_not_held() {
    let world = World::with(|config| config.default_owner = Some(Side::Legacy)).await;
    world.hold(2);
    assert_eq!(world.call("POST", "/shops/b/carts", "w").await.body, "legacy w");
}

#[tokio::test]
async fn an_aborted_hold_gives_its_writes_to_the_old_owner() {
    let world = World::start().await;
    world.hold(2);
    let write = world.park("POST", "/shops/a/carts", "w").await;
    world.handle.release(&world.route(Side::Legacy, 2)).unwrap();
    assert_eq!(write.await.unwrap().body, "legacy w");
    assert_eq!(world.legacy.seen()[0].headers["balik-epoch"], "2");
}

#[tokio::test]
async fn at_the_deadline_a_held_write_is_refused_unexecuted() {
    let world = World::start().await;
    world.handle.hold(&world.shop, Epoch(2), Instant::now() + Duration::from_millis(80)).unwrap();
    let first = world.call("POST", "/shops/a/carts", "1").await;
    assert_eq!(first.by_seam(), "503 shop_held, again after 1 s");
    // Nobody has said how the hold ended, so nobody owns the shop yet.
    assert_eq!(world.call("POST", "/shops/a/carts", "2").await.by_seam(), "503 shop_held, again after 1 s");
    assert_eq!(world.call("GET", "/shops/a/carts/1", "").await.body, "legacy ");
    let released = world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    assert_eq!((released.held, released.refused), (0, 2));
    assert_eq!(world.call("POST", "/shops/a/carts", "3").await.body, "backend 3");
    assert_eq!((world.legacy.lines(), world.backend.count()), (vec!["GET /shops/a/carts/1 ".to_owned()], 1));
}

#[tokio::test]
async fn no_hold_outlasts_the_bound_and_a_repeated_one_keeps_its_deadline() {
    let world = World::with(|config| config.limits.hold_max = Duration::from_millis(80)).await;
    world.hold(2);
    let write = world.send("POST", "/shops/a/carts", "1");
    world.hold(2);
    assert_eq!(write.await.unwrap().by_seam(), "503 shop_held, again after 1 s");
    world.hold(2);
    assert_eq!(world.call("POST", "/shops/a/carts", "2").await.by_seam(), "503 shop_held, again after 1 s");
}

async fn overflow(world: &World, writes: usize, body: &str) {
    world.hold(2);
    let mut waiting = Vec::new();
    for number in 1..writes {
        waiting.push(world.park("PUT", &format!("/shops/a/carts/{number}"), body).await);
    }
    assert_eq!(world.handle.overflowed(&world.shop), None);
    let overflow = world.handle.overflow_of(&world.shop, Epoch(2));
    waiting.push(world.send("PUT", "/shops/a/carts/1", body));
    timeout(PATIENCE, overflow).await.expect("the overflow is told");
    for reply in waiting {
        assert_eq!(reply.await.unwrap().body, format!("legacy {body}"));
    }
    assert_eq!(world.handle.overflowed(&world.shop), Some(Epoch(2)));
    assert_eq!((world.stats().held, world.backend.count()), (None, 0));
    // Repeated by a mover that has not heard yet, it holds nothing.
    world.hold(2);
    assert_eq!(world.stats().held, None);
    assert!(world.handle.release(&world.route(Side::Legacy, 2)).unwrap().overflowed);
    world.hold(3);
    assert_eq!((world.stats().held, world.handle.overflowed(&world.shop)), (Some(Epoch(3)), None));
}

#[tokio::test]
async fn too_many_held_writes_go_to_the_old_owner_and_the_hold_is_over() {
    let world = World::with(|config| config.limits.parked_max = 4).await;
    overflow(&world, 5, "x").await;
}

#[tokio::test]
async fn too_many_held_bytes_go_to_the_old_owner_and_the_hold_is_over() {
    let world = World::with(|config| config.limits.parked_bytes_max = 90_000).await;
    overflow(&world, 3, &"x".repeat(40_000)).await;
}

#[tokio::test]
async fn half_a_body_blocks_no_drain_and_its_rest_is_held() {
    let world = World::start().await;
    let mut slow = Raw::connect(world.address()).await;
    slow.write("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 10\r\n\r\n01234").await;
    world.hold(2);
    timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("drained");
    assert_eq!(world.stats().parked, 0);
    slow.write("56789").await;
    eventually("parked", || world.stats().parked == 1).await;
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    assert!(slow.read_to_end().await.ends_with("backend 0123456789"));
}

#[tokio::test]
async fn a_drain_waits_for_the_answer_of_a_write_whose_client_has_left() {
    let world = World::start().await;
    world.legacy.answer_first(0);
    let client = world.send("POST", "/shops/a/carts", "w");
    eventually("forwarded", || world.legacy.active() == 1).await;
    client.abort();
    world.hold(2);
    let mut drained = Box::pin(world.handle.drained(&world.shop));
    assert!(timeout(Duration::from_millis(50), &mut drained).await.is_err(), "drained with a write in flight");
    drop(drained);
    assert_eq!(world.handle.in_flight(&world.shop), 1);
    world.legacy.answer_first(1);
    timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("drained");
    assert_eq!(world.legacy.lines(), ["POST /shops/a/carts w"]);
}

#[tokio::test]
async fn a_write_whose_client_leaves_while_it_is_held_is_not_executed() {
    let world = World::start().await;
    world.hold(2);
    let leaving = world.park("PUT", "/shops/a/carts/1", "leaves").await;
    let staying = world.park("PUT", "/shops/a/carts/1", "stays").await;
    leaving.abort();
    eventually("taken out", || world.stats().left_total == 1).await;
    assert_eq!(world.handle.release(&world.route(Side::Backend, 2)).unwrap().held, 1);
    assert_eq!(staying.await.unwrap().body, "backend stays");
    assert_eq!(world.backend.lines(), ["PUT /shops/a/carts/1 stays"]);
}

#[tokio::test]
async fn released_writes_of_one_cart_go_one_by_one_and_others_beside_them() {
    let world = World::start().await;
    world.backend.answer_first(0);
    world.hold(2);
    let mut waiting = Vec::new();
    for (path, body) in [("carts/1", "1a"), ("carts/1", "1b"), ("carts/2", "2a"), ("carts/1/cancel", "1c")] {
        let method = if path.ends_with("cancel") { "POST" } else { "PUT" };
        waiting.push(world.park(method, &format!("/shops/a/{path}"), body).await);
    }
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    eventually("two carts", || world.backend.active() == 2).await;
    // One that comes after the release is still behind those that came before it.
    waiting.push(world.park("PUT", "/shops/a/carts/1", "1d").await);
    world.backend.answer_first(usize::MAX);
    for reply in waiting {
        assert_eq!(reply.await.unwrap().status.as_u16(), 200);
    }
    let of_cart_1: Vec<String> =
        world.backend.seen().into_iter().map(|seen| seen.body).filter(|body| body.starts_with('1')).collect();
    assert_eq!(of_cart_1, ["1a", "1b", "1c", "1d"]);
}

#[tokio::test]
async fn a_second_hold_keeps_what_the_first_had_not_yet_let_go() {
    let world = World::start().await;
    world.backend.answer_first(0);
    world.hold(2);
    let first = world.park("PUT", "/shops/a/carts/1", "first").await;
    let second = world.park("PUT", "/shops/a/carts/1", "second").await;
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    eventually("first forwarded", || world.backend.active() == 1).await;
    world.hold(3);
    world.backend.answer_first(usize::MAX);
    assert_eq!(first.await.unwrap().body, "backend first");
    timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("drained");
    assert_eq!(world.stats().parked, 1);
    assert_eq!(world.handle.release(&world.route(Side::Legacy, 3)).unwrap().held, 1);
    assert_eq!(second.await.unwrap().body, "legacy second");
}

#[tokio::test]
async fn ending_finishes_what_is_in_flight_and_refuses_what_is_held() {
    let world = World::start().await;
    world.legacy.answer_first(0);
    let in_flight = world.send("POST", "/shops/a/carts", "in flight");
    eventually("forwarded", || world.legacy.active() == 1).await;
    world.hold(2);
    let held = world.park("POST", "/shops/a/carts", "held").await;
    let ending = tokio::spawn(world.seam.shutdown(PATIENCE));
    assert_eq!(held.await.unwrap().by_seam(), "503 stopping, again after 1 s");
    world.legacy.answer_first(1);
    assert_eq!(in_flight.await.unwrap().body, "legacy in flight");
    assert!(ending.await.unwrap());
    assert_eq!(world.legacy.count(), 1);
}
