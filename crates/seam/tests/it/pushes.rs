//! Pushes that come late, twice, or not at all.

use std::time::{Duration, Instant};

use seam::PushError;
use vocab::id::{Epoch, ShopId, Side};

use crate::world::{World, authority, eventually};

#[tokio::test]
async fn without_a_heartbeat_nothing_is_answered_from_old_routes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = authority(listener.local_addr().unwrap());
    let seam = seam::start(listener, seam::Config::new(nobody.clone(), nobody)).unwrap();
    let shop = ShopId::parse("a").unwrap();
    seam.handle().publish(&seam::Route { shop, owner: Side::Legacy, epoch: Epoch(1) }).unwrap();
    let mut client = crate::client::Client::connect(seam.address()).await;
    for (method, path) in [("POST", "/shops/a/carts"), ("GET", "/shops/a/carts/1")] {
        // One route is not all routes: until someone says so, this seam does not know what it does not know.
        assert_eq!(client.call(method, path, "").await.by_seam(), "503 routes_stale, again after 1 s");
    }
}

#[tokio::test]
async fn routes_grow_stale_and_fresh_again() {
    let world = World::with(|config| config.limits.stale_after = Duration::from_millis(300)).await;
    let from = Instant::now();
    let mut client = crate::client::Client::connect(world.address()).await;
    loop {
        let reply = client.call("POST", "/shops/a/carts", "").await;
        if reply.status.as_u16() == 503 {
            assert_eq!(reply.by_seam(), "503 routes_stale, again after 1 s");
            break;
        }
        assert!(from.elapsed() < crate::client::PATIENCE);
    }
    assert!(from.elapsed() >= Duration::from_millis(250), "stale too early");
    world.handle.heartbeat();
    assert_eq!(client.call("POST", "/shops/a/carts", "").await.status.as_u16(), 200);
}

#[tokio::test]
async fn what_a_dead_mover_sent_late_undoes_nothing() {
    let world = World::start().await;
    let stale = |given, known| Err(PushError::Stale { given: Epoch(given), known: Epoch(known) });
    let deadline = Instant::now() + Duration::from_secs(10);
    let hold = |epoch| world.handle.hold(&world.shop, Epoch(epoch), deadline);
    world.handle.publish(&world.route(Side::Backend, 5)).unwrap();
    assert_eq!(world.handle.publish(&world.route(Side::Legacy, 4)), stale(4, 5));
    assert_eq!(world.handle.publish(&world.route(Side::Legacy, 5)), stale(5, 5), "one epoch, one owner");
    assert_eq!(hold(5), stale(5, 5));
    assert_eq!(hold(7), Ok(()));
    assert_eq!(hold(6), stale(6, 7));
    assert_eq!(world.handle.release(&world.route(Side::Backend, 5)).map(drop), stale(5, 7));
    assert_eq!(world.stats().held, Some(Epoch(7)));
    assert_eq!(world.handle.publish(&world.route(Side::Backend, 5)), Ok(()), "the periodic push");
    assert_eq!(world.stats().held, Some(Epoch(7)));
    assert_eq!(world.handle.release(&world.route(Side::Legacy, 7)).map(|released| released.held), Ok(0));
    assert_eq!((world.stats().owner, world.stats().epoch, world.stats().held), (Side::Legacy, Epoch(7), None));
    assert_eq!(world.handle.release(&world.route(Side::Legacy, 7)).map(|released| released.held), Ok(0), "repeated");
    assert_eq!(world.handle.release(&world.route(Side::Backend, 7)).map(drop), stale(7, 7));
}

#[tokio::test]
async fn a_shop_without_a_route_cannot_be_held_unless_it_has_a_default_owner() {
    let other = ShopId::parse("b").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let world = World::start().await;
    assert_eq!(world.handle.hold(&other, Epoch(2), deadline), Err(PushError::NoRoute));
    let world = World::with(|config| config.default_owner = Some(Side::Legacy)).await;
    world.legacy.answer_first(0);
    let write = world.send("POST", "/shops/b/carts", "w");
    eventually("forwarded", || world.legacy.active() == 1).await;
    world.handle.hold(&other, Epoch(2), deadline).unwrap();
    assert_eq!(world.handle.in_flight(&other), 1, "a hold counts what passed before the shop was known");
    world.legacy.answer_first(1);
    world.handle.drained(&other).await;
    assert_eq!(write.await.unwrap().body, "legacy w");
}
