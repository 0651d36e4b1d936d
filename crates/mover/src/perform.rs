//! Performing a step: intent, effect, outcome, with the crash points between them, in the order that `cutover` gives.

mod tracking;
mod verification;

use crate::context::Context;
use crate::drive::{Driver, Memory};
use crate::error::{Error, HANGS, Result};
use crate::records::{self, Measured};
use crate::staged::{Ledger, Staged};
use crate::{copy, derive, dial, observe, reread, reverse, verify};
use capture::FenceOutcome;
use crash::{Act, Phase as Point};
use cutover::bounds::{FENCE_LOCK_MS_MAX, HOLD_GIVE_UP_MS};
use cutover::progress::Progress;
use cutover::record::{Head, Reason, Record};
use cutover::step::Step;
use std::time::{Duration, Instant};
use store::{HeadChange, HeadError};
use vocab::id::{Direction, Epoch, Kind, Seq, ShopId, Side};

/// The longest wait for a marker inside a hold; the hold's own deadline is behind it.
const MARK_MAX: Duration = Duration::from_millis(300);

/// Long work takes as long as it takes: turns and pauses are waited for in it. What it asks of the source is bounded.
const UNBOUNDED: Duration = Duration::MAX;

/// What an effect came to.
enum Effect {
    /// The outcome is still to be recorded.
    Done {
        mark: Option<u64>,
        held: Option<u64>,
    },
    /// The outcome was recorded with the effect, in one transaction.
    Recorded(Record),
    Failed(Reason),
}

const DONE: Effect = Effect::Done { mark: None, held: None };

/// Performs one step and keeps its records.
pub(crate) async fn perform(driver: &mut Driver, progress: &Progress, step: &Step) -> Result<()> {
    let Some(intent) = progress.intent(step) else { return Ok(()) };
    let act = step.act(intent.direction);
    let begun = Instant::now();
    reach(act, Point::Before);
    driver.record(intent.clone(), Measured::default()).await?;
    if is_long(step) {
        driver.show_begun(progress);
    }
    reach(act, Point::During);
    let left = time_left(&driver.memory, step);
    let performed = tokio::time::timeout(left, effect(driver, progress, step, &intent)).await;
    let effect = match performed.unwrap_or(Ok(Effect::Failed(Reason::Deadline))) {
        Ok(effect) => effect,
        Err(Error::LeaseLost) => return Err(Error::LeaseLost),
        // Whether the head moved is not known: only what is durable tells.
        Err(error @ Error::Store(_)) if moves_head(step, intent.direction) => return Err(error),
        Err(error) => {
            tracing::warn!(shop = %driver.shop, %step, %error, "a step failed");
            Effect::Failed(Reason::Failed(code(&error).into()))
        }
    };
    reach(act, Point::After);
    let us = i64::try_from(begun.elapsed().as_micros()).ok();
    match effect {
        Effect::Done { mark, held } => {
            let done = Record { mark, ..intent.done() };
            let measured = Measured { us, held, invoice: None };
            if is_followed(step) {
                driver.record_later(done, measured);
                return Ok(());
            }
            driver.record(done, measured).await
        }
        Effect::Recorded(record) => {
            driver.keep(record);
            Ok(())
        }
        Effect::Failed(reason) => {
            driver.memory.failed_at = Some(Instant::now());
            driver.record(intent.failed(reason), Measured { us, ..Measured::default() }).await
        }
    }
}

/// The steps between hold and release: the intent of the next one follows at once, and is stored together with their
/// outcome, so that a hold waits for one sync per step. Nothing is done in between.
const fn is_followed(step: &Step) -> bool {
    matches!(
        step,
        Step::Hold { .. }
            | Step::Drain
            | Step::Fence { .. }
            | Step::Mark
            | Step::CatchUp { .. }
            | Step::Prove
            | Step::Unfence { .. }
    )
}

/// The steps that take longer the larger a shop is.
const fn is_long(step: &Step) -> bool {
    matches!(step, Step::Copy | Step::Track | Step::Verify | Step::Reread)
}

fn moves_head(step: &Step, direction: Direction) -> bool {
    matches!((step, direction), (Step::Flip { .. } | Step::Abort { .. }, _) | (Step::Fence { .. }, Direction::ToLegacy))
}

