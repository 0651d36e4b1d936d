//! What link and seam say to each other about a shop, and how a seam takes it: its route, its hold, its queue.
//!
//! Invariants, which [`Gate`] keeps for one shop in one seam:
//! - A write is forwarded only under the route known, and only while no hold stands.
//! - A route counts only if its epoch is above the one known, a hold only if its epoch is above the route's. So
//!   nothing that a dead mover sent late undoes what came after it.
//! - A hold is ended by a release of its epoch or a later one, and by nothing else. After its deadline what is held,
//!   and every later write, is answered 503 with `Retry-After`, unexecuted: the shop may have flipped.
//!
//! Absent on purpose: requests, clocks, connections. Which shop a gate is of is the seam's table.

use crate::bounds::{HELD_BYTES_MAX, HELD_COUNT_MAX};
use vocab::id::{Epoch, ShopId, Side};

/// Who answers for a shop.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    pub shop: ShopId,
    pub owner: Side,
    pub epoch: Epoch,
}

/// What a seam is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Order {
    /// Keep writes and questions of this shop, at most `deadline_ms` from receipt; reads go on. Acknowledged with
    /// [`Answer::Holds`] at once, and with [`Answer::Quiet`] when nothing forwarded before is unanswered.
    Hold { shop: ShopId, epoch: Epoch, deadline_ms: u32 },
    /// From now on reads go there; a hold stays. Sent between a flip or abort and the release, to every seam.
    /// Acknowledged with [`Answer::Routed`].
    Route(Route),
    /// The same, and the end of a hold: what is held goes there in the order of its arrival. Sent when every seam has
    /// acknowledged the route, and pushed every [`ROUTE_PUSH_MS`](crate::bounds::ROUTE_PUSH_MS) for a shop at rest,
    /// so that a seam that was away learns of it. Acknowledged with [`Answer::Routed`].
    Release(Route),
}

/// What a seam says back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Every write that arrives from now on waits.
    Holds { shop: ShopId, epoch: Epoch },
    /// Holding, and no write forwarded before the hold is unanswered.
    Quiet { shop: ShopId, epoch: Epoch },
    /// The queue is nearly full: the hold has to be aborted.
    Overflow { shop: ShopId, epoch: Epoch },
    /// The route known now, which may be a later one than was told.
    Routed { shop: ShopId, epoch: Epoch },
}

/// How one seam stands towards one shop. Empty before the first route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Gate {
    route: Option<(Side, Epoch)>,
    hold: Option<Epoch>,
    expired: bool,
}

/// What a seam does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    Forward {
        owner: Side,
        epoch: Epoch,
    },
    /// Put it at the end of the queue.
    Wait,
    /// 503 with `Retry-After`, unexecuted.
    Refuse,
}

impl Gate {
    /// Takes a route. False if it changes nothing: its epoch is not above the one known.
    pub fn route(&mut self, owner: Side, epoch: Epoch) -> bool {
        let news = self.route.is_none_or(|(_, known)| epoch > known);
        if news {
            self.route = Some((owner, epoch));
        }
        news
    }

    /// Takes a hold. True if the gate holds at this epoch now, also where it did before.
    pub fn hold(&mut self, epoch: Epoch) -> bool {
        let above_route = self.route.is_some_and(|(_, known)| epoch > known);
        if above_route && self.hold.is_none_or(|held| epoch > held) {
            self.hold = Some(epoch);
            self.expired = false;
        }
        self.hold == Some(epoch)
    }

    /// Takes a route and ends a hold of its epoch or an earlier one. True if the gate does not hold now.
    pub fn release(&mut self, owner: Side, epoch: Epoch) -> bool {
        self.route(owner, epoch);
        if self.hold.is_some_and(|held| held <= epoch) {
            self.hold = None;
            self.expired = false;
        }
        self.hold.is_none()
    }

    /// The deadline of the hold has passed: what waits is refused, and so is what comes.
    pub const fn expire(&mut self) {
        self.expired = self.hold.is_some();
    }

    /// The epoch of the hold that stands.
    pub const fn held(&self) -> Option<Epoch> {
        self.hold
    }

    /// Where a write or a question goes.
    pub const fn write(&self) -> Way {
        match (self.hold, self.expired) {
            (None, _) => self.read(),
            (Some(_), false) => Way::Wait,
            (Some(_), true) => Way::Refuse,
        }
    }

