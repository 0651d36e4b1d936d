//! A shop goes there, back, there again, and is sealed; the other one stays.

use crate::world::{World, shop};
use mover::Verb;
use std::time::Duration;
use vocab::id::{Kind, PublicId, Side};

/// How long shoppers write before anybody wishes a flip.
const RUSH: Duration = Duration::from_secs(2);

async fn carts(world: &World, name: &str) -> Vec<String> {
    let page = world.store.documents(&shop(name), Kind::Cart, None::<&PublicId>, 10).await.unwrap();
    let words = page.iter().map(|(id, stored)| {
        format!("{id} {} {}", stored.document.text("state").unwrap(), stored.document.list("lines").len())
    });
    words.collect()
}

async fn owner(world: &World, name: &str) -> Side {
    world.store.head(&shop(name)).await.unwrap().unwrap().owner
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_goes_there_and_back_and_there_and_is_sealed_and_the_other_stays() {
    let mut world = World::new().await;
    world.begin();
    for name in ["7", "8"] {
        world.wish(name, Verb::Start).await;
    }
    world.until("7", "ready").await;
    world.until("8", "ready").await;
    world.legacy("update basket set state = 'C' where id = 2; delete from inside where id = 11").unwrap();
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    assert_eq!(carts(&world, "7").await, ["1 open 1", "2 canceled 0"]);
    let refused = world.legacy("update basket set state = 'A' where id = 2").unwrap_err().to_string();
    assert!(refused.contains("balik_fence"), "{refused}");
    world.legacy("update basket set state = 'B' where id = 3").unwrap();
    world.wish("7", Verb::Rollback).await;
    world.until("7", "ready").await;
    assert_eq!(owner(&world, "7").await, Side::Legacy);
    world.legacy("update basket set state = 'A' where id = 2").unwrap();
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    assert_eq!(carts(&world, "7").await, ["1 open 1", "2 open 0"]);
    world.wish("7", Verb::Seal).await;
    world.until("7", "sealed").await;
    assert_eq!((owner(&world, "7").await, owner(&world, "8").await), (Side::Backend, Side::Legacy));
    assert_eq!(carts(&world, "8").await, ["3 converted 1"]);
    assert!(world.store.findings(&shop("7")).await.unwrap().is_empty());
}

/// The staged rows are in one folder. A mover over another one would begin with none, and take from the stream what the first
/// one then never sees.
#[tokio::test(flavor = "multi_thread")]
async fn a_mover_over_another_folder_does_not_go_on_with_what_was_begun() {
    let mut world = World::shared().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    world.kill().await;
    let folder = world.another_folder();
    let stranger = tokio::spawn(mover::run(world.setup("elsewhere")));
    // The lease of the first is over by then.
    tokio::time::sleep(RUSH).await;
    assert!(!folder.join("staged.sqlite").exists(), "it began");
    world.wish("7", Verb::Flip).await;
    world.begin();
    world.until("7", "soaking").await;
    world.wish("7", Verb::Seal).await;
    world.until("7", "sealed").await;
    world.kill().await;
    // Nothing is under way any more: whoever comes may begin the next.
    world.wish("8", Verb::Start).await;
    world.until("8", "ready").await;
    assert!(folder.join("staged.sqlite").exists());
    stranger.abort();
}

/// What changes is derived and proven by turns, however much there is: a shop need not be quiet for a moment to flip.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_flips_while_its_shoppers_never_rest() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    let baskets = "insert into basket values (?1, 7, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05')";
    let writing = world.write_for_ever(baskets, Duration::from_millis(1));
    // More is to be proven than a hold begins on, by far, before anybody wishes one.
    tokio::time::sleep(RUSH).await;
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    let written = tokio::task::spawn_blocking(move || writing.join().unwrap()).await.unwrap();
    assert!(written > 500, "{written} are no rush");
    let carts =
        world.store.counts(&shop("7")).await.unwrap().iter().find(|count| count.kind == Kind::Cart).unwrap().documents;
    assert_eq!(i64::try_from(carts).unwrap(), written + 2);
}

