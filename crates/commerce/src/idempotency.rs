//! Same key, same answer: what an earlier answer to a key was.
//!
//! Only what the shop did is recorded; a refusal did nothing and may turn out otherwise next time.

use crate::decision::Aggregate;
use crate::fault::{Fault, Reader, id_node, with_origin};
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId};

/// The commands that carry a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    CartCreate,
    CartUpdate,
    CartCancel,
    CheckoutCreate,
    CheckoutUpdate,
    CheckoutComplete,
    CheckoutCancel,
    OrderCancel,
    OrderRefund,
    ProductEdit,
}

impl Operation {
    pub const fn name(self) -> &'static str {
        match self {
            Self::CartCreate => "cart.create",
            Self::CartUpdate => "cart.update",
            Self::CartCancel => "cart.cancel",
            Self::CheckoutCreate => "checkout.create",
            Self::CheckoutUpdate => "checkout.update",
            Self::CheckoutComplete => "checkout.complete",
            Self::CheckoutCancel => "checkout.cancel",
            Self::OrderCancel => "order.cancel",
            Self::OrderRefund => "order.refund",
            Self::ProductEdit => "product.edit",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    id: PublicId,
    origin: Option<Origin>,
    operation: String,
    key: String,
    body: String,
    status: u16,
    result: (Kind, PublicId),
}

/// The id under which the store keeps the record of a key.
pub fn record_id(operation: Operation, key: &str) -> PublicId {
    PublicId::new(format!("{}:{key}", operation.name()))
}

impl Recorded {
    /// `body` is the SHA-256 of the raw request body, lower-case hex; `status` the HTTP status acknowledged.
    pub fn new(operation: Operation, key: &str, body: &str, status: u16, result: (Kind, PublicId)) -> Self {
        Self {
            id: record_id(operation, key),
            origin: None,
            operation: operation.name().to_owned(),
            key: key.to_owned(),
            body: body.to_owned(),
            status,
            result,
        }
    }

    /// # Errors
    /// A fault where a field is missing or the result is of no kind that has an answer.
    pub fn from_document(document: &Record) -> Result<Self, Fault> {
        let from = Reader::root(document);
        let (operation, key) = (from.text("operation")?, from.text("key")?);
        let kind = from.word("result_kind", |word| {
            let answered = [Kind::Cart, Kind::Checkout, Kind::Order, Kind::Product];
            answered.into_iter().find(|kind| kind.name() == word)
        })?;
        let status = from.int("status")?;
        let status = u16::try_from(status).map_err(|_| from.fault("status", "status", "is no HTTP status"))?;
        Ok(Self {
            id: PublicId::new(format!("{operation}:{key}")),
            origin: from.origin(),
            operation,
            key,
            body: from.text("body")?,
            status,
            result: (kind, from.id("result_id")?),
        })
    }

    /// Was it the same request: these bytes, about the resource that it names? A resource of another kind than the
    /// result's is named by the bytes. They are compared without regard to case: a legacy may keep hex in capitals.
    pub fn is_of(&self, body: &str, named: Option<&(Kind, PublicId)>) -> bool {
        let same = named.is_none_or(|named| named.0 != self.result.0 || *named == self.result);
        same && self.body.eq_ignore_ascii_case(body)
    }

    pub const fn status(&self) -> u16 {
        self.status
    }

    pub const fn result(&self) -> &(Kind, PublicId) {
        &self.result
    }
}

impl Aggregate for Recorded {
    const KIND: Kind = Kind::Idempotency;

    fn id(&self) -> &PublicId {
        &self.id
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn document(&self) -> Record {
        let record = Record::default()
            .with("operation", self.operation.as_str())
            .with("key", self.key.as_str())
            .with("body", self.body.as_str())
            .with("status", i64::from(self.status))
            .with("result_kind", self.result.0.name())
            .with("result_id", id_node(&self.result.1));
        with_origin(record, self.origin.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let result = (Kind::Checkout, PublicId::new("12"));
        let recorded = Recorded::new(Operation::CheckoutCreate, "k-1", "00ff", 201, result);
        let document = recorded.document().with("origin", "idem:1:checkout.create:k-1");
        assert_eq!(Recorded::from_document(&document).map(|back| back.document()), Ok(document));
        assert_eq!(recorded.id().as_str(), "checkout.create:k-1");
        assert!(recorded.is_of("00FF", None) && !recorded.is_of("00fe", None));
    }

    #[test]
    fn the_same_bytes_about_another_resource_are_another_request() {
        let named = |kind, id: &str| (kind, PublicId::new(id));
        let recorded = Recorded::new(Operation::CheckoutCancel, "k-1", "00ff", 200, named(Kind::Checkout, "12"));
        assert!(recorded.is_of("00ff", Some(&named(Kind::Checkout, "12"))));
        assert!(!recorded.is_of("00ff", Some(&named(Kind::Checkout, "13"))));
        let converted = Recorded::new(Operation::CheckoutCreate, "k-1", "00ff", 201, named(Kind::Checkout, "12"));
        assert!(converted.is_of("00ff", Some(&named(Kind::Cart, "3"))));
    }

    #[test]
    fn a_record_about_no_resource_is_a_fault() {
        let result = (Kind::Shop, PublicId::new("12"));
        let recorded = Recorded::new(Operation::CheckoutCreate, "k-1", "00ff", 201, result);
        assert_eq!(Recorded::from_document(&recorded.document()).unwrap_err().code, "word");
    }
}
