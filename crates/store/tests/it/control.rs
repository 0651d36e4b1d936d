//! The control door: heads with their step records, wishes, findings, blocks of ids, leases; over several handles.

use super::bench::{Bench, id, new_cart};
use std::collections::BTreeSet;
use store::{
    AcceptError, Acceptance, Block, Debt, Error, Finding, FindingCount, HeadError, Plan, PlanFile, PlannedShop, Store,
    Wish,
};
use tokio::task::JoinSet;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Origin, Part, Seq, ShopId, Side, Timestamp};

#[tokio::test]
async fn a_head_and_its_step_record_change_together_or_not_at_all() {
    let bench = Bench::flipped().await;
    bench.store.commit(bench.commit(vec![new_cart("c")])).await.unwrap();
    let late = bench.store.move_head(bench.change(Side::Legacy, 1, 3), bench.step("flip", 3)).await;
    assert!(matches!(late, Err(HeadError::WrongEpoch { head: Epoch(2) })));
    let backwards = bench.store.move_head(bench.change(Side::Legacy, 2, 1), bench.step("flip", 1)).await;
    assert!(matches!(backwards, Err(HeadError::Store(Error::Invalid(_)))));
    assert_eq!(bench.store.steps(&bench.shop, 0).await.unwrap().len(), 1);

    let seq = bench.store.move_head(bench.change(Side::Legacy, 2, 3), bench.step("flip", 3)).await.unwrap();
    let head = bench.head().await;
    assert_eq!((seq, head.seq, head.owner, head.epoch), (Seq(1), Seq(1), Side::Legacy, Epoch(3)));
    assert_eq!(bench.store.record_step(bench.step("release", 3)).await.unwrap(), 3);
    let steps = bench.store.steps(&bench.shop, 1).await.unwrap();
    assert_eq!(steps.iter().map(|step| (step.number, step.seq)).collect::<Vec<_>>(), [(2, Some(Seq(1))), (3, None)]);
    assert_eq!(steps[1].step, bench.step("release", 3));
}

#[tokio::test]
async fn records_that_are_stored_together_stand_in_their_order() {
    let bench = Bench::new().await;
    let together = vec![bench.step("drain", 2), bench.step("fence", 2)];
    assert_eq!(bench.store.record_steps(together.clone()).await.unwrap(), 2);
    assert_eq!(bench.store.record_steps(Vec::new()).await.unwrap(), 0);
    let stored = bench.store.steps(&bench.shop, 0).await.unwrap();
    assert_eq!(stored.into_iter().map(|stored| stored.step).collect::<Vec<_>>(), together);
    assert!(bench.store.take_lease("mover", "new", Timestamp(0), Timestamp(10)).await.unwrap());
    let late = bench.store.under_lease("mover", "old").record_steps(together).await;
    assert!(matches!(late, Err(Error::LeaseLost(_))));
    assert_eq!(bench.store.steps(&bench.shop, 0).await.unwrap().len(), 2);
}

