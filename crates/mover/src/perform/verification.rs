//! The step `verify`: every aggregate and every control total of a shop, while its shoppers go on.
//!
//! What differs is asked again while derivation goes on; only what stays different becomes a finding.

use super::{DONE, Effect};
use crate::context::Context;
use crate::drive::Driver;
use crate::error::{Error, Result};
use crate::throttle::Pace;
use crate::verify::Suspects;
use crate::{derive, observe, rehearse, report, totals, verify};
use cutover::progress::Progress;
use cutover::record::Reason;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use vocab::id::{Epoch, ShopId};

/// How often what changes meanwhile is derived.
const DERIVE_EVERY: Duration = Duration::from_millis(20);

/// The full verification, with the rehearsal of the way back; derivation goes on beside it.
pub(super) async fn verify_all(driver: &mut Driver, progress: &Progress) -> Result<Effect> {
    let (cx, shop, epoch) = (driver.cx.clone(), driver.shop.clone(), progress.head.epoch);
    let (pace, checked) = (driver.pace(), AtomicBool::new(false));
    let check = async {
        let rehearsed = rehearse::rehearse(&cx, &shop).await?;
        verify::full(&cx, &shop, &pace).await?;
        checked.store(true, Ordering::Release);
        Ok::<_, Error>(rehearsed)
    };
    let derives = async {
        let mut tick = tokio::time::interval(DERIVE_EVERY);
        while !checked.load(Ordering::Acquire) {
            tick.tick().await;
            derive::derive(&cx, &shop, epoch).await?;
        }
        Ok(())
    };
    // Side by side: neither waits while the other has work.
    let (rehearsed, ()) = tokio::try_join!(check, derives)?;
    driver.memory.rehearsed = rehearsed.is_empty();
    if let Some(what) = rehearsed.first() {
        verify::finding(&cx, &shop, "rehearsal", what.clone()).await?;
        return Ok(Effect::Failed(Reason::Failed("rehearsal".into())));
    }
    verify::close_finding(&cx, &shop, "rehearsal").await?;
    let settled = settle_verification(driver, epoch, &pace).await?;
    drop(pace);
    if matches!(settled, Effect::Done { .. }) {
        // What stopped the copy before this one is over: this one is right.
        cx.store.close_mended(&shop).await?;
    }
    Ok(settled)
}

/// Rounds in which what differed may become quiet.
const ROUNDS: u32 = 40;
/// Between two rounds.
const ROUND: Duration = Duration::from_millis(50);

/// Proves by key what differed or changed, until it matches or has stayed different while nothing moved.
async fn settle_verification(driver: &mut Driver, epoch: Epoch, pace: &Pace) -> Result<Effect> {
    let (cx, shop) = (driver.cx.clone(), driver.shop.clone());
    // What changes all the time may differ in each round, and stays listed for the hold to prove: it is no mismatch, and no
    // proof that one is over.
    let (mut differing, mut suspects, mut matches) = (Vec::new(), Suspects::default(), false);
    for _ in 0..ROUNDS {
        derive::derive(&cx, &shop, epoch).await?;
        let verdict = verify::prove_in_turns(&cx, &shop, pace).await?;
        differing = suspects.confirm(&verdict);
        matches = verdict.differing.is_empty();
        if matches {
            break;
        }
        tokio::time::sleep(ROUND).await;
    }
    if !differing.is_empty() {
        verify::open_mismatch(&cx, &shop, &differing).await?;
        if !cx.without.has("verify.digest") {
            return Ok(Effect::Failed(Reason::Mismatch(u64::try_from(differing.len()).unwrap_or(u64::MAX))));
        }
    } else if matches {
        verify::close_finding(&cx, &shop, "verify.digest").await?;
    }
    control_totals(&cx, &shop, epoch).await
}

/// Control totals are of the whole shop, so they are compared until every aggregate of it that rests was compared.
async fn control_totals(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<Effect> {
    let (mut rounds, mut compared_once) = (totals::Rounds::default(), false);
    for round in 0..ROUNDS {
        if observe::is_stopped(cx, shop).await? {
            return Err(Error::Stopped);
        }
        if round > 0 {
            tokio::time::sleep(ROUND).await;
        }
        let derived = derive::derive(cx, shop, epoch).await?;
        // What is refused and accepted so is left out of the totals, so it is accepted first.
        observe::findings_open(cx, shop).await?;
        if !derived.everything {
            continue;
        }
        // The source adds up a whole shop: meanwhile it is not silent.
        let adding = Pace::at_once(cx, shop).rows(0).await?;
        let compared = totals::compare(cx, shop, &rounds).await?;
        drop(adding);
        let Some(compared) = compared else { continue };
        compared_once = true;
        if rounds.agree(compared) {
            verify::close_finding(cx, shop, "control_total").await?;
            report::keep(cx, shop, &rounds.figures()).await?;
            return verify::ledger(cx, shop).await.map(|()| DONE);
        }
    }
    if !compared_once {
        return Ok(Effect::Failed(Reason::Failed("mark_not_seen".into())));
    }
    verify::open_control_total(cx, shop, &rounds.figures()).await?;
    if cx.without.has("control_total") {
        return verify::ledger(cx, shop).await.map(|()| DONE);
    }
    Ok(Effect::Failed(Reason::Failed("control_total".into())))
}
