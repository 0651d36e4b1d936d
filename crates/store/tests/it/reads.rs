//! The reads: order, paging, search and states.

use super::bench::{Bench, cart, id, live, new_cart, product};
use store::{Commit, Imported, Write};
use vocab::document::{Node, Record};
use vocab::id::{Kind, PublicId, Seq, Side, Timestamp};

async fn found(bench: &Bench, query: Option<&str>, after: Option<&str>, limit: usize) -> String {
    let after = after.map(PublicId::new);
    let products = bench.store.products(&bench.shop, query, after.as_ref(), limit).await.unwrap();
    products.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn products_come_by_number_then_by_text_and_only_active_ones() {
    let bench = Bench::new().await;
    let titles =
        [("10", "Red LÄMP"), ("9", "blue lamp"), ("x2", "Lamp"), ("x10", "Lämp"), ("100", "Cup"), ("b", "50%_lamp")];
    let mut items: Vec<_> =
        titles.iter().map(|(id, title)| live(Kind::Product, id, 1, product(id, title), vec![])).collect();
    items.push(live(Kind::Product, "1", 1, product("1", "Lamp").with("state", "withdrawn"), vec![]));
    bench.import(items).await;

    assert_eq!(found(&bench, None, None, 50).await, "9 10 100 b x10 x2");
    assert_eq!(found(&bench, Some(""), Some("9"), 2).await, "10 100");
    assert_eq!(found(&bench, None, Some("100"), 50).await, "b x10 x2");
    assert_eq!(found(&bench, None, Some("x10"), 50).await, "x2");
    assert_eq!(found(&bench, Some("LaMP"), None, 50).await, "9 b x2");
    assert_eq!(found(&bench, Some("lämp"), None, 50).await, "10 x10");
    assert_eq!(found(&bench, Some("%"), None, 50).await, "b");
}

#[tokio::test]
async fn documents_are_paged_by_id_as_text() {
    let bench = Bench::new().await;
    bench.import((0..5).map(|n| live(Kind::Cart, &n.to_string(), 1, cart("x"), vec![])).collect()).await;
    let page = async |after: Option<&str>| {
        let after = after.map(PublicId::new);
        let page = bench.store.documents(&bench.shop, Kind::Cart, after.as_ref(), 2).await.unwrap();
        page.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(page(None).await, "0 1");
    assert_eq!(page(Some("1")).await, "2 3");
    assert_eq!(page(Some("4")).await, "");
}

#[tokio::test]
async fn states_are_found_the_longest_unchanged_first() {
    let bench = Bench::new().await;
    let carts = [("a", 300), ("b", 100), ("c", 200)];
    let item = |(text, at): &(&str, i64)| live(Kind::Cart, text, 1, cart(text).with("created_at", *at), vec![]);
    bench.import(carts.iter().map(item).collect()).await;
    bench.flip(Side::Backend, 1, 2).await;
    let touched = Write { expected: Some(1), ..new_cart("b") };
    let closed = Write { expected: Some(1), document: cart("c").with("state", "canceled"), ..new_cart("c") };
    bench.store.commit(Commit { at: Timestamp(400), ..bench.commit(vec![touched, closed]) }).await.unwrap();

    let open = bench.store.ids_in_state(&bench.shop, Kind::Cart, "open").await.unwrap();
    assert_eq!(open, [id("a"), id("b")]);
    let idle =
        async |before| bench.store.idle_in_state(&bench.shop, Kind::Cart, "open", Timestamp(before), 10).await.unwrap();
    assert_eq!(idle(300).await, []);
    assert_eq!(idle(301).await, [id("a")]);
}

#[tokio::test]
async fn of_a_carts_checkouts_the_first_that_has_not_ended_is_found() {
    let bench = Bench::new().await;
    let checkout = |text: &str, cart: &str, state: &str| {
        let document = Record::default().with("id", text).with("cart", cart).with("state", state);
        live(Kind::Checkout, text, 1, document, vec![])
    };
    let without = Record::default().with("id", "1").with("cart", Node::Null).with("state", "open");
    let items = vec![
        live(Kind::Checkout, "1", 1, without, vec![]),
        checkout("2", "c", "canceled"),
        checkout("10", "c", "open"),
        checkout("9", "c", "paying"),
        checkout("3", "d", "completed"),
        checkout("4", "e", "open"),
    ];
    bench.import(items).await;
    let found = async |cart: &str| {
        let found = bench.store.checkout_of_cart(&bench.shop, &id(cart)).await.unwrap();
        found.map(|(id, stored)| (id.to_string(), stored.version))
    };
    assert_eq!(found("c").await, Some(("9".to_owned(), 1)));
    assert_eq!(found("d").await, None);
    bench.import(vec![Imported { tx: 2, ..checkout("4", "e", "canceled") }]).await;
    assert_eq!(found("e").await, None);
    bench.import(vec![Imported { tx: 3, ..checkout("10", "f", "open") }]).await;
    assert_eq!(found("f").await, Some(("10".to_owned(), 2)), "nothing else of it has changed");
    let elsewhere = vocab::id::ShopId::parse("s9").unwrap();
    assert_eq!(bench.store.checkout_of_cart(&elsewhere, &id("c")).await.unwrap(), None);
}

#[tokio::test]
async fn a_load_answers_in_the_order_asked_with_the_head_of_the_same_moment() {
    let bench = Bench::flipped().await;
    bench.store.commit(bench.commit(vec![new_cart("a"), new_cart("b")])).await.unwrap();
    let ids = ["b", "none", "a"].map(|text| (Kind::Cart, id(text)));
    let loaded = bench.store.load(&bench.shop, &ids).await.unwrap();
    let texts: Vec<_> = loaded.documents.iter().map(|stored| stored.as_ref()?.document.text("id")).collect();
    assert_eq!(texts, [Some("b"), None, Some("a")]);
    assert_eq!(loaded.head.map(|head| head.seq), Some(Seq(1)));
    let nowhere = vocab::id::ShopId::parse("s9").unwrap();
    assert_eq!(bench.store.load(&nowhere, &ids).await.unwrap().head, None);
}
