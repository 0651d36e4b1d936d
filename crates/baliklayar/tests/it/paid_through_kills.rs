//! Buyers pay through a provider that fails, while the serving process is killed again and again: each is charged once and has
//! one order, or is charged nothing, and every book says the same. The buyers are on the outside: HTTP, the page, the provider.

use crate::buyers::{Buyer, Till, at_rest, faults};
use crate::client::filled_in;
use crate::demo::executable;
use crate::world::{Engine, Provider};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use store::{HeadChange, Import, Imported, Step, Store, What};
use tempfile::TempDir;
use testkit::chance::Chance;
use testkit::postgres::Database;
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

/// How one of them is started, each time the same.
#[derive(Clone)]
struct How {
    work: PathBuf,
    seam: SocketAddr,
    backend: SocketAddr,
    provider: String,
}

impl How {
    async fn new(work: PathBuf, provider: &str) -> Self {
        std::fs::create_dir_all(&work).unwrap();
        Self { work, seam: free_port().await, backend: free_port().await, provider: provider.to_owned() }
    }

    /// All that it ever logged.
    fn log(&self) -> PathBuf {
        self.work.join("serving.log")
    }

    fn start(&self) -> Serving {
        let mut child = Command::new(executable())
            .args(["serving", "--legacy", "127.0.0.1:9", "--work"])
            .arg(&self.work)
            .args(["--seam-port", &self.seam.port().to_string(), "--backend-port", &self.backend.port().to_string()])
            .args(["--provider", &self.provider])
            .env_remove("BALIK_CRASH")
            .envs([("BALIK_HOST_KEY", crate::client::HOST), ("BALIK_SELLER_KEY", crate::client::SELLER)])
            .envs([("BALIK_PROVIDER_KEY", Provider::API_KEY), ("BALIK_PROVIDER_NOTICE_KEYS", Provider::NOTICE_KEY)])
            .env("BALIK_PAGE_KEY", PAGE_KEY)
            .env("BALIK_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(self.log()).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        Serving(child)
    }
}

/// Where the store is, and the processes over it.
struct Deployment {
    _work: TempDir,
    database: Option<Database>,
    processes: Vec<How>,
    provider: Arc<Provider>,
}

impl Deployment {
    async fn new(engine: Engine, processes: u32) -> Self {
        let work = tempfile::tempdir().unwrap();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(testkit::postgres::fresh_database().await),
        };
        let at = free_port().await;
        let (provider, _) = Provider::open(work.path(), at).await;
        let mut hows = Vec::new();
        for number in 0..processes {
            let mut how = How::new(work.path().join(number.to_string()), &provider.api).await;
            // Notices come to the first; the others hear of payments only by asking.
            how.seam = if number == 0 { at } else { how.seam };
            hows.push(how);
        }
        let deployment = Self { _work: work, database, processes: hows, provider: Arc::new(provider) };
        for how in &deployment.processes {
            deployment.open_at(how);
        }
        deployment
    }

    fn open_at(&self, how: &How) -> Store {
        match &self.database {
            None => Store::open(&how.work).unwrap(),
            Some(database) => Store::open_at(&how.work, &database.url).unwrap(),
        }
    }

    fn store(&self) -> Store {
        self.open_at(&self.processes[0])
    }

    /// How many tries are under way, or unknown.
    async fn under_way(&self) -> i64 {
        let sql = "select count(*) from document where kind = 'intent'
                   and (body like '%\"fate\":\"recorded\"%' or body like '%\"fate\":\"unknown\"%')";
        match &self.database {
            None => {
                let store = rusqlite::Connection::open(self.processes[0].work.join("store.sqlite")).unwrap();
                store.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Some(database) => database.connect().await.query_one(sql, &[]).await.unwrap().get(0),
        }
    }

    /// Kills one and another. All of them live on then. Also how many tries were under way at the kills.
    async fn kill_again_and_again(&self, kills: u64, seed: u64) -> (Vec<Serving>, i64) {
        let (mut chance, mut met) = (Chance(seed), 0);
        let start = |how: &How| tokio::task::block_in_place(|| how.start());
        let mut alive: Vec<Serving> = self.processes.iter().map(start).collect();
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(200 + chance.below(LIVES_MS))).await;
            let it = usize::try_from(chance.below(alive.len() as u64)).unwrap();
            drop(alive.remove(it));
            met += self.under_way().await;
            alive.insert(it, start(&self.processes[it]));
        }
        (alive, met)
    }
}

async fn whoever_is_killed(engine: Engine, processes: u32) {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let (buyers, kills) = if long { (BUYERS_LONG, KILLS_LONG) } else { (BUYERS, KILLS) };
    let seed = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let deployment = Arc::new(Deployment::new(engine, processes).await);
    let store = deployment.store();
    open_shop(&store).await;
    let provider = Arc::clone(&deployment.provider);
    provider.control("faults", &faults(seed)).await;
    let killing = tokio::spawn({
        let deployment = Arc::clone(&deployment);
        async move { deployment.kill_again_and_again(kills, seed).await }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..buyers {
        let provider = Arc::clone(&provider);
        let seam = deployment.processes[usize::try_from(number).unwrap() % deployment.processes.len()].seam;
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
    println!(
        "paid through kills: {engine:?}, {processes} serving; {buyers} buyers, {paid} of them paid, {kills} kills, which met \
         {met} tries under way; seed {seed}"
    );
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

async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Shop `s1`, born here, with product `1`.
async fn open_shop(store: &Store) {
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
