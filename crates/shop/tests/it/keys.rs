//! A key means one request: its bytes, and the resource it names.

use crate::{Bench, checkout_of, order_id, wanted};
use commerce::cart::Cart;
use commerce::checkout::State;
use commerce::decision::Aggregate;
use commerce::order::Back;
use commerce::product::Edit;
use shop::{Answer, Basket, Command, Failure, Keyed, Resource};
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Origin, PublicId, Side};

async fn cart(bench: &Bench) -> PublicId {
    match bench.run(Command::CreateCart { lines: wanted(&[("1", 1)]) }).await.resource {
        Some(Resource::Cart(cart, _)) => Cart::id(&cart).clone(),
        other => panic!("no cart: {other:?}"),
    }
}

/// The same key and bytes for one resource, for another, and for the first one again.
async fn check(bench: &Bench, one: Command, other: Command) {
    let keyed = bench.fresh();
    let first = bench.service.execute(&bench.frame, &keyed, &one).await.unwrap();
    assert_eq!(first.refusal, None, "{one:?}");
    let seq = bench.seq().await;
    let reused = bench.service.execute(&bench.frame, &keyed, &other).await;
    assert!(matches!(reused, Err(Failure::KeyReused)), "{other:?}: {reused:?}");
    let again = bench.service.execute(&bench.frame, &keyed, &one).await.unwrap();
    assert_eq!((again.status, again.refusal, bench.seq().await), (first.status, None, seq), "{one:?}");
}

#[tokio::test]
async fn a_key_used_on_one_resource_is_refused_on_another_by_every_command() {
    let bench = Bench::new().await;
    let lines = || wanted(&[("2", 3)]);
    let [a, b] = [cart(&bench).await, cart(&bench).await];
    check(
        &bench,
        Command::UpdateCart { id: a.clone(), lines: lines() },
        Command::UpdateCart { id: b.clone(), lines: lines() },
    )
    .await;
    check(&bench, Command::CancelCart { id: a }, Command::CancelCart { id: b }).await;

    let [a, b] = [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await];
    let update = |id: &PublicId| Command::UpdateCheckout { id: id.clone(), lines: lines(), details: crate::details() };
    check(&bench, update(&a), update(&b)).await;
    check(&bench, Command::CancelCheckout { id: a }, Command::CancelCheckout { id: b }).await;

    let [a, b] = [bench.buy(&[("1", 2)]).await.id().clone(), bench.buy(&[("1", 2)]).await.id().clone()];
    let back = || Back::Whole;
    check(&bench, Command::RefundOrder { id: a, back: back() }, Command::RefundOrder { id: b.clone(), back: back() })
        .await;
    let c = bench.buy(&[("1", 2)]).await.id().clone();
    check(&bench, Command::CancelOrder { id: c, back: back() }, Command::CancelOrder { id: b, back: back() }).await;

    let edit = |id: &str| Command::EditProduct {
        id: PublicId::new(id),
        edit: Edit { price_minor: None, stock_delta: Some(1) },
    };
    check(&bench, edit("1"), edit("2")).await;
}

#[tokio::test]
async fn a_key_that_paid_one_checkout_does_not_pay_another() {
    let bench = Bench::new().await;
    let [a, b] = [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("2", 1)]).await];
    let keyed = bench.fresh();
    let complete = async |id: &PublicId| bench.service.complete(&bench.frame, &keyed, id, "approve").await;
    let paid = order_id(&complete(&a).await.unwrap());
    let reused = complete(&b).await;
    assert!(matches!(reused, Err(Failure::KeyReused)), "{reused:?}");
    assert_eq!((bench.orders().await, bench.stock("2").await), (1, 1_000));
    assert_eq!(order_id(&complete(&a).await.unwrap()), paid);
    order_id(&bench.pay(&b, "approve").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_pays_two_checkouts_at_once_leaves_none_waiting_for_the_rail() {
    let bench = Bench::new().await;
    for _ in 0..8 {
        let [a, b] = [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await];
        let keyed = bench.fresh();
        let complete = async |id: &PublicId| bench.service.complete(&bench.frame, &keyed, id, "approve").await;
        let answers: [Result<Answer, Failure>; 2] = tokio::join!(complete(&a), complete(&b)).into();
        for answer in answers {
            match answer {
                Ok(answer) => drop(order_id(&answer)),
                Err(Failure::KeyReused) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(bench.service.settle(&bench.frame.shop).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_cart_that_is_converted_again_with_its_key_is_answered_the_same() {
    let bench = Bench::new().await;
    let convert = Command::CreateCheckout { basket: Basket::Cart(cart(&bench).await), details: crate::details() };
    let keyed = bench.fresh();
    let first = bench.service.execute(&bench.frame, &keyed, &convert).await.unwrap();
    assert_eq!(bench.service.execute(&bench.frame, &keyed, &convert).await.unwrap(), first);
}

#[tokio::test]
async fn a_record_of_the_legacy_is_replayed_for_its_own_resource_only() {
    let bench = Bench::new().await;
    let [a, b] = [bench.checkout(&[("1", 1)]).await, bench.checkout(&[("1", 1)]).await];
    bench.run(Command::CancelCheckout { id: a.clone() }).await;
    bench.flip(Side::Legacy, 2, 3, false).await;
    let record = Record::default()
        .with("operation", "checkout.cancel")
        .with("key", "k")
        .with("body", "AA".repeat(32))
        .with("status", 200)
        .with("result_kind", "checkout")
        .with("result_id", a.as_str());
    let what = store::What::Live {
        id: PublicId::new("checkout.cancel:k"),
        document: record,
        stock: vec![],
        entries: vec![],
        wake: None,
    };
    let item = store::Imported { kind: Kind::Idempotency, origin: Origin::new("idem:k"), tx: 1, what, made: None };
    let import = store::Import { shop: bench.frame.shop.clone(), epoch: Epoch(3), items: vec![item] };
    bench.store.import(import).await.unwrap();
    bench.flip(Side::Backend, 3, 4, false).await;

    let keyed = Keyed { key: "k".to_owned(), body: "aa".repeat(32) };
    let cancel = async |id: &PublicId| {
        bench.service.execute(&bench.frame, &keyed, &Command::CancelCheckout { id: id.clone() }).await
    };
    assert_eq!(checkout_of(&cancel(&a).await.unwrap()).state(), &State::Canceled);
    assert!(matches!(cancel(&b).await, Err(Failure::KeyReused)));
    let shown = bench.service.checkout(&bench.frame.shop, &b).await.unwrap();
    assert_eq!(checkout_of(&shown).state(), &State::Open);
}
