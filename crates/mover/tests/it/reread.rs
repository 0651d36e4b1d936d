//! Findings accepted and read again: what stopped a shop is mended in place, whenever the mover dies over it; what is true no
//! more goes away; and nobody accepts another number than there is.

use crate::world::{World, shop};
use mover::Verb;
use store::RecordedStep;
use vocab::document::Record;
use vocab::id::{Kind, PublicId};

/// The changes of the legacy that follow in one transaction are in no stream: it forgets them before anybody reads them.
const UNSEEN: &str = "delete from balik_changes where tbl in ('basket', 'inside')";
/// The log is gone from here on, and with it whatever was written since the mover died.
const LOSE: &str = "delete from balik_changes;
    update balik_origin set acknowledged = (select seq from sqlite_sequence where name = 'balik_changes')";

async fn carts(world: &World, name: &str) -> Vec<String> {
    let page = world.store.documents(&shop(name), Kind::Cart, None::<&PublicId>, 10).await.unwrap();
    let words = page.iter().map(|(id, stored)| {
        format!("{id} {} {}", stored.document.text("state").unwrap(), stored.document.list("lines").len())
    });
    words.collect()
}

fn class(name: &str) -> Record {
    Record::default().with("class", name)
}

/// Both shops ready; then the mover is away while rows are changed, and the log of that is lost.
async fn lost() -> World {
    let mut world = World::new().await;
    world.begin();
    for name in ["7", "8"] {
        world.wish(name, Verb::Start).await;
        world.until(name, "ready").await;
    }
    world.kill().await;
    let changes = "update basket set state = 'C' where id = 1; delete from inside where id = 10;
        delete from basket where id = 2; insert into basket values (4, 7, 'A', '2020-01-02 03:04:08', '2020-01-02 03:04:08');
        update basket set state = 'D' where id = 3;";
    world.legacy(&format!("begin immediate; {changes} {LOSE}; commit")).unwrap();
    world.begin();
    for name in ["7", "8"] {
        world.until_stopped(name, "stream.lost").await;
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_log_was_lost_is_copied_again_in_place_and_the_other_waits_for_its_own_turn() {
    let world = lost().await;
    let wish = world.wish_of(Some("7"), Verb::Reread, class("stream.lost")).await;
    assert_eq!(world.outcome(wish).await.bool("fulfilled"), Some(true));
    world.until("7", "ready").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 1", "4 open 0"]);
    assert_eq!(world.open("7").await, Vec::<String>::new());
    // The stream goes on for both; what the other one's copy missed is still missing.
    assert_eq!(world.open("8").await, ["stream.lost"]);
    assert_eq!(carts(&world, "8").await, ["3 open 1"]);
    world.legacy("update basket set state = 'B' where id = 4").unwrap();
    let all = world.wish_of(None, Verb::Reread, Record::default()).await;
    assert_eq!(world.outcome(all).await.bool("fulfilled"), Some(true));
    world.until("8", "ready").await;
    assert_eq!(carts(&world, "8").await, ["3 expired 1"]);
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 1", "4 converted 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mover_that_dies_anywhere_in_it_leaves_it_to_the_next_one() {
    let mut world = lost().await;
    let wish = world.wish_of(Some("7"), Verb::Reread, Record::default()).await;
    for (step, phase) in
        [("reread", "intent"), ("reread", "done"), ("copy", "intent"), ("copy", "done"), ("track", "done")]
    {
        let before = world.store.steps(&shop("7"), 0).await.unwrap().len();
        let reached = |steps: &[RecordedStep]| {
            // What a mover before this one did is not waited for: it may have gone on beyond.
            let new = &steps[before.saturating_sub(1).min(steps.len())..];
            new.iter().any(|one| (&*one.step.step, &*one.step.phase) == (step, phase) || &*one.step.step == "verify")
        };
        world.until_recorded("7", reached).await;
        world.kill().await;
        assert_eq!(world.open("8").await, ["stream.lost"], "killed at {step} {phase}");
        world.begin();
    }
    assert_eq!(world.outcome(wish).await.bool("fulfilled"), Some(true));
    world.until("7", "ready").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 1", "4 open 0"]);
    assert_eq!((world.open("7").await, world.open("8").await), (vec![], vec!["stream.lost".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_lost_its_triggers_gets_them_back_and_its_shop_is_copied_again() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    // While the mover lives: it sees it at its next look.
    let rebuild = "pragma legacy_alter_table = on; begin immediate; create table other(id integer primary key, shop_id integer not null,
        state text not null, made text not null, changed text not null);
        insert into other select * from basket; drop table basket; alter table other rename to basket;
        update basket set state = 'C' where id = 1; commit";
    world.legacy(rebuild).unwrap();
    world.until_stopped("7", "guards.missing").await;
    let wish = world.wish_of(Some("7"), Verb::Reread, Record::default()).await;
    assert_eq!(world.outcome(wish).await.bool("fulfilled"), Some(true));
    world.until("7", "ready").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 2", "2 converted 0"]);
    // Capture and fence stand again.
    world.legacy("update basket set state = 'D' where id = 2").unwrap();
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 2", "2 expired 0"]);
    assert!(
        world.legacy("update basket set state = 'A' where id = 1").unwrap_err().to_string().contains("balik_fence")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_table_is_not_read_again_before_it_has_the_declared_shape() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    world
        .legacy("alter table basket rename column changed to other; update basket set state = 'C' where id = 1")
        .unwrap();
    world.until_stopped("7", "schema.changed").await;
    let early = world.wish_of(Some("7"), Verb::Reread, Record::default()).await;
    let outcome = world.outcome(early).await;
    assert_eq!((outcome.bool("fulfilled"), outcome.text("refused")), (Some(false), Some("not_mended")));
    assert!(outcome.text("why").unwrap().contains("basket"), "{outcome:?}");
    assert_eq!(world.open("7").await, ["schema.changed"]);
    world.legacy("alter table basket rename column other to changed").unwrap();
    let wish = world.wish_of(Some("7"), Verb::Reread, Record::default()).await;
    assert_eq!(world.outcome(wish).await.bool("fulfilled"), Some(true));
    world.until("7", "ready").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 2", "2 converted 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_is_read_again_by_key_and_a_finding_that_is_true_no_more_goes_away() {
    let mut world = World::new().await;
    world.legacy("update basket set state = 'X' where id = 3").unwrap();
    world.begin();
    world.wish("8", Verb::Start).await;
    world.until_found("8", "mapping.word").await;
    world.until_found("8", "control_total").await;
    let idle = world.wish_of(Some("8"), Verb::Reread, class("mapping.word")).await;
    let outcome = world.outcome(idle).await;
    // It is read again, and still true.
    assert_eq!((outcome.bool("fulfilled"), outcome.int("read"), outcome.int("left")), (Some(true), Some(1), Some(1)));
    let mend = "update basket set state = 'D' where id = 3; delete from inside where id = 12;
        insert into inside values (14, 3, 9, 1), (15, 3, 9, 1);";
    world.legacy(&format!("begin immediate; {mend} {UNSEEN}; commit")).unwrap();
    let wish = world.wish_of(Some("8"), Verb::Reread, class("mapping.word")).await;
    let outcome = world.outcome(wish).await;
    assert_eq!((outcome.int("read"), outcome.int("left")), (Some(1), Some(0)), "{outcome:?}");
    assert_eq!(carts(&world, "8").await, ["3 expired 2"]);
    world.until("8", "ready").await;
    assert_eq!(world.open("8").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_because_a_change_was_never_told_is_read_again() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    world.legacy(&format!("begin immediate; update basket set state = 'C' where id = 1; {UNSEEN}; commit")).unwrap();
    // A move to the backend, and the way back: what was never told is seen by the verification that follows.
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    world.wish("7", Verb::Rollback).await;
    world.until_found("7", "verify.digest").await;
    let found = world.store.findings(&shop("7")).await.unwrap();
    let detail = &found.iter().find(|one| &*one.finding.class == "verify.digest").unwrap().finding.detail;
    assert_eq!(detail.list("aggregates").len(), 1, "{detail:?}");
    let wish = world.wish_of(Some("7"), Verb::Reread, class("verify.digest")).await;
    let outcome = world.outcome(wish).await;
    assert_eq!((outcome.int("read"), outcome.int("left")), (Some(1), Some(0)), "{outcome:?}");
    world.until("7", "ready").await;
    assert_eq!(carts(&world, "7").await, ["1 canceled 2", "2 converted 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_accepted_by_their_exact_number_and_one_that_comes_later_is_open() {
    let mut world = World::new().await;
    world.legacy("update basket set state = 'X' where shop_id = 7").unwrap();
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until_found("7", "mapping.word").await;
    world.until_found("7", "control_total").await;
    let accept = async |name: Option<&str>, what: &str, count: i64| {
        let wish = world.wish_of(name, Verb::Accept, class(what).with("count", count)).await;
        let outcome = world.outcome(wish).await;
        outcome.text("refused").unwrap_or("accepted").to_owned()
    };
    assert_eq!(accept(Some("7"), "mapping.word", 1).await, "count_differs");
    assert_eq!(accept(Some("7"), "mapping.word", 3).await, "count_differs");
    assert_eq!(accept(Some("8"), "mapping.word", 2).await, "count_differs");
    assert_eq!(accept(Some("7"), "stream.lost", 0).await, "not_acceptable");
    assert_eq!(accept(Some("7"), "mapping.word", 2).await, "accepted");
    let found = world.store.findings(&shop("7")).await.unwrap();
    let word = found.iter().find(|one| &*one.finding.class == "mapping.word").unwrap();
    assert_eq!((word.accepted_by.as_deref(), word.accepted_why.as_deref()), (Some("ana"), Some("seen")));
    assert!(word.since.is_some());
    // What is refused and accepted so is left out of the totals, so the shop can move.
    world.until("7", "ready").await;
    world.legacy("insert into basket values (5, 7, 'X', '2020-01-02 03:04:08', '2020-01-02 03:04:08')").unwrap();
    world.until("7", "tracking").await;
    assert_eq!(world.open("7").await, ["mapping.word"]);
    // The same number again is not the same findings: only what is open counts.
    assert_eq!(accept(Some("7"), "mapping.word", 3).await, "count_differs");
    assert_eq!(accept(None, "mapping.word", 1).await, "accepted");
    world.until("7", "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_whose_fault_turns_into_another_has_only_the_new_finding() {
    let mut world = World::new().await;
    world.legacy("update basket set state = 'X' where id = 3").unwrap();
    world.begin();
    world.wish("8", Verb::Start).await;
    world.until_found("8", "mapping.word").await;
    world.legacy("update basket set state = 'A', made = 'yesterday' where id = 3").unwrap();
    world.until_found("8", "mapping.instant").await;
    world.until_open("8", "mapping.word", 0).await;
}

/// Somebody with the legacy's database open writes past the fence.
fn rogue(world: &World, sql: &str) {
    let open = "update balik_fence set closed = 0 where shop = '7'";
    let close = "update balik_fence set closed = 1 where shop = '7'";
    world.legacy(&format!("begin immediate; {open}; {sql}; {close}; commit")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rogue_wrote_is_read_again_and_reported_and_gone_when_it_is_undone() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    rogue(&world, "update basket set state = 'C' where id = 1");
    world.until_found("7", "rogue_watch").await;
    let reread = async || {
        let wish = world.wish_of(Some("7"), Verb::Reread, class("rogue_watch")).await;
        let outcome = world.outcome(wish).await;
        (outcome.int("read"), outcome.int("left"))
    };
    assert_eq!(reread().await, (Some(1), Some(1)));
    let found = world.store.findings(&shop("7")).await.unwrap();
    let rogue_watch = &found.iter().find(|one| &*one.finding.class == "rogue_watch").unwrap().finding;
    assert_eq!(rogue_watch.detail.list("aggregates").len(), 1, "{rogue_watch:?}");
    rogue(&world, "update basket set state = 'A' where id = 1");
    world.until_open("7", "rogue_watch", 2).await;
    assert_eq!(reread().await.1, Some(0));
    let left = world.open("7").await;
    assert!(!left.contains(&"rogue_watch".to_owned()), "{left:?}");
}
