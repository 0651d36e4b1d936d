//! Refunds: money on its way back, each under a key of its own that is never used for another. How much has to go is
//! said by `owed`.

use super::asking::Asked;
use super::{Fate, Intent, Patience};
use crate::money::Money;
use crate::refusal::{Refusal, Retry};
use vocab::id::Timestamp;

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The order gave units back.
    Returned,
    /// More came than was owed: too much, or twice.
    Over,
    /// It came for something that had ended, or too little of it came.
    Ended,
}

words!(Why {
    Returned = "returned",
    Over = "over",
    Ended = "ended",
});

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// It has no way back on its rail: the buyer has to name an account.
    NeedsAccount,
    /// On record since before the first byte went out.
    Recorded,
    Unknown,
    /// The provider does not know it, and did not know it long after it would have: it goes out again, under its key.
    Absent,
    /// The provider will do it.
    Accepted,
    /// The money has left.
    Confirmed,
    /// It will not be done; the money is owed as before.
    Rejected,
    /// No rail had it when the money turned out not to be owed.
    Withdrawn,
}

words!(RefundState {
    NeedsAccount = "needs_account",
    Recorded = "recorded",
    Unknown = "unknown",
    Absent = "absent",
    Accepted = "accepted",
    Confirmed = "confirmed",
    Rejected = "rejected",
    Withdrawn = "withdrawn",
});

impl RefundState {
    /// Nothing is on its way.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Rejected | Self::Withdrawn)
    }

    /// The money has gone, or may have.
    pub(super) const fn gives(self) -> bool {
        !matches!(self, Self::Rejected | Self::Withdrawn)
    }
}

/// What a rail says of a refund or a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundAnswer {
    Accepted,
    Confirmed,
    Rejected,
    /// It does not know the key.
    NotFound,
    Nothing,
}

/// One movement back. The account that a payout goes to is personal: this type does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Refund {
    pub(super) number: u32,
    pub(super) key: String,
    /// The attempt whose money goes back on its rail; none: it is paid out to an account.
    pub(super) attempt: Option<u32>,
    pub(super) amount: Money,
    pub(super) why: Why,
    pub(super) state: RefundState,
    pub(super) recorded_at: Timestamp,
    pub(super) asked: Asked,
    pub(super) withdrawn_at: Option<Timestamp>,
    /// A rail said no. It may say otherwise afterwards, and then both are booked.
    pub(super) rejected_at: Option<Timestamp>,
    pub(super) account: Option<String>,
}

