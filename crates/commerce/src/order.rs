//! An order: what was sold, what was paid, and what was given back.
//!
//! Invariants: a cancelled line stays, with its count; never more units and never more money go back than came; the
//! one adjustment that leaves nothing takes what rounding left, so that an order given back in pieces comes to zero.

mod back;
mod document;
mod payment;

pub use back::{Back, Command};
pub(crate) use payment::Taken;
pub use payment::{Payment, PaymentState};

use crate::checkout::{self, Checkout};
use crate::decision::Aggregate;
use crate::invoice::InvoiceNo;
use crate::lines::{LineId, ids_exhausted};
use crate::money::{Currency, Money};
use crate::refusal::Refusal;
use crate::terms::Totals;
use vocab::id::{Origin, PublicId, Timestamp};

const SECOND_US: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Paid,
    Shipped,
    Done,
    Cancelled,
}

impl State {
    const ALL: [Self; 5] = [Self::Open, Self::Paid, Self::Shipped, Self::Done, Self::Cancelled];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Where it was sent, as far as the order says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub street: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    identity: LineId,
    name: String,
    phone: Option<String>,
}

impl Buyer {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }
}

/// What was sold, and how many of it came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    sold: checkout::Line,
    cancelled: u32,
    refunded: u32,
}

impl Line {
    pub const fn sold(&self) -> &checkout::Line {
        &self.sold
    }

    pub const fn cancelled(&self) -> u32 {
        self.cancelled
    }

    pub const fn refunded(&self) -> u32 {
        self.refunded
    }

    /// Units that are neither cancelled nor refunded.
    pub const fn remaining(&self) -> u32 {
        self.sold.quantity() - self.cancelled - self.refunded
    }
}

/// Money given back: one per line and command, or one for the whole rest (`line` none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    identity: LineId,
    command: Command,
    at: Timestamp,
    line: Option<PublicId>,
    quantity: u32,
    amount: Money,
}

impl Adjustment {
    pub const fn id(&self) -> &PublicId {
        &self.identity.id
    }

    pub const fn command(&self) -> Command {
        self.command
    }

    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Where it stands among the adjustments of its order as they happened.
    pub(crate) fn place(&self) -> (i64, Option<u64>, String) {
        place(self.at, &self.identity.id)
    }

    pub const fn line(&self) -> Option<&PublicId> {
        self.line.as_ref()
    }

    pub const fn quantity(&self) -> u32 {
        self.quantity
    }

    pub const fn amount(&self) -> Money {
        self.amount
    }
}

/// A legacy lists adjustments by key and keeps its instants to the second, so that neither alone decides.
fn place(at: Timestamp, id: &PublicId) -> (i64, Option<u64>, String) {
    (at.0.div_euclid(SECOND_US), id.as_str().parse().ok(), id.to_string())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    id: PublicId,
    origin: Option<Origin>,
    invoice: Option<InvoiceNo>,
    checkout: Option<PublicId>,
    state: State,
    currency: Currency,
    placed_at: Timestamp,
    cancelled_at: Option<Timestamp>,
    address: Address,
    totals: Totals,
    buyer: Option<Buyer>,
    lines: Vec<Line>,
    payments: Vec<Payment>,
    adjustments: Vec<Adjustment>,
}

impl Order {
    /// The order of a checkout that was paid, or will be at the door: then it is open until it is. It has no invoice number
    /// yet: it gets the next one as it is stored.
    ///
    /// # Errors
    /// `ids_exhausted` where there are fewer line ids than lines.
    pub(crate) fn placed(
        checkout: &Checkout,
        taken: Taken,
        ids: checkout::OrderIds,
        at: Timestamp,
    ) -> Result<Self, Refusal> {
        if ids.lines.len() < checkout.lines().len() {
            return Err(ids_exhausted());
        }
        let details = checkout.details();
        let lines = checkout.lines().iter().zip(ids.lines).map(|(line, id)| Line {
            sold: checkout::Line { identity: LineId::from(id), ..line.clone() },
            cancelled: 0,
            refunded: 0,
        });
        Ok(Self {
            id: ids.order.id,
            origin: ids.order.origin,
            invoice: None,
            checkout: Some(checkout.id().clone()),
            state: if taken.has_come { State::Paid } else { State::Open },
            currency: checkout.currency(),
            placed_at: at,
            cancelled_at: None,
            address: Address {
                street: details.street.clone(),
                city: details.city.clone(),
                region: details.region.clone(),
                postal_code: details.postal_code.clone(),
                country: details.country.clone(),
            },
            totals: *checkout.totals(),
            buyer: details.buyer_name.as_ref().map(|name| Buyer {
                identity: LineId::from(ids.buyer),
                name: name.clone(),
                phone: details.buyer_phone.clone(),
            }),
            lines: lines.collect(),
            payments: vec![taken.payment(ids.payment, checkout.totals().total(), at)],
            adjustments: Vec::new(),
        })
    }

    /// Did a provider take the money?
    pub fn is_captured(&self) -> bool {
        self.payments.iter().any(|payment| payment.state == PaymentState::Captured)
    }

    /// The intent that took its money, where one did.
    pub fn intent(&self) -> Option<&PublicId> {
        self.payments.iter().find_map(|payment| payment.intent.as_ref())
    }

    pub const fn invoice(&self) -> Option<InvoiceNo> {
        self.invoice
    }

    pub const fn placed_at(&self) -> Timestamp {
        self.placed_at
    }

    pub const fn cancelled_at(&self) -> Option<Timestamp> {
        self.cancelled_at
    }

    pub const fn address(&self) -> &Address {
        &self.address
    }

    pub const fn buyer(&self) -> Option<&Buyer> {
        self.buyer.as_ref()
    }

    pub const fn checkout(&self) -> Option<&PublicId> {
        self.checkout.as_ref()
    }

    pub const fn state(&self) -> State {
        self.state
    }

    pub const fn currency(&self) -> Currency {
        self.currency
    }

    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub fn payments(&self) -> &[Payment] {
        &self.payments
    }

    pub fn adjustments(&self) -> &[Adjustment] {
        &self.adjustments
    }
}
