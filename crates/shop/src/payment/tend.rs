//! One intent whose time has come: what it plans is done, each act on record before its first byte.

use crate::Service;
use crate::failure::{Failure, Stop};
use commerce::decision::Aggregate;
use commerce::intent::{Act, Attempt, Intent, Settling};
use commerce::money::Money;
use commerce::refusal::{Refusal, Retry};
use store::Woken;
use vocab::id::{PublicId, ShopId, Side, Timestamp};

/// Rounds of acts before somebody else has a turn.
const ROUNDS_MAX: usize = 8;
/// What could not be done is tried again so much later.
const AGAIN_US: i64 = 5_000_000;
/// What waiting does not help is looked at again when somebody may have put it right.
const MUCH_LATER_US: i64 = 3_600_000_000;

impl Service {
    /// Does what is to be done for an intent now.
    ///
    /// # Errors
    /// See [`Failure`]; it is looked at again.
    pub async fn tend(&self, woken: &Woken) -> Result<(), Failure> {
        match self.tend_until_quiet(woken).await {
            Ok(()) => Ok(()),
            Err(stop) => {
                let never = matches!(&stop, Stop::Refused(refusal) if refusal.retry == Retry::Never);
                let again = Timestamp(self.now().0.saturating_add(if never { MUCH_LATER_US } else { AGAIN_US }));
                self.store.wake_later(woken, Some(again)).await?;
                match stop {
                    Stop::Failed(failure) => Err(failure),
                    // Somebody else was first with one of its acts.
                    Stop::Refused(refusal) if refusal.retry == Retry::Later => {
                        tracing::debug!(shop = %woken.shop, intent = %woken.intent, %refusal, "looked at again");
                        Ok(())
                    }
                    Stop::Refused(refusal) => {
                        tracing::error!(shop = %woken.shop, intent = %woken.intent, %refusal, "cannot be gone on with");
                        Ok(())
                    }
                }
            }
        }
    }

    async fn tend_until_quiet(&self, woken: &Woken) -> Result<(), Stop> {
        let (shop, id) = (&woken.shop, &woken.intent);
        let patience = *self.rail()?.patience();
        for _ in 0..ROUNDS_MAX {
            let (view, intent) = self.intent(shop, id).await?;
            if view.head.owner != Side::Backend {
                return Ok(());
            }
            let plan = intent.plan(self.now(), &patience);
            if plan.acts.is_empty() {
                return Ok(self.store.wake_later(woken, plan.wake_at).await?);
            }
            // One that cannot be done keeps no other from it.
            let mut stopped = Ok(());
            for act in plan.acts {
                if let Err(stop) = self.perform(shop, &intent, act).await {
                    stopped = Err(stop);
                }
            }
            stopped?;
        }
        Ok(())
    }

    async fn perform(&self, shop: &ShopId, intent: &Intent, act: Act) -> Result<(), Stop> {
        let id = intent.id();
        match act {
            Act::Query { attempt } => {
                let (rail, asked_at) = (self.rail_of(intent)?, self.now());
                let said = rail.query(numbered(intent, attempt)?).await;
                self.hear(shop, id, attempt, asked_at, &said).await.map(drop)
            }
            Act::Send { attempt } => {
                self.rail_of(intent)?;
                let told = self.change_intent(shop, id, |intent| intent.sent_again(attempt, self.now())).await?;
                self.ask_for(shop, &told, numbered(&told, attempt)?, None).await
            }
            Act::Expire { attempt } => self.expire(shop, id, attempt).await.map(drop),
            Act::Settle { attempt, what, minor } => {
                let amount = Money::new(minor, intent.due().currency())?;
                self.settle_held(shop, id, attempt, what, amount).await
            }
            Act::Complete => self.place(shop, id).await,
            Act::CompleteLate => self.place_late(shop, id).await,
            Act::End(ending) => self.end_intent(shop, id, ending).await,
            Act::CancelOrder => self.cancel_refused(shop, id).await,
            Act::Refund => self.refund_owed(shop, id).await,
            Act::SendRefund { key } => self.send_refund_again(shop, id, &key).await,
            Act::QueryRefund { key } => self.query_refund(shop, id, &key).await,
            Act::WithdrawRefund { key } => self.withdraw_refund(shop, id, &key).await,
        }
    }

    /// The rail is told to take money for a try no more: on record first. The intent as it is then.
    pub(super) async fn expire(&self, shop: &ShopId, id: &PublicId, attempt: u32) -> Result<Intent, Stop> {
        let told = self.change_intent(shop, id, |intent| intent.told_to_end(attempt, self.now())).await?;
        let (rail, asked_at) = (self.rail_of(&told)?, self.now());
        let said = rail.expire(numbered(&told, attempt)?).await;
        self.hear(shop, id, attempt, asked_at, &said).await
    }

    async fn settle_held(
        &self,
        shop: &ShopId,
        id: &PublicId,
        attempt: u32,
        what: Settling,
        amount: Money,
    ) -> Result<(), Stop> {
        let patience = *self.rail()?.patience();
        let settling = |intent: &Intent| intent.settling(attempt, what, self.now(), &patience);
        let asked = self.change_intent(shop, id, settling).await?;
        let (rail, asked_at) = (self.rail_of(&asked)?, self.now());
        let said = rail.settle(numbered(&asked, attempt)?, what, amount).await;
        self.hear(shop, id, attempt, asked_at, &said).await.map(drop)
    }
}

pub(super) fn numbered(intent: &Intent, number: u32) -> Result<&Attempt, Refusal> {
    let found = intent.attempts().iter().find(|attempt| attempt.number() == number);
    found.ok_or_else(|| Refusal::not_found("payment attempt", &number.to_string()))
}
