//! Hold, drain, release, over and over, under load: nothing lost, doubled, reordered or at two owners.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use vocab::id::Side;

use crate::client::Client;
use crate::owner::Seen;
use crate::world::World;

const CLIENTS: usize = 32;

fn cycles() -> u64 {
    if std::env::var_os("BALIK_LONG").is_some() { 600 } else { 60 }
}

/// One shopper: edits a cart of its own, one edit after the other, each numbered. Returns how many were answered.
async fn shopper(world: Arc<World>, cart: usize, over: Arc<AtomicBool>) -> usize {
    let mut client = Client::connect(world.address()).await;
    let mut sent = 0;
    while !over.load(Ordering::SeqCst) {
        let body = sent.to_string();
        let reply = client.call("PUT", &format!("/shops/a/carts/{cart}"), &body).await;
        assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
        assert!(reply.body.ends_with(&format!(" {body}")), "another request's answer: {reply:?}");
        sent += 1;
    }
    sent
}

async fn cut_over(world: &World, epoch: u64) -> usize {
    let target = if epoch.is_multiple_of(2) { Side::Backend } else { Side::Legacy };
    world.hold(epoch);
    world.handle.drained(&world.shop).await;
    let quiet = || (world.legacy.active() + world.backend.active(), world.legacy.count() + world.backend.count());
    let (active, before) = quiet();
    assert_eq!(active, 0, "drained, and an owner still works");
    // The work of a cutover, during which nothing may pass.
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert_eq!(quiet(), (0, before), "a write passed a hold");
    world.handle.release(&world.route(target, epoch)).unwrap().held
}

/// Every request's (number, epoch, side) per cart, in the order in which the owners got them. Epochs order the two owners' lists.
fn by_cart(world: &World) -> BTreeMap<String, Vec<usize>> {
    let epoch_of = |seen: &Seen| seen.headers["balik-epoch"].to_str().unwrap().parse::<u64>().unwrap();
    for (owner, parity) in [(&world.legacy, 1), (&world.backend, 0)] {
        assert!(owner.seen().iter().all(|seen| epoch_of(seen) % 2 == parity), "an epoch at the other side");
    }
    let mut all = [world.legacy.seen(), world.backend.seen()].concat();
    all.sort_by_key(epoch_of);
    let mut carts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for seen in all {
        carts.entry(seen.path.clone()).or_default().push(seen.body.parse().unwrap());
    }
    carts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_cutovers_lose_double_and_reorder_nothing() {
    let world = Arc::new(World::start().await);
    let over = Arc::new(AtomicBool::new(false));
    let mut shoppers = JoinSet::new();
    for cart in 0..CLIENTS {
        let (world, over) = (Arc::clone(&world), Arc::clone(&over));
        shoppers.spawn(async move { (cart, shopper(world, cart, over).await) });
    }
    let mut held = 0;
    for epoch in 2..2 + cycles() {
        // The full count takes longer than routes stay fresh.
        world.handle.heartbeat();
        held += cut_over(&world, epoch).await;
        let before = world.legacy.count() + world.backend.count();
        crate::world::eventually("traffic", || world.legacy.count() + world.backend.count() > before + CLIENTS).await;
    }
    over.store(true, Ordering::SeqCst);
    let sent: BTreeMap<String, usize> =
        shoppers.join_all().await.into_iter().map(|(cart, sent)| (format!("/shops/a/carts/{cart}"), sent)).collect();
    let got = by_cart(&world);
    assert_eq!(got.len(), CLIENTS);
    for (cart, numbers) in got {
        assert_eq!(numbers, (0..sent[&cart]).collect::<Vec<_>>(), "{cart}");
    }
    assert!(held > CLIENTS, "holds that held nothing show nothing: {held}");
    assert_eq!(world.stats().in_flight + world.stats().parked, 0);
}
