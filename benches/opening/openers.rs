//! People who open a shop, through the seam, at a rate: the first page, then its first product.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::load::Answered;
use crate::people::{Connection, Crowd, Due};

/// Connections, and so openings at one time.
const CLIENTS: usize = 32;

/// What was seen.
#[derive(Debug, Default)]
pub struct Openings {
    pub answered: Vec<Answered>,
    pub failed: u64,
}

/// Running people.
pub struct Openers {
    seen: Arc<Mutex<Openings>>,
    crowd: Crowd,
}

impl Openers {
    pub fn start(seam: SocketAddr, rate: u32) -> Self {
        let seen = Arc::<Mutex<Openings>>::default();
        let crowd = Crowd::start(CLIENTS, rate, |due| person(Connection::to(seam), seam, due, seen.clone()));
        Self { seen, crowd }
    }

    /// Ends when each has its answer.
    pub async fn end(self) -> Openings {
        self.crowd.end().await;
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn person(mut connection: Connection, seam: SocketAddr, waiting: Due, seen: Arc<Mutex<Openings>>) {
    while let Some(due) = waiting.next().await {
        let late_us = i64::try_from(due.elapsed().as_micros()).unwrap_or(0);
        let sent_us = (baliklayar::serving::clock())().0 - late_us;
        let opened = open(&mut connection, seam).await;
        let took_us = i64::try_from(due.elapsed().as_micros()).unwrap_or(i64::MAX);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match opened {
            Ok(()) => seen.answered.push(Answered { sent_us, took_us }),
            Err(error) => {
                if seen.failed == 0 {
                    eprintln!("an opening failed: {error:#}");
                }
                seen.failed += 1;
                connection.give_up();
            }
        }
    }
}

async fn open(connection: &mut Connection, seam: SocketAddr) -> Result<()> {
    let page = ask(connection, seam, "catalog/search", &json!({})).await?;
    let first = page["products"][0]["id"].as_str().context("an empty page")?;
    let product = ask(connection, seam, "catalog/product", &json!({ "id": first })).await?;
    anyhow::ensure!(product["product"]["id"] == *first, "another product: {product}");
    Ok(())
}

async fn ask(connection: &mut Connection, seam: SocketAddr, path: &str, body: &Value) -> Result<Value> {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/shops/1/{path}"))
        .header("host", seam.to_string())
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))?;
    let response = connection.ready().await?.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    anyhow::ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}
