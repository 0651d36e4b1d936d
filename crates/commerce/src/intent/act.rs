//! What has to happen next for an intent, as data: whoever performs it answers with facts, and asks again.

use super::asking::{ASK_AFTER_US, HOUR_US, OFTEN_FOR_US};
use super::{Attempt, Ending, Intent, RefundState, Settling};
use vocab::id::Timestamp;

const SECOND_US: i64 = 1_000_000;

/// How long is waited for a rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For an answer to a call; after it, what became of it is unknown.
    pub answer_us: i64,
    /// How long a rail may say "not found" of what it will know.
    pub visible_us: i64,
    /// How long after the end of a code the rail may still learn of money that was paid in time.
    pub grace_us: i64,
}

impl Patience {
    /// For rails that say nothing else.
    /// Counted from a question, which may be answered as late as is waited for: 60 s and 90 s after the answer. A second more
    /// of grace, because a legacy whose moments have no fractions may have written the end of a code too early.
    pub const USUAL: Self = Self { answer_us: 5 * SECOND_US, visible_us: 65 * SECOND_US, grace_us: 96 * SECOND_US };
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Ask the rail what became of a try.
    Query { attempt: u32 },
    /// Send a try again, under its reference: the rail does not know it. What was sent before may still arrive, and is then the
    /// same.
    Send { attempt: u32 },
    /// Have the rail take money for a try no more.
    Expire { attempt: u32 },
    /// Take so much (in minor units, never nothing) of what is held, or let all of it go.
    Settle { attempt: u32, what: Settling, minor: i64 },
    /// Place the order.
    Complete,
    /// All of it came after the end: place the order if it can still be had, else say [`Intent::too_late`].
    CompleteLate,
    /// Units go back on the shelf, and the checkout learns of it.
    End(Ending),
    /// Nobody took the money at the door: the order is canceled.
    CancelOrder,
    /// Put on record what is owed back, and send it.
    Refund,
    /// Send a refund again, under its key.
    SendRefund { key: String },
    /// Ask the rail what became of a refund.
    QueryRefund { key: String },
    /// A refund that no rail has is not owed any more.
    WithdrawRefund { key: String },
}

/// What is to be done now, and when to look again if nothing comes before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub acts: Vec<Act>,
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    /// Now, if its time has come; else not before.
    pub(super) fn at(&mut self, due: i64, now: Timestamp, act: Act) {
        if due <= now.0 {
            self.acts.push(act);
            return;
        }
        self.wake(due);
    }

    pub(super) fn wake(&mut self, due: i64) {
        let due = Timestamp(due);
        self.wake_at = Some(self.wake_at.map_or(due, |earlier| earlier.min(due)));
    }
}

impl Intent {
    pub fn plan(&self, now: Timestamp, patience: &Patience) -> Plan {
        let mut plan = Plan::default();
        self.plan_tries(now, patience, &mut plan);
        self.plan_order(patience, &mut plan);
        self.plan_end(now, patience, &mut plan);
        self.plan_refunds(now, patience, &mut plan);
        plan
    }

    /// When somebody has to look at it by themselves; none: never, unless a rail or a buyer says something new.
    pub fn wake_at(&self, now: Timestamp, patience: &Patience) -> Option<Timestamp> {
        let plan = self.plan(now, patience);
        if plan.acts.is_empty() { plan.wake_at } else { Some(now) }
    }

    /// No money of it moves any more by itself: nothing is to be done, however late it gets, and nobody has to say anything
    /// first.
    pub fn is_over(&self, patience: &Patience) -> bool {
        let silent = self.plan(Timestamp(i64::MAX), patience).acts.is_empty();
        silent && !self.is_disputed() && self.needs_account() == 0
    }

    fn plan_order(&self, patience: &Patience, plan: &mut Plan) {
        if self.is_late() {
            plan.acts.push(Act::CompleteLate);
        } else if self.may_complete() {
            plan.acts.push(Act::Complete);
        } else if self.is_refused_at_the_door(patience) {
            plan.acts.push(Act::CancelOrder);
        }
    }

    fn plan_refunds(&self, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let owed = self.owed_back();
        if owed > 0 {
            // What a courier has goes back when the provider has it: it is asked for.
            let mut waits = self.with_couriers();
            // Its rail may have taken the money back, and then nothing of it is owed.
            for (attempt, since, there) in self.unsure_of() {
                waits = waits.saturating_add(there);
                plan.at(attempt.paced(since), now, Act::Query { attempt: attempt.number });
            }
            if owed > waits {
                plan.acts.push(Act::Refund);
            }
        }
        let mut excess = self.given_too_much();
        let disputed = self.is_disputed();
        for refund in &self.refunds {
            let key = refund.key.clone();
            match refund.state {
                RefundState::NeedsAccount | RefundState::Absent if excess > 0 => {
                    excess = excess.saturating_sub(refund.amount.minor());
                    plan.acts.push(Act::WithdrawRefund { key });
                }
                // The money leaves by the dispute, or not at all.
                RefundState::NeedsAccount | RefundState::Absent if disputed => {}
                RefundState::Recorded => {
                    let sent = refund.asked.last.unwrap_or(refund.recorded_at).max(refund.recorded_at);
                    plan.at(sent.0.saturating_add(patience.answer_us), now, Act::QueryRefund { key });
                }
                RefundState::Absent => plan.at(refund.asked.next(refund.recorded_at), now, Act::SendRefund { key }),
                RefundState::Unknown | RefundState::Accepted => {
                    plan.at(refund.asked.next(refund.recorded_at), now, Act::QueryRefund { key });
                }
                RefundState::NeedsAccount | RefundState::Confirmed | RefundState::Rejected | RefundState::Withdrawn => {
                }
            }
        }
    }
}

impl Attempt {
    /// At this time, and then again: soon at first, and when that has said nothing new every hour.
    pub(super) fn paced(&self, at: i64) -> i64 {
        match self.asked.last {
            None => at,
            Some(asked) if asked.0 < at => at.max(asked.0.saturating_add(ASK_AFTER_US[0])),
            Some(asked) if asked.0.saturating_sub(at) < OFTEN_FOR_US => asked.0.saturating_add(ASK_AFTER_US[1]),
            Some(asked) => asked.0.saturating_add(HOUR_US),
        }
    }

    pub(super) fn heard_since(&self, at: i64) -> bool {
        self.heard_at.is_some_and(|heard| heard.0 >= at)
    }
}
