//! The plan: what is to be moved, from where, by which rules, until when. Each change of it is a new version.

use crate::sql::{Connection, params};
use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
use vocab::document::{Node, Record};
use vocab::id::{Part, ShopId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The URL of the source database.
    pub source: String,
    pub mappings: Vec<PlanFile>,
    /// The files of control totals; each is named after the mapping file that it stands beside.
    pub totals: Vec<PlanFile>,
    /// The text of the policy; empty where none was given.
    pub policy: String,
    /// Basis points per part; they sum to 10,000.
    pub weights: Vec<(Part, u32)>,
    pub shops: Vec<PlannedShop>,
    pub deadline: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A file as it was read when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    pub name: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedShop {
    pub shop: ShopId,
    pub parts: Vec<Part>,
}

impl Store {
    /// Stores the plan as the newest version and answers its number, from 1.
    pub async fn set_plan(&self, plan: &Plan) -> Result<i64> {
        let body = json::encode(&plan.to_record())?;
        self.write(Door::Control, move |connection| insert(connection, &body)).await
    }

    /// The newest version of the plan.
    pub async fn plan(&self) -> Result<Option<Plan>> {
        self.read(|connection| {
            let sql = "select body from plan order by version desc limit 1";
            sql::first(connection, "read of the plan", sql, sql::NOTHING, |row| sql::record(row, 0))
        })
        .await?
        .map(|record| Plan::from_record(&record).ok_or_else(unreadable))
        .transpose()
    }
}

fn insert(connection: &Connection, body: &str) -> Result<i64> {
    let sql = "insert into plan (version, body) select coalesce(max(version), 0) + 1, ?1 from plan returning version";
    let version = sql::first(connection, "write of the plan", sql, params![body], |row| sql::cell(row, 0))?;
    version.ok_or_else(unreadable)
}

fn unreadable() -> Error {
    Error::Corrupt { what: "plan", why: "a field is missing or of another type".to_owned() }
}

impl Plan {
    fn to_record(&self) -> Record {
        let weight = |(part, bp): &(Part, u32)| Record::default().with("part", part.name()).with("bp", i64::from(*bp));
        let shop = |planned: &PlannedShop| {
            let parts: Vec<Node> = planned.parts.iter().map(|part| part.name().into()).collect();
            Record::default().with("shop", planned.shop.as_str()).with("parts", parts)
        };
        Record::default()
            .with("source", self.source.as_str())
            .with("mappings", nodes(&self.mappings, PlanFile::to_record))
            .with("totals", nodes(&self.totals, PlanFile::to_record))
            .with("policy", self.policy.as_str())
            .with("weights", nodes(&self.weights, weight))
            .with("shops", nodes(&self.shops, shop))
            .with("deadline", self.deadline.map(|at| at.0))
            .with("created_at", self.created_at.0)
    }

    /// None where a field is missing or of another type.
    fn from_record(record: &Record) -> Option<Self> {
        let weight = |weight: &Record| Some((part(weight.get("part")?)?, u32::try_from(weight.int("bp")?).ok()?));
        let shop = |planned: &Record| {
            let parts = planned.list("parts").iter().map(part).collect::<Option<_>>()?;
            Some(PlannedShop { shop: ShopId::parse(planned.text("shop")?).ok()?, parts })
        };
        Some(Self {
            source: record.text("source")?.to_owned(),
            mappings: items(record.list("mappings"), PlanFile::from_record)?,
            totals: items(record.list("totals"), PlanFile::from_record)?,
            policy: record.text("policy")?.to_owned(),
            weights: items(record.list("weights"), weight)?,
            shops: items(record.list("shops"), shop)?,
            deadline: record.int("deadline").map(Timestamp),
            created_at: Timestamp(record.int("created_at")?),
        })
    }
}

impl PlanFile {
    fn to_record(&self) -> Record {
        Record::default().with("name", self.name.as_str()).with("text", self.text.as_str())
    }

    fn from_record(record: &Record) -> Option<Self> {
        Some(Self { name: record.text("name")?.to_owned(), text: record.text("text")?.to_owned() })
    }
}

fn part(node: &Node) -> Option<Part> {
    match node {
        Node::Text(name) => Part::ALL.into_iter().find(|part| part.name() == name),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::List(_) | Node::Record(_) => None,
    }
}

fn nodes<T>(items: &[T], to_record: impl Fn(&T) -> Record) -> Vec<Node> {
    items.iter().map(|item| Node::Record(to_record(item))).collect()
}

fn items<T>(nodes: &[Node], from_record: impl Fn(&Record) -> Option<T>) -> Option<Vec<T>> {
    let item = |node: &Node| match node {
        Node::Record(record) => from_record(record),
        Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => None,
    };
    nodes.iter().map(item).collect()
}
