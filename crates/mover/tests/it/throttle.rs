//! What shoppers wait slows down the copy of a shop, and nothing else; and the copy ends.

use crate::world::{World, shop};
use cutover::bounds::THROTTLE_ROWS_MIN;
use cutover::latency::{Counts, note_of};
use mover::Verb;
use std::time::Duration;
use vocab::document::Record;
use vocab::id::{Kind, PublicId};

const PATIENCE: Duration = Duration::from_secs(120);
/// In such a time a mover that derives does much.
const STILL: Duration = Duration::from_millis(500);
/// Baskets of a shop whose copy is not over before its throttle has fallen to the least rate.
const LARGE: u32 = 1_200;
/// And of one whose first derivation is not over by then.
const LARGER: u32 = 10_000;

/// So many baskets more, from this id on.
fn baskets(name: &str, from: u32, many: u32) -> String {
    format!(
        "with recursive n(at) as (select {from} union all select at + 1 from n where at + 1 < {from} + {many})
         insert into basket select at, {name}, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05' from n"
    )
}

/// A large shop 7, whose copy is under way and hurts: it is at the least rate. Shop 8 is ready.
async fn slowed_down(many: u32) -> World {
    let mut world = World::new().await;
    world.legacy(&baskets("7", 1_000, many)).unwrap();
    world.shoppers_wait(1_000, 90_000);
    world.begin();
    world.wish("8", Verb::Start).await;
    world.until("8", "ready").await;
    world.wish("7", Verb::Start).await;
    let least = i64::try_from(THROTTLE_ROWS_MIN).unwrap();
    until(&world, "slowed down", |_, throttle| {
        throttle.is_some_and(|throttle| throttle.int("rows_per_s") == Some(least))
    })
    .await;
    world
}

/// Waits until shop 7 has such a state and throttle.
async fn until(world: &World, what: &str, is: impl Fn(&str, Option<&Record>) -> bool) {
    let waiting = async {
        loop {
            let board = mover::status(&world.store).await.unwrap();
            let row = board.record("7").cloned().unwrap_or_default();
            if is(row.text("state").unwrap_or("planned"), row.record("throttle")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not {what}: {:?}", mover::status(&world.store).await.unwrap());
}

async fn carts(world: &World, name: &str) -> usize {
    world.store.documents(&shop(name), Kind::Cart, None::<&PublicId>, 100_000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_hurts_is_slowed_down_and_ends() {
    let world = slowed_down(LARGE).await;
    until(&world, "ready", |state, throttle| state == "ready" && throttle.is_none()).await;
    assert_eq!(carts(&world, "7").await, usize::try_from(LARGE).unwrap() + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shoppers_change_is_captured_and_derived_while_nothing_has_a_turn() {
    let world = slowed_down(LARGER).await;
    // Whoever takes turns takes none while all shops are paused.
    world.wish_of(None, Verb::Pause, Record::default()).await;
    until(&world, "paused", |_, throttle| throttle.and_then(|throttle| throttle.text("why")) == Some("paused")).await;
    let (before, many) = (carts(&world, "8").await, 3_000);
    world.legacy(&baskets("8", 100_000, many)).unwrap();
    let derived = async {
        while carts(&world, "8").await < before + usize::try_from(many).unwrap() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, derived).await.unwrap();
    until(&world, "still paused", |state, throttle| {
        assert_ne!(state, "ready");
        throttle.and_then(|throttle| throttle.text("why")) == Some("paused")
    })
    .await;
    world.wish("7", Verb::Resume).await;
    until(&world, "going on", |state, throttle| {
        state == "ready" || throttle.is_some_and(|throttle| throttle.text("why") != Some("paused"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_paused_in_its_first_derivation_stays_so_under_the_next_mover() {
    let mut world = slowed_down(LARGER).await;
    while carts(&world, "7").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.wish_of(None, Verb::Pause, Record::default()).await;
    until(&world, "paused", |_, throttle| throttle.and_then(|throttle| throttle.text("why")) == Some("paused")).await;
    world.kill().await;
    world.begin();
    // What was on its way into the store when the mover died may still arrive.
    tokio::time::sleep(STILL).await;
    let before = carts(&world, "7").await;
    tokio::time::sleep(4 * STILL).await;
    assert_eq!(carts(&world, "7").await, before, "nobody derives a paused shop");
    world.wish("7", Verb::Resume).await;
    while carts(&world, "7").await == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_turns_the_throttle_off() {
    let mut world = World::with("throttle = false").await;
    world.legacy(&baskets("7", 1_000, LARGE)).unwrap();
    world.shoppers_wait(1_000, 90_000);
    world.begin();
    world.wish("7", Verb::Start).await;
    until(&world, "ready", |state, throttle| {
        assert!(throttle.is_none(), "{throttle:?}");
        state == "ready"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shoppers_waited_is_kept_before_during_and_after_the_move() {
    let mut world = World::new().await;
    world.shoppers_wait(2_000, 2_000);
    world.begin();
    world.wish("8", Verb::Start).await;
    world.until("8", "ready").await;
    assert!(kept(&world, "before").await > 0);
    until_kept(&world, "during").await;
    assert_eq!(kept(&world, "after").await, 0, "the legacy owns it");
    world.wish("8", Verb::Flip).await;
    world.until("8", "soaking").await;
    until_kept(&world, "after").await;
    // The next mover adds to what there is.
    let before = kept(&world, "after").await;
    world.kill().await;
    world.begin();
    let more = async {
        while kept(&world, "after").await <= before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, more).await.unwrap();
}

/// How many waits are kept of a time of shop 8's move.
async fn kept(world: &World, when: &str) -> u64 {
    let note = world.store.noted(&note_of(&shop("8"))).await.unwrap().unwrap_or_default();
    note.text(when).map_or(0, |text| Counts::from_text(text).unwrap().total())
}

async fn until_kept(world: &World, when: &str) {
    let waiting = async {
        while kept(world, when).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("nothing is kept of {when}"));
}