impl std::fmt::Debug for Refund {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refund")
            .field("key", &self.key)
            .field("amount", &self.amount)
            .field("why", &self.why)
            .field("state", &self.state)
            .field("account", &self.account.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

impl Refund {
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The number of the attempt whose money goes back on its rail; none: it is paid out.
    pub const fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    pub const fn amount(&self) -> Money {
        self.amount
    }

    pub const fn why(&self) -> Why {
        self.why
    }

    pub const fn state(&self) -> RefundState {
        self.state
    }

    /// Where a payout goes to, as the buyer named it: for the rail, and for nobody else.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }
}

impl Intent {
    /// It goes out again, under its key: on record before the first byte.
    ///
    /// # Errors
    /// `not_found`; `refund_in_progress` where the rail knows it, or nobody knows; `refund_not_owed` where the money has
    /// left by another way, or may.
    pub fn refund_sent_again(&self, key: &str, at: Timestamp) -> Result<Self, Refusal> {
        self.must_be_owed()?;
        self.with_refund(key, |refund| {
            if refund.state != RefundState::Absent {
                return Err(Refusal::new("refund_in_progress", Retry::Later, "what became of it is not known"));
            }
            refund.state = RefundState::Recorded;
            (refund.asked.last, refund.asked.absent_since) = (Some(at), None);
            Ok(())
        })
    }

    /// The buyer says where a payout goes to: on record before the first byte.
    ///
    /// # Errors
    /// As for [`Intent::refund_sent_again`].
    pub fn pay_out_to(&self, key: &str, account: &str, at: Timestamp) -> Result<Self, Refusal> {
        self.must_be_owed()?;
        self.with_refund(key, |refund| {
            if refund.state != RefundState::NeedsAccount {
                return Err(Refusal::new("refund_in_progress", Retry::Never, "it is on its way already"));
            }
            refund.account = Some(account.to_owned());
            (refund.state, refund.recorded_at) = (RefundState::Recorded, at);
            Ok(())
        })
    }

    fn must_be_owed(&self) -> Result<(), Refusal> {
        if self.is_disputed() || self.given_too_much() > 0 {
            return Err(Refusal::new("refund_not_owed", Retry::Later, "the money has left by another way, or may"));
        }
        Ok(())
    }

    /// A refund that no rail has is not owed any more.
    ///
    /// # Errors
    /// `not_found`; `refund_in_progress` where a rail has it, or may.
    pub fn withdraw_refund(&self, key: &str, at: Timestamp) -> Result<Self, Refusal> {
        self.with_refund(key, |refund| match refund.state {
            RefundState::NeedsAccount | RefundState::Absent => {
                (refund.state, refund.withdrawn_at) = (RefundState::Withdrawn, Some(at));
                Ok(())
            }
            RefundState::Recorded
            | RefundState::Unknown
            | RefundState::Accepted
            | RefundState::Confirmed
            | RefundState::Rejected
            | RefundState::Withdrawn => {
                Err(Refusal::new("refund_in_progress", Retry::Never, "a rail may have it, or it is over"))
            }
        })
    }

    /// What a rail says of a refund. That the money has left is believed whatever was said before, and never taken back.
    ///
    /// # Errors
    /// `not_found`.
    pub fn refund_answered(
        &self,
        key: &str,
        answer: RefundAnswer,
        at: Timestamp,
        patience: &Patience,
    ) -> Result<Self, Refusal> {
        self.with_refund(key, |refund| {
            refund.asked.note(at);
            refund.state = match (refund.state, answer) {
                (_, RefundAnswer::Confirmed) => RefundState::Confirmed,
                (done, _) if done.is_final() || done == RefundState::NeedsAccount => done,
                (RefundState::Accepted, RefundAnswer::Accepted) => RefundState::Accepted,
                (_, RefundAnswer::Accepted) => {
                    refund.asked.begin_again();
                    RefundState::Accepted
                }
                (_, RefundAnswer::Rejected) => RefundState::Rejected,
                // What it had accepted it does not forget.
                (RefundState::Accepted, RefundAnswer::NotFound | RefundAnswer::Nothing) => RefundState::Accepted,
                (_, RefundAnswer::NotFound) => {
                    if refund.asked.not_found(at, patience) {
                        RefundState::Absent
                    } else {
                        RefundState::Unknown
                    }
                }
                (_, RefundAnswer::Nothing) => RefundState::Unknown,
            };
            if refund.state == RefundState::Rejected {
                refund.rejected_at.get_or_insert(at);
            }
            Ok(())
        })
    }

    fn with_refund(&self, key: &str, change: impl FnOnce(&mut Refund) -> Result<(), Refusal>) -> Result<Self, Refusal> {
        let mut after = self.clone();
        let Some(refund) = after.refunds.iter_mut().find(|refund| refund.key == key) else {
            return Err(Refusal::not_found("refund", key));
        };
        change(refund)?;
        Ok(after)
    }

    /// Nothing is on its way in either direction of which nobody knows what became.
    pub fn is_settled(&self) -> bool {
        let known = |fate: Fate| !matches!(fate, Fate::Recorded | Fate::Unknown);
        self.attempts.iter().all(|attempt| known(attempt.fate))
            && self.refunds.iter().all(|refund| refund.state.is_final() || refund.state == RefundState::NeedsAccount)
    }
}
