//! Money on its way back: each refund on record, under its key, before it is sent.

use super::Service;
use crate::Frame;
use crate::failure::{Failure, Stop};
use crate::view::View;
use commerce::decision::{Aggregate, Decision};
use commerce::intent::{Intent, Refund, RefundAnswer, RefundState};
use commerce::money::Money;
use commerce::refusal::{Refusal, Retry};
use std::sync::atomic::{AtomicUsize, Ordering};
use vocab::id::{PublicId, ShopId, Timestamp};

/// A bank, a number and a name; a number alone.
const ACCOUNT_MIN: usize = 5;
const ACCOUNT_MAX: usize = 80;

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

    /// The order that is to be paid at the door is not wanted any more.
    pub(crate) async fn not_wanted_at_the_door(
        &self,
        shop: &ShopId,
        view: &mut View,
        id: &PublicId,
    ) -> Result<Decision, Stop> {
        let before = self.intent_beside(shop, view, id).await?;
        Ok(self.turned(&before, &before.not_wanted_at_the_door(self.now())?)?)
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

    /// The buyer says where all goes that is owed to them for a checkout and has no way back on its rail.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal is an answer: `account_invalid`, `refund_not_owed`.
    pub async fn pay_out(&self, frame: &Frame, checkout: &PublicId, account: &str) -> Result<Option<Refusal>, Failure> {
        // Only the owner does, and only under the epoch of the head.
        self.writing(frame, None, None).await?;
        match self.pay_out_all(&frame.shop, checkout, account.trim()).await {
            Ok(()) => Ok(None),
            Err(Stop::Refused(refusal)) => Ok(Some(refusal)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    async fn pay_out_all(&self, shop: &ShopId, checkout: &PublicId, account: &str) -> Result<(), Stop> {
        let letters = account.chars().count();
        if !(ACCOUNT_MIN..=ACCOUNT_MAX).contains(&letters) || account.chars().any(char::is_control) {
            let content = format!("an account is {ACCOUNT_MIN} to {ACCOUNT_MAX} characters");
            return Err(Refusal::new("account_invalid", Retry::Changed, content).into());
        }
        for intent in self.begun_for(shop, checkout).await? {
            for refund in intent.refunds().iter().filter(|refund| refund.state() == RefundState::NeedsAccount) {
                let (id, key) = (intent.id(), refund.key());
                let after = self.change_intent(shop, id, |intent| intent.pay_out_to(key, account, self.now())).await?;
                self.send(shop, &after, keyed(&after, key)?).await?;
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
        let answer = rail.refund(intent, refund).await;
        self.hear_of_refund(shop, intent.id(), refund.key(), asked_at, answer).await
    }

    pub(super) async fn query_refund(&self, shop: &ShopId, id: &PublicId, key: &str) -> Result<(), Stop> {
        let (_, intent) = self.intent(shop, id).await?;
        let (rail, asked_at) = (self.rail_of(&intent)?, self.now());
        let answer = rail.query_refund(&intent, keyed(&intent, key)?).await;
        self.hear_of_refund(shop, id, key, asked_at, answer).await
    }

    async fn hear_of_refund(
        &self,
        shop: &ShopId,
        id: &PublicId,
        key: &str,
        asked_at: Timestamp,
        answer: RefundAnswer,
    ) -> Result<(), Stop> {
        let patience = *self.rail()?.patience();
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
