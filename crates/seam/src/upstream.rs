//! Connections to one owner: opened, kept alive, reused, and what came back on them.
//!
//! Invariant: a request that may have reached the owner is never sent again. Only one that provably never left this
//! process goes to a second connection.
//! Absent on purpose: which owner, and why.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Limits;

type Sender = SendRequest<Full<Bytes>>;

/// Idle connections kept per owner.
const IDLE_MAX: usize = 256;

/// A connection that was idle longer is not reused: its owner may be closing it at this moment, and a write that
/// meets the close cannot be repeated.
const IDLE_FOR_MAX: Duration = Duration::from_millis(1_500);

/// Tries on connections that turn out closed before anything was sent; the last one opens a new connection.
const TRIES_MAX: usize = 3;

/// The owner gave no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was sent.
    #[error("no connection to the owner")]
    Unreachable(#[source] io::Error),
    /// Sent, perhaps executed, not answered.
    #[error("the owner's connection ended before its answer")]
    Closed(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the owner did not answer in time")]
    TooSlow,
    #[error("the owner's answer is too large")]
    TooLarge,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

pub struct Upstream {
    authority: Authority,
    idle: Mutex<Vec<Idle>>,
    limits: Limits,
}

impl Upstream {
    pub const fn new(authority: Authority, limits: Limits) -> Self {
        Self { authority, idle: Mutex::new(Vec::new()), limits }
    }

    /// Sends the request and receives the answer completely.
    ///
    /// # Errors
    /// See [`Error`]; after [`Error::Unreachable`] nothing was executed, after the others it may have been.
    pub async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        let exchange = self.exchange_unbounded(request);
        timeout(self.limits.answer_within, exchange).await.unwrap_or(Err(Error::TooSlow))
    }

    async fn exchange_unbounded(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        let (sender, answer) = self.send(request).await?;
        let (head, body) = answer.into_parts();
        let body = receive(body, self.limits.answer_max).await?;
        self.keep(sender);
        Ok(Response::from_parts(head, body))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(Sender, Response<Incoming>), Error> {
        let mut request = request;
        let mut tries = 1;
        loop {
            let mut sender = match self.reusable().await {
                Some(sender) if tries < TRIES_MAX => sender,
                Some(_) | None => self.connect().await?,
            };
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((sender, answer)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if tries < TRIES_MAX => request = unsent,
                    Some(_) => return Err(Error::Unreachable(io::Error::other(failed.into_error()))),
                    None => return Err(Error::Closed(failed.into_error().into())),
                },
            }
            tries += 1;
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let opened = timeout(self.limits.connect_within, TcpStream::connect(self.authority.as_str())).await;
        let stream = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Unreachable)?;
        stream.set_nodelay(true).map_err(Error::Unreachable)?;
        let (sender, connection) = http1::Builder::new()
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::Unreachable(io::Error::other(error)))?;
        tokio::spawn(async move {
            // Whoever waits for an answer on it is told; nobody else is concerned.
            let _ = connection.await;
        });
        Ok(sender)
    }

    /// A kept connection that can take a request; those that their owner has closed are dropped on the way.
    async fn reusable(&self) -> Option<Sender> {
        while let Some(mut sender) = self.last_kept() {
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
        None
    }

    fn last_kept(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let Idle { sender, since } = idle.pop()?;
        if since.elapsed() > IDLE_FOR_MAX {
            // The rest has been idle for even longer.
            idle.clear();
            return None;
        }
        Some(sender)
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

async fn receive(body: Incoming, max: usize) -> Result<Bytes, Error> {
    match Limited::new(body, max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Err(error) => Err(Error::Closed(error)),
    }
}
