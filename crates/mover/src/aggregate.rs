//! From a mapped document to what the store keeps: commerce's constructors check it, stock and ledger are split off.

use commerce::decision::Aggregate;
use commerce::history::History;
use commerce::intent::Intent;
use commerce::{Fault, ledger, money};
use mapping::Mapping;
use store::Entry;
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};
use vocab::row::Cell;

/// A live aggregate in the one form in which it is stored and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canonical {
    pub(crate) id: PublicId,
    pub(crate) document: Record,
    /// The document as it is stored.
    pub(crate) text: String,
    /// On hand, by variant.
    pub(crate) stock: Vec<(PublicId, i64)>,
    pub(crate) entries: Vec<Entry>,
    /// Itself, where it is one: when somebody has to look at it depends on the time.
    pub(crate) intent: Option<Box<Intent>>,
}

/// Checks a document by the rules that live ones keep.
pub(crate) fn canonical(kind: Kind, document: Record) -> Result<Canonical, Fault> {
    let stock = stock_of(&document);
    let (mut entries, mut intent) = (Vec::new(), None);
    let (id, document) = match kind {
        Kind::Shop => plain(&commerce::terms::Terms::from_document(&document)?),
        Kind::Product => plain(&commerce::product::Product::from_document(&document)?),
        Kind::Cart => plain(&commerce::cart::Cart::from_document(&document)?),
        Kind::Checkout => plain(&commerce::checkout::Checkout::from_document(&document)?),
        Kind::Idempotency => plain(&commerce::idempotency::Recorded::from_document(&document)?),
        Kind::Intent => {
            let read = Intent::from_document(&document)?;
            entries = stored(read.entries())?;
            let made = plain(&read);
            intent = Some(Box::new(read));
            made
        }
        Kind::Order => {
            let order = commerce::order::Order::from_document(&document)?;
            entries = stored(ledger::entries(&order))?;
            plain(&order)
        }
    };
    let text = store::encode(&document).map_err(|error| Fault {
        code: "document",
        path: "$".into(),
        content: error.to_string(),
    })?;
    Ok(Canonical { id, document, text, stock, entries, intent })
}

fn plain<A: Aggregate>(aggregate: &A) -> (PublicId, Record) {
    (aggregate.id().clone(), aggregate.document())
}

fn stored(booked: Result<Vec<ledger::Entry>, money::Error>) -> Result<Vec<Entry>, Fault> {
    let entries = booked.map_err(|error| Fault { code: "ledger", path: "$".into(), content: error.to_string() })?;
    let stored = entries.into_iter().map(|entry| Entry {
        order: entry.order,
        account: entry.account.name().into(),
        currency: entry.amount.currency().as_str().into(),
        amount: entry.amount.minor(),
    });
    Ok(stored.collect())
}

/// Checks a closed document that no live rule fits.
pub(crate) fn history(document: &Record, why: &str) -> Result<(PublicId, Record), Fault> {
    let found = History::found(document, why)?;
    let id = document.text("id").map(PublicId::new).ok_or_else(|| Fault {
        code: "missing",
        path: "$.id".into(),
        content: "has no value".into(),
    })?;
    Ok((id, found.document()))
}

fn stock_of(document: &Record) -> Vec<(PublicId, i64)> {
    let variants = document.list("variants").iter().filter_map(|node| {
        let Node::Record(variant) = node else { return None };
        Some((PublicId::new(variant.text("id")?), variant.int("stock")?))
    });
    variants.collect()
}

pub(crate) fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Int(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The origin that a document born at the backend will have in the legacy, where its own fields say so (a natural key).
pub fn born_origin(mapping: &Mapping, shop: &vocab::id::ShopId, kind: Kind, document: &Record) -> Option<Origin> {
    let rules = mapping.rules().iter().enumerate().filter(|(_, rule)| rule.kind == kind && rule.writes);
    rules.filter_map(|(rule, _)| Some(mapping.origin(rule, &mapping.anchor_of(rule, shop, document)?))).next()
}
