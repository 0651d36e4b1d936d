//! From looking to the order, once whatever the number of times it is asked.

use crate::{Bench, checkout_id, checkout_of, details, order_id, refused, wanted};
use commerce::cart::Cart;
use commerce::checkout::{Details, State};
use commerce::decision::Aggregate;
use commerce::idempotency::Operation;
use shop::{Answer, Basket, Command, Failure, Keyed, NoteKind, Resource};
use vocab::id::{Kind, PublicId};

fn cart_of(answer: &Answer) -> &Cart {
    match &answer.resource {
        Some(Resource::Cart(cart, _)) => cart,
        other => panic!("no cart: {other:?}, {:?}", answer.refusal),
    }
}

fn listed(answer: &Answer) -> Vec<(String, i64)> {
    match &answer.resource {
        Some(Resource::Page { products, .. } | Resource::Found(products)) => {
            products.iter().map(|listed| (listed.product.id().to_string(), listed.on_hand)).collect()
        }
        other => panic!("no products: {other:?}"),
    }
}

#[tokio::test]
async fn a_whole_journey_from_search_to_order() {
    let bench = Bench::new().await;
    let shop = &bench.frame.shop;
    let page = bench.service.search(shop, Some("BARANG"), None, 1).await.unwrap();
    assert_eq!(listed(&page), [("1".to_owned(), 1_000)]);
    let Some(Resource::Page { next: Some(next), .. }) = page.resource else { panic!("one more page") };
    assert_eq!(
        listed(&bench.service.search(shop, Some(""), Some(&next), 10).await.unwrap()),
        [("2".to_owned(), 1_000)]
    );

    let created = bench.run(Command::CreateCart { lines: wanted(&[("1", 2)]) }).await;
    let cart = cart_of(&created).id().clone();
    assert_eq!((created.status, cart.as_str()), (201, "5001"));
    let updated = bench.run(Command::UpdateCart { id: cart.clone(), lines: wanted(&[("2", 1), ("1", 2)]) }).await;
    assert_eq!(cart_of(&updated).wanted(), wanted(&[("2", 1), ("1", 2)]));

    let bare = Command::CreateCheckout { basket: Basket::Cart(cart.clone()), details: Details::default() };
    let opened = bench.run(bare).await;
    let id = checkout_id(&opened);
    assert_eq!(checkout_of(&opened).missing(), Some("$.buyer.full_name"));
    assert_eq!(refused(&bench.pay(&id, "approve").await), "checkout_incomplete");
    let lines = wanted(&[("2", 1), ("1", 2)]);
    let ready = bench.run(Command::UpdateCheckout { id: id.clone(), lines, details: details() }).await;
    // 60 + 2 × 45 = 150, tax 16.5 → 17, shipping 9,000.
    assert_eq!(checkout_of(&ready).totals().total().minor(), 916_700);
    assert!(checkout_of(&ready).missing().is_none() && ready.notes.is_empty());

    let paid = bench.pay(&id, "approve").await;
    let order = bench.order(&order_id(&paid)).await;
    assert_eq!((order.state().name(), order.checkout()), ("paid", Some(&id)));
    assert_eq!(order.payments()[0].amount().minor(), 916_700);
    assert_eq!((bench.stock("1").await, bench.stock("2").await), (998, 999));
    assert_eq!(bench.ledger().await, [916_700, -915_000, -1_700]);
    assert_eq!(refused(&bench.service.cart(shop, &cart).await.unwrap()), "not_found");
    let stored = bench.store.load(shop, &[(Kind::Cart, cart)]).await.unwrap();
    assert_eq!(stored.documents[0].as_ref().unwrap().document.text("state"), Some("converted"));
}

