//! The import door: guarded by the source transaction, never undoing, never overwriting another's.

use super::bench::{Bench, cart, id, live, new_cart, product};
use store::{Class, Entry, Fingerprint, Import, ImportError, Imported, Made, Outcome, What, Write};
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Origin, Seq, ShopId, Side, Timestamp};

pub fn gone(kind: Kind, text: &str, tx: u64) -> Imported {
    let origin = Origin::new(format!("{}:{text}", kind.name()));
    Imported { kind, origin, tx, what: What::Gone, made: None }
}

pub fn cart_at(text: &str, tx: u64) -> Imported {
    live(Kind::Cart, text, tx, cart(text).with("tx", i64::try_from(tx).unwrap()), vec![])
}

async fn tx_of(bench: &Bench, text: &str) -> Option<i64> {
    let loaded = bench.store.load(&bench.shop, &[(Kind::Cart, id(text))]).await.unwrap();
    loaded.documents[0].as_ref().and_then(|stored| stored.document.int("tx"))
}

#[tokio::test]
async fn only_legacys_shop_at_the_heads_epoch_is_imported() {
    let bench = Bench::new().await;
    let import = async |shop: &str, epoch| {
        let shop = ShopId::parse(shop).unwrap();
        bench.store.import(Import { shop, epoch: Epoch(epoch), items: vec![cart_at("c", 1)] }).await
    };
    assert!(matches!(import("s2", 1).await, Err(ImportError::UnknownShop)));
    assert!(matches!(import("s1", 2).await, Err(ImportError::WrongEpoch { head: Epoch(1) })));
    bench.flip(Side::Backend, 1, 2).await;
    assert!(matches!(import("s1", 2).await, Err(ImportError::NotOwner { owner: Side::Backend })));
    assert_eq!(tx_of(&bench, "c").await, None);
}

