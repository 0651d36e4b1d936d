//! Money on its way back: refunds that are lost, late or rejected, and buyers who say where a payout goes to.

use super::{HOUR, Mail, PATIENCE, SECOND, World};
use commerce::intent::{RefundAnswer, RefundState, State};
use vocab::id::Timestamp;

/// A refund that is sent has its effect within this, or never: money that leaves after it was asked about twice is lost.
const REFUND_LATE_MAX: i64 = 50 * SECOND;

impl World {
    /// Buyers take their time to say where a payout goes to.
    pub(super) fn ask_for_accounts(&mut self) {
        let waiting = self.intent.refunds().iter().filter(|it| it.state() == RefundState::NeedsAccount);
        let waiting: Vec<String> = waiting.map(|it| it.key().to_owned()).collect();
        for key in waiting {
            if !self.asked.insert(key.clone()) {
                continue;
            }
            let time = if self.faults { 30 * HOUR } else { SECOND };
            let at = self.now + self.chance.below(time);
            self.post(at, Mail::Account(key));
        }
    }

    pub(super) fn name_account(&mut self, key: String) {
        match self.intent.pay_out_to(&key, "014 1234567890", Timestamp(self.now)) {
            Ok(intent) => {
                self.intent = intent;
                self.send_refund(key);
            }
            // The money has left by another way, or may: asked again as long as it waits.
            Err(refusal) => {
                assert!(["refund_not_owed", "refund_in_progress"].contains(&refusal.code), "{refusal}");
                self.asked.remove(&key);
                self.refused.push(refusal.code);
                let waits = |it: &&commerce::intent::Refund| it.key() == key && it.state() == RefundState::NeedsAccount;
                if self.intent.refunds().iter().any(|it| waits(&it)) {
                    self.asked.insert(key.clone());
                    self.post(self.now + HOUR, Mail::Account(key));
                }
            }
        }
    }

    pub(super) fn send_refund(&mut self, key: String) {
        let state = self.intent.state(Timestamp(self.now), &PATIENCE);
        assert_ne!(state, State::Disputed, "what is disputed leaves by the dispute, or not at all");
        self.refunds_sent += 1;
        match if self.faults { self.chance.below(5) } else { 4 } {
            0 => {}
            1 => drop(self.refund_arrives(&key)),
            2 => {
                let at = self.now + self.chance.below(REFUND_LATE_MAX);
                self.post(at, Mail::SendRefund(key));
            }
            _ => {
                let answer = self.refund_arrives(&key);
                let at = self.now + self.chance.below(SECOND);
                self.post(at, Mail::Refund(key, answer));
            }
        }
    }

    pub(super) fn refund_arrives(&mut self, key: &str) -> RefundAnswer {
        let refund = self.intent.refunds().iter().find(|it| it.key() == key).expect("recorded before it was sent");
        let (attempt, amount) = (refund.attempt(), refund.amount().minor());
        let answer = match self.chance.below(if self.faults { 6 } else { 1 }) {
            0 => RefundAnswer::Confirmed,
            1 => RefundAnswer::Rejected,
            _ => RefundAnswer::Accepted,
        };
        self.provider.refund(key, attempt, amount, answer)
    }

    pub(super) fn refund_answered(&mut self, key: &str, answer: RefundAnswer) {
        self.intent = self.intent.refund_answered(key, answer, Timestamp(self.now), &PATIENCE).expect("a known refund");
    }
}
