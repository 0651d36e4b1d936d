//! What the mover sees now: the volatile half of a decision. After a crash none of it is known.

use crate::context::Context;
use crate::drive::Memory;
use crate::error::{Error, Result};
use crate::staged::Ledger;
use crate::{stream, verify};
use capture::FenceOutcome;
use commerce::intent::{Intent, Patience};
use cutover::bounds::{FENCE_LOCK_MS_MAX, REST_MS};
use cutover::next::{Holding, Observed};
use cutover::progress::Progress;
use cutover::ready::{Back, There};
use cutover::state::State;
use cutover::stopping::{STOPPING, stops};
use std::time::{Duration, Instant};
use store::Acceptance;
use vocab::id::{Direction, Epoch, Kind, ShopId, Side, Timestamp};

/// What is known without asking anybody.
pub(crate) fn nothing(memory: &Memory) -> Observed {
    let rested = memory.failed_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(u64::from(REST_MS)));
    let hold = memory.hold.map(|(_, since)| Holding { elapsed_ms: elapsed_ms(since), ..Holding::default() });
    Observed { rested, hold, ..Observed::default() }
}

pub(crate) async fn look(cx: &Context, shop: &ShopId, progress: &Progress, memory: &mut Memory) -> Result<Observed> {
    let mut seen = Observed { hold: None, ..nothing(memory) };
    if let Some((direction, epoch)) = progress.cutover() {
        seen.hold = holding(cx, shop, epoch, memory).await;
        seen.fence_closed = direction == Direction::ToBackend && fence_closed(cx, shop, epoch, memory).await?;
        // Only what the next decision asks for: every look at a database makes the hold longer.
        let quiet = seen.hold.is_some_and(|hold| hold.acknowledged && hold.in_flight_zero);
        let state = progress.state();
        if quiet && matches!(state, State::Held(_)) {
            seen.open_work = open_work(cx, shop, direction, memory).await?;
        } else if matches!(state, State::Marked(_) | State::Proven(_)) {
            seen.applied = applied(cx, shop, direction, memory).await?;
        }
        return Ok(seen);
    }
    memory.quiet_since = None;
    match progress.derives() {
        Some(Direction::ToBackend) => seen.there = there(cx, shop, progress.head.epoch, memory).await?,
        Some(Direction::ToLegacy) => seen.back = back(cx, shop, memory).await?,
        None => {}
    }
    // After everything that may find why.
    seen.stopped = stopped(cx, shop).await?;
    if progress.head.owner == Side::Legacy {
        seen.stopped = seen.stopped.or_else(|| cx.trouble.code().map(Into::into));
    }
    Ok(seen)
}

/// The hold that this process asked for, as the seams tell it now.
async fn holding(cx: &Context, shop: &ShopId, epoch: Epoch, memory: &Memory) -> Option<Holding> {
    let (held, since) = memory.hold?;
    if held != epoch {
        return None;
    }
    let seen = cx.links.look(shop, epoch).await?;
    Some(Holding { elapsed_ms: elapsed_ms(since), ..seen })
}

fn elapsed_ms(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX)
}

/// How far the target durably is. There: everything staged up to a position is derived, if nothing is dirty behind it.
async fn applied(cx: &Context, shop: &ShopId, direction: Direction, memory: &Memory) -> Result<Option<u64>> {
    match direction {
        Direction::ToBackend => {
            let name = shop.clone();
            cx.staged
                .run(move |staged| {
                    let position = staged.position()?;
                    let dirty = staged.count(Ledger::Derive, &name)?;
                    Ok(position.filter(|_| dirty == 0).map(|position| position.0))
                })
                .await
        }
        // What this process carried back is committed there; catch up looks once more.
        Direction::ToLegacy => match memory.applied {
            Some(applied) => Ok(Some(applied.0)),
            None => Ok(Some(cx.source.applied(shop).await?.0)),
        },
    }
}

async fn fence_closed(cx: &Context, shop: &ShopId, epoch: Epoch, memory: &mut Memory) -> Result<bool> {
    if memory.fence == Some(epoch) {
        return Ok(true);
    }
    if !memory.fence_unknown {
        return Ok(false);
    }
    let fences = cx.source.fences().await?;
    let closed = fences.iter().any(|fence| fence.shop == *shop && fence.closed && fence.epoch == epoch);
    if closed {
        memory.fence = Some(epoch);
    }
    memory.fence_unknown = false;
    Ok(closed)
}

