//! An order as plain data, and back.

use super::{Address, Adjustment, Buyer, Command, Line, Order, Payment, PaymentState, State};
use crate::checkout;
use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, id_node, optional_id_node, with_origin};
use crate::invoice::{self, InvoiceNo};
use crate::lines::LineId;
use crate::money::{Currency, Money};
use crate::terms::Totals;
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};

/// Of an order's document.
const FIELDS: usize = 21;

impl Order {
    /// # Errors
    /// A fault where a field is missing or a live rule is broken; such an order is history.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let currency = from.currency("currency")?;
        let lines = from.elements("lines", |from| Line::read(&from, currency))?;
        if lines.is_empty() {
            return Err(from.fault("no_lines", "lines", "is empty"));
        }
        let goods = Money::sum(lines.iter().map(|line| line.sold.total()), currency)
            .map_err(|error| from.fault("amount", "lines", error.to_string()))?;
        let order = Self {
            id: from.id("id")?,
            origin: from.origin(),
            invoice: InvoiceNo::read(&from)?,
            checkout: from.optional_id("checkout")?,
            state: from.word("state", State::from_name)?,
            currency,
            placed_at: from.instant("placed_at")?,
            cancelled_at: from.optional_instant("cancelled_at")?,
            address: Address::read(&from)?,
            totals: Totals::read(&from, goods)?,
            buyer: from.one("buyer")?.map(|from| Buyer::read(&from)).transpose()?,
            lines,
            payments: from.elements("payments", |from| Payment::read(&from, currency))?,
            adjustments: from.elements("adjustments", |from| Adjustment::read(&from, currency))?,
        };
        order.check_payments(&from)?;
        order.check_adjustments(&from)?;
        Ok(order)
    }

    /// What was captured is the total, or nothing was; a paid order was captured.
    fn check_payments(&self, from: &Reader<'_>) -> Result<(), Fault> {
        let captured = self.payments.iter().filter(|payment| payment.state == PaymentState::Captured);
        let sum = Money::sum(captured.map(|payment| payment.amount), self.currency);
        let total = self.totals.total();
        let fits = if self.is_captured() { sum == Ok(total) } else { self.state != State::Paid };
        if fits {
            return Ok(());
        }
        let content = format!("captured payments do not come to {total} in state `{}`", self.state.name());
        Err(from.fault("payment_differs", "payments", content))
    }

    /// No more goes back than came.
    fn check_adjustments(&self, from: &Reader<'_>) -> Result<(), Fault> {
        let given = Money::sum(self.adjustments.iter().map(|adjustment| adjustment.amount), self.currency)
            .and_then(|given| self.totals.total().minus(given));
        if !given.is_ok_and(|left| !left.is_negative()) {
            return Err(from.fault("adjusted_too_much", "adjustments", "more was given back than the total"));
        }
        let known = |line: &PublicId| self.lines.iter().any(|own| own.sold.id() == line);
        if !self.adjustments.iter().filter_map(Adjustment::line).all(known) {
            return Err(from.fault("unknown_line", "adjustments", "names a line that the order does not have"));
        }
        Ok(())
    }
}

impl Address {
    fn read(from: &Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            street: from.optional_text("street")?,
            city: from.optional_text("city")?,
            region: from.optional_text("region")?,
            postal_code: from.optional_text("postal_code")?,
            country: from.optional_text("country")?,
        })
    }

    fn write(&self, record: Record) -> Record {
        record
            .with("street", self.street.as_deref())
            .with("city", self.city.as_deref())
            .with("region", self.region.as_deref())
            .with("postal_code", self.postal_code.as_deref())
            .with("country", self.country.as_deref())
    }
}

impl Buyer {
    fn read(from: &Reader<'_>) -> Result<Self, Fault> {
        let identity = LineId { id: from.id("id")?, origin: from.origin() };
        Ok(Self { identity, name: from.text("name")?, phone: from.optional_text("phone")? })
    }

    fn record(&self) -> Record {
        let record = Record::default()
            .with("id", id_node(&self.identity.id))
            .with("name", self.name.as_str())
            .with("phone", self.phone.as_deref());
        with_origin(record, self.identity.origin.as_ref())
    }
}

impl Line {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        let sold = checkout::Line::read(from, currency)?;
        let (cancelled, refunded) = (from.count("cancelled")?, from.count("refunded")?);
        if cancelled.checked_add(refunded).is_none_or(|back| back > sold.quantity()) {
            return Err(from.fault("quantity", "cancelled", "more units came back than were sold"));
        }
        Ok(Self { sold, cancelled, refunded })
    }

    fn record(&self) -> Record {
        let record =
            self.sold.record().with("cancelled", i64::from(self.cancelled)).with("refunded", i64::from(self.refunded));
        with_origin(record, self.sold.identity.origin.as_ref())
    }
}

impl Payment {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            identity: LineId { id: from.id("id")?, origin: from.origin() },
            method: from.text("method")?,
            amount: from.money("amount", currency)?,
            paid_at: from.optional_instant("paid_at")?,
            state: from.word("state", PaymentState::from_name)?,
            reference: from.optional_text("reference")?,
            intent: from.optional_id("intent")?,
        })
    }

    fn record(&self) -> Record {
        let record = Record::with_capacity(8)
            .with("id", id_node(&self.identity.id))
            .with("method", self.method.as_str())
            .with("amount", self.amount.minor())
            .with("paid_at", self.paid_at.map(|at| at.0))
            .with("state", self.state.name())
            .with("reference", self.reference.as_deref())
            .with("intent", optional_id_node(self.intent.as_ref()));
        with_origin(record, self.identity.origin.as_ref())
    }
}

impl Adjustment {
    fn read(from: &Reader<'_>, currency: Currency) -> Result<Self, Fault> {
        Ok(Self {
            identity: LineId { id: from.id("id")?, origin: from.origin() },
            command: from.word("type", Command::from_adjustment)?,
            at: from.instant("at")?,
            line: from.optional_id("line")?,
            quantity: from.count("quantity")?,
            amount: from.money("amount", currency)?,
        })
    }

    fn record(&self) -> Record {
        let record = Record::default()
            .with("id", id_node(&self.identity.id))
            .with("type", self.command.adjustment())
            .with("at", self.at.0)
            .with("line", optional_id_node(self.line.as_ref()))
            .with("quantity", i64::from(self.quantity))
            .with("amount", self.amount.minor());
        with_origin(record, self.identity.origin.as_ref())
    }
}

impl Aggregate for Order {
    const KIND: Kind = Kind::Order;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let nodes = |records: Vec<Record>| records.into_iter().map(Node::Record).collect::<Vec<_>>();
        let record = Record::with_capacity(FIELDS)
            .with("id", id_node(&self.id))
            .with(invoice::FIELD, self.invoice.map(InvoiceNo::get))
            .with("checkout", optional_id_node(self.checkout.as_ref()))
            .with("state", self.state.name())
            .with("currency", self.currency.as_str())
            .with("placed_at", self.placed_at.0)
            .with("cancelled_at", self.cancelled_at.map(|at| at.0))
            .with("buyer", self.buyer.as_ref().map(Buyer::record))
            .with("lines", nodes(self.lines.iter().map(Line::record).collect()))
            .with("payments", nodes(self.payments.iter().map(Payment::record).collect()))
            .with("adjustments", nodes(self.adjustments.iter().map(Adjustment::record).collect()));
        with_origin(self.totals.write(self.address.write(record)), self.origin.as_ref())
    }
}
