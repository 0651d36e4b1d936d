//! The listening side: connections in, each request classified, let through, answered.
//!
//! Invariant: a body is received completely before its request counts as in flight or as parked, so a client that
//! sends half of one blocks no drain; and a forwarded write outlives the client that sent it.
//! Absent on purpose: deciding who goes (`gate`), talking to owners (`forward`).

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::answer::{self, Answer, Reason};
use crate::forward::Forwarder;
use crate::gate::{Admission, Arrival};
use crate::headers::Via;
use crate::operation::{Class, Operations, Target};
use crate::shops::Shops;
use crate::{BadPattern, Config, Handle, Limits};

/// Client connections open at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 8_192;

/// How long a client may take to send a request's head, or stay silent between two requests.
const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// Before the next try when the system gives no connection (out of descriptors).
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What a parked request occupies beside its body and header fields.
const HEAD_COST: usize = 512;

/// A running seam. Dropped, it accepts nothing more and closes its connections as they fall idle.
pub struct Seam {
    address: SocketAddr,
    shops: Arc<Shops>,
    handle: Handle,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Seam {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends: nothing new is accepted, what is parked is answered 503, what is in flight is finished.
    /// Returns whether everything was finished `within`; what was not is cut off.
    pub async fn shutdown(self, within: Duration) -> bool {
        let Self { shops, stop, mut accepting, .. } = self;
        stop.send_replace(true);
        let gates = shops.all();
        for gate in &gates {
            gate.stop();
        }
        let finish = async {
            let ended = (&mut accepting).await.is_ok();
            for gate in gates {
                gate.drained().await;
            }
            ended
        };
        let finished = timeout(within, finish).await.unwrap_or(false);
        accepting.abort();
        finished
    }
}

/// Starts a seam on the current runtime. It answers 503 until the first push through its [`Handle`].
///
/// # Errors
/// A path pattern of the configuration is none; or the listener has no address.
pub fn start(listener: TcpListener, config: Config) -> Result<Seam, Error> {
    let address = listener.local_addr().map_err(Error::Listener)?;
    let shops = Arc::new(Shops::new(&config));
    let handle = Handle::new(Arc::clone(&shops), tokio::runtime::Handle::current(), config.limits);
    // Unlike every other seam, also one of the same machine started at the same instant.
    let via = Via::new(RandomState::new().hash_one((address, std::process::id())));
    let service = Service {
        shops: Arc::clone(&shops),
        operations: Operations::new(&config.operations)?,
        forwarder: Arc::new(Forwarder::new(&config, via)),
        limits: config.limits,
    };
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, Arc::new(service), stopped));
    Ok(Seam { address, shops, handle, stop, accepting })
}

/// A seam could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the seam's listener has no address")]
    Listener(#[source] std::io::Error),
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

async fn accept(listener: TcpListener, service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stopping = pin!({
        let mut stopped = stopped.clone();
        async move { ended(&mut stopped).await }
    });
    loop {
        tokio::select! {
            () = &mut stopping => break,
            (stream, permit) = next(&listener, &permits) => {
                connections.spawn(connection(stream, permit, Arc::clone(&service), stopped.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stopped.mark_unchanged();
    while connections.join_next().await.is_some() {}
}

/// Resolves when the seam is told to end, or when nobody is left to tell it.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn next(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    _permit: Option<OwnedSemaphorePermit>,
    service: Arc<Service>,
    mut stopped: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let respond = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.respond(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .writev(false)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), respond);
    let mut connection = pin!(connection);
    // How a client's connection ends is its own affair; what it asked for is accounted for in the gate.
    tokio::select! {
        _ = &mut connection => {}
        () = ended(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

struct Service {
    shops: Arc<Shops>,
    operations: Operations,
    forwarder: Arc<Forwarder>,
    limits: Limits,
}

impl Service {
    async fn respond(&self, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/health" if request.method() == Method::GET => answer::state(true),
            "/ready" if request.method() == Method::GET => answer::state(self.shops.is_fresh()),
            _ => self.pass(request).await.unwrap_or_else(Reason::answer),
        }
    }

    async fn pass(&self, request: Request<Incoming>) -> Result<Answer, Reason> {
        let target = self.operations.target(request.method(), request.uri().path(), request.headers())?;
        check_host(request.uri(), request.headers())?;
        if self.forwarder.via().is_loop(request.headers()) {
            return Err(Reason::Loop);
        }
        self.check_fresh()?;
        let (head, body) = request.into_parts();
        let body = self.receive(&head.headers, body).await?;
        // Again: a body may have taken longer than the routes stay fresh.
        self.check_fresh()?;
        match target.class {
            Class::Read => self.read(target, head, body).await,
            Class::Write => self.write(target, head, body).await,
        }
    }

    /// By the owner; by the copy where the dial says so, as long as the copy is fresh when its answer is here. A copy that
    /// fails, or answers too late, is as if it had not been asked.
    async fn read(&self, target: Target, head: Parts, body: Bytes) -> Result<Answer, Reason> {
        let gate = target.dial.and_then(|_| self.shops.known(&target.shop));
        let copy = gate.as_ref().and_then(|gate| Some((gate, gate.copy(Instant::now())?)));
        if let Some((gate, copy)) = copy {
            let answer = self.forwarder.read(head.clone(), body.clone(), copy.at).await;
            let taken = answer.status().is_success() && Instant::now() < copy.until;
            gate.copied(taken);
            if taken {
                return Ok(answer);
            }
        }
        let owner = self.shops.owner(&target.shop).ok_or(Reason::NotFound)?;
        Ok(self.forwarder.read(head, body, owner).await)
    }

    async fn write(&self, target: Target, head: Parts, body: Bytes) -> Result<Answer, Reason> {
        let Some(gate) = self.shops.for_write(&target.shop) else {
            let known = self.shops.owner(&target.shop);
            return Err(known.map_or(Reason::NotFound, |_| Reason::TooManyShops));
        };
        let cost = HEAD_COST + body.len() + fields_len(&head.headers);
        let arrival = Arrival { resource: target.resource, cost, at: Instant::now() };
        let ticket = match gate.admit(arrival) {
            Admission::Go(ticket) => ticket,
            Admission::Parked(parked) => parked.wait().await?,
            Admission::Refused(refused) => return Err(refused.into()),
        };
        // A task of its own: from here on the write is with its owner, whether its client stays or not.
        let forwarder = Arc::clone(&self.forwarder);
        let written = tokio::spawn(async move { forwarder.write(head, body, ticket).await });
        written.await.map_err(|_| Reason::OwnerClosed)
    }

    fn check_fresh(&self) -> Result<(), Reason> {
        if self.shops.is_fresh() { Ok(()) } else { Err(Reason::RoutesStale) }
    }

    async fn receive(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Reason> {
        let max = self.limits.body_max;
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|declared| declared > max) {
            return Err(Reason::BodyTooLarge);
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        match timeout(self.limits.body_within, Limited::new(body, max).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reason::BodyTooLarge),
            Ok(Err(_)) => Err(Reason::InvalidBody),
            Err(_) => Err(Reason::BodyTooSlow),
        }
    }
}

/// Exactly one authority: two would let this seam and the owner think of two shops' hosts.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Reason> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Reason::InvalidHost) };
    match uri.authority() {
        Some(authority) if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            Err(Reason::InvalidHost)
        }
        Some(_) | None => Ok(()),
    }
}

fn fields_len(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
