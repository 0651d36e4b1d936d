//! What is owed back: what came, less what the shop may keep, less what is on its way already. Never decided refund by
//! refund, so that nothing goes back twice, whatever asked for it.

use super::asking::Asked;
use super::refund::{Refund, RefundState, Why};
use super::{Attempt, Intent, REFUNDS_MAX};
use crate::money::Money;
use crate::refusal::{Refusal, Retry};
use vocab::id::Timestamp;

impl Intent {
    /// What has to go back and is not yet on its way, in minor units: what came, less what the shop may keep. The shop
    /// keeps what an order cost, less what it gave back; while there is no order yet, what is owed; and of what has ended,
    /// nothing.
    pub fn owed_back(&self) -> i64 {
        // The money of a dispute leaves by the dispute, or not at all.
        if self.is_disputed() {
            return 0;
        }
        self.here().saturating_sub(self.kept()).max(0)
    }

    /// What is on its way back although it is not owed: the money has left by another way meanwhile.
    pub(super) fn given_too_much(&self) -> i64 {
        let owed = self.received().saturating_sub(self.kept()).max(0);
        self.given().saturating_sub(owed).max(0)
    }

    /// What is owed to a buyer and has no way back on its rail until they say where to, in minor units.
    pub fn needs_account(&self) -> i64 {
        let needs = self.refunds.iter().filter(|refund| refund.state == RefundState::NeedsAccount);
        needs.map(|refund| refund.amount.minor()).sum()
    }

    /// How much of what the order gave back has not reached the buyer yet, in minor units.
    pub fn given_but_not_there(&self) -> i64 {
        let sum = |of: &dyn Fn(&Refund) -> bool| -> i64 {
            let returned = self.refunds.iter().filter(|refund| refund.why == Why::Returned && of(refund));
            returned.map(|refund| refund.amount.minor()).sum()
        };
        let unsent = self.returned.saturating_sub(sum(&|refund| refund.state.gives())).max(0);
        // What a bank has taken back meanwhile is owed to nobody.
        sum(&|refund| !refund.state.is_final()).saturating_add(self.owed_back().min(unsent))
    }

    fn kept(&self) -> i64 {
        let whole = self.due.minor();
        match (&self.order, self.ended) {
            (Some(_), _) => whole.saturating_sub(self.returned),
            (None, None) if !self.too_late => whole,
            // Whole, it may yet be wanted.
            (None, Some(_)) if self.is_late() => whole,
            _ => 0,
        }
    }

    /// All of it is here although it had ended: whether there is an order to be had for it is not decided.
    pub(super) fn is_late(&self) -> bool {
        let undecided = self.order.is_none() && self.ended.is_some() && !self.too_late;
        undecided && self.given() == 0 && !self.is_disputed() && self.received() >= self.due.minor()
    }

    /// What is on its way back or has gone, in minor units.
    pub fn given(&self) -> i64 {
        self.refunds.iter().filter(|it| it.state.gives()).map(|it| it.amount.minor()).sum()
    }

    /// Puts on record what is owed back: on the rails that it came by, the latest first, and what has no way back there
    /// as a payout.
    ///
    /// # Errors
    /// `too_many_refunds`.
    pub fn refund_what_is_owed(&self, at: Timestamp) -> Result<Self, Refusal> {
        let mut after = self.clone();
        let unsure = self.unsure_of();
        let waits = unsure.iter().map(|(_, _, there)| there).sum::<i64>().saturating_add(self.with_couriers());
        let owed = self.owed_back().saturating_sub(waits).max(0);
        let as_returned = |it: &&Refund| it.state.gives() && it.why == Why::Returned;
        let returned: i64 = self.refunds.iter().filter(as_returned).map(|it| it.amount.minor()).sum();
        let returned = match self.order {
            Some(_) => owed.min(self.returned.saturating_sub(returned).max(0)),
            None => 0,
        };
        let rest = if self.order.is_none() && (self.ended.is_some() || self.too_late) { Why::Ended } else { Why::Over };
        for (why, mut owed) in [(Why::Returned, returned), (rest, owed - returned)] {
            for attempt in self.attempts.iter().rev().filter(|attempt| attempt.method.refunds()) {
                if unsure.iter().any(|(unsure, ..)| unsure.number == attempt.number) {
                    continue;
                }
                let there = after.refundable(attempt.number).min(owed);
                if there > 0 {
                    after.record_refund(Some(attempt.number), there, why, at)?;
                    owed -= there;
                }
            }
            if owed > 0 {
                after.record_refund(None, owed, why, at)?;
            }
        }
        Ok(after)
    }

    /// The attempts whose rail has rejected a refund and has not spoken of the money since: it may have taken that back. For
    /// each, since when it is asked, and how much is there as far as we know.
    pub(super) fn unsure_of(&self) -> Vec<(&Attempt, i64, i64)> {
        let mut unsure = Vec::new();
        for attempt in &self.attempts {
            let of_this = || self.refunds.iter().filter(|refund| refund.attempt == Some(attempt.number));
            let Some(rejected) = of_this().filter_map(|refund| refund.rejected_at).max() else { continue };
            let since = rejected.0.saturating_add(1);
            if !attempt.heard_since(since) {
                let gone: i64 = of_this().filter(|it| it.state.gives()).map(|it| it.amount.minor()).sum();
                unsure.push((attempt, since, self.came_by(attempt.number).saturating_sub(gone).max(0)));
            }
        }
        unsure
    }

    /// What could still go back on the rail of an attempt. One whose rail has rejected a refund is asked no more.
    fn refundable(&self, attempt: u32) -> i64 {
        let of_this = || self.refunds.iter().filter(|refund| refund.attempt == Some(attempt));
        if of_this().any(|refund| refund.state == RefundState::Rejected) {
            return 0;
        }
        let gone: i64 = of_this().filter(|refund| refund.state.gives()).map(|refund| refund.amount.minor()).sum();
        self.came_by(attempt).saturating_sub(gone)
    }

    fn record_refund(&mut self, attempt: Option<u32>, minor: i64, why: Why, at: Timestamp) -> Result<(), Refusal> {
        if self.refunds.len() >= REFUNDS_MAX {
            let content = format!("{} refunds of one payment", REFUNDS_MAX);
            return Err(Refusal::new("too_many_refunds", Retry::Never, content));
        }
        let number = u32::try_from(self.refunds.len() + 1).unwrap_or(u32::MAX);
        self.refunds.push(Refund {
            number,
            key: format!("{}-r{number}", self.id),
            attempt,
            amount: Money::new(minor, self.due.currency())?,
            why,
            state: if attempt.is_some() { RefundState::Recorded } else { RefundState::NeedsAccount },
            recorded_at: at,
            asked: Asked::default(),
            withdrawn_at: None,
            rejected_at: None,
            account: None,
        });
        Ok(())
    }
}
