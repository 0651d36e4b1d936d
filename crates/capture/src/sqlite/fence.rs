//! The fence of a shop. One transaction at a time writes the file, so whoever wrote before the fence has committed,
//! and whoever writes after it reads it closed.

use super::Sqlite;
use super::catalogue::unsigned;
use super::install::{MARKER, NOW};
use super::session::{BUSY, failed, is_busy};
use crate::error::{Error, Result};
use crate::transaction::Marker;
use crate::write_back::{Fence, FenceOutcome};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::time::Duration;
use vocab::id::{Epoch, ShopId};

impl Sqlite {
    pub async fn fence(
        &self,
        shop: &ShopId,
        epoch: Epoch,
        marker: Option<&Marker>,
        wait: Duration,
    ) -> Result<FenceOutcome> {
        let (shop, marker) = (shop.clone(), marker.cloned());
        self.with(move |_, connection| {
            let fencing = failed("fence a shop in");
            connection.busy_timeout(wait).map_err(fencing)?;
            let closed = close(connection, &shop, epoch, marker.as_ref());
            connection.busy_timeout(BUSY).map_err(fencing)?;
            match closed {
                Err(Error::Sqlite { source, .. }) if is_busy(&source) => Ok(FenceOutcome::Waited),
                closed => closed.map(|()| FenceOutcome::Closed),
            }
        })
        .await
    }

    /// Where a writer has the file for longer than `wait`, a look says whether there is anything to open: readers pass.
    pub async fn unfence(&self, shop: &ShopId, epoch: Epoch, wait: Duration) -> Result<()> {
        let shop = shop.clone();
        self.with(move |_, connection| {
            let opening = failed("open a shop's fence in");
            for _ in 0..ATTEMPTS_MAX {
                connection.busy_timeout(wait).map_err(opening)?;
                let opened = open(connection, &shop, epoch);
                connection.busy_timeout(BUSY).map_err(opening)?;
                match opened {
                    Err(error) if is_busy(&error) => {}
                    Err(error) => return Err(opening(error)),
                    Ok(0) => return Err(refusal(connection, &shop, epoch)),
                    Ok(_) => return Ok(()),
                }
                let sql = "select 1 from balik_fence where shop = ?1 and closed = 1";
                let closed = connection.query_row(sql, [shop.as_str()], |_| Ok(())).optional();
                if closed.map_err(opening)?.is_none() {
                    return Ok(());
                }
            }
            Err(Error::Interrupted("a closed fence stays locked"))
        })
        .await
    }

    pub async fn fences(&self) -> Result<Vec<Fence>> {
        self.with(|_, connection| {
            let reading = failed("read the fences of");
            let sql = "select shop, closed, epoch from balik_fence order by shop";
            let mut statement = connection.prepare(sql).map_err(reading)?;
            let rows = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
            let fence = |row: rusqlite::Result<(String, i64, i64)>| {
                let (shop, closed, epoch) = row.map_err(reading)?;
                let shop = ShopId::parse(&shop).map_err(|error| Error::Decode(error.to_string()))?;
                Ok(Fence { shop, closed: closed != 0, epoch: Epoch(unsigned(epoch)?) })
            };
            rows.map_err(reading)?.map(fence).collect()
        })
        .await
    }

    pub async fn mark(&self, marker: &Marker) -> Result<()> {
        let marker = marker.clone();
        self.with(move |_, connection| write_marker(connection, &marker)).await
    }
}

/// Whoever has the file while the fence is closed writes for another shop, and is done soon.
const ATTEMPTS_MAX: u32 = 20;

fn open(connection: &Connection, shop: &ShopId, Epoch(epoch): Epoch) -> rusqlite::Result<usize> {
    let sql = "update balik_fence set closed = 0, epoch = ?2 where shop = ?1 and epoch <= ?2";
    connection.execute(sql, params![shop.as_str(), i64::try_from(epoch).unwrap_or(i64::MAX)])
}

fn close(connection: &mut Connection, shop: &ShopId, epoch: Epoch, marker: Option<&Marker>) -> Result<()> {
    let fencing = failed("fence a shop in");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fencing)?;
    let sql = "update balik_fence set closed = 1, epoch = ?2 \
         where shop = ?1 and (epoch < ?2 or (epoch = ?2 and closed = 1))";
    if transaction.execute(sql, params![shop.as_str(), signed(epoch)?]).map_err(fencing)? == 0 {
        return Err(refusal(&transaction, shop, epoch));
    }
    if let Some(marker) = marker {
        write_marker(&transaction, marker)?;
    }
    transaction.commit().map_err(fencing)
}

pub(super) fn write_marker(connection: &Connection, marker: &Marker) -> Result<()> {
    let sql = format!("insert into balik_changes (tbl, key, ours, moved, at) values ('{MARKER}', ?1, 0, 0, {NOW})");
    connection.execute(&sql, [&marker.0]).map(|_| ()).map_err(failed("mark the stream of"))
}

fn refusal(connection: &Connection, shop: &ShopId, epoch: Epoch) -> Error {
    let sql = "select epoch from balik_fence where shop = ?1";
    match connection.query_row(sql, [shop.as_str()], |row| row.get::<_, i64>(0)).optional() {
        Ok(Some(at)) => match unsigned(at) {
            Ok(at) => Error::StaleEpoch { shop: shop.clone(), epoch, at: Epoch(at) },
            Err(error) => error,
        },
        Ok(None) => Error::NotInstalled(format!("no fence for shop `{shop}`")),
        Err(source) => Error::Sqlite { act: "read a fence of", source },
    }
}

fn signed(Epoch(epoch): Epoch) -> Result<i64> {
    i64::try_from(epoch).map_err(|_| Error::Decode(format!("epoch {epoch} is too large")))
}
