//! Rollback debt: facts made after the flip that the legacy cannot express, counted and named.

use crate::sql::{Row, params};
use crate::writer::Door;
use crate::{Result, Store, sql};
use vocab::id::{Kind, Name, PublicId, Seq, ShopId};

/// One debt per shop, kind, id and name; `seq` is the newest fact that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    pub shop: ShopId,
    pub kind: Kind,
    pub id: PublicId,
    pub name: Name,
    pub seq: Seq,
}

/// Debts of one read.
const DEBTS_MAX: i64 = 10_000;

const READ: &str = "read of debts";
const WRITE: &str = "write of debts";

impl Store {
    /// Stores a debt; one that is known takes the newer seq.
    pub async fn open_debt(&self, debt: Debt) -> Result<()> {
        let seq = sql::int(debt.seq.0)?;
        self.write(Door::Control, move |connection| {
            let sql = "insert into debt (shop, kind, id, name, seq) values (?1, ?2, ?3, ?4, ?5)
                       on conflict (shop, kind, id, name) do update
                           set seq = case when debt.seq > excluded.seq then debt.seq else excluded.seq end";
            let cells = params![debt.shop.as_str(), debt.kind.name(), debt.id.as_str(), debt.name, seq];
            sql::execute(connection, WRITE, sql, cells).map(drop)
        })
        .await
    }

    /// Takes away every debt of this document and answers how many there were.
    pub async fn close_debts(&self, shop: &ShopId, kind: Kind, id: &PublicId) -> Result<u64> {
        let (shop, id) = (shop.clone(), id.clone());
        self.write(Door::Control, move |connection| {
            let sql = "delete from debt where shop = ?1 and kind = ?2 and id = ?3";
            sql::execute(connection, WRITE, sql, [shop.as_str(), kind.name(), id.as_str()]).and_then(sql::count)
        })
        .await
    }

    /// By kind, id and name, at most 10,000.
    pub async fn debts(&self, shop: &ShopId) -> Result<Vec<Debt>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select kind, id, name, seq from debt where shop = ?1 order by kind, id, name limit ?2";
            sql::all(connection, READ, sql, params![shop.as_str(), DEBTS_MAX], |row| debt(&shop, row))
        })
        .await
    }

    pub async fn count_debts(&self, shop: &ShopId) -> Result<u64> {
        let shop = shop.clone();
        let sql = "select count(*) from debt where shop = ?1";
        let count =
            self.read(move |connection| sql::first(connection, READ, sql, [shop.as_str()], |row| sql::natural(row, 0)));
        Ok(count.await?.unwrap_or(0))
    }
}

fn debt(shop: &ShopId, row: &Row<'_>) -> Result<Debt> {
    Ok(Debt {
        shop: shop.clone(),
        kind: sql::kind(row, 0)?,
        id: sql::public_id(row, 1)?,
        name: sql::name(row, 2)?,
        seq: sql::seq(row, 3)?,
    })
}
