//! Facts: what was committed at Backend, numbered without gaps.

use crate::commit::{Commit, Entry, StockChange};
use crate::json::{self, Tree};
use crate::sql::{Connection, Owned, Row, params};
use crate::{Error, Result, Store, sql};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use vocab::document::Node;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, PublicId, Seq, ShopId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub seq: Seq,
    pub epoch: Epoch,
    pub at: Timestamp,
    /// Each document after the commit.
    pub writes: Vec<(Kind, PublicId, Record)>,
    pub stock: Vec<StockChange>,
    pub entries: Vec<Entry>,
}

impl Store {
    /// The facts after `after`, in their order, at most `limit`.
    pub async fn facts(&self, shop: &ShopId, after: Seq, limit: usize) -> Result<Vec<Fact>> {
        let (shop, after) = (shop.clone(), sql::int(after.0)?);
        self.read(move |connection| {
            let sql = "select seq, epoch, at, body from fact where shop = ?1 and seq > ?2 order by seq limit ?3";
            sql::all(connection, "read of facts", sql, params![shop.as_str(), after, sql::limit(limit)], fact)
        })
        .await
    }
}

#[derive(Serialize)]
struct Body<'a> {
    writes: Vec<Written<'a>>,
    stock: Vec<Moved<'a>>,
    entries: Vec<Entered<'a>>,
}

#[derive(Serialize)]
struct Written<'a> {
    kind: &'a str,
    id: &'a str,
    document: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Moved<'a> {
    #[serde(borrow)]
    variant: Cow<'a, str>,
    delta: i64,
}

#[derive(Serialize, Deserialize)]
struct Entered<'a> {
    #[serde(borrow)]
    order: Cow<'a, str>,
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    amount: i64,
}

#[derive(Deserialize)]
struct ReadBody<'a> {
    #[serde(borrow)]
    writes: Vec<ReadWritten<'a>>,
    #[serde(borrow)]
    stock: Vec<Moved<'a>>,
    #[serde(borrow)]
    entries: Vec<Entered<'a>>,
}

#[derive(Deserialize)]
struct ReadWritten<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    document: Tree,
}

/// The fact's body; `bodies` are the encoded documents of the writes.
pub fn encode(commit: &Commit, bodies: &[Cow<'_, str>]) -> Result<String> {
    compose(commit, bodies).and_then(|body| serde_json::to_string(&body)).map_err(|why| Error::Invalid(why.to_string()))
}

fn compose<'a>(commit: &'a Commit, bodies: &'a [Cow<'_, str>]) -> serde_json::Result<Body<'a>> {
    let mut writes = Vec::with_capacity(bodies.len());
    for (write, body) in commit.writes.iter().zip(bodies) {
        let document = serde_json::from_str(body)?;
        writes.push(Written { kind: write.kind.name(), id: write.id.as_str(), document });
    }
    let stock =
        commit.stock.iter().map(|change| Moved { variant: change.variant.as_str().into(), delta: change.delta });
    let entries = commit.entries.iter().map(|entry| Entered {
        order: entry.order.as_str().into(),
        account: entry.account.as_ref().into(),
        currency: entry.currency.as_ref().into(),
        amount: entry.amount,
    });
    Ok(Body { writes, stock: stock.collect(), entries: entries.collect() })
}

/// Writes these, which are new.
pub fn append_all(connection: &Connection, rows: Vec<Vec<Owned>>) -> Result<()> {
    let sql = "insert into fact (shop, seq, epoch, at, body) values (?1, ?2, ?3, ?4, ?5)";
    sql::defer_each(connection, "write of a fact", sql, rows)
}

/// A row of these.
pub fn row(commit: &Commit, seq: Seq, body: &str) -> Result<Vec<Owned>> {
    Ok(sql::owned(params![commit.shop.as_str(), sql::int(seq.0)?, sql::int(commit.epoch.0)?, commit.at.0, body]))
}

fn fact(row: &Row<'_>) -> Result<Fact> {
    let text: String = sql::cell(row, 3)?;
    let body: ReadBody<'_> = json::parse(&text, "fact")?;
    let stock = body.stock.into_iter();
    let entries = body.entries.into_iter();
    Ok(Fact {
        seq: sql::seq(row, 0)?,
        epoch: sql::epoch(row, 1)?,
        at: Timestamp(sql::cell(row, 2)?),
        writes: body.writes.into_iter().map(written).collect::<Result<_>>()?,
        stock: stock.map(|moved| StockChange { variant: PublicId::new(&*moved.variant), delta: moved.delta }).collect(),
        entries: entries.map(entered).collect(),
    })
}

fn written(write: ReadWritten<'_>) -> Result<(Kind, PublicId, Record)> {
    let corrupt = |why: &str| Error::Corrupt { what: "fact", why: why.to_owned() };
    let kind = Kind::from_name(&write.kind).ok_or_else(|| corrupt("an unknown kind"))?;
    let Tree(Node::Record(document)) = write.document else {
        return Err(corrupt("a document that is no object"));
    };
    Ok((kind, PublicId::new(&*write.id), document))
}

fn entered(entry: Entered<'_>) -> Entry {
    Entry {
        order: PublicId::new(&*entry.order),
        account: entry.account.as_ref().into(),
        currency: entry.currency.as_ref().into(),
        amount: entry.amount,
    }
}
