//! A client's connection: plain requests, one after the other, and then whatever else it sends.
//!
//! Invariant: a request is answered before the next one is looked at. The first one that is not plain takes the
//! connection to the general way, with every byte that was received.
//! Absent on purpose: what a request means; the rest of HTTP (`general`).

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::answer::Reason;
use crate::cores::Ending;
use crate::general;
use crate::plain::{self, Plain, Seen};
use crate::server::Service;
use crate::upstream::Question;

/// How long a client may take to send a request's head, or stay silent: between two requests, and while it is sent an
/// answer.
pub const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// Bytes that are made room for before each look.
const READ_AT_ONCE: usize = 4 << 10;

/// Bytes that a client may send ahead while its request is parked: its next request's head, no body.
const AHEAD_MAX: usize = READ_AT_ONCE;

/// Buffers larger than this are not kept between two requests.
const BUFFER_KEPT_MAX: usize = 64 << 10;

/// Serves one client's connection until it ends.
pub async fn serve(stream: TcpStream, service: Rc<Service>, ending: Ending) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let patience = Box::pin(sleep(HEAD_WITHIN));
    let (bytes, head, answer) = (Vec::new(), Vec::new(), Vec::new());
    let mut client = Client { stream, bytes, head, answer, patience, service, ending };
    if client.serve_plain().await == Then::General {
        let Client { stream, bytes, service, ending, .. } = client;
        general::serve(stream, bytes, service, ending).await;
    }
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    /// The connection has ended.
    End,
    /// What is here has to be read in the general way.
    General,
}

struct Client {
    stream: TcpStream,
    /// What was received and not answered yet.
    bytes: Vec<u8>,
    /// The head of the request under way, as its owner gets it.
    head: Vec<u8>,
    answer: Vec<u8>,
    patience: Pin<Box<Sleep>>,
    service: Rc<Service>,
    ending: Ending,
}

impl Client {
    async fn serve_plain(&mut self) -> Then {
        let mut begun = pin!(self.ending.clone().into_begun());
        loop {
            let plain = match self.next(begun.as_mut()).await {
                Ok(plain) => plain,
                Err(then) => return then,
            };
            let end = plain.head_len + plain.body_len;
            let ends = match self.receive(end).await {
                Ok(true) => self.pass(&plain).await,
                // A client that leaves in the middle of a request has asked for nothing.
                Ok(false) => return Then::End,
                Err(reason) => self.refuse(reason),
            };
            if !self.send().await || ends {
                return Then::End;
            }
            self.bytes.drain(..end);
            self.shrink();
        }
    }

    /// The head of the next request. Without a whole one a connection closes when the seam's end has begun.
    async fn next(&mut self, mut begun: Pin<&mut impl Future<Output = ()>>) -> Result<Plain, Then> {
        self.patience.as_mut().reset(Instant::now() + HEAD_WITHIN);
        if !self.bytes.is_empty()
            && let Some(next) = self.look()
        {
            return next;
        }
        loop {
            self.bytes.reserve(READ_AT_ONCE);
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.bytes) => if !read.is_ok_and(|read| read > 0) {
                    return Err(Then::End);
                },
                () = begun.as_mut() => return Err(Then::End),
                () = self.patience.as_mut() => return Err(Then::End),
            }
            if let Some(next) = self.look() {
                return next;
            }
        }
    }

    /// What the bytes that are here begin with; none if that cannot be said yet.
    fn look(&mut self) -> Option<Result<Plain, Then>> {
        match plain::read(&self.bytes, self.service.via(), &mut self.head) {
            Seen::Incomplete => None,
            Seen::Plain(plain) if plain.body_len <= self.service.limits().body_max => Some(Ok(plain)),
            Seen::Plain(_) | Seen::Other => Some(Err(Then::General)),
        }
    }

    /// Waits until so many bytes are here; false if the client has left before.
    async fn receive(&mut self, end: usize) -> Result<bool, Reason> {
        if self.bytes.len() >= end {
            return Ok(true);
        }
        self.patience.as_mut().reset(Instant::now() + self.service.limits().body_within);
        while self.bytes.len() < end {
            self.bytes.reserve(READ_AT_ONCE.max(end - self.bytes.len()));
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.bytes) => if !read.is_ok_and(|read| read > 0) {
                    return Ok(false);
                },
                () = self.patience.as_mut() => return Err(Reason::BodyTooSlow),
            }
        }
        Ok(true)
    }

    /// Has one request answered; returns whether the connection ends with its answer.
    async fn pass(&mut self, plain: &Plain) -> bool {
        let Self { stream, bytes, head, answer, service, .. } = self;
        let mut ahead = Vec::new();
        let passed = async {
            // Every byte of the path is an ASCII character: else it would not be plain.
            let path = std::str::from_utf8(&bytes[plain.path.clone()]).map_err(|_| Reason::NotFound)?;
            let body = &bytes[plain.head_len..plain.head_len + plain.body_len];
            let question = Question { head, body, to_head: false };
            if general::is_own(&plain.method, path) {
                general::write_own(service, path, answer);
                return Ok(());
            }
            let target = service.target(&plain.method, path, false)?;
            service.pass(target, question, left(stream, &mut ahead), answer).await
        };
        let passed = passed.await;
        bytes.append(&mut ahead);
        match passed {
            Ok(()) => self.ending.has_begun() && self.close(),
            Err(reason) => self.refuse(reason),
        }
    }

    /// The seam's own answer instead of an owner's.
    fn refuse(&mut self, reason: Reason) -> bool {
        reason.write(&[], &mut self.answer);
        reason.ends_connection() || self.ending.has_begun() && self.close()
    }

    /// Says in the answer that it is the last one.
    fn close(&mut self) -> bool {
        let status_len = self.answer.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.answer.splice(status_len..status_len, *b"connection: close\r\n");
        true
    }

    /// Sends the answer, as slowly as the client takes it, as long as it takes some.
    async fn send(&mut self) -> bool {
        let Self { stream, answer, patience, .. } = self;
        let mut sent = 0;
        while sent < answer.len() {
            patience.as_mut().reset(Instant::now() + HEAD_WITHIN);
            tokio::select! {
                biased;
                written = stream.write(&answer[sent..]) => match written {
                    Ok(count) if count > 0 => sent += count,
                    Ok(_) | Err(_) => return false,
                },
                () = patience.as_mut() => return false,
            }
        }
        true
    }

    /// What was answered takes no memory while the client thinks about it.
    fn shrink(&mut self) {
        self.answer.clear();
        for buffer in [&mut self.bytes, &mut self.answer] {
            if buffer.capacity() > BUFFER_KEPT_MAX && buffer.len() < READ_AT_ONCE {
                buffer.shrink_to(READ_AT_ONCE);
            }
        }
    }
}

/// Resolves when the client has closed its connection; what it sends meanwhile is kept.
async fn left(stream: &TcpStream, ahead: &mut Vec<u8>) {
    loop {
        if ahead.len() >= AHEAD_MAX {
            return std::future::pending().await;
        }
        if stream.readable().await.is_err() {
            return;
        }
        ahead.reserve(READ_AT_ONCE);
        match stream.try_read_buf(ahead) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
