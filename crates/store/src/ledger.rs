//! The ledger: entries per order, debit positive.

use crate::commit::{Commit, Entry};
use crate::error::during;
use crate::{Error, Result, Store, sql};
use rusqlite::{Connection, params};
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
            let sql = "select account, currency, sum(amount) from ledger where shop = ?1
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

/// Adds a commit's entries to those that their orders have.
pub fn append(connection: &Connection, commit: &Commit, seq: Seq) -> Result<()> {
    let made = (commit.at.0, sql::int(seq.0)?);
    commit.entries.iter().try_for_each(|entry| {
        let n = last(connection, &commit.shop, &entry.order)? + 1;
        insert(connection, &commit.shop, n, entry, made)
    })
}

fn last(connection: &Connection, shop: &ShopId, order: &PublicId) -> Result<i64> {
    let sql = "select n from ledger where shop = ?1 and order_id = ?2 order by n desc limit 1";
    let key = [shop.as_str(), order.as_str()];
    Ok(sql::first(connection, READ, sql, key, |row| sql::cell(row, 0))?.unwrap_or(0))
}

/// Makes these the only entries of an order. Mostly they are that already.
pub fn set(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<()> {
    if stand(connection, shop, order, entries)? {
        return Ok(());
    }
    let sql = "delete from ledger where shop = ?1 and order_id = ?2";
    sql::execute(connection, WRITE, sql, [shop.as_str(), order.as_str()])?;
    begin(connection, shop, order, entries)
}

/// Whether an order has these entries, as an import left them, and no other.
fn stand(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<bool> {
    let sql = "select account, currency, amount, at is null and seq is null from ledger
               where shop = ?1 and order_id = ?2 order by n";
    let mut statement = connection.prepare_cached(sql).map_err(during(READ))?;
    let mut rows = statement.query([shop.as_str(), order.as_str()]).map_err(during(READ))?;
    let mut left = entries.iter();
    while let Some(row) = rows.next().map_err(during(READ))? {
        let Some(entry) = left.next() else { return Ok(false) };
        let is = |at: usize, text: &str| row.get_ref(at).is_ok_and(|cell| cell.as_str() == Ok(text));
        let same = is(0, &entry.account) && is(1, &entry.currency) && sql::cell::<i64>(row, 2)? == entry.amount;
        if !same || !sql::cell::<bool>(row, 3)? || entry.order != *order {
            return Ok(false);
        }
    }
    Ok(left.next().is_none())
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
             values (?1, ?2, ?3, ?4, ?5, ?6), (?1, ?2, ?3 + 1, ?7, ?8, ?9)"
        }
        _ => {
            "insert or fail into ledger (shop, order_id, n, account, currency, amount)
             values (?1, ?2, ?3, ?4, ?5, ?6), (?1, ?2, ?3 + 1, ?7, ?8, ?9), (?1, ?2, ?3 + 2, ?10, ?11, ?12)"
        }
    };
    let Some(order) = entries.first().map(|entry| entry.order.as_str()) else { return Ok(()) };
    let run = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.raw_bind_parameter(1, shop.as_str())?;
        statement.raw_bind_parameter(2, order)?;
        statement.raw_bind_parameter(3, first)?;
        for (place, entry) in (4..).step_by(3).zip(entries) {
            statement.raw_bind_parameter(place, &*entry.account)?;
            statement.raw_bind_parameter(place + 1, &*entry.currency)?;
            statement.raw_bind_parameter(place + 2, entry.amount)?;
        }
        statement.raw_execute().map(drop)
    };
    run().map_err(during(WRITE))
}

/// `at` and `seq` are the commit's.
fn insert(connection: &Connection, shop: &ShopId, n: i64, entry: &Entry, (at, seq): (i64, i64)) -> Result<()> {
    let sql = "insert into ledger (shop, order_id, n, account, currency, amount, at, seq)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let cells = params![shop.as_str(), entry.order.as_str(), n, entry.account, entry.currency, entry.amount, at, seq,];
    sql::execute(connection, WRITE, sql, cells).map(drop)
}
