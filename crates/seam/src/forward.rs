//! One request to one owner and its answer back.
//!
//! Invariant: what goes out carries the epoch of the route that chose the owner, so that the owner can refuse a
//! seam that is behind.
//! Absent on purpose: choosing the owner; waiting.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HeaderValue;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{Request, Response, Version};
use http_body_util::Full;
use vocab::id::Side;

use crate::Config;
use crate::answer::{Answer, Reason};
use crate::gate::{Owner, Ticket, micros};
use crate::headers::{self, HELD_US, SIDE, Via};
use crate::upstream::{Error, Upstream};

pub struct Forwarder {
    legacy: Upstream,
    backend: Upstream,
    via: Via,
    debug_headers: bool,
}

impl Forwarder {
    pub fn new(config: &Config, via: Via) -> Self {
        Self {
            legacy: Upstream::new(config.legacy.clone(), config.limits),
            backend: Upstream::new(config.backend.clone(), config.limits),
            via,
            debug_headers: config.debug_headers,
        }
    }

    pub const fn via(&self) -> &Via {
        &self.via
    }

    /// A read: repeated once if a kept connection ended under it, because it changes nothing.
    pub async fn read(&self, head: Parts, body: Bytes, owner: Owner) -> Answer {
        let request = self.request(head, body, owner);
        match self.upstream(owner.side).exchange(request.clone()).await {
            Err(Error::Closed(_)) => self.exchange(request, owner.side, Duration::ZERO).await,
            done => self.answer(done, owner.side, Duration::ZERO),
        }
    }

    /// A write: sent at most once. It is in flight until its owner's answer is complete, then the ticket is given back.
    pub async fn write(&self, head: Parts, body: Bytes, ticket: Ticket) -> Answer {
        let held =
            ticket.parked_since().map_or(Duration::ZERO, |since| Instant::now().saturating_duration_since(since));
        let owner = ticket.owner();
        let request = self.request(head, body, owner);
        let answer = self.exchange(request, owner.side, held).await;
        drop(ticket);
        answer
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, side: Side, held: Duration) -> Answer {
        self.answer(self.upstream(side).exchange(request).await, side, held)
    }

    const fn upstream(&self, side: Side) -> &Upstream {
        match side {
            Side::Legacy => &self.legacy,
            Side::Backend => &self.backend,
        }
    }

    fn request(&self, mut head: Parts, body: Bytes, owner: Owner) -> Request<Full<Bytes>> {
        headers::towards_owner(&mut head.headers, &self.via, owner.epoch, body.len());
        head.version = Version::HTTP_11;
        // Origin form: an absolute one has been found to name the same authority as `Host`.
        let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        head.uri = Uri::from(path);
        Request::from_parts(head, Full::new(body))
    }

    fn answer(&self, done: Result<Response<Bytes>, Error>, side: Side, held: Duration) -> Answer {
        let mut answer = match done {
            Ok(answer) => {
                let mut answer = answer.map(Full::new);
                *answer.version_mut() = Version::HTTP_11;
                headers::towards_client(answer.headers_mut());
                answer
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(side = side.name(), %error, cause, "forwarding failed");
                Reason::from(error).answer()
            }
        };
        if self.debug_headers {
            answer.headers_mut().insert(SIDE, HeaderValue::from_static(side.name()));
            answer.headers_mut().insert(HELD_US, HeaderValue::from(micros(held)));
        }
        answer
    }
}
