//! What stands beside the documents of a kind as they are imported: stock, ledger, references of payments.

use crate::commit::Entry;
use crate::import::What;
use crate::sql::Connection;
use crate::{Result, ledger, payments, stock};
use vocab::document::Record;
use vocab::id::{Kind, PublicId, ShopId, Timestamp};

/// A document on its way in, live or history.
pub struct Incoming<'a> {
    pub id: &'a PublicId,
    pub why: Option<&'a str>,
    pub document: &'a Record,
    pub stock: &'a [(PublicId, i64)],
    pub entries: &'a [Entry],
    pub wake: Option<Timestamp>,
}

impl What {
    pub fn incoming(&self) -> Option<Incoming<'_>> {
        match self {
            Self::Live { id, document, stock, entries, wake } => {
                Some(Incoming { id, why: None, document, stock, entries, wake: *wake })
            }
            Self::History { id, why, document } => {
                Some(Incoming { id, why: Some(why), document, stock: &[], entries: &[], wake: None })
            }
            Self::Gone => None,
        }
    }
}

/// Replaces all of it; by nothing where the document is gone.
pub fn replace(
    connection: &Connection,
    shop: &ShopId,
    kind: Kind,
    id: &PublicId,
    incoming: Option<&Incoming<'_>>,
) -> Result<()> {
    let entries = incoming.map_or(&[][..], |incoming| incoming.entries);
    match kind {
        Kind::Product => stock::set(connection, shop, id, incoming.map_or(&[], |incoming| incoming.stock)),
        Kind::Order => ledger::set(connection, shop, id, entries),
        Kind::Intent => {
            ledger::set(connection, shop, &ledger::of_intent(id), entries)?;
            payments::import(connection, shop, id, incoming.map(|incoming| (incoming.document, incoming.wake)))
        }
        Kind::Shop | Kind::Cart | Kind::Checkout | Kind::Idempotency => Ok(()),
    }
}

/// A reference at a provider that this would take from another: each would take the other's money.
pub fn reference_of_another(
    connection: &Connection,
    shop: &ShopId,
    kind: Kind,
    incoming: &Incoming<'_>,
) -> Result<Option<String>> {
    match kind {
        Kind::Intent => payments::taken(connection, shop, incoming.id, incoming.document),
        Kind::Shop | Kind::Product | Kind::Cart | Kind::Checkout | Kind::Order | Kind::Idempotency => Ok(None),
    }
}