    /// Where a read goes: to the owner, during a hold to the old one.
    pub const fn read(&self) -> Way {
        match self.route {
            Some((owner, epoch)) => Way::Forward { owner, epoch },
            None => Way::Refuse,
        }
    }
}

/// How much one seam holds for one shop. The hold policy: say so before the queue is full, so that the abort comes
/// before the first request that would not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    count: usize,
    bytes: usize,
}

/// Whether a request found room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    Found,
    /// Found, and so little is left that the hold has to be aborted: send [`Answer::Overflow`].
    Last,
    /// Not found, nothing changed: 503 with `Retry-After`. Only where the abort did not come in time.
    None,
}

impl Queue {
    /// Makes room for one more request with a body of so many bytes.
    #[must_use]
    pub fn admit(&mut self, body_bytes: usize) -> Room {
        let (count, bytes) = (self.count + 1, self.bytes.saturating_add(body_bytes));
        if count > HELD_COUNT_MAX || bytes > HELD_BYTES_MAX {
            return Room::None;
        }
        *self = Self { count, bytes };
        let three_quarters = count > HELD_COUNT_MAX / 4 * 3 || bytes > HELD_BYTES_MAX / 4 * 3;
        if three_quarters { Room::Last } else { Room::Found }
    }

    /// One request has left the queue.
    pub const fn leave(&mut self, body_bytes: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(body_bytes);
    }

    pub const fn count(&self) -> usize {
        self.count
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let mut gate = Gate::default();
        assert_eq!((gate.write(), gate.hold(Epoch(1))), (Way::Refuse, false), "no route, no hold");
        assert!(gate.release(Side::Legacy, Epoch(1)));
        gate
    }

    const OLD: Way = Way::Forward { owner: Side::Legacy, epoch: Epoch(1) };
    const NEW: Way = Way::Forward { owner: Side::Backend, epoch: Epoch(2) };

    #[test]
    fn reads_go_on_during_a_hold_and_turn_before_the_writes() {
        let mut gate = gate();
        assert!(gate.hold(Epoch(2)));
        assert_eq!((gate.read(), gate.write()), (OLD, Way::Wait));
        assert!(gate.route(Side::Backend, Epoch(2)));
        assert_eq!((gate.read(), gate.write()), (NEW, Way::Wait));
        assert!(gate.release(Side::Backend, Epoch(2)));
        assert_eq!((gate.read(), gate.write()), (NEW, NEW));
    }

    #[test]
    fn a_hold_past_its_deadline_refuses_until_it_is_released() {
        let mut gate = gate();
        gate.hold(Epoch(2));
        gate.expire();
        assert!(!gate.release(Side::Legacy, Epoch(1)), "the periodic push of the old route ends no hold");
        assert_eq!((gate.read(), gate.write()), (OLD, Way::Refuse));
        assert!(gate.release(Side::Legacy, Epoch(2)));
        assert_eq!(gate.write(), Way::Forward { owner: Side::Legacy, epoch: Epoch(2) });
    }

    #[test]
    fn what_a_dead_mover_sent_late_counts_for_nothing() {
        let mut gate = gate();
        gate.hold(Epoch(2));
        gate.release(Side::Backend, Epoch(2));
        assert!(!gate.hold(Epoch(2)) && !gate.hold(Epoch(1)) && !gate.route(Side::Legacy, Epoch(1)));
        gate.expire();
        assert_eq!((gate.write(), gate.held()), (NEW, None));
    }

    #[test]
    fn a_queue_says_so_before_it_is_full() {
        let mut queue = Queue::default();
        let rooms: Vec<Room> = (0..=HELD_COUNT_MAX).map(|_| queue.admit(1)).collect();
        let of = |room: Room| rooms.iter().filter(|found| **found == room).count();
        assert_eq!((of(Room::Found), of(Room::Last), of(Room::None)), (3_072, 1_024, 1));
        queue.leave(1);
        assert_eq!((queue.count(), queue.bytes()), (HELD_COUNT_MAX - 1, HELD_COUNT_MAX - 1));
        assert_eq!(queue.admit(HELD_BYTES_MAX), Room::None);
        assert_eq!(Queue::default().admit(HELD_BYTES_MAX), Room::Last);
    }
}
