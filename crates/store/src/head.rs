//! The head of a shop: the one row that says who owns it, at which epoch, and how many facts it has.

use crate::leases;
use crate::sql::{Ask, Bind, Connection, Row, params};
use crate::steps::{self, Step};
use crate::writer::Door;
use crate::{Error, Result, Store, sql};
use vocab::id::{Epoch, Seq, ShopId, Side};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub shop: ShopId,
    pub owner: Side,
    pub epoch: Epoch,
    /// Our own side takes no commits: a way back is between fence and flip or abort.
    pub fenced: bool,
    /// The number of the newest fact; 0 before the first.
    pub seq: Seq,
}

/// What a flip, an abort or a fence of our side makes of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadChange {
    pub shop: ShopId,
    /// The epoch the head must have now.
    pub expect_epoch: Epoch,
    pub owner: Side,
    pub epoch: Epoch,
    pub fenced: bool,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum HeadError {
    #[error("no such shop")]
    UnknownShop,
    /// The head has moved on since the caller read it.
    #[error("the head is at epoch {head}")]
    WrongEpoch { head: Epoch },
    #[error(transparent)]
    Store(#[from] Error),
}

impl Store {
    /// Makes a head (owner Legacy, epoch 1, seq 0) for each shop that has none; the others stay as they are.
    pub async fn create_heads(&self, shops: &[ShopId]) -> Result<()> {
        let shops = shops.to_vec();
        self.write(Door::Control, move |connection| shops.iter().try_for_each(|shop| create(connection, shop))).await
    }

    pub async fn head(&self, shop: &ShopId) -> Result<Option<Head>> {
        let shop = shop.clone();
        self.read_briefly(move |connection| find(connection, &shop)).await
    }

    /// All heads, in the order of their shops.
    pub async fn heads(&self) -> Result<Vec<Head>> {
        self.read_briefly(|connection| {
            let sql = "select shop, owner, epoch, fenced, seq from shop_head order by shop";
            sql::all(connection, "read of the heads", sql, sql::NOTHING, head)
        })
        .await
    }

    /// Changes a head and writes the step record in one transaction, in line with the commits of the shop. Answers
    /// the head's seq at that moment, which the step record keeps too.
    pub async fn move_head(&self, change: HeadChange, step: Step) -> Result<Seq, HeadError> {
        if change.epoch < change.expect_epoch || change.shop != step.shop {
            return Err(Error::Invalid(format!("a change of {}'s head to an earlier epoch", change.shop)).into());
        }
        let lease = self.lease.clone();
        self.write(Door::Control, move |connection| {
            leases::check(connection, lease.as_deref())?;
            let seq = apply(connection, &change)?;
            steps::insert(connection, &step, Some(seq))?;
            Ok(seq)
        })
        .await
    }
}

pub const FIND: &str = "select shop, owner, epoch, fenced, seq from shop_head where shop = ?1";
/// Nobody else moves it before the transaction ends.
pub const LOCK: &str = "select shop, owner, epoch, fenced, seq from shop_head where shop = ?1 /* for update */";
const READ: &str = "read of a head";

/// The question for a head, with others.
pub fn ask<'a>(shop: &'a ShopId, sql: &'static str, place: &'a mut Option<Head>) -> Ask<'a> {
    Ask::first(READ, sql, vec![shop.as_str().value()], place, head)
}

/// The head as it stands in this transaction.
pub fn find(connection: &Connection, shop: &ShopId) -> Result<Option<Head>> {
    sql::first(connection, READ, FIND, [shop.as_str()], head)
}

/// The same, and nobody else moves it before this transaction ends.
pub fn lock(connection: &Connection, shop: &ShopId) -> Result<Option<Head>> {
    sql::first(connection, READ, LOCK, [shop.as_str()], head)
}

/// A head from `shop, owner, epoch, fenced, seq`.
pub fn head(row: &Row<'_>) -> Result<Head> {
    Ok(Head {
        shop: sql::shop(row, 0)?,
        owner: sql::side(row, 1)?,
        epoch: sql::epoch(row, 2)?,
        fenced: sql::cell(row, 3)?,
        seq: sql::seq(row, 4)?,
    })
}

fn create(connection: &Connection, shop: &ShopId) -> Result<()> {
    let sql = "insert into shop_head values (?1, 'legacy', 1, 0, 0) on conflict (shop) do nothing";
    sql::execute(connection, "write of a head", sql, [shop.as_str()]).map(drop)
}

fn apply(connection: &Connection, change: &HeadChange) -> Result<Seq, HeadError> {
    let head = lock(connection, &change.shop)?.ok_or(HeadError::UnknownShop)?;
    // One epoch has one owner: only our own fence moves without a new one.
    let same_epoch = change.epoch == change.expect_epoch;
    if head.epoch != change.expect_epoch || (same_epoch && change.owner != head.owner) {
        return Err(HeadError::WrongEpoch { head: head.epoch });
    }
    let cells = params![change.shop.as_str(), change.owner.name(), sql::int(change.epoch.0)?, change.fenced];
    let sql = "update shop_head set owner = ?2, epoch = ?3, fenced = ?4 where shop = ?1";
    sql::execute(connection, "write of a head", sql, cells)?;
    Ok(head.seq)
}

/// Raises the seq of a head that this transaction has read.
pub fn raise(connection: &Connection, shop: &ShopId, seq: Seq) -> Result<()> {
    let sql = "update shop_head set seq = ?2 where shop = ?1";
    sql::defer(connection, "write of a head", sql, params![shop.as_str(), sql::int(seq.0)?])
}
