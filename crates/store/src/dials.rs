//! The read dials: of which shops a copy may answer the reads of a part. They change no ownership.

use crate::sql::Row;
use crate::writer::Door;
use crate::{Result, Store, sql};
use vocab::id::{Part, ShopId};

const READ: &str = "read of dials";
const WRITE: &str = "write of a dial";

impl Store {
    /// Turns the dial of a part: on, its reads may go to the copy; off, they go to the owner.
    pub async fn set_dial(&self, shop: &ShopId, part: Part, on: bool) -> Result<()> {
        let shop = shop.clone();
        self.write(Door::Control, move |connection| {
            let sql = if on {
                "insert into dial (shop, part) values (?1, ?2) on conflict do nothing"
            } else {
                "delete from dial where shop = ?1 and part = ?2"
            };
            sql::execute(connection, WRITE, sql, [shop.as_str(), part.name()]).map(drop)
        })
        .await
    }

    /// The shops in which the dial of a part is on, by name.
    pub async fn dialled(&self, part: Part) -> Result<Vec<ShopId>> {
        self.read_briefly(move |connection| {
            let sql = "select shop from dial where part = ?1 order by shop";
            sql::all(connection, READ, sql, [part.name()], |row: &Row<'_>| sql::shop(row, 0))
        })
        .await
    }
}
