//! History: closed documents as they were found. No live rule applies to them, and nothing changes them.
//!
//! Amounts are the source's own decimal text: a credit, a price of 0.001 or a total that its lines do not come to is
//! shown and summed as it is. The recorded total is the source's where it has one, else the exact sum of the lines.

use crate::fault::{Fault, Reader, id_node, optional_id_node, with_origin};
use crate::invoice::{self, InvoiceNo};
use crate::money::Currency;
use vocab::document::{Node, Record};
use vocab::id::{Origin, PublicId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    id: PublicId,
    origin: Option<Origin>,
    why: String,
    invoice: Option<InvoiceNo>,
    placed_at: Option<Timestamp>,
    currency: Currency,
    total: Decimal,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub product: Option<PublicId>,
    pub title: String,
    /// Any sign.
    pub quantity: i64,
    pub unit_price: Decimal,
}

impl History {
    /// What a source's document said; `why` is the reason it is not live. Amounts are decimal text, or integers of
    /// minor units.
    ///
    /// # Errors
    /// A fault where there is no id or currency, or an amount is neither.
    pub fn found(document: &Record, why: &str) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let lines = from.elements("lines", |from| {
            Ok(Line {
                product: from.optional_id("product")?,
                title: from.optional_text("title")?.unwrap_or_default(),
                quantity: from.int("quantity")?,
                unit_price: Decimal::read(&from, "unit_price", currency)?.unwrap_or(Decimal::ZERO),
            })
        })?;
        let total = match Decimal::read(&from, "total", currency)? {
            Some(total) => total,
            None => sum(&lines).ok_or_else(|| from.fault("amount", "lines", "come to more than can be counted"))?,
        };
        Ok(Self {
            id: from.id("id")?,
            origin: from.origin(),
            why: why.to_owned(),
            invoice: InvoiceNo::read(&from)?,
            placed_at: from.optional_instant("placed_at")?,
            currency,
            total,
            lines,
        })
    }

    /// # Errors
    /// As for [`History::found`], and where it does not say why.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let why = Reader::root(document).text("why")?;
        Self::found(document, &why)
    }

    /// Its own fields, amounts as decimal text.
    pub fn document(&self) -> Record {
        let lines = self.lines.iter().map(|line| {
            Node::Record(
                Record::default()
                    .with("product", optional_id_node(line.product.as_ref()))
                    .with("title", line.title.as_str())
                    .with("quantity", line.quantity)
                    .with("unit_price", line.unit_price.to_string()),
            )
        });
        let record = Record::default()
            .with("id", id_node(&self.id))
            .with("why", self.why.as_str())
            .with(invoice::FIELD, self.invoice.map(InvoiceNo::get))
            .with("placed_at", self.placed_at.map(|at| at.0))
            .with("currency", self.currency.as_str())
            .with("total", self.total.to_string())
            .with("lines", lines.collect::<Vec<_>>());
        with_origin(record, self.origin.as_ref())
    }

    pub const fn id(&self) -> &PublicId {
        &self.id
    }

    pub fn why(&self) -> &str {
        &self.why
    }

    pub const fn invoice(&self) -> Option<InvoiceNo> {
        self.invoice
    }

    pub const fn placed_at(&self) -> Option<Timestamp> {
        self.placed_at
    }

    pub const fn currency(&self) -> Currency {
        self.currency
    }

    pub const fn recorded_total(&self) -> Decimal {
        self.total
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

fn sum(lines: &[Line]) -> Option<Decimal> {
    lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.plus(line.unit_price.times(line.quantity)?))
}

/// An exact decimal number: `units × 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    units: i128,
    scale: u32,
}

/// The most digits behind the point.
const SCALE_MAX: u32 = 12;

impl Decimal {
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// Digits with an optional sign and an optional point; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let scale = u32::try_from(fraction.len()).ok().filter(|scale| *scale <= SCALE_MAX)?;
        let joined = format!("{whole}{fraction}");
        if joined.is_empty() || !joined.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let units: i128 = joined.parse().ok()?;
        Some(Self { units: sign * units, scale })
    }

    fn read(from: &Reader<'_>, name: &str, currency: Currency) -> Result<Option<Self>, Fault> {
        if let Ok(minor) = from.optional_int(name) {
            return Ok(minor.map(|minor| Self { units: i128::from(minor), scale: currency.digits() }));
        }
        let text = from.text(name)?;
        let no_number = || from.fault("amount", name, format!("`{text}` is no decimal number"));
        Self::parse(&text).ok_or_else(no_number).map(Some)
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self { units: self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?, scale })
    }

    fn times(self, factor: i64) -> Option<Self> {
        Some(Self { units: self.units.checked_mul(i128::from(factor))?, scale: self.scale })
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let power = 10_u128.pow(self.scale);
        let (whole, fraction) = (self.units.unsigned_abs() / power, self.units.unsigned_abs() % power);
        if self.scale == 0 {
            return write!(f, "{sign}{whole}");
        }
        let width = usize::try_from(self.scale).unwrap_or(0);
        write!(f, "{sign}{whole}.{fraction:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(price: &str, quantity: i64) -> Node {
        Node::Record(Record::default().with("title", "POSTAGE").with("quantity", quantity).with("unit_price", price))
    }

    fn credit(lines: Vec<Node>) -> Record {
        Record::default().with("id", "C536379").with("currency", "GBP").with("lines", lines)
    }

    #[test]
    fn a_credit_is_kept_as_found_and_summed_exactly() {
        let history = History::found(&credit(vec![line("27.50", -1), line("0.001", 3)]), "credit").expect("found");
        assert_eq!(history.recorded_total().to_string(), "-27.497");
        assert_eq!((history.why(), history.lines()[0].quantity), ("credit", -1));
        assert_eq!(History::from_document(&history.document()), Ok(history));
    }

    #[test]
    fn the_sources_own_total_stands_even_where_its_lines_differ() {
        let history = History::found(&credit(vec![line("1.00", 1)]).with("total", "9.99"), "paid").expect("found");
        assert_eq!(history.recorded_total().to_string(), "9.99");
    }

    #[test]
    fn what_is_no_number_is_a_fault_with_its_place() {
        let fault = History::found(&credit(vec![line("1,00", 1)]), "credit").unwrap_err();
        assert_eq!((fault.code, fault.path.as_str()), ("amount", "$.lines[0].unit_price"));
    }

    proptest! {
        #[test]
        fn a_decimal_prints_as_it_was_read(whole in 0..1_000_000_000_u64, fraction in "[0-9]{0,6}", minus in any::<bool>()) {
            let point = if fraction.is_empty() { "" } else { "." };
            let sign = if minus && (whole != 0 || fraction.contains(|c| c != '0')) { "-" } else { "" };
            let text = format!("{sign}{whole}{point}{fraction}");
            prop_assert_eq!(Decimal::parse(&text).map(|decimal| decimal.to_string()), Some(text));
        }
    }
}
