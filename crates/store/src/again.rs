//! A copy that begins again: what was imported stays, and guards nothing any more.
//!
//! The positions of a source's log may begin anew with it (another server, a log that was lost), so what is read from now
//! on must not be taken for older than what stands here.

use crate::import::{ImportError, admitted};
use crate::sql::{Connection, params};
use crate::writer::Door;
use crate::{Result, Store, sql};
use vocab::id::{Epoch, ShopId};

/// Rows of one transaction: no commit of another shop waits for longer than that.
const CHUNK: usize = 1_000;
/// And how many of them hold up a group as long as a commit does.
const ROWS_PER_WEIGHT: usize = 32;

const READ: &str = "read of what was imported";
const WRITE: &str = "forget of source transactions";

/// Where a document stands among those of its shop.
type Place = (String, String);

impl Store {
    /// Forgets which transaction of the source each document of a shop shows, and which took one away. Through the
    /// import's door: the legacy owns the shop, at this epoch. Several transactions; may be repeated.
    pub async fn forget_source(&self, shop: &ShopId, epoch: Epoch) -> Result<(), ImportError> {
        let mut after = Some((String::new(), String::new()));
        while let Some(place) = after {
            let own = shop.clone();
            after = self
                .write_of(shop, Door::Import(CHUNK / ROWS_PER_WEIGHT), move |connection| {
                    admitted(connection, &own, epoch)?;
                    forget_shown(connection, &own, &place).map_err(ImportError::from)
                })
                .await?;
        }
        loop {
            let own = shop.clone();
            let gone = self
                .write_of(shop, Door::Import(CHUNK / ROWS_PER_WEIGHT), move |connection| {
                    admitted(connection, &own, epoch)?;
                    forget_gone(connection, &own).map_err(ImportError::from)
                })
                .await?;
            if gone < CHUNK {
                return Ok(());
            }
        }
    }
}

/// The next documents; answers the last of them, none at the end.
fn forget_shown(connection: &Connection, shop: &ShopId, (kind, id): &Place) -> Result<Option<Place>> {
    let sql = "select kind, id from document where shop = ?1 and (kind, id) > (?2, ?3) order by kind, id limit ?4";
    let cells = params![shop.as_str(), kind, id, sql::limit(CHUNK)];
    let place = |row: &sql::Row<'_>| Ok((sql::cell(row, 0)?, sql::cell(row, 1)?));
    let mut page: Vec<Place> = sql::all(connection, READ, sql, cells, place)?;
    let full = page.len() == CHUNK;
    let Some((to_kind, to_id)) = page.pop() else { return Ok(None) };
    let sql = "update document set source_tx = 0 where shop = ?1 and source_tx is not null
               and (kind, id) > (?2, ?3) and (kind, id) <= (?4, ?5)";
    sql::execute(connection, WRITE, sql, params![shop.as_str(), kind, id, to_kind, to_id])?;
    Ok(full.then_some((to_kind, to_id)))
}

fn forget_gone(connection: &Connection, shop: &ShopId) -> Result<usize> {
    let sql = "delete from tombstone where shop = ?1 and (kind, origin) in
               (select kind, origin from tombstone where shop = ?1 limit ?2)";
    sql::execute(connection, WRITE, sql, params![shop.as_str(), sql::limit(CHUNK)])
}
