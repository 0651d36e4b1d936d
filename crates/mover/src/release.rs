//! `release-all`: every hold ended, by whoever asks, with the mover dead or alive.

use crate::board::progress;
use crate::context::Context;
use crate::drive::{Board, Driver};
use crate::error::Result;
use crate::lease::{LEASE, renew};
use crate::records;
use crate::run::{AGAIN, Setup, context};
use crate::wishes;
use capture::Fence;
use cutover::bounds::LEASE_MS;
use cutover::next::Wishes;
use cutover::verb::Verb;
use tokio::sync::watch;
use vocab::document::Record;
use vocab::id::{ShopId, Side, Timestamp};

/// Brings every shop that stands between hold and release to rest, with the mover dead or alive: before its flip back,
/// after it on. Takes the mover's lease meanwhile; what was wished is given up, so that nothing begins anew. Returns the
/// shops that were not at rest.
///
/// # Errors
/// The world failed.
pub async fn release_all(setup: Setup) -> Result<Vec<ShopId>> {
    let Some(plan) = setup.store.plan().await? else { return Ok(Vec::new()) };
    let until = Timestamp((setup.clock)().0 + i64::from(LEASE_MS) * 1_000);
    setup.store.seize_lease(LEASE, &setup.holder, until).await?;
    for wish in setup.store.standing_wishes().await?.iter().filter(|wish| wishes::is_open(wish)) {
        if matches!(Verb::from_name(&wish.wish.verb), Some(Verb::Flip | Verb::Rollback | Verb::Seal)) {
            let given_up = Record::default().with("fulfilled", false).with("why", "release_all");
            setup.store.close_wish(wish.id, given_up).await?;
        }
    }
    let mut begun = Vec::new();
    for planned in &plan.shops {
        if !records::load(&setup.store, &planned.shop).await?.is_empty() {
            begun.push(planned.shop.clone());
        }
    }
    let mut released = Vec::new();
    if !begun.is_empty() {
        let cx = context(&setup, plan).await?;
        let ending = end_holds(&cx, &begun);
        released = tokio::select! {
            ended = ending => ended?,
            lost = renew(setup.clone()) => return lost.map(|()| Vec::new()),
        };
    }
    setup.store.drop_lease(LEASE, &setup.holder).await?;
    Ok(released)
}

/// Brings the shops to rest; the fence of one that the legacy owns is open then. Returns those that were not so.
async fn end_holds(cx: &Context, begun: &[ShopId]) -> Result<Vec<ShopId>> {
    let mut ended = Vec::new();
    for shop in begun {
        if !progress(&cx.store, shop).await?.1.at_rest() {
            let (_keep, wished) = watch::channel(Wishes { release_all: true, ..Wishes::default() });
            Driver::new(cx.clone(), shop.clone(), wished, Board::default()).await?.run().await?;
            ended.push(shop.clone());
        }
    }
    let mut closed = None;
    for shop in begun {
        let Some(head) = cx.store.head(shop).await?.filter(|head| head.owner == Side::Legacy) else { continue };
        let fences = match &closed {
            Some(fences) => fences,
            None => closed.insert(cx.source.fences().await?),
        };
        let stuck = |fence: &Fence| fence.shop == *shop && fence.closed && fence.epoch <= head.epoch;
        if fences.iter().any(stuck) {
            cx.source.unfence(shop, head.epoch, AGAIN).await?;
            ended.push(shop.clone());
        }
    }
    Ok(ended)
}
