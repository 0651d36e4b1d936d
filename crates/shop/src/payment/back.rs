//! Money on its way back: each refund on record, under its key, before it is sent.

use super::Service;
use crate::failure::Stop;
use crate::view::View;
use commerce::decision::{Aggregate, Decision};
use commerce::intent::{Intent, Refund, RefundState};
use commerce::money::Money;
use commerce::refusal::Refusal;
use std::sync::atomic::{AtomicUsize, Ordering};
use vocab::id::{PublicId, ShopId};

impl Service {
    /// With the order that gives so much back, its intent owes it to the buyer.
    pub(crate) async fn given_by_intent(
        &self,
        shop: &ShopId,
        view: &mut View,
        id: &PublicId,
        amount: Money,
        decision: Decision,
    ) -> Result<Decision, Stop> {
        let before = self.intent_beside(shop, view, id).await?;
        Ok(decision.and(self.turned(&before, &before.give_back(amount)?)?))
    }

    /// Nothing more is wanted of the buyer: its codes are ended, and then the checkout is.
    ///
    /// # Errors
    /// `payment_received` where it is paid.
    pub(crate) async fn cancel_intent(&self, shop: &ShopId, view: &mut View, id: &PublicId) -> Result<Decision, Stop> {
        let before = self.intent_beside(shop, view, id).await?;
        Ok(self.turned(&before, &before.cancel(self.now())?)?)
    }

    /// Puts on record what is owed back, and sends what a rail can send.
    pub(super) async fn refund_owed(&self, shop: &ShopId, id: &PublicId) -> Result<(), Stop> {
        // Of the try that was committed: who recorded a refund sends it, and nobody else.
        let known = AtomicUsize::new(0);
        let recorded = self.change_intent(shop, id, |intent| {
            known.store(intent.refunds().len(), Ordering::SeqCst);
            intent.refund_what_is_owed(self.now())
        });
        let after = recorded.await?;
        for refund in after.refunds().iter().skip(known.into_inner()) {
            if refund.state() == RefundState::Recorded {
                self.send(shop, &after, refund).await?;
            } else {
                let (key, minor) = (refund.key(), refund.amount().minor());
                tracing::error!(%shop, intent = %id, key, minor, "owed to a buyer whose account nobody knows");
            }
        }
        Ok(())
    }

    pub(super) async fn send_refund_again(&self, shop: &ShopId, id: &PublicId, key: &str) -> Result<(), Stop> {
        let after = self.change_intent(shop, id, |intent| intent.refund_sent_again(key, self.now())).await?;
        self.send(shop, &after, keyed(&after, key)?).await
    }

    async fn send(&self, shop: &ShopId, intent: &Intent, refund: &Refund) -> Result<(), Stop> {
        let (rail, asked_at) = (self.rail_of(intent)?, self.now());
        let (answer, patience) = (rail.refund(intent, refund).await, *rail.patience());
        let heard = |intent: &Intent| intent.refund_answered(refund.key(), answer, asked_at, &patience);
        self.change_intent(shop, intent.id(), heard).await.map(drop)
    }

    pub(super) async fn query_refund(&self, shop: &ShopId, id: &PublicId, key: &str) -> Result<(), Stop> {
        let (_, intent) = self.intent(shop, id).await?;
        let (rail, asked_at) = (self.rail_of(&intent)?, self.now());
        let (answer, patience) = (rail.query_refund(&intent, keyed(&intent, key)?).await, *rail.patience());
        let heard = |intent: &Intent| intent.refund_answered(key, answer, asked_at, &patience);
        self.change_intent(shop, id, heard).await.map(drop)
    }

    pub(super) async fn withdraw_refund(&self, shop: &ShopId, id: &PublicId, key: &str) -> Result<(), Stop> {
        self.change_intent(shop, id, |intent| intent.withdraw_refund(key, self.now())).await.map(drop)
    }
}

fn keyed<'a>(intent: &'a Intent, key: &str) -> Result<&'a Refund, Refusal> {
    let found = intent.refunds().iter().find(|refund| refund.key() == key);
    found.ok_or_else(|| Refusal::not_found("refund", key))
}