/// What is open at the source, of what began before everything was quiet: the legacy goes on selling for other shops.
async fn open_work(cx: &Context, shop: &ShopId, direction: Direction, memory: &mut Memory) -> Result<Option<u64>> {
    match direction {
        Direction::ToLegacy => Ok(cx.links.settle_payments(shop).await),
        Direction::ToBackend => {
            let before = match memory.quiet_since {
                Some(before) => before,
                None => {
                    let now = cx.source.clock().await?;
                    memory.quiet_since = Some(now);
                    now
                }
            };
            let role = cx.policy.role.as_deref();
            Ok(Some(cx.source.open_transactions(role, Some(before)).await?))
        }
    }
}

pub(crate) async fn is_stopped(cx: &Context, shop: &ShopId) -> Result<bool> {
    Ok(stopped(cx, shop).await?.is_some())
}

/// What stops carrying facts back: the legacy refused it, or its tables are not what the mapping says. That nobody sees
/// what others write there, or that the log is gone, stops the shop and not the facts: the further the legacy is, the less
/// is lost whatever a person decides.
pub(crate) async fn keeps_from_carrying(cx: &Context, shop: &ShopId) -> Result<bool> {
    if !cx.findings.may_have(shop) {
        return Ok(false);
    }
    Ok(cx.store.stopped_by(shop, &["reverse.mismatch", "schema.changed"]).await?.is_some())
}

async fn stopped(cx: &Context, shop: &ShopId) -> Result<Option<vocab::id::Name>> {
    if !cx.findings.may_have(shop) {
        return Ok(None);
    }
    Ok(cx.store.stopped_by(shop, &STOPPING).await?)
}

/// Open findings. What the policy accepts by class and exact count is accepted now, and no longer open.
pub(crate) async fn findings_open(cx: &Context, shop: &ShopId) -> Result<u64> {
    if !cx.findings.may_have(shop) {
        return Ok(0);
    }
    let accepted = cx.policy.accepted(shop);
    let mut left = 0;
    for count in cx.store.finding_counts(shop).await? {
        let is_accepted = !stops(&count.class) && accepted.get(&*count.class) == Some(&(count.open + count.accepted));
        if count.open > 0 && is_accepted {
            let acceptance = Acceptance {
                shop: Some(shop.clone()),
                class: count.class.clone(),
                count: count.open,
                who: BY_POLICY.to_owned(),
                why: "the plan's policy file".to_owned(),
            };
            match cx.store.accept_findings(acceptance).await {
                Ok(()) => continue,
                // Another was opened meanwhile; the next look counts again.
                Err(store::AcceptError::CountDiffers { .. }) => {}
                Err(store::AcceptError::Store(error)) => return Err(error.into()),
            }
        }
        left += count.open;
    }
    Ok(left)
}

/// Who accepts what the policy file says.
const BY_POLICY: &str = "policy";

/// How often the source is asked whether our triggers still stand.
const GUARDS_EVERY: Duration = Duration::from_secs(2);

/// Whether capture and fence stand in the source as they were made, and its tables are as declared; where not, findings
/// say what is wrong. What was written meanwhile was not captured, so only a new copy makes it right again.
pub(crate) async fn guarded(cx: &Context, shop: &ShopId) -> Result<bool> {
    let guards = cx.source.guards().await?;
    if !guards.missing.is_empty() {
        tell_missing(cx, shop, &guards.missing).await?;
    }
    // Every shop looks for itself, and says it once.
    if !guards.changed.is_empty() && cx.store.stopped_by(shop, &["schema.changed"]).await?.is_none() {
        for change in &guards.changed {
            stream::schema_finding(cx, shop, change).await?;
        }
    }
    Ok(guards.stand())
}

pub(crate) async fn tell_missing(cx: &Context, shop: &ShopId, missing: &[String]) -> Result<()> {
    verify::finding(cx, shop, "guards.missing", format!("not as installed: {}", missing.join(", "))).await
}

