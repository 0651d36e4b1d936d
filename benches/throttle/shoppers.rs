//! People who look, fill carts and buy in one shop, through the seam, at a rate.
//!
//! A wait is counted from when it was due.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use crate::people::{Connection, Crowd, checkout, payment};
use crate::stage::SHOP;

/// Connections, and so requests at one time.
const CLIENTS: usize = 32;
/// Fewer where it is found out what the machine can: it is as busy as it can be, and nobody queues for long.
const CLIENTS_AT_MOST: usize = 8;

/// What was waited, in microseconds.
#[derive(Debug, Default)]
pub struct Seen {
    pub waited_us: Vec<u64>,
    pub failed: u64,
}

struct Shared {
    seam: SocketAddr,
    products: Vec<i64>,
    seen: Mutex<Seen>,
    number: AtomicU64,
    /// Tells apart the keys of two runs against one legacy.
    run: u64,
}

/// Running people.
pub struct Shoppers {
    shared: Arc<Shared>,
    crowd: Crowd,
}

/// How many requests per second are answered where each client sends its next one at once.
pub async fn most(seam: SocketAddr, products: Vec<i64>, lasting: Duration) -> Result<u32> {
    let shared = shared(seam, products, 0);
    let until = Instant::now() + lasting;
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS_AT_MOST {
        let shared = shared.clone();
        tasks.spawn(async move {
            let mut person = Person::new(shared);
            while Instant::now() < until {
                person.come(Instant::now()).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    let seen = take(&shared);
    anyhow::ensure!(seen.failed == 0, "{} requests failed", seen.failed);
    let answered = u64::try_from(seen.waited_us.len())?;
    Ok(u32::try_from(answered / lasting.as_secs().max(1))?)
}

impl Shoppers {
    pub fn start(seam: SocketAddr, products: Vec<i64>, rate: u32) -> Self {
        let shared = shared(seam, products, 1);
        let crowd = Crowd::start(CLIENTS, rate, |waiting| {
            let mut person = Person::new(shared.clone());
            async move {
                while let Some(due) = waiting.next().await {
                    person.come(due).await;
                }
            }
        });
        Self { shared, crowd }
    }

    /// What was seen since this was asked before.
    pub fn forget(&self) -> Seen {
        take(&self.shared)
    }

    /// Ends when each has its answer.
    pub async fn end(self) {
        self.crowd.end().await;
    }
}

fn shared(seam: SocketAddr, products: Vec<i64>, run: u64) -> Arc<Shared> {
    Arc::new(Shared { seam, products, seen: Mutex::default(), number: AtomicU64::new(0), run })
}

fn take(shared: &Shared) -> Seen {
    std::mem::take(&mut *shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Person {
    shared: Arc<Shared>,
    connection: Connection,
}

impl Person {
    fn new(shared: Arc<Shared>) -> Self {
        Self { connection: Connection::to(shared.seam), shared }
    }

    async fn come(&mut self, due: Instant) {
        let number = self.shared.number.fetch_add(1, Ordering::Relaxed);
        let done = self.visit(number, due).await;
        if let Err(error) = done {
            let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.failed == 0 {
                eprintln!("a request failed: {error:#}");
            }
            seen.failed += 1;
            self.connection.give_up();
        }
    }

    /// The number decides what is asked: of ten, six look, three make a cart, one buys, which is two requests.
    async fn visit(&mut self, number: u64, due: Instant) -> Result<()> {
        // Two that follow each other do not want the same product.
        let at = usize::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33)?;
        let product = self.shared.products[at % self.shared.products.len()].to_string();
        let lines = json!([{"item": {"id": product}, "quantity": 1}]);
        match number % 10 {
            0 => self.send("catalog/search", number, &json!({}), due).await.map(drop),
            1..=5 => self.send("catalog/product", number, &json!({"id": product}), due).await.map(drop),
            6..=8 => self.send("carts", number, &json!({"line_items": lines}), due).await.map(drop),
            _ => self.buy(number, &lines, due).await,
        }
    }

    async fn buy(&mut self, number: u64, lines: &Value, due: Instant) -> Result<()> {
        let made = self.send("checkout-sessions", number, &checkout(number, lines), due).await?;
        let id = made["id"].as_str().context("a checkout without an id")?;
        let path = format!("checkout-sessions/{id}/complete");
        self.send(&path, number, &payment(), Instant::now()).await.map(drop)
    }

    async fn send(&mut self, path: &str, number: u64, body: &Value, due: Instant) -> Result<Value> {
        let request = Request::builder()
            .method("POST")
            .uri(format!("/shops/{SHOP}/{path}"))
            .header("host", self.shared.seam.to_string())
            .header("content-type", "application/json")
            .header("idempotency-key", format!("bench-{}-{number}", self.shared.run))
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = self.connection.ready().await?.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status < 300, "{path}: {status} {}", String::from_utf8_lossy(&body));
        let us = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).waited_us.push(us);
        Ok(serde_json::from_slice(&body)?)
    }
}
