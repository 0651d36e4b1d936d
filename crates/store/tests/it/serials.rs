//! Numbers of documents: one after the other whatever else happens, in the document, in its fact and in the answer.

use super::bench::{Bench, id, live, new_cart};
use std::collections::BTreeSet;
use store::{Commit, CommitError, Error, Imported, Outcome, Store, What, Write};
use tokio::task::JoinSet;
use vocab::document::{Node, Record};
use vocab::id::{Epoch, Kind, Origin, Seq, ShopId, Side};

fn order(text: &str, invoice: impl Into<Node>) -> Record {
    Record::default().with("id", text).with("invoice", invoice).with("title", r#"","invoice":null"#)
}

/// An order that is to get a number.
fn placed(text: &str) -> Write {
    Write { kind: Kind::Order, document: order(text, Node::Null), numbered: true, ..new_cart(text) }
}

fn history(text: &str, invoice: i64) -> Imported {
    let what = What::History { id: id(text), why: "totals".into(), document: order(text, invoice) };
    Imported { kind: Kind::Order, origin: Origin::new(format!("order:{text}")), tx: 1, what, made: None }
}

async fn number(bench: &Bench, text: &str) -> Option<i64> {
    let loaded = bench.store.load(&bench.shop, &[(Kind::Order, id(text))]).await.unwrap();
    loaded.documents[0].as_ref().and_then(|stored| stored.document.int("invoice"))
}

#[tokio::test]
async fn the_number_stands_in_the_answer_the_document_and_the_fact() {
    let bench = Bench::flipped().await;
    let answer = bench.store.commit(bench.commit(vec![new_cart("c"), placed("a"), new_cart("d")])).await.unwrap();
    assert_eq!((answer.serial, number(&bench, "a").await), (Some(1), Some(1)));
    let facts = bench.store.facts(&bench.shop, Seq::ZERO, 10).await.unwrap();
    assert_eq!(facts[0].writes[1], (Kind::Order, id("a"), order("a", 1)));
    // A later change keeps it, and what is not numbered gets none.
    let changed = Write { expected: Some(1), document: order("a", 1), numbered: false, ..placed("a") };
    assert_eq!(bench.store.commit(bench.commit(vec![changed])).await.unwrap().serial, None);
    assert_eq!(bench.store.commit(bench.commit(vec![placed("b")])).await.unwrap().serial, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_commits_takes_the_numbers_one_after_the_other_and_a_refusal_takes_none() {
    let bench = Bench::flipped().await;
    let mut tasks = JoinSet::new();
    for n in 0..90 {
        // Every third is too late for a document beside it.
        let beside = Write { expected: (n % 3 == 0).then_some(7), ..new_cart(&format!("c{n}")) };
        let commit = bench.commit(vec![placed(&format!("o{n}")), beside]);
        let store = bench.store.clone();
        tasks.spawn(async move { store.commit(commit).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(CommitError::Conflict { .. }))).count(), 30);
    let mut by_seq: Vec<_> = answers.into_iter().flatten().map(|answer| (answer.seq.0, answer.serial)).collect();
    by_seq.sort_unstable();
    assert_eq!(by_seq, (1..=60).map(|n| (n, Some(i64::try_from(n).unwrap()))).collect::<Vec<_>>());
    let orders = bench.store.documents(&bench.shop, Kind::Order, None, 100).await.unwrap();
    let numbers: BTreeSet<_> = orders.iter().map(|(_, stored)| stored.document.int("invoice").unwrap()).collect();
    assert_eq!(numbers, (1..=60).collect());
}

#[tokio::test]
async fn the_next_number_follows_the_highest_that_was_imported_live_or_history() {
    let bench = Bench::new().await;
    let imported = |text: &str, invoice: i64| live(Kind::Order, text, 1, order(text, invoice), vec![]);
    let last = async || bench.store.last_serial(&bench.shop, Kind::Order).await.unwrap();
    assert_eq!(last().await, None);
    bench.import(vec![imported("a", 4), imported("b", 7), history("h", 9)]).await;
    // An older program's order has a number of its own, and none of ours.
    bench.import(vec![live(Kind::Order, "old", 1, Record::default().with("id", "536365"), vec![])]).await;
    assert_eq!(last().await, Some(9));
    // What the source took away, or numbered otherwise, counts no more.
    let gone = Imported { tx: 2, what: What::Gone, ..history("h", 9) };
    assert_eq!(bench.import(vec![gone]).await, [Outcome::Applied]);
    bench.import(vec![live(Kind::Order, "b", 2, order("b", 8), vec![])]).await;
    assert_eq!(last().await, Some(8));
    bench.flip(Side::Backend, 1, 2).await;
    assert_eq!(bench.store.commit(bench.commit(vec![placed("c")])).await.unwrap().serial, Some(9));
    // Home, where two are sold, and here again.
    bench.flip(Side::Legacy, 2, 3).await;
    let import = store::Import {
        shop: bench.shop.clone(),
        epoch: Epoch(3),
        items: vec![imported("d", 10), live(Kind::Order, "e", 9, order("e", 11), vec![])],
    };
    bench.store.import(import).await.unwrap();
    bench.flip(Side::Backend, 3, 4).await;
    let commit = Commit { epoch: Epoch(4), ..bench.commit(vec![placed("f")]) };
    assert_eq!(bench.store.commit(commit).await.unwrap().serial, Some(12));
}

#[tokio::test]
async fn every_shop_counts_for_itself() {
    let bench = Bench::flipped().await;
    let other = ShopId::parse("s2").unwrap();
    bench.store.create_heads(std::slice::from_ref(&other)).await.unwrap();
    let change = store::HeadChange { shop: other.clone(), ..bench.change(Side::Backend, 1, 2) };
    bench.store.move_head(change, store::Step { shop: other.clone(), ..bench.step("flip", 2) }).await.unwrap();
    for n in 1..=3 {
        let here = bench.store.commit(bench.commit(vec![placed(&format!("o{n}"))])).await.unwrap();
        assert_eq!(here.serial, Some(n));
    }
    let there = Commit { shop: other, ..bench.commit(vec![placed("o1")]) };
    assert_eq!(bench.store.commit(there).await.unwrap().serial, Some(1));
}

#[tokio::test]
async fn what_cannot_be_numbered_is_nobodys_refusal() {
    let bench = Bench::flipped().await;
    let commits = [
        vec![placed("a"), placed("b")],
        vec![Write { document: order("a", 3), ..placed("a") }],
        vec![Write { numbered: true, ..new_cart("c") }],
    ];
    for writes in commits {
        let answer = bench.store.commit(bench.commit(writes)).await;
        assert!(matches!(answer, Err(CommitError::Store(Error::Invalid(_)))), "{answer:?}");
    }
    assert_eq!(bench.head().await.seq, Seq::ZERO);
}

#[tokio::test]
async fn the_series_goes_on_where_the_file_is_opened_again() {
    let bench = Bench::flipped().await;
    bench.store.commit(bench.commit(vec![placed("a")])).await.unwrap();
    let again = Store::open(bench.dir.path()).unwrap();
    assert_eq!(again.commit(bench.commit(vec![placed("b")])).await.unwrap().serial, Some(2));
}