#[tokio::test]
async fn an_older_transaction_changes_nothing_and_the_same_one_applies_again() {
    let bench = Bench::new().await;
    assert_eq!(bench.import(vec![cart_at("c", 5)]).await, [Outcome::Applied]);
    assert_eq!(bench.import(vec![cart_at("c", 4), cart_at("d", 1)]).await, [Outcome::Stale, Outcome::Applied]);
    assert_eq!(tx_of(&bench, "c").await, Some(5));
    assert_eq!(bench.import(vec![cart_at("c", 5)]).await, [Outcome::Applied]);
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(2));
    assert_eq!(bench.head().await.seq, Seq::ZERO);
    assert!(bench.store.facts(&bench.shop, Seq::ZERO, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_gone_is_not_brought_back_by_an_older_transaction() {
    let bench = Bench::new().await;
    let items = vec![cart_at("c", 5), gone(Kind::Cart, "c", 7), cart_at("c", 6), gone(Kind::Cart, "c", 6)];
    let applied = [Outcome::Applied, Outcome::Applied, Outcome::Stale, Outcome::Stale];
    assert_eq!(bench.import(items).await, applied);
    assert_eq!(tx_of(&bench, "c").await, None);
    // A deletion that comes before the copy of what it deleted counts as well.
    let early = vec![gone(Kind::Cart, "d", 3), cart_at("d", 2), gone(Kind::Cart, "c", 5)];
    assert_eq!(bench.import(early).await, [Outcome::Applied, Outcome::Stale, Outcome::Stale]);
    assert_eq!(bench.import(vec![cart_at("c", 8), cart_at("c", 7)]).await, [Outcome::Applied, Outcome::Stale]);
    assert_eq!(tx_of(&bench, "c").await, Some(8));
}

#[tokio::test]
async fn a_log_that_begins_anew_is_not_older_than_what_was_imported_from_the_one_before() {
    let bench = Bench::new().await;
    bench.import(vec![cart_at("c", 50), cart_at("d", 50), gone(Kind::Cart, "d", 60)]).await;
    let forget = async |epoch| bench.store.forget_source(&bench.shop, Epoch(epoch)).await;
    assert!(matches!(forget(2).await, Err(ImportError::WrongEpoch { head: Epoch(1) })));
    assert_eq!(bench.import(vec![cart_at("c", 4), cart_at("d", 4)]).await, [Outcome::Stale, Outcome::Stale]);
    forget(1).await.unwrap();
    assert_eq!(bench.import(vec![cart_at("c", 4), cart_at("d", 4)]).await, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(bench.import(vec![cart_at("c", 3)]).await, [Outcome::Stale]);
    // More than one transaction has room for.
    let many: Vec<_> = (0..2_100).map(|n| cart_at(&format!("m{n}"), 50)).collect();
    bench.import(many).await;
    forget(1).await.unwrap();
    for text in ["m0", "m999", "m1000", "m2099"] {
        assert_eq!(bench.import(vec![cart_at(text, 4)]).await, [Outcome::Applied], "{text}");
    }
    bench.flip(Side::Backend, 1, 2).await;
    assert!(matches!(forget(2).await, Err(ImportError::NotOwner { owner: Side::Backend })));
}

#[tokio::test]
async fn an_id_of_another_origin_is_a_conflict_and_never_overwritten() {
    let bench = Bench::new().await;
    bench.import(vec![cart_at("c", 1)]).await;
    let thief = Imported { origin: Origin::new("cart:thief"), ..cart_at("c", 9) };
    let held_by = Some(Origin::new("cart:c"));
    assert_eq!(bench.import(vec![thief, cart_at("d", 1)]).await, [Outcome::Conflict { held_by }, Outcome::Applied]);
    assert_eq!(tx_of(&bench, "c").await, Some(1));
}

#[tokio::test]
async fn a_changed_id_takes_the_place_of_the_one_before() {
    let bench = Bench::new().await;
    let origin = Origin::new("product:1");
    let stock = |count| vec![(id("v1"), count)];
    let item = |text: &str, tx, count| Imported {
        origin: origin.clone(),
        ..live(Kind::Product, text, tx, product(text, "Thing"), stock(count))
    };
    assert_eq!(bench.import(vec![item("a", 1, 3), item("b", 2, 4)]).await, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(bench.version(Kind::Product, "a").await, None);
    let found = bench.store.load_by_origin(&bench.shop, &[(Kind::Product, origin)]).await.unwrap();
    assert_eq!(found[0].as_ref().map(|(id, _)| id.as_str()), Some("b"));
    assert_eq!(bench.store.stock_all(&bench.shop).await.unwrap(), stock(4));
}

#[tokio::test]
async fn stock_goes_with_its_variants_and_never_below_zero() {
    let bench = Bench::new().await;
    let item = |text: &str, tx, stock: &[(&str, i64)]| {
        let stock = stock.iter().map(|(variant, count)| (id(variant), *count)).collect();
        live(Kind::Product, text, tx, product(text, "Thing"), stock)
    };
    bench.import(vec![item("1", 1, &[("a", 1), ("b", 2)]), item("2", 1, &[("c", 3)])]).await;
    bench.import(vec![item("1", 2, &[("b", 5)])]).await;
    let stock = || async { bench.store.stock_all(&bench.shop).await.unwrap() };
    assert_eq!(stock().await, [(id("b"), 5), (id("c"), 3)]);
    let wrong = bench.import(vec![item("1", 3, &[("c", 1)]), item("2", 3, &[("c", -1)])]).await;
    assert_eq!(wrong[0], Outcome::Conflict { held_by: Some(Origin::new("product:2")) });
    assert_eq!(wrong[1], Outcome::Unfit { why: "stock of variant c is -1".to_owned() });
    assert_eq!(stock().await, [(id("b"), 5), (id("c"), 3)]);
    bench.import(vec![gone(Kind::Product, "1", 4)]).await;
    assert_eq!(stock().await, [(id("c"), 3)]);
}

/// An order with an entry for each amount.
pub fn order(tx: u64, amounts: &[i64]) -> Imported {
    let entry =
        |amount: &i64| Entry { order: id("o1"), account: "clearing".into(), currency: "IDR".into(), amount: *amount };
    let entries = amounts.iter().map(entry).collect();
    let what = What::Live { id: id("o1"), document: Record::default(), stock: vec![], entries, wake: None };
    Imported { kind: Kind::Order, origin: Origin::new("order:o1"), tx, what, made: None }
}

#[tokio::test]
async fn an_orders_entries_are_replaced_with_it() {
    let bench = Bench::new().await;
    let sum = || async {
        let sums = bench.store.ledger_sums(&bench.shop).await.unwrap();
        sums.first().map(|sum| sum.amount)
    };
    bench.import(vec![order(1, &[100, 20])]).await;
    assert_eq!(sum().await, Some(120));
    for (tx, amounts, total) in [(2, &[100, 20][..], 120), (3, &[100], 100), (4, &[100, 7], 107), (5, &[7, 100], 107)] {
        bench.import(vec![order(tx, amounts)]).await;
        assert_eq!(sum().await, Some(total), "{amounts:?}");
    }
    bench.import(vec![order(5, &[100, 20]), order(6, &[7])]).await;
    assert_eq!(sum().await, Some(7));
    let closed = What::History { id: id("o1"), why: "credit".into(), document: Record::default() };
    bench.import(vec![Imported { what: closed, ..order(7, &[]) }]).await;
    assert_eq!(sum().await, None);
    let counts = bench.store.counts(&bench.shop).await.unwrap();
    assert_eq!((counts[0].class, counts[0].why.as_deref(), counts[0].documents), (Class::History, Some("credit"), 1));
}

#[tokio::test]
async fn what_was_written_here_is_found_by_its_origin_when_the_shop_comes_back() {
    let bench = Bench::new().await;
    bench.import(vec![cart_at("c", 5)]).await;
    bench.flip(Side::Backend, 1, 2).await;
    let born = Write { origin: Some(Origin::new("cart:n")), ..new_cart("n") };
    let changed = Write { expected: Some(1), ..new_cart("c") };
    bench.store.commit(bench.commit(vec![born, changed])).await.unwrap();
    let loaded = bench.store.load(&bench.shop, &[(Kind::Cart, id("c")), (Kind::Cart, id("n"))]).await.unwrap();
    let txs: Vec<_> = loaded.documents.iter().map(|stored| stored.as_ref().unwrap().source_tx).collect();
    assert_eq!(txs, [Some(5), None]);

    bench.flip(Side::Legacy, 2, 3).await;
    let items = vec![cart_at("c", 4), cart_at("c", 6), cart_at("n", 6)];
    let import = Import { shop: bench.shop.clone(), epoch: Epoch(3), items };
    let outcomes = bench.store.import(import).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stale, Outcome::Applied, Outcome::Applied]);
    assert_eq!(bench.version(Kind::Cart, "n").await, Some(2));
}

#[tokio::test]
async fn an_import_longer_than_a_transaction_answers_each_item_in_order() {
    let bench = Bench::new().await;
    bench.import(vec![cart_at("c300", 9)]).await;
    let outcomes = bench.import((0..1000).map(|n| cart_at(&format!("c{n}"), 1)).collect()).await;
    assert_eq!(outcomes.len(), 1000);
    let stale: Vec<usize> = (0..1000).filter(|n| outcomes[*n] == Outcome::Stale).collect();
    assert_eq!(stale, [300]);
    assert_eq!(bench.import(vec![]).await, []);
}

#[tokio::test]
async fn what_a_document_was_made_of_is_kept_until_somebody_else_writes_it() {
    let bench = Bench::new().await;
    let fingerprint = |byte: u8| Some(Fingerprint([byte; 16]));
    let made = |tx, byte| {
        let text = store::encode(&cart("c")).unwrap();
        let item = live(Kind::Cart, "c", tx, cart("c"), vec![]);
        Imported { made: Some(Made { text, fingerprint: fingerprint(byte) }), ..item }
    };
    let kept = || async {
        let kept = bench.store.kept_by_origin(&bench.shop, Kind::Cart, vec![Origin::new("cart:c")]).await.unwrap();
        kept.into_iter().next().flatten().map(|kept| (kept.body, kept.fingerprint))
    };
    let body = store::encode(&cart("c")).unwrap();
    let unmade = Imported { made: None, ..made(3, 3) };
    for (item, expected) in [(made(1, 1), fingerprint(1)), (made(2, 2), fingerprint(2)), (unmade, None)] {
        assert_eq!(bench.import(vec![item]).await, [Outcome::Applied]);
        assert_eq!(kept().await, Some((body.clone(), expected)));
    }
    bench.import(vec![made(4, 4)]).await;
    bench.flip(Side::Backend, 1, 2).await;
    let changed = Write { expected: Some(4), ..new_cart("c") };
    bench.store.commit(bench.commit(vec![changed])).await.unwrap();
    assert_eq!(kept().await, Some((body, None)));
}

#[tokio::test]
async fn an_import_is_found_by_what_it_says_now_and_not_by_what_it_said() {
    let bench = Bench::new().await;
    let at = |tx, state: &str, changed_at: i64, note: &str| {
        let document = cart("c").with("state", state).with("changed_at", changed_at).with("note", note);
        live(Kind::Cart, "c", tx, document, vec![])
    };
    let states = [("open", 1, "a"), ("open", 1, "b"), ("canceled", 1, "b"), ("open", 2, "b"), ("open", 2, "c")];
    for (tx, (state, changed_at, note)) in (1..).zip(states) {
        bench.import(vec![at(tx, state, changed_at, note)]).await;
        for asked in ["open", "canceled"] {
            let found = bench.store.ids_in_state(&bench.shop, Kind::Cart, asked).await.unwrap();
            assert_eq!(found.len(), usize::from(asked == state), "{tx}: {asked}");
        }
        let idle = |before| bench.store.idle_in_state(&bench.shop, Kind::Cart, state, Timestamp(before), 9);
        assert!(idle(changed_at).await.unwrap().is_empty(), "{tx}");
        assert_eq!(idle(changed_at + 1).await.unwrap(), [id("c")], "{tx}");
        let loaded = bench.store.load(&bench.shop, &[(Kind::Cart, id("c"))]).await.unwrap();
        let stored = loaded.documents[0].as_ref().unwrap();
        assert_eq!((stored.document.text("note"), stored.version, stored.source_tx), (Some(note), tx, Some(tx)));
    }
}

#[tokio::test]
async fn what_was_imported_lightly_is_there_and_can_be_synced() {
    let bench = Bench::new().await;
    let import = |items| Import { shop: bench.shop.clone(), epoch: Epoch(1), items };
    let outcomes = bench.store.import_lightly(import(vec![cart_at("c", 5), cart_at("c", 4)])).await.unwrap();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Stale]);
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(1));
    bench.store.sync_imports().await.unwrap();
    bench.flip(Side::Backend, 1, 2).await;
    let refused = bench.store.import_lightly(import(vec![cart_at("c", 9)])).await.unwrap_err();
    assert!(matches!(refused, ImportError::NotOwner { owner: Side::Backend }));
}
