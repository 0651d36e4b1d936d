//! The import door: a shop that Legacy owns is copied and kept current, guarded by the source transaction.

use crate::belongings::{self, Incoming};
use crate::commit::Entry;
use crate::documents::{self, Put};
use crate::sql::{Connection, params};
use crate::writer::Door;
use crate::{Error, Result, Store, head, json, ledger, sql, stock};
use std::cell::Cell;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, PublicId, ShopId, Side, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub shop: ShopId,
    pub epoch: Epoch,
    pub items: Vec<Imported>,
}

/// What a source transaction made of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub kind: Kind,
    pub origin: Origin,
    /// The newest source transaction that the item shows.
    pub tx: u64,
    pub what: What,
    /// None: the text is made of the document, and nothing is known of what that was made of.
    pub made: Option<Made>,
}

/// A document's text, which is stored as it is, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// As [`encode`](crate::encode) makes it.
    pub text: String,
    pub fingerprint: Option<Fingerprint>,
}

/// What tells the importer again what a document was made of; it means nothing to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Live {
        id: PublicId,
        document: Record,
        /// On hand per variant, absolute; variants that are not named are gone.
        stock: Vec<(PublicId, i64)>,
        /// The ledger rows of this order or intent, all of them.
        entries: Vec<Entry>,
        /// Of an intent: when somebody has to look at it once the shop is ours; none: not by themselves.
        wake: Option<Timestamp>,
    },
    /// A closed document kept as found, and the reason why no live rule applies to it.
    History {
        id: PublicId,
        why: Name,
        document: Record,
    },
    Gone,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Applied,
    /// A newer source transaction was imported before.
    Stale,
    /// The id (or a variant's id) belongs to another origin; nothing was changed. None: it was born here without one.
    Conflict {
        held_by: Option<Origin>,
    },
    /// It cannot stand here (stock below zero); nothing was changed.
    Unfit {
        why: String,
    },
}

/// Why nothing was imported.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    #[error("no such shop")]
    UnknownShop,
    #[error("the shop is owned by {}", .owner.name())]
    NotOwner { owner: Side },
    #[error("the head is at epoch {head}")]
    WrongEpoch { head: Epoch },
    #[error(transparent)]
    Store(#[from] Error),
}

/// Items of one transaction: a few milliseconds, which is how long a commit of another shop may have to wait for it. What
/// was imported lightly before it is synced with that commit as well.
const CHUNK: usize = 256;
/// How many items hold up a group as long as a commit does.
const ITEMS_PER_WEIGHT: usize = 8;

impl Store {
    /// Applies the items in their order and answers the outcome of each. A long import is several transactions, so
    /// that no shop waits for another's; after an error the first ones may stand, and a repetition is harmless.
    pub async fn import(&self, import: Import) -> Result<Vec<Outcome>, ImportError> {
        self.import_by(import, Door::Import).await
    }

    /// The same for a piece of a long import: it may be lost with the power until [`Store::sync_imports`] has answered.
    pub async fn import_lightly(&self, import: Import) -> Result<Vec<Outcome>, ImportError> {
        self.import_by(import, Door::Lightly).await
    }

    /// Makes durable what was imported lightly before.
    pub async fn sync_imports(&self) -> Result<()> {
        // A commit that changes nothing is not synced, nor is one that writes what is there already.
        let count = "insert into note (key, body) values ('imports synced', '1')
                     on conflict (key) do update set body = cast(cast(note.body as integer) + 1 as text)";
        self.write(Door::Control, move |connection| sql::execute(connection, WRITE, count, sql::NOTHING).map(drop))
            .await
    }

