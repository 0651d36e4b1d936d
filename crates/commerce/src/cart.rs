//! A cart: lines without prices. What they cost is the catalogue's word at the moment of asking.
//!
//! Invariant: only an open cart changes, and it leaves `open` once.

use crate::catalogue::Catalogue;
use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, id_node, with_origin};
use crate::lines::{self, LineId, Wanted};
use crate::money::{self, Currency, Money};
use crate::refusal::Refusal;
use vocab::document::{Node, Record};
use vocab::id::{Kind, Minted, Origin, PublicId, Timestamp};

/// How long a cart lives without a change.
pub const LIFETIME_US: i64 = 24 * 60 * 60 * 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Converted,
    Canceled,
    Expired,
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Converted, Self::Canceled, Self::Expired];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Converted => "converted",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    identity: LineId,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    id: PublicId,
    origin: Option<Origin>,
    state: State,
    currency: Currency,
    created_at: Timestamp,
    /// From which it lives [`LIFETIME_US`].
    changed_at: Timestamp,
    lines: Vec<Line>,
}

/// A line at today's price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced<'a> {
    pub line: &'a PublicId,
    pub product: &'a PublicId,
    pub title: &'a str,
    pub unit_price: Money,
    pub quantity: u32,
    pub total: Money,
}

impl Cart {
    /// # Errors
    /// A fault where a field is missing or a quantity is not positive.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let lines = from.elements("lines", |from| {
            let quantity = from.count("quantity")?;
            let wanted = Wanted::new(from.id("product")?, quantity)
                .ok_or_else(|| from.fault("quantity", "quantity", format!("{quantity} units cannot be wanted")))?;
            Ok(Line { identity: LineId { id: from.id("id")?, origin: from.origin() }, wanted })
        })?;
        Ok(Self {
            id: from.id("id")?,
            origin: from.origin(),
            state: from.word("state", State::from_name)?,
            currency: from.currency("currency")?,
            created_at: from.instant("created_at")?,
            changed_at: from.instant("changed_at")?,
            lines,
        })
    }

    /// A new open cart; `line_ids` holds one for each wanted line.
    ///
    /// # Errors
    /// `item_unavailable`, `ids_exhausted`.
    pub fn create(
        id: Minted,
        currency: Currency,
        wanted: &[Wanted],
        line_ids: Vec<Minted>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let empty = Self {
            id: id.id,
            origin: id.origin,
            state: State::Open,
            currency,
            created_at: now,
            changed_at: now,
            lines: Vec::new(),
        };
        empty.replace(wanted, line_ids, catalogue, now)
    }

    /// The cart with other lines; `line_ids` holds [`Cart::fresh_lines`] new ones.
    ///
    /// # Errors
    /// `item_unavailable`, `ids_exhausted`, `not_found` if it is no longer open.
    pub fn replace(
        &self,
        wanted: &[Wanted],
        line_ids: Vec<Minted>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        self.must_be_open()?;
        catalogue.all_on_sale(wanted)?;
        let existing: Vec<_> = self.lines.iter().map(|line| (&line.wanted.product, &line.identity)).collect();
        let identities = lines::identities(&existing, wanted, line_ids)?;
        let lines = identities.into_iter().zip(wanted);
        let lines = lines.map(|(identity, wanted)| Line { identity, wanted: wanted.clone() }).collect();
        let cart = Self { lines, changed_at: now, ..self.clone() };
        cart.subtotal(catalogue)?;
        Ok(cart)
    }

    /// How many of the wanted lines need a new id.
    pub fn fresh_lines(&self, wanted: &[Wanted]) -> usize {
        lines::fresh(self.lines.iter().map(|line| &line.wanted.product), wanted)
    }

    /// The cart in the state in which an open one ends.
    ///
    /// # Errors
    /// `not_found` if it is no longer open.
    pub fn end(&self, state: State, now: Timestamp) -> Result<Self, Refusal> {
        self.must_be_open()?;
        Ok(Self { state, changed_at: now, ..self.clone() })
    }

    /// # Errors
    /// `not_found` if it is no longer open.
    pub fn must_be_open(&self) -> Result<(), Refusal> {
        if self.is_open() {
            return Ok(());
        }
        Err(Refusal::not_found("open cart", self.id.as_str()))
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub const fn currency(&self) -> Currency {
        self.currency
    }

    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub fn wanted(&self) -> Vec<Wanted> {
        self.lines.iter().map(|line| line.wanted.clone()).collect()
    }

    /// Every line at the catalogue's price. A product that is gone altogether is shown by its id and costs nothing:
    /// such a line can be looked at but no longer bought.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn priced<'a>(&'a self, catalogue: &'a Catalogue) -> Result<Vec<Priced<'a>>, money::Error> {
        let priced = self.lines.iter().map(|line| {
            let product = &line.wanted.product;
            let known = catalogue.get(product);
            let unit_price = known.map_or(Money::zero(self.currency), |known| known.price());
            Ok(Priced {
                line: &line.identity.id,
                product,
                title: known.map_or(product.as_str(), |known| known.title()),
                unit_price,
                quantity: line.wanted.quantity(),
                total: unit_price.times(line.wanted.quantity())?,
            })
        });
        priced.collect()
    }

    /// What the lines come to at the catalogue's prices.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn subtotal(&self, catalogue: &Catalogue) -> Result<Money, money::Error> {
        Money::sum(self.priced(catalogue)?.into_iter().map(|line| line.total), self.currency)
    }
}

impl Aggregate for Cart {
    const KIND: Kind = Kind::Cart;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let lines = self.lines.iter().map(|line| {
            let record = Record::default()
                .with("id", id_node(&line.identity.id))
                .with("product", id_node(&line.wanted.product))
                .with("quantity", i64::from(line.wanted.quantity()));
            Node::Record(with_origin(record, line.identity.origin.as_ref()))
        });
        let record = Record::default()
            .with("id", id_node(&self.id))
            .with("state", self.state.name())
            .with("currency", self.currency.as_str())
            .with("created_at", self.created_at.0)
            .with("changed_at", self.changed_at.0)
            .with("lines", lines.collect::<Vec<_>>());
        with_origin(record, self.origin.as_ref())
    }
}
