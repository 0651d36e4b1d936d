//! People who open a shop, through the seam, at a rate: the first page, then its first product.
//!
//! Each comes when it is due, whether those before have been served or not, so that a slow answer is counted as often as
//! it would have been waited for.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::load::Answered;

/// Connections, and so openings at one time.
const CLIENTS: usize = 32;
/// Openings that are due and wait for a connection.
const DUE_MAX: usize = 10_000;

/// What was seen.
#[derive(Debug, Default)]
pub struct Openings {
    pub answered: Vec<Answered>,
    pub failed: u64,
}

/// Running people.
pub struct Openers {
    seen: Arc<Mutex<Openings>>,
    ended: Arc<Notify>,
    tasks: JoinSet<()>,
}

impl Openers {
    pub fn start(seam: SocketAddr, rate: u32) -> Self {
        let (seen, ended) = (Arc::<Mutex<Openings>>::default(), Arc::<Notify>::default());
        let (due, waiting) = mpsc::channel(DUE_MAX);
        let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            tasks.spawn(person(seam, waiting.clone(), seen.clone()));
        }
        let over = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = pace(rate, due) => {}
                () = over.notified() => {}
            }
        });
        Self { seen, ended, tasks }
    }

    /// Ends when each has its answer.
    pub async fn end(mut self) -> Openings {
        self.ended.notify_one();
        while self.tasks.join_next().await.is_some() {}
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Says when each opening is due.
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

async fn person(
    seam: SocketAddr,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Instant>>>,
    seen: Arc<Mutex<Openings>>,
) {
    let mut connection = None;
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(due) = next else { return };
        let late_us = i64::try_from(due.elapsed().as_micros()).unwrap_or(0);
        let sent_us = (baliklayar::serving::clock())().0 - late_us;
        let opened = open(seam, &mut connection).await;
        let took_us = i64::try_from(due.elapsed().as_micros()).unwrap_or(i64::MAX);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok(()) => seen.answered.push(Answered { sent_us, took_us }),
            Err(error) => {
                if seen.failed == 0 {
                    eprintln!("an opening failed: {error:#}");
                }
                seen.failed += 1;
                connection = None;
            }
        }
    }
}

async fn open(seam: SocketAddr, connection: &mut Option<SendRequest<Full<Bytes>>>) -> Result<()> {
    if connection.is_none() {
        let stream = TcpStream::connect(seam).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end is seen by whoever sends on it next.
        tokio::spawn(driver);
        *connection = Some(sender);
    }
    let sender = connection.as_mut().context("a connection")?;
    let page = ask(sender, seam, "catalog/search", &json!({})).await?;
    let first = page["products"][0]["id"].as_str().context("an empty page")?;
    let product = ask(sender, seam, "catalog/product", &json!({ "id": first })).await?;
    anyhow::ensure!(product["product"]["id"] == *first, "another product: {product}");
    Ok(())
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, seam: SocketAddr, path: &str, body: &Value) -> Result<Value> {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/shops/1/{path}"))
        .header("host", seam.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    anyhow::ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}
