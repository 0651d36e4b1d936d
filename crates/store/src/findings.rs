//! Findings: what could not be moved or does not match. Open ones block a flip; a person may accept a class of them.

use crate::sql::{Row, params};
use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Name, Origin, ShopId, Timestamp};

/// One finding per shop, class, kind and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub shop: ShopId,
    pub class: Name,
    pub kind: Kind,
    pub origin: Origin,
    pub detail: Record,
}

/// How many aggregates a finding of a whole shop names.
const AGGREGATES_MAX: usize = 20;

impl Finding {
    /// The detail of a finding of a whole shop, with the aggregates that it is about: as many as somebody may want to see.
    pub fn naming(detail: Record, about: impl IntoIterator<Item = (Kind, Origin)>) -> Record {
        let one = |(kind, origin): (Kind, Origin)| {
            Node::Record(Record::default().with("kind", kind.name()).with("origin", origin.as_str()))
        };
        detail.with("aggregates", about.into_iter().take(AGGREGATES_MAX).map(one).collect::<Vec<_>>())
    }

    /// The aggregates that it is about: itself, or those that it names.
    pub fn about(&self) -> Vec<(Kind, Origin)> {
        if self.is_of_an_aggregate() {
            return vec![(self.kind, self.origin.clone())];
        }
        let named = self.detail.list("aggregates").iter().filter_map(|node| match node {
            Node::Record(one) => Some((Kind::from_name(one.text("kind")?)?, Origin::new(one.text("origin")?))),
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => None,
        });
        named.collect()
    }

    /// What is said of a shop as a whole has a name for its origin, or of a table or transaction; its terms have a row.
    fn is_of_an_aggregate(&self) -> bool {
        let origin = self.origin.as_str();
        let row = origin.contains(':') && !origin.starts_with("tx:") && !origin.starts_with("table:");
        self.kind != Kind::Shop || row
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFinding {
    pub finding: Finding,
    /// When it was first found; none where an earlier version found it.
    pub since: Option<Timestamp>,
    /// Who accepted it; none while it is open.
    pub accepted_by: Option<String>,
    pub accepted_why: Option<String>,
}

/// A person has looked at so many open findings of a class: of one shop, or of all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    pub shop: Option<ShopId>,
    pub class: Name,
    pub count: u64,
    pub who: String,
    pub why: String,
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
    /// Stores or replaces a finding. An accepted one stays accepted while its detail stays the same; one whose shop was
    /// being copied again because of it stops once more.
    pub async fn open_finding(&self, finding: Finding, at: Timestamp) -> Result<()> {
        let detail = json::encode(&finding.detail)?;
        self.write(Door::Control, move |connection| {
            let sql = "insert into finding (shop, class, kind, origin, detail, since) values (?1, ?2, ?3, ?4, ?5, ?6)
                       on conflict (shop, class, kind, origin) do update set detail = excluded.detail, mending = 0,
                           accepted_by = case when finding.detail = excluded.detail then finding.accepted_by end,
                           accepted_why = case when finding.detail = excluded.detail then finding.accepted_why end";
            let Finding { shop, class, kind, origin, .. } = &finding;
            let cells = params![shop.as_str(), class, kind.name(), origin.as_str(), detail, at.0];
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

    /// Takes away what else was found of this origin; answers how many there were.
    pub async fn close_other_findings(&self, finding: &Finding) -> Result<u64> {
        let Finding { shop, class, kind, origin, .. } = finding.clone();
        self.write(Door::Control, move |connection| {
            let sql = "delete from finding where shop = ?1 and kind = ?2 and origin = ?3 and class <> ?4";
            let key = [shop.as_str(), kind.name(), origin.as_str(), &class];
            sql::execute(connection, WRITE, sql, key).and_then(sql::count)
        })
        .await
    }

    /// Accepts all open findings of a class, if there are exactly as many as somebody has looked at.
    pub async fn accept_findings(&self, acceptance: Acceptance) -> Result<(), AcceptError> {
        self.write(Door::Control, move |connection| {
            let Acceptance { shop, class, count, who, why } = &acceptance;
            let sql = "update finding set accepted_by = ?3, accepted_why = ?4
                       where (cast(?1 as text) is null or shop = ?1) and class = ?2 and accepted_by is null";
            let cells = params![shop.as_ref().map(ShopId::as_str), class, who, why];
            let open = sql::execute(connection, WRITE, sql, cells).and_then(sql::count)?;
            // A refusal undoes what was just accepted.
            if open == *count { Ok(()) } else { Err(AcceptError::CountDiffers { open }) }
        })
        .await
    }

    /// Takes away every open finding of a class.
    pub async fn close_class(&self, shop: &ShopId, class: &str) -> Result<u64> {
        let (shop, class) = (shop.clone(), class.to_owned());
        self.write(Door::Control, move |connection| {
            let sql = "delete from finding where shop = ?1 and class = ?2 and accepted_by is null";
            sql::execute(connection, WRITE, sql, [shop.as_str(), &class]).and_then(sql::count)
        })
        .await
    }

    /// From now on the open findings of these classes stop the shop no more: its copy begins again because of them.
    pub async fn mend_findings(&self, shop: &ShopId, classes: &'static [&'static str]) -> Result<()> {
        let shop = shop.clone();
        self.write(Door::Control, move |connection| {
            let sql = "update finding set mending = 1 where shop = ?1 and class = ?2 and accepted_by is null";
            classes.iter().try_for_each(|class| sql::execute(connection, WRITE, sql, [shop.as_str(), class]).map(drop))
        })
        .await
    }

    /// Takes away the findings because of which the shop was copied again; answers how many there were.
    pub async fn close_mended(&self, shop: &ShopId) -> Result<u64> {
        let shop = shop.clone();
        self.write(Door::Control, move |connection| {
            let sql = "delete from finding where shop = ?1 and mending = 1";
            sql::execute(connection, WRITE, sql, [shop.as_str()]).and_then(sql::count)
        })
        .await
    }

    /// How many findings are those because of which the shop is being copied again.
    pub async fn count_mending(&self, shop: &ShopId) -> Result<u64> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select count(*) from finding where shop = ?1 and mending = 1";
            let count = sql::first(connection, READ, sql, [shop.as_str()], |row| sql::natural(row, 0))?;
            Ok(count.unwrap_or(0))
        })
        .await
    }

