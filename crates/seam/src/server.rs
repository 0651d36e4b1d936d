//! A seam: started, ended, and the one place where a request begins and ends.
//!
//! Invariant: a body is received completely before its request counts as in flight or as parked, so a client that
//! sends half of one blocks no drain; and a forwarded write outlives the client that sent it.
//! Absent on purpose: reading requests (`connection`, `general`), deciding who goes (`gate`), talking to owners
//! (`forward`).

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use vocab::id::{Epoch, Side};

use crate::answer::Reason;
use crate::cores::{self, Cores};
use crate::forward::Forwarder;
use crate::gate::{Admission, Arrival, Gate, Owner};
use crate::headers::Via;
use crate::operation::{Class, NoTarget, Operations, Target};
use crate::shops::Shops;
use crate::upstream::Question;
use crate::{BadPattern, Config, Handle, Limits};

/// What a parked request occupies beside its body and header fields.
const HEAD_COST: usize = 512;
/// As which wait a failure counts.
const FAILED: Duration = Duration::from_secs(1);

/// A running seam. Dropped, it accepts nothing more and closes its connections as they fall idle.
pub struct Seam {
    address: SocketAddr,
    shops: Arc<Shops>,
    handle: Handle,
    cores: Cores,
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
        let Self { shops, mut cores, .. } = self;
        cores.end();
        let gates = shops.all();
        for gate in &gates {
            gate.stop();
        }
        let finished = timeout(within, cores.ended()).await.is_ok();
        cores.cut_off();
        finished
    }
}

/// Starts a seam on threads of its own. It answers 503 until the first push through its [`Handle`], whose deadlines are
/// timed by the current runtime.
///
/// # Errors
/// A path pattern of the configuration is none; the listener has no address; the system gives no thread.
pub fn start(listener: TcpListener, config: Config) -> Result<Seam, Error> {
    let address = listener.local_addr().map_err(Error::Listener)?;
    let shops = Arc::new(Shops::new(&config));
    let handle = Handle::new(Arc::clone(&shops), tokio::runtime::Handle::current(), config.limits);
    let threads = config.threads;
    let shared = Shared {
        shops: Arc::clone(&shops),
        operations: Arc::new(Operations::new(&config.operations)?),
        // Unlike every other seam, also one of the same machine started at the same instant.
        via: Via::new(RandomState::new().hash_one((address, std::process::id()))),
        config: Arc::new(config),
    };
    let cores = cores::start(listener, threads, &shared).map_err(Error::Thread)?;
    Ok(Seam { address, shops, handle, cores })
}

/// A seam could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the seam's listener has no address")]
    Listener(#[source] std::io::Error),
    #[error("the seam gets no thread")]
    Thread(#[source] std::io::Error),
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

/// What the threads of a seam have in common.
#[derive(Clone)]
pub struct Shared {
    shops: Arc<Shops>,
    operations: Arc<Operations>,
    via: Via,
    config: Arc<Config>,
}

/// One thread's half of a seam.
pub struct Service {
    shared: Shared,
    forwarder: Forwarder,
    _work: mpsc::Sender<Infallible>,
}

impl Service {
    /// Also what closes when nobody uses this service any more.
    pub fn new(shared: Shared) -> (Self, mpsc::Receiver<Infallible>) {
        let (work, ended) = mpsc::channel(1);
        let forwarder = Forwarder::new(&shared.config);
        (Self { shared, forwarder, _work: work }, ended)
    }

    pub fn limits(&self) -> &Limits {
        &self.shared.config.limits
    }

    pub const fn via(&self) -> &Via {
        &self.shared.via
    }

    pub fn is_fresh(&self) -> bool {
        self.shared.shops.is_fresh()
    }

    pub fn check_fresh(&self) -> Result<(), Reason> {
        if self.is_fresh() { Ok(()) } else { Err(Reason::RoutesStale) }
    }

    pub fn target<'a>(&self, method: &Method, path: &'a str, overridden: bool) -> Result<Target<'a>, NoTarget> {
        self.shared.operations.target(method, path, overridden)
    }

    /// One request of a shop, completely received: let through or parked, forwarded, and its owner's answer written into
    /// `answer`. `gone` resolves when its client has left; while the request is parked, that takes it out.
    pub async fn pass(
        &self,
        target: Target<'_>,
        question: Question<'_>,
        gone: impl Future<Output = ()>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        match target.class {
            Class::Notice => {
                self.notice(question, answer).await;
                Ok(())
            }
            Class::Read => {
                self.check_fresh()?;
                self.read(target, question, answer).await
            }
            Class::Write => {
                self.check_fresh()?;
                self.write(target, question, gone, answer).await
            }
        }
    }

    /// By the owner; by the copy where the dial says so, as long as the copy is fresh when its answer is here. A copy that
    /// fails, or answers too late, is as if it had not been asked.
    async fn read(&self, target: Target<'_>, question: Question<'_>, answer: &mut Vec<u8>) -> Result<(), Reason> {
        let (gate, begun) = (self.shared.shops.known(target.shop), Instant::now());
        let dialled = gate.as_ref().filter(|_| target.dial.is_some());
        if let Some((gate, copy)) = dialled.and_then(|gate| Some((gate, gate.copy(begun)?))) {
            let status = self.forwarder.read(question, copy.at, answer).await;
            let now = Instant::now();
            let taken = (200..300).contains(&status) && now < copy.until;
            gate.copied(taken);
            if taken {
                self.count(Some(gate), now - begun, Some(status));
                return Ok(());
            }
        }
        let owner = match &gate {
            Some(gate) => gate.owner(),
            None => self.shared.shops.default_owner().ok_or(Reason::NotFound)?,
        };
        let status = self.forwarder.read(question, owner, answer).await;
        self.count(gate.as_ref(), begun.elapsed(), Some(status));
        Ok(())
    }

    /// To our own side, at any time. What it answers decides whether the provider repeats it; kept twice it is kept once.
    async fn notice(&self, question: Question<'_>, answer: &mut Vec<u8>) {
        let inbox = Owner { side: Side::Backend, epoch: Epoch(0) };
        self.forwarder.read(question, inbox, answer).await;
    }

    async fn write(
        &self,
        target: Target<'_>,
        question: Question<'_>,
        gone: impl Future<Output = ()>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        let Some(gate) = self.shared.shops.for_write(target.shop) else {
            let known = self.shared.shops.owner(target.shop);
            return Err(known.map_or(Reason::NotFound, |_| Reason::TooManyShops));
        };
        let cost = HEAD_COST + question.head.len() + question.body.len();
        let begun = Instant::now();
        let arrival = Arrival { resource: target.resource, cost, at: begun };
        let (ticket, held) = match gate.admit(arrival) {
            Admission::Go(ticket) => (ticket, false),
            Admission::Parked(parked) => tokio::select! {
                biased;
                ticket = parked.wait() => (ticket?, true),
                () = gone => return Err(Reason::ClientLeft),
            },
            Admission::Refused(refused) => return Err(refused.into()),
        };
        let status = self.forwarder.write(question, ticket, answer).await;
        self.count(Some(&gate), begun.elapsed(), (!held).then_some(status));
        Ok(())
    }

    /// Counts how long a shopper waited for an answer that is here now; without a status it was held. Whoever decides by
    /// the waits of all takes a failure for a long one, however soon it came.
    fn count(&self, gate: Option<&Arc<Gate>>, waited: Duration, status: Option<u16>) {
        if let Some(status) = status {
            self.shared.shops.waits().note(if status >= 500 { waited.max(FAILED) } else { waited });
        }
        if let Some(gate) = gate {
            gate.waits().note(waited);
        }
    }
}
