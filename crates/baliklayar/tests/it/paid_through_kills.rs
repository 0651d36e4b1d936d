//! Buyers pay through a provider that fails, while the serving process is killed again and again: each is charged once and has
//! one order, or is charged nothing, and every book says the same. The buyers are on the outside: HTTP, the page, the provider.

use crate::buyers::{Buyer, Till, at_rest, faults};
use crate::client::filled_in;
use crate::demo::say;
use crate::deployment::{Deployment, How, PAGE_KEY, Serving, open_shop};
use crate::world::{Engine, Provider};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::chance::Chance;
use tokio::sync::Semaphore;
use vocab::id::ShopId;

const STOCK: i64 = 100_000;
const BUYERS: u64 = 40;
/// Of ten, eight pay at least: 10,000 orders.
const BUYERS_LONG: u64 = 12_500;
/// Where two serve.
const BUYERS_LONG_OF_TWO: u64 = 2_000;
/// Shopping at the same time.
const AT_ONCE: usize = 400;
/// At least; and one after another as long as buyers come.
const KILLS: u64 = 8;
const KILLS_LONG: u64 = 60;
const KILLS_MAX: u64 = 2_000;
/// As many codes are looked for in the log, at most.
const CODES_MAX: usize = 1_000;
/// Between the ready line of a process and its end.
const LIVES_MS: u64 = 1_500;

async fn whoever_is_killed(engine: Engine, processes: u32) {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let (buyers, kills) = match (long, processes) {
        (false, _) => (BUYERS, KILLS),
        (true, 1) => (BUYERS_LONG, KILLS_LONG),
        (true, _) => (BUYERS_LONG_OF_TWO, KILLS_LONG),
    };
    let seed = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let deployment = Arc::new(Deployment::new(engine, processes).await);
    let store = deployment.store();
    open_shop(&store, STOCK).await;
    let provider = Arc::clone(&deployment.provider);
    provider.control("faults", &faults(seed)).await;
    let coming = Arc::new(AtomicBool::new(true));
    let killing = tokio::spawn({
        let (deployment, coming) = (Arc::clone(&deployment), Arc::clone(&coming));
        async move { kill_again_and_again(&deployment, kills, &coming, seed).await }
    });
    let (mut tasks, room) = (tokio::task::JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for number in 0..buyers {
        let place = Arc::clone(&room).acquire_owned().await.unwrap();
        let provider = Arc::clone(&provider);
        let seam = deployment.processes[usize::try_from(number).unwrap() % deployment.processes.len()].seam;
        tasks.spawn(async move {
            let chance = Chance(seed << 32 | number);
            let (shop, product) = ("s1".to_owned(), "1".to_owned());
            let told = Buyer { shop, product, dawdles_ms: 0, cards: true, number, seam, chance }.buy(&provider).await;
            drop(place);
            told
        });
    }
    coming.store(false, Ordering::SeqCst);
    let Killed { serving, kills, met } = killing.await.unwrap();
    assert!(met > 0, "no kill met a payment under way");
    // From now on each question is answered: the next one is two minutes after the first at the latest.
    provider.control("faults", &json!({ "seed": seed, "plan": [] })).await;
    let told = tasks.join_all().await;
    let till = Till { shop: ShopId::parse("s1").unwrap(), product: "1".to_owned(), stock: STOCK, clearing: 0 };
    at_rest(&store, &till.shop).await;
    drop(serving);
    let paid = told.iter().filter(|told| told.pays > 0).count();
    assert!(paid > told.len() / 2, "hardly anybody paid");
    let book = provider.book().await;
    till.judge(&store, &book, &told).await;
    for how in &deployment.processes {
        nothing_personal_is_logged(how, &book);
    }
    say(&format!(
        "paid through kills: {engine:?}, {processes} serving; {buyers} buyers, {paid} of them paid, {kills} kills, which met \
         {met} tries under way; seed {seed}"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_buyer_is_charged_once_for_one_order_or_not_at_all_on_sqlite() {
    whoever_is_killed(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_buyer_is_charged_once_for_one_order_or_not_at_all_on_postgres() {
    whoever_is_killed(Engine::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_buyer_is_charged_once_where_two_serve_over_one_postgres() {
    whoever_is_killed(Engine::Postgres, 2).await;
}

/// What the kills came to: who lives on, and how many tries were under way at all of them.
struct Killed {
    serving: Vec<Serving>,
    kills: u64,
    met: i64,
}

/// Kills one and another, so often at least, and as long as buyers come.
async fn kill_again_and_again(deployment: &Deployment, least: u64, coming: &AtomicBool, seed: u64) -> Killed {
    let (mut chance, mut met, mut kills) = (Chance(seed), 0, 0);
    let start = |how: &How| tokio::task::block_in_place(|| how.start());
    let mut alive: Vec<Serving> = deployment.processes.iter().map(start).collect();
    while kills < least || (coming.load(Ordering::SeqCst) && kills < KILLS_MAX) {
        kills += 1;
        tokio::time::sleep(Duration::from_millis(200 + chance.below(LIVES_MS))).await;
        let it = usize::try_from(chance.below(u64::try_from(alive.len()).unwrap())).unwrap();
        drop(alive.remove(it));
        met += deployment.under_way().await;
        alive.insert(it, start(&deployment.processes[it]));
    }
    Killed { serving: alive, kills, met }
}

/// Numbers, codes and addresses to pay with, keys, and who the buyers are: none of it is in a log, however much is logged.
fn nothing_personal_is_logged(how: &How, book: &Value) {
    let log = std::fs::read_to_string(how.log()).unwrap();
    let keys = [Provider::API_KEY, Provider::NOTICE_KEY, PAGE_KEY, crate::client::HOST, crate::client::SELLER];
    let person = filled_in(&[]);
    let destination = &person["fulfillment"]["methods"][0]["destinations"][0];
    let person = [&person["buyer"]["full_name"], &person["buyer"]["phone_number"], &destination["street_address"]];
    let codes = book["charge"].as_array().unwrap().iter().map(|charge| &charge["code"]).take(CODES_MAX);
    // A charge that was declined has no code; a person has all of these.
    let secrets = codes.filter_map(Value::as_str).chain(person.map(|it| it.as_str().unwrap())).chain(keys);
    let found: Vec<&str> = secrets.filter(|secret| log.contains(*secret)).collect();
    assert!(log.len() > 10_000, "hardly anything was logged");
    assert!(found.is_empty(), "the log has {found:?}");
}
