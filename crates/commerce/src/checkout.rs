//! Checkout: from the first line item to exactly one order.
//!
//! Invariant: a completed checkout names one order, for ever; what was acknowledged as its totals is what it is paid at.
//! While it waits to be paid its units are off the shelf, and nothing but what the rail says changes it.
//! Absent on purpose: clocks, stock, SQL, HTTP, async. Time, ids and stock on hand come in as arguments.

mod document;
mod paying;

use crate::catalogue::Catalogue;
use crate::lines::{self, LineId, Wanted};
use crate::money::{self, Currency, Money};
use crate::payment::{Attempt, Choice};
use crate::refusal::{Refusal, Retry};
use crate::terms::{Terms, Totals};
use vocab::id::{Minted, Origin, PublicId, Timestamp};

/// The one shipping option.
pub const FLAT: &str = "flat";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Open,
    /// The instant rail is being asked.
    Paying(Attempt),
    /// The buyer pays an intent, in their own time.
    Awaiting {
        intent: PublicId,
    },
    Completed {
        order: PublicId,
    },
    Canceled,
}

/// A line at the price that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub(crate) identity: LineId,
    pub(crate) product: PublicId,
    pub(crate) title: String,
    pub(crate) unit_price: Money,
    pub(crate) quantity: u32,
    pub(crate) total: Money,
}

/// Who buys, and where to. Everything may be missing until it is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    pub buyer_name: Option<String>,
    pub buyer_phone: Option<String>,
    pub buyer_email: Option<String>,
    pub street: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    /// Is the flat shipping option selected?
    pub flat: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    id: PublicId,
    origin: Option<Origin>,
    state: State,
    currency: Currency,
    created_at: Timestamp,
    cart: Option<PublicId>,
    /// While it is open: the intent that ended unpaid, if nothing was changed since.
    lapsed: Option<PublicId>,
    details: Details,
    totals: Totals,
    lines: Vec<Line>,
}

/// What a new checkout starts from.
#[derive(Debug, Clone)]
pub struct Opening {
    pub id: Minted,
    pub cart: Option<PublicId>,
    /// One for each wanted line.
    pub line_ids: Vec<Minted>,
    pub at: Timestamp,
}

/// The ids of the order to come.
#[derive(Debug, Clone)]
pub struct OrderIds {
    pub order: Minted,
    pub buyer: Minted,
    pub payment: Minted,
    /// One for each line of the checkout.
    pub lines: Vec<Minted>,
}

/// A checkout after an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repriced {
    pub checkout: Checkout,
    /// Something that did not change by the buyer's wish costs another amount than was shown before.
    pub price_changed: bool,
}

impl Checkout {
    /// A new open checkout at today's prices.
    ///
    /// # Errors
    /// `item_unavailable`, `ids_exhausted`, `amount_too_large`.
    pub fn create(
        opening: Opening,
        wanted: &[Wanted],
        details: Details,
        terms: &Terms,
        catalogue: &Catalogue,
    ) -> Result<Self, Refusal> {
        let empty = Self {
            id: opening.id.id,
            origin: opening.id.origin,
            state: State::Open,
            currency: terms.currency(),
            created_at: opening.at,
            cart: opening.cart,
            lapsed: None,
            details: Details::default(),
            totals: terms.totals(Money::zero(terms.currency()), false)?,
            lines: Vec::new(),
        };
        empty.content(wanted, opening.line_ids, details, terms, catalogue)
    }

    /// The checkout with other content, priced anew by the rules of now; `line_ids` holds [`Checkout::fresh_lines`].
    ///
    /// # Errors
    /// `item_unavailable`, `ids_exhausted`, `amount_too_large`, `checkout_closed`, `checkout_in_progress`.
    pub fn replace(
        &self,
        wanted: &[Wanted],
        line_ids: Vec<Minted>,
        details: Details,
        terms: &Terms,
        catalogue: &Catalogue,
    ) -> Result<Repriced, Refusal> {
        self.must_be_open()?;
        let checkout = self.content(wanted, line_ids, details, terms, catalogue)?;
        let price_changed = self.priced_otherwise(&checkout);
        Ok(Repriced { checkout, price_changed })
    }

    fn content(
        &self,
        wanted: &[Wanted],
        line_ids: Vec<Minted>,
        details: Details,
        terms: &Terms,
        catalogue: &Catalogue,
    ) -> Result<Self, Refusal> {
        let existing: Vec<_> = self.lines.iter().map(|line| (&line.product, &line.identity)).collect();
        let identities = lines::identities(&existing, wanted, line_ids)?;
        let mut lines = Vec::with_capacity(wanted.len());
        for (index, (identity, wanted)) in identities.into_iter().zip(wanted).enumerate() {
            let product = catalogue.on_sale(index, wanted)?;
            lines.push(Line {
                identity,
                product: wanted.product.clone(),
                title: product.title().to_owned(),
                unit_price: product.price(),
                quantity: wanted.quantity(),
                total: product.price().times(wanted.quantity())?,
            });
        }
        let totals = terms.totals(goods(&lines, self.currency)?, details.flat)?;
        Ok(Self { lapsed: None, details, totals, lines, ..self.clone() })
    }

