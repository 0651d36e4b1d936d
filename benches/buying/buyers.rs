//! Who comes over HTTP: each on a connection that is kept, one request after the other, as many at once as are wished.
//!
//! They are in the process that measures, so what they use of the processors is in no figure; that they share them with
//! what is measured is in all of them.

use crate::kios::{HOST_KEY, SELLER_KEY};
use crate::people::Connection;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// One person and their connection.
pub struct Buyer {
    connection: Connection,
}

/// A request, ready to be sent.
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: String,
    /// Of a write.
    pub key: Option<String>,
    pub body: Bytes,
}

impl Buyer {
    /// The body of the answer, which is none of an error, and how long it took.
    pub async fn ask(&mut self, asked: Asked<'_>) -> Result<(Bytes, Duration)> {
        let said = format!("{} {}", asked.method, asked.path);
        let bearer = if asked.path.contains("/seller/") { SELLER_KEY } else { HOST_KEY };
        let mut request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header("host", "backend")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {bearer}"));
        if let Some(key) = asked.key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(asked.body))?;
        let begun = Instant::now();
        let response = self.connection.ready().await?.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let took = begun.elapsed();
        ensure!(status.is_success(), "{said}: {status} {}", String::from_utf8_lossy(&body));
        Ok((body, took))
    }

    /// The same, of an answer that is no refusal.
    pub async fn get_done(&mut self, asked: Asked<'_>) -> Result<(Value, Duration)> {
        let said = format!("{} {}", asked.method, asked.path);
        let (body, took) = self.ask(asked).await?;
        let body: Value = serde_json::from_slice(&body)?;
        ensure!(body["ucp"]["status"] == "success", "{said}: {body}");
        Ok((body, took))
    }
}

/// Numbers from 0 on, each given once, until there were enough or time is over.
pub struct Turns {
    next: AtomicU64,
    count: u64,
    begun: Instant,
    lasting: Duration,
}

impl Turns {
    pub fn new(count: u64, lasting: Duration) -> Arc<Self> {
        Arc::new(Self { next: AtomicU64::new(0), count, begun: Instant::now(), lasting })
    }

    pub fn next(&self) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.count && self.begun.elapsed() < self.lasting).then_some(number)
    }
}

/// So many at once, who begin when all are connected: what they bring back, and the time from then to the last of it.
pub async fn crowd<T, W>(to: SocketAddr, buyers: usize, work: impl Fn(Buyer) -> W) -> Result<(Vec<T>, Duration)>
where
    T: Send + 'static,
    W: Future<Output = Result<Vec<T>>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(buyers + 1));
    let mut tasks = JoinSet::new();
    for _ in 0..buyers {
        let mut connection = Connection::to(to);
        connection.ready().await.context("a connection to the backend")?;
        let (work, start) = (work(Buyer { connection }), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            work.await
        });
    }
    start.wait().await;
    let (begun, mut brought) = (Instant::now(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        brought.extend(done??);
    }
    Ok((brought, begun.elapsed()))
}
