//! Documents as stored, and the ways to read them.

use crate::import::Fingerprint;
use crate::sql::{Bind, Connection, Owned, Row, Value, params};
use crate::{Error, Result, Store, serials, sql};
use vocab::document::Record;
use vocab::id::{Kind, Name, Origin, PublicId, ShopId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Live,
    /// Imported as found: immutable, no live rule applies.
    History,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub document: Record,
    /// Rises by one with each write, from 1.
    pub version: u64,
    pub class: Class,
    /// Why it is history; none for a live document.
    pub why: Option<Name>,
    pub origin: Option<Origin>,
    /// The source transaction of the last import; none if it was never imported.
    pub source_tx: Option<u64>,
}

/// A document as it lies there: its text need not be read to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: PublicId,
    pub class: Class,
    /// As [`encode`](crate::encode) makes it.
    pub body: String,
    /// None where it was written here.
    pub fingerprint: Option<Fingerprint>,
}

/// How many documents of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub kind: Kind,
    pub class: Class,
    pub why: Option<Name>,
    pub documents: u64,
}

impl Class {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
        }
    }
}

/// What [`Store::ids_in_state`] answers at most.
const IDS_MAX: i64 = 10_000;

impl Store {
    /// The documents with these origins, in the order asked for, in one snapshot.
    pub async fn load_by_origin(
        &self,
        shop: &ShopId,
        origins: &[(Kind, Origin)],
    ) -> Result<Vec<Option<(PublicId, Stored)>>> {
        let (shop, origins) = (shop.clone(), origins.to_vec());
        self.read_briefly(move |connection| {
            let sql = "select body, version, class, why, origin, source_tx, id from document
                       where shop = ?1 and kind = ?2 and origin = ?3";
            sql::first_of_each(
                connection,
                READ,
                sql,
                origins.iter().map(|origin| key_by_origin(&shop, origin)).collect(),
                with_id,
            )
        })
        .await
    }

    /// The same as they lie there, of one kind.
    pub async fn kept_by_origin(&self, shop: &ShopId, kind: Kind, origins: Vec<Origin>) -> Result<Vec<Option<Kept>>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select id, class, body, fingerprint from document where shop = ?1 and kind = ?2 and origin = ?3";
            let kept = |row: &Row<'_>| {
                Ok(Kept {
                    id: sql::public_id(row, 0)?,
                    class: class(row, 1)?,
                    body: sql::cell(row, 2)?,
                    fingerprint: sql::cell::<Option<[u8; 16]>>(row, 3)?.map(Fingerprint),
                })
            };
            let find = |origin: &Origin| {
                sql::first(connection, READ, sql, [shop.as_str(), kind.name(), origin.as_str()], kept)
            };
            origins.iter().map(find).collect()
        })
        .await
    }

    /// Ids and origins of one kind in the order of the ids, behind `after`: who only asks what there is need not read it.
    pub async fn origins(
        &self,
        shop: &ShopId,
        kind: Kind,
        after: Option<&PublicId>,
        limit: usize,
    ) -> Result<Vec<(PublicId, Option<Origin>)>> {
        let shop = shop.clone();
        let after = after.map_or_else(String::new, |id| id.as_str().to_owned());
        self.read(move |connection| {
            let sql = "select id, origin from document where shop = ?1 and kind = ?2 and id > ?3 order by id limit ?4";
            let cells = params![shop.as_str(), kind.name(), after, sql::limit(limit)];
            sql::all(connection, READ, sql, cells, |row| Ok((sql::public_id(row, 0)?, sql::origin(row, 1)?)))
        })
        .await
    }

    /// Active products whose title contains `query` (whatever the case), by numeric, then lexical id, after the
    /// product `after`. An empty query finds all.
    pub async fn products(
        &self,
        shop: &ShopId,
        query: Option<&str>,
        after: Option<&PublicId>,
        limit: usize,
    ) -> Result<Vec<(PublicId, Stored)>> {
        let (shop, query) = (shop.clone(), query.unwrap_or_default().to_lowercase());
        let (number, id) = after.map_or((-1, String::new()), |id| (number(id), id.as_str().to_owned()));
        self.read_briefly(move |connection| {
            let sql = "select body, version, class, why, origin, source_tx, id from document indexed by shelf
                       where shop = ?1 and kind = 'product' and class = 'live' and state = 'active'
                         and (number, id) > (?2, ?3) and instr(title, ?4) > 0
                       order by number, id limit ?5";
            let cells = params![shop.as_str(), number, id, query, sql::limit(limit)];
            sql::all(connection, "search of products", sql, cells, with_id)
        })
        .await
    }

    /// Ids of the live documents in a state, the longest unchanged first, at most 10,000.
    pub async fn ids_in_state(&self, shop: &ShopId, kind: Kind, state: &str) -> Result<Vec<PublicId>> {
        let (shop, state) = (shop.clone(), state.to_owned());
        self.read(move |connection| {
            let sql = "select id from document where shop = ?1 and kind = ?2 and state = ?3 and class = 'live'
                       order by changed_at limit ?4";
            let cells = params![shop.as_str(), kind.name(), state, IDS_MAX];
            sql::all(connection, READ, sql, cells, |row| sql::public_id(row, 0))
        })
        .await
    }

    /// Ids of the live documents in a state that no commit has changed since `before` (an imported one counts from
    /// its `changed_at`, or its `created_at` where it has none), the longest unchanged first.
    pub async fn idle_in_state(
        &self,
        shop: &ShopId,
        kind: Kind,
        state: &str,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<PublicId>> {
        let (shop, state) = (shop.clone(), state.to_owned());
        self.read(move |connection| {
            let sql = "select id from document where shop = ?1 and kind = ?2 and state = ?3 and class = 'live'
                         and changed_at < ?4
                       order by changed_at limit ?5";
            let cells = params![shop.as_str(), kind.name(), state, before.0, sql::limit(limit)];
            sql::all(connection, READ, sql, cells, |row| sql::public_id(row, 0))
        })
        .await
    }

    /// The checkout of a cart that has not ended: the first of them by numeric, then lexical id.
    pub async fn checkout_of_cart(&self, shop: &ShopId, cart: &PublicId) -> Result<Option<(PublicId, Stored)>> {
        let (shop, cart) = (shop.clone(), cart.clone());
        self.read_briefly(move |connection| {
            let sql =
                "select body, version, class, why, origin, source_tx, id from document indexed by document_by_cart
                       where shop = ?1 and parent = ?2
                         and kind = 'checkout' and class = 'live' and state in ('open', 'paying', 'awaiting')
                       order by number, id limit 1";
            sql::first(connection, READ, sql, [shop.as_str(), cart.as_str()], with_id)
        })
        .await
    }

    /// How many documents of each kind, class and reason the shop has.
    pub async fn counts(&self, shop: &ShopId) -> Result<Vec<Count>> {
        let shop = shop.clone();
        self.read(move |connection| {
            connection.takes_long();
            let sql = "select kind, class, why, count(*) from document where shop = ?1
                       group by kind, class, why order by kind, class, why";
            sql::all(connection, "count of documents", sql, [shop.as_str()], |row| {
                Ok(Count {
                    kind: sql::kind(row, 0)?,
                    class: class(row, 1)?,
                    why: sql::cell(row, 2)?,
                    documents: sql::natural(row, 3)?,
                })
            })
        })
        .await
    }
}

