//! An intent: what one checkout owes, how it was tried to be paid, and what money came and went.
//!
//! Facts go in, state comes out: attempts, receipts and refunds are only ever added to, and what an intent *is* at a
//! moment is a pure function of them ([`State`]), so that notices may come twice, late and in any order.
//! Invariants: at most one attempt is alive; an attempt of which nobody knows what became is never given up for dead;
//! money that came is never refused for the state that anything is in; no more goes back than came.
//! Absent on purpose: clocks, rails, SQL, stock, orders. Time comes in as an argument; what has to happen outside goes
//! out as data ([`Act`]).

/// The words of an enum, each written once: as it is kept, shown and shaped.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal,)* }) => {
        impl $type {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.name() == name)
            }
        }
    };
}

mod act;
mod asking;
mod attempt;
mod booking;
mod document;
mod door;
mod owed;
mod receipt;
mod refund;
mod state;
mod tries;

pub use act::{Act, Patience, Plan};
pub use attempt::{Answer, Attempt, Fate, Method, Settling};
pub use booking::Posting;
pub use receipt::{Entered, Receipt, ReceiptKind};
pub use refund::{Refund, RefundAnswer, RefundState, Why};
pub use state::State;

use crate::money::Money;
use crate::refusal::{Refusal, Retry};
use vocab::id::{Minted, Origin, PublicId, Timestamp};

/// More tries than anybody has patience for.
pub const ATTEMPTS_MAX: usize = 32;
/// More refunds than an order has units that are given back one by one.
pub const REFUNDS_MAX: usize = 1_024;

/// Why an intent asks for no more money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Expired,
    Canceled,
    Failed,
}

words!(Ending {
    Expired = "expired",
    Canceled = "canceled",
    Failed = "failed",
});

/// What one checkout owes. `due` and `expires_at` never change; a changed basket gets an intent of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    id: PublicId,
    origin: Option<Origin>,
    checkout: PublicId,
    /// The number of the order to come, which the buyer may know already.
    reserved: Option<PublicId>,
    /// The provider account that all of it stays with.
    account: String,
    due: Money,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// Somebody asked for its end; it ends when the rail says that nothing can be paid any more.
    cancel_asked_at: Option<Timestamp>,
    ended: Option<(Ending, Timestamp)>,
    /// The order that came of it.
    order: Option<PublicId>,
    /// What the order gave back to the buyer so far, in minor units.
    returned: i64,
    /// Money came after the end, and the order could not be had any more.
    too_late: bool,
    attempts: Vec<Attempt>,
    receipts: Vec<Receipt>,
    refunds: Vec<Refund>,
}

/// What a new intent starts from.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Short enough to be part of a reference (`<id>-<n>`): 1 to 40 of `A-Z a-z 0-9 _ -`.
    pub id: Minted,
    pub checkout: PublicId,
    /// The number of the order to come.
    pub reserved: PublicId,
    pub account: String,
    pub due: Money,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

const ID_MAX: usize = 40;

impl Intent {
    /// # Errors
    /// `amount_not_payable` for nothing, less than nothing, or a fraction of what the currency is paid in;
    /// `payment_expired` where it would be over before it began; `payment_failed` for an id that no rail can carry.
    pub fn open(opening: Opening) -> Result<Self, Refusal> {
        let Opening { id: Minted { id, origin }, checkout, reserved, account, due, at, expires_at } = opening;
        if due.is_negative() || due.is_zero() || !due.is_whole() {
            let content = format!("{due} cannot be paid: it has to be more than nothing, in whole units");
            return Err(Refusal::new("amount_not_payable", Retry::Changed, content));
        }
        if expires_at <= at {
            return Err(Refusal::new("payment_expired", Retry::Changed, "the time to pay is over"));
        }
        let carried = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if id.as_str().is_empty() || id.as_str().len() > ID_MAX || !id.as_str().bytes().all(carried) {
            let content = format!("an intent's id is 1 to {ID_MAX} of A-Z a-z 0-9 _ -");
            return Err(Refusal::new("payment_failed", Retry::Never, content));
        }
        Ok(Self {
            id,
            origin,
            checkout,
            reserved: Some(reserved),
            account,
            due,
            created_at: at,
            expires_at,
            cancel_asked_at: None,
            ended: None,
            order: None,
            returned: 0,
            too_late: false,
            attempts: Vec::new(),
            receipts: Vec::new(),
            refunds: Vec::new(),
        })
    }