/// What changes all the time is no reason to wait: it is proven when nobody may change it.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_is_verified_and_flips_while_one_of_its_baskets_never_rests() {
    let mut world = World::new().await;
    let again = "update basket set changed = datetime('2020-01-02 03:04:05', '+' || ?1 || ' seconds') where id = 1";
    let writing = world.write_for_ever(again, Duration::from_micros(200));
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    let entities = mover::entities(&world.store, &shop("7")).await.unwrap();
    let carts = entities.iter().find(|entity| entity.kind == Kind::Cart).unwrap();
    // This one is in both figures if it rested for once, else in neither; the other is in both.
    assert_eq!(carts.source.documents, carts.ours.documents);
    assert_eq!(carts.ours.documents.parse::<i64>().unwrap() + carts.changing, 2);
    world.wish("7", Verb::Flip).await;
    world.until("7", "soaking").await;
    let written = tokio::task::spawn_blocking(move || writing.join().unwrap()).await.unwrap();
    assert!(written > 500, "{written} are no rush");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mover_that_begins_anew_goes_on_with_what_happened_while_none_was_there() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    world.kill().await;
    world.legacy("insert into inside values (13, 2, 5, 1); update basket set state = 'C' where id = 2").unwrap();
    world.wish("7", Verb::Flip).await;
    world.begin();
    world.until("7", "soaking").await;
    assert_eq!(carts(&world, "7").await, ["1 open 2", "2 canceled 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_keeps_its_shop_and_no_other_from_moving_until_it_is_right() {
    let mut world = World::new().await;
    world.legacy("update basket set state = 'X' where id = 3").unwrap();
    world.begin();
    for name in ["7", "8"] {
        world.wish(name, Verb::Start).await;
        world.wish(name, Verb::Flip).await;
    }
    world.until("7", "soaking").await;
    let findings = world.store.findings(&shop("8")).await.unwrap();
    assert!(findings.iter().any(|found| found.finding.class.starts_with("mapping.")), "{findings:?}");
    assert_eq!(owner(&world, "8").await, Side::Legacy);
    world.legacy("update basket set state = 'A' where id = 3").unwrap();
    world.until("8", "soaking").await;
    assert!(world.store.findings(&shop("8")).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_blocks_unless_a_policy_accepts_exactly_so_much_of_it() {
    for (count, state) in [(2, "tracking"), (1, "soaking")] {
        let policy = format!("[[accept]]\nshop = '8'\nclass = 'mapping.word'\ncount = {count}");
        let mut world = World::with(&policy).await;
        let more = "insert into basket values (4, 8, 'X', '2020-01-02 03:04:08', '2020-01-02 03:04:08')";
        world.legacy(more).unwrap();
        world.begin();
        world.wish("8", Verb::Start).await;
        world.wish("8", Verb::Flip).await;
        world.until("8", state).await;
        if count == 2 {
            world.until_found("8", "control_total").await;
        }
        let found = world.store.findings(&shop("8")).await.unwrap();
        let refused = found.iter().find(|found| &*found.finding.class == "mapping.word").unwrap();
        let accepted = (count == 1).then_some("policy");
        assert_eq!(refused.accepted_by.as_deref(), accepted, "{found:?}");
        assert_eq!(owner(&world, "8").await, if count == 1 { Side::Backend } else { Side::Legacy });
        if count == 1 {
            assert_eq!(carts(&world, "8").await, ["3 open 1"]);
            let entity = mover::entities(&world.store, &shop("8")).await.unwrap().remove(0);
            let documents = [entity.source, entity.refused, entity.ours].map(|sums| sums.documents);
            assert_eq!(documents, ["2", "1", "1"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_rebuilt_while_no_mover_was_there_stops_its_shops_and_hides_nothing() {
    let mut world = World::new().await;
    world.begin();
    world.wish("7", Verb::Start).await;
    world.until("7", "ready").await;
    world.kill().await;
    let rebuild = "pragma legacy_alter_table = on; create table other(id integer primary key, shop_id integer not null, state text not null,
          made text not null, changed text not null);
        insert into other select * from basket; drop table basket; alter table other rename to basket;
        update basket set state = 'C' where id = 1";
    world.legacy(rebuild).unwrap();
    world.begin();
    world.wish("7", Verb::Flip).await;
    world.until_found("7", "guards.missing").await;
    // The guards stand again by now; what was written without them is still not in the stream.
    world.until_stopped("7", "guards.missing").await;
    assert_eq!(owner(&world, "7").await, Side::Legacy);
    assert_eq!(carts(&world, "7").await, ["1 open 2", "2 converted 0"]);
}
