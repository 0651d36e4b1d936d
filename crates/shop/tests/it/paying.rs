//! Paying: declined, out of stock, and finished by somebody else after a crash between the two commits.

use crate::{Bench, checkout_of, order_id, refused};
use commerce::catalogue::Catalogue;
use commerce::checkout::{Checkout, State};
use commerce::decision::Aggregate;
use commerce::payment::{Attempt, Choice};
use commerce::product::Product;
use store::{Commit, StockChange, Write};
use vocab::id::{Epoch, Kind, PublicId, Timestamp};

/// The first commit of a payment as a crashed process left it.
pub(crate) async fn crash_while_paying(bench: &Bench, id: &PublicId, choice: Choice) {
    let shop = &bench.frame.shop;
    let loaded = bench.store.load(shop, &[(Kind::Checkout, id.clone()), (Kind::Product, PublicId::new("1"))]).await;
    let documents = loaded.unwrap().documents;
    let [Some(stored), Some(product)] = &documents[..] else { panic!("both are there") };
    let catalogue: Catalogue = [Product::from_document(&product.document).unwrap()].into_iter().collect();
    let attempt = Attempt::new("attempt-of-the-dead", choice).unwrap();
    let open = Checkout::from_document(&stored.document).unwrap();
    let (paying, taken) = open.pay(attempt, &catalogue, |_| i64::MAX).unwrap();
    let commit = Commit {
        shop: shop.clone(),
        epoch: Epoch(2),
        at: Timestamp(5),
        writes: vec![Write {
            kind: Kind::Checkout,
            id: id.clone(),
            expected: Some(stored.version),
            document: paying.document(),
            origin: None,
            numbered: false,
        }],
        stock: taken.into_iter().map(|t| StockChange { variant: t.variant, delta: t.delta }).collect(),
        entries: vec![],
        wakes: vec![],
    };
    bench.store.commit(commit).await.unwrap();
}

async fn state(bench: &Bench, id: &PublicId) -> State {
    checkout_of(&bench.service.checkout(&bench.frame.shop, id).await.unwrap()).state().clone()
}

#[tokio::test]
async fn a_declined_payment_changes_nothing_and_another_try_may_pass() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let declined = bench.pay(&id, "decline").await;
    assert_eq!((refused(&declined), checkout_of(&declined).state()), ("payment_failed", &State::Open));
    assert_eq!(refused(&bench.pay(&id, "cash").await), "payment_failed");
    assert_eq!((bench.stock("1").await, bench.orders().await, bench.ledger().await), (1_000, 0, [0, 0, 0]));
    let order = order_id(&bench.pay(&id, "approve").await);
    assert_eq!((bench.stock("1").await, bench.orders().await), (998, 1));
    assert_eq!(order.as_str(), "5001", "a declined payment spends no order number");
}

#[tokio::test]
async fn what_is_not_there_is_not_sold() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("2", 1), ("1", 1_001)]).await;
    let answer = bench.pay(&id, "approve").await;
    assert_eq!((refused(&answer), checkout_of(&answer).state()), ("out_of_stock", &State::Open));
    assert_eq!(answer.refusal.unwrap().path.as_deref(), Some("$.line_items[1]"));
    assert_eq!((bench.stock("1").await, bench.stock("2").await, bench.orders().await), (1_000, 1_000, 0));
}

#[tokio::test]
async fn a_completed_checkout_is_answered_as_it_is() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let order = order_id(&bench.pay(&id, "approve").await);
    assert_eq!(order_id(&bench.pay(&id, "approve").await), order);
    assert_eq!(order_id(&bench.pay(&id, "decline").await), order);
    assert_eq!((bench.stock("1").await, bench.orders().await), (998, 1));
}

#[tokio::test]
async fn settling_after_a_crash_makes_exactly_one_order_of_the_same_attempt() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    crash_while_paying(&bench, &id, Choice::Approve).await;
    assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 1);
    assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 0);
    let State::Completed { order } = state(&bench, &id).await else { panic!("not settled") };
    assert_eq!(bench.order(&order).await.payments()[0].reference(), Some("attempt-of-the-dead"));
    assert_eq!((bench.stock("1").await, bench.orders().await), (998, 1));
    assert_eq!(bench.ledger().await.iter().sum::<i64>(), 0);
    assert_ne!(bench.ledger().await, [0, 0, 0]);
}

#[tokio::test]
async fn settling_a_declined_attempt_opens_the_checkout_again() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    crash_while_paying(&bench, &id, Choice::Decline).await;
    assert_eq!(bench.stock("1").await, 998);
    assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 1);
    assert_eq!((state(&bench, &id).await, bench.stock("1").await, bench.orders().await), (State::Open, 1_000, 0));
}

#[tokio::test]
async fn a_request_that_meets_a_payment_under_way_finishes_it_and_charges_nobody_again() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    crash_while_paying(&bench, &id, Choice::Approve).await;
    let keyed = bench.fresh();
    let answer = bench.service.complete(&bench.frame, &keyed, &id, "approve").await.unwrap();
    let order = bench.order_of(&answer).await;
    assert_eq!((order.payments().len(), order.payments()[0].reference()), (1, Some("attempt-of-the-dead")));
    assert_eq!((bench.stock("1").await, bench.orders().await), (998, 1));
    let again = bench.service.complete(&bench.frame, &keyed, &id, "approve").await.unwrap();
    assert_eq!(order_id(&again), order_id(&answer));
}

#[tokio::test]
async fn dry_blocks_are_a_refusal_and_take_nothing() {
    let bench = Bench::with_blocks(1).await;
    let id = bench.checkout(&[("1", 1)]).await;
    let dry = shop::Command::CreateCheckout {
        basket: shop::Basket::Lines(crate::wanted(&[("1", 1)])),
        details: crate::details(),
    };
    assert_eq!(refused(&bench.run(dry).await), "ids_exhausted");
    order_id(&bench.pay(&id, "approve").await);
    let two = Bench::with_blocks(1).await;
    let id = two.checkout(&[("1", 1)]).await;
    for table in ["order", "order_lines", "order_payments", "order_buyer"] {
        assert_eq!(two.store.take_ids(table, 1).await.unwrap(), Some((5_001, 5_001)));
    }
    assert_eq!(refused(&two.pay(&id, "approve").await), "ids_exhausted");
    crash_while_paying(&two, &id, Choice::Approve).await;
    assert_eq!(two.service.settle(&two.frame.shop).await.unwrap(), 1);
    assert_eq!((state(&two, &id).await, two.stock("1").await, two.orders().await), (State::Open, 1_000, 0));
}
