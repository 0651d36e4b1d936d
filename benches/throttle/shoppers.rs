//! People who look, fill carts and buy in one shop, through the seam, at a rate.
//!
//! Each comes when it is due, whether those before have been served or not, and its wait is counted from then on: a slow
//! answer is counted as often as it would have been waited for.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::stage::SHOP;

/// Connections, and so requests at one time.
const CLIENTS: usize = 32;
/// Fewer where it is found out what the machine can: it is as busy as it can be, and nobody queues for long.
const CLIENTS_AT_MOST: usize = 8;
/// Requests that are due and wait for a connection.
const DUE_MAX: usize = 10_000;

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
    ended: Arc<Notify>,
    tasks: JoinSet<()>,
}

/// How many requests per second are answered where each client sends its next one at once.
pub async fn most(seam: SocketAddr, products: Vec<i64>, lasting: Duration) -> Result<u32> {
    let shared = shared(seam, products, 0);
    let until = Instant::now() + lasting;
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS_AT_MOST {
        let shared = shared.clone();
        tasks.spawn(async move {
            let mut person = Person { shared, connection: None };
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
        let (shared, ended) = (shared(seam, products, 1), Arc::<Notify>::default());
        let (due, waiting) = mpsc::channel(DUE_MAX);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let (shared, waiting) = (shared.clone(), waiting.clone());
            tasks.spawn(async move {
                let mut person = Person { shared, connection: None };
                loop {
                    let next = waiting.lock().await.recv().await;
                    let Some(due) = next else { return };
                    person.come(due).await;
                }
            });
        }
        let over = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = pace(rate, due) => {}
                () = over.notified() => {}
            }
        });
        Self { shared, ended, tasks }
    }

    /// What was seen since this was asked before.
    pub fn forget(&self) -> Seen {
        take(&self.shared)
    }

    /// Ends when each has its answer.
    pub async fn end(mut self) {
        self.ended.notify_one();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn shared(seam: SocketAddr, products: Vec<i64>, run: u64) -> Arc<Shared> {
    Arc::new(Shared { seam, products, seen: Mutex::default(), number: AtomicU64::new(0), run })
}

fn take(shared: &Shared) -> Seen {
    std::mem::take(&mut *shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Says when each is due.
async fn pace(rate: u32, due: mpsc::Sender<Instant>) {
    let every = Duration::from_secs(1) / rate.max(1);
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next.into()).await;
        if due.send(next).await.is_err() {
            return;
        }
        next += every;
    }
}

struct Person {
    shared: Arc<Shared>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Person {
    async fn come(&mut self, due: Instant) {
        let number = self.shared.number.fetch_add(1, Ordering::Relaxed);
        let done = self.visit(number, due).await;
        if let Err(error) = done {
            let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.failed == 0 {
                eprintln!("a request failed: {error:#}");
            }
            seen.failed += 1;
            self.connection = None;
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
        let checkout = json!({"line_items": lines,
            "buyer": {"full_name": "Pembeli", "phone_number": format!("+62812{:08}", number % 100_000_000)},
            "fulfillment": {"methods": [{"id": "shipping", "type": "shipping",
                "destinations": [{"id": "address", "type": "shipping_address", "street_address": "Jalan Melati 1",
                    "address_locality": "Bandung", "postal_code": "40111", "address_country": "ID"}],
                "selected_destination_id": "address",
                "groups": [{"id": "package", "selected_option_id": "flat"}]}]}});
        let made = self.send("checkout-sessions", number, &checkout, due).await?;
        let id = made["id"].as_str().context("a checkout without an id")?;
        let payment = json!({"payment": {"instruments": [
            {"id": "approve", "handler_id": "instant", "type": "instant", "selected": true}]}});
        let path = format!("checkout-sessions/{id}/complete");
        self.send(&path, number, &payment, Instant::now()).await.map(drop)
    }

    async fn send(&mut self, path: &str, number: u64, body: &Value, due: Instant) -> Result<Value> {
        let request = Request::builder()
            .method("POST")
            .uri(format!("/shops/{SHOP}/{path}"))
            .header("host", self.shared.seam.to_string())
            .header("content-type", "application/json")
            .header("idempotency-key", format!("bench-{}-{number}", self.shared.run))
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = self.connection().await?.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status < 300, "{path}: {status} {}", String::from_utf8_lossy(&body));
        let us = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).waited_us.push(us);
        Ok(serde_json::from_slice(&body)?)
    }

    async fn connection(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        if let Some(kept) = &mut self.connection
            && kept.ready().await.is_err()
        {
            self.connection = None;
        }
        if self.connection.is_none() {
            let stream = TcpStream::connect(self.shared.seam).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // Its end is seen by whoever sends on it next.
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        self.connection.as_mut().context("a connection")
    }
}
