//! What an intent is at a moment: a fold over its facts, the first that holds.

use super::{Ending, Fate, Intent, Patience, Receipt, ReceiptKind, RefundState};
use vocab::id::Timestamp;

/// Never stored: it is counted again from the facts each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The buyer's bank wants it back, and nobody has decided.
    Disputed,
    /// Money is on its way back.
    Refunding,
    /// All that came has gone back.
    Refunded,
    /// The provider took back what it had said to have come.
    Reversed,
    /// More is here than is owed.
    Over,
    Paid,
    /// Some came, not enough.
    Short,
    /// Nobody knows what became of a try.
    Unknown,
    /// Held on a card.
    Authorised,
    /// The buyer has something to pay with, and has not.
    Awaiting,
    /// Whoever brings the goods will take the money.
    Promised,
    Expired,
    Canceled,
    Failed,
    /// Nothing has happened yet, or each try was declined and there is time for another.
    Created,
}

words!(State {
    Disputed = "disputed",
    Refunding = "refunding",
    Refunded = "refunded",
    Reversed = "reversed",
    Over = "over",
    Paid = "paid",
    Short = "short",
    Unknown = "unknown",
    Authorised = "authorised",
    Awaiting = "awaiting",
    Promised = "promised",
    Expired = "expired",
    Canceled = "canceled",
    Failed = "failed",
    Created = "created",
});

impl Intent {
    pub fn state(&self, now: Timestamp, patience: &Patience) -> State {
        let received = self.received();
        let of_money = self.state_of_money(received);
        of_money.unwrap_or_else(|| self.state_of_tries(now, patience))
    }

    fn state_of_money(&self, received: i64) -> Option<State> {
        let reversed = self.receipts().iter().any(|receipt| receipt.kind == ReceiptKind::Reversed);
        let moving = |state: RefundState| !state.is_final();
        let here = self.here();
        let came = self.receipts().iter().any(Receipt::brings);
        Some(match () {
            () if self.is_disputed() => State::Disputed,
            () if self.refunds().iter().any(|refund| moving(refund.state())) => State::Refunding,
            () if reversed && received <= 0 => State::Reversed,
            () if came && here <= 0 => State::Refunded,
            () if self.owed_back() > 0 || self.is_late() => State::Over,
            () if came && here.saturating_add(self.given_by_order()) >= self.due().minor() => State::Paid,
            () if here > 0 => State::Short,
            () => return None,
        })
    }

    fn state_of_tries(&self, now: Timestamp, patience: &Patience) -> State {
        let late = |at: Timestamp| now.0.saturating_sub(at.0) >= patience.answer_us;
        let unknown = self.attempts().iter().any(|attempt| match attempt.fate() {
            Fate::Unknown => true,
            Fate::Recorded => late(attempt.recorded_at()),
            Fate::Accepted | Fate::Paid | Fate::Declined | Fate::Absent | Fate::Over => false,
        });
        let accepted = self.attempts().iter().any(|attempt| attempt.fate() == Fate::Accepted);
        match self.ended() {
            _ if unknown => State::Unknown,
            _ if self.attempts().iter().any(|it| self.held(it) > 0) => State::Authorised,
            _ if self.order().is_some() && self.given_by_order() == self.due().minor() => State::Canceled,
            _ if self.is_promised() => State::Promised,
            _ if accepted => State::Awaiting,
            Some((Ending::Expired, _)) => State::Expired,
            Some((Ending::Canceled, _)) => State::Canceled,
            Some((Ending::Failed, _)) => State::Failed,
            None => State::Created,
        }
    }
}
