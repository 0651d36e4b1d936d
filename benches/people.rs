//! What all have in common who come to a seam, whatever they want there: a connection, a time at which they are due, and
//! what it takes to buy.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;

/// Those who are due and wait for a connection.
const DUE_MAX: usize = 10_000;

/// A connection that is kept while it lasts.
pub struct Connection {
    seam: SocketAddr,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub const fn to(seam: SocketAddr) -> Self {
        Self { seam, kept: None }
    }

    /// One that takes a request now.
    pub async fn ready(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        if let Some(kept) = &mut self.kept
            && kept.ready().await.is_err()
        {
            self.kept = None;
        }
        if self.kept.is_none() {
            let stream = TcpStream::connect(self.seam).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // Its end is seen by whoever sends on it next.
            tokio::spawn(connection);
            self.kept = Some(sender);
        }
        self.kept.as_mut().context("a connection")
    }

    /// After a failure nobody knows what is on it.
    pub fn give_up(&mut self) {
        self.kept = None;
    }
}

/// When the next one is due, for whoever is free first.
#[derive(Clone)]
pub struct Due(Arc<Mutex<mpsc::Receiver<Instant>>>);

impl Due {
    /// None when nobody comes any more.
    pub async fn next(&self) -> Option<Instant> {
        self.0.lock().await.recv().await
    }
}

/// People who come at a rate, whether those before have been served or not: a slow answer is counted as often as it would
/// have been waited for.
pub struct Crowd {
    ended: Arc<Notify>,
    tasks: JoinSet<()>,
}

impl Crowd {
    /// So many of them can be served at one time.
    pub fn start<P: Future<Output = ()> + Send + 'static>(
        clients: usize,
        rate: u32,
        person: impl Fn(Due) -> P,
    ) -> Self {
        let (due, waiting) = mpsc::channel(DUE_MAX);
        let (waiting, ended) = (Due(Arc::new(Mutex::new(waiting))), Arc::<Notify>::default());
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            tasks.spawn(person(waiting.clone()));
        }
        let over = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = pace(rate, due) => {}
                () = over.notified() => {}
            }
        });
        Self { ended, tasks }
    }

    /// Ends when each has its answer.
    pub async fn end(mut self) {
        self.ended.notify_one();
        while self.tasks.join_next().await.is_some() {}
    }
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

/// A checkout with all that it needs.
pub fn checkout(number: u64, lines: &Value) -> Value {
    json!({"line_items": lines,
        "buyer": {"full_name": "Pembeli", "phone_number": format!("+62812{:08}", number % 100_000_000)},
        "fulfillment": {"methods": [{"id": "shipping", "type": "shipping",
            "destinations": [{"id": "address", "type": "shipping_address", "street_address": "Jalan Melati 1",
                "address_locality": "Bandung", "postal_code": "40111", "address_country": "ID"}],
            "selected_destination_id": "address",
            "groups": [{"id": "package", "selected_option_id": "flat"}]}]}})
}

/// What completes it.
pub fn payment() -> Value {
    json!({"payment": {"instruments": [
        {"id": "approve", "handler_id": "instant", "type": "instant", "selected": true}]}})
}
