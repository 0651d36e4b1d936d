//! The commit door: a shop that Backend owns changes, and the change becomes its next fact.

use crate::documents::Put;
use crate::head::Head;
use crate::serials::{self, Gapped};
use crate::sql::{Ask, Bind, Connection, Row};
use crate::writer::Door;
use crate::{Error, Result, Store, documents, facts, head, json, ledger, payments, sql, stock};
use std::borrow::Cow;
use std::collections::BTreeMap;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, PublicId, Seq, ShopId, Side, Timestamp};

/// All writes of one decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub shop: ShopId,
    /// The epoch the decision was taken under.
    pub epoch: Epoch,
    pub at: Timestamp,
    pub writes: Vec<Write>,
    pub stock: Vec<StockChange>,
    pub entries: Vec<Entry>,
    pub wakes: Vec<Wake>,
}

/// An intent that is written, and when it has to be looked at again although nothing has come. One that is written and not
/// named: never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    pub intent: PublicId,
    pub at: Timestamp,
}

/// One document as it is to stand afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub kind: Kind,
    pub id: PublicId,
    /// None: the document must not exist. Some: it must stand at this version.
    pub expected: Option<u64>,
    pub document: Record,
    /// None: what the document's own `origin` says, else what is stored.
    pub origin: Option<Origin>,
    /// The document gets the next number of its kind in the shop, in the field that is null until then.
    pub numbered: bool,
}

/// Stock moves by signed differences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockChange {
    pub variant: PublicId,
    pub delta: i64,
}

/// One ledger entry of an order or an intent; debit positive, minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub order: PublicId,
    pub account: Name,
    pub currency: Name,
    pub amount: i64,
}

/// What a commit left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub seq: Seq,
    /// On hand after each of its stock changes, in their order.
    pub stock: Vec<i64>,
    /// What its numbered write got.
    pub serial: Option<i64>,
}

/// Why a commit did not happen. All but `Store` are refusals: nothing changed and no seq was spent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    #[error("no such shop")]
    UnknownShop,
    #[error("the shop is owned by {}", .owner.name())]
    NotOwner { owner: Side },
    #[error("the head is at epoch {head}")]
    WrongEpoch { head: Epoch },
    #[error("the shop is fenced")]
    Fenced,
    /// The document is not at the expected version: load, decide and commit again.
    #[error("{} {id} is not at the expected version", .kind.name())]
    Conflict { kind: Kind, id: PublicId },
    #[error("{left} of variant {variant} left")]
    OutOfStock { variant: PublicId, left: i64 },
    #[error("more of variant {variant} than can be counted")]
    TooMuchStock { variant: PublicId },
    #[error(transparent)]
    Store(#[from] Error),
}

impl CommitError {
    /// Whether the store said no, as opposed to having failed.
    pub const fn is_refusal(&self) -> bool {
        !matches!(self, Self::Store(_))
    }
}

/// Writes, stock changes and entries of one commit, together at most.
const CHANGES_MAX: usize = 4096;

impl Store {
    /// Stores all of it as the shop's next fact, durably, and answers its number and the stock it left.
    pub async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let prepared = Prepared::new(commit)?;
        let shop = prepared.commit.shop.clone();
        self.write_of(&shop, Door::Commit, move |connection| prepared.apply(connection)).await
    }
}

/// A commit with its JSON, made outside the writer.
struct Prepared {
    commit: Commit,
    /// The document of each write; at most one has a number to come.
    bodies: Vec<Gapped>,
    fact: Gapped,
}

impl Prepared {
    fn new(commit: Commit) -> Result<Self> {
        if commit.writes.len() + commit.stock.len() + commit.entries.len() > CHANGES_MAX {
            return Err(Error::Invalid(format!("a commit of more than {CHANGES_MAX} changes")));
        }
        let bodies: Vec<Gapped> = commit.writes.iter().map(body).collect::<Result<_>>()?;
        let texts: Vec<Cow<'_, str>> = bodies.iter().map(|body| body.filled(None)).collect();
        let text = facts::encode(&commit, &texts)?;
        let mut numbered = bodies.iter().filter(|body| !body.is_whole());
        let fact = match (numbered.next(), numbered.next()) {
            (None, _) => Gapped::whole(text),
            (Some(body), None) => Gapped::around(text, body)?,
            (Some(_), Some(_)) => return Err(Error::Invalid("a commit with two documents to be numbered".to_owned())),
        };
        Ok(Self { commit, bodies, fact })
    }

    fn apply(&self, connection: &Connection) -> Result<Committed, CommitError> {
        let commit = &self.commit;
        let mut seen = Seen::read(connection, commit)?;
        let seq = admit(seen.head.take(), commit)?.seq.next();
        let mut serial = None;
        for (write, body) in commit.writes.iter().zip(&self.bodies) {
            let own = if write.numbered { Some(serials::after(&commit.shop, seen.serial)?) } else { None };
            seen.put(connection, commit, write, &body.filled(own), own)?;
            serial = serial.or(own);
            if write.kind == Kind::Intent {
                let wake = commit.wakes.iter().find(|wake| wake.intent == write.id).map(|wake| wake.at);
                payments::set(connection, &commit.shop, &write.id, &write.document, wake)?;
            }
        }
        let Seen { mut on_hand, lasts, .. } = seen;
        let changes = commit.stock.iter().map(|change| stock::change(connection, commit, change, &mut on_hand));
        let stock = changes.collect::<Result<_, _>>()?;
        ledger::append(connection, commit, seq, lasts)?;
        facts::insert(connection, commit, seq, &self.fact.filled(serial))?;
        head::raise(connection, &commit.shop, seq)?;
        Ok(Committed { seq, stock, serial })
    }
}

