//! Connections to one owner: opened, kept alive, reused, and what came back on them.
//!
//! Invariant: a request that may have reached the owner is never sent again. Only one that provably never left this
//! process goes to a second connection.
//! Absent on purpose: which owner, and why.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::BufMut;
use http::uri::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use vocab::id::Epoch;

use crate::headers::EPOCH;
use crate::reply::{self, Chunks, Framing, Head, Malformed, Seen};
use crate::{Limits, fields};

/// Idle connections kept per owner and thread.
const IDLE_MAX: usize = 256;

/// A connection that was idle longer is not reused: its owner may be closing it at this moment, and a write that
/// meets the close cannot be repeated.
const IDLE_FOR_MAX: Duration = Duration::from_millis(1_500);

/// Tries on connections that turn out closed before anything was sent; the last one opens a new connection.
const TRIES_MAX: usize = 3;

/// Bytes that are made room for before each look.
const READ_AT_ONCE: usize = 8 << 10;

/// Answers in between that may come before the answer.
const INTERIM_MAX: u32 = 32;

/// A buffer that grew beyond this is not kept so large.
const BUFFER_KEPT_MAX: usize = 64 << 10;

/// The owner gave no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was sent.
    #[error("no connection to the owner")]
    Unreachable(#[source] io::Error),
    /// Sent, perhaps executed, not answered.
    #[error("the owner's connection ended before its answer")]
    Closed(#[source] io::Error),
    #[error("the owner did not answer in time")]
    TooSlow,
    #[error("the owner's answer is too large")]
    TooLarge,
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Closed(io::Error::new(io::ErrorKind::InvalidData, malformed))
    }
}

/// What an owner is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The head, without the epoch and without its last line.
    pub head: &'a [u8],
    pub body: &'a [u8],
    /// Its answer has no body whatever its head says.
    pub to_head: bool,
}

pub struct Upstream {
    authority: Authority,
    idle: RefCell<Vec<Link>>,
    limits: Limits,
}

impl Upstream {
    pub const fn new(authority: Authority, limits: Limits) -> Self {
        Self { authority, idle: RefCell::new(Vec::new()), limits }
    }

    /// Sends the request and receives the answer completely: into `answer`, as it goes to the client, `more` among its
    /// fields. Returns its status.
    ///
    /// # Errors
    /// See [`Error`]; after [`Error::Unreachable`] nothing was executed, after the others it may have been.
    pub async fn exchange(
        &self,
        question: Question<'_>,
        epoch: Epoch,
        more: &[u8],
        answer: &mut Vec<u8>,
    ) -> Result<u16, Error> {
        let deadline = Instant::now() + self.limits.answer_within;
        let mut link = self.send(question, epoch, deadline).await?;
        let status = link.receive(question.to_head, more, self.limits.answer_max, answer).await?;
        if link.keeps {
            self.keep(link);
        }
        Ok(status)
    }

    async fn send(&self, question: Question<'_>, epoch: Epoch, deadline: Instant) -> Result<Link, Error> {
        let mut tries = 1;
        loop {
            let mut link = match self.reusable() {
                Some(link) if tries < TRIES_MAX => link,
                Some(_) | None => self.connect().await?,
            };
            link.patience.as_mut().reset(deadline.into());
            link.compose(question, epoch);
            match link.send().await {
                Err(Error::Unreachable(_)) if tries < TRIES_MAX => tries += 1,
                done => return done.map(|()| link),
            }
        }
    }

    async fn connect(&self) -> Result<Link, Error> {
        let opened = timeout(self.limits.connect_within, TcpStream::connect(self.authority.as_str())).await;
        let stream = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Unreachable)?;
        stream.set_nodelay(true).map_err(Error::Unreachable)?;
        Ok(Link {
            stream,
            out: Vec::new(),
            bytes: Vec::new(),
            patience: Box::pin(sleep(self.limits.answer_within)),
            keeps: true,
            since: Instant::now(),
        })
    }

    /// A kept connection that can take a request; those that their owner has closed, or on which it said something
    /// unasked, are dropped on the way.
    fn reusable(&self) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        while let Some(link) = idle.pop() {
            if link.since.elapsed() > IDLE_FOR_MAX {
                // The rest has been idle for even longer.
                idle.clear();
                return None;
            }
            if link.stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return Some(link);
            }
        }
        None
    }

    fn keep(&self, mut link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            link.shrink();
            link.since = Instant::now();
            idle.push(link);
        }
    }
}

/// One connection.
struct Link {
    stream: TcpStream,
    out: Vec<u8>,
    /// What was received and not taken yet.
    bytes: Vec<u8>,
    /// Ends when the owner has had its time.
    patience: Pin<Box<Sleep>>,
    /// Whether another request can follow.
    keeps: bool,
    since: Instant,
}

impl Link {
    /// What goes out carries the epoch of the route that chose the owner.
    fn compose(&mut self, question: Question<'_>, epoch: Epoch) {
        self.out.clear();
        self.out.extend_from_slice(question.head);
        fields::push_number(&mut self.out, EPOCH, epoch.0);
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(question.body);
    }

