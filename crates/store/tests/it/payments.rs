//! What stands beside an intent, and the inbox.

use super::bench::{Bench, id};
use super::imports::gone;
use store::{Commit, Entry, HeadChange, Imported, Letter, Notice, Outcome, Referred, Step, Wake, What, Woken, Write};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, ShopId, Side, Timestamp};

fn intent(name: &str, references: &[&str]) -> Record {
    let attempt = |reference: &&str| Node::Record(Record::default().with("reference", *reference));
    let attempts: Vec<Node> = references.iter().map(attempt).collect();
    Record::default().with("id", name).with("account", "loket").with("attempts", attempts)
}

fn write(name: &str, expected: Option<u64>, references: &[&str]) -> Write {
    let document = intent(name, references);
    Write { kind: Kind::Intent, id: id(name), expected, document, origin: None, numbered: false }
}

fn waking(commit: Commit, name: &str, at: i64) -> Commit {
    Commit { wakes: vec![Wake { intent: id(name), at: Timestamp(at) }], ..commit }
}

#[tokio::test]
async fn an_intent_is_found_by_each_of_its_references_and_wakes_when_it_said() {
    let bench = Bench::flipped().await;
    let first = bench.commit(vec![write("i1", None, &["i1-1"])]);
    bench.store.commit(waking(first, "i1", 500)).await.unwrap();
    let woken = Woken { shop: bench.shop.clone(), intent: id("i1"), at: Timestamp(500) };
    assert_eq!(bench.store.woken(Timestamp(499), 9).await.unwrap(), []);
    assert_eq!(bench.store.woken(Timestamp(500), 9).await.unwrap(), std::slice::from_ref(&woken));
    let second = bench.commit(vec![write("i1", Some(1), &["i1-1", "i1-2"])]);
    bench.store.commit(waking(second, "i1", 700)).await.unwrap();
    let found = Referred { shop: bench.shop.clone(), intent: id("i1"), owner: Side::Backend };
    for reference in ["i1-1", "i1-2"] {
        assert_eq!(bench.store.referred("loket", reference).await.unwrap().as_ref(), Some(&found));
    }
    assert_eq!(bench.store.referred("loket", "i1-3").await.unwrap(), None);
    assert_eq!(bench.store.referred("other", "i1-1").await.unwrap(), None);
    // Whoever looked at it as it was puts nothing off that was written since.
    bench.store.wake_later(&woken, None).await.unwrap();
    let woken = Woken { at: Timestamp(700), ..woken };
    assert_eq!(bench.store.woken(Timestamp(900), 9).await.unwrap(), std::slice::from_ref(&woken));
    bench.store.wake_later(&woken, Some(Timestamp(950))).await.unwrap();
    assert_eq!(bench.store.woken(Timestamp(900), 9).await.unwrap(), []);
    // Written and not named, it wakes nobody.
    bench.store.commit(bench.commit(vec![write("i1", Some(2), &["i1-1"])])).await.unwrap();
    assert_eq!(bench.store.woken(Timestamp(i64::MAX), 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_reference_is_of_one_intent_and_a_second_one_is_nobodys() {
    let bench = Bench::flipped().await;
    bench.store.commit(bench.commit(vec![write("i1", None, &["r-1"])])).await.unwrap();
    let error = bench.store.commit(bench.commit(vec![write("i2", None, &["r-1"])])).await.unwrap_err();
    assert!(error.to_string().contains("another intent's"), "{error}");
    assert_eq!(bench.store.referred("loket", "r-1").await.unwrap().unwrap().intent, id("i1"));
}

#[tokio::test]
async fn a_notice_is_kept_once_and_looked_at_until_something_has_become_of_it() {
    let bench = Bench::flipped().await;
    let notice = |digest: &str, at: i64| Notice {
        rail: "loket".into(),
        digest: digest.to_owned(),
        reference: "i1-1".to_owned(),
        received_at: Timestamp(at),
        letter: Letter { signature: "t=1,v1=ab".to_owned(), body: digest.as_bytes().to_vec() },
    };
    let store = &bench.store;
    assert!(store.keep_notice(notice("a", 10)).await.unwrap());
    assert!(!store.keep_notice(notice("a", 20)).await.unwrap());
    assert!(store.keep_notice(notice("b", 30)).await.unwrap());
    let due = async |now| store.notices_due(Timestamp(now), false, 9).await.unwrap();
    assert_eq!(due(29).await.iter().map(|due| due.notice.clone()).collect::<Vec<_>>(), [notice("a", 10)]);
    store.notice_waits(&notice("a", 10).key(), Timestamp(100)).await.unwrap();
    assert_eq!(due(99).await.len(), 1);
    assert_eq!(due(100).await.iter().map(|due| due.tries).max(), Some(1));
    store.notice_done(&notice("a", 10).key(), "asked").await.unwrap();
    // What is done is done: a second one who looked at it does not bring it back.
    store.notice_waits(&notice("a", 10).key(), Timestamp(100)).await.unwrap();
    assert_eq!(due(i64::MAX).await.len(), 1);
    assert!(!store.keep_notice(notice("a", 200)).await.unwrap(), "it is known again");
    assert_eq!(store.forget_notices(Timestamp(300), 9).await.unwrap(), 1);
    assert_eq!(store.notice_outcomes().await.unwrap(), [("loket".into(), None, 1)]);
}

/// What a provider wrote goes when something has become of it, whatever that is: it may be personal.
#[tokio::test]
async fn the_bytes_of_a_notice_are_kept_no_longer_than_they_are_needed() {
    let bench = Bench::flipped().await;
    bench.store.commit(bench.commit(vec![write("i1", None, &["i1-1"])])).await.unwrap();
    for (reference, ours, outcome) in [("i1-1", true, "asked"), ("r-9", false, "handed_on"), ("r-8", false, "given_up")]
    {
        let letter = Letter { signature: "t=1,v1=ab".to_owned(), body: b"Sari".to_vec() };
        let notice = Notice {
            rail: "loket".into(),
            digest: outcome.to_owned(),
            reference: reference.to_owned(),
            received_at: Timestamp(1),
            letter: letter.clone(),
        };
        let key = notice.key();
        bench.store.keep_notice(notice).await.unwrap();
        // Those of our own shops wait in a line of their own.
        assert_eq!(bench.store.notices_due(Timestamp(9), !ours, 9).await.unwrap(), []);
        let due = bench.store.notices_due(Timestamp(9), ours, 9).await.unwrap();
        assert_eq!(due.iter().map(|due| due.notice.letter.clone()).collect::<Vec<_>>(), [letter]);
        assert!(bench.holds("Sari").await);
        bench.store.notice_done(&key, outcome).await.unwrap();
        assert!(!bench.holds("Sari").await, "{outcome}");
    }
}

#[tokio::test]
async fn a_shop_with_a_long_past_keeps_no_other_shop_waiting() {
    let bench = Bench::flipped().await;
    let other = ShopId::parse("s2").unwrap();
    bench.store.create_heads(std::slice::from_ref(&other)).await.unwrap();
    let change = HeadChange { shop: other.clone(), ..bench.change(Side::Backend, 1, 2) };
    bench.store.move_head(change, Step { shop: other.clone(), ..bench.step("flip", 2) }).await.unwrap();
    for n in 0..40 {
        let name = format!("i{n}");
        let commit = bench.commit(vec![write(&name, None, &[&format!("r-{n}")])]);
        bench.store.commit(waking(commit, &name, n)).await.unwrap();
    }
    let commit = Commit { shop: other.clone(), ..bench.commit(vec![write("late", None, &["late"])]) };
    bench.store.commit(waking(commit, "late", 900)).await.unwrap();
    let woken = bench.store.woken(Timestamp(1_000), 8).await.unwrap();
    let of = |shop: &ShopId| woken.iter().filter(|woken| woken.shop == *shop).count();
    assert_eq!((of(&bench.shop), of(&other)), (4, 1));
    assert_eq!(bench.store.woken(Timestamp(1_000), 64).await.unwrap().len(), 41);
}

#[tokio::test]
async fn what_is_with_an_account_that_nobody_here_knows_is_found() {
    let bench = Bench::flipped().await;
    for (name, account) in [("i1", "loket"), ("i2", "old"), ("i3", "older")] {
        let mut write = write(name, None, &[&format!("{name}-1"), &format!("{name}-2")]);
        write.document.set("account", account);
        bench.store.commit(bench.commit(vec![write])).await.unwrap();
    }
    let elsewhere = async |known: &[&str], limit| {
        let known = known.iter().map(|known| (*known).to_owned()).collect();
        let found = bench.store.intents_elsewhere(&bench.shop, &known, limit).await.unwrap();
        found.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(elsewhere(&["loket"], 9).await, ["i2", "i3"]);
    assert_eq!(elsewhere(&["loket", "older"], 9).await, ["i2"]);
    assert_eq!(elsewhere(&[], 2).await, ["i1", "i2"]);
    assert_eq!(elsewhere(&["loket", "old", "older"], 9).await, [""; 0]);
}

/// An intent as a source has it, with what it has booked.
fn imported(name: &str, tx: u64, references: &[&str], amount: i64) -> Imported {
    let book = id(&format!("intent/{name}"));
    let entry = Entry { order: book, account: "clearing".into(), currency: "IDR".into(), amount };
    let (document, wake) = (intent(name, references), Some(Timestamp(0)));
    let what = What::Live { id: id(name), document, stock: vec![], entries: vec![entry], wake };
    Imported { kind: Kind::Intent, origin: Origin::new(format!("intent:{name}")), tx, what, made: None }
}

#[tokio::test]
async fn an_imported_intent_is_looked_at_when_its_shop_is_ours_and_not_before() {
    let bench = Bench::new().await;
    assert_eq!(bench.import(vec![imported("i1", 1, &["r-1"], 5)]).await, [Outcome::Applied]);
    let referred = async || bench.store.referred("loket", "r-1").await.unwrap();
    assert_eq!(referred().await.map(|it| it.owner), Some(Side::Legacy));
    let woken = async || bench.store.woken(Timestamp(9), 9).await.unwrap();
    assert_eq!(woken().await, []);
    bench.flip(Side::Backend, 1, 2).await;
    assert_eq!(referred().await.map(|it| it.owner), Some(Side::Backend));
    assert_eq!(woken().await, [Woken { shop: bench.shop.clone(), intent: id("i1"), at: Timestamp(0) }]);
}

#[tokio::test]
async fn a_reference_that_two_payments_of_a_source_share_is_refused_to_the_second() {
    let bench = Bench::new().await;
    let unfit = Outcome::Unfit { why: "the reference r-1 is another payment's".to_owned() };
    let both = vec![imported("i1", 1, &["r-1"], 5), imported("i2", 1, &["r-2", "r-1"], 5)];
    assert_eq!(bench.import(both).await, [Outcome::Applied, unfit.clone()]);
    assert_eq!(bench.import(vec![imported("i2", 2, &["r-2"], 5)]).await, [Outcome::Applied]);
    assert_eq!(bench.import(vec![imported("i2", 3, &["r-1"], 5)]).await, [unfit]);
    assert_eq!(bench.store.referred("loket", "r-1").await.unwrap().unwrap().intent, id("i1"));
    // What is gone in the source gives its references back.
    bench.import(vec![gone(Kind::Intent, "i1", 4)]).await;
    assert_eq!(bench.import(vec![imported("i2", 5, &["r-1"], 5)]).await, [Outcome::Applied]);
}

#[tokio::test]
async fn an_intent_and_an_order_of_one_id_have_books_of_their_own() {
    let bench = Bench::new().await;
    let entry = Entry { order: id("7"), account: "payable".into(), currency: "IDR".into(), amount: -9 };
    let what = What::Live { id: id("7"), document: Record::default(), stock: vec![], entries: vec![entry], wake: None };
    let order = Imported { kind: Kind::Order, origin: Origin::new("order:7"), tx: 1, what, made: None };
    bench.import(vec![imported("7", 1, &["r-1"], 5), order]).await;
    let sums = async || -> Vec<(String, i64)> {
        let sums = bench.store.ledger_sums(&bench.shop).await.unwrap();
        sums.into_iter().map(|sum| (sum.account.to_string(), sum.amount)).collect()
    };
    assert_eq!(sums().await, [("clearing".to_owned(), 5), ("payable".to_owned(), -9)]);
    bench.import(vec![gone(Kind::Intent, "7", 2)]).await;
    assert_eq!(sums().await, [("payable".to_owned(), -9)]);
}
