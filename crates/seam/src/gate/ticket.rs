//! What a write holds while it is parked and while it is on its way.
//!
//! Invariant: given back exactly once, by being dropped.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Gate, Owner, Refused, Verdict};

/// What a ticket that waited has to give back.
pub struct Queued {
    pub(super) resource: Option<Arc<str>>,
    pub(super) since: Instant,
}

/// The right to forward one write to one owner; the write is in flight until this is dropped.
pub struct Ticket {
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) owner: Owner,
    pub(super) queued: Option<Queued>,
}

impl Ticket {
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Since when it had been parked, if it was.
    pub fn parked_since(&self) -> Option<Instant> {
        self.queued.as_ref().map(|queued| queued.since)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.finish(self.queued.as_ref());
        }
    }
}

/// A parked write. Dropped (its client left), it is taken out unexecuted.
pub struct Parked {
    pub(super) gate: Arc<Gate>,
    pub(super) arrival: u64,
    pub(super) verdict: oneshot::Receiver<Verdict>,
}

impl Parked {
    pub async fn wait(mut self) -> Result<Ticket, Refused> {
        match (&mut self.verdict).await {
            Ok(Verdict::Go(ticket)) => Ok(ticket),
            Ok(Verdict::Refused(why)) => Err(why),
            // The sender lives in the queue until it has spoken; only a gate that is gone falls silent.
            Err(_) => Err(Refused::Stopping),
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if state.queue.remove(self.arrival).is_some() {
            state.left_total += 1;
        }
    }
}
