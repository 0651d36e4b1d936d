//! One HTTP/1.1 client with connections that are kept, and the way in which every client of the demo repeats.

use crate::addresses::Addresses;
use crate::plan::{Bearer, Plan};
use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Pauses before the same key and bytes are sent again; the last one repeats until the request has failed.
const PAUSES_MS: [u64; 5] = [200, 500, 1_000, 2_000, 4_000];
/// Without a right answer by then a request has failed.
const FAILED_AFTER: Duration = Duration::from_secs(15);
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// One attempt; a hold is far shorter, so whoever is silent this long is gone.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 4 << 20;
const IDLE_MAX: usize = 512;

type Connection = SendRequest<Full<Bytes>>;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Null where the body is no JSON.
    pub body: Value,
}

/// What came of a request: an answer below 500, or none within the time; and how often it was repeated.
#[derive(Debug)]
pub struct Exchange {
    pub answer: Option<Answer>,
    pub repeats: u32,
}

#[derive(Debug)]
pub struct Client {
    file: PathBuf,
    addresses: RefCell<Addresses>,
    idle: RefCell<Vec<Connection>>,
}

impl Client {
    pub fn new(file: PathBuf) -> anyhow::Result<Self> {
        let addresses = RefCell::new(Addresses::read(&file)?);
        Ok(Self { file, addresses, idle: RefCell::new(Vec::new()) })
    }

    /// Where they stand.
    pub fn addresses_file(&self) -> &Path {
        &self.file
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses.borrow().clone()
    }

    /// Sends until there is an answer, as [`PAUSES_MS`] says.
    pub async fn send(&self, plan: &Plan) -> Exchange {
        let deadline = Instant::now() + FAILED_AFTER;
        let pauses = PAUSES_MS.iter().chain(std::iter::repeat(&4_000));
        for (repeats, pause) in (0..).zip(pauses) {
            let attempt = timeout(ATTEMPT_MAX, self.attempt(plan));
            match timeout_at(deadline, attempt).await {
                Ok(Ok(Ok(answer))) if answer.status < 500 => return Exchange { answer: Some(answer), repeats },
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err(_)) | Err(_)) | Err(_) => self.lost_connection(),
            }
            let again = Instant::now() + Duration::from_millis(*pause);
            if again >= deadline {
                sleep(deadline - Instant::now()).await;
                return Exchange { answer: None, repeats };
            }
            tokio::time::sleep_until(again).await;
        }
        Exchange { answer: None, repeats: 0 }
    }

    /// Ports may have changed with a restart; an unreadable file is being written, so the old ones stay.
    fn lost_connection(&self) {
        self.idle.borrow_mut().clear();
        if let Ok(addresses) = Addresses::read(&self.file) {
            *self.addresses.borrow_mut() = addresses;
        }
    }

    async fn attempt(&self, plan: &Plan) -> anyhow::Result<Answer> {
        let mut connection = self.connection().await?;
        let request = self.request(plan)?;
        let response = connection.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("answer of {}: {error}", plan.path))?.to_bytes();
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    fn request(&self, plan: &Plan) -> anyhow::Result<Request<Full<Bytes>>> {
        let addresses = self.addresses.borrow();
        let mut request = Request::builder()
            .method(plan.method.as_str())
            .uri(&plan.path)
            .header("host", addresses.authority())
            .header("content-type", "application/json");
        if let Some(key) = &plan.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(bearer) = plan.bearer {
            let key = match bearer {
                Bearer::Host => &addresses.keys.host,
                Bearer::Seller => &addresses.keys.seller,
            };
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = plan.body.clone().unwrap_or_default();
        request.body(Full::new(Bytes::from(body))).with_context(|| format!("request to {}", plan.path))
    }

    /// A kept connection that is still open, or a new one.
    async fn connection(&self) -> anyhow::Result<Connection> {
        while let Some(mut kept) = self.kept() {
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let authority = self.addresses.borrow().authority().to_owned();
        let Ok(stream) = timeout(CONNECT_MAX, TcpStream::connect(&authority)).await else {
            bail!("{authority} does not answer");
        };
        let stream = stream.with_context(|| format!("connecting to {authority}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end is seen by whoever sends on it next.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn kept(&self) -> Option<Connection> {
        self.idle.borrow_mut().pop()
    }
}
