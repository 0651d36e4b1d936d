//! Paid at the door: an order is placed on a promise, whoever brings the goods takes the money, and later hands it to the
//! provider.
//!
//! What was taken at the door has come from the buyer, though nobody but the courier has it yet. Where nothing was taken, and
//! the rail says so long after it had to know, the order is over: nobody keeps goods that were refused. Until then its units
//! are with the courier, whoever wants it to end.

use super::act::{Act, Patience, Plan};
use super::asking::HOUR_US;
use super::{Attempt, Fate, Intent, Method, Receipt, ReceiptKind};
use crate::refusal::{Refusal, Retry};
use vocab::id::Timestamp;

const DAY_US: i64 = 24 * HOUR_US;
/// What was not brought by then is not to be paid any more: longer than a parcel takes anywhere in the country.
const BROUGHT_WITHIN_US: i64 = 30 * DAY_US;
/// Couriers tell of what they took when they are back, and their offices later.
const TOLD_WITHIN_US: i64 = 3 * DAY_US;
/// Somebody has to look after what a courier keeps for longer.
const KEPT_MAX_US: i64 = 7 * DAY_US;

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
        self.attempts.iter().any(|attempt| attempt.is_cash() && attempt.fate == Fate::Accepted)
    }

    /// The try on which an order can be placed: one that is being ended brings nothing.
    pub(crate) fn promise(&self) -> Option<&Attempt> {
        let stands = |it: &&Attempt| it.is_cash() && it.fate == Fate::Accepted && it.told_to_end.is_none();
        self.attempts.iter().find(stands)
    }

    /// One of its tries was to be paid at the door, whatever became of it.
    pub fn was_promised(&self) -> bool {
        self.attempts.iter().any(Attempt::is_cash)
    }

    /// There is an order, and all that it keeps is here.
    pub(crate) fn has_paid_its_order(&self) -> bool {
        self.order.is_some() && self.has_come() && self.to_come() <= 0
    }

    /// There is an order, and less is here than it keeps: a bank has taken it back, or not all of it was taken at the door.
    pub fn is_order_unpaid(&self) -> bool {
        let waits = |it: &Attempt| it.is_cash() && it.fate == Fate::Accepted && !self.brought_by(it);
        let comes: i64 = self.attempts.iter().filter(|it| waits(it)).map(|it| it.amount.minor()).sum();
        self.order.is_some() && self.has_come() && self.to_come() > comes
    }

    /// A courier has kept money for so long that somebody has to look.
    pub fn is_kept_by_a_courier(&self, now: Timestamp) -> bool {
        let long_ago = |it: &Receipt| it.kind == ReceiptKind::Collected && now.0.saturating_sub(it.at.0) > KEPT_MAX_US;
        let of_late = |it: &Receipt| long_ago(it) && self.with_the_courier(it.attempt) > 0;
        self.receipts.iter().any(of_late)
    }

    /// The order that was placed on a promise is not wanted any more. It ends when its rail is sure that nothing was taken at the
    /// door, and stands where something was.
    ///
    /// # Errors
    /// `payment_received` where there is nothing to be taken at a door.
    pub fn not_wanted_at_the_door(&self, at: Timestamp) -> Result<Self, Refusal> {
        if self.order.is_none() || !self.was_promised() || self.has_paid_its_order() {
            return Err(Refusal::new("payment_received", Retry::Never, "it is paid; it can be refunded"));
        }
        Ok(Self { cancel_asked_at: self.cancel_asked_at.or(Some(at)), ..self.clone() })
    }

    /// Goods that were to be paid at the door were not: nothing was taken there, and nothing will be. Their order is over. An
    /// order whose money was here, and went, is not for us to end.
    pub(super) fn is_refused_at_the_door(&self, patience: &Patience) -> bool {
        let taken = |it: &Attempt| it.is_cash() && self.receipts.iter().any(|receipt| receipt.is_at_the_door(it));
        let brought: i64 = self.receipts.iter().filter(|it| it.brings()).map(|it| it.amount.minor()).sum();
        let was_whole = brought >= self.due.minor().saturating_sub(self.returned);
        let over = || self.attempts.iter().all(|attempt| self.is_surely_over(attempt, patience));
        self.order.is_some() && self.was_promised() && !self.attempts.iter().any(taken) && !was_whole && over()
    }

    /// The courier's money comes when it comes, and the notice of that may never: it is asked for. What is not wanted any more, or
    /// has been on its way for too long, is not to be taken.
    pub(super) fn plan_at_the_door(&self, attempt: &Attempt, now: Timestamp, patience: &Patience, plan: &mut Plan) {
        let until = self.pays_until(attempt).0;
        match () {
            () if self.is_spent(attempt) => {}
            () if self.to_come() <= 0 || self.cancel_asked_at.is_some() => {
                plan.end_of(attempt, attempt.recorded_at.0, now, patience);
            }
            () if now.0 < until => {
                let due = attempt.asked.next(attempt.recorded_at).min(until);
                plan.at(due, now, Act::Query { attempt: attempt.number });
            }
            () => plan.end_of(attempt, until, now, patience),
        }
    }

    /// What was taken at the door by an attempt and is not with the provider, in minor units; less than nothing where more was handed
    /// over than anybody told us to have been taken. A courier who took it by mistake is somebody's to look at.
    pub(super) fn with_the_courier(&self, attempt: u32) -> i64 {
        let of = |kind: ReceiptKind| {
            let of_it = self.receipts.iter().filter(move |it| it.attempt == attempt && it.kind == kind);
            of_it.fold(0_i64, |sum, it| sum.saturating_add(it.amount.minor()))
        };
        of(ReceiptKind::Collected).saturating_sub(of(ReceiptKind::Remitted))
    }

    /// What couriers have: it can go back when the provider has it.
    pub(super) fn with_couriers(&self) -> i64 {
        self.attempts.iter().map(|attempt| self.with_the_courier(attempt.number).max(0)).sum()
    }

    /// Some money came, whatever became of it.
    fn has_come(&self) -> bool {
        self.receipts.iter().any(Receipt::brings)
    }

    fn brought_by(&self, attempt: &Attempt) -> bool {
        self.receipts.iter().any(|receipt| receipt.attempt == attempt.number && receipt.brings())
    }

    /// What the order keeps and is not here yet, in minor units.
    fn to_come(&self) -> i64 {
        self.due.minor().saturating_sub(self.returned).saturating_sub(self.received())
    }
}

impl Receipt {
    fn is_at_the_door(&self, attempt: &Attempt) -> bool {
        self.attempt == attempt.number && matches!(self.kind, ReceiptKind::Collected | ReceiptKind::Remitted)
    }
}

impl Attempt {
    /// Nobody can pay it a second time: a card is charged by us, and goods are brought once.
    pub(super) fn is_paid_once(&self) -> bool {
        matches!(self.method, Method::CardToken | Method::CashOnDelivery)
    }

    /// So long after a code is over its rail may still learn of money that was paid in time.
    pub(super) fn grace_us(&self, patience: &Patience) -> i64 {
        if self.is_cash() { patience.grace_us.max(TOLD_WITHIN_US) } else { patience.grace_us }
    }

    fn is_cash(&self) -> bool {
        self.method == Method::CashOnDelivery
    }
}
