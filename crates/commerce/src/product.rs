//! A product and its one variant: what it is called, what it costs, whether it is on sale.
//!
//! How many there are is not here: stock is a number in the store that moves by signed differences.
//! Absent on purpose: several variants of a product. No line of a cart or an order could say which one it means.

use crate::decision::{Aggregate, StockChange};
use crate::fault::{Fault, Reader, id_node, with_origin};
use crate::money::{Currency, Money};
use crate::refusal::{Refusal, Retry};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Active,
    Withdrawn,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Withdrawn].into_iter().find(|state| state.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    id: PublicId,
    origin: Option<Origin>,
    sku: Option<String>,
    price: Money,
}

impl Variant {
    pub const fn id(&self) -> &PublicId {
        &self.id
    }

    pub const fn price(&self) -> Money {
        self.price
    }

    fn read(from: Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            id: from.id("id")?,
            origin: from.origin(),
            sku: from.optional_text("sku")?,
            price: from.money("price", currency)?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    id: PublicId,
    origin: Option<Origin>,
    title: String,
    state: State,
    currency: Currency,
    variant: Variant,
}

/// The most units that one edit adds or takes away.
pub const STOCK_DELTA_MAX: i64 = 1_000_000_000;

/// What a seller wants to change, as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    pub price_minor: Option<i64>,
    pub stock_delta: Option<i64>,
}

impl Product {
    /// # Errors
    /// A fault where a field is missing, there is not exactly one variant, or an active product costs nothing.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let state = from.word("state", State::from_name)?;
        let variants = from.elements("variants", |from| Variant::read(from, currency))?;
        let count = variants.len();
        let variant = match <[Variant; 1]>::try_from(variants) {
            Ok([variant]) => variant,
            Err(_) => return Err(from.fault("variants", "variants", format!("has {count}, not one"))),
        };
        if state == State::Active && variant.price.is_zero() {
            return Err(from.fault("amount", "variants[0].price", "an active product costs nothing"));
        }
        let (id, origin, title) = (from.id("id")?, from.origin(), from.text("title")?);
        Ok(Self { id, origin, title, state, currency, variant })
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub const fn variant(&self) -> &Variant {
        &self.variant
    }

    pub const fn price(&self) -> Money {
        self.variant.price
    }

    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// The product at its new price, and how its stock moves. `on_hand` is the stock that the seller's difference
    /// meets; whoever commits checks it once more.
    ///
    /// # Errors
    /// `price_invalid`, `stock_below_zero`, `amount_too_large`.
    pub fn edit(&self, edit: Edit, on_hand: i64) -> Result<(Self, Vec<StockChange>), Refusal> {
        let mut product = self.clone();
        if let Some(minor) = edit.price_minor {
            product.variant.price = self.price_of(minor)?;
        }
        let delta = edit.stock_delta.unwrap_or(0);
        let after = on_hand.checked_add(delta).ok_or_else(|| stock_too_large().at("$.stock_delta"))?;
        if delta < 0 && after < 0 {
            return Err(stock_below_zero(on_hand));
        }
        let moved = (delta != 0).then(|| StockChange { variant: self.variant.id.clone(), delta });
        Ok((product, moved.into_iter().collect()))
    }

    fn price_of(&self, minor: i64) -> Result<Money, Refusal> {
        let price = Money::new(minor, self.currency)?;
        if minor <= 0 || !price.is_whole() {
            let unit = self.currency.rounding_minor();
            let content = format!("a price is a positive multiple of {unit} minor units of {}", self.currency);
            return Err(Refusal::new("price_invalid", Retry::Changed, content).at("$.price"));
        }
        Ok(price)
    }
}

/// More was to be taken off the shelf than lies there.
pub fn stock_below_zero(on_hand: i64) -> Refusal {
    Refusal::new("stock_below_zero", Retry::Changed, format!("only {on_hand} left")).at("$.stock_delta")
}

/// More would lie on the shelf than can be counted.
pub fn stock_too_large() -> Refusal {
    Refusal::new("amount_too_large", Retry::Changed, "more units than can be counted")
}

impl Aggregate for Product {
    const KIND: Kind = Kind::Product;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let variant = Record::default()
            .with("id", id_node(&self.variant.id))
            .with("sku", self.variant.sku.as_deref())
            .with("price", self.variant.price.minor());
        let variant = with_origin(variant, self.variant.origin.as_ref());
        let record = Record::default()
            .with("id", id_node(&self.id))
            .with("title", self.title.as_str())
            .with("state", self.state.name())
            .with("currency", self.currency.as_str())
            .with("variants", vec![Node::Record(variant)]);
        with_origin(record, self.origin.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(state: &str, price: i64) -> Record {
        let variant =
            Record::default().with("id", "7").with("sku", "A-7").with("price", price).with("origin", "produk:7");
        Record::default()
            .with("id", "7")
            .with("title", "Kopi")
            .with("state", state)
            .with("currency", "IDR")
            .with("variants", vec![Node::Record(variant)])
            .with("origin", "produk:7")
    }

    #[test]
    fn a_document_comes_back_as_it_was_without_its_counts() {
        let stored = document("active", 770_000);
        let product = Product::from_document(&stored).expect("live");
        assert_eq!(product.document(), stored);
    }

    #[test]
    fn an_active_product_without_a_price_is_not_live_but_a_withdrawn_one_is() {
        assert_eq!(Product::from_document(&document("active", 0)).unwrap_err().code, "amount");
        assert!(Product::from_document(&document("withdrawn", 0)).is_ok());
        assert_eq!(Product::from_document(&document("active", 770_050)).unwrap_err().path, "$.variants[0].price");
        assert_eq!(Product::from_document(&document("sold", 100)).unwrap_err().code, "word");
    }

    #[test]
    fn a_seller_cannot_take_what_is_not_there_nor_ask_half_a_rupiah() {
        let product = Product::from_document(&document("active", 770_000)).expect("live");
        let edit = |price_minor, stock_delta| product.edit(Edit { price_minor, stock_delta }, 3);
        assert_eq!(edit(None, Some(-4)).unwrap_err().code, "stock_below_zero");
        assert_eq!(edit(None, Some(i64::MAX)).unwrap_err().code, "amount_too_large");
        assert!(edit(None, Some(i64::MAX - 3)).is_ok());
        assert_eq!(edit(Some(50), None).unwrap_err().code, "price_invalid");
        assert_eq!(edit(Some(0), None).unwrap_err().code, "price_invalid");
        let (after, moved) = edit(Some(880_000), Some(-3)).expect("allowed");
        assert_eq!(after.price().minor(), 880_000);
        assert_eq!(moved, [StockChange { variant: PublicId::new("7"), delta: -3 }]);
    }
}
