//! Loads: a shop's head, documents by their keys, and the stock of the products among them, all of one snapshot.
//!
//! It is one statement, and so one snapshot without a transaction. In a file whoever asks reads it. A server is asked by one
//! thread, at once for all who wait: that costs it little more than to be asked for one. What several of them want it is asked
//! for once, and that is read once, by whoever comes to it first: in a sale all want the same terms and the same product.
//! Invariant: what a load finds is not older than the load; it waits, but what it is answered is looked for after it came.

#[cfg(test)]
mod tests;

use crate::documents::{Class, Stored};
use crate::head::{self, Head};
use crate::sql::{Ask, Begin, Bind, Connection, Row, Value};
use crate::writer::is_ones_own_fault;
use crate::{Error, Result, Store, documents, json, sql};
use std::collections::BTreeMap;
#[cfg(test)]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use vocab::id::{Kind, Name, Origin, PublicId, ShopId};

/// Documents, the head they belong to and the stock of the products among them, of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// None: no such shop.
    pub head: Option<Head>,
    /// In the order asked for.
    pub documents: Vec<Option<Arc<Stored>>>,
    /// On hand, by variant, of every product that was asked for.
    pub stock: BTreeMap<PublicId, i64>,
}

/// Loads that are asked for together at most.
const TOGETHER_MAX: usize = 64;
/// More keys than any request has: whoever asks for so many waits for another reader, and nobody waits for them.
const KEYS_MAX: usize = 256;
/// Loads that may wait before whoever asks does.
const WAITING_MAX: usize = 1024;
const _: () = assert!(WAITING_MAX >= TOGETHER_MAX);

const READ: &str = "load of documents";
const LOAD: &str =
    "select h.shop, h.owner, h.epoch, h.fenced, h.seq, d.body, d.version, d.class, d.why, d.origin, d.source_tx,
                           s.variant, s.on_hand
                    from shop_head h
                    left join document d on d.shop = h.shop and d.kind = ?2 and d.id = ?3
                    left join stock s indexed by stock_by_product
                        on s.shop = d.shop and s.product = case when d.kind = 'product' then d.id end
                    where h.shop = ?1";

/// What there is under one key of a shop that there is.
struct Lying {
    head: Head,
    document: Option<Unread>,
    stock: Vec<(PublicId, i64)>,
}

/// A document whose text is read when somebody wants to know what it says.
struct Unread {
    body: String,
    version: u64,
    class: Class,
    why: Option<Name>,
    origin: Option<Origin>,
    source_tx: Option<u64>,
    read: OnceLock<Result<Arc<Stored>>>,
}

/// Under each key; none: there is no such shop.
type Found = Vec<Result<Option<Arc<Lying>>>>;

/// What somebody waits for.
struct Wanted {
    shop: ShopId,
    ids: Vec<(Kind, PublicId)>,
    answer: oneshot::Sender<Result<Found>>,
}

impl Store {
    /// How often something was loaded since it was opened. What a request costs is mostly that.
    pub fn loads(&self) -> u64 {
        self.inner.loaded.load(Ordering::Relaxed)
    }

    /// The head, the documents asked for and the stock of those that are products, in one snapshot.
    pub async fn load(&self, shop: &ShopId, ids: &[(Kind, PublicId)]) -> Result<Loaded> {
        self.inner.loaded.fetch_add(1, Ordering::Relaxed);
        // Boxed is what not every store or caller has: whoever loads is a part of larger futures.
        if ids.is_empty() {
            let head = Box::pin(self.head(shop)).await?;
            return Ok(Loaded { head, documents: Vec::new(), stock: BTreeMap::new() });
        }
        let (shop, ids) = (shop.clone(), ids.to_vec());
        let found = match &self.inner.loads {
            Some(loads) if ids.len() <= KEYS_MAX => Box::pin(loads.load(shop, ids)).await?,
            Some(_) | None => self.read_briefly(move |connection| find(connection, keys(&shop, &ids))).await?,
        };
        gathered(found)
    }
}

fn gathered(found: Found) -> Result<Loaded> {
    let mut loaded = Loaded { head: None, documents: Vec::with_capacity(found.len()), stock: BTreeMap::new() };
    for lying in found {
        let Some(lying) = lying? else {
            loaded.documents.push(None);
            continue;
        };
        loaded.documents.push(lying.document.as_ref().map(Unread::read).transpose()?);
        loaded.stock.extend(lying.stock.iter().cloned());
        if loaded.head.is_none() {
            loaded.head = Some(lying.head.clone());
        }
    }
    Ok(loaded)
}

/// The way to the thread that asks the server, which ends when the last of these is gone.
pub struct Loads {
    asked: mpsc::Sender<Wanted>,
    /// How often the server was waited for.
    #[cfg(test)]
    pub trips: Arc<AtomicUsize>,
}

impl Loads {
    pub fn start(connection: Connection) -> Result<Self> {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        #[cfg(test)]
        let trips = Arc::<AtomicUsize>::default();
        #[cfg(test)]
        let counted = Arc::clone(&trips);
        let serve = move || {
            serve(&connection, waiting, || {
                #[cfg(test)]
                if let Connection::Postgres(connection) = &connection {
                    counted.store(connection.trips.get(), Ordering::SeqCst);
                }
            });
        };
        let started = std::thread::Builder::new().name("store-loads".to_owned()).spawn(serve);
        let failed = |source| Error::Open { path: "the thread of loads".to_owned(), source: Arc::new(source) };
        started.map_err(failed)?;
        Ok(Self {
            asked,
            #[cfg(test)]
            trips,
        })
    }

