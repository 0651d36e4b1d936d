//! One request to one owner and its answer back.
//!
//! Invariant: what goes out carries the epoch of the route that chose the owner, so that the owner can refuse a
//! seam that is behind.
//! Absent on purpose: choosing the owner; waiting.

use std::time::{Duration, Instant};

use vocab::id::Side;

use crate::answer::Reason;
use crate::gate::{Owner, Ticket, micros};
use crate::headers::{HELD_US, SIDE};
use crate::upstream::{Error, Question, Upstream};
use crate::{Config, fields};

/// One thread's connections to both owners.
pub struct Forwarder {
    legacy: Upstream,
    backend: Upstream,
    debug_headers: bool,
}

impl Forwarder {
    pub fn new(config: &Config) -> Self {
        Self {
            legacy: Upstream::new(config.legacy.clone(), config.limits),
            backend: Upstream::new(config.backend.clone(), config.limits),
            debug_headers: config.debug_headers,
        }
    }

    /// A read: repeated once if a kept connection ended under it, because it changes nothing. Returns the status.
    pub async fn read(&self, question: Question<'_>, owner: Owner, answer: &mut Vec<u8>) -> u16 {
        let more = self.debug_fields(owner.side, Duration::ZERO);
        let upstream = self.upstream(owner.side);
        let mut done = upstream.exchange(question, owner.epoch, &more, answer).await;
        if let Err(Error::Closed(_)) = done {
            done = upstream.exchange(question, owner.epoch, &more, answer).await;
        }
        done.unwrap_or_else(|error| tell(error, owner.side, &more, answer))
    }

    /// A write: sent at most once. It is in flight until its owner's answer is complete, then the ticket is given back.
    pub async fn write(&self, question: Question<'_>, ticket: Ticket, answer: &mut Vec<u8>) -> u16 {
        let held =
            ticket.parked_since().map_or(Duration::ZERO, |since| Instant::now().saturating_duration_since(since));
        let owner = ticket.owner();
        let more = self.debug_fields(owner.side, held);
        let done = self.upstream(owner.side).exchange(question, owner.epoch, &more, answer).await;
        drop(ticket);
        done.unwrap_or_else(|error| tell(error, owner.side, &more, answer))
    }

    const fn upstream(&self, side: Side) -> &Upstream {
        match side {
            Side::Legacy => &self.legacy,
            Side::Backend => &self.backend,
        }
    }

    /// What is shown of the way where that is asked for; else nothing.
    fn debug_fields(&self, side: Side, held: Duration) -> Vec<u8> {
        let mut more = Vec::new();
        if self.debug_headers {
            fields::push(&mut more, SIDE, side.name().as_bytes());
            fields::push_number(&mut more, HELD_US, micros(held));
        }
        more
    }
}

/// Answers for an owner that did not.
fn tell(error: Error, side: Side, more: &[u8], answer: &mut Vec<u8>) -> u16 {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    tracing::warn!(side = side.name(), %error, cause, "forwarding failed");
    Reason::from(error).write(more, answer)
}