#[tokio::test]
async fn heads_are_made_once() {
    let bench = Bench::flipped().await;
    let shops = ["s0", "s1"].map(|text| ShopId::parse(text).unwrap());
    bench.store.create_heads(&shops).await.unwrap();
    let heads = bench.store.heads().await.unwrap();
    let seen: Vec<_> = heads.iter().map(|head| (head.shop.as_str(), head.owner, head.epoch.0)).collect();
    assert_eq!(seen, [("s0", Side::Legacy, 1), ("s1", Side::Backend, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_changes_of_a_head_wins() {
    let bench = Bench::new().await;
    let other = Store::open(bench.dir.path()).unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let store = if n % 2 == 0 { bench.store.clone() } else { other.clone() };
        let (change, step) = (bench.change(Side::Backend, 1, 2), bench.step("flip", 2));
        tasks.spawn(async move { store.move_head(change, step).await });
    }
    let won = tasks.join_all().await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    assert_eq!(other.steps(&bench.shop, 0).await.unwrap().len(), 1);
}

#[test]
fn many_may_create_and_open_one_file_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(&dir.path().join("deep/er")).map(drop);
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}

#[tokio::test]
async fn the_newest_plan_reads_back_as_it_was() {
    let bench = Bench::new().await;
    assert_eq!(bench.store.plan().await.unwrap(), None);
    let file = |name: &str| PlanFile { name: name.to_owned(), text: "é\n\"x\"".to_owned() };
    let plan = Plan {
        source: "sqlite:legacy.db".to_owned(),
        mappings: vec![file("a.toml"), file("b.toml")],
        totals: vec![file("kios.totals.toml")],
        policy: String::new(),
        weights: vec![(Part::Cart, 4_000), (Part::Order, 6_000)],
        shops: vec![PlannedShop { shop: bench.shop.clone(), parts: vec![Part::Cart, Part::Order] }],
        deadline: None,
        created_at: Timestamp(5),
    };
    assert_eq!(bench.store.set_plan(&plan).await.unwrap(), 1);
    let next = Plan { totals: Vec::new(), deadline: Some(Timestamp(-1)), ..plan };
    assert_eq!(bench.store.set_plan(&next).await.unwrap(), 2);
    assert_eq!(bench.store.plan().await.unwrap(), Some(next));
}

#[tokio::test]
async fn a_wish_is_open_until_its_first_outcome() {
    let bench = Bench::new().await;
    let wish = |shop: Option<&ShopId>| Wish {
        shop: shop.cloned(),
        verb: "flip".into(),
        args: Record::default().with("n", 1),
        who: "ana".to_owned(),
        why: "wave 1".to_owned(),
        at: Timestamp(3),
    };
    let first = bench.store.wish(wish(None)).await.unwrap();
    let second = bench.store.wish(wish(Some(&bench.shop))).await.unwrap();
    assert!(second > first);
    let outcome = |code: &str| Record::default().with("code", code);
    bench.store.close_wish(first, outcome("done")).await.unwrap();
    bench.store.close_wish(first, outcome("late")).await.unwrap();
    let third = bench.store.wish(wish(None)).await.unwrap();
    bench.store.close_wish(third, outcome("done")).await.unwrap();
    // The first is older than all that is open, and says nothing any more.
    let standing = bench.store.standing_wishes().await.unwrap();
    let shown: Vec<_> = standing.iter().map(|one| (one.id, &one.wish, one.outcome.is_some())).collect();
    assert_eq!(shown, [(second, &wish(Some(&bench.shop)), false), (third, &wish(None), true)]);
    assert_eq!(bench.store.wish_outcome(first).await.unwrap(), Some(outcome("done")));
    assert_eq!(bench.store.wish_outcome(second).await.unwrap(), None);
}

fn finding(bench: &Bench, class: &str, origin: &str, detail: i64) -> Finding {
    Finding {
        shop: bench.shop.clone(),
        class: class.into(),
        kind: Kind::Order,
        origin: Origin::new(origin),
        detail: Record::default().with("n", detail),
    }
}

#[tokio::test]
async fn findings_are_accepted_by_exact_count_and_reopen_when_they_change() {
    let bench = Bench::new().await;
    for (class, origin) in [("scale", "o:1"), ("scale", "o:2"), ("other", "o:1")] {
        bench.store.open_finding(finding(&bench, class, origin, 1), Timestamp(7)).await.unwrap();
    }
    let accept = async |count| {
        let (who, why) = ("ana".to_owned(), "seen".to_owned());
        let acceptance = Acceptance { shop: Some(bench.shop.clone()), class: "scale".into(), count, who, why };
        bench.store.accept_findings(acceptance).await
    };
    assert!(matches!(accept(3).await, Err(AcceptError::CountDiffers { open: 2 })));
    accept(2).await.unwrap();
    // The same again stays accepted; a changed one is open again.
    bench.store.open_finding(finding(&bench, "scale", "o:1", 1), Timestamp(7)).await.unwrap();
    bench.store.open_finding(finding(&bench, "scale", "o:2", 2), Timestamp(7)).await.unwrap();
    let count = |class: &str, open, accepted| FindingCount { class: class.into(), open, accepted };
    let counts = async || bench.store.finding_counts(&bench.shop).await.unwrap();
    assert_eq!(counts().await, [count("other", 1, 0), count("scale", 1, 1)]);
    let found = bench.store.findings(&bench.shop).await.unwrap();
    assert_eq!(found[1].finding, finding(&bench, "scale", "o:1", 1));
    assert_eq!((found[1].accepted_by.as_deref(), found[1].accepted_why.as_deref()), (Some("ana"), Some("seen")));
    assert_eq!((found[1].since, found[2].accepted_why.as_deref()), (Some(Timestamp(7)), None));
    let closed = bench.store.close_findings(&bench.shop, Kind::Order, &Origin::new("o:1")).await.unwrap();
    assert_eq!((closed, counts().await), (2, vec![count("scale", 1, 0)]));
}

#[tokio::test]
async fn debts_are_counted_once_and_closed_with_their_document() {
    let bench = Bench::new().await;
    let debt = |name: &str, seq| Debt {
        shop: bench.shop.clone(),
        kind: Kind::Order,
        id: id("o1"),
        name: name.into(),
        seq: Seq(seq),
    };
    for debt in [debt("phone", 3), debt("phone", 2), debt("note", 4)] {
        bench.store.open_debt(debt).await.unwrap();
    }
    assert_eq!(bench.store.debts(&bench.shop).await.unwrap(), [debt("note", 4), debt("phone", 3)]);
    assert_eq!(bench.store.count_debts(&bench.shop).await.unwrap(), 2);
    assert_eq!(bench.store.close_debts(&bench.shop, Kind::Order, &id("o1")).await.unwrap(), 2);
    assert_eq!(bench.store.count_debts(&bench.shop).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_taken_through_two_handles_never_overlap() {
    let bench = Bench::new().await;
    bench.store.add_block("orders", 1_001, 2_000, Epoch(1)).await.unwrap();
    let stores = [bench.store.clone(), Store::open(bench.dir.path()).unwrap()];
    let mut tasks = JoinSet::new();
    for (n, store) in (0..100).zip(stores.iter().cycle()) {
        let store = store.clone();
        tasks.spawn(async move { store.take_ids("orders", 1 + n % 3).await.unwrap().unwrap() });
    }
    let ranges = tasks.join_all().await;
    let ids: Vec<i64> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(ids.iter().min().zip(ids.iter().max()), Some((&1_001, &1_199)));
}

#[tokio::test]
async fn ids_come_in_a_row_from_one_block_until_all_are_dry() {
    let bench = Bench::new().await;
    let store = &bench.store;
    store.add_block("t", 1, 5, Epoch(1)).await.unwrap();
    store.add_block("t", 11, 20, Epoch(2)).await.unwrap();
    store.add_block("t", 1, 5, Epoch(3)).await.unwrap();
    for (from, to) in [(5, 10), (0, 100), (20, 20), (9, 8)] {
        assert!(matches!(store.add_block("t", from, to, Epoch(1)).await, Err(Error::Invalid(_))), "{from} {to}");
    }
    for (n, taken) in [(3, Some((1, 3))), (3, Some((11, 13))), (2, Some((4, 5))), (7, Some((14, 20))), (1, None)] {
        assert_eq!(store.take_ids("t", n).await.unwrap(), taken);
    }
    let block = |from, to, epoch| Block { from, to, next: to + 1, epoch: Epoch(epoch) };
    assert_eq!(store.blocks("t").await.unwrap(), [block(1, 5, 1), block(11, 20, 2)]);
    assert_eq!(store.take_ids("unknown", 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_lease_is_its_holders_until_it_ends_or_is_dropped() {
    let bench = Bench::new().await;
    let take = async |holder: &str, now| {
        bench.store.take_lease("mover", holder, Timestamp(now), Timestamp(now + 10)).await.unwrap()
    };
    assert!(take("a", 0).await && take("a", 5).await);
    assert!(!take("b", 14).await);
    assert!(take("b", 15).await);
    bench.store.drop_lease("mover", "a").await.unwrap();
    assert!(!take("a", 16).await);
    bench.store.drop_lease("mover", "b").await.unwrap();
    assert!(take("a", 16).await);
    bench.store.seize_lease("mover", "b", Timestamp(30)).await.unwrap();
    assert!(!take("a", 29).await);
    // A holder that lived would have renewed it by the clock as it is: this one took it before the clock was set back.
    bench.store.seize_lease("mover", "a", Timestamp(1_010)).await.unwrap();
    assert!(!take("b", 995).await);
    assert!(take("b", 0).await);
    bench.store.seize_lease("mover", "b", Timestamp(30)).await.unwrap();
    let late = bench.store.under_lease("mover", "a").record_step(bench.step("flip", 2)).await;
    assert!(matches!(late, Err(store::Error::LeaseLost(_))));
}

#[tokio::test]
async fn whoever_lost_the_lease_records_nothing_and_changes_no_head() {
    let bench = Bench::new().await;
    let (old, new) = (bench.store.under_lease("mover", "old"), bench.store.under_lease("mover", "new"));
    assert!(bench.store.take_lease("mover", "old", Timestamp(0), Timestamp(10)).await.unwrap());
    old.record_step(bench.step("flip", 2)).await.unwrap();
    assert!(bench.store.take_lease("mover", "new", Timestamp(11), Timestamp(21)).await.unwrap());
    assert!(matches!(old.record_step(bench.step("flip", 2)).await, Err(store::Error::LeaseLost(_))));
    let flip = || bench.change(Side::Backend, 1, 2);
    assert!(matches!(
        old.move_head(flip(), bench.step("flip", 2)).await,
        Err(HeadError::Store(store::Error::LeaseLost(_)))
    ));
    assert_eq!(bench.store.head(&bench.shop).await.unwrap().unwrap().owner, Side::Legacy);
    assert_eq!(bench.store.steps(&bench.shop, 0).await.unwrap().len(), 1);
    new.move_head(flip(), bench.step("flip", 2)).await.unwrap();
}

#[tokio::test]
async fn a_note_is_what_was_noted_last() {
    let bench = Bench::new().await;
    let note = |n: i64| Record::default().with("n", n);
    assert_eq!(bench.store.noted("position").await.unwrap(), None);
    bench.store.note("position", note(1)).await.unwrap();
    bench.store.note("position", note(2)).await.unwrap();
    assert_eq!(bench.store.noted("position").await.unwrap(), Some(note(2)));
}
