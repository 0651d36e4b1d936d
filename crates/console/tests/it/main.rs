//! The console over HTTP and in a browser, on a real store.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]

mod browser;
mod live;
mod outside;
mod pages;
mod waits;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::sync::Arc;
use store::{Debt, Finding, HeadChange, Plan, PlannedShop, Step, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, Origin, Part, PublicId, Seq, ShopId, Side, Timestamp};

/// 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000_000;

/// A console over a store with the shops `1`, `2`, … of a plan.
struct Bench {
    _dir: TempDir,
    store: Store,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    shops: Vec<ShopId>,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Bench {
    async fn start(shops: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let shops: Vec<ShopId> = (1..=shops).map(|shop| ShopId::parse(&shop.to_string()).unwrap()).collect();
        store.create_heads(&shops).await.unwrap();
        store.set_plan(&plan(&shops)).await.unwrap();
        let address = serve(&store).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let bench = Self { _dir: dir, store, address, client, shops };
        bench.look("tracking", 2_000).await;
        bench
    }

    fn shop(&self, number: usize) -> ShopId {
        self.shops[number - 1].clone()
    }

    /// What the mover writes on its board: every shop in this state, at its head's epoch.
    async fn look(&self, state: &str, lag_us: i64) {
        let mut board = Record::default();
        for head in self.store.heads().await.unwrap() {
            let state = if head.owner == Side::Backend { "soaking" } else { state };
            let row = Record::default()
                .with("state", state)
                .with("epoch", i64::try_from(head.epoch.0).unwrap())
                .with("waits_for", "a wish")
                .with("dirty", 0_i64)
                .with("lag_us", lag_us);
            board.set(vocab::id::Name::from(head.shop.as_str()), row);
        }
        self.store.note("board", board).await.unwrap();
    }

    async fn record(&self, shop: &ShopId, step: &str, phase: &str, at_ms: i64, detail: Record) {
        self.store.record_step(self.step(shop, step, phase, at_ms, detail)).await.unwrap();
    }

    fn step(&self, shop: &ShopId, step: &str, phase: &str, at_ms: i64, detail: Record) -> Step {
        Step {
            shop: shop.clone(),
            epoch: Epoch(2),
            direction: Direction::ToBackend,
            step: step.into(),
            phase: phase.into(),
            at: Timestamp(NOW + at_ms * 1_000),
            detail,
        }
    }

    /// The whole way of a shop to the backend: 100 ms of hold, with 3 writes held.
    async fn flip(&self, shop: &ShopId) {
        for step in ["install", "copy", "track", "verify"] {
            self.record(shop, step, "intent", -9_000, Record::default()).await;
            self.record(shop, step, "done", -8_000, Record::default()).await;
        }
        for (step, at) in [("hold", 0), ("drain", 10), ("fence", 20), ("mark", 30), ("catch_up", 40), ("prove", 60)] {
            self.record(shop, step, "intent", at, Record::default()).await;
            self.record(shop, step, "done", at + 9, Record::default()).await;
        }
        self.record(shop, "flip", "intent", 80, Record::default()).await;
        let change = HeadChange {
            shop: shop.clone(),
            expect_epoch: Epoch(1),
            owner: Side::Backend,
            epoch: Epoch(2),
            fenced: false,
        };
        self.store.move_head(change, self.step(shop, "flip", "done", 85, Record::default())).await.unwrap();
        self.record(shop, "release", "intent", 90, Record::default()).await;
        self.record(shop, "release", "done", 100, Record::default().with("held", 3_i64)).await;
    }

    async fn finding(&self, shop: &ShopId, class: &str, origin: &str, what: &str) {
        let finding = Finding {
            shop: shop.clone(),
            class: class.into(),
            kind: Kind::Order,
            origin: Origin::new(origin),
            detail: Record::default().with("what", what),
        };
        self.store.open_finding(finding, Timestamp(NOW)).await.unwrap();
    }

    async fn debt(&self, shop: &ShopId, name: &str) {
        let (kind, id) = (Kind::Order, PublicId::new("31"));
        self.store.open_debt(Debt { shop: shop.clone(), kind, id, name: name.into(), seq: Seq(7) }).await.unwrap();
    }

    /// A request as written; headers as `name: value`.
    async fn send(&self, method: Method, path: &str, headers: &[&str], body: &'static str) -> Got {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], "").await
    }
}

/// A console of its own over the store, which has not looked at it yet.
async fn serve(store: &Store) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = console::router(console::Console::new(store.clone(), Arc::new(|| Timestamp(NOW))));
    tokio::spawn(console::serve(listener, router, std::future::pending()));
    address
}

fn plan(shops: &[ShopId]) -> Plan {
    Plan {
        source: "sqlite:none".into(),
        mappings: Vec::new(),
        totals: Vec::new(),
        policy: String::new(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: shops.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }).collect(),
        deadline: Some(Timestamp(NOW + 3_600_000_000)),
        created_at: Timestamp(NOW - 3_600_000_000),
    }
}
