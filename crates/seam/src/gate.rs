//! One shop's gate: counts the writes on their way, parks them during a hold, lets them go on in order.
//!
//! Invariant: whether a write goes or parks, which owner it goes to, and that it is counted, is decided in one
//! critical section; so is a hold. After `hold` has returned no write passes, and `in_flight` = 0 then stays 0.
//! Absent on purpose: HTTP, timers, the clock (instants come in).

mod dial;
mod ticket;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use vocab::id::{Epoch, Side};

use crate::Limits;
use crate::gate::dial::Dial;
use crate::gate::ticket::Queued;
pub use crate::gate::ticket::{Parked, Ticket};
use crate::handle::{PushError, Released, Stats};
use crate::queue::{Entry, Queue};
use crate::waits::Waits;

/// Who answers, since which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub side: Side,
    pub epoch: Epoch,
}

/// A write that wants to pass.
pub struct Arrival<'a> {
    pub resource: Option<&'a str>,
    pub cost: usize,
    pub at: Instant,
}

/// Why a write may not pass now. It has not been executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The hold is past its deadline.
    Held,
    /// Too many writes of one resource wait for each other.
    Busy,
    /// The seam is ending.
    Stopping,
}

pub enum Admission {
    Go(Ticket),
    Parked(Parked),
    Refused(Refused),
}

enum Verdict {
    Go(Ticket),
    Refused(Refused),
}

struct Hold {
    epoch: Epoch,
    deadline: Instant,
    expired: bool,
    refused: usize,
}

struct State {
    owner: Owner,
    /// A hold, and another owner or epoch, end it.
    dial: Dial,
    /// Someone pushed a route or a hold; otherwise the gate only counts what the default route sends on.
    published: bool,
    hold: Option<Hold>,
    overflowed: Option<Epoch>,
    in_flight: usize,
    queue: Queue<oneshot::Sender<Verdict>>,
    stopping: bool,
    parked_total: u64,
    refused_total: u64,
    left_total: u64,
}

pub struct Gate {
    state: Mutex<State>,
    /// Woken when nothing is in flight any more, and when a hold overflows.
    changed: Notify,
    waits: Waits,
    parked_max: usize,
    parked_bytes_max: usize,
}

impl Gate {
    pub fn new(owner: Owner, limits: &Limits) -> Self {
        let state = State {
            owner,
            dial: Dial::default(),
            published: false,
            hold: None,
            overflowed: None,
            in_flight: 0,
            queue: Queue::new(),
            stopping: false,
            parked_total: 0,
            refused_total: 0,
            left_total: 0,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            waits: Waits::default(),
            parked_max: limits.parked_max,
            parked_bytes_max: limits.parked_bytes_max,
        }
    }

    pub fn owner(&self) -> Owner {
        self.lock().owner
    }

    pub const fn waits(&self) -> &Waits {
        &self.waits
    }

    pub fn is_published(&self) -> bool {
        self.lock().published
    }

    /// The one place where a write is let through.
    pub fn admit(self: &Arc<Self>, arrival: Arrival<'_>) -> Admission {
        let mut state = self.lock();
        if state.stopping {
            return Admission::Refused(Refused::Stopping);
        }
        if let Some(hold) = &mut state.hold {
            if hold.expired || arrival.at >= hold.deadline {
                hold.refused += 1;
                state.refused_total += 1;
                return Admission::Refused(Refused::Held);
            }
            if !self.is_full(&state.queue, arrival.cost) {
                return Admission::Parked(self.park(&mut state, arrival));
            }
            self.overflow(&mut state);
        } else if state.queue.is_behind(arrival.resource) && self.is_full(&state.queue, arrival.cost) {
            state.refused_total += 1;
            return Admission::Refused(Refused::Busy);
        }
        if state.queue.is_behind(arrival.resource) {
            return Admission::Parked(self.park(&mut state, arrival));
        }
        state.in_flight += 1;
        let owner = state.owner;
        Admission::Go(Ticket { gate: Some(Arc::clone(self)), owner, queued: None })
    }

