//! One HTTP/1.1 client with connections that are kept, and the way in which every client of the demo repeats.

use crate::addresses::{self, Addresses};
use crate::heard::Heard;
use crate::plan::{Bearer, Plan};
use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
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
/// A provider's book has all that it ever knew.
const BOOK_BYTES_MAX: usize = 256 << 20;
const IDLE_MAX: usize = 512;

type Connection = SendRequest<Full<Bytes>>;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Null where the body is no JSON.
    pub body: Value,
}

/// A page that somebody looks at, complete.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub text: String,
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
    /// When the seam was last found to be away.
    lost: Cell<Option<Instant>>,
}

impl Client {
    pub fn new(file: PathBuf) -> anyhow::Result<Self> {
        let addresses = RefCell::new(Addresses::read(&file)?);
        Ok(Self { file, addresses, idle: RefCell::new(Vec::new()), lost: Cell::new(None) })
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

    /// When somebody last found nobody at the seam, or was left without an answer there.
    pub fn lost(&self) -> Option<Instant> {
        self.lost.get()
    }

    /// A page of the seam, or what comes of a form that is sent to it: once, by a browser of the buyer's own. None where nobody
    /// answered.
    pub async fn page(&self, path: &str, form: Option<&str>) -> Option<Page> {
        let seam = self.addresses.borrow().seam.clone();
        let asked = async {
            let request = person(addresses::authority(&seam), path, form)?;
            elsewhere(&seam, request, ANSWER_BYTES_MAX).await
        };
        match timeout(ATTEMPT_MAX, asked).await {
            Ok(Ok((status, bytes))) => Some(Page { status, text: String::from_utf8_lossy(&bytes).into_owned() }),
            Ok(Err(_)) | Err(_) => {
                self.lost_connection();
                None
            }
        }
    }

    /// The same of a page elsewhere, for people who pay: without a key.
    pub async fn page_elsewhere(&self, address: &str, path: &str, form: Option<&str>) -> Option<Page> {
        let request = person(addresses::authority(address), path, form).ok()?;
        let (status, bytes) = timeout(ATTEMPT_MAX, elsewhere(address, request, ANSWER_BYTES_MAX)).await.ok()?.ok()?;
        Some(Page { status, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// What somebody keeps behind a key, as JSON.
    pub async fn book(&self, address: &str, path: &str, key: &str) -> anyhow::Result<Value> {
        let request = Request::builder()
            .uri(path)
            .header("host", addresses::authority(address))
            .header("authorization", format!("Bearer {key}"))
            .body(Full::default())?;
        let (status, bytes) = timeout(FAILED_AFTER, elsewhere(address, request, BOOK_BYTES_MAX)).await??;
        if status != 200 {
            bail!("{address}{path} answered {status}");
        }
        serde_json::from_slice(&bytes).with_context(|| format!("what {address}{path} answered"))
    }

    /// Ports may have changed with a restart; an unreadable file is being written, so the old ones stay.
    fn lost_connection(&self) {
        self.idle.borrow_mut().clear();
        self.lost.set(Some(Instant::now()));
        if let Ok(addresses) = Addresses::read(&self.file) {
            *self.addresses.borrow_mut() = addresses;
        }
    }

    async fn attempt(&self, plan: &Plan) -> anyhow::Result<Answer> {
        let connection = self.connection().await?;
        let request = self.request(plan)?;
        let (status, body) = self.exchange(connection, request).await?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// At the seam; the connection is kept.
    async fn exchange(
        &self,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(u16, Bytes)> {
        let answer = answered(&mut connection, request, ANSWER_BYTES_MAX).await?;
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(answer)
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
        handshake(Heard::on(connect(&authority).await?)?).await
    }

    fn kept(&self) -> Option<Connection> {
        self.idle.borrow_mut().pop()
    }
}

async fn connect(authority: &str) -> anyhow::Result<TcpStream> {
    let Ok(stream) = timeout(CONNECT_MAX, TcpStream::connect(authority)).await else {
        bail!("{authority} does not answer");
    };
    let stream = stream.with_context(|| format!("connecting to {authority}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn handshake(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> anyhow::Result<Connection> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its end is seen by whoever sends on it next.
    tokio::spawn(connection);
    Ok(sender)
}

async fn answered(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> anyhow::Result<(u16, Bytes)> {
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), bytes_max).collect().await;
    Ok((status, body.map_err(|error| anyhow::anyhow!("an answer that ended early: {error}"))?.to_bytes()))
}

async fn elsewhere(address: &str, request: Request<Full<Bytes>>, bytes_max: usize) -> anyhow::Result<(u16, Bytes)> {
    let mut connection = handshake(connect(addresses::authority(address)).await?).await?;
    answered(&mut connection, request, bytes_max).await
}

/// As a browser asks for a page, or sends a form.
fn person(authority: &str, path: &str, form: Option<&str>) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = Request::builder().uri(path).header("host", authority).header("accept", "text/html");
    let request = match form {
        Some(_) => request.method("POST").header("content-type", "application/x-www-form-urlencoded"),
        None => request,
    };
    let body = Full::new(Bytes::from(form.unwrap_or_default().to_owned()));
    request.body(body).with_context(|| format!("request to {path}"))
}
