//! Wishes: what a person or a program wants, with who and why. The mover makes the state match and closes them.

use crate::sql::{Connection, Row, params};
use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
use vocab::document::Record;
use vocab::id::{Name, ShopId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// None: for all shops.
    pub shop: Option<ShopId>,
    pub verb: Name,
    pub args: Record,
    pub who: String,
    pub why: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWish {
    pub id: i64,
    pub wish: Wish,
    /// None while it is open.
    pub outcome: Option<Record>,
}

/// Open wishes read at one time, and as many closed ones; there are more only if nobody acts on them.
const STANDING_MAX: i64 = 1_000;

impl Store {
    /// Stores a wish and answers its number; later wishes have higher ones.
    pub async fn wish(&self, wish: Wish) -> Result<i64> {
        let args = json::encode(&wish.args)?;
        self.write(Door::Control, move |connection| insert(connection, &wish, &args)).await
    }

    /// The wishes that nobody has closed, and those closed ones that are newer than the oldest of them: they may say
    /// otherwise. Oldest first, at most 1,000 of each.
    pub async fn standing_wishes(&self) -> Result<Vec<StoredWish>> {
        self.read(|connection| {
            let sql = "with first as (select min(id) as id from wish where outcome is null)
                       select id, shop, verb, args, who, why, at, outcome from wish
                       where id in (select id from wish where outcome is null order by id limit ?1)
                          or id in (select id from wish where outcome is not null and id > (select id from first)
                                    order by id desc limit ?1)
                       order by id";
            sql::all(connection, "read of wishes", sql, [STANDING_MAX], stored_wish)
        })
        .await
    }

    /// Closes a wish with its outcome; the first outcome stands.
    pub async fn close_wish(&self, id: i64, outcome: Record) -> Result<()> {
        let outcome = json::encode(&outcome)?;
        self.write(Door::Control, move |connection| {
            let sql = "update wish set outcome = ?2 where id = ?1 and outcome is null";
            sql::execute(connection, "close of a wish", sql, params![id, outcome]).map(drop)
        })
        .await
    }

    /// The outcome of a closed wish; none while it is open or where there is none of that number.
    pub async fn wish_outcome(&self, id: i64) -> Result<Option<Record>> {
        self.read(move |connection| {
            let sql = "select outcome from wish where id = ?1 and outcome is not null";
            sql::first(connection, "read of a wish", sql, [id], |row| sql::record(row, 0))
        })
        .await
    }
}

fn insert(connection: &Connection, wish: &Wish, args: &str) -> Result<i64> {
    let sql = "insert into wish (id, shop, verb, args, who, why, at)
               select coalesce(max(id), 0) + 1, ?1, ?2, ?3, ?4, ?5, ?6 from wish returning id";
    let shop = wish.shop.as_ref().map(ShopId::as_str);
    let cells = params![shop, wish.verb, args, wish.who, wish.why, wish.at.0];
    let id = sql::first(connection, "write of a wish", sql, cells, |row| sql::cell(row, 0))?;
    id.ok_or_else(|| Error::Corrupt { what: "wish", why: "its number did not come back".to_owned() })
}

pub fn stored_wish(row: &Row<'_>) -> Result<StoredWish> {
    let wish = Wish {
        shop: sql::shop_or_null(row, 1)?,
        verb: sql::name(row, 2)?,
        args: sql::record(row, 3)?,
        who: sql::cell(row, 4)?,
        why: sql::cell(row, 5)?,
        at: sql::timestamp(row, 6)?,
    };
    let outcome = sql::cell::<Option<String>>(row, 7)?.map(|_| sql::record(row, 7)).transpose()?;
    Ok(StoredWish { id: sql::cell(row, 0)?, wish, outcome })
}
