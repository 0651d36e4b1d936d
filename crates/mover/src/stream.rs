//! The source's change stream, from install to seal: stage, remember the position, tell who waits.
//!
//! Staging never stops for a shop. A foreign write to a shop that the backend owns is a rogue's: a finding, kept as
//! evidence, and never derived.

use crate::context::Context;
use crate::error::Result;
use crate::staged::{Rogue, Staged};
use crate::verify;
use capture::Lost;
use cutover::bounds::HEARTBEAT_MS;
use std::time::{Duration, Instant};
use store::Finding;
use tokio::time::MissedTickBehavior;
use vocab::document::Record;
use vocab::id::{Kind, Origin, ShopId};

/// Transactions staged at once.
const BATCH: usize = 512;
/// How often a heartbeat goes through the stream: its way is the lag, and what it finds staged is as old as it is.
const HEARTBEAT: Duration = Duration::from_millis(HEARTBEAT_MS);
/// A heartbeat that took longer tells only that.
const LAG_MAX: Duration = Duration::from_secs(10);

/// Stages the stream until it breaks.
pub(crate) async fn stage(cx: &Context) -> Result<()> {
    let (position, last) = cx.staged.run(|staged| Ok((staged.position()?, staged.last()?))).await?;
    let opened = match last {
        Some(last) => cx.source.resume(last).await,
        None => cx.source.stream(position).await,
    };
    let mut stream = match opened {
        Err(error @ capture::Error::PositionLost { .. }) => return lost(cx, error).await,
        // What was installed is gone, and our position with it.
        Err(error @ capture::Error::NotInstalled(_)) if position.is_some() => return lost(cx, error).await,
        opened => opened?,
    };
    // What a mover before this one staged, and did not live to tell.
    tell_rogues(cx).await?;
    loop {
        let batch = match stream.next(BATCH).await {
            Err(error @ capture::Error::PositionLost { .. }) => return lost(cx, error).await,
            batch => batch?,
        };
        let whole = batch.iter().rfind(|transaction| !transaction.more).map(|transaction| transaction.position);
        let markers: Vec<_> = batch
            .iter()
            .flat_map(|transaction| transaction.markers.iter().map(|marker| (marker.clone(), transaction.tx.order)))
            .collect();
        for transaction in &batch {
            for change in &transaction.schema {
                for planned in &cx.plan.shops {
                    schema_finding(cx, &planned.shop, change).await?;
                }
            }
        }
        let owned = cx.owned.clone();
        if cx.staged.run(move |staged| staged.stage_stream(&batch, || owned.all())).await? {
            tell_rogues(cx).await?;
        }
        cx.trouble.over();
        if let Some(position) = whole {
            cx.stream.passed(position.0, markers);
            // All of it: a server that is told to stop waits until what it sent is acknowledged.
            stream.acknowledge(position);
        }
    }
}

/// The source has forgotten what follows our position, or never knew it: no shop may go on by what is staged, and nothing
/// from a position that looks as if it fitted.
async fn lost(cx: &Context, error: capture::Error) -> Result<()> {
    for planned in &cx.plan.shops {
        // Told once, by whoever knew why; later the position is not known any more.
        if cx.store.stopped_by(&planned.shop, &["stream.lost"]).await?.is_none() {
            verify::finding(cx, &planned.shop, "stream.lost", error.to_string()).await?;
        }
    }
    // Another history may come to reach as far as ours did.
    if matches!(error, capture::Error::PositionLost { why: Lost::Another | Lost::Ends(_), .. }) {
        cx.staged.run(|staged| staged.lose_position()).await?;
    }
    Err(error.into())
}

async fn tell_rogues(cx: &Context) -> Result<()> {
    for rogue in cx.staged.run(Staged::rogues).await? {
        if !cx.without.has("rogue_watch") {
            tell(cx, &rogue).await?;
        }
        cx.staged.run(move |staged| staged.rogue_is_told(&rogue)).await?;
    }
    Ok(())
}

async fn tell(cx: &Context, rogue: &Rogue) -> Result<()> {
    let Ok(shop) = ShopId::parse(&rogue.shop) else { return Ok(()) };
    let what = format!("{} rows of the legacy changed behind the fence, first {}", rogue.changes, rogue.first);
    let finding = Finding {
        shop,
        class: "rogue_watch".into(),
        kind: Kind::Shop,
        origin: Origin::new(format!("tx:{}", rogue.order)),
        detail: Record::default().with("what", what),
    };
    cx.open_finding(finding).await
}

/// An unknown schema change stops every shop that has rows in the table; this says it of one.
pub(crate) async fn schema_finding(cx: &Context, shop: &ShopId, change: &capture::SchemaChange) -> Result<()> {
    if change.is_harmless() {
        return Ok(());
    }
    let table = &cx.mapping.tables()[change.table].name;
    let what = format!("table {table}: gone {:?}, of another type {:?}", change.missing, change.retyped);
    let finding = Finding {
        shop: shop.clone(),
        class: "schema.changed".into(),
        kind: Kind::Shop,
        origin: Origin::new(format!("table:{table}")),
        detail: Record::default().with("what", what),
    };
    cx.open_finding(finding).await
}

/// Sends heartbeats through the stream for ever: how long the source's newest commit takes to be staged, and as of when
/// everything is.
pub(crate) async fn heartbeat(cx: &Context) -> Result<()> {
    let mut beat = tokio::time::interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let sent = Instant::now();
        // A time-out is an answer too: the lag is at least that.
        if cx.mark(LAG_MAX).await?.is_some() {
            cx.stream.hear(sent);
        }
        cx.stream.note_lag(u32::try_from(sent.elapsed().as_millis()).unwrap_or(u32::MAX));
    }
}
