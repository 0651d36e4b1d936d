//! Reads over all shops at once, for whoever shows a whole plan: one statement each, however many shops there are.

use crate::findings::{FOUND, FindingCount, FoundFinding, found};
use crate::sql::{Row, params};
use crate::wishes::{StoredWish, stored_wish};
use crate::{Result, Store, sql, steps};
use vocab::id::{Direction, Epoch, Kind, Name, Origin, ShopId, Timestamp};

/// Findings and debts of one shop; a shop without any has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopCount {
    pub shop: ShopId,
    pub findings_open: u64,
    pub findings_accepted: u64,
    pub debts: u64,
}

/// One change of an owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flip {
    pub at: Timestamp,
    pub shop: ShopId,
    pub direction: Direction,
}

/// How long one hold took, from its intent to its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldLength {
    pub shop: ShopId,
    pub epoch: Epoch,
    pub total_us: i64,
    pub aborted: bool,
}

/// What names one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingKey {
    pub shop: ShopId,
    pub class: Name,
    pub kind: Kind,
    pub origin: Origin,
}

const COUNTS: &str = "read of counts";
const FINDINGS: &str = "read of findings";
const RECORDS: &str = "read of step records";

impl Store {
    /// The number of the newest plan; none before the first.
    pub async fn plan_version(&self) -> Result<Option<i64>> {
        let sql = "select max(version) from plan";
        let read =
            |connection: &sql::Connection| sql::first(connection, COUNTS, sql, sql::NOTHING, |row| sql::cell(row, 0));
        Ok(self.read(read).await?.flatten())
    }

    /// Findings and debts of every shop that has any, by shop.
    pub async fn shop_counts(&self) -> Result<Vec<ShopCount>> {
        self.read(|connection| {
            connection.takes_long();
            let sql = "with counted as (
                           select shop, count(*) - count(accepted_by) as open, count(accepted_by) as accepted, 0 as debts
                           from finding group by shop
                           union all select shop, 0, 0, count(*) from debt group by shop)
                       select shop, cast(sum(open) as bigint), cast(sum(accepted) as bigint), cast(sum(debts) as bigint) from counted group by shop order by shop";
            sql::all(connection, COUNTS, sql, sql::NOTHING, |row| {
                Ok(ShopCount {
                    shop: sql::shop(row, 0)?,
                    findings_open: sql::natural(row, 1)?,
                    findings_accepted: sql::natural(row, 2)?,
                    debts: sql::natural(row, 3)?,
                })
            })
        })
        .await
    }

    /// Every change of an owner at `since` or later, oldest first.
    pub async fn flips(&self, since: Timestamp) -> Result<Vec<Flip>> {
        self.read(move |connection| {
            let sql = "select at, shop, direction from step_record
                       where step = 'flip' and phase = 'done' and at >= ?1 order by at, shop";
            sql::all(connection, RECORDS, sql, [since.0], |row| {
                let (at, shop) = (sql::timestamp(row, 0)?, sql::shop(row, 1)?);
                Ok(Flip { at, shop, direction: steps::direction(row, 2)? })
            })
        })
        .await
    }

    /// The newest holds that have ended, newest first.
    pub async fn hold_lengths(&self, limit: usize) -> Result<Vec<HoldLength>> {
        self.read(move |connection| {
            let sql = "with newest as (select shop, epoch, at from step_record
                                       where step = 'release' and phase = 'done' order by at desc limit ?1)
                       select shop, epoch,
                              at - (select max(began.at) from step_record began
                                    where began.shop = newest.shop and began.epoch = newest.epoch
                                      and began.step = 'hold' and began.phase = 'intent' and began.at <= newest.at),
                              exists (select 1 from step_record gave_up
                                      where gave_up.shop = newest.shop and gave_up.epoch = newest.epoch
                                        and gave_up.step = 'abort' and gave_up.phase = 'done')
                       from newest";
            let read = |row: &Row<'_>| {
                let (shop, epoch) = (sql::shop(row, 0)?, sql::epoch(row, 1)?);
                let total_us = sql::cell::<Option<i64>>(row, 2)?.unwrap_or(0);
                Ok(HoldLength { shop, epoch, total_us, aborted: sql::cell(row, 3)? })
            };
            sql::all(connection, RECORDS, sql, [sql::limit(limit)], read)
        })
        .await
    }

    /// How many findings of each class are open and accepted, over all shops, by class.
    pub async fn finding_classes(&self) -> Result<Vec<FindingCount>> {
        self.read(|connection| {
            let sql = "select class, count(*) - count(accepted_by), count(accepted_by) from finding
                       group by class order by class";
            sql::all(connection, FINDINGS, sql, sql::NOTHING, |row| {
                let (open, accepted) = (sql::natural(row, 1)?, sql::natural(row, 2)?);
                Ok(FindingCount { class: sql::name(row, 0)?, open, accepted })
            })
        })
        .await
    }

    /// Findings by shop, class, kind and origin, those after the first `skip`; of one class or shop where it is given.
    pub async fn findings_page(
        &self,
        shop: Option<&ShopId>,
        class: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<FoundFinding>> {
        let (shop, class) = (shop.map(|shop| shop.as_str().to_owned()), class.map(str::to_owned));
        self.read(move |connection| {
            let sql = format!(
                "select {FOUND} from finding where (cast(?1 as text) is null or shop = ?1) and (cast(?2 as text) is null or class = ?2)
                 order by shop, class, kind, origin limit ?3 offset ?4"
            );
            sql::all(connection, FINDINGS, &sql, params![shop, class, sql::limit(limit), sql::limit(skip)], found)
        })
        .await
    }

    /// One finding; none where it has gone away.
    pub async fn finding(&self, key: &FindingKey) -> Result<Option<FoundFinding>> {
        let key = key.clone();
        self.read(move |connection| {
            let sql =
                format!("select {FOUND} from finding where shop = ?1 and class = ?2 and kind = ?3 and origin = ?4");
            let cells = params![key.shop.as_str(), key.class, key.kind.name(), key.origin.as_str()];
            sql::first(connection, FINDINGS, &sql, cells, found)
        })
        .await
    }

    /// The newest wishes that concern a shop (those for all shops too), newest first; of all shops without one.
    pub async fn newest_wishes(&self, shop: Option<&ShopId>, limit: usize) -> Result<Vec<StoredWish>> {
        let shop = shop.map(|shop| shop.as_str().to_owned());
        self.read(move |connection| {
            let sql = "select id, shop, verb, args, who, why, at, outcome from wish
                       where cast(?1 as text) is null or shop is null or shop = ?1 order by id desc limit ?2";
            sql::all(connection, "read of wishes", sql, params![shop, sql::limit(limit)], stored_wish)
        })
        .await
    }
}