    async fn import_by(&self, import: Import, door: fn(usize) -> Door) -> Result<Vec<Outcome>, ImportError> {
        let Import { shop, epoch, items } = import;
        let mut outcomes = Vec::with_capacity(items.len());
        let mut items = items.into_iter();
        let mut pair = prepare(&mut items)?;
        // An import of nothing still answers whether the shop takes imports.
        loop {
            // Two at a time, because both fit into one group and so wait for one sync. The next ones are made ready
            // while the writer is busy with these.
            let [first, second] = pair.map(|chunk| self.chunk(&shop, epoch, chunk, door));
            let (first, second, next) = tokio::join!(first, second, async { prepare(&mut items) });
            outcomes.append(&mut first?);
            outcomes.append(&mut second?);
            pair = next?;
            if pair[0].is_empty() {
                return Ok(outcomes);
            }
        }
    }

    async fn chunk(
        &self,
        shop: &ShopId,
        epoch: Epoch,
        chunk: Vec<Prepared>,
        door: fn(usize) -> Door,
    ) -> Result<Vec<Outcome>, ImportError> {
        let door = door(chunk.len().div_ceil(ITEMS_PER_WEIGHT));
        let own = shop.clone();
        self.write_of(shop, door, move |connection| apply(connection, &own, epoch, &chunk)).await
    }
}

fn prepare(items: &mut impl Iterator<Item = Imported>) -> Result<[Vec<Prepared>; 2]> {
    let mut chunk = || items.by_ref().take(CHUNK).map(Prepared::new).collect::<Result<Vec<_>>>();
    Ok([chunk()?, chunk()?])
}

/// An item with its JSON, made outside the writer; empty where it is gone.
struct Prepared {
    item: Imported,
    made: Made,
}

impl Prepared {
    fn new(mut item: Imported) -> Result<Self> {
        let made = match (item.made.take(), &item.what) {
            (Some(made), _) => made,
            (None, What::Live { document, .. } | What::History { document, .. }) => {
                Made { text: json::encode(document)?, fingerprint: None }
            }
            (None, What::Gone) => Made { text: String::new(), fingerprint: None },
        };
        Ok(Self { item, made })
    }

    /// Whether a character of code zero is in it. In JSON it is written `\u0000`, behind no other backslash that begins one.
    fn has_zero(&self) -> bool {
        let text = &self.made.text;
        let is_one = |at: usize| text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count().is_multiple_of(2);
        self.item.origin.as_str().contains('\0') || text.match_indices("\\u0000").any(|(at, _)| is_one(at))
    }
}

fn apply(
    connection: &Connection,
    shop: &ShopId,
    epoch: Epoch,
    items: &[Prepared],
) -> Result<Vec<Outcome>, ImportError> {
    admitted(connection, shop, epoch)?;
    let has_buried = Cell::new(has_buried(connection, shop)?);
    let door = Importing { connection, shop, expects_new: Cell::new(true), has_buried };
    items.iter().map(|item| door.item(item)).collect::<Result<_>>().map_err(ImportError::from)
}

/// Whether the shop takes imports: the legacy owns it, at this epoch.
pub(crate) fn admitted(connection: &Connection, shop: &ShopId, epoch: Epoch) -> Result<(), ImportError> {
    let head = head::lock(connection, shop)?.ok_or(ImportError::UnknownShop)?;
    if head.owner != Side::Legacy {
        return Err(ImportError::NotOwner { owner: head.owner });
    }
    if head.epoch != epoch {
        return Err(ImportError::WrongEpoch { head: head.epoch });
    }
    Ok(())
}

fn has_buried(connection: &Connection, shop: &ShopId) -> Result<bool> {
    let sql = "select 1 from tombstone where shop = ?1 limit 1";
    Ok(sql::first(connection, READ, sql, [shop.as_str()], |_| Ok(()))?.is_some())
}

/// What is stored under an origin.
struct Held {
    id: PublicId,
    version: u64,
    source_tx: Option<u64>,
    indexed: documents::Indexed,
}

/// A shop that has been admitted to this transaction.
struct Importing<'a> {
    connection: &'a Connection,
    shop: &'a ShopId,
    /// What came last was new, so what comes next is first taken for new as well.
    expects_new: Cell<bool>,
    /// What is buried may be newer than what comes, so it is asked for where the shop has anything buried.
    has_buried: Cell<bool>,
}

