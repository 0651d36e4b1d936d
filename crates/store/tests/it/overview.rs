//! Reads over all shops at once: they say what the reads of one shop say.

use super::bench::Bench;
use store::{Acceptance, Debt, Finding, FindingKey, Step, Wish};
use vocab::document::Record;
use vocab::id::{Direction, Kind, Origin, PublicId, Seq, ShopId, Side, Timestamp};

fn finding(shop: &ShopId, class: &str, origin: &str) -> Finding {
    Finding {
        shop: shop.clone(),
        class: class.into(),
        kind: Kind::Order,
        origin: Origin::new(origin),
        detail: Record::default().with("what", origin),
    }
}

#[tokio::test]
async fn findings_and_debts_are_counted_by_shop_and_read_by_page() {
    let bench = Bench::new().await;
    let other = ShopId::parse("s0").unwrap();
    bench.store.create_heads(std::slice::from_ref(&other)).await.unwrap();
    for (shop, class, origin) in [(&bench.shop, "a", "x:1"), (&bench.shop, "a", "x:2"), (&other, "b", "x:1")] {
        bench.store.open_finding(finding(shop, class, origin), Timestamp(7)).await.unwrap();
    }
    // Of all shops together.
    let (who, why) = ("somebody".to_owned(), "seen".to_owned());
    let acceptance = Acceptance { shop: None, class: "b".into(), count: 1, who, why };
    bench.store.accept_findings(acceptance).await.unwrap();
    let debt = Debt { shop: other.clone(), kind: Kind::Order, id: PublicId::new("1"), name: "d".into(), seq: Seq(1) };
    bench.store.open_debt(debt).await.unwrap();
    let counts = bench.store.shop_counts().await.unwrap();
    let counts = counts.iter().map(|one| (one.shop.as_str(), one.findings_open, one.findings_accepted, one.debts));
    assert_eq!(counts.collect::<Vec<_>>(), [("s0", 0, 1, 1), ("s1", 2, 0, 0)]);
    let classes = bench.store.finding_classes().await.unwrap();
    let classes = classes.iter().map(|one| (&*one.class, one.open, one.accepted));
    assert_eq!(classes.collect::<Vec<_>>(), [("a", 2, 0), ("b", 0, 1)]);
    let read = async |shop: Option<&ShopId>, class: Option<&str>, skip: usize| {
        let page = bench.store.findings_page(shop, class, skip, 2).await.unwrap();
        let line = |one: &store::FoundFinding| format!("{} {}", one.finding.shop, one.finding.origin);
        page.iter().map(line).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(read(None, None, 0).await, "s0 x:1, s1 x:1");
    assert_eq!(read(None, None, 2).await, "s1 x:2");
    assert_eq!(read(Some(&bench.shop), None, 0).await, "s1 x:1, s1 x:2");
    assert_eq!(read(None, Some("b"), 0).await, "s0 x:1");
    let key = FindingKey { shop: other, class: "b".into(), kind: Kind::Order, origin: Origin::new("x:1") };
    assert_eq!(bench.store.finding(&key).await.unwrap().unwrap().accepted_by.as_deref(), Some("somebody"));
    assert_eq!(bench.store.finding(&FindingKey { shop: bench.shop.clone(), ..key }).await.unwrap(), None);
}

#[tokio::test]
async fn flips_and_the_lengths_of_holds_are_read_from_the_records() {
    let bench = Bench::new().await;
    let step = |name: &str, phase: &str, epoch: u64, at: i64| Step {
        phase: phase.into(),
        at: Timestamp(at),
        ..bench.step(name, epoch)
    };
    let records = vec![
        step("hold", "intent", 2, 10),
        step("abort", "done", 2, 20),
        step("release", "done", 2, 30),
        step("hold", "intent", 3, 100),
        step("flip", "intent", 3, 130),
        step("flip", "done", 3, 140),
        step("release", "done", 3, 150),
        Step { direction: Direction::ToLegacy, ..step("flip", "done", 4, 240) },
    ];
    bench.store.record_steps(records).await.unwrap();
    let flips = async |since: i64| {
        let flips = bench.store.flips(Timestamp(since)).await.unwrap();
        flips.iter().map(|flip| (flip.at.0, flip.direction.target())).collect::<Vec<_>>()
    };
    assert_eq!(flips(0).await, [(140, Side::Backend), (240, Side::Legacy)]);
    assert_eq!(flips(240).await, [(240, Side::Legacy)]);
    let lengths = async |limit: usize| {
        let lengths = bench.store.hold_lengths(limit).await.unwrap();
        lengths.iter().map(|one| (one.epoch.0, one.total_us, one.aborted)).collect::<Vec<_>>()
    };
    assert_eq!(lengths(9).await, [(3, 50, false), (2, 20, true)]);
    assert_eq!(lengths(1).await, [(3, 50, false)]);
}

#[tokio::test]
async fn the_newest_wishes_of_a_shop_are_its_own_and_those_for_all() {
    let bench = Bench::new().await;
    let wish = |shop: Option<&str>, verb: &str| Wish {
        shop: shop.map(|shop| ShopId::parse(shop).unwrap()),
        verb: verb.into(),
        args: Record::default(),
        who: "me".into(),
        why: "so".into(),
        at: Timestamp(7),
    };
    for (shop, verb) in [(None, "start"), (Some("s1"), "flip"), (Some("s2"), "flip"), (None, "pause")] {
        bench.store.wish(wish(shop, verb)).await.unwrap();
    }
    let read = async |shop: Option<&ShopId>, limit: usize| {
        let wishes = bench.store.newest_wishes(shop, limit).await.unwrap();
        wishes.iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(read(Some(&bench.shop), 9).await, [4, 2, 1]);
    assert_eq!(read(Some(&bench.shop), 1).await, [4]);
    assert_eq!(read(None, 9).await, [4, 3, 2, 1]);
}

#[tokio::test]
async fn a_plan_has_a_version_once_it_is_there() {
    let bench = Bench::new().await;
    assert_eq!(bench.store.plan_version().await.unwrap(), None);
}
