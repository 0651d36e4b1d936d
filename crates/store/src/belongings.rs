//! What stands beside the documents of a kind as they are imported: stock, ledger, references of payments.

use crate::import::Incoming;
use crate::{Result, ledger, payments, stock};
use rusqlite::Connection;
use vocab::id::{Kind, PublicId, ShopId};

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
            ledger::set(connection, shop, id, entries)?;
            payments::import(connection, shop, id, incoming.map(|incoming| incoming.document))
        }
        Kind::Shop | Kind::Cart | Kind::Checkout | Kind::Idempotency => Ok(()),
    }
}