/// What a step may take. Inside a hold, before the flip: what is left until the hold is given up, so that a slow look
/// does not carry it over its deadline; a late effect at the source is refused there by its epoch.
fn time_left(memory: &Memory, step: &Step) -> Duration {
    match (step, memory.hold) {
        (Step::Drain | Step::Fence { .. } | Step::Mark | Step::CatchUp { .. } | Step::Prove, Some(_)) => {
            hold_left(memory)
        }
        (Step::Copy | Step::Track | Step::Verify, _) => UNBOUNDED,
        _ => HANGS,
    }
}

/// How long the hold that this process asked for may go on before its flip.
pub(crate) fn hold_left(memory: &Memory) -> Duration {
    let since = memory.hold.map(|(_, since)| since.elapsed()).unwrap_or_default();
    Duration::from_millis(u64::from(HOLD_GIVE_UP_MS)).saturating_sub(since)
}

fn reach(act: Option<Act>, point: Point) {
    if let Some(act) = act {
        crash::reach(act, point);
    }
}

/// A stable code for what failed in the world.
fn code(error: &Error) -> &'static str {
    match error {
        Error::Source(_) => "source",
        Error::Store(_) => "store",
        Error::StagedFile(_) | Error::Staged(_) | Error::Elsewhere(_) => "staged",
        Error::Task(_) => "task",
        Error::UnknownShop(_) | Error::Plan(_) => "plan",
        Error::LeaseLost => "lease",
        Error::Stopped => "stopped",
        Error::Silent => "silent",
    }
}

async fn effect(driver: &mut Driver, progress: &Progress, step: &Step, intent: &Record) -> Result<Effect> {
    let (cx, shop) = (driver.cx.clone(), driver.shop.clone());
    match step {
        Step::Install => install(&cx, &shop).await,
        Step::Copy => {
            let copied = copy::copy(&cx, &shop, &driver.pace()).await?;
            Ok(if copied { DONE } else { Effect::Failed(Reason::Failed("stopped".into())) })
        }
        Step::Track => tracking::track(driver, progress).await,
        Step::Verify => verification::verify_all(driver, progress).await,
        Step::Hold { epoch, deadline_ms } => {
            driver.memory.hold = Some((*epoch, Instant::now()));
            cx.links.hold(&shop, *epoch, *deadline_ms).await;
            Ok(DONE)
        }
        Step::Drain => drain(&cx, &shop, intent.direction, intent.epoch, &driver.memory).await,
        Step::Fence { epoch, lock_ms_max } => fence(driver, progress, intent, *epoch, *lock_ms_max).await,
        Step::Mark => mark(&cx, &shop, intent.direction).await,
        Step::CatchUp { until } => catch_up(&cx, &shop, progress, intent.direction, *until).await,
        Step::Prove => prove(&cx, &shop).await,
        Step::Flip { owner, epoch } => flip(driver, progress, intent, *owner, *epoch).await,
        Step::Release { owner, epoch } => {
            let held = cx.links.release(&shop, *owner, *epoch).await;
            driver.memory.released();
            Ok(Effect::Done { mark: None, held })
        }
        Step::Abort { epoch, reason } => {
            driver.memory.failed_at = Some(Instant::now());
            let change = change(&shop, progress, progress.head.owner, *epoch, false);
            let done = Record { reason: Some(reason.clone()), ..intent.done() };
            head(driver, change, done, Measured::default()).await
        }
        Step::Unfence { epoch, .. } => {
            cx.source.unfence(&shop, *epoch, unfence_wait(&driver.memory, *epoch)).await?;
            driver.memory.fence = None;
            Ok(DONE)
        }
        Step::Reread => Ok(match reread::begin_again(driver, progress).await? {
            Ok(()) => DONE,
            Err(reason) => Effect::Failed(reason),
        }),
        Step::Soak => soak(driver).await,
        Step::Seal => seal(&cx, &shop).await,
        Step::Wait(_) => Ok(DONE),
    }
}

async fn install(cx: &Context, shop: &ShopId) -> Result<Effect> {
    let known = cx.source.fences().await?.iter().any(|fence| fence.shop == *shop);
    if !known {
        cx.source.install(std::slice::from_ref(shop)).await?;
    }
    Ok(DONE)
}

