//! What becomes of the checkout: one order when it is paid, the units back on the shelf when it ends.

use super::Service;
use crate::TRIES_MAX;
use crate::failure::{Failure, Stop};
use crate::instant::came_first;
use crate::view::{Filed, View};
use commerce::catalogue::Catalogue;
use commerce::checkout::{self, Checkout, State};
use commerce::decision::{Aggregate, Decision};
use commerce::intent::{Act, Ending, Intent};
use commerce::ledger;
use commerce::order::{Back, Command as Returning, Order};
use commerce::refusal::Refusal;
use std::collections::BTreeMap;
use vocab::id::{Kind, PublicId, ShopId};

/// Everything that the end of an intent is decided on.
struct Desk {
    view: View,
    intent: Intent,
    checkout: Checkout,
}

impl Service {
    async fn desk(&self, shop: &ShopId, id: &PublicId) -> Result<Desk, Stop> {
        let (mut view, intent) = self.intent(shop, id).await?;
        let checkout = intent.checkout().clone();
        let found = self.load_beside(shop, &mut view, Kind::Checkout, &checkout, Checkout::from_document).await?;
        let checkout = found.ok_or_else(|| Refusal::not_found("checkout", checkout.as_str()))?;
        Ok(Desk { view, intent, checkout })
    }

    fn plans(&self, intent: &Intent, act: &Act) -> Result<bool, Stop> {
        Ok(intent.plan(self.now(), self.rail()?.patience()).acts.contains(act))
    }

    /// It is paid: checkout, order, intent, cart and ledger in one commit. Whoever comes too late finds it done.
    pub(super) async fn place(&self, shop: &ShopId, id: &PublicId) -> Result<(), Stop> {
        for _ in 0..TRIES_MAX {
            let Desk { mut view, intent, checkout } = self.desk(shop, id).await?;
            if !self.plans(&intent, &Act::Complete)? {
                return Ok(());
            }
            // Somebody has placed it since the intent was read.
            if checkout.order().is_some() {
                continue;
            }
            let mut numbers = self.numbers(&checkout, intent.reserved()).await?;
            let (after, order) = checkout.paid_by(&intent, numbers.ids.clone(), self.now())?;
            let decision = self.placed(&intent, &checkout, &after, &order)?;
            let decision = self.converted(shop, &mut view, &checkout, decision).await?;
            if came_first(self.commit_from(&mut numbers.purse, shop, &view, decision).await)? {
                return Ok(());
            }
        }
        Err(Failure::Busy.into())
    }

    /// All of it came after the end: the order, where it can still be had, else the money goes back.
    pub(super) async fn place_late(&self, shop: &ShopId, id: &PublicId) -> Result<(), Stop> {
        for _ in 0..TRIES_MAX {
            let Desk { mut view, intent, checkout } = self.desk(shop, id).await?;
            if !self.plans(&intent, &Act::CompleteLate)? {
                return Ok(());
            }
            let (catalogue, stock) = self.shelf(shop, &checkout).await?;
            let left = |variant: &PublicId| stock.get(variant).copied().unwrap_or(0);
            let mut numbers = self.numbers(&checkout, intent.reserved()).await?;
            let placed = checkout.paid_late(&intent, &catalogue, left, numbers.ids.clone(), self.now());
            let committed = match placed {
                Ok((after, order, taken)) => {
                    let decision = self.placed(&intent, &checkout, &after, &order)?.moving(taken);
                    let decision = self.converted(shop, &mut view, &checkout, decision).await?;
                    self.commit_from(&mut numbers.purse, shop, &view, decision).await
                }
                Err(refusal) => {
                    tracing::info!(%shop, intent = %id, code = refusal.code, "paid too late; the money goes back");
                    let decision = self.turned(&intent, &intent.too_late())?;
                    self.commit(shop, &view, decision).await
                }
            };
            // Out of stock in between: looked at again, it is too late.
            if came_first(committed)? {
                return Ok(());
            }
        }
        Err(Failure::Busy.into())
    }

    fn placed(
        &self,
        intent: &Intent,
        checkout: &Checkout,
        after: &Checkout,
        order: &Order,
    ) -> Result<Decision, Refusal> {
        let completed = intent.completed(order.id())?;
        let decision = self.turned(intent, &completed)?.changed(checkout, after).placed(order);
        Ok(decision.booking(ledger::added(None, order)?))
    }

    /// Goods were refused at the door: their order is canceled, and they are on the shelf again.
    pub(super) async fn cancel_refused(&self, shop: &ShopId, id: &PublicId) -> Result<(), Stop> {
        for _ in 0..TRIES_MAX {
            let (_, intent) = self.intent(shop, id).await?;
            let Some(order) = intent.order().filter(|_| intent.was_promised()) else { return Ok(()) };
            if !self.plans(&intent, &Act::CancelOrder)? {
                return Ok(());
            }
            let mut view = self.view(shop, None, Some((Kind::Order, order.clone()))).await?;
            // Money that was taken since the intent was read has made it another order, in the same commit.
            if !matches!(view.order(order)?, Filed::Live(live) if live.is_promised()) {
                continue;
            }
            let mut purse = self.purse();
            let canceled = self.give_back(shop, &mut view, &mut purse, order, Returning::Cancel, &Back::Whole).await?;
            tracing::info!(%shop, %order, "nobody took the money at the door; the order is canceled");
            if came_first(self.commit_from(&mut purse, shop, &view, canceled.decision).await)? {
                return Ok(());
            }
        }
        Err(Failure::Busy.into())
    }

    /// Nothing will be paid any more: the checkout is open again, or canceled where somebody asked for that, its units on the
    /// shelf.
    pub(super) async fn end_intent(&self, shop: &ShopId, id: &PublicId, ending: Ending) -> Result<(), Stop> {
        for _ in 0..TRIES_MAX {
            let Desk { view, intent, checkout } = self.desk(shop, id).await?;
            if !self.plans(&intent, &Act::End(ending))? {
                return Ok(());
            }
            let ended = intent.end(ending, self.now(), self.rail()?.patience())?;
            let mut decision = self.turned(&intent, &ended)?;
            if matches!(checkout.state(), State::Awaiting { intent: awaited } if awaited == id) {
                let (catalogue, _) = self.shelf(shop, &checkout).await?;
                let (after, back) = match ending {
                    Ending::Canceled => checkout.given_up(&catalogue)?,
                    Ending::Expired | Ending::Failed => checkout.unpaid(&catalogue)?,
                };
                decision = decision.changed(&checkout, &after).moving(back);
            }
            if self.try_commit(shop, &view, decision).await? {
                return Ok(());
            }
        }
        Err(Failure::Busy.into())
    }

    /// The products of a checkout, and how many of each there are.
    async fn shelf(&self, shop: &ShopId, checkout: &Checkout) -> Result<(Catalogue, BTreeMap<PublicId, i64>), Failure> {
        let catalogue = self.catalogue(shop, checkout.lines().iter().map(checkout::Line::product)).await?;
        let stock = self.on_hand(shop, catalogue.products()).await?;
        Ok((catalogue, stock))
    }
}
