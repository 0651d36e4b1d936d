//! Paid at the door: an order is placed on a promise, whoever brings the goods takes the money, and later hands it to the
//! provider.
//!
//! What was taken at the door has come from the buyer, though nobody but the courier has it yet. Where nothing was taken, and
//! the rail says that nothing will be, the order is over: nobody keeps goods that were refused.

use super::act::{Act, Patience, Plan};
use super::asking::HOUR_US;
use super::{Attempt, Fate, Intent, Method, Receipt};
use vocab::id::Timestamp;

/// What was not brought by then is not to be paid any more: longer than a parcel takes anywhere in the country.
const BROUGHT_WITHIN_US: i64 = 30 * 24 * HOUR_US;

impl Intent {
    /// Until when its rail may take money for a try: at the door, long after the time to choose a way to pay.
    pub fn pays_until(&self, attempt: &Attempt) -> Timestamp {
        match attempt.is_cash() {
            true => Timestamp(attempt.recorded_at.0.saturating_add(BROUGHT_WITHIN_US)),
            false => self.expires_at,
        }
    }

    /// Whoever brings the goods will take the money.
    pub(crate) fn is_promised(&self) -> bool {
        self.promise().is_some()
    }

    pub(crate) fn promise(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.is_cash() && attempt.fate == Fate::Accepted)
    }

    /// One of its tries was to be paid at the door, whatever became of it.
    pub fn was_promised(&self) -> bool {
        self.attempts.iter().any(Attempt::is_cash)
    }

    /// There is an order, and what is not here yet will be taken at the door.
    pub fn waits_at_the_door(&self) -> bool {
        self.order.is_some() && self.is_promised() && self.to_come() > 0
    }

    /// There is an order, and all that it keeps is here.
    pub(crate) fn has_paid_its_order(&self) -> bool {
        self.order.is_some() && self.has_come() && self.to_come() <= 0
    }

    /// There is an order, and less is here than it keeps: a bank has taken it back, or not all of it was taken at the door.
    pub fn is_order_unpaid(&self) -> bool {
        let taken = |by: &Attempt| self.receipts.iter().any(|receipt| receipt.attempt == by.number && receipt.brings());
        let waits = self.promise().is_some_and(|attempt| !taken(attempt));
        self.order.is_some() && self.has_come() && self.to_come() > 0 && !waits
    }

    /// Goods that were to be paid at the door were not: nothing was taken there, and nothing will be. Their order is over. An
    /// order whose money was here, and went, is not for us to end.
    pub(super) fn is_refused_at_the_door(&self, patience: &Patience) -> bool {
        let mut cash = self.attempts.iter().filter(|attempt| attempt.is_cash());
        let refused = self.was_promised() && cash.all(|attempt| !self.took_money(attempt.number));
        let never_whole = self.receipts.iter().all(|receipt| receipt.came() >= 0);
        let over = || self.attempts.iter().all(|attempt| self.is_surely_over(attempt, patience));
        self.order.is_some() && refused && never_whole && self.to_come() > 0 && over()
    }

    /// The courier's money comes when it comes, and the notice of that may never: it is asked for. What is not wanted any more, or
    /// has been on its way for too long, is not to be taken.
    pub(super) fn plan_at_the_door(&self, attempt: &Attempt, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let until = self.pays_until(attempt).0;
        match () {
            () if self.took_money(attempt.number) => {}
            () if self.to_come() <= 0 => plan.end_of(attempt, attempt.recorded_at.0, now, patience),
            () if now.0 < until => {
                let due = attempt.asked.next(attempt.recorded_at).min(until);
                plan.at(due, now, Act::Query { attempt: attempt.number });
            }
            () => plan.end_of(attempt, until, now, patience),
        }
    }

    fn has_come(&self) -> bool {
        self.receipts.iter().any(Receipt::brings)
    }

    /// What the order keeps and is not here yet, in minor units.
    fn to_come(&self) -> i64 {
        self.due.minor().saturating_sub(self.returned).saturating_sub(self.received())
    }
}

impl Attempt {
    /// Nobody can pay it a second time: a card is charged by us, and goods are brought once.
    pub(super) fn is_paid_once(&self) -> bool {
        matches!(self.method, Method::CardToken | Method::CashOnDelivery)
    }

    fn is_cash(&self) -> bool {
        self.method == Method::CashOnDelivery
    }
}
