//! The commit door: a shop that Backend owns changes, and the change becomes its next fact.

mod rows;
mod seen;
#[cfg(test)]
mod tests;
mod together;

use crate::serials::Gapped;
use crate::{Error, Result, Store, facts, json};
pub use rows::Moved;
use std::borrow::Cow;
pub use together::together;
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
        self.writer_of(&prepared.commit.shop).commit(prepared).await
    }
}

/// A commit with its JSON, made outside the writer.
pub struct Prepared {
    pub commit: Commit,
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

    /// Whether it asks the database while it is made, and so can only be made by itself.
    pub fn is_by_itself(&self) -> bool {
        self.commit.writes.iter().any(|write| write.kind == Kind::Intent)
    }
}

fn body(write: &Write) -> Result<Gapped> {
    let encoded = json::encode(&write.document)?;
    if write.numbered {
        return Gapped::document(write.kind, &write.document, encoded);
    }
    Ok(Gapped::whole(encoded))
}
