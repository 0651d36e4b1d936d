//! The fence of a shop: one row in the source that every writer of the shop holds shared and we change.
//!
//! So closing waits for all who write, and whoever began before and writes later sees it closed, or may not go on
//! because its snapshot is older than the row.

use super::Postgres;
use super::assemble::{PREFIX, marker_content};
use super::install::quoted;
use super::session::{Session, cell_of, number};
use crate::error::{Error, Result};
use crate::transaction::Marker;
use crate::write_back::{Fence, FenceOutcome};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use vocab::id::{Epoch, ShopId};

/// The place of the update among the answers: after `begin` and `set`.
const UPDATE: usize = 2;
/// Whoever meets a closed fence gives up at once, so its lock is soon to be had.
const ATTEMPTS_MAX: u32 = 20;

impl Postgres {
    /// With a marker: in the same transaction, so that the marker stands where the fence closed.
    pub async fn fence(
        &self,
        shop: &ShopId,
        epoch: Epoch,
        marker: Option<&Marker>,
        wait: Duration,
    ) -> Result<FenceOutcome> {
        let session = self.sessions.take().await?;
        let shop_is = quoted(shop.as_str());
        // Zero would mean to wait for ever.
        let wait_ms = wait.as_millis().max(1);
        let close = format!(
            "begin; set local lock_timeout = {wait_ms}; update balik_fence set closed = true, epoch = {epoch} \
             where shop = {shop_is} and (epoch < {epoch} or (epoch = {epoch} and closed)) and not exists \
             (select from balik_void v where v.shop = {shop_is} and v.epoch >= {epoch})"
        );
        // Without a marker nothing depends on whether a row was changed, so that one round trip does it all.
        let end = if marker.is_some() { "" } else { "; commit" };
        let answers = match session.attempt(&(close + end)).await {
            Ok(answers) => answers,
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Ok(FenceOutcome::Waited),
            Err(source) => return Err(Error::Postgres { act: "fence a shop in", source }),
        };
        if answers.get(UPDATE).is_none_or(|answer| answer.count == 0) {
            return Err(refusal(&session, shop, epoch).await);
        }
        if let Some(marker) = marker {
            let mark = emit(&self.name, marker);
            session.run("fence a shop in", &format!("{mark}commit")).await?;
        }
        self.sessions.give(session);
        Ok(FenceOutcome::Closed)
    }

    /// Opens the fence, and makes the epoch void first: a fence of it that comes late closes no more. A writer that
    /// holds the open fence is not waited for longer than `wait`, which has to be longer than any fence of the epoch
    /// that may be under way.
    pub async fn unfence(&self, shop: &ShopId, epoch: Epoch, wait: Duration) -> Result<()> {
        let session = self.sessions.take().await?;
        let shop_is = quoted(shop.as_str());
        let (void, wait_ms) = (void(&shop_is, epoch), wait.as_millis().max(1));
        session.run("open a shop's fence in", &void).await?;
        let open = format!(
            "begin; set local lock_timeout = {wait_ms}; update balik_fence set closed = false, epoch = {epoch} \
             where shop = {shop_is} and epoch <= {epoch}; commit"
        );
        for _ in 0..ATTEMPTS_MAX {
            match session.attempt(&open).await {
                Ok(answers) if answers.get(UPDATE).is_none_or(|answer| answer.count == 0) => {
                    return Err(refusal(&session, shop, epoch).await);
                }
                Ok(_) => {
                    self.sessions.give(session);
                    return Ok(());
                }
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    session.run("open a shop's fence in", "rollback").await?;
                    let closed = format!("select 1 from balik_fence where shop = {shop_is} and closed");
                    let answers = session.run("read a fence of", &closed).await?;
                    if answers.last().is_none_or(|answer| answer.rows.is_empty()) {
                        self.sessions.give(session);
                        return Ok(());
                    }
                }
                Err(source) => return Err(Error::Postgres { act: "open a shop's fence in", source }),
            }
        }
        Err(Error::Interrupted("a closed fence stays locked"))
    }

    pub async fn fences(&self) -> Result<Vec<Fence>> {
        let sql = "select shop, closed::int, epoch from balik_fence order by shop";
        let rows = self.sessions.rows("read the fences of", sql).await?;
        let fence = |row| {
            let shop = cell_of(&rows, row, 0)?;
            let shop = ShopId::parse(shop).map_err(|error| Error::Decode(error.to_string()))?;
            let closed = cell_of(&rows, row, 1)? == "1";
            Ok(Fence { shop, closed, epoch: Epoch(number(cell_of(&rows, row, 2)?)?) })
        };
        (0..rows.len()).map(fence).collect()
    }

    pub async fn mark(&self, marker: &Marker) -> Result<()> {
        self.sessions.run("mark the stream of", &emit(&self.name, marker)).await?;
        Ok(())
    }
}

/// The statement after which no fence of the epoch closes any more.
fn void(shop_is: &str, epoch: Epoch) -> String {
    format!(
        "insert into balik_void (shop, epoch) values ({shop_is}, {epoch}) \
         on conflict (shop) do update set epoch = greatest(balik_void.epoch, excluded.epoch)"
    )
}

/// The statement that writes a marker, transactional: the other kind waits for the log writer.
pub(super) fn emit(name: &str, marker: &Marker) -> String {
    format!("select pg_logical_emit_message(true, '{PREFIX}', {}); ", quoted(&marker_content(name, marker)))
}

/// Why no fence changed. The session is dropped with its open transaction.
async fn refusal(session: &Session, shop: &ShopId, epoch: Epoch) -> Error {
    let sql = format!(
        "select greatest(f.epoch, v.epoch) from balik_fence f left join balik_void v on v.shop = f.shop \
         where f.shop = {}",
        quoted(shop.as_str())
    );
    let answers = match session.run("read a fence of", &sql).await {
        Ok(answers) => answers,
        Err(error) => return error,
    };
    let rows = answers.last().map(|answer| answer.rows.as_slice()).unwrap_or_default();
    match cell_of(rows, 0, 0).and_then(number) {
        Ok(at) => Error::StaleEpoch { shop: shop.clone(), epoch, at: Epoch(at) },
        Err(_) => Error::NotInstalled(format!("no fence for shop `{shop}`")),
    }
}
