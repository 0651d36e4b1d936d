//! A steady load at a shop that nobody moves: what others feel of a fault, in microseconds.
//!
//! Requests go out by the clock and are counted from when they were due, so that one which waits does not hide the next.

use crate::client::{HOST, line_items};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use vocab::id::ShopId;

/// Clients, and how often each sends where somebody measures: 100 requests a second together. Otherwise 10, so that a row
/// still sees whether the other shop is answered.
const CLIENTS: u32 = 4;
const EVERY: Duration = Duration::from_millis(40);
const EVERY_UNMEASURED: Duration = Duration::from_millis(400);
/// Of so many requests of a client, one is a write.
const WRITE_EVERY: u64 = 5;

/// One answer: when the request was due, how long it took from then, and whether it was answered as it should.
#[derive(Debug, Clone, Copy)]
struct Sample {
    due: Instant,
    took: Duration,
    right: bool,
}

pub struct Load {
    samples: Arc<Mutex<Vec<Sample>>>,
    over: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

/// Requests between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub requests: usize,
    pub wrong: usize,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

impl Window {
    pub fn json(&self) -> Value {
        json!({"requests": self.requests, "wrong": self.wrong, "p50_us": self.p50_us, "p99_us": self.p99_us,
            "max_us": self.max_us})
    }
}

impl Load {
    pub fn at(seam: SocketAddr, shop: &ShopId, product: &str, measured: bool) -> Self {
        let every = if measured { EVERY } else { EVERY_UNMEASURED };
        let samples = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (samples, over, shop, product) = (samples.clone(), over.clone(), shop.clone(), product.to_owned());
            clients.spawn(async move {
                let mut due = Instant::now() + every * client / CLIENTS;
                let mut kept = None;
                for number in 0.. {
                    tokio::time::sleep_until(due.into()).await;
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let request = request(&shop, &product, number % WRITE_EVERY == u64::from(client) % WRITE_EVERY);
                    let right = answered(seam, &mut kept, &request).await;
                    samples.lock().unwrap().push(Sample { due, took: due.elapsed(), right });
                    due += every;
                }
            });
        }
        Self { samples, over, clients }
    }

    pub fn window(&self, from: Instant, to: Instant) -> Window {
        let samples = self.samples.lock().unwrap();
        let inside: Vec<Sample> = samples.iter().filter(|it| from <= it.due && it.due < to).copied().collect();
        drop(samples);
        let mut took: Vec<u64> = inside.iter().map(|it| u64::try_from(it.took.as_micros()).unwrap()).collect();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
        Window {
            requests: took.len(),
            wrong: inside.iter().filter(|it| !it.right).count(),
            p50_us: at(50).copied().unwrap_or(0),
            p99_us: at(99).copied().unwrap_or(0),
            max_us: took.last().copied().unwrap_or(0),
        }
    }

    pub async fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

fn request(shop: &ShopId, product: &str, write: bool) -> String {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let (path, body, key) = if write {
        let key = format!("idempotency-key: load-{}\r\n", KEYS.fetch_add(1, Ordering::Relaxed));
        ("carts", json!({"line_items": line_items(&[(product, 1)])}).to_string(), key)
    } else {
        ("catalog/lookup", json!({"ids": [product]}).to_string(), String::new())
    };
    let length = body.len();
    format!(
        "POST /shops/{shop}/{path} HTTP/1.1\r\nhost: host\r\nauthorization: Bearer {HOST}\r\n{key}content-length: {length}\r\n\r\n{body}"
    )
}

type Kept = Option<BufReader<TcpStream>>;

/// Whether there was an answer that is none of a broken server's. The connection is kept.
async fn answered(seam: SocketAddr, kept: &mut Kept, request: &str) -> bool {
    match exchange(seam, kept, request).await {
        Ok(status) => status / 100 == 2,
        Err(_) => {
            *kept = None;
            false
        }
    }
}

async fn exchange(seam: SocketAddr, kept: &mut Kept, request: &str) -> std::io::Result<u16> {
    let stream = match kept {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(seam).await?;
            stream.set_nodelay(true)?;
            kept.insert(BufReader::new(stream))
        }
    };
    stream.get_mut().write_all(request.as_bytes()).await?;
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap_or(0);
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(status)
}