const READ: &str = "read of documents";
const WRITE: &str = "write of a document";

fn key_by_origin<'a>(shop: &'a ShopId, (kind, origin): &'a (Kind, Origin)) -> Vec<Value<'a>> {
    vec![shop.as_str().value(), kind.name().value(), origin.as_str().value()]
}

fn stored(row: &Row<'_>) -> Result<Stored> {
    stored_as(row, crate::decode)
}

/// A document from `body, version, class, why, origin, source_tx`, its text read by `read`.
pub fn stored_as(row: &Row<'_>, read: impl FnOnce(&str) -> Result<Record>) -> Result<Stored> {
    Ok(Stored {
        document: sql::record_as(row, 0, read)?,
        version: sql::natural(row, 1)?,
        class: class(row, 2)?,
        why: sql::cell(row, 3)?,
        origin: sql::origin(row, 4)?,
        source_tx: sql::natural_or_null(row, 5)?,
    })
}

/// The same with its id behind it.
pub fn with_id(row: &Row<'_>) -> Result<(PublicId, Stored)> {
    Ok((sql::public_id(row, 6)?, stored(row)?))
}

pub fn class(row: &Row<'_>, at: usize) -> Result<Class> {
    let name: String = sql::cell(row, at)?;
    let found = [Class::Live, Class::History].into_iter().find(|class| class.name() == name);
    found.ok_or(Error::Corrupt { what: "class", why: name })
}

/// A document as it is to be stored.
pub struct Put<'a> {
    pub shop: &'a ShopId,
    pub kind: Kind,
    pub id: &'a PublicId,
    /// Why it is history; none for a live document.
    pub why: Option<&'a str>,
    pub version: u64,
    pub source_tx: Option<u64>,
    pub origin: Option<&'a str>,
    pub document: &'a Record,
    /// The number that the body has and the document has not yet; none: what the document says.
    pub serial: Option<i64>,
    pub body: &'a str,
    pub fingerprint: Option<&'a [u8]>,
    pub changed_at: Option<i64>,
}