    /// Another try, on record before the first byte goes out, for what is not here yet. Its reference is `<intent>-<n>`.
    ///
    /// # Errors
    /// `payment_in_progress` while an attempt is alive, or nobody knows what became of it or how much it brought;
    /// `payment_received` where
    /// nothing is owed any more, `payment_expired`, `payment_closed`, `too_many_attempts`.
    pub fn attempt(&self, method: Method, at: Timestamp) -> Result<(Self, Attempt), Refusal> {
        if let Some((ending, _)) = self.ended {
            return Err(Refusal::new("payment_closed", Retry::Never, format!("it is {}", ending.name())));
        }
        if self.cancel_asked_at.is_some() {
            return Err(Refusal::new("payment_closed", Retry::Never, "it is being canceled"));
        }
        if at >= self.expires_at {
            return Err(Refusal::new("payment_expired", Retry::Changed, "the time to pay is over"));
        }
        if self.order.is_some() || self.is_paid() {
            return Err(Refusal::new("payment_received", Retry::Never, "it is paid"));
        }
        let untold = |attempt: &Attempt| attempt.fate == Fate::Paid && !self.took_money(attempt.number);
        if self.live().is_some() || self.attempts.iter().any(untold) {
            return Err(Refusal::new("payment_in_progress", Retry::Later, "an earlier try is not over"));
        }
        let rest = Money::new(self.due.minor().saturating_sub(self.here().max(0)), self.due.currency())?;
        if rest.is_zero() || rest.is_negative() || !rest.is_whole() {
            return Err(Refusal::new("payment_in_progress", Retry::Later, "what is here is not decided"));
        }
        if self.attempts.len() >= ATTEMPTS_MAX {
            let content = format!("{ATTEMPTS_MAX} tries were made");
            return Err(Refusal::new("too_many_attempts", Retry::Never, content));
        }
        let number = u32::try_from(self.attempts.len() + 1).unwrap_or(u32::MAX);
        let attempt = Attempt::recorded(&self.id, number, method, rest, at);
        let mut after = self.clone();
        after.attempts.push(attempt.clone());
        Ok((after, attempt))
    }