#[tokio::test]
async fn the_same_key_and_bytes_are_answered_the_same_and_other_bytes_are_not() {
    let bench = Bench::new().await;
    let keyed = Keyed { key: "k".to_owned(), body: "aa".repeat(32) };
    let command = Command::CreateCart { lines: wanted(&[("1", 2)]) };
    let first = bench.service.execute(&bench.frame, &keyed, &command).await.unwrap();
    let seq = bench.seq().await;
    assert_eq!(bench.service.execute(&bench.frame, &keyed, &command).await.unwrap(), first);
    assert_eq!(bench.seq().await, seq, "a replay writes nothing");
    let other = Keyed { body: "bb".repeat(32), ..keyed.clone() };
    let reused = bench.service.execute(&bench.frame, &other, &command).await.unwrap_err();
    assert!(matches!(reused, Failure::KeyReused), "{reused}");
    // A key belongs to its operation.
    let checkout = Command::CreateCheckout { basket: Basket::Lines(wanted(&[("1", 2)])), details: details() };
    let opened = bench.service.execute(&bench.frame, &other, &checkout).await.unwrap();
    assert_eq!(checkout.operation(), Operation::CheckoutCreate);
    let paid = bench.service.complete(&bench.frame, &keyed, &checkout_id(&opened), "approve").await.unwrap();
    assert_eq!(bench.service.complete(&bench.frame, &keyed, &checkout_id(&opened), "approve").await.unwrap(), paid);
    let reused = bench.service.complete(&bench.frame, &other, &checkout_id(&opened), "approve").await.unwrap_err();
    assert!(matches!(reused, Failure::KeyReused), "{reused}");
    assert_eq!((bench.orders().await, bench.stock("1").await), (1, 998));
}

#[tokio::test]
async fn a_replay_shows_the_resource_as_it_is_now() {
    let bench = Bench::new().await;
    let keyed = bench.fresh();
    let command = Command::CreateCheckout { basket: Basket::Lines(wanted(&[("1", 2)])), details: details() };
    let opened = bench.service.execute(&bench.frame, &keyed, &command).await.unwrap();
    bench.run(Command::CancelCheckout { id: checkout_id(&opened) }).await;
    let again = bench.service.execute(&bench.frame, &keyed, &command).await.unwrap();
    assert_eq!((again.status, checkout_of(&again).state()), (201, &State::Canceled));
}

#[tokio::test]
async fn refused_keys_are_free_again() {
    let bench = Bench::new().await;
    let keyed = bench.fresh();
    let buy = |id: &str| Command::CreateCart { lines: wanted(&[("1", 1), (id, 1)]) };
    let refusal = bench.service.execute(&bench.frame, &keyed, &buy("3")).await.unwrap();
    assert_eq!(refused(&refusal), "item_unavailable");
    assert_eq!(refusal.refusal.unwrap().path.as_deref(), Some("$.line_items[1]"));
    let allowed = bench.service.execute(&bench.frame, &keyed, &buy("2")).await.unwrap();
    assert_eq!(refused(&allowed), "");
}

#[tokio::test]
async fn a_cart_becomes_one_checkout_as_long_as_that_is_open() {
    let bench = Bench::new().await;
    let cart = cart_of(&bench.run(Command::CreateCart { lines: wanted(&[("1", 2)]) }).await).id().clone();
    let convert = || Command::CreateCheckout { basket: Basket::Cart(cart.clone()), details: details() };
    let many = futures(&bench, 8, convert).await;
    assert!(many.iter().all(|id| *id == many[0]), "{many:?}");
    // Another process, or this one after a restart, knows it too.
    let restarted =
        shop::Service::new(bench.store.clone(), crate::plan(), std::sync::Arc::new(|| vocab::id::Timestamp(9)));
    let again = restarted.execute(&bench.frame, &bench.fresh(), &convert()).await.unwrap();
    assert_eq!(checkout_id(&again), many[0]);
    bench.run(Command::CancelCheckout { id: many[0].clone() }).await;
    assert_ne!(checkout_id(&bench.run(convert()).await), many[0]);
}

/// So many of the same command at once.
async fn futures(bench: &Bench, count: usize, command: impl Fn() -> Command) -> Vec<PublicId> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (service, frame, keyed, command) = (bench.service.clone(), bench.frame.clone(), bench.fresh(), command());
        tasks.spawn(async move { service.execute(&frame, &keyed, &command).await });
    }
    tasks.join_all().await.into_iter().map(|answer| checkout_id(&answer.unwrap())).collect()
}

