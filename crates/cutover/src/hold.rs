//! The holds of a shop, read from its step records: how long each step took, how many writes waited, how it ended.

use crate::record::{Phase, Reason, Record, StepName};
use std::collections::BTreeMap;
use vocab::id::{Direction, Epoch, Name, Timestamp};

/// A step record with what was measured beside it.
#[derive(Debug, Clone)]
pub struct Timed {
    pub record: Record,
    pub at: Timestamp,
    /// The mover that wrote it.
    pub by: Option<Name>,
    /// On `Release` `Done`: how many requests were held.
    pub held: Option<i64>,
}

/// One hold, from its intent to its release.
#[derive(Debug, Clone)]
pub struct Hold {
    pub began: Timestamp,
    pub direction: Direction,
    pub epoch: Epoch,
    pub aborted: bool,
    pub reason: Option<Reason>,
    pub held: i64,
    /// The mover that began it died; from the first act of the one that ended it to the release.
    pub taken_over_us: Option<i64>,
    /// Between each step's intent and its outcome.
    pub us: BTreeMap<StepName, i64>,
    pub total_us: i64,
}

/// Steps of a hold that flips, in their order.
pub const STEPS: [StepName; 8] = [
    StepName::Hold,
    StepName::Drain,
    StepName::Fence,
    StepName::Mark,
    StepName::CatchUp,
    StepName::Prove,
    StepName::Flip,
    StepName::Release,
];

/// Every hold that has ended, oldest first. `records` are all of one shop, in their order.
pub fn holds(records: impl IntoIterator<Item = Timed>) -> Vec<Hold> {
    let mut ended = Vec::new();
    let mut open: Option<Open> = None;
    for timed in records {
        if timed.record.step == StepName::Hold && timed.record.phase == Phase::Intent {
            open = Some(Open::begin(&timed));
        } else if let Some(hold) = &mut open {
            hold.take(&timed);
            if timed.record.step == StepName::Release && timed.record.phase == Phase::Done {
                ended.extend(open.take().map(|open| open.hold));
            }
        }
    }
    ended
}

/// A hold whose release has not been read yet.
struct Open {
    hold: Hold,
    intended: Timestamp,
    /// The mover that writes the records, and since when.
    by: Option<Name>,
    since: Timestamp,
}

impl Open {
    fn begin(timed: &Timed) -> Self {
        let hold = Hold {
            began: timed.at,
            direction: timed.record.direction,
            epoch: timed.record.epoch,
            aborted: false,
            reason: None,
            held: 0,
            taken_over_us: None,
            us: BTreeMap::new(),
            total_us: 0,
        };
        Self { hold, intended: timed.at, by: timed.by.clone(), since: timed.at }
    }

    fn take(&mut self, timed: &Timed) {
        let hold = &mut self.hold;
        match timed.record.phase {
            Phase::Intent => self.intended = timed.at,
            Phase::Done | Phase::Failed => {
                *hold.us.entry(timed.record.step).or_insert(0) += timed.at.0 - self.intended.0;
            }
        }
        if timed.by != self.by {
            hold.taken_over_us = Some(0);
            (self.by, self.since) = (timed.by.clone(), timed.at);
        }
        hold.aborted |= timed.record.step == StepName::Abort;
        hold.reason = hold.reason.take().or_else(|| timed.record.reason.clone());
        if timed.record.step == StepName::Release && timed.record.phase == Phase::Done {
            hold.held = timed.held.unwrap_or(0);
            hold.total_us = timed.at.0 - hold.began.0;
            hold.taken_over_us = hold.taken_over_us.map(|_| timed.at.0 - self.since.0);
        }
    }
}