    /// The one that may still bring money by itself: sent, waiting to be paid, or unknown.
    pub fn live(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.is_alive() && !self.is_spent(attempt))
    }

    /// The buyer, or the shop, wants it to end. Money that is there already keeps it.
    ///
    /// # Errors
    /// `payment_received` where it is paid; then a refund is what can be had.
    pub fn cancel(&self, at: Timestamp) -> Result<Self, Refusal> {
        if self.order.is_some() || self.is_paid() {
            return Err(Refusal::new("payment_received", Retry::Never, "it is paid; it can be refunded"));
        }
        let mut after = self.clone();
        after.cancel_asked_at = after.cancel_asked_at.or(Some(at));
        Ok(after)
    }

    /// It asks for no more: nothing is alive any more that could bring money by itself. Money that comes all the same
    /// goes back.
    ///
    /// # Errors
    /// `payment_in_progress` while an attempt is alive or the rail may yet learn of money for it, `payment_received` where
    /// it is paid.
    pub fn end(&self, ending: Ending, at: Timestamp, patience: &Patience) -> Result<Self, Refusal> {
        if self.is_disputed() || !self.attempts.iter().all(|attempt| self.is_surely_over(attempt, patience)) {
            return Err(Refusal::new("payment_in_progress", Retry::Later, "a try is not surely over"));
        }
        if self.order.is_some() || self.is_paid() {
            return Err(Refusal::new("payment_received", Retry::Never, "it is paid"));
        }
        let mut after = self.clone();
        after.ended = after.ended.or(Some((ending, at)));
        Ok(after)
    }

    /// The order is there that it was paid for: at its time, or after the end because units and price still held.
    ///
    /// # Errors
    /// `payment_incomplete` where less is here than is owed and nobody promised to bring it; `payment_closed` where the
    /// money is on its way back, or there is another order.
    pub fn completed(&self, order: &PublicId) -> Result<Self, Refusal> {
        if self.order.as_ref() == Some(order) {
            return Ok(self.clone());
        }
        if self.order.is_some() {
            return Err(Refusal::new("payment_closed", Retry::Never, "it has paid for another order"));
        }
        if self.too_late || (self.ended.is_some() && !self.is_late()) {
            return Err(Refusal::new("payment_closed", Retry::Never, "the money is on its way back"));
        }
        if !self.is_late() && !self.may_complete() {
            return Err(Refusal::new("payment_incomplete", Retry::Later, "less is here than is owed"));
        }
        let mut after = self.clone();
        (after.order, after.ended) = (Some(order.clone()), None);
        Ok(after)
    }

    /// All that is owed is here, and nobody disputes it.
    pub(crate) fn is_paid(&self) -> bool {
        self.here() >= self.due.minor() && !self.is_disputed()
    }

    /// The order can be placed: it is paid, or somebody will bring the money, and nobody wants it to end.
    pub(crate) fn may_complete(&self) -> bool {
        let open = self.order.is_none() && self.ended.is_none() && !self.too_late;
        open && (self.is_paid() || (self.is_promised() && self.cancel_asked_at.is_none()))
    }

    /// Money came after the end, and there is no order to be had for it any more: it goes back.
    #[must_use]
    pub fn too_late(&self) -> Self {
        Self { too_late: self.order.is_none(), ..self.clone() }
    }

    /// The order gives so much back to the buyer.
    ///
    /// # Errors
    /// `refund_exceeds_payment` where more would go back than was owed, `currency_differs`, `payment_incomplete` without
    /// an order.
    pub fn give_back(&self, amount: Money) -> Result<Self, Refusal> {
        if self.order.is_none() {
            return Err(Refusal::new("payment_incomplete", Retry::Never, "there is no order"));
        }
        let left = self.due.minus(amount)?.minor().saturating_sub(self.returned);
        if amount.is_negative() || left < 0 {
            return Err(Refusal::new("refund_exceeds_payment", Retry::Changed, "more would go back than was owed"));
        }
        Ok(Self { returned: self.returned.saturating_add(amount.minor()), ..self.clone() })
    }

    /// Somebody asked for its end, and it has not ended yet.
    pub const fn is_being_canceled(&self) -> bool {
        self.cancel_asked_at.is_some() && self.ended.is_none()
    }

    pub const fn checkout(&self) -> &PublicId {
        &self.checkout
    }

    /// The number that its order will have; none where a source reserves none.
    pub const fn reserved(&self) -> Option<&PublicId> {
        self.reserved.as_ref()
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    /// What was asked for, whatever became of it.
    pub const fn due(&self) -> Money {
        self.due
    }

    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub const fn ended(&self) -> Option<(Ending, Timestamp)> {
        self.ended
    }

    pub const fn order(&self) -> Option<&PublicId> {
        self.order.as_ref()
    }

    /// What the order gave back so far, in minor units; whether it has reached the buyer, the refunds say.
    pub const fn given_by_order(&self) -> i64 {
        self.returned
    }

    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    pub fn refunds(&self) -> &[Refund] {
        &self.refunds
    }
}
