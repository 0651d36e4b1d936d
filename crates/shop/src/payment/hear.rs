//! Facts go in: what a rail said of a try, put on the intent as it stands.

use crate::failure::{Failure, Stop, Unwritten};
use crate::rails::Said;
use crate::view::View;
use crate::{Service, TRIES_MAX};
use commerce::decision::{Aggregate, Decision};
use commerce::intent::{Entered, Intent};
use commerce::ledger;
use commerce::order::Order;
use commerce::refusal::Refusal;
use vocab::id::{Kind, PublicId, ShopId, Timestamp};

impl Service {
    /// Puts on record what the rail said of a try when it was asked: then, and not when that is on the disk. How old an answer
    /// is decides what it proves.
    pub(super) async fn hear(
        &self,
        shop: &ShopId,
        id: &PublicId,
        attempt: u32,
        asked_at: Timestamp,
        said: &Said,
    ) -> Result<Intent, Stop> {
        let patience = *self.rail()?.patience();
        let heard = self.change_intent(shop, id, |intent| {
            let after = intent.answered(attempt, said.answer, asked_at, &patience)?;
            let after = after.showing(attempt, said.shown.as_deref(), said.expires_at)?;
            Ok(with_receipts(after, said))
        });
        let heard = heard.await?;
        if heard.is_order_unpaid() {
            tracing::error!(%shop, intent = %id, "an order is not paid: its money was taken back, or not all of it was taken at the door");
        }
        Ok(heard)
    }

    /// One commit that makes of an intent what `change` says, on what stands now; the intent as it is then.
    pub(super) async fn change_intent(
        &self,
        shop: &ShopId,
        id: &PublicId,
        change: impl Fn(&Intent) -> Result<Intent, Refusal>,
    ) -> Result<Intent, Stop> {
        for _ in 0..TRIES_MAX {
            let (mut view, before) = self.intent(shop, id).await?;
            let after = change(&before)?;
            let decision = self.turned(&before, &after)?;
            let decision = self.paid_at_the_door(shop, &mut view, &after, decision).await?;
            if decision.writes.is_empty() {
                return Ok(after);
            }
            match self.commit(shop, &view, decision).await {
                Ok(_) => return Ok(after),
                Err(Unwritten::Failed(failure)) => return Err(failure.into()),
                // No stock moves here.
                Err(Unwritten::Conflict { .. } | Unwritten::OutOfStock { .. } | Unwritten::TooMuchStock) => {}
            }
        }
        Err(Failure::Busy.into())
    }
}

impl Service {
    /// With the money of an order that was placed on a promise, the order is paid.
    async fn paid_at_the_door(
        &self,
        shop: &ShopId,
        view: &mut View,
        after: &Intent,
        decision: Decision,
    ) -> Result<Decision, Stop> {
        let Some(id) = after.order().filter(|_| after.was_promised()) else { return Ok(decision) };
        let order = self.load_beside(shop, view, Kind::Order, id, Order::from_document).await?;
        let order = order.ok_or_else(|| Refusal::not_found("order", id.as_str()))?;
        match order.paid_at_the_door(after, self.now()) {
            Some(paid) => Ok(decision.changed(&order, &paid).booking(ledger::added(Some(&order), &paid)?)),
            None => Ok(decision),
        }
    }
}

/// Money that moved is written down whatever else is so; what cannot be is somebody's to look at.
fn with_receipts(mut intent: Intent, said: &Said) -> Intent {
    for receipt in &said.receipts {
        match intent.receive(receipt.clone()) {
            Ok((after, entered)) => {
                if entered == Entered::Differs {
                    tracing::error!(intent = %intent.id(), transaction = receipt.transaction, "a receipt says another amount than before");
                }
                intent = after;
            }
            Err(refusal) => {
                tracing::error!(intent = %intent.id(), transaction = receipt.transaction, code = refusal.code, "a receipt cannot be entered");
            }
        }
    }
    intent
}
