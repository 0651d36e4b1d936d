//! Invoice numbers over the whole way: there, back, and there again, with sales at every stage, each shop's are
//! 1, 2, 3 … with none left out; and a link that was given out once opens the same invoice for ever, whoever answers.

use crate::client::{filled_in, id, payment};
use crate::world::{Engine, World};
use futures_util::future::join_all;
use mover::Verb;
use serde_json::Value;
use std::collections::BTreeMap;
use vocab::id::{Kind, ShopId, Side};

/// Checkouts at once at each stage, every fourth of them declined.
const BUYERS: usize = 12;

/// Order, number and link, as they were shown first.
type Given = BTreeMap<String, (i64, String)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_series_goes_on_through_flip_rollback_and_flip_again_on_sqlite() {
    there_and_back_and_there(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_series_goes_on_through_flip_rollback_and_flip_again_on_postgres() {
    there_and_back_and_there(Engine::Postgres).await;
}

async fn there_and_back_and_there(engine: Engine) {
    let world = World::start(engine, 7, 2).await;
    let shop = world.shops[0].clone();
    let mut given = of_the_past(&world, &shop).await;
    world.start_moving().await;
    sell(&world, &shop, &mut given).await;
    for (nth, verb) in [Verb::Flip, Verb::Rollback, Verb::Flip].into_iter().enumerate() {
        let last = highest(&given);
        world.wish(verb, Some(&shop)).await;
        let owner = if verb == Verb::Flip { Side::Backend } else { Side::Legacy };
        assert_eq!(world.owner(&shop).await, owner);
        assert_eq!(recorded_at_flips(&world, &shop).await.get(nth), Some(&last), "the flip knows the last number");
        opens_all(&world, &shop, &given).await;
        sell(&world, &shop, &mut given).await;
    }
    // What the backend sold last is in the legacy too, under the same numbers, once the shop has gone home.
    world.wish(Verb::Rollback, Some(&shop)).await;
    opens_all(&world, &shop, &given).await;
    let of_legacy = world.column(&format!("select faktur from jual where toko_id = {shop} order by faktur")).await;
    let of_legacy: Vec<i64> = of_legacy.iter().map(|number| number.parse().unwrap()).collect();
    let sold = 60 + 4 * 9;
    assert_eq!((of_legacy, given.len()), ((1..=sold).collect(), usize::try_from(sold).unwrap()));
    // The other shop counted for itself and sold nothing.
    assert_eq!(world.store.last_serial(&world.shops[1], Kind::Order).await.unwrap(), Some(60));
}

/// Orders that the legacy had before anything moved, history to come among them.
async fn of_the_past(world: &World, shop: &ShopId) -> Given {
    let mut given = Given::new();
    for order in world.column(&format!("select nomor from jual where toko_id = {shop}")).await {
        remember(world, shop, &order, &mut given).await;
    }
    assert_eq!(given.len(), 60);
    given
}

async fn remember(world: &World, shop: &ShopId, order: &str, given: &mut Given) {
    let shown = world.get(shop, &format!("orders/{order}")).await.ok();
    let invoice = &shown["invoice"];
    let number: i64 = invoice["number"].as_str().unwrap().parse().unwrap();
    assert!(given.values().all(|(known, _)| *known != number), "{number} is given twice");
    given.insert(order.to_owned(), (number, invoice["url"].as_str().unwrap().to_owned()));
}

fn highest(given: &Given) -> i64 {
    given.values().map(|(number, _)| *number).max().unwrap()
}

/// Many buy at once and some are declined: the numbers go on where they were, and a declined payment takes none.
async fn sell(world: &World, shop: &ShopId, given: &mut Given) {
    let before = highest(given);
    let sql = "select id from produk where aktif = 'Y' and hapus = 0 and stok > 1000 and toko_id =";
    let product = world.one(&format!("{sql} {shop} order by id")).await;
    let mut paying = Vec::new();
    for nth in 0..BUYERS {
        let checkout = world.post(shop, "checkout-sessions", filled_in(&[(&product, 1)])).await;
        let path = format!("checkout-sessions/{}/complete", id(&checkout));
        let choice = if nth % 4 == 3 { "decline" } else { "approve" };
        paying.push(world.write("POST", shop, &path, &payment(choice)));
    }
    let answers = join_all(paying.iter().map(|request| world.send(request))).await;
    let sold: Vec<&Value> = answers.iter().map(|answer| &answer.body).filter(|body| !body["order"].is_null()).collect();
    assert_eq!(sold.len(), BUYERS * 3 / 4);
    for body in sold {
        remember(world, shop, &id(&body["order"]), given).await;
    }
    let mut fresh: Vec<i64> = given.values().map(|(number, _)| *number).filter(|number| *number > before).collect();
    fresh.sort_unstable();
    assert_eq!(fresh, (before + 1..=before + 9).collect::<Vec<_>>());
}

/// Every order that was ever shown has the number that it had, and its first link opens its invoice.
async fn opens_all(world: &World, shop: &ShopId, given: &Given) {
    for (order, (number, link)) in given {
        let shown = world.get(shop, &format!("orders/{order}")).await.ok();
        let invoice = &shown["invoice"];
        assert_eq!((invoice["number"].as_str(), invoice["url"].as_str()), (Some(&*number.to_string()), Some(&**link)));
        let (status, page) = world.open(link).await;
        assert!(status == 200 && page.contains(&format!(" {number}</h1>")), "{link}: {status} {page}");
        let (wrong, _) = link.split_at(link.len() - 1);
        assert_eq!(world.open(wrong).await.0, 404);
    }
}

/// The last invoice number that each flip wrote down, there and back.
async fn recorded_at_flips(world: &World, shop: &ShopId) -> Vec<i64> {
    let steps = world.store.steps(shop, 0).await.unwrap();
    let flips = steps.iter().filter(|step| &*step.step.step == "flip" && &*step.step.phase == "done");
    flips.map(|step| step.step.detail.int("invoice").unwrap()).collect()
}
