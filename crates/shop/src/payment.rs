//! Being paid in the buyer's own time: performs what an intent plans, and puts on record what its rail says.
//!
//! An intent, its try and the units that it is for are on record before the first byte goes to a rail. What a rail answers is
//! put on the intent as it stands then, whoever came first. A call whose answer meets another owner is asked for again by
//! that one: what is recorded of the try moves with the shop, and the rail knows what it did.
//! Absent on purpose: what follows from what (`commerce::intent`), words of a provider (`rails`).

mod back;
mod confirm;
mod hear;
mod inbox;
mod order;
mod tend;
mod work;

pub use confirm::{Chosen, Ordered, ToPay};
pub use inbox::HandOn;

use crate::failure::Failure;
use crate::ids::Ids;
use crate::rails::Loket;
use crate::view::{View, parse};
use crate::{Service, Stop};
use commerce::decision::{Aggregate, Decision};
use commerce::fault::Fault;
use commerce::intent::{Intent, Method};
use commerce::money::Money;
use commerce::order::Order;
use commerce::refusal::{Refusal, Retry};
use std::sync::Arc;
use vocab::document::Record;
use vocab::id::{Kind, PublicId, ShopId, Timestamp};

/// More than anybody begins for one checkout.
const BEGUN_MAX: usize = 64;

/// How buyers can pay in their own time at a shop, looked up when somebody wants to know; none where there is no rail.
pub(crate) struct Ways {
    rail: Option<Arc<Loket>>,
    ids: Arc<Ids>,
    shop: ShopId,
}

impl Ways {
    pub(crate) fn to_pay(&self, due: Money) -> Vec<Method> {
        let ways = self.rail.as_ref().map_or_else(Vec::new, |rail| rail.ways_to_pay(due));
        ways.into_iter().filter(|method| self.ids.carries(&self.shop, *method)).collect()
    }
}

impl Service {
    /// How a buyer can pay so much in their own time at a shop: not at all where the shop may still go back to a program that
    /// knows nothing of such payments.
    pub fn ways_to_pay(&self, shop: &ShopId, due: Money) -> Vec<Method> {
        self.ways_at(shop).to_pay(due)
    }

    /// The origin of the provider's page for cards; none where cards are not taken.
    pub fn cards_at(&self) -> Option<&str> {
        self.rail.as_ref()?.cards_at()
    }

    pub(crate) fn ways_at(&self, shop: &ShopId) -> Ways {
        Ways { rail: self.rail.clone(), ids: Arc::clone(&self.ids), shop: shop.clone() }
    }

    /// # Errors
    /// `payment_unavailable` where this backend has no rail.
    pub(crate) fn rail(&self) -> Result<&Loket, Refusal> {
        let none = || Refusal::new("payment_unavailable", Retry::Later, "this shop takes no payment in this way");
        self.rail.as_deref().ok_or_else(none)
    }

    /// The rail that an intent is on for ever: another account's provider knows nothing of it.
    ///
    /// # Errors
    /// `payment_unavailable`.
    fn rail_of(&self, intent: &Intent) -> Result<&Loket, Refusal> {
        let rail = self.rail()?;
        if rail.account() != intent.account() {
            let content =
                format!("it is with the account `{}`, which is not the one of this backend", intent.account());
            return Err(Refusal::new("payment_unavailable", Retry::Never, content));
        }
        Ok(rail)
    }

    /// When somebody has to look at an intent again by themselves.
    fn wake_of(&self, intent: &Intent) -> Option<Timestamp> {
        let now = self.now();
        // Whoever has a rail again looks at once.
        let Some(rail) = &self.rail else { return Some(now) };
        intent.wake_at(now, rail.patience())
    }

    /// An intent as it is to stand: what it has booked since, and when it is looked at again.
    fn turned(&self, before: &Intent, after: &Intent) -> Result<Decision, Refusal> {
        let booked = after.entries_since(before)?;
        Ok(Decision::default().changed(before, after).booking(booked).waking(after.id(), self.wake_of(after)))
    }

    /// Loads one more aggregate beside the one that a view is of; none where there is none.
    async fn load_beside<T>(
        &self,
        shop: &ShopId,
        view: &mut View,
        kind: Kind,
        id: &PublicId,
        from_document: impl FnOnce(&Record) -> Result<T, Fault>,
    ) -> Result<Option<T>, Failure> {
        let loaded = self.store.load(shop, &[(kind, id.clone())]).await?;
        let Some(stored) = loaded.documents.into_iter().next().flatten() else { return Ok(None) };
        view.see(kind, id.clone(), stored.version);
        parse(kind, id, &stored.document, from_document).map(Some)
    }

    /// All that was ever begun for a checkout.
    async fn begun_for(&self, shop: &ShopId, checkout: &PublicId) -> Result<Vec<Intent>, Failure> {
        let found = self.store.intents_of_checkout(shop, checkout, BEGUN_MAX).await?;
        found.iter().map(|(id, stored)| parse(Kind::Intent, id, &stored.document, Intent::from_document)).collect()
    }

    pub(crate) async fn asks_for_account(&self, shop: &ShopId, checkout: &PublicId) -> Result<bool, Failure> {
        let begun = if self.rail.is_some() { self.begun_for(shop, checkout).await? } else { Vec::new() };
        Ok(begun.iter().any(|intent| intent.needs_account() > 0))
    }

    /// How much of what an order gave back has not reached its buyer, in minor units.
    pub(crate) async fn on_its_way(&self, shop: &ShopId, order: &Order) -> Result<i64, Failure> {
        let Some(id) = order.intent() else { return Ok(0) };
        let loaded = self.store.load(shop, &[(Kind::Intent, id.clone())]).await?;
        let Some(stored) = loaded.documents.into_iter().next().flatten() else { return Ok(0) };
        Ok(parse(Kind::Intent, id, &stored.document, Intent::from_document)?.given_but_not_there())
    }

    /// The intent of a checkout or an order that a view is of.
    async fn intent_beside(&self, shop: &ShopId, view: &mut View, id: &PublicId) -> Result<Intent, Stop> {
        let found = self.load_beside(shop, view, Kind::Intent, id, Intent::from_document).await?;
        Ok(found.ok_or_else(|| Refusal::not_found("payment", id.as_str()))?)
    }

    /// An intent as it stands, with the head under which it can be written.
    async fn intent(&self, shop: &ShopId, id: &PublicId) -> Result<(View, Intent), Stop> {
        let view = self.view(shop, None, Some((Kind::Intent, id.clone()))).await?;
        let intent = view.intent(id)?;
        Ok((view, intent))
    }
}
