//! Writers on one shop, through the seam, at a rate: carts made and changed, stock edited, checkouts completed.
//!
//! A pacer hands out writes when they are due; a bounded number of connections sends them. What is due while all are
//! busy waits in a bounded queue, and what finds it full is counted as left out, not sent late.

use crate::kios::SELLER_KEY;
use crate::people::{Connection, checkout, payment};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Microseconds of a second.
const MICROS: u128 = 1_000_000;
/// Of so many turns one may complete its checkout too, which is one write more.
const TURNS: u128 = 10;
/// The pacer's step.
const TICK: Duration = Duration::from_millis(2);
/// Connections: so many that a hold finds writes to hold, and so few that a legacy that is too slow for the rate has no
/// long queue of its own to drain.
const fn writers(rate: u32) -> u32 {
    16 + rate / 25
}
/// Carts that are changed again.
const CARTS_MAX: usize = 1_000;
/// How long a writer that lost its connection pauses.
const AGAIN: Duration = Duration::from_millis(50);

/// A write that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// By the machine's clock, in microseconds.
    pub sent_us: i64,
    pub took_us: i64,
}

/// What the writers saw.
#[derive(Debug, Default)]
pub struct Writes {
    pub answered: Vec<Answered>,
    /// Answered with 5xx, or not at all.
    pub failed: u64,
    pub left_out: u64,
}

#[derive(Default)]
struct Shared {
    answered: Mutex<Vec<Answered>>,
    carts: Mutex<VecDeque<String>>,
    failed: AtomicU64,
    left_out: AtomicU64,
    ended: AtomicBool,
    paused: AtomicBool,
}

/// Running writers.
pub struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Load {
    /// A lean legacy knows no checkouts.
    pub fn start(seam: SocketAddr, products: Vec<i64>, rate: u32, lean: bool) -> Self {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let (due, waiting) = mpsc::channel(usize::try_from(rate).unwrap_or(1));
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let products = Arc::new(products);
        for _ in 0..writers(rate) {
            let (products, shared) = (products.clone(), shared.clone());
            let writer = Writer { seam, products, lean, shared, connection: Connection::to(seam) };
            tasks.spawn(writer.work(waiting.clone()));
        }
        let writes = if lean { TURNS } else { TURNS + 1 };
        tasks.spawn(pace(rate, writes, due, shared.clone()));
        Self { shared, tasks }
    }

    /// Stops writing, or goes on.
    pub fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Relaxed);
    }

    /// Ends the writers when each has its answer.
    pub async fn end(mut self) -> Writes {
        self.shared.ended.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        Writes {
            answered: std::mem::take(&mut *lock(&self.shared.answered)),
            failed: self.shared.failed.load(Ordering::Relaxed),
            left_out: self.shared.left_out.load(Ordering::Relaxed),
        }
    }
}

async fn pace(rate: u32, writes: u128, due: mpsc::Sender<u64>, shared: Arc<Shared>) {
    let (mut before, mut owed, mut number) = (Instant::now(), 0_u128, 0_u64);
    let mut tick = tokio::time::interval(TICK);
    while !shared.ended.load(Ordering::Relaxed) {
        tick.tick().await;
        let now = Instant::now();
        if !shared.paused.load(Ordering::Relaxed) {
            owed += (now - before).as_micros() * u128::from(rate) * TURNS;
        }
        before = now;
        while owed >= MICROS * writes {
            if due.try_send(number).is_err() {
                shared.left_out.fetch_add(1, Ordering::Relaxed);
            }
            owed -= MICROS * writes;
            number += 1;
        }
    }
}

struct Writer {
    seam: SocketAddr,
    products: Arc<Vec<i64>>,
    lean: bool,
    shared: Arc<Shared>,
    connection: Connection,
}

impl Writer {
    async fn work(mut self, waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<u64>>>) {
        loop {
            let next = waiting.lock().await.recv().await;
            let Some(number) = next else { return };
            if self.write(number).await.is_err() {
                self.connection.give_up();
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// The number decides what is written: of ten, four carts, four changes, one edit, one checkout and its order.
    async fn write(&mut self, number: u64) -> Result<()> {
        let product = self.products[usize::try_from(number).unwrap_or(0) % self.products.len()];
        let lines = json!([{"item": {"id": product.to_string()}, "quantity": 1}]);
        match number % 10 {
            1 | 3 | 5 | 7 => {
                let Some(cart) = self.some_cart(number) else { return Ok(()) };
                let change = json!({"line_items": lines});
                self.send("PUT", &format!("carts/{cart}"), number, &change).await.map(drop)
            }
            8 => {
                let edit = json!({"stock_delta": 3});
                self.send("PUT", &format!("seller/products/{product}"), number, &edit).await.map(drop)
            }
            9 if !self.lean => self.buy(number, &lines).await,
            _ => {
                let cart = self.send("POST", "carts", number, &json!({"line_items": lines})).await?;
                self.remember(&cart);
                Ok(())
            }
        }
    }

    /// Two writes, the second of which a hold may part from the first.
    async fn buy(&mut self, number: u64, lines: &Value) -> Result<()> {
        let made = self.send("POST", "checkout-sessions", number, &checkout(number, lines)).await?;
        let Some(id) = made["id"].as_str() else { return Ok(()) };
        self.send("POST", &format!("checkout-sessions/{id}/complete"), number, &payment()).await.map(drop)
    }

    async fn send(&mut self, method: &str, path: &str, number: u64, body: &Value) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/shops/1/{path}"))
            .header("host", self.seam.to_string())
            .header("content-type", "application/json")
            .header("idempotency-key", format!("bench-{number}"))
            .header("authorization", format!("Bearer {SELLER_KEY}"))
            .body(Full::new(Bytes::from(body.to_string())))?;
        let (sent_us, begun) = ((baliklayar::serving::clock())().0, Instant::now());
        let response = self.connection.ready().await?.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status < 500, "{method} {path}: {status}");
        let took_us = i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        lock(&self.shared.answered).push(Answered { sent_us, took_us });
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn remember(&self, cart: &Value) {
        let Some(id) = cart["id"].as_str() else { return };
        let mut carts = lock(&self.shared.carts);
        if carts.len() >= CARTS_MAX {
            carts.pop_front();
        }
        carts.push_back(id.to_owned());
    }

    fn some_cart(&self, number: u64) -> Option<String> {
        let carts = lock(&self.shared.carts);
        let at = usize::try_from(number / 10).unwrap_or(0).checked_rem(carts.len())?;
        carts.get(at).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
