//! The commit door: whom it lets in, and that what it lets in is whole, numbered and never more than there is.

use super::bench::{Bench, cart, id, new_cart, taken};
use std::collections::BTreeSet;
use store::{Commit, CommitError, Committed, Entry, Error, Store, Write};
use tokio::task::JoinSet;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Origin, Seq, ShopId, Side};

#[tokio::test]
async fn a_commit_becomes_documents_and_the_next_fact() {
    let bench = Bench::new().await;
    bench.stocked("1", 5).await;
    bench.flip(Side::Backend, 1, 2).await;
    let sale = |amount| Entry { order: id("o"), account: "clearing".into(), currency: "IDR".into(), amount };
    let mut commit = bench.commit(vec![new_cart("c\"1")]);
    commit.stock = vec![taken("v1", -2)];
    commit.entries = vec![sale(500), sale(-500)];

    assert_eq!(
        bench.store.commit(commit.clone()).await.unwrap(),
        Committed { seq: Seq(1), stock: vec![3], serial: None }
    );

    let facts = bench.store.facts(&bench.shop, Seq::ZERO, 10).await.unwrap();
    let [fact] = facts.as_slice() else { panic!("one fact, not {facts:?}") };
    assert_eq!((fact.seq, fact.epoch, fact.at), (Seq(1), Epoch(2), commit.at));
    assert_eq!(fact.writes, [(Kind::Cart, id("c\"1"), cart("c\"1"))]);
    assert_eq!((&fact.stock, &fact.entries), (&commit.stock, &commit.entries));
    assert_eq!(bench.store.stock(&bench.shop, &[id("v1"), id("v2")]).await.unwrap(), [Some(3), None]);
    let sums = bench.store.ledger_sums(&bench.shop).await.unwrap();
    assert_eq!(sums.iter().map(|sum| sum.amount).collect::<Vec<_>>(), [0]);
    assert_eq!(bench.version(Kind::Cart, "c\"1").await, Some(1));
}

#[tokio::test]
async fn only_the_owner_at_the_heads_epoch_commits() {
    let bench = Bench::new().await;
    let refusal = async |epoch| {
        let commit = Commit { epoch: Epoch(epoch), ..bench.commit(vec![new_cart("c")]) };
        bench.store.commit(commit).await.unwrap_err()
    };
    assert!(matches!(refusal(1).await, CommitError::NotOwner { owner: Side::Legacy }));
    bench.flip(Side::Backend, 1, 2).await;
    assert!(matches!(refusal(1).await, CommitError::WrongEpoch { head: Epoch(2) }));
    assert!(matches!(refusal(3).await, CommitError::WrongEpoch { head: Epoch(2) }));
    let fence = store::HeadChange { fenced: true, ..bench.change(Side::Backend, 2, 3) };
    bench.store.move_head(fence, bench.step("fence", 3)).await.unwrap();
    assert!(matches!(refusal(3).await, CommitError::Fenced));
    let elsewhere = Commit { shop: ShopId::parse("s2").unwrap(), ..bench.commit(vec![]) };
    assert!(matches!(bench.store.commit(elsewhere).await, Err(CommitError::UnknownShop)));
    assert_eq!(bench.head().await.seq, Seq::ZERO);
    assert_eq!(bench.version(Kind::Cart, "c").await, None);
}

#[tokio::test]
async fn a_write_that_does_not_expect_what_stands_is_refused_with_all_of_its_commit() {
    let bench = Bench::flipped().await;
    let expecting = |expected| Write { expected, ..new_cart("c") };
    let commit = async |expected| {
        let writes = vec![new_cart("other"), expecting(expected)];
        bench.store.commit(bench.commit(writes)).await
    };
    assert!(matches!(commit(Some(1)).await, Err(CommitError::Conflict { kind: Kind::Cart, .. })));
    assert_eq!(bench.version(Kind::Cart, "other").await, None);
    bench.store.commit(bench.commit(vec![new_cart("c")])).await.unwrap();
    for stale in [None, Some(2)] {
        let error = commit(stale).await.unwrap_err();
        assert!(error.is_refusal() && matches!(error, CommitError::Conflict { .. }));
    }
    assert_eq!(commit(Some(1)).await.unwrap().seq, Seq(2));
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(2));
}

#[tokio::test]
async fn a_write_sees_what_an_earlier_one_of_its_commit_left() {
    let bench = Bench::flipped().await;
    let expecting = |expected| Write { expected, ..new_cart("c") };
    let commit = async |writes| bench.store.commit(bench.commit(writes)).await;
    commit(vec![expecting(None), expecting(Some(1))]).await.unwrap();
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(2));
    let twice = commit(vec![expecting(Some(2)), expecting(Some(2))]).await;
    assert!(matches!(twice, Err(CommitError::Conflict { kind: Kind::Cart, .. })));
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(2));
}

