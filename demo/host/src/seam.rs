//! The way to the shops: one HTTP/1.1 client with connections that are kept, and the patience of every client here.
//!
//! Invariant: a write that may have arrived is repeated with the same key and the same bytes, and never with others. A
//! checkout is written down before it is completed, or a page is shown on which it can be, so that the demo's oracle can
//! look what became of it.

use crate::addresses::Addresses;
use crate::heard::Heard;
use crate::wire::{self, Ask, Refusal};
use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Pauses before the same is sent again; the last one repeats until time is over.
const PAUSES_MS: [u64; 5] = [200, 500, 1_000, 2_000, 4_000];
/// Without an answer by then a person is told that the shop is silent.
const SILENT_AFTER: Duration = Duration::from_secs(15);
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// One attempt; a hold is far shorter, so whoever is silent this long is gone.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 4 << 20;
const IDLE_MAX: usize = 64;

/// What people at this page completed, or wanted to, or were shown where to pay; docs/contracts.md names it.
const COMPLETED: &str = "people.txt";

const HELD_US: &str = "balik-held-us";
const SIDE: &str = "balik-side";

type Connection = SendRequest<Full<Bytes>>;

/// What a shop said, and how long that took.
#[derive(Debug, Clone)]
pub struct Answer {
    pub body: Value,
    pub took: Duration,
    /// How long the seam kept it waiting, if it says so.
    pub held_us: Option<u64>,
    /// Who answered, if the seam says so.
    pub side: Option<String>,
    pub repeats: u32,
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The shop says no.
    Refused(Refusal),
    /// Nobody answered in time; a write may have happened, and has to be sent again as it was.
    Silent,
    /// An answer that no person can do anything about; its code, or its status.
    Odd(String),
}

#[derive(Debug)]
pub struct Seam {
    file: PathBuf,
    addresses: Mutex<Addresses>,
    idle: Mutex<Vec<Connection>>,
}

struct Raw {
    status: u16,
    body: Value,
    held_us: Option<u64>,
    side: Option<String>,
}

impl Seam {
    pub fn new(file: PathBuf) -> anyhow::Result<Self> {
        let addresses = Mutex::new(Addresses::read(&file)?);
        Ok(Self { file, addresses, idle: Mutex::default() })
    }

    pub fn addresses(&self) -> Addresses {
        lock(&self.addresses).clone()
    }

    /// Sends until there is an answer, as [`PAUSES_MS`] says.
    ///
    /// # Errors
    /// Whatever is no plain yes.
    pub async fn send(&self, ask: &Ask) -> Result<Answer, Trouble> {
        if let Some(checkout) = ask.path.strip_suffix("/complete") {
            self.write_down(checkout).map_err(|error| Trouble::Odd(error.to_string()))?;
        }
        let began = Instant::now();
        let deadline = began + SILENT_AFTER;
        let pauses = PAUSES_MS.iter().chain(std::iter::repeat(&4_000));
        for (repeats, pause) in (0..).zip(pauses) {
            match timeout_at(deadline, timeout(ATTEMPT_MAX, self.attempt(ask))).await {
                Ok(Ok(Ok(raw))) if raw.status < 500 => {
                    let Raw { status, body, held_us, side } = raw;
                    return read(status, Answer { body, took: began.elapsed(), held_us, side, repeats });
                }
                // 503 and its like: the same again is the right thing, whether it was done or not.
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err(_)) | Err(_)) | Err(_) => self.lost_connection(),
            }
            let again = Instant::now() + Duration::from_millis(*pause);
            if again >= deadline {
                break;
            }
            sleep_until(again).await;
        }
        Err(Trouble::Silent)
    }

    /// Before somebody is shown where else to pay it.
    pub fn write_down_offered(&self, shop: &str, checkout: &str) -> Result<(), Trouble> {
        let path = Ask::checkout(shop, checkout).path;
        self.write_down(&path).map_err(|error| Trouble::Odd(error.to_string()))
    }

    /// One path a line, beside the addresses; the same one again, when the same is sent again.
    fn write_down(&self, checkout: &str) -> std::io::Result<()> {
        let file = self.file.with_file_name(COMPLETED);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        // One write, so that no reader sees half a line.
        file.write_all(format!("{checkout}\n").as_bytes())
    }

    /// Ports may have changed with a restart; an unreadable file is being written, so the old ones stay.
    fn lost_connection(&self) {
        lock(&self.idle).clear();
        if let Ok(addresses) = Addresses::read(&self.file) {
            *lock(&self.addresses) = addresses;
        }
    }

    async fn attempt(&self, ask: &Ask) -> anyhow::Result<Raw> {
        let mut connection = self.connection().await?;
        let response = connection.send_request(self.request(ask)?).await?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (held_us, side) = (header(HELD_US).and_then(|text| text.parse().ok()), header(SIDE));
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("answer of {}: {error}", ask.path))?.to_bytes();
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(Raw { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null), held_us, side })
    }

    fn request(&self, ask: &Ask) -> anyhow::Result<Request<Full<Bytes>>> {
        let addresses = lock(&self.addresses);
        let mut request = Request::builder()
            .method(ask.method)
            .uri(&ask.path)
            .header("host", addresses.authority())
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", addresses.keys.host));
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key);
        }
        request.body(Full::new(Bytes::from(ask.body.clone()))).with_context(|| format!("request to {}", ask.path))
    }

    /// A kept connection that is still open, or a new one.
    async fn connection(&self) -> anyhow::Result<Connection> {
        while let Some(mut kept) = self.kept() {
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let authority = lock(&self.addresses).authority().to_owned();
        let stream = timeout(CONNECT_MAX, TcpStream::connect(&authority)).await;
        let stream = stream.with_context(|| format!("{authority} does not answer"))?;
        let stream = stream.with_context(|| format!("connecting to {authority}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(Heard::on(stream)?)).await?;
        // Its end is seen by whoever sends on it next.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn kept(&self) -> Option<Connection> {
        lock(&self.idle).pop()
    }
}

/// Tells a yes from the two kinds of no.
fn read(status: u16, answer: Answer) -> Result<Answer, Trouble> {
    if !(200..300).contains(&status) {
        let code = answer.body.get("code").and_then(Value::as_str);
        return Err(Trouble::Odd(code.map_or_else(|| status.to_string(), str::to_owned)));
    }
    match wire::refusal(&answer.body) {
        Some(refusal) => Err(Trouble::Refused(refusal)),
        None => Ok(answer),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