    /// Parks every later write until a release of this epoch or a later one, at most until the deadline.
    ///
    /// Repeating a hold keeps its first deadline: who already waits was promised that one. The answer is the
    /// deadline in force; none if this hold has overflowed and is over.
    pub fn hold(&self, epoch: Epoch, deadline: Instant) -> Result<Option<Instant>, PushError> {
        let mut state = self.lock();
        let known = state.known_epoch();
        let repeated = state.hold.as_ref().is_some_and(|hold| hold.epoch == epoch);
        if state.overflowed == Some(epoch) && state.owner.epoch < epoch {
            return Ok(None);
        }
        if epoch <= known && !repeated {
            return Err(PushError::Stale { given: epoch, known });
        }
        let before = state.hold.as_ref().filter(|hold| repeated || !hold.expired);
        let hold = Hold {
            epoch,
            deadline: before.map_or(deadline, |hold| hold.deadline.min(deadline)),
            expired: before.is_some_and(|hold| hold.expired),
            refused: before.map_or(0, |hold| hold.refused),
        };
        let deadline = hold.deadline;
        state.published = true;
        state.dial.until = None;
        state.overflowed = None;
        state.hold = Some(hold);
        Ok(Some(deadline))
    }

    /// The deadline of a hold has come: what is parked is refused, unexecuted, and so is what comes.
    pub fn expire(&self, epoch: Epoch) {
        let mut state = self.lock();
        if let Some(hold) = state.hold.as_mut().filter(|hold| hold.epoch == epoch) {
            hold.expired = true;
            state.refuse_parked(Refused::Held);
        }
    }

    /// Puts a route in force. A hold stays; reads, and writes once they go on, follow it.
    pub fn publish(&self, owner: Owner) -> Result<(), PushError> {
        self.lock().publish(owner)
    }

    /// Puts a route in force and ends the hold: what is parked goes on.
    pub fn release(self: &Arc<Self>, owner: Owner, now: Instant) -> Result<Released, PushError> {
        let mut state = self.lock();
        if let Some(hold) = state.hold.as_ref().filter(|hold| hold.epoch > owner.epoch) {
            return Err(PushError::Stale { given: owner.epoch, known: hold.epoch });
        }
        state.publish(owner)?;
        let overflowed = state.overflowed.take().is_some();
        let Some(hold) = state.hold.take() else { return Ok(Released { overflowed, ..Released::default() }) };
        let waited = state.queue.since_first().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let released =
            Released { held: state.queue.len(), longest_us: micros(waited), refused: hold.refused, overflowed };
        self.start_ready(&mut state);
        Ok(released)
    }

    /// Resolves when no write of the shop is in flight. May be dropped and asked again.
    pub async fn drained(&self) {
        self.until(|state| state.in_flight == 0).await;
    }

    /// Resolves when the hold of this epoch has overflowed. May be dropped and asked again.
    pub async fn overflow_of(&self, epoch: Epoch) {
        self.until(|state| state.overflowed == Some(epoch)).await;
    }

    pub fn overflowed(&self) -> Option<Epoch> {
        self.lock().overflowed
    }

    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    pub fn stats(&self) -> Stats {
        let state = self.lock();
        Stats {
            owner: state.owner.side,
            epoch: state.owner.epoch,
            held: state.hold.as_ref().map(|hold| hold.epoch),
            in_flight: state.in_flight,
            parked: state.queue.len(),
            parked_bytes: state.queue.bytes(),
            parked_total: state.parked_total,
            refused_total: state.refused_total,
            left_total: state.left_total,
            copy_until: state.dial.until,
            copied_total: state.dial.taken_total,
            copy_failed_total: state.dial.failed_total,
        }
    }

