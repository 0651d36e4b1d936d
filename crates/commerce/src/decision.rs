//! What a command decided: the documents before and after, how stock moves, what is booked. One commit writes it whole.

use crate::ledger::Entry;
use crate::order::Order;
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId, Timestamp};

/// An aggregate that lives in the store as one document.
pub trait Aggregate {
    const KIND: Kind;

    fn id(&self) -> &PublicId;
    fn origin(&self) -> Option<&Origin>;
    /// All fields of its shape but counts; optional ones without value are null.
    fn document(&self) -> Record;
}

/// One document to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub kind: Kind,
    pub id: PublicId,
    pub origin: Option<Origin>,
    /// None: it is born here.
    pub before: Option<Record>,
    pub after: Record,
    /// It is to get the next number of its kind in the shop as it is stored.
    pub numbered: bool,
}

/// A signed difference; the stock itself is in the store, by variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockChange {
    pub variant: PublicId,
    pub delta: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    pub writes: Vec<Write>,
    pub stock: Vec<StockChange>,
    pub entries: Vec<Entry>,
    /// Which intents somebody has to look at again by themselves, and when; one that is written and not named here: never.
    pub wakes: Vec<(PublicId, Timestamp)>,
}

impl Decision {
    #[must_use]
    pub fn born<A: Aggregate>(self, after: &A) -> Self {
        self.write(None, after)
    }

    /// An order that is placed: born, and with the next invoice number of its shop.
    #[must_use]
    pub fn placed(mut self, order: &Order) -> Self {
        self = self.born(order);
        if let Some(write) = self.writes.last_mut() {
            write.numbered = true;
        }
        self
    }

    /// Leaves an aggregate that did not change out.
    #[must_use]
    pub fn changed<A: Aggregate>(self, before: &A, after: &A) -> Self {
        let document = before.document();
        if document == after.document() {
            return self;
        }
        self.write(Some(document), after)
    }

    /// Writes an aggregate that does not change, so that decisions that must not both be taken meet at its version.
    #[must_use]
    pub fn touched<A: Aggregate>(self, aggregate: &A) -> Self {
        self.write(Some(aggregate.document()), aggregate)
    }

    fn write<A: Aggregate>(mut self, before: Option<Record>, after: &A) -> Self {
        self.writes.push(Write {
            kind: A::KIND,
            id: after.id().clone(),
            origin: after.origin().cloned(),
            before,
            after: after.document(),
            numbered: false,
        });
        self
    }

    #[must_use]
    pub fn moving(mut self, stock: Vec<StockChange>) -> Self {
        self.stock.extend(stock);
        self
    }

    /// This and what another part of it decided, in one commit.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.stock.extend(other.stock);
        self.entries.extend(other.entries);
        self.wakes.extend(other.wakes);
        self
    }

    #[must_use]
    pub fn waking(mut self, intent: &PublicId, at: Option<Timestamp>) -> Self {
        self.wakes.extend(at.map(|at| (intent.clone(), at)));
        self
    }

    #[must_use]
    pub fn booking(mut self, entries: Vec<Entry>) -> Self {
        self.entries.extend(entries);
        self
    }
}
