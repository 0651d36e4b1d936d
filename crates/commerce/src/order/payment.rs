//! How an order is paid: what was taken, or will be at the door, and by whom.

use super::{Order, State};
use crate::decision::Aggregate;
use crate::intent::Intent;
use crate::lines::LineId;
use crate::money::Money;
use crate::payment::{Attempt, INSTANT};
use crate::refusal::{Refusal, Retry};
use vocab::id::{Minted, PublicId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    Pending,
    Captured,
    Failed,
}

impl PaymentState {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Captured, Self::Failed];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Captured => "captured",
            Self::Failed => "failed",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub(super) identity: LineId,
    pub(super) method: String,
    pub(super) amount: Money,
    pub(super) paid_at: Option<Timestamp>,
    pub(super) state: PaymentState,
    pub(super) reference: Option<String>,
    pub(super) intent: Option<PublicId>,
}

impl Payment {
    /// As whoever took it called it: `instant`, `transfer` …
    pub fn method(&self) -> &str {
        &self.method
    }

    pub const fn paid_at(&self) -> Option<Timestamp> {
        self.paid_at
    }

    pub const fn amount(&self) -> Money {
        self.amount
    }

    pub const fn state(&self) -> PaymentState {
        self.state
    }

    /// The attempt it answers, where it was made here.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The intent that took the money.
    pub const fn intent(&self) -> Option<&PublicId> {
        self.intent.as_ref()
    }
}

/// Who has taken the money of an order that is placed, or will at the door.
pub(crate) struct Taken {
    method: &'static str,
    reference: String,
    intent: Option<PublicId>,
    /// All of it.
    pub(super) has_come: bool,
}

impl Taken {
    /// The instant rail.
    pub(crate) fn at_once(attempt: &Attempt) -> Self {
        Self { method: INSTANT, reference: attempt.id().to_owned(), intent: None, has_come: true }
    }

    /// By the try that brought money last, or is promised to bring what is not here.
    ///
    /// # Errors
    /// `payment_incomplete` where there is none.
    pub(crate) fn by_intent(intent: &Intent) -> Result<Self, Refusal> {
        let has_come = intent.is_paid();
        let brought = intent.brought_last().map(|(attempt, _)| attempt);
        let taken = if has_come { brought } else { intent.promise() };
        let taken = taken.ok_or_else(|| Refusal::new("payment_incomplete", Retry::Later, "not all is here"))?;
        let (method, reference) = (taken.method().name(), taken.reference().to_owned());
        Ok(Self { method, reference, intent: Some(intent.id().clone()), has_come })
    }

    pub(super) fn payment(self, id: Minted, amount: Money, at: Timestamp) -> Payment {
        let state = if self.has_come { PaymentState::Captured } else { PaymentState::Pending };
        Payment {
            identity: LineId::from(id),
            method: self.method.to_owned(),
            amount,
            paid_at: self.has_come.then_some(at),
            state,
            reference: Some(self.reference),
            intent: self.intent,
        }
    }
}

impl Order {
    /// What was promised at the door, or went another way meanwhile, is here: the payment that waited for it is captured. None
    /// where nothing of it waits for this intent, or not all is here.
    #[must_use]
    pub fn paid_at_the_door(&self, intent: &Intent) -> Option<Self> {
        let (brought, at) = intent.brought_last().filter(|_| self.is_promised() && intent.has_paid_its_order())?;
        let mut after = self.clone();
        let waits = |it: &&mut Payment| it.state == PaymentState::Pending && it.intent.as_ref() == Some(intent.id());
        let payment = after.payments.iter_mut().find(waits)?;
        payment.method = brought.method().name().to_owned();
        payment.reference = Some(brought.reference().to_owned());
        (payment.state, payment.paid_at) = (PaymentState::Captured, Some(at));
        after.state = State::Paid;
        Some(after)
    }

    /// It was placed on the promise that it is paid at the door, and is not paid yet.
    pub fn is_promised(&self) -> bool {
        self.promised_by().is_some()
    }

    /// The intent that promises its money.
    pub fn promised_by(&self) -> Option<&PublicId> {
        let mut waiting = self.payments.iter().filter(|it| it.state == PaymentState::Pending);
        waiting.find_map(|it| it.intent.as_ref()).filter(|_| self.state == State::Open)
    }
}