impl Importing<'_> {
    fn item(&self, prepared: &Prepared) -> Result<Outcome> {
        if self.connection.is_postgres() && prepared.has_zero() {
            let why = "it has a character of code zero, which a store on PostgreSQL cannot keep".to_owned();
            return Ok(Outcome::Unfit { why });
        }
        if self.expects_new.get() && self.insert_new(prepared)? {
            return Ok(Outcome::Applied);
        }
        let item = &prepared.item;
        let held = self.held(item)?;
        // What is held was dug out before.
        let buried = if held.is_some() { None } else { self.buried(item)? };
        if held.as_ref().and_then(|held| held.source_tx).max(buried) > Some(item.tx) {
            return Ok(Outcome::Stale);
        }
        let Some(incoming) = item.what.incoming() else {
            self.bury(item, held.as_ref())?;
            return Ok(Outcome::Applied);
        };
        if let Some(objection) = self.objection(item, &incoming, held.as_ref())? {
            return Ok(objection);
        }
        self.put(prepared, &incoming, held.as_ref())?;
        if buried.is_some() {
            let sql = "delete from tombstone where shop = ?1 and kind = ?2 and origin = ?3";
            sql::execute(self.connection, WRITE, sql, self.key(item))?;
        }
        Ok(Outcome::Applied)
    }

    fn held(&self, item: &Imported) -> Result<Option<Held>> {
        let sql = "select id, version, source_tx, why, state, title, changed_at, serial, parent from document
                   where shop = ?1 and kind = ?2 and origin = ?3";
        sql::first(self.connection, READ, sql, self.key(item), |row| {
            Ok(Held {
                id: sql::public_id(row, 0)?,
                version: sql::natural(row, 1)?,
                source_tx: sql::natural_or_null(row, 2)?,
                indexed: documents::indexed(row, 3)?,
            })
        })
    }

    /// The transaction that took the origin away.
    fn buried(&self, item: &Imported) -> Result<Option<u64>> {
        let sql = "select source_tx from tombstone where shop = ?1 and kind = ?2 and origin = ?3";
        sql::first(self.connection, READ, sql, self.key(item), |row| sql::natural(row, 0))
    }

    fn key<'a>(&'a self, item: &'a Imported) -> [&'a str; 3] {
        [self.shop.as_str(), item.kind.name(), item.origin.as_str()]
    }

    fn objection(&self, item: &Imported, incoming: &Incoming<'_>, held: Option<&Held>) -> Result<Option<Outcome>> {
        if let Some((variant, on_hand)) = incoming.stock.iter().find(|(_, on_hand)| *on_hand < 0) {
            return Ok(Some(Outcome::Unfit { why: format!("stock of variant {variant} is {on_hand}") }));
        }
        if let Some(reference) = belongings::reference_of_another(self.connection, self.shop, item.kind, incoming)? {
            return Ok(Some(Outcome::Unfit { why: format!("the reference {reference} is another payment's") }));
        }
        let ours = |held_by: &Option<Origin>| held_by.as_ref() == Some(&item.origin);
        let known = held.is_some_and(|held| held.id == *incoming.id);
        let holder = if known { None } else { self.origin_of(item.kind, incoming.id)? };
        if let Some(held_by) = holder {
            return Ok(Some(Outcome::Conflict { held_by }));
        }
        for (variant, _) in incoming.stock {
            let product = stock::product_of(self.connection, self.shop, variant)?;
            let Some(product) = product.filter(|product| product != incoming.id) else { continue };
            // A product whose id changes under its origin keeps its variants.
            let held_by = self.origin_of(Kind::Product, &product)?.flatten();
            if !ours(&held_by) {
                return Ok(Some(Outcome::Conflict { held_by }));
            }
        }
        Ok(None)
    }

    /// None: no such document. Some(None): it has no origin.
    fn origin_of(&self, kind: Kind, id: &PublicId) -> Result<Option<Option<Origin>>> {
        let sql = "select origin from document where shop = ?1 and kind = ?2 and id = ?3";
        let key = [self.shop.as_str(), kind.name(), id.as_str()];
        sql::first(self.connection, READ, sql, key, |row| sql::origin(row, 0))
    }

    /// Inserts a document of which neither id nor origin is known, as nearly all of a first copy are; false: one of
    /// them is, and nothing was changed. Stock may be another product's, so products are looked at more closely.
    fn insert_new(&self, prepared: &Prepared) -> Result<bool> {
        let Some(incoming) = prepared.item.what.incoming().filter(|_| prepared.item.kind != Kind::Product) else {
            return Ok(false);
        };
        if self.has_buried.get() && self.buried(&prepared.item)?.is_some() {
            return Ok(false);
        }
        let kind = prepared.item.kind;
        if belongings::reference_of_another(self.connection, self.shop, kind, &incoming)?.is_some() {
            return Ok(false);
        }
        if !documents::insert_new(self.connection, &self.row(prepared, &incoming, 1))? {
            self.expects_new.set(false);
            return Ok(false);
        }
        if kind == Kind::Order {
            ledger::begin(self.connection, self.shop, incoming.id, incoming.entries)?;
        } else {
            belongings::replace(self.connection, self.shop, kind, incoming.id, Some(&incoming))?;
        }
        Ok(true)
    }

    fn row<'a>(&'a self, prepared: &'a Prepared, incoming: &Incoming<'a>, version: u64) -> Put<'a> {
        Put {
            shop: self.shop,
            kind: prepared.item.kind,
            id: incoming.id,
            why: incoming.why,
            version,
            source_tx: Some(prepared.item.tx),
            origin: Some(prepared.item.origin.as_str()),
            document: incoming.document,
            serial: None,
            body: &prepared.made.text,
            fingerprint: prepared.made.fingerprint.as_ref().map(|made| &made.0[..]),
            changed_at: incoming.document.int("changed_at").or(incoming.document.int("created_at")),
        }
    }

    fn put(&self, prepared: &Prepared, incoming: &Incoming<'_>, held: Option<&Held>) -> Result<()> {
        let item = &prepared.item;
        let same = held.filter(|held| held.id == *incoming.id);
        if let (Some(held), None) = (held, same) {
            self.remove(item.kind, &held.id)?;
        }
        let version = same.map_or(0, |held| held.version) + 1;
        let row = self.row(prepared, incoming, version);
        match same {
            Some(same) => documents::replace(self.connection, &row, &same.indexed)?,
            None => documents::put(self.connection, &row)?,
        }
        belongings::replace(self.connection, self.shop, item.kind, incoming.id, Some(incoming))
    }

    fn bury(&self, item: &Imported, held: Option<&Held>) -> Result<()> {
        if let Some(held) = held {
            self.remove(item.kind, &held.id)?;
        }
        self.has_buried.set(true);
        let sql = "insert into tombstone (shop, kind, origin, source_tx) values (?1, ?2, ?3, ?4)
                   on conflict (shop, kind, origin) do update set source_tx = excluded.source_tx";
        let [shop, kind, origin] = self.key(item);
        sql::execute(self.connection, WRITE, sql, params![shop, kind, origin, sql::int(item.tx)?]).map(drop)
    }

    fn remove(&self, kind: Kind, id: &PublicId) -> Result<()> {
        let sql = "delete from document where shop = ?1 and kind = ?2 and id = ?3";
        sql::execute(self.connection, WRITE, sql, [self.shop.as_str(), kind.name(), id.as_str()])?;
        belongings::replace(self.connection, self.shop, kind, id, None)
    }
}

const READ: &str = "read before an import";
const WRITE: &str = "write of an import";