    async fn load(&self, shop: ShopId, ids: Vec<(Kind, PublicId)>) -> Result<Found> {
        let (answer, answered) = oneshot::channel();
        self.asked.send(Wanted { shop, ids, answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

/// `looked` is told whenever the server was asked.
fn serve(connection: &Connection, mut waiting: mpsc::Receiver<Wanted>, looked: impl Fn()) {
    let mut wanted = Vec::with_capacity(TOGETHER_MAX);
    while waiting.blocking_recv_many(&mut wanted, TOGETHER_MAX) > 0 {
        let begun = Instant::now();
        let found = find_all(connection, &wanted);
        looked();
        match found {
            // A key that the server does not take is the fault of whoever asked with it.
            Err(_) if is_ones_own_fault(wanted.len(), begun.elapsed()) && !connection.is_gone() => {
                for one in wanted.drain(..) {
                    let found = find_once(connection, keys(&one.shop, &one.ids));
                    drop(one.answer.send(found));
                }
            }
            Err(error) => wanted.drain(..).for_each(|one| drop(one.answer.send(Err(error.clone())))),
            // Nobody may be waiting any more.
            Ok(found) => wanted.drain(..).zip(found).for_each(|(one, own)| drop(one.answer.send(Ok(own)))),
        }
    }
}

/// For each what it wants.
fn find_all(connection: &Connection, wanted: &[Wanted]) -> Result<Vec<Found>> {
    let (mut known, mut different) = (BTreeMap::new(), Vec::new());
    let mut place = |shop, (kind, id)| {
        *known.entry((shop, kind, id)).or_insert_with(|| {
            different.push(key(shop, kind, id));
            different.len() - 1
        })
    };
    let places: Vec<Vec<usize>> =
        wanted.iter().map(|one| one.ids.iter().map(|(kind, id)| place(&one.shop, (*kind, id))).collect()).collect();
    let found = find_once(connection, different)?;
    Ok(places.into_iter().map(|places| places.into_iter().map(|nth| found[nth].clone()).collect()).collect())
}

fn find_once(connection: &Connection, keys: Vec<Vec<Value<'_>>>) -> Result<Found> {
    connection.begin(Begin::ReadOnce, READ)?;
    let found = find(connection, keys);
    // There is nothing to keep. A server that is gone is found out by whoever asks next.
    let _ = connection.rollback(READ);
    found
}

fn keys<'a>(shop: &'a ShopId, ids: &'a [(Kind, PublicId)]) -> Vec<Vec<Value<'a>>> {
    ids.iter().map(|(kind, id)| key(shop, *kind, id)).collect()
}

fn key<'a>(shop: &'a ShopId, kind: Kind, id: &'a PublicId) -> Vec<Value<'a>> {
    vec![shop.as_str().value(), kind.name().value(), id.as_str().value()]
}

/// What cannot be read under one key is nobody else's failure.
fn find(connection: &Connection, keys: Vec<Vec<Value<'_>>>) -> Result<Found> {
    let mut found: Vec<Result<Option<Lying>>> = keys.iter().map(|_| Ok(None)).collect();
    let read = |nth: usize, row: &Row<'_>| {
        if let Some(place) = found.get_mut(nth)
            && let Err(error) = place.as_mut().map_or(Ok(()), |place| add(place, row))
        {
            *place = Err(error);
        }
        Ok(())
    };
    connection.together(vec![Ask::rows_of_each(READ, LOAD, keys, read)])?;
    Ok(found.into_iter().map(|lying| Ok(lying?.map(Arc::new))).collect())
}

/// A product with several variants has a row for each.
fn add(place: &mut Option<Lying>, row: &Row<'_>) -> Result<()> {
    let lying = match place {
        Some(lying) => lying,
        None => place.insert(Lying { head: head::head(row)?, document: unread(row)?, stock: Vec::new() }),
    };
    if let Some(variant) = sql::cell::<Option<Name>>(row, 11)? {
        lying.stock.push((PublicId::new(variant), sql::cell(row, 12)?));
    }
    Ok(())
}

fn unread(row: &Row<'_>) -> Result<Option<Unread>> {
    let Some(body) = sql::cell::<Option<String>>(row, 5)? else { return Ok(None) };
    Ok(Some(Unread {
        body,
        version: sql::natural(row, 6)?,
        class: documents::class(row, 7)?,
        why: sql::cell(row, 8)?,
        origin: sql::origin(row, 9)?,
        source_tx: sql::natural_or_null(row, 10)?,
        read: OnceLock::new(),
    }))
}

impl Unread {
    fn read(&self) -> Result<Arc<Stored>> {
        let read = || {
            let (why, origin) = (self.why.clone(), self.origin.clone());
            let (version, class, source_tx) = (self.version, self.class, self.source_tx);
            Ok(Arc::new(Stored { document: json::decode(&self.body)?, version, class, why, origin, source_tx }))
        };
        self.read.get_or_init(read).clone()
    }
}
