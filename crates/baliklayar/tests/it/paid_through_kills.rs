//! Buyers pay through a provider that fails, while the serving process is killed again and again: each is charged once and has
//! one order, or is charged nothing, and every book says the same. The buyers are on the outside: HTTP, the page, the provider.

use crate::buyers::{Buyer, Till, at_rest, faults};
use crate::client::filled_in;
use crate::demo::executable;
use crate::world::Provider;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use store::{HeadChange, Import, Imported, Step, Store, What};
use testkit::chance::Chance;
use tokio::net::TcpListener;
use vocab::document::{Node, Record};
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

const STOCK: i64 = 10_000;
const BUYERS: u64 = 40;
const BUYERS_LONG: u64 = 400;
const KILLS: u64 = 8;
const KILLS_LONG: u64 = 60;
/// Between the ready line of a process and its end.
const LIVES_MS: u64 = 1_500;
const PAGE_KEY: &str = "page-key-canary";

/// The serving process; it is killed when this is dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How it is started, each time the same.
#[derive(Clone)]
struct How {
    work: PathBuf,
    seam: SocketAddr,
    backend: SocketAddr,
    provider: String,
}

impl How {
    /// All that was ever logged.
    fn log(&self) -> PathBuf {
        self.work.join("serving.log")
    }
}

impl Serving {
    fn start(how: &How) -> Self {
        let mut child = Command::new(executable())
            .args(["serving", "--legacy", "127.0.0.1:9", "--work"])
            .arg(&how.work)
            .args(["--seam-port", &how.seam.port().to_string(), "--backend-port", &how.backend.port().to_string()])
            .args(["--provider", &how.provider])
            .env_remove("BALIK_CRASH")
            .envs([("BALIK_HOST_KEY", crate::client::HOST), ("BALIK_SELLER_KEY", crate::client::SELLER)])
            .envs([("BALIK_PROVIDER_KEY", Provider::API_KEY), ("BALIK_PROVIDER_NOTICE_KEYS", Provider::NOTICE_KEY)])
            .env("BALIK_PAGE_KEY", PAGE_KEY)
            .env("BALIK_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(how.log()).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        Self(child)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_each_buyer_is_charged_once_for_one_order_or_not_at_all() {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let (buyers, kills) = if long { (BUYERS_LONG, KILLS_LONG) } else { (BUYERS, KILLS) };
    let seed = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let work = tempfile::tempdir().unwrap();
    let (seam, backend) = (free_port().await, free_port().await);
    let (provider, _) = Provider::open(work.path(), seam).await;
    open_shop(work.path()).await;
    let how = How { work: work.path().to_owned(), seam, backend, provider: provider.api.clone() };
    provider.control("faults", &faults(seed)).await;
    let provider = Arc::new(provider);
    let killing = tokio::task::spawn_blocking({
        let how = how.clone();
        move || kill_again_and_again(&how, kills, seed)
    });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..buyers {
        let provider = Arc::clone(&provider);
        tasks.spawn(async move {
            let chance = Chance(seed << 32 | number);
            let (shop, product) = ("s1".to_owned(), "1".to_owned());
            Buyer { shop, product, dawdles_ms: 0, number, seam, chance }.buy(&provider).await
        });
    }
    let (serving, met) = killing.await.unwrap();
    assert!(met > 0, "no kill met a payment under way");
    // From now on each question is answered: the next one is two minutes after the first at the latest.
    provider.control("faults", &json!({ "seed": seed, "plan": [] })).await;
    let told = tasks.join_all().await;
    let store = Store::open(work.path()).unwrap();
    let till = Till { shop: ShopId::parse("s1").unwrap(), product: "1".to_owned(), stock: STOCK, clearing: 0 };
    at_rest(&store, &till.shop).await;
    drop(serving);
    let paid = told.iter().filter(|told| told.pays > 0).count();
    assert!(paid > told.len() / 2, "hardly anybody paid");
    let book = provider.book().await;
    till.judge(&store, &book, &told).await;
    nothing_personal_is_logged(&how, &book);
    println!(
        "paid through kills: {buyers} buyers, {paid} of them paid, {kills} kills, which met {met} tries under way; seed {seed}"
    );
}

async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Shop `s1`, born here, with product `1`.
async fn open_shop(work: &Path) {
    let store = Store::open(work).unwrap();
    let shop = ShopId::parse("s1").unwrap();
    store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
    let terms = Record::default().with("id", "s1").with("name", "Toko Satu").with("currency", "IDR");
    let terms = terms.with("tax_bp", 1_100).with("shipping_flat", 900_000);
    let variant = Record::default().with("id", "1").with("sku", Node::Null).with("price", 4_500_000);
    let product = Record::default().with("id", "1").with("title", "Barang").with("state", "active");
    let product = product.with("currency", "IDR").with("variants", vec![Node::Record(variant)]);
    let items = [(Kind::Shop, "s1", terms, vec![]), (Kind::Product, "1", product, vec![(PublicId::new("1"), STOCK)])];
    let items = items.map(|(kind, id, document, stock)| Imported {
        kind,
        origin: Origin::new(format!("{}:{id}", kind.name())),
        tx: 1,
        what: What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None },
        made: None,
    });
    store.import(Import { shop: shop.clone(), epoch: Epoch(1), items: items.into() }).await.unwrap();
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(2),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at: Timestamp(0),
        detail: Record::default(),
    };
    let change = HeadChange { shop, expect_epoch: Epoch(1), owner: Side::Backend, epoch: Epoch(2), fenced: false };
    store.move_head(change, step).await.unwrap();
}

/// The last one lives on. Also how many tries were under way, or unknown, at the kills.
fn kill_again_and_again(how: &How, kills: u64, seed: u64) -> (Serving, i64) {
    let (mut chance, mut met) = (Chance(seed), 0);
    for _ in 0..kills {
        let serving = Serving::start(how);
        std::thread::sleep(Duration::from_millis(200 + chance.below(LIVES_MS)));
        drop(serving);
        let store = rusqlite::Connection::open(how.work.join("store.sqlite")).unwrap();
        let sql = "select count(*) from document where kind = 'intent'
                   and (body like '%\"fate\":\"recorded\"%' or body like '%\"fate\":\"unknown\"%')";
        met += store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    }
    (Serving::start(how), met)
}

/// Numbers, codes and addresses to pay with, keys, and who the buyers are: none of it is in a log, however much is logged.
fn nothing_personal_is_logged(how: &How, book: &Value) {
    let log = std::fs::read_to_string(how.log()).unwrap();
    let keys = [Provider::API_KEY, Provider::NOTICE_KEY, PAGE_KEY, crate::client::HOST, crate::client::SELLER];
    let person = filled_in(&[]);
    let destination = &person["fulfillment"]["methods"][0]["destinations"][0];
    let person = [&person["buyer"]["full_name"], &person["buyer"]["phone_number"], &destination["street_address"]];
    let codes = book["charge"].as_array().unwrap().iter().map(|charge| &charge["code"]);
    // A charge that was declined has no code; a person has all of these.
    let secrets = codes.filter_map(Value::as_str).chain(person.map(|it| it.as_str().unwrap())).chain(keys);
    let found: Vec<&str> = secrets.filter(|secret| log.contains(*secret)).collect();
    assert!(log.len() > 10_000, "hardly anything was logged");
    assert!(found.is_empty(), "the log has {found:?}");
}
