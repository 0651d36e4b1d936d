//! The ledger: entries per order, debit positive.

use crate::commit::{Commit, Entry};
use crate::sql::{Ask, Bind, Connection, Owned, params};
use crate::{Error, Result, Store, sql};
use std::collections::BTreeMap;
use vocab::id::{Name, PublicId, Seq, ShopId};

/// What the entries of an account add up to, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSum {
    pub account: Name,
    pub currency: Name,
    pub amount: i64,
}

impl Store {
    /// The sum of every account and currency of the shop, by account, then currency.
    pub async fn ledger_sums(&self, shop: &ShopId) -> Result<Vec<LedgerSum>> {
        let shop = shop.clone();
        self.read(move |connection| {
            connection.takes_long();
            let sql = "select account, currency, cast(sum(amount) as bigint) from ledger where shop = ?1
                       group by account, currency order by account, currency";
            sql::all(connection, "sum of the ledger", sql, [shop.as_str()], |row| {
                Ok(LedgerSum { account: sql::name(row, 0)?, currency: sql::name(row, 1)?, amount: sql::cell(row, 2)? })
            })
        })
        .await
    }

    /// Orders whose entries do not sum to zero in some currency, by id, at most `limit`.
    pub async fn unbalanced_orders(&self, shop: &ShopId, limit: usize) -> Result<Vec<PublicId>> {
        let shop = shop.clone();
        self.read(move |connection| {
            connection.takes_long();
            let sql = "select order_id from ledger where shop = ?1
                       group by order_id, currency having sum(amount) <> 0 order by order_id limit ?2";
            let cells = params![shop.as_str(), sql::limit(limit)];
            sql::all(connection, "balance of the ledger", sql, cells, |row| {
                Ok(PublicId::new(sql::cell::<String>(row, 0)?))
            })
        })
        .await
    }
}

/// What the entries of an intent stand under: an order of its shop may have the same id.
pub fn of_intent(intent: &PublicId) -> PublicId {
    PublicId::new(format!("intent/{intent}"))
}

const READ: &str = "read of the ledger";
const WRITE: &str = "write of the ledger";

/// The highest number of the entries of each order that a commit adds to; none: it has no entries.
pub type Lasts = BTreeMap<PublicId, Option<i64>>;

/// The question for these, with others.
pub fn ask<'a>(shop: &'a ShopId, lasts: &'a mut Lasts) -> Ask<'a> {
    let sql = "select n from ledger where shop = ?1 and order_id = ?2 order by n desc limit 1";
    let key = |order: &'a PublicId| vec![shop.as_str().value(), order.as_str().value()];
    let (keys, places) = lasts.iter_mut().map(|(order, place)| (key(order), place)).unzip();
    Ask::first_of_each(READ, sql, keys, places, |row| sql::cell(row, 0))
}

/// Writes these, which are new.
pub fn append_all(connection: &Connection, rows: Vec<Vec<Owned>>) -> Result<()> {
    let sql = "insert into ledger (shop, order_id, n, account, currency, amount, at, seq)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    sql::defer_each(connection, WRITE, sql, rows)
}

/// A commit's entries behind those that their orders have.
pub fn rows(commit: &Commit, seq: Seq, lasts: &mut Lasts) -> Result<Vec<Vec<Owned>>> {
    let (shop, at, seq) = (commit.shop.as_str(), commit.at.0, sql::int(seq.0)?);
    let rows = commit.entries.iter().map(|entry| {
        let last = lasts.entry(entry.order.clone()).or_default();
        let n = last.unwrap_or(0) + 1;
        *last = Some(n);
        sql::owned(params![shop, entry.order.as_str(), n, entry.account, entry.currency, entry.amount, at, seq])
    });
    Ok(rows.collect())
}

/// Makes these the only entries of an order. Mostly they are that already.
pub fn set(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<()> {
    if stand(connection, shop, order, entries)? {
        return Ok(());
    }
    let sql = "delete from ledger where shop = ?1 and order_id = ?2";
    sql::defer(connection, WRITE, sql, [shop.as_str(), order.as_str()])?;
    begin(connection, shop, order, entries)
}

/// Whether an order has these entries, as an import left them, and no other.
fn stand(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<bool> {
    let sql = "select account, currency, amount, at is null and seq is null from ledger
               where shop = ?1 and order_id = ?2 order by n";
    let mut left = entries.iter();
    let same = sql::all(connection, READ, sql, [shop.as_str(), order.as_str()], |row| {
        Ok((sql::name(row, 0)?, sql::name(row, 1)?, sql::cell::<i64>(row, 2)?, sql::cell::<bool>(row, 3)?))
    })?;
    let stands = same.into_iter().all(|(account, currency, amount, imported)| {
        left.next().is_some_and(|entry| {
            let is = (&entry.account, &entry.currency, entry.amount) == (&account, &currency, amount);
            is && imported && entry.order == *order
        })
    });
    Ok(stands && left.next().is_none())
}

/// The entries of an order that has none.
pub fn begin(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<()> {
    if entries.iter().any(|entry| entry.order != *order) {
        return Err(Error::Invalid(format!("entries of another order imported with order {order}")));
    }
    let mut first = 1;
    for some in entries.chunks(TOGETHER) {
        insert_some(connection, shop, first, some)?;
        first += i64::try_from(some.len()).unwrap_or(i64::MAX);
    }
    Ok(())
}

/// Entries of an import that are inserted by one statement: a sale has three.
const TOGETHER: usize = 3;

/// Entries of an import, numbered from `first`. `or fail`: a statement of several rows that may have to undo itself saves every
/// page that it changes first. Here the whole command is undone, and where that cannot be, the group.
fn insert_some(connection: &Connection, shop: &ShopId, first: i64, entries: &[Entry]) -> Result<()> {
    let sql = match entries.len() {
        1 => "insert into ledger (shop, order_id, n, account, currency, amount) values (?1, ?2, ?3, ?4, ?5, ?6)",
        2 => {
            "insert or fail into ledger (shop, order_id, n, account, currency, amount)
             values (?1, ?2, ?3, ?4, ?5, ?6), (?1, ?2, cast(?3 as bigint) + 1, ?7, ?8, ?9)"
        }
        _ => {
            "insert or fail into ledger (shop, order_id, n, account, currency, amount)
             values (?1, ?2, ?3, ?4, ?5, ?6), (?1, ?2, cast(?3 as bigint) + 1, ?7, ?8, ?9), (?1, ?2, cast(?3 as bigint) + 2, ?10, ?11, ?12)"
        }
    };
    let Some(order) = entries.first().map(|entry| entry.order.as_str()) else { return Ok(()) };
    let mut cells = vec![shop.as_str().value(), order.value(), first.value()];
    for entry in entries {
        cells.extend([entry.account.value(), entry.currency.value(), entry.amount.value()]);
    }
    sql::defer(connection, WRITE, sql, &cells[..])
}
