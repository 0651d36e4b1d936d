//! What is to be done next for one of them, as data: whoever does it comes back with facts.

use super::{Fate, Pesanan, RefundState};
use jiff::{SignedDuration, Timestamp};

/// What was written just now is being asked by whoever wrote it.
const UNDER_WAY_S: i64 = 5;
/// A notice that never comes keeps nobody waiting for longer.
const ASK_EVERY_S: i64 = 60;
/// A last question that says nothing is asked again as often for so long, and then every hour, for ever.
const OFTEN_FOR_S: i64 = 600;
const HOUR_S: i64 = 3_600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Asks what became of a try.
    Ask(i64),
    /// Has nobody pay a try any more.
    Expire(i64),
    /// Asks about all of them, and ends it if that is what comes out.
    LastLook,
    /// Draws the conclusion from what is on record.
    Follow,
    AskRefund(i64),
    SendRefund(i64),
}

/// What is to be done now, and when to look again if nothing comes before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub acts: Vec<Act>,
    pub wake: Option<Timestamp>,
}

impl Plan {
    fn at(&mut self, due: Timestamp, now: Timestamp, act: Act) {
        if due <= now {
            self.acts.push(act);
        } else {
            self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
        }
    }
}

impl Pesanan {
    /// `asked`: when a try was asked about last, as far as this process knows.
    pub fn plan(&self, now: Timestamp, asked: impl Fn(i64) -> Option<Timestamp>, grace_s: i64) -> Plan {
        let mut plan = Plan::default();
        let over = !self.is_open() || self.is_paid() || self.over_from() <= now;
        if self.may_be_placed() || self.leaves_something() {
            plan.acts.push(Act::Follow);
        }
        for it in &self.tries {
            match it.fate {
                Fate::Recorded | Fate::Unknown => {
                    plan.at(it.made + SignedDuration::from_secs(UNDER_WAY_S), now, Act::Ask(it.number));
                }
                Fate::Waits if over => plan.acts.push(Act::Expire(it.number)),
                Fate::Waits => {
                    let again = asked(it.number).map_or(now, |last| last + SignedDuration::from_secs(ASK_EVERY_S));
                    plan.at(again.min(self.over_from()), now, Act::Ask(it.number));
                }
                Fate::Paid | Fate::Declined | Fate::Absent | Fate::Over => {}
            }
        }
        self.plan_end(now, grace_s, &mut plan);
        self.plan_last_words(now, asked, grace_s, &mut plan);
        self.plan_refunds(now, &mut plan);
        plan
    }

    fn plan_end(&self, now: Timestamp, grace_s: i64, plan: &mut Plan) {
        if !self.is_open() || self.live().is_some() || self.is_paid() || self.is_disputed() {
            return;
        }
        let asks = self.tries.iter().filter(|it| matches!(it.fate, Fate::Over | Fate::Paid));
        let sure = asks.map(|it| self.sure_from(it, grace_s)).max();
        plan.at(sure.map_or(self.over_from(), |sure| sure.max(self.over_from())), now, Act::LastLook);
    }

    /// Of money that came at the last moment, or twice, and of money that a bank took back nobody may ever be told: a try is
    /// asked about once more when the provider has to know, whatever became of the rest.
    fn plan_last_words(&self, now: Timestamp, asked: impl Fn(i64) -> Option<Timestamp>, grace_s: i64, plan: &mut Plan) {
        for it in &self.tries {
            let said = matches!(it.fate, Fate::Over | Fate::Paid).then(|| self.sure_from(it, grace_s));
            let since = said.filter(|said| !it.heard_since(*said)).into_iter().chain(self.unsure_since(it)).min();
            let is_asked = [Act::LastLook, Act::Ask(it.number)].iter().any(|act| plan.acts.contains(act));
            if let Some(since) = since.filter(|_| !is_asked) {
                plan.at(paced(since, asked(it.number)), now, Act::Ask(it.number));
            }
        }
    }

    fn plan_refunds(&self, now: Timestamp, plan: &mut Plan) {
        for it in &self.refunds {
            match it.state {
                RefundState::Recorded => {
                    plan.at(it.made + SignedDuration::from_secs(UNDER_WAY_S), now, Act::AskRefund(it.number));
                }
                RefundState::Unknown | RefundState::Accepted => plan.acts.push(Act::AskRefund(it.number)),
                RefundState::Absent if self.may_send() => plan.acts.push(Act::SendRefund(it.number)),
                RefundState::Absent
                | RefundState::NeedsAccount
                | RefundState::Confirmed
                | RefundState::Rejected
                | RefundState::Withdrawn => {}
            }
        }
    }
}

/// At this time, and then again as long as nothing is said.
fn paced(since: Timestamp, asked: Option<Timestamp>) -> Timestamp {
    let Some(asked) = asked.filter(|asked| *asked >= since) else { return since };
    let is_often = asked.duration_since(since) < SignedDuration::from_secs(OFTEN_FOR_S);
    asked + SignedDuration::from_secs(if is_often { ASK_EVERY_S } else { HOUR_S })
}
