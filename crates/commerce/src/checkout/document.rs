//! A checkout as plain data, and back.

use super::{Checkout, Details, FLAT, Line, State, goods};
use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, id_node, optional_id_node, with_origin};
use crate::lines::LineId;
use crate::money::Currency;
use crate::payment::{Attempt, Choice};
use crate::terms::Totals;
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};

impl Checkout {
    /// # Errors
    /// A fault where a field is missing, the amounts do not add up, or state and order do not agree.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let lines = from.elements("lines", |from| Line::read(&from, currency))?;
        let goods = goods(&lines, currency).map_err(|error| from.fault("amount", "lines", error.to_string()))?;
        let state = State::read(&from)?;
        let lapsed = if state == State::Open { from.optional_id("intent")? } else { None };
        Ok(Self {
            id: from.id("id")?,
            origin: from.origin(),
            state,
            currency,
            created_at: from.instant("created_at")?,
            cart: from.optional_id("cart")?,
            lapsed,
            details: Details::read(&from)?,
            totals: Totals::read(&from, goods)?,
            lines,
        })
    }
}

impl Line {
    pub(crate) fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        let unit_price = from.money("unit_price", currency)?;
        let quantity = from.count("quantity")?;
        let total = from.money("total", currency)?;
        if quantity == 0 {
            return Err(from.fault("quantity", "quantity", "is zero"));
        }
        if unit_price.times(quantity) != Ok(total) {
            return Err(from.fault("line_total_differs", "total", format!("is not {quantity} × {unit_price}")));
        }
        Ok(Self {
            identity: LineId { id: from.id("id")?, origin: from.origin() },
            product: from.id("product")?,
            title: from.text("title")?,
            unit_price,
            quantity,
            total,
        })
    }

    pub(crate) fn record(&self) -> Record {
        Record::with_capacity(9)
            .with("id", id_node(&self.identity.id))
            .with("product", id_node(&self.product))
            .with("title", self.title.as_str())
            .with("unit_price", self.unit_price.minor())
            .with("quantity", i64::from(self.quantity))
            .with("total", self.total.minor())
    }
}

impl State {
    /// The word of documents.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paying(_) => "paying",
            Self::Awaiting { .. } => "awaiting",
            Self::Completed { .. } => "completed",
            Self::Canceled => "canceled",
        }
    }

    fn read(from: &Reader<'_>) -> Result<Self, Fault> {
        let name = from.text("state")?;
        let order = from.optional_id("order")?;
        let attempt = from.optional_text("attempt")?;
        let intent = from.optional_id("intent")?;
        match (name.as_str(), order, attempt, intent) {
            ("open", None, None, _) => Ok(Self::Open),
            ("canceled", None, None, None) => Ok(Self::Canceled),
            ("completed", Some(order), None, None) => Ok(Self::Completed { order }),
            ("awaiting", None, None, Some(intent)) => Ok(Self::Awaiting { intent }),
            ("paying", None, Some(attempt), None) => {
                let choice = from.word("instrument", Choice::from_name)?;
                let empty = || from.fault("empty_id", "attempt", "is an empty id");
                Attempt::new(attempt, choice).map(Self::Paying).ok_or_else(empty)
            }
            ("open" | "canceled" | "completed" | "paying" | "awaiting", ..) => Err(from.fault(
                "state_differs",
                "state",
                format!("`{name}` does not go with its order, attempt and intent"),
            )),
            _ => Err(from.fault("word", "state", format!("`{name}` is not one of its words"))),
        }
    }
}

impl Details {
    fn read(from: &Reader<'_>) -> Result<Self, Fault> {
        let option = from.optional_text("shipping_option")?;
        if option.as_deref().is_some_and(|option| option != FLAT) {
            return Err(from.fault("word", "shipping_option", "is neither `flat` nor absent"));
        }
        Ok(Self {
            buyer_name: from.optional_text("buyer_name")?,
            buyer_phone: from.optional_text("buyer_phone")?,
            buyer_email: from.optional_text("buyer_email")?,
            street: from.optional_text("street")?,
            city: from.optional_text("city")?,
            region: from.optional_text("region")?,
            postal_code: from.optional_text("postal_code")?,
            country: from.optional_text("country")?,
            flat: option.is_some(),
        })
    }

    fn write(&self, record: Record) -> Record {
        record
            .with("buyer_name", self.buyer_name.as_deref())
            .with("buyer_phone", self.buyer_phone.as_deref())
            .with("buyer_email", self.buyer_email.as_deref())
            .with("street", self.street.as_deref())
            .with("city", self.city.as_deref())
            .with("region", self.region.as_deref())
            .with("postal_code", self.postal_code.as_deref())
            .with("country", self.country.as_deref())
            .with("shipping_option", self.flat.then_some(FLAT))
    }
}

impl Aggregate for Checkout {
    const KIND: Kind = Kind::Checkout;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let lines = self.lines.iter().map(|line| {
            let record = line.record();
            Node::Record(with_origin(record, line.identity.origin.as_ref()))
        });
        let (order, attempt, intent) = match &self.state {
            State::Open => (None, None, self.lapsed.as_ref()),
            State::Canceled => (None, None, None),
            State::Paying(attempt) => (None, Some(attempt), None),
            State::Awaiting { intent } => (None, None, Some(intent)),
            State::Completed { order } => (Some(order), None, None),
        };
        let record = Record::default()
            .with("id", id_node(&self.id))
            .with("state", self.state.name())
            .with("currency", self.currency.as_str())
            .with("created_at", self.created_at.0)
            .with("cart", optional_id_node(self.cart.as_ref()))
            .with("order", optional_id_node(order))
            .with("attempt", attempt.map(Attempt::id))
            .with("instrument", attempt.map(|attempt| attempt.choice().name()))
            .with("intent", optional_id_node(intent))
            .with("lines", lines.collect::<Vec<_>>());
        with_origin(self.totals.write(self.details.write(record)), self.origin.as_ref())
    }
}