    /// The first of these classes of which the shop has an open finding that is not being mended.
    pub async fn stopped_by(&self, shop: &ShopId, classes: &'static [&'static str]) -> Result<Option<Name>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql =
                "select class from finding where shop = ?1 and accepted_by is null and mending = 0 group by class";
            let open = sql::all(connection, READ, sql, [shop.as_str()], |row| sql::name(row, 0))?;
            Ok(classes.iter().find_map(|class| open.iter().find(|name| &***name == *class)).cloned())
        })
        .await
    }

    /// Open and accepted findings by class, kind and origin, at most 10,000.
    pub async fn findings(&self, shop: &ShopId) -> Result<Vec<FoundFinding>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = format!("select {FOUND} from finding where shop = ?1 order by class, kind, origin limit ?2");
            sql::all(connection, READ, &sql, params![shop.as_str(), FINDINGS_MAX], found)
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

/// The columns of a finding, in the order in which [`found`] reads them.
pub(crate) const FOUND: &str = "shop, class, kind, origin, detail, since, accepted_by, accepted_why";

pub(crate) fn found(row: &Row<'_>) -> Result<FoundFinding> {
    let finding = Finding {
        shop: sql::shop(row, 0)?,
        class: sql::name(row, 1)?,
        kind: sql::kind(row, 2)?,
        origin: Origin::new(sql::name(row, 3)?),
        detail: sql::record(row, 4)?,
    };
    Ok(FoundFinding {
        finding,
        since: sql::cell::<Option<i64>>(row, 5)?.map(Timestamp),
        accepted_by: sql::cell(row, 6)?,
        accepted_why: sql::cell(row, 7)?,
    })
}