fn body(write: &Write) -> Result<Gapped> {
    let encoded = json::encode(&write.document)?;
    if write.numbered {
        return Gapped::document(write.kind, &write.document, encoded);
    }
    Ok(Gapped::whole(encoded))
}

fn admit(head: Option<Head>, commit: &Commit) -> Result<Head, CommitError> {
    let head = head.ok_or(CommitError::UnknownShop)?;
    if head.owner != Side::Backend {
        return Err(CommitError::NotOwner { owner: head.owner });
    }
    if head.epoch != commit.epoch {
        return Err(CommitError::WrongEpoch { head: head.epoch });
    }
    if head.fenced {
        return Err(CommitError::Fenced);
    }
    Ok(head)
}

/// What stands under a write's id.
struct Standing {
    version: u64,
    history: bool,
    source_tx: Option<u64>,
    origin: Option<Origin>,
}

/// What a commit has to know of what stands, all of it asked for together behind the lock of the head. A write of the commit is
/// noted here, so that the next one sees it.
struct Seen {
    head: Option<Head>,
    standing: BTreeMap<(Kind, PublicId), Option<Standing>>,
    /// The highest number of the kind that gets one.
    serial: Option<i64>,
    on_hand: stock::OnHand,
    lasts: ledger::Lasts,
}

impl Seen {
    fn read(connection: &Connection, commit: &Commit) -> Result<Self> {
        let sql = "select version, class = 'history', source_tx, origin from document
                   where shop = ?1 and kind = ?2 and id = ?3";
        let shop = &commit.shop;
        let mut seen = Self {
            head: None,
            standing: commit.writes.iter().map(|write| ((write.kind, write.id.clone()), None)).collect(),
            serial: None,
            on_hand: stock::variants(commit),
            lasts: ledger::orders(commit),
        };
        let mut asks = vec![head::ask(shop, head::LOCK, &mut seen.head)];
        for ((kind, id), place) in &mut seen.standing {
            let key = vec![shop.as_str().value(), kind.name().value(), id.as_str().value()];
            asks.push(Ask::first("read of a version", sql, key, place, standing));
        }
        if let Some(write) = commit.writes.iter().find(|write| write.numbered) {
            asks.push(serials::ask(shop, write.kind, &mut seen.serial));
        }
        asks.extend(stock::asks(shop, &mut seen.on_hand));
        asks.extend(ledger::asks(shop, &mut seen.lasts));
        connection.together(asks)?;
        Ok(seen)
    }

    fn put(
        &mut self,
        connection: &Connection,
        commit: &Commit,
        write: &Write,
        body: &str,
        serial: Option<i64>,
    ) -> Result<(), CommitError> {
        let (shop, kind) = (&commit.shop, write.kind);
        let place = self.standing.entry((kind, write.id.clone())).or_default();
        let standing = place.take();
        let expected = match (&standing, write.expected) {
            (None, None) => true,
            (Some(standing), Some(version)) => standing.version == version && !standing.history,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !expected {
            return Err(CommitError::Conflict { kind, id: write.id.clone() });
        }
        let named = write.origin.as_ref().map(Origin::as_str).or_else(|| write.document.text("origin"));
        let kept = standing.as_ref().and_then(|standing| standing.origin.as_ref()).map(Origin::as_str);
        if named != kept {
            free(connection, shop, write, named)?;
        }
        let put = Put {
            shop,
            kind,
            id: &write.id,
            why: None,
            version: standing.as_ref().map_or(0, |standing| standing.version) + 1,
            source_tx: standing.as_ref().and_then(|standing| standing.source_tx),
            origin: named.or(kept),
            document: &write.document,
            serial,
            body,
            fingerprint: None,
            changed_at: Some(commit.at.0),
        };
        documents::put(connection, &put)?;
        let Put { version, source_tx, .. } = put;
        *place = Some(Standing { version, history: false, source_tx, origin: put.origin.map(Origin::new) });
        if commit.writes.iter().any(|numbered| numbered.numbered && numbered.kind == kind) {
            self.serial = self.serial.max(serials::of(&put));
        }
        Ok(())
    }
}

fn standing(row: &Row<'_>) -> Result<Standing> {
    Ok(Standing {
        version: sql::natural(row, 0)?,
        history: sql::cell(row, 1)?,
        source_tx: sql::natural_or_null(row, 2)?,
        origin: sql::origin(row, 3)?,
    })
}

/// An origin names one document: a second one is a bug of whoever minted it, and no refusal of the shop.
fn free(connection: &Connection, shop: &ShopId, write: &Write, origin: Option<&str>) -> Result<()> {
    let Some(origin) = origin else { return Ok(()) };
    let sql = "select id from document where shop = ?1 and kind = ?2 and origin = ?3 and id <> ?4";
    let key = [shop.as_str(), write.kind.name(), origin, write.id.as_str()];
    match sql::first(connection, "read of an origin", sql, key, |row| sql::public_id(row, 0))? {
        None => Ok(()),
        Some(held_by) => Err(Error::Invalid(format!("origin {origin} of {} is held by {held_by}", write.id))),
    }
}
