//! The backend over HTTP, on a real store and a real socket.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]

mod attacks;
mod invoices;
mod journey;
mod outside;
mod protocol;
mod provider;

use api::{Keys, Options, Rate};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use provider::Provider;
use serde_json::Value;
use shop::Service;
use shop::ids::IdPlan;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::{HeadChange, Import, Imported, Outcome, Step, Store, What};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vocab::document::{Node, Record};
use vocab::id::{Direction, Epoch, Kind, Minted, Origin, PublicId, ShopId, Side, Timestamp};

/// 2023-11-14T22:13:20Z.
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A server with shop `7`: products 1 (Rp 45), 2 (Rp 60), 3 (withdrawn), ten of each; one order of history.
struct Server {
    _dir: TempDir,
    store: Store,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    keys: AtomicU64,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Server {
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn limited(rate: Rate) -> Self {
        Self::with(Options { rate: Some(rate), ..Options::default() }).await
    }

    async fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let service = service(&store).await;
        Self::serving(dir, store, service, options).await
    }

    /// The same, where buyers pay in their own time through this provider.
    async fn paid_through(provider: &Provider) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let service = service(&store).await.with_rail(provider.rail());
        Self::serving(dir, store, service, Options::default()).await
    }

    async fn serving(dir: TempDir, store: Store, service: Service, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(api::serve(listener, api::router(service, keys(), options), shutdown));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { _dir: dir, store, address, client, stop, served, keys: AtomicU64::new(1) }
    }

    /// A request as written; headers as `name: value`.
    async fn raw(&self, method: Method, path: &str, headers: &[&str], body: impl Into<Bytes>) -> Got {
        let (status, headers, body) = self.send(method, path, headers, body).await;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
        Got { status, headers, body }
    }

    /// A request of the host app with a fresh key.
    async fn call(&self, method: Method, path: &str, body: &Value) -> Got {
        let key = format!("idempotency-key: key-{}", self.keys.fetch_add(1, Ordering::SeqCst));
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, &format!("/shops/7{path}"), &[&key, "authorization: Bearer host-key"], text).await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.call(Method::POST, path, body).await
    }

    async fn get(&self, path: &str) -> Got {
        self.call(Method::GET, path, &Value::Null).await
    }

    /// What a browser gets: status, headers and text.
    async fn open(&self, path: &str, headers: &[&str]) -> (u16, HeaderMap, String) {
        self.send(Method::GET, path, headers, "").await
    }

    /// The same where it sends a form.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[&str],
        body: impl Into<Bytes>,
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn stop(self) {
        drop(self.client);
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

fn keys() -> Keys {
    Keys::of("host-key", "seller-key", "page-key")
}

/// Of a store that is new.
async fn service(store: &Store) -> Service {
    seed(store).await;
    Service::new(store.clone(), plan(store).await, Arc::new(|| NOW))
}

async fn seed(store: &Store) {
    let shop = ShopId::parse("7").unwrap();
    store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
    let terms = Record::default()
        .with("id", "7")
        .with("name", "Toko Tujuh")
        .with("currency", "IDR")
        .with("tax_bp", 1_100)
        .with("shipping_flat", 900_000);
    let mut items = vec![live(Kind::Shop, "7", terms, vec![])];
    for (id, rupiah, state) in [("1", 45, "active"), ("2", 60, "active"), ("3", 10, "withdrawn")] {
        items.push(live(Kind::Product, id, product(id, rupiah, state), vec![(PublicId::new(id), 10)]));
    }
    items.push(history());
    let outcomes = store.import(Import { shop: shop.clone(), epoch: Epoch(1), items }).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Applied), "{outcomes:?}");
    flip(store, Side::Backend, 1, 2).await;
}

async fn flip(store: &Store, owner: Side, from: u64, to: u64) {
    let shop = ShopId::parse("7").unwrap();
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(to),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at: NOW,
        detail: Record::default(),
    };
    let change = HeadChange { shop, expect_epoch: Epoch(from), owner, epoch: Epoch(to), fenced: false };
    store.move_head(change, step).await.unwrap();
}

fn live(kind: Kind, id: &str, document: Record, stock: Vec<(PublicId, i64)>) -> Imported {
    let origin = Origin::new(format!("{}:{id}", kind.name()));
    Imported {
        kind,
        origin,
        tx: 1,
        what: What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None },
        made: None,
    }
}

fn product(id: &str, rupiah: i64, state: &str) -> Record {
    let variant = Record::default().with("id", id).with("price", rupiah * 100);
    Record::default()
        .with("id", id)
        .with("title", format!("Barang {id}"))
        .with("state", state)
        .with("currency", "IDR")
        .with("variants", vec![Node::Record(variant)])
}

fn history() -> Imported {
    let line = Record::default().with("title", "POSTAGE").with("quantity", -1).with("unit_price", "27.50");
    let document = Record::default()
        .with("id", "C1")
        .with("currency", "GBP")
        .with("total", "-27.50")
        .with("lines", vec![Node::Record(line)]);
    let what = What::History { id: PublicId::new("C1"), why: "credit".into(), document };
    Imported { kind: Kind::Order, origin: Origin::new("lines:C1"), tx: 1, what, made: None }
}

/// Every element from one block, so that ids in expected texts stay the same.
async fn plan(store: &Store) -> IdPlan {
    for element in shop::ids::MINTED {
        store.add_block(&table(element), 101, 99_000_000, Epoch(2)).await.unwrap();
    }
    IdPlan {
        table: Box::new(|element| Some(table(element).into())),
        mint: Box::new(|_, number| Minted { id: PublicId::new(number.to_string()), origin: None }),
        origin: Box::new(|_, _, _| None),
        misfit: Box::new(|_, _, _| None),
        carries: Box::new(|_, _| true),
    }
}

fn table(element: vocab::id::Element) -> String {
    format!("{}{}", element.kind.name(), element.part.unwrap_or_default())
}