    /// Sends what was composed. An owner that answers before it has all of it, or that takes no more, is listened to.
    async fn send(&mut self) -> Result<(), Error> {
        let Self { stream, out, patience, .. } = self;
        let (taking, mut giving) = stream.split();
        let mut sent = 0;
        while sent < out.len() {
            tokio::select! {
                biased;
                written = giving.write(&out[sent..]) => match written {
                    Ok(count) if count > 0 => sent += count,
                    Ok(_) | Err(_) if sent > 0 => break,
                    Ok(_) => return Err(Error::Unreachable(io::ErrorKind::WriteZero.into())),
                    Err(error) => return Err(Error::Unreachable(error)),
                },
                _ = taking.readable(), if sent > 0 => break,
                () = patience.as_mut() => return Err(Error::TooSlow),
            }
        }
        self.keeps = sent == out.len();
        Ok(())
    }

    async fn receive(&mut self, to_head: bool, more: &[u8], max: usize, answer: &mut Vec<u8>) -> Result<u16, Error> {
        self.bytes.clear();
        let mut interim = 0;
        let head = loop {
            if !self.fill().await? {
                return Err(cut_off());
            }
            if let Some(head) = self.head(to_head, &mut interim, answer)? {
                break head;
            }
        };
        answer.extend_from_slice(more);
        self.keeps &= head.keeps;
        match head.framing {
            Framing::Length(length) if length > max => return Err(Error::TooLarge),
            Framing::Length(length) => {
                let told = if to_head || head.status == 304 { head.told_len } else { Some(length) };
                end_head(answer, told.filter(|_| head.status != 204));
                self.rest(head.head_len, length, answer).await?;
            }
            Framing::Chunked => {
                let body = self.chunked(head.head_len, max).await?;
                end_head(answer, Some(body.len()));
                answer.extend_from_slice(&body);
            }
            Framing::UntilClose => {
                while self.fill().await? {
                    if self.bytes.len() - head.head_len > max {
                        return Err(Error::TooLarge);
                    }
                }
                end_head(answer, Some(self.bytes.len() - head.head_len));
                answer.extend_from_slice(&self.bytes[head.head_len..]);
            }
        }
        Ok(head.status)
    }

    /// The answer's head, if all of it is here; what came in between before it is counted and passed over.
    fn head(&mut self, to_head: bool, interim: &mut u32, answer: &mut Vec<u8>) -> Result<Option<Head>, Malformed> {
        loop {
            match reply::read(&self.bytes, to_head, answer)? {
                Seen::Final(head) => return Ok(Some(head)),
                Seen::Interim(_) if *interim >= INTERIM_MAX => return Err(Malformed("it never comes to the point")),
                Seen::Interim(length) => {
                    *interim += 1;
                    self.bytes.drain(..length);
                }
                Seen::Incomplete => return Ok(None),
            }
        }
    }

    /// A body of known length: what is here, then what is missing, read to where it belongs.
    async fn rest(&mut self, head_len: usize, length: usize, answer: &mut Vec<u8>) -> Result<(), Error> {
        let here = &self.bytes[head_len..];
        self.keeps &= here.len() <= length;
        let here = &here[..here.len().min(length)];
        answer.extend_from_slice(here);
        let mut left = length - here.len();
        answer.reserve(left);
        while left > 0 {
            let mut room = (&mut *answer).limit(left);
            left -= tokio::select! {
                biased;
                read = self.stream.read_buf(&mut room) => match read {
                    Ok(0) => return Err(cut_off()),
                    Ok(read) => read,
                    Err(error) => return Err(Error::Closed(error)),
                },
                () = self.patience.as_mut() => return Err(Error::TooSlow),
            };
        }
        Ok(())
    }

    async fn chunked(&mut self, head_len: usize, max: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        self.bytes.drain(..head_len);
        loop {
            match reply::chunks(&self.bytes, &mut body, max)? {
                Chunks::TooLarge => return Err(Error::TooLarge),
                Chunks::End(end) => {
                    self.keeps &= self.bytes.len() == end;
                    return Ok(body);
                }
                Chunks::More(taken) => drop(self.bytes.drain(..taken)),
            }
            if !self.fill().await? {
                return Err(cut_off());
            }
        }
    }

    fn shrink(&mut self) {
        for buffer in [&mut self.out, &mut self.bytes] {
            if buffer.capacity() > BUFFER_KEPT_MAX {
                *buffer = Vec::new();
            }
        }
    }

    /// Receives some more; false at the end of the connection.
    async fn fill(&mut self) -> Result<bool, Error> {
        self.bytes.reserve(READ_AT_ONCE);
        tokio::select! {
            biased;
            read = self.stream.read_buf(&mut self.bytes) => read.map(|read| read > 0).map_err(Error::Closed),
            () = self.patience.as_mut() => Err(Error::TooSlow),
        }
    }
}

fn cut_off() -> Error {
    Error::Closed(io::ErrorKind::UnexpectedEof.into())
}

fn end_head(answer: &mut Vec<u8>, length: Option<usize>) {
    if let Some(length) = length {
        fields::push_number(answer, "content-length", u64::try_from(length).unwrap_or(u64::MAX));
    }
    answer.extend_from_slice(b"\r\n");
}
