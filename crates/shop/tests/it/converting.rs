//! A cart that is at the checkout already, also where that checkout was made elsewhere.

use crate::paying::crash_while_paying;
use crate::{Bench, checkout_id, checkout_of, details, wanted};
use commerce::cart::Cart;
use commerce::checkout::State;
use commerce::decision::Aggregate;
use commerce::payment::Choice;
use shop::{Basket, Command, Resource, Service};
use std::sync::Arc;
use tokio::task::JoinSet;
use vocab::document::{Node, Record};
use vocab::id::{Epoch, Kind, Origin, PublicId, Side, Timestamp};

/// Open checkouts that come with the shop; the last of them is cart 9's.
const MOVED: usize = 700;

async fn checkouts(bench: &Bench) -> usize {
    bench.store.documents(&bench.frame.shop, Kind::Checkout, None, 10_000).await.unwrap().len()
}

/// A service that has not looked at the shop yet.
fn fresh(bench: &Bench) -> Service {
    Service::new(bench.store.clone(), crate::plan(), Arc::new(|| Timestamp(9)))
}

fn convert(cart: &PublicId) -> Command {
    Command::CreateCheckout { basket: Basket::Cart(cart.clone()), details: details() }
}

/// Cart 9 with one open checkout, and other people's checkouts, all from the legacy.
async fn moved() -> Bench {
    let bench = Bench::new().await;
    let cart = match bench.run(Command::CreateCart { lines: wanted(&[("1", 1)]) }).await.resource {
        Some(Resource::Cart(cart, _)) => Cart::document(&cart).with("id", "9").with("origin", Node::Null),
        other => panic!("no cart: {other:?}"),
    };
    let id = bench.checkout(&[("1", 1)]).await;
    let stored = bench.store.load(&bench.frame.shop, &[(Kind::Checkout, id)]).await.unwrap();
    let checkout = stored.documents[0].as_ref().unwrap().document.clone().with("origin", Node::Null);
    bench.flip(Side::Legacy, 2, 3, false).await;
    let item = |kind: Kind, id: &str, document: Record| store::Imported {
        kind,
        origin: Origin::new(format!("{}:{id}", kind.name())),
        tx: 1,
        what: store::What::Live { id: PublicId::new(id), document, stock: vec![], entries: vec![], wake: None },
        made: None,
    };
    let mut items = vec![item(Kind::Cart, "9", cart)];
    for number in 1..=MOVED {
        let (id, cart) = (number.to_string(), if number == MOVED { "9" } else { "8" });
        let at = 1_700_000_000_000_000 + i64::try_from(number).unwrap();
        let checkout = checkout.clone().with("id", id.as_str()).with("cart", cart).with("created_at", at);
        items.push(item(Kind::Checkout, &id, checkout));
    }
    let import = store::Import { shop: bench.frame.shop.clone(), epoch: Epoch(3), items };
    let outcomes = bench.store.import(import).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == store::Outcome::Applied), "{outcomes:?}");
    bench.flip(Side::Backend, 3, 4, false).await;
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_moved_cart_many_conversions_at_once_find_the_moved_checkout() {
    let bench = moved().await;
    let before = checkouts(&bench).await;
    for _ in 0..5 {
        let service = fresh(&bench);
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let (service, frame, keyed) = (service.clone(), bench.frame.clone(), bench.fresh());
            tasks.spawn(async move { service.execute(&frame, &keyed, &convert(&PublicId::new("9"))).await });
        }
        for answer in tasks.join_all().await {
            assert_eq!(checkout_id(&answer.unwrap()).as_str(), MOVED.to_string());
        }
    }
    assert_eq!(checkouts(&bench).await, before);
}

#[tokio::test]
async fn a_cart_whose_checkout_is_being_paid_gets_no_second_one() {
    let bench = Bench::new().await;
    let cart = match bench.run(Command::CreateCart { lines: wanted(&[("1", 2)]) }).await.resource {
        Some(Resource::Cart(cart, _)) => cart.id().clone(),
        other => panic!("no cart: {other:?}"),
    };
    let id = checkout_id(&bench.run(convert(&cart)).await);
    crash_while_paying(&bench, &id, Choice::Approve).await;
    let again = fresh(&bench).execute(&bench.frame, &bench.fresh(), &convert(&cart)).await.unwrap();
    assert_eq!(checkout_id(&again), id);
    assert!(matches!(checkout_of(&again).state(), State::Paying(_)));
    assert_eq!(checkouts(&bench).await, 1);
}