async fn drain(cx: &Context, shop: &ShopId, direction: Direction, epoch: Epoch, memory: &Memory) -> Result<Effect> {
    let quiet = cx.links.look(shop, epoch).await.is_some_and(|hold| hold.acknowledged && hold.in_flight_zero);
    let open = match direction {
        Direction::ToLegacy => cx.links.settle_payments(shop).await,
        Direction::ToBackend => Some(cx.source.open_transactions(cx.policy.role.as_deref(), memory.quiet_since).await?),
    };
    Ok(if quiet && open == Some(0) { DONE } else { Effect::Failed(Reason::Failed("not_drained".into())) })
}

async fn fence(
    driver: &mut Driver,
    progress: &Progress,
    intent: &Record,
    epoch: Epoch,
    lock_ms_max: u32,
) -> Result<Effect> {
    let (cx, shop) = (driver.cx.clone(), driver.shop.clone());
    if intent.direction == Direction::ToLegacy {
        let change = change(&shop, progress, Side::Backend, progress.head.epoch, true);
        return head(driver, change, intent.done(), Measured::default()).await;
    }
    if cx.without.has("fence") {
        driver.memory.fence = Some(epoch);
        return Ok(DONE);
    }
    match cx.source.fence(&shop, epoch, Duration::from_millis(u64::from(lock_ms_max))).await? {
        FenceOutcome::Closed => {
            driver.memory.fence = Some(epoch);
            // A fence that is closed and not asked is none: a table rebuilt since has lost its triggers.
            let guarded = observe::guarded(&cx, &shop).await?;
            Ok(if guarded { DONE } else { Effect::Failed(Reason::Failed("guards_missing".into())) })
        }
        FenceOutcome::Waited => {
            driver.memory.fence_waited = Some(epoch);
            Ok(Effect::Failed(Reason::Failed("source.lock_timeout".into())))
        }
    }
}

/// A fence of this process that is known to have ended need not be waited for; of a process that died, one may still
/// be under way, for as long as a fence may wait.
fn unfence_wait(memory: &Memory, epoch: Epoch) -> Duration {
    let ended = memory.fence_waited == Some(epoch) || memory.fence == Some(epoch);
    Duration::from_millis(if ended { 1 } else { u64::from(FENCE_LOCK_MS_MAX) + 50 })
}

async fn mark(cx: &Context, shop: &ShopId, direction: Direction) -> Result<Effect> {
    let mark = match direction {
        Direction::ToLegacy => cx.store.head(shop).await?.ok_or_else(|| Error::UnknownShop(shop.clone()))?.seq.0,
        Direction::ToBackend => match cx.mark(MARK_MAX).await? {
            Some(order) => order,
            None => return Ok(Effect::Failed(Reason::Failed("mark_not_seen".into()))),
        },
    };
    Ok(Effect::Done { mark: Some(mark), held: None })
}

async fn catch_up(
    cx: &Context,
    shop: &ShopId,
    progress: &Progress,
    direction: Direction,
    until: u64,
) -> Result<Effect> {
    match direction {
        Direction::ToBackend => {
            derive::derive_all(cx, shop, progress.head.epoch).await?;
            let name = shop.clone();
            // The position first: what a batch stages after it is counted, and not the other way round.
            let look = move |staged: &Staged| Ok((staged.position()?, staged.count(Ledger::Derive, &name)?));
            let (position, left) = cx.staged.run(look).await?;
            let there = left == 0 && position.is_some_and(|position| position.0 >= until);
            Ok(if there { DONE } else { Effect::Failed(Reason::Failed("not_applied".into())) })
        }
        Direction::ToLegacy => {
            let applied = cx.source.applied(shop).await?;
            Ok(if applied.0 >= until { DONE } else { Effect::Failed(Reason::Failed("not_applied".into())) })
        }
    }
}

async fn prove(cx: &Context, shop: &ShopId) -> Result<Effect> {
    let verdict = verify::prove_listed(cx, shop).await?;
    if verdict.differing.is_empty() || cx.without.has("verify.digest") {
        return Ok(DONE);
    }
    tracing::warn!(%shop, differing = verdict.differing.len(), first = verdict.differing[0].what, "the hold is given up");
    Ok(Effect::Failed(Reason::Mismatch(u64::try_from(verdict.differing.len()).unwrap_or(u64::MAX))))
}

