//! The ledger: entries per order, debit positive.

use crate::commit::{Commit, Entry};
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

const WRITE: &str = "write of the ledger";

/// Adds a commit's entries to those that their orders have.
pub fn append(connection: &Connection, commit: &Commit, seq: Seq) -> Result<()> {
    let made = Some((commit.at.0, sql::int(seq.0)?));
    commit.entries.iter().try_for_each(|entry| {
        let n = last(connection, &commit.shop, &entry.order)? + 1;
        insert(connection, &commit.shop, n, entry, made)
    })
}

fn last(connection: &Connection, shop: &ShopId, order: &PublicId) -> Result<i64> {
    let sql = "select n from ledger where shop = ?1 and order_id = ?2 order by n desc limit 1";
    let key = [shop.as_str(), order.as_str()];
    Ok(sql::first(connection, "read of the ledger", sql, key, |row| sql::cell(row, 0))?.unwrap_or(0))
}

/// Makes these the only entries of an order.
pub fn set(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<()> {
    let sql = "delete from ledger where shop = ?1 and order_id = ?2";
    sql::execute(connection, WRITE, sql, [shop.as_str(), order.as_str()])?;
    begin(connection, shop, order, entries)
}

/// The entries of an order that has none.
pub fn begin(connection: &Connection, shop: &ShopId, order: &PublicId, entries: &[Entry]) -> Result<()> {
    if entries.iter().any(|entry| entry.order != *order) {
        return Err(Error::Invalid(format!("entries of another order imported with order {order}")));
    }
    (1..).zip(entries).try_for_each(|(n, entry)| insert(connection, shop, n, entry, None))
}

/// `made` is time and seq of the commit; none for an import.
fn insert(connection: &Connection, shop: &ShopId, n: i64, entry: &Entry, made: Option<(i64, i64)>) -> Result<()> {
    let sql = "insert into ledger (shop, order_id, n, account, currency, amount, at, seq)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let cells = params![
        shop.as_str(),
        entry.order.as_str(),
        n,
        entry.account,
        entry.currency,
        entry.amount,
        made.map(|(at, _)| at),
        made.map(|(_, seq)| seq),
    ];
    sql::execute(connection, WRITE, sql, cells).map(drop)
}
