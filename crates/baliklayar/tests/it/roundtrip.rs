//! There, every command, and back: what the legacy then shows, and which of its cells are not what they were.
//!
//! One shop for each command, so that each is seen alone, and one shop for all of them. The cells that a command may
//! change are a list written by hand beside the legacy's schema; the rows are told by the deed itself.

mod cells;
mod deeds;
mod later;
mod stage;

use crate::client::{amount, filled_in, id, line_items, payment};
use crate::world::{Engine, How, World};
use baliklayar::serving::clock;
use cells::{Intended, differences};
use deeds::Deed;
use mover::Verb;
use serde_json::{Value, json};
use stage::{Meant, Stage};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{Kind, ShopId, Side, Timestamp};

/// The content of everything that was ever shown, by what was asked.
type Shown = BTreeMap<String, Value>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_backend_did_is_there_after_the_way_back_and_nothing_else_on_sqlite() {
    there_and_back(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_backend_did_is_there_after_the_way_back_and_nothing_else_on_postgres() {
    there_and_back(Engine::Postgres).await;
}

async fn there_and_back(engine: Engine) {
    let t0 = std::time::Instant::now();
    let tick = |w: &str| eprintln!("{engine:?} {w} {:?}", t0.elapsed());
    let shops = u32::try_from(Deed::ALL.len()).unwrap() + 1;
    let world = World::start_as(How { provider: true, ..How::new(engine, 11, shops) }).await;
    let mut stages = stages(&world).await;
    world.start_moving().await;
    tick("every_entity_is_counted");
    every_entity_is_counted(&world).await;

    let intended = Intended::read();
    let before = look(&world, &stages).await;
    world.wish(Verb::Flip, None).await;
    same(&before, &look(&world, &stages).await, "after the flip");
    tick("let at_flip");
    let at_flip = world.dump().await;
    let mut meant = BTreeMap::new();
    for stage in &mut stages {
        meant.insert(stage.shop.clone(), act(&world, stage).await);
    }
    tick("let sold");
    let sold = look(&world, &stages).await;
    world.wish(Verb::Rollback, None).await;
    tick("let after");
    let after = world.dump().await;
    tick("let shown");
    let shown = look(&world, &stages).await;
    same(&sold, &shown, "after the rollback");
    same_history(&before, &sold, &shown);
    check(&intended, &meant, &differences(&at_flip, &after));

    tick("sells_on");
    sells_on(&world, &mut stages).await;
    pays_on(&world, &mut stages).await;
    tick("second_move");
    second_move(&world, &mut stages, &intended).await;
}

/// One deed for each shop, and for the last shop all of them.
async fn stages(world: &World) -> Vec<Stage> {
    let alone = Deed::ALL.iter().map(|deed| vec![*deed]).chain([[&Deed::MORE[..], &Deed::ALL].concat()]);
    let mut stages = Vec::new();
    for (shop, deeds) in world.shops.iter().zip(alone) {
        let mut stage = Stage::new(world, shop, deeds).await;
        for _ in stage.deeds.clone().into_iter().filter(|deed| deed.pays_later()) {
            let goods = stage.goods(world, 2).await;
            let body = filled_in(&[(goods[0].as_str(), 2), (goods[1].as_str(), 1)]);
            let checkout = world.post(shop, "checkout-sessions", body).await;
            stage.show(&format!("checkout-sessions/{}", id(&checkout)));
        }
        stages.push(stage);
    }
    stages
}

/// L8: the control totals, written by hand, agreed for every kind of document of every shop.
async fn every_entity_is_counted(world: &World) {
    for shop in &world.shops {
        let entities = mover::entities(&world.store, shop).await.unwrap();
        for kind in [Kind::Shop, Kind::Product, Kind::Cart, Kind::Checkout, Kind::Order, Kind::Idempotency] {
            let of_kind: Vec<_> = entities.iter().filter(|entity| entity.kind == kind).collect();
            assert!(!of_kind.is_empty(), "shop {shop}: no total of {}", kind.name());
            for entity in of_kind {
                assert_eq!(entity.source, entity.ours, "shop {shop}: {}", kind.name());
                assert_ne!(entity.source.documents, "", "shop {shop}: {} is not counted", kind.name());
            }
        }
    }
}

async fn act(world: &World, stage: &mut Stage) -> Meant {
    stage.begin(world).await;
    let mut meant = Meant::default();
    for deed in stage.deeds.clone() {
        meant.add(deed.perform(world, stage).await);
    }
    meant
}

/// Asks for everything that was ever shown.
async fn look(world: &World, stages: &[Stage]) -> Shown {
    let mut shown = Shown::new();
    for stage in stages {
        let shop = &stage.shop;
        for path in &stage.shown {
            let answer = world.get(shop, path).await;
            assert_eq!(answer.status, 200, "shop {shop} {path}: {}", answer.body);
            shown.insert(format!("{shop}/{path}"), answer.body);
        }
        let products = world.look_up(shop, &stage.products).await;
        assert_eq!(products.status, 200, "shop {shop}: {}", products.body);
        shown.insert(format!("{shop}/products"), products.body);
    }
    shown
}

/// The same content under every id that was known before; others may have come.
fn same(before: &Shown, now: &Shown, when: &str) {
    let differ = before.iter().filter_map(|(what, content)| {
        let found = now.get(what).unwrap_or_else(|| panic!("{when}, nobody asked for {what}"));
        (!is_same(content, found)).then(|| format!("{what}: {content}\nis now {found}"))
    });
    let differ: Vec<String> = differ.collect();
    let first = differ[..differ.len().min(4)].join("\n");
    assert!(differ.is_empty(), "{when}, {} are not what they were; {first}", differ.len());
}

/// An order that breaks a live rule is shown as history where it was moved to: less, and nothing else.
fn is_same(one: &Value, other: &Value) -> bool {
    let history = |order: &Value| order["status"] == "history";
    if history(one) == history(other) {
        return declared(one) == declared(other);
    }
    let said = |order: &Value| {
        let line = |line: &Value| (line["item"]["title"].clone(), line["quantity"]["original"].clone());
        let lines: Vec<_> = order["line_items"].as_array().unwrap().iter().map(line).collect();
        (order["id"].clone(), order["permalink_url"].clone(), total(order), lines)
    };
    said(one) == said(other)
}

/// What an order came to, in hundredths.
fn total(order: &Value) -> i64 {
    match order["recorded_total"].as_str() {
        Some(decimal) => {
            let (whole, hundredths) = decimal.split_once('.').unwrap_or((decimal, "0"));
            whole.parse::<i64>().unwrap() * 100 + hundredths.parse::<i64>().unwrap()
        }
        None => amount(order, "total"),
    }
}

/// What the legacy shows of orders that were history meanwhile: exactly what it showed before.
fn same_history(before: &Shown, meanwhile: &Shown, now: &Shown) {
    let history: Vec<_> = meanwhile.iter().filter(|(_, content)| content["status"] == "history").collect();
    assert!(!history.is_empty());
    for (what, _) in history {
        assert_eq!(before[what], now[what], "{what}");
    }
}

/// What is declared equal: each program has sentences of its own for people, and the lines of carts and checkouts lie
/// by their keys in the legacy, whatever order they were asked for in. (The lines of an order have an order of their own.)
fn declared(content: &Value) -> Value {
    let mut content = content.clone();
    for message in content["messages"].as_array_mut().into_iter().flatten() {
        message["content"].take();
    }
    if content["permalink_url"].is_null() {
        sort_by_id(&mut content["line_items"]);
        for method in content["fulfillment"]["methods"].as_array_mut().into_iter().flatten() {
            sort_by_id(&mut method["line_item_ids"]);
            sort_by_id(&mut method["groups"][0]["line_item_ids"]);
        }
    }
    content
}

fn sort_by_id(list: &mut Value) {
    let Some(list) = list.as_array_mut() else { return };
    list.sort_by_key(|item| item["id"].as_str().or(item.as_str()).unwrap_or_default().to_owned());
}

fn check(intended: &Intended, meant: &BTreeMap<ShopId, Meant>, found: &BTreeMap<String, cells::Difference>) {
    for (shop, difference) in found {
        assert!(meant.keys().any(|known| known.as_str() == shop), "shop {shop}: {difference:?}");
    }
    for (shop, meant) in meant {
        let none = cells::Difference::default();
        let difference = found.get(shop.as_str()).unwrap_or(&none);
        intended.check(shop, meant, difference);
    }
}

/// The legacy goes on as if nothing had been: it sells, under numbers of its own, and gives back what was sold meanwhile.
async fn sells_on(world: &World, stages: &mut [Stage]) {
    let known: BTreeSet<String> = stages.iter().flat_map(|stage| stage.shown.iter().cloned()).collect();
    for stage in stages.iter_mut().rev().take(3) {
        let shop = stage.shop.clone();
        assert_eq!(world.owner(&shop).await, Side::Legacy);
        let goods = stage.goods(world, 2).await;
        let lines = [(goods[0].as_str(), 1), (goods[1].as_str(), 2)];
        let cart = world.post(&shop, "carts", json!({"line_items": line_items(&lines)})).await;
        let checkout = world.post(&shop, "checkout-sessions", json!({"cart_id": id(&cart)})).await;
        let path = format!("checkout-sessions/{}", id(&checkout));
        world.put(&shop, &path, filled_in(&lines)).await;
        let done = world.post(&shop, &format!("{path}/complete"), payment("approve")).await;
        let order = format!("orders/{}", id(&done["order"]));
        for fresh in [format!("carts/{}", id(&cart)), path, order.clone()] {
            assert!(!known.contains(&fresh), "{fresh} was shown before");
            stage.show(&fresh);
        }
        open_work(world, stage, &lines).await;
        if let Some(sold_meanwhile) = stage.sold.pop() {
            world.post(&shop, &format!("orders/{sold_meanwhile}/cancel"), json!({})).await;
        }
    }
}

/// A code that the backend gave out is paid at the legacy. The last shop's is paid at the backend again.
async fn pays_on(world: &World, stages: &mut [Stage]) {
    let (last, others) = stages.split_last_mut().unwrap();
    assert_eq!(last.codes.len(), 1);
    for stage in others {
        for code in std::mem::take(&mut stage.codes) {
            later::pay(world, stage, &code).await;
        }
    }
}

/// Carts and checkouts of the legacy's for the next move, at every stage.
async fn open_work(world: &World, stage: &mut Stage, lines: &[(&str, i64)]) {
    let shop = stage.shop.clone();
    for _ in 0..6 {
        let cart = world.post(&shop, "carts", json!({"line_items": line_items(lines)})).await;
        let ready = world.post(&shop, "checkout-sessions", filled_in(lines)).await;
        stage.show(&format!("carts/{}", id(&cart)));
        stage.show(&format!("checkout-sessions/{}", id(&ready)));
    }
    let bare = world.post(&shop, "checkout-sessions", json!({"line_items": line_items(lines)})).await;
    stage.show(&format!("checkout-sessions/{}", id(&bare)));
}

/// Everything goes over once more and is still there; one shop does everything again and comes back, one is sealed.
async fn second_move(world: &World, stages: &mut [Stage], intended: &Intended) {
    let before = look(world, stages).await;
    world.wish(Verb::Flip, None).await;
    same(&before, &look(world, stages).await, "after the second flip");
    let at_flip = world.dump().await;
    let (all, others) = stages.split_last_mut().unwrap();
    let meant = BTreeMap::from([(all.shop.clone(), act(world, all).await)]);
    let sealed = &others[0].shop;
    world.wish(Verb::Seal, Some(sealed)).await;
    let sold = look(world, stages).await;
    let back = stages.last().unwrap();
    world.wish(Verb::Rollback, Some(&back.shop)).await;
    let after = world.dump().await;
    same(&sold, &look(world, stages).await, "after the second rollback");
    check(intended, &meant, &differences(&at_flip, &after));
    assert_eq!(world.owner(&back.shop).await, Side::Legacy);
    assert_eq!(world.owner(&stages[0].shop).await, Side::Backend);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cart_dies_a_day_after_its_last_change_whoever_owned_it_then_on_sqlite() {
    last_change_of_a_cart(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cart_dies_a_day_after_its_last_change_whoever_owned_it_then_on_postgres() {
    last_change_of_a_cart(Engine::Postgres).await;
}

async fn last_change_of_a_cart(engine: Engine) {
    let world = World::start(engine, 3, 1).await;
    let shop = world.shops[0].clone();
    let ids = world.column("select id from keranjang where status like 'BUKA%' order by id").await;
    let [kept, left] = [0, 1].map(|at| ids[at].as_str());
    // As old as can be, and touched an hour before it was too late.
    let (born, changed) = (hours_from_now(-30), hours_from_now(-23));
    let old = "update keranjang set dibuat =";
    world.rows(&format!("{old} '{}', diubah = '{}' where id in ({kept}, {left})", wib(born), wib(changed))).await;
    world.start_moving().await;
    world.wish(Verb::Flip, None).await;
    let is_there =
        async |cart: &str| world.get(&shop, &format!("carts/{cart}")).await.body["ucp"]["status"] == "success";

    world.service.expire_carts(&shop, hours_from_now(0)).await.unwrap();
    assert!(is_there(kept).await && is_there(left).await);
    let product = world.one("select produk_id from keranjang_isi where keranjang_id = 1").await;
    world.put(&shop, &format!("carts/{kept}"), json!({"line_items": line_items(&[(&product, 9)])})).await;
    world.service.expire_carts(&shop, hours_from_now(2)).await.unwrap();
    assert!(is_there(kept).await && !is_there(left).await);

    world.wish(Verb::Rollback, None).await;
    assert!(is_there(kept).await && !is_there(left).await);
    let changed = world.one(&format!("select diubah from keranjang where id = {kept}")).await;
    assert!(changed > wib(hours_from_now(-1)), "the legacy would forget it a day after {changed}");
}

fn hours_from_now(hours: i64) -> Timestamp {
    Timestamp(clock()().0 + hours * 3_600_000_000)
}

/// As the legacy writes it.
fn wib(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap();
    jiff::tz::offset(7).to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
