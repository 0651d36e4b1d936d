//! The terms a shop sells on, and what an order comes to under them.

use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, with_origin};
use crate::money::{self, Currency, Money, Rounding};
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId};

/// The whole, in basis points.
const WHOLE_BP: i64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    id: PublicId,
    origin: Option<Origin>,
    name: String,
    currency: Currency,
    tax_bp: i64,
    shipping_flat: Money,
}

/// What the sides agreed on: `total = subtotal + shipping + tax`, each ≥ 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    pub(crate) subtotal: Money,
    pub(crate) shipping: Money,
    pub(crate) tax: Money,
    pub(crate) total: Money,
}

impl Terms {
    /// # Errors
    /// A fault where a field is missing or the tax is not between 0 and 100 %.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let tax_bp = from.int("tax_bp")?;
        if !(0..=WHOLE_BP).contains(&tax_bp) {
            return Err(from.fault("tax", "tax_bp", format!("{tax_bp} basis points are no tax")));
        }
        Ok(Self {
            id: from.id("id")?,
            origin: from.origin(),
            name: from.text("name")?,
            currency,
            tax_bp,
            shipping_flat: from.money("shipping_flat", currency)?,
        })
    }

    /// The seller's, as people know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn currency(&self) -> Currency {
        self.currency
    }

    pub const fn shipping_flat(&self) -> Money {
        self.shipping_flat
    }

    /// Tax once per order, on the goods, half a unit up.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn totals(&self, subtotal: Money, shipped: bool) -> Result<Totals, money::Error> {
        let tax = subtotal.share(self.tax_bp, WHOLE_BP, Rounding::HalfUp)?;
        let shipping = if shipped { self.shipping_flat } else { Money::zero(self.currency) };
        Ok(Totals { subtotal, shipping, tax, total: subtotal.plus(shipping)?.plus(tax)? })
    }
}

impl Aggregate for Terms {
    const KIND: Kind = Kind::Shop;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let record = Record::default()
            .with("id", self.id.as_str())
            .with("name", self.name.as_str())
            .with("currency", self.currency.as_str())
            .with("tax_bp", self.tax_bp)
            .with("shipping_flat", self.shipping_flat.minor());
        with_origin(record, self.origin.as_ref())
    }
}

impl Totals {
    pub const fn subtotal(&self) -> Money {
        self.subtotal
    }

    pub const fn shipping(&self) -> Money {
        self.shipping
    }

    pub const fn tax(&self) -> Money {
        self.tax
    }

    pub const fn total(&self) -> Money {
        self.total
    }

    /// Reads the four and checks them against the goods; how the tax was rounded is the former owner's business.
    pub(crate) fn read(from: &Reader<'_>, goods: Money) -> Result<Self, Fault> {
        let currency = goods.currency();
        let totals = Self {
            subtotal: from.money("subtotal", currency)?,
            shipping: from.money("shipping", currency)?,
            tax: from.money("tax", currency)?,
            total: from.money("total", currency)?,
        };
        if totals.subtotal != goods {
            return Err(from.fault("subtotal_differs", "subtotal", format!("the lines come to {goods}")));
        }
        let sum = totals.subtotal.plus(totals.shipping).and_then(|sum| sum.plus(totals.tax));
        if sum != Ok(totals.total) {
            return Err(from.fault("total_differs", "total", "is not subtotal + shipping + tax"));
        }
        Ok(totals)
    }

    pub(crate) fn write(&self, record: Record) -> Record {
        record
            .with("subtotal", self.subtotal.minor())
            .with("shipping", self.shipping.minor())
            .with("tax", self.tax.minor())
            .with("total", self.total.minor())
    }
}
