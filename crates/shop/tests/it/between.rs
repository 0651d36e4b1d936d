//! What comes between the two commits of a payment, and what a process believes that another one has changed: the second commit
//! is decided on what the first one wrote, and a checkout is read with the products that it had. Neither may ever show.

use crate::{Bench, checkout_id, checkout_of, details, move_head, plan, wanted};
use commerce::checkout::State;
use shop::{Command, Service};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use store::Store;
use vocab::id::{Kind, PublicId, ShopId, Side, Timestamp};

type Deed = Box<dyn FnOnce(&tokio::runtime::Runtime, &Store, &ShopId) + Send>;

/// A service over the store of the bench. As soon as a checkout waits for the rail this is done, once, before anything else is:
/// whoever decides asks what time it is.
fn interrupted(bench: &Bench, deed: Deed) -> (Service, Arc<AtomicBool>) {
    let (store, shop) = (bench.store.clone(), bench.frame.shop.clone());
    let (deed, done) = (Arc::new(Mutex::new(Some(deed))), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&done);
    let clock = move || {
        let (deed, store, shop, done) = (Arc::clone(&deed), store.clone(), shop.clone(), Arc::clone(&done));
        let look = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let paying = runtime.block_on(store.ids_in_state(&shop, Kind::Checkout, "paying")).unwrap();
            if paying.is_empty() {
                return;
            }
            if let Some(deed) = deed.lock().unwrap().take() {
                done.store(true, Ordering::SeqCst);
                deed(&runtime, &store, &shop);
            }
        };
        // The one who asks is a task, which must not wait.
        std::thread::spawn(look).join().unwrap();
        Timestamp(1_700_000_000_000_000)
    };
    (Service::new(bench.store.clone(), plan(), Arc::new(clock)), told)
}

/// Exactly one order comes of it, although something came between.
async fn pays(bench: &Bench, (service, interrupted): (Service, Arc<AtomicBool>), id: &PublicId) {
    let answer = service.complete(&bench.frame, &bench.fresh(), id, "approve").await.unwrap();
    assert!(interrupted.load(Ordering::SeqCst));
    assert!(matches!(checkout_of(&answer).state(), State::Completed { .. }));
    assert_eq!((bench.orders().await, bench.stock("1").await), (1, 998));
    assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0);
}

#[tokio::test]
async fn a_hold_that_was_given_up_meanwhile_is_not_noticed() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let raise: Deed =
        Box::new(|runtime, store, shop| runtime.block_on(move_head(store, shop, Side::Backend, (2, 3), false)));
    pays(&bench, interrupted(&bench, raise), &id).await;
    assert_eq!(bench.store.head(&bench.frame.shop).await.unwrap().unwrap().epoch.0, 3);
}

#[tokio::test]
async fn who_is_overtaken_by_somebody_who_settles_finds_the_one_order() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let settles: Deed = Box::new(|runtime, store, shop| {
        let other = Service::new(store.clone(), plan(), Arc::new(|| Timestamp(1_700_000_000_000_000)));
        assert_eq!(runtime.block_on(other.settle(shop)).unwrap(), 1);
    });
    pays(&bench, interrupted(&bench, settles), &id).await;
}

#[tokio::test]
async fn what_another_process_has_put_into_a_checkout_is_what_is_sold() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let other = Service::new(bench.store.clone(), plan(), Arc::new(|| Timestamp(1_700_000_000_000_000)));
    let command = Command::UpdateCheckout { id: id.clone(), lines: wanted(&[("2", 3), ("1", 1)]), details: details() };
    let updated = other.execute(&bench.frame, &bench.fresh(), &command).await.unwrap();
    assert_eq!(checkout_id(&updated), id);
    bench.pay(&id, "approve").await;
    assert_eq!((bench.orders().await, bench.stock("1").await, bench.stock("2").await), (1, 999, 997));
}