async fn flip(driver: &mut Driver, progress: &Progress, intent: &Record, owner: Side, epoch: Epoch) -> Result<Effect> {
    let (cx, shop) = (driver.cx.clone(), driver.shop.clone());
    if owner == Side::Backend {
        // From here on whatever else is staged of the shop is a rogue's. What somebody brought past the fence before
        // that, and behind the mark, is not derived: the hold was for nothing.
        cx.owned.set(&shop, progress.mark().unwrap_or(0));
        // The rows as they are now are the complement of everything that the backend will do.
        let name = shop.clone();
        if cx.staged.run(move |staged| staged.set_base(&name)).await? > 0 {
            cx.owned.clear(&shop);
            return Ok(Effect::Failed(Reason::Failed("not_applied".into())));
        }
        driver.memory.verified_since_flip = false;
        driver.memory.full_pass = None;
    }
    // Nobody writes now, so it is exact: the legacy is fenced and followed to the mark, or our head is fenced.
    let invoice = cx.store.last_serial(&shop, Kind::Order).await?;
    let change = change(&shop, progress, owner, epoch, false);
    let effect = head(driver, change, intent.done(), Measured { invoice, ..Measured::default() }).await?;
    if owner == Side::Legacy || matches!(effect, Effect::Failed(_)) {
        cx.owned.clear(&shop);
    }
    Ok(effect)
}

fn change(shop: &ShopId, progress: &Progress, owner: Side, epoch: Epoch, fenced: bool) -> HeadChange {
    HeadChange { shop: shop.clone(), expect_epoch: progress.head.epoch, owner, epoch, fenced }
}

/// Changes the head and records the step done in one transaction.
async fn head(driver: &mut Driver, change: HeadChange, done: Record, measured: Measured) -> Result<Effect> {
    let to_backend = change.owner == Side::Backend && done.direction == Direction::ToBackend;
    let step = records::to_stored(&driver.cx, &driver.shop, &done, measured);
    let moved = Head { owner: change.owner, epoch: change.epoch, fenced: change.fenced };
    let answer = driver.cx.store.move_head(change, step).await;
    driver.head = answer.is_ok().then_some(moved);
    match answer {
        Ok(seq) if to_backend => Ok(Effect::Recorded(done.with_reverse_start(seq))),
        Ok(_) => Ok(Effect::Recorded(done)),
        Err(HeadError::WrongEpoch { head }) => Ok(Effect::Failed(Reason::Failed(format!("head_at_{head}").into()))),
        Err(HeadError::UnknownShop) => Err(Error::UnknownShop(driver.shop.clone())),
        Err(HeadError::Store(error)) => Err(error.into()),
    }
}

async fn soak(driver: &mut Driver) -> Result<Effect> {
    dial::end(&driver.cx, &driver.shop).await?;
    let start = records::reverse_start(&driver.records);
    let applied = driver.cx.source.applied(&driver.shop).await?;
    driver.memory.applied = Some(if applied.0 > start.0 { applied } else { start });
    Ok(DONE)
}

async fn seal(cx: &Context, shop: &ShopId) -> Result<Effect> {
    let name = shop.clone();
    if cx.staged.run(move |staged| staged.copied(&name)).await?.0.is_empty() {
        // A mover that died had come so far: without the rows at the flip nothing can be carried back any more.
        return Ok(DONE);
    }
    let head = cx.store.head(shop).await?.ok_or_else(|| Error::UnknownShop(shop.clone()))?;
    let mut applied = cx.source.applied(shop).await?;
    while applied < head.seq {
        match reverse::carry_back(cx, shop, applied).await? {
            Ok(seq) if seq > applied => applied = seq,
            Ok(_) => break,
            Err(reverse::Halt::Mismatch(what)) => return Ok(Effect::Failed(Reason::Failed(what.into()))),
        }
    }
    let name = shop.clone();
    cx.staged.run(move |staged| staged.forget(&name)).await?;
    Ok(DONE)
}

/// The facts from which the way back starts, for a driver that begins in the middle.
pub(crate) async fn applied_from(cx: &Context, shop: &ShopId, records: &[Record]) -> Result<Seq> {
    let start = records::reverse_start(records);
    let applied = cx.source.applied(shop).await?;
    Ok(if applied > start { applied } else { start })
}
