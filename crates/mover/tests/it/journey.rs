//! A shop goes there, back, there again, and is sealed; the other one stays.

use crate::world::{World, shop};
use mover::Verb;
use vocab::id::{Kind, PublicId, Side};

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