    /// Refuses what is parked and what comes; what is in flight goes on.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.refuse_parked(Refused::Stopping);
    }

    fn is_full(&self, queue: &Queue<oneshot::Sender<Verdict>>, cost: usize) -> bool {
        queue.len() >= self.parked_max || queue.bytes() + cost > self.parked_bytes_max
    }

    fn park(self: &Arc<Self>, state: &mut State, arrival: Arrival<'_>) -> Parked {
        let (waiter, verdict) = oneshot::channel();
        let Arrival { resource, cost, at: since } = arrival;
        let resource = resource.map(Arc::from);
        let arrival = state.queue.push(Entry { resource, cost, since, waiter });
        state.parked_total += 1;
        Parked { gate: Arc::clone(self), arrival, verdict }
    }

    /// Gives up the hold: better late for the move than an error for a shopper.
    fn overflow(self: &Arc<Self>, state: &mut State) {
        state.overflowed = state.hold.take().map(|hold| hold.epoch);
        self.start_ready(state);
        self.changed.notify_waiters();
    }

    fn start_ready(self: &Arc<Self>, state: &mut State) {
        while state.hold.is_none()
            && let Some(Entry { resource, since, waiter, .. }) = state.queue.next_ready()
        {
            state.in_flight += 1;
            let queued = Some(Queued { resource, since });
            let ticket = Ticket { gate: Some(Arc::clone(self)), owner: state.owner, queued };
            // A client that left in this instant: nothing was forwarded for it. The ticket is taken apart here
            // because dropping it would ask for the lock that is held.
            if let Err(Verdict::Go(mut ticket)) = waiter.send(Verdict::Go(ticket)) {
                ticket.gate = None;
                state.left_total += 1;
                state.finish(ticket.queued.as_ref());
            }
        }
    }

    fn finish(self: &Arc<Self>, queued: Option<&Queued>) {
        let mut state = self.lock();
        state.finish(queued);
        self.start_ready(&mut state);
        if state.in_flight == 0 {
            self.changed.notify_waiters();
        }
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
        loop {
            // Made before the look: it then hears of a change between look and wait.
            let changed = self.changed.notified();
            if reached(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn publish(&mut self, owner: Owner) -> Result<(), PushError> {
        let known = self.owner;
        let contradicts = self.published && owner.epoch == known.epoch && owner.side != known.side;
        if owner.epoch < known.epoch || contradicts {
            return Err(PushError::Stale { given: owner.epoch, known: known.epoch });
        }
        if owner != known {
            self.dial.until = None;
        }
        self.owner = owner;
        self.published = true;
        Ok(())
    }

    fn known_epoch(&self) -> Epoch {
        self.hold.as_ref().map_or(self.owner.epoch, |hold| hold.epoch.max(self.owner.epoch))
    }

    fn finish(&mut self, queued: Option<&Queued>) {
        self.in_flight -= 1;
        if let Some(queued) = queued {
            self.queue.finished(queued.resource.as_ref());
        }
    }

    fn refuse_parked(&mut self, why: Refused) {
        for entry in self.queue.drain() {
            self.refused_total += 1;
            if let Some(hold) = &mut self.hold {
                hold.refused += 1;
            }
            // Whoever left meanwhile needs no answer.
            let _ = entry.waiter.send(Verdict::Refused(why));
        }
    }
}

/// Whole microseconds, saturating.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_promised_the_first_deadline() {
        let gate = Gate::new(Owner { side: Side::Legacy, epoch: Epoch(1) }, &Limits::DEFAULT);
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(gate.hold(Epoch(2), after(10)), Ok(Some(after(10))));
        assert_eq!(gate.hold(Epoch(2), after(20)), Ok(Some(after(10))), "repeated");
        assert_eq!(gate.hold(Epoch(3), after(20)), Ok(Some(after(10))), "taken over with its queue");
        gate.expire(Epoch(2));
        assert_eq!(gate.hold(Epoch(4), after(20)), Ok(Some(after(10))), "an old deadline ends no later hold");
        gate.expire(Epoch(4));
        assert_eq!(gate.hold(Epoch(5), after(20)), Ok(Some(after(20))), "nobody waits any more");
    }
}