    /// Did a price move under lines that stayed, or the tax under goods that stayed?
    fn priced_otherwise(&self, after: &Self) -> bool {
        let old_price =
            |line: &Line| self.lines.iter().find(|old| old.product == line.product).map(|old| old.unit_price);
        let moved = after.lines.iter().any(|line| old_price(line).is_some_and(|old| old != line.unit_price));
        // The same goods in another order are the same goods.
        let goods = |checkout: &Self| {
            let lines = checkout.lines.iter().map(|line| (line.product.clone(), line.quantity));
            let mut goods: Vec<(PublicId, u32)> = lines.collect();
            goods.sort();
            goods
        };
        moved || (goods(self) == goods(after) && self.totals.tax != after.totals.tax)
    }

    /// How many of the wanted lines need a new id.
    pub fn fresh_lines(&self, wanted: &[Wanted]) -> usize {
        lines::fresh(self.lines.iter().map(|line| &line.product), wanted)
    }

    /// The checkout given up.
    ///
    /// # Errors
    /// `checkout_closed`, `checkout_in_progress`.
    pub fn cancel(&self) -> Result<Self, Refusal> {
        self.must_be_open()?;
        Ok(Self { state: State::Canceled, lapsed: None, ..self.clone() })
    }

    /// # Errors
    /// `checkout_closed`, `checkout_in_progress`.
    pub fn must_be_open(&self) -> Result<(), Refusal> {
        match self.state {
            State::Open => Ok(()),
            State::Paying(_) | State::Awaiting { .. } => {
                Err(Refusal::new("checkout_in_progress", Retry::Later, "the payment is under way"))
            }
            State::Completed { .. } => Err(Refusal::new("checkout_closed", Retry::Never, "it is completed")),
            State::Canceled => Err(Refusal::new("checkout_closed", Retry::Never, "it is canceled")),
        }
    }

    /// # Errors
    /// `checkout_incomplete` with the place of what is missing, and as for `must_be_open`.
    pub fn must_be_payable(&self) -> Result<(), Refusal> {
        self.must_be_open()?;
        let Some(path) = self.missing() else { return Ok(()) };
        let content = "buyer, address and shipping option are needed first";
        Err(Refusal::new("checkout_incomplete", Retry::Changed, content).at(path))
    }

    /// The place of the first thing that is missing before it can be paid.
    pub fn missing(&self) -> Option<&'static str> {
        const DESTINATION: &str = "$.fulfillment.methods[0].destinations[0]";
        let details = &self.details;
        let blank = |value: &Option<String>| value.as_deref().is_none_or(|text| text.trim().is_empty());
        if blank(&details.buyer_name) {
            return Some("$.buyer.full_name");
        }
        if blank(&details.buyer_phone) {
            return Some("$.buyer.phone_number");
        }
        if [&details.street, &details.city, &details.postal_code, &details.country].into_iter().any(blank) {
            return Some(DESTINATION);
        }
        (!details.flat).then_some("$.fulfillment.methods[0].groups[0].selected_option_id")
    }

    pub const fn state(&self) -> &State {
        &self.state
    }

    /// It was not paid in time, and is open again as it was.
    pub const fn has_lapsed(&self) -> bool {
        self.lapsed.is_some()
    }

    /// Money may have come for it that goes back.
    pub const fn may_be_owed(&self) -> bool {
        matches!(self.state, State::Completed { .. } | State::Canceled) || self.lapsed.is_some()
    }

    /// The order that it became.
    pub const fn order(&self) -> Option<&PublicId> {
        let State::Completed { order } = &self.state else { return None };
        Some(order)
    }

    pub const fn currency(&self) -> Currency {
        self.currency
    }

    pub const fn cart(&self) -> Option<&PublicId> {
        self.cart.as_ref()
    }

    pub const fn details(&self) -> &Details {
        &self.details
    }

    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl Line {
    pub const fn id(&self) -> &PublicId {
        &self.identity.id
    }

    pub const fn product(&self) -> &PublicId {
        &self.product
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub const fn unit_price(&self) -> Money {
        self.unit_price
    }

    pub const fn quantity(&self) -> u32 {
        self.quantity
    }

    pub const fn total(&self) -> Money {
        self.total
    }
}

fn goods(lines: &[Line], currency: Currency) -> Result<Money, money::Error> {
    Money::sum(lines.iter().map(|line| line.total), currency)
}

/// The choice of a buyer, by its name on the wire.
///
/// # Errors
/// `payment_failed` for an instrument that the instant rail does not have.
pub fn choice(instrument: &str) -> Result<Choice, Refusal> {
    Choice::from_name(instrument).ok_or_else(|| {
        Refusal::new("payment_failed", Retry::Changed, format!("no instrument `{instrument}`"))
            .at("$.payment.instruments[0].id")
    })
}

/// The rail did not approve.
pub fn payment_failed() -> Refusal {
    Refusal::new("payment_failed", Retry::Changed, "the payment was declined").at("$.payment.instruments[0]")
}

/// What was begun came to nothing, and the checkout is open again.
pub fn not_paid_in_time() -> Refusal {
    Refusal::new("payment_failed", Retry::Changed, "it was not paid in time; it can be paid anew")
}
