//! Findings: what could not be moved or does not match. Open ones block a flip; a person may accept a class of them.

use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
use rusqlite::{Row, params};
use vocab::document::Record;
use vocab::id::{Kind, Name, Origin, ShopId};

/// One finding per shop, class, kind and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub shop: ShopId,
    pub class: Name,
    pub kind: Kind,
    pub origin: Origin,
    pub detail: Record,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFinding {
    pub finding: Finding,
    /// Who accepted it; none while it is open.
    pub accepted_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingCount {
    pub class: Name,
    pub open: u64,
    pub accepted: u64,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AcceptError {
    /// The person has looked at another number of findings than there are now.
    #[error("{open} findings are open")]
    CountDiffers { open: u64 },
    #[error(transparent)]
    Store(#[from] Error),
}

/// Findings of one read.
const FINDINGS_MAX: i64 = 10_000;

const READ: &str = "read of findings";
const WRITE: &str = "write of findings";

impl Store {
    /// Stores or replaces a finding. An accepted one stays accepted while its detail stays the same.
    pub async fn open_finding(&self, finding: Finding) -> Result<()> {
        let detail = json::encode(&finding.detail)?;
        self.write(Door::Control, move |connection| {
            let sql = "insert into finding (shop, class, kind, origin, detail) values (?1, ?2, ?3, ?4, ?5)
                       on conflict (shop, class, kind, origin) do update set detail = excluded.detail,
                           accepted_by = case when detail = excluded.detail then accepted_by end";
            let Finding { shop, class, kind, origin, .. } = &finding;
            let cells = params![shop.as_str(), class, kind.name(), origin.as_str(), detail];
            sql::execute(connection, WRITE, sql, cells).map(drop)
        })
        .await
    }

    /// Takes away every finding of this origin and answers how many there were.
    pub async fn close_findings(&self, shop: &ShopId, kind: Kind, origin: &Origin) -> Result<u64> {
        let (shop, origin) = (shop.clone(), origin.clone());
        self.write(Door::Control, move |connection| {
            let sql = "delete from finding where shop = ?1 and kind = ?2 and origin = ?3";
            let key = [shop.as_str(), kind.name(), origin.as_str()];
            sql::execute(connection, WRITE, sql, key).and_then(sql::count)
        })
        .await
    }

    /// Accepts all open findings of a class, if there are exactly `count`.
    pub async fn accept_findings(&self, shop: &ShopId, class: &str, count: u64, by: &str) -> Result<(), AcceptError> {
        let (shop, class, by) = (shop.clone(), class.to_owned(), by.to_owned());
        self.write(Door::Control, move |connection| {
            let sql = "update finding set accepted_by = ?3
                       where shop = ?1 and class = ?2 and accepted_by is null";
            let cells = params![shop.as_str(), class, by];
            let open = sql::execute(connection, WRITE, sql, cells).and_then(sql::count)?;
            // A refusal undoes what was just accepted.
            if open == count { Ok(()) } else { Err(AcceptError::CountDiffers { open }) }
        })
        .await
    }

    /// Open and accepted findings by class, kind and origin, at most 10,000.
    pub async fn findings(&self, shop: &ShopId) -> Result<Vec<FoundFinding>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select class, kind, origin, detail, accepted_by from finding where shop = ?1
                       order by class, kind, origin limit ?2";
            sql::all(connection, READ, sql, params![shop.as_str(), FINDINGS_MAX], |row| found(&shop, row))
        })
        .await
    }

    /// How many findings of each class are open and accepted, by class.
    pub async fn finding_counts(&self, shop: &ShopId) -> Result<Vec<FindingCount>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select class, count(*) - count(accepted_by), count(accepted_by) from finding
                       where shop = ?1 group by class order by class";
            sql::all(connection, READ, sql, [shop.as_str()], |row| {
                let (open, accepted) = (sql::natural(row, 1)?, sql::natural(row, 2)?);
                Ok(FindingCount { class: sql::name(row, 0)?, open, accepted })
            })
        })
        .await
    }
}

fn found(shop: &ShopId, row: &Row<'_>) -> Result<FoundFinding> {
    let finding = Finding {
        shop: shop.clone(),
        class: sql::name(row, 0)?,
        kind: sql::kind(row, 1)?,
        origin: Origin::new(sql::name(row, 2)?),
        detail: sql::record(row, 3)?,
    };
    Ok(FoundFinding { finding, accepted_by: sql::cell(row, 4)? })
}