#[tokio::test]
async fn entries_follow_those_that_their_order_has() {
    let bench = Bench::flipped().await;
    let entry = |amount| Entry { order: id("o"), account: "clearing".into(), currency: "IDR".into(), amount };
    for amounts in [[1, 2], [3, 4]] {
        let entries = amounts.map(entry).to_vec();
        bench.store.commit(Commit { entries, ..bench.commit(vec![]) }).await.unwrap();
    }
    let sums = bench.store.ledger_sums(&bench.shop).await.unwrap();
    assert_eq!(sums.iter().map(|sum| sum.amount).collect::<Vec<_>>(), [10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_inside_a_group_spend_no_seq_and_harm_no_neighbour() {
    let bench = Bench::flipped().await;
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        // Every other one wants a cart that must exist already.
        let expected = if n % 2 == 0 { None } else { Some(1) };
        let commit = bench.commit(vec![Write { expected, ..new_cart(&format!("c{n}")) }]);
        let store = bench.store.clone();
        tasks.spawn(async move { store.commit(commit).await });
    }
    let answers = tasks.join_all().await;
    let seqs: BTreeSet<Seq> = answers.iter().flatten().map(|committed| committed.seq).collect();
    assert_eq!(seqs, (1..=32).map(Seq).collect());
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 32);
    assert_eq!(bench.head().await.seq, Seq(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn seq_has_no_gaps_under_64_tasks() {
    let bench = Bench::flipped().await;
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let (store, commits) = (bench.store.clone(), (0..8).map(|n| new_cart(&format!("c{task}-{n}"))));
        let commits: Vec<Commit> = commits.map(|write| bench.commit(vec![write])).collect();
        tasks.spawn(async move {
            let mut seqs = Vec::new();
            for commit in commits {
                seqs.push(store.commit(commit).await.unwrap().seq);
            }
            seqs
        });
    }
    let mut seqs: Vec<Seq> = tasks.join_all().await.into_iter().flatten().collect();
    seqs.sort();
    assert_eq!(seqs, (1..=512).map(Seq).collect::<Vec<_>>());
    let facts = bench.store.facts(&bench.shop, Seq(500), 100).await.unwrap();
    assert_eq!(facts.iter().map(|fact| fact.seq.0).collect::<Vec<_>>(), (501..=512).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_units_are_sold_to_fifty_of_two_hundred_buyers_over_two_handles() {
    let bench = Bench::new().await;
    bench.stocked("1", 50).await;
    bench.flip(Side::Backend, 1, 2).await;
    let stores = [bench.store.clone(), Store::open(bench.dir.path()).unwrap()];
    let mut tasks = JoinSet::new();
    for buyer in 0..200 {
        let mut commit = bench.commit(vec![new_cart(&format!("c{buyer}"))]);
        commit.stock = vec![taken("v1", -1)];
        let store = stores[buyer % 2].clone();
        tasks.spawn(async move { store.commit(commit).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 50);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refusal, CommitError::OutOfStock { left: 0, .. }), "{refusal:?}");
    }
    assert_eq!(bench.store.stock(&bench.shop, &[id("v1")]).await.unwrap(), [Some(0)]);
    assert_eq!(bench.head().await.seq, Seq(50));
}

#[tokio::test]
async fn every_change_of_stock_is_answered_with_what_it_left_and_too_much_is_refused() {
    let bench = Bench::new().await;
    bench.stocked("1", i64::MAX - 5).await;
    bench.flip(Side::Backend, 1, 2).await;
    let commit = async |deltas: &[i64]| {
        let stock = deltas.iter().map(|delta| taken("v1", *delta)).collect();
        bench.store.commit(Commit { stock, ..bench.commit(vec![]) }).await
    };
    assert!(matches!(commit(&[6]).await, Err(CommitError::TooMuchStock { .. })));
    let left = commit(&[5, -7]).await.unwrap().stock;
    assert_eq!(left, [i64::MAX, i64::MAX - 7]);
}

#[tokio::test]
async fn stock_that_does_not_exist_is_the_callers_bug() {
    let bench = Bench::flipped().await;
    let mut commit = bench.commit(vec![]);
    commit.stock = vec![taken("v1", 1)];
    assert!(matches!(bench.store.commit(commit).await, Err(CommitError::Store(Error::Invalid(_)))));
}

#[tokio::test]
async fn a_product_born_here_brings_its_first_stock() {
    let bench = Bench::flipped().await;
    let variant = Record::default().with("id", "v9");
    let document = super::bench::product("9", "New").with("variants", vec![variant.into()]);
    let write = Write { kind: Kind::Product, id: id("9"), expected: None, document, origin: None, numbered: false };
    let commit = Commit { stock: vec![taken("v9", 4)], ..bench.commit(vec![write]) };
    bench.store.commit(commit).await.unwrap();
    assert_eq!(bench.store.stock_all(&bench.shop).await.unwrap(), [(id("v9"), 4)]);
}

#[tokio::test]
async fn an_origin_stays_and_names_one_document() {
    let bench = Bench::flipped().await;
    let with = |text: &str, expected, origin: Option<&str>| Write {
        expected,
        origin: origin.map(Origin::new),
        ..new_cart(text)
    };
    let key = [(Kind::Cart, Origin::new("carts:1"))];
    bench.store.commit(bench.commit(vec![with("a", None, Some("carts:1"))])).await.unwrap();
    bench.store.commit(bench.commit(vec![with("a", Some(1), None)])).await.unwrap();
    let found = bench.store.load_by_origin(&bench.shop, &key).await.unwrap();
    assert_eq!(found[0].as_ref().map(|(id, stored)| (id.as_str(), stored.version)), Some(("a", 2)));
    let second = bench.store.commit(bench.commit(vec![with("b", None, Some("carts:1"))])).await;
    assert!(matches!(second, Err(CommitError::Store(Error::Invalid(_)))));
}
