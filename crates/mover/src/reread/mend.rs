//! What stands under every copy, put back: guards and stream. Then the copy of a shop begins from nothing.
//!
//! Invariant: a position is never gone on from where a log began anew. It is forgotten before the stream is, and known again
//! when the new one is there; in between, whoever asks is told that it is lost. And what is copied is copied after
//! everything stands: a marker has come through the stream, and who wrote before the guards stood is done.

use crate::context::Context;
use crate::copy::may_belong;
use crate::drive::Driver;
use crate::error::{Error, Result};
use crate::staged::Ledger;
use crate::verify;
use cutover::progress::Progress;
use cutover::record::Reason;
use cutover::stopping::STOPPING;
use std::time::{Duration, Instant};
use store::ImportError;
use vocab::id::{Epoch, ShopId, Side};

/// How long a marker may take through a stream that has just been opened, and whoever writes at the source to end.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// Anchors listed at once when all are.
const ANCHORS: usize = 2_000;
/// What was found of a copy that is not there any more.
const OF_THE_COPY: [&str; 4] = ["verify.digest", "verify.unmapped", "control_total", "rehearsal"];

/// How the source's tables are not as declared; none where they are.
pub(super) async fn unlike_declared(cx: &Context) -> Result<Option<String>> {
    let found = cx.source.preflight().await?;
    Ok(found.iter().find(|finding| finding.code.is_shape()).map(ToString::to_string))
}

/// Puts guards and stream back where they do not stand, and sees both at work. A reason where that did not come true.
pub(super) async fn mend(cx: &Context) -> Result<std::result::Result<(), Reason>> {
    let _alone = cx.rereads.mending.lock().await;
    let planned: Vec<ShopId> = cx.plan.shops.iter().map(|planned| planned.shop.clone()).collect();
    let position = cx.staged.run(|staged| staged.position()).await?;
    let follows = cx.source.follows(position).await?;
    let guarded = cx.source.missing_guards().await.is_ok_and(|missing| missing.is_empty());
    if !follows || !guarded {
        let soaking = soaking(cx, &planned).await?;
        let (class, what) = match follows {
            false => ("stream.lost", "the change stream had to begin anew"),
            true => ("guards.missing", "what captures changes had to be put back"),
        };
        // Its own driver may not have looked yet; without a finding nobody would read the shop again.
        for shop in &soaking {
            if cx.store.stopped_by(shop, &STOPPING).await?.is_none() {
                verify::finding(cx, shop, class, what.to_owned()).await?;
            }
        }
        cx.staged
            .run(move |staged| {
                staged.begin_gap(&soaking)?;
                if follows { Ok(()) } else { staged.renumber(&soaking) }
            })
            .await?;
    }
    if !follows {
        cx.staged.run(|staged| staged.lose_position()).await?;
        cx.source.forget_stream().await?;
    }
    if !follows || !guarded {
        cx.source.install(&planned).await?;
    }
    if !follows {
        let begins = cx.source.begins().await?;
        cx.staged.run(move |staged| staged.begin_at(begins)).await?;
        tracing::warn!(
            begins = begins.0,
            "the change stream begins anew: every shop that it stopped is to be read again"
        );
    }
    // Whoever began before the guards stood may have written past them, and is not in a read of now either.
    let now = cx.source.clock().await?;
    let deadline = Instant::now() + PATIENCE;
    while cx.source.open_transactions(None, Some(now)).await? > 0 {
        if Instant::now() > deadline {
            return Ok(Err(Reason::Failed("not_drained".into())));
        }
        tokio::time::sleep(LOOK).await;
    }
    if cx.mark(PATIENCE).await?.is_none() {
        return Ok(Err(Reason::Failed("mark_not_seen".into())));
    }
    let missing = cx.source.missing_guards().await?;
    Ok(if missing.is_empty() { Ok(()) } else { Err(Reason::Failed("guards_missing".into())) })
}

/// The step `reread`: after it the shop stands where its copy begins, and is stopped no more.
pub(crate) async fn begin_again(driver: &mut Driver, progress: &Progress) -> Result<std::result::Result<(), Reason>> {
    let (cx, shop, epoch) = (driver.cx.clone(), driver.shop.clone(), progress.head.epoch);
    if let Err(reason) = mend(&cx).await? {
        return Ok(Err(reason));
    }
    driver.memory.copy_again();
    // Whatever is imported is looked at again, also where the source has it no more.
    list_all(&cx, &shop, &[Ledger::Derive, Ledger::Prove]).await?;
    let cut = cx.source.snapshot().await?.cut().clone();
    let begins = cx.source.begins().await?;
    let name = shop.clone();
    cx.staged.run(move |staged| staged.forget_copy(&name, &cut, begins)).await?;
    if !forget_source(&cx, &shop, epoch).await? {
        return Err(Error::LeaseLost);
    }
    for class in OF_THE_COPY {
        cx.store.close_class(&shop, class).await?;
    }
    cx.store.mend_findings(&shop, &STOPPING).await?;
    Ok(Ok(()))
}

/// The shops that the backend has: facts of theirs are carried back, whoever follows.
async fn soaking(cx: &Context, planned: &[ShopId]) -> Result<Vec<ShopId>> {
    let mut soaking = Vec::new();
    for shop in planned {
        if cx.store.head(shop).await?.is_some_and(|head| head.owner == Side::Backend) {
            soaking.push(shop.clone());
        }
    }
    Ok(soaking)
}

/// What was imported of a shop guards nothing any more: its numbers are of a log that is gone. False where the head has
/// moved on.
pub(crate) async fn forget_source(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<bool> {
    match cx.store.forget_source(shop, epoch).await {
        Ok(()) => {
            let name = shop.clone();
            cx.staged.run(move |staged| staged.numbers_are_forgotten(&name)).await?;
            Ok(true)
        }
        Err(ImportError::Store(error)) => Err(error.into()),
        Err(ImportError::UnknownShop) => Err(Error::UnknownShop(shop.clone())),
        Err(ImportError::NotOwner { .. } | ImportError::WrongEpoch { .. }) => Ok(false),
    }
}

/// Puts every aggregate of a shop on lists.
async fn list_all(cx: &Context, shop: &ShopId, lists: &'static [Ledger]) -> Result<()> {
    for (rule, gather) in cx.mapping.rules().iter().map(|rule| rule.gather.clone()).enumerate() {
        if !may_belong(cx, &gather, shop) {
            continue;
        }
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (name, at, from) = (shop.clone(), gather.clone(), after.take());
            let page =
                cx.staged.run(move |staged| staged.anchors(&at, name.as_str(), from.as_deref(), ANCHORS)).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let anchors: Vec<_> = page.into_iter().map(|(_, anchor)| (rule, anchor)).collect();
            let name = shop.clone();
            cx.staged.run(move |staged| lists.iter().try_for_each(|list| staged.list(*list, &name, &anchors))).await?;
        }
    }
    Ok(())
}