/// Inserts, unless there is one with this id or this origin; whether it did.
pub fn insert_new(connection: &Connection, put: &Put<'_>) -> Result<bool> {
    let sql = "insert into document (shop, kind, id, class, why, version, source_tx, origin, state, title, number,
                                     changed_at, body, serial, fingerprint, parent)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
               on conflict do nothing";
    Ok(cells(put, |cells| sql::execute(connection, WRITE, sql, cells))? > 0)
}

const PUT: &str = "insert into document (shop, kind, id, class, why, version, source_tx, origin, state, title, number,
                                     changed_at, body, serial, fingerprint, parent)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
               on conflict (shop, kind, id) do update set class = excluded.class, why = excluded.why,
                   version = excluded.version, source_tx = excluded.source_tx, origin = excluded.origin,
                   state = excluded.state, title = excluded.title, changed_at = excluded.changed_at,
                   body = excluded.body, serial = excluded.serial,
                   fingerprint = excluded.fingerprint, parent = excluded.parent";

/// Inserts or overwrites; whether that is right was the door's to check.
pub fn put(connection: &Connection, put: &Put<'_>) -> Result<()> {
    cells(put, |cells| sql::defer(connection, WRITE, PUT, cells))
}

/// The same of several, no two of them of one document.
pub fn put_all(connection: &Connection, rows: Vec<Vec<Owned>>) -> Result<()> {
    sql::defer_each(connection, WRITE, PUT, rows)
}

/// A row of these.
pub fn row(put: &Put<'_>) -> Result<Vec<Owned>> {
    cells(put, |cells| Ok(sql::owned(cells)))
}

/// What a document is found by besides its id and origin.
#[derive(Debug, PartialEq, Eq)]
pub struct Indexed {
    /// And so its class: history has a reason, and nothing else has one.
    why: Option<String>,
    state: Option<String>,
    title: Option<String>,
    changed_at: Option<i64>,
    serial: Option<i64>,
    parent: Option<String>,
}

/// Reads it from `why, state, title, changed_at, serial, parent`, the first of which stands at a place.
pub fn indexed(row: &Row<'_>, at: usize) -> Result<Indexed> {
    Ok(Indexed {
        why: sql::cell(row, at)?,
        state: sql::cell(row, at + 1)?,
        title: sql::cell(row, at + 2)?,
        changed_at: sql::cell(row, at + 3)?,
        serial: sql::cell(row, at + 4)?,
        parent: sql::cell(row, at + 5)?,
    })
}

/// Overwrites the document of this id and this origin. SQLite writes the entries of every index anew that has a column
/// which is set, changed or not: most changes touch none of them.
pub fn replace(connection: &Connection, new: &Put<'_>, standing: &Indexed) -> Result<()> {
    let named = Indexed {
        why: new.why.map(str::to_owned),
        state: new.document.text("state").map(str::to_owned),
        title: title(new.kind, new.document),
        changed_at: new.changed_at,
        serial: serials::of(new),
        parent: parent(new.kind, new.document).map(str::to_owned),
    };
    if named != *standing {
        return put(connection, new);
    }
    let sql = "update document set version = ?4, source_tx = ?5, body = ?6, fingerprint = ?7
               where shop = ?1 and kind = ?2 and id = ?3";
    let cells = params![
        new.shop.as_str(),
        new.kind.name(),
        new.id.as_str(),
        sql::int(new.version)?,
        new.source_tx.map(sql::int).transpose()?,
        new.body,
        new.fingerprint,
    ];
    sql::defer(connection, WRITE, sql, cells)
}

/// The cells of a row of documents, for whoever writes it.
fn cells<T>(put: &Put<'_>, write: impl FnOnce([&dyn Bind; 16]) -> Result<T>) -> Result<T> {
    let class = if put.why.is_some() { Class::History } else { Class::Live };
    let cells = params![
        put.shop.as_str(),
        put.kind.name(),
        put.id.as_str(),
        class.name(),
        put.why,
        sql::int(put.version)?,
        put.source_tx.map(sql::int).transpose()?,
        put.origin,
        put.document.text("state"),
        title(put.kind, put.document),
        number(put.id),
        put.changed_at,
        put.body,
        serials::of(put),
        put.fingerprint,
        parent(put.kind, put.document),
    ];
    write(cells)
}

/// What it was made of, where somebody looks for all that was made of one.
fn parent(kind: Kind, document: &Record) -> Option<&str> {
    match kind {
        Kind::Checkout => document.text("cart"),
        Kind::Intent => document.text("checkout"),
        Kind::Shop | Kind::Product | Kind::Cart | Kind::Order | Kind::Idempotency => None,
    }
}

/// What a search looks in: only products are searched.
fn title(kind: Kind, document: &Record) -> Option<String> {
    if kind == Kind::Product { document.text("title").map(str::to_lowercase) } else { None }
}

/// An id's place among numeric ids; behind all of them where it is none.
fn number(id: &PublicId) -> i64 {
    let text = id.as_str();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().unwrap_or(i64::MAX) } else { i64::MAX }
}