async fn there(cx: &Context, shop: &ShopId, epoch: Epoch, memory: &mut Memory) -> Result<There> {
    let (lag_ms, lag_rising) = cx.stream.lag();
    let name = shop.clone();
    let dirty = cx.staged.run(move |staged| staged.count(Ledger::Prove, &name)).await?;
    if memory.guarded_at.is_none_or(|at| at.elapsed() >= GUARDS_EVERY) {
        let fence = cx.source.fences().await?.into_iter().find(|fence| fence.shop == *shop);
        if fence.as_ref().is_some_and(|fence| fence.closed && fence.epoch <= epoch) {
            // Of a hold that is over: of a mover that was thought dead, and came late.
            tracing::warn!(%shop, "the fence of a shop that the legacy owns was closed, and is opened");
            cx.source.unfence(shop, epoch, GUARDS_EVERY).await?;
        }
        memory.fence_tested = fence.is_some_and(|fence| !fence.closed) && guarded(cx, shop).await?;
        memory.guarded_at = Some(Instant::now());
    }
    let paying = cx.store.ids_in_state(shop, Kind::Checkout, "paying").await?.len();
    let unknown = paying.saturating_add(elsewhere(cx, shop).await?);
    Ok(There {
        lag_ms,
        lag_rising,
        dirty,
        findings_open: findings_open(cx, shop).await?,
        rehearsed: memory.rehearsed,
        fence_tested: memory.fence_tested,
        payments_unknown: u64::try_from(unknown).unwrap_or(u64::MAX),
    })
}

/// Payments whose money may still move and that are with a provider's account which this backend cannot ask: after the flip
/// nobody would know what became of them. So many at most.
async fn elsewhere(cx: &Context, shop: &ShopId) -> Result<usize> {
    let Some(known) = cx.accounts.as_ref() else { return Ok(0) };
    let found = cx.store.intents_elsewhere(shop, known, PAYMENTS_SHOWN).await?;
    let unread = found.len();
    let loaded = cx.store.load(shop, &found.into_iter().map(|id| (Kind::Intent, id)).collect::<Vec<_>>()).await?;
    let over =
        loaded.documents.iter().flatten().filter(|stored| {
            Intent::from_document(&stored.document).is_ok_and(|intent| intent.is_over(&Patience::USUAL))
        });
    Ok(unread - over.count())
}

/// The fence of a shop that the backend owns is closed. Where it is open, somebody has opened it, or the source was set
/// back to before the flip: it is closed again, and a finding says that the legacy could have sold.
async fn keep_closed(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<()> {
    if cx.without.has("fence") || cx.source.fences().await?.iter().any(|fence| fence.shop == *shop && fence.closed) {
        return Ok(());
    }
    tracing::warn!(%shop, "the fence of a shop that the backend owns was open, and is closed");
    let what = "the fence was open while the backend owned the shop, and is closed again".to_owned();
    verify::finding(cx, shop, "guards.missing", what).await?;
    let wait = Duration::from_millis(u64::from(FENCE_LOCK_MS_MAX));
    match cx.source.fence(shop, epoch, wait).await? {
        FenceOutcome::Closed => Ok(()),
        FenceOutcome::Waited => Err(Error::Source(capture::Error::Interrupted("an open fence stays locked"))),
    }
}

/// How long an attempt may be open before it keeps a shop from going back.
const PAYMENT_STUCK_US: i64 = 2_000_000;
/// So many are counted at most.
const PAYMENTS_SHOWN: usize = 100;

async fn back(cx: &Context, shop: &ShopId, memory: &mut Memory) -> Result<Back> {
    let head = cx.store.head(shop).await?;
    if memory.guarded_at.is_none_or(|at| at.elapsed() >= GUARDS_EVERY) {
        guarded(cx, shop).await?;
        if let Some(head) = &head {
            keep_closed(cx, shop, head.epoch).await?;
        }
        memory.guarded_at = Some(Instant::now());
    }
    let applied = cx.source.applied(shop).await?;
    // A payment of a moment ago is settled by the drain; one that stays open would let every hold end in vain.
    let stuck = Timestamp((cx.clock)().0 - PAYMENT_STUCK_US);
    let paying = cx.store.idle_in_state(shop, Kind::Checkout, "paying", stuck, PAYMENTS_SHOWN).await?.len();
    Ok(Back {
        facts_left: head.map(|head| head.seq.0.saturating_sub(applied.0)),
        debt: cx.store.count_debts(shop).await?,
        findings_open: findings_open(cx, shop).await?,
        payments_unknown: u64::try_from(paying).unwrap_or(u64::MAX),
        verified: memory.verified_since_flip,
    })
}