#[tokio::test]
async fn a_cancelled_cart_is_shown_once_more_and_then_not_found() {
    let bench = Bench::new().await;
    let keyed = bench.fresh();
    let cart = cart_of(&bench.run(Command::CreateCart { lines: wanted(&[("1", 2)]) }).await).id().clone();
    let cancel = Command::CancelCart { id: cart.clone() };
    let canceled = bench.service.execute(&bench.frame, &keyed, &cancel).await.unwrap();
    assert!(cart_of(&canceled).is_open());
    assert_eq!(refused(&bench.service.cart(&bench.frame.shop, &cart).await.unwrap()), "not_found");
    assert_eq!(refused(&bench.run(cancel.clone()).await), "not_found");
    let again = bench.service.execute(&bench.frame, &keyed, &cancel).await.unwrap();
    assert_eq!(cart_of(&again).id(), &cart, "the key is answered for ever");
    let convert = Command::CreateCheckout { basket: Basket::Cart(cart), details: details() };
    assert_eq!(refused(&bench.run(convert).await), "not_found");
}

#[tokio::test]
async fn a_raised_price_is_frozen_in_a_checkout_until_it_is_updated() {
    let bench = Bench::new().await;
    let id = bench.checkout(&[("1", 2)]).await;
    let edit = commerce::product::Edit { price_minor: Some(5_000), stock_delta: None };
    bench.run(Command::EditProduct { id: PublicId::new("1"), edit }).await;
    let shown = bench.service.checkout(&bench.frame.shop, &id).await.unwrap();
    assert_eq!(checkout_of(&shown).totals().subtotal().minor(), 9_000);
    let updated =
        bench.run(Command::UpdateCheckout { id: id.clone(), lines: wanted(&[("1", 2)]), details: details() }).await;
    assert_eq!(checkout_of(&updated).totals().subtotal().minor(), 10_000);
    assert_eq!(
        updated.notes.iter().map(|note| (note.kind, note.code)).collect::<Vec<_>>(),
        [(NoteKind::Warning, "price_changed")]
    );
    let line = |answer: &Answer| checkout_of(answer).lines()[0].id().clone();
    assert_eq!(line(&updated), line(&shown), "a line keeps its id");
}

#[tokio::test]
async fn lookup_finds_withdrawn_products_and_names_unknown_ones() {
    let bench = Bench::new().await;
    let ids = ["3", "9", "1", "3"].map(PublicId::new);
    let found = bench.service.lookup(&bench.frame.shop, &ids).await.unwrap();
    assert_eq!(listed(&found), [("3".to_owned(), 1_000), ("1".to_owned(), 1_000)]);
    assert_eq!(found.notes.len(), 1);
    assert!(found.notes[0].content.contains("`9`"), "{:?}", found.notes);
    assert_eq!(refused(&bench.service.product(&bench.frame.shop, &PublicId::new("9")).await.unwrap()), "not_found");
}

#[tokio::test]
async fn each_request_of_a_checkout_loads_once() {
    let bench = Bench::new().await;
    let loads = || bench.store.loads();
    let begun = loads();
    let id = bench.checkout(&[("1", 2), ("2", 1)]).await;
    assert_eq!(loads() - begun, 1, "create");

    let begun = loads();
    let lines = wanted(&[("1", 1), ("2", 2)]);
    bench.run(Command::UpdateCheckout { id: id.clone(), lines, details: details() }).await;
    assert_eq!(loads() - begun, 1, "update");

    let begun = loads();
    let paid = bench.pay(&id, "approve").await;
    assert_eq!(loads() - begun, 1, "complete, which is two commits");

    let begun = loads();
    bench.service.order(&bench.frame.shop, &order_id(&paid)).await.unwrap();
    bench.service.product(&bench.frame.shop, &PublicId::new("1")).await.unwrap();
    assert_eq!(loads() - begun, 2, "an order, a product");
}
