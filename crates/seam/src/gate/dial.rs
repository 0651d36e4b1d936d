//! One shop's read dial: until when a copy may answer for the owner.
//!
//! Invariant: it ends by itself. Nobody has to say that a copy is too old.

use std::time::Instant;

use vocab::id::Epoch;

use super::{Gate, Owner};
use crate::handle::PushError;

#[derive(Debug, Default)]
pub struct Dial {
    /// Until when the copy at the other side is fresh enough.
    pub until: Option<Instant>,
    pub taken_total: u64,
    pub failed_total: u64,
}

/// A copy that may answer for its owner, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copy {
    pub at: Owner,
    pub until: Instant,
}

impl Gate {
    /// Who answers a read of a dialled part now; none: the owner.
    pub fn copy(&self, now: Instant) -> Option<Copy> {
        let state = self.lock();
        let until = state.dial.until.filter(|until| now < *until && state.hold.is_none())?;
        Some(Copy { at: Owner { side: state.owner.side.other(), epoch: state.owner.epoch }, until })
    }

    /// Counts a read that a copy was asked for, and whether its answer was taken.
    pub fn copied(&self, taken: bool) {
        let mut state = self.lock();
        let total = if taken { &mut state.dial.taken_total } else { &mut state.dial.failed_total };
        *total += 1;
    }

    /// Lets a copy answer the reads of the dialled part until then, or no longer. Only under the route in force: what
    /// was measured under another one says nothing.
    pub fn dial(&self, epoch: Epoch, until: Option<Instant>) -> Result<(), PushError> {
        let mut state = self.lock();
        let known = state.known_epoch();
        if epoch != known && until.is_some() {
            return Err(PushError::Stale { given: epoch, known });
        }
        state.dial.until = until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use std::time::Duration;
    use vocab::id::Side;

    const LEGACY: Owner = Owner { side: Side::Legacy, epoch: Epoch(1) };

    #[test]
    fn silence_a_hold_and_another_route_lead_back_to_the_owner() {
        let gate = std::sync::Arc::new(Gate::new(LEGACY, &Limits::DEFAULT));
        let now = Instant::now();
        let (soon, later) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        assert_eq!(gate.copy(now), None, "nobody has said anything");
        assert!(gate.dial(Epoch(2), Some(later)).is_err(), "measured under another route");
        gate.dial(Epoch(1), Some(soon)).unwrap();
        let copy = Copy { at: Owner { side: Side::Backend, epoch: Epoch(1) }, until: soon };
        assert_eq!((gate.copy(now), gate.copy(soon)), (Some(copy), None), "it ends by itself");

        gate.hold(Epoch(2), later).unwrap();
        assert_eq!(gate.copy(now), None, "a hold");
        gate.release(Owner { epoch: Epoch(2), ..LEGACY }, now).unwrap();
        assert_eq!(gate.copy(now), None, "what was said before a hold is over with it");
        gate.dial(Epoch(2), Some(later)).unwrap();
        assert!(gate.copy(now).is_some());
        gate.publish(Owner { side: Side::Backend, epoch: Epoch(3) }).unwrap();
        assert_eq!(gate.copy(now), None, "another owner");
    }
}
