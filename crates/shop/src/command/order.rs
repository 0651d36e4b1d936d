//! What changes after the sale, and what a seller changes: orders given back, prices and stock edited.

use super::{Decided, being_canceled};
use crate::failure::Stop;
use crate::ids::ORDER_ADJUSTMENT;
use crate::purse::Purse;
use crate::view::{Filed, View};
use crate::{Listed, Resource, Service};
use commerce::catalogue::Catalogue;
use commerce::decision::Decision;
use commerce::ledger;
use commerce::order::{Back, Command as Returning, Order};
use commerce::product::Edit;
use commerce::{Refusal, Retry};
use vocab::id::{PublicId, ShopId};

impl Service {
    pub(super) async fn give_back(
        &self,
        shop: &ShopId,
        view: &mut View,
        purse: &mut Purse<'_>,
        id: &PublicId,
        command: Returning,
        back: &Back,
    ) -> Result<Decided, Stop> {
        let before = match view.order(id)? {
            Filed::Live(order) => *order,
            Filed::History(history) => {
                view.current = Some(Resource::History(history));
                return Err(order_is_history().into());
            }
        };
        view.current = Some(Resource::Order(before.clone()));
        if let Some(intent) = before.promised_by().filter(|_| command == Returning::Cancel) {
            return self.cancel_promised(shop, view, (&before, intent), back).await;
        }
        before.may_give_back(command)?;
        let ids = purse.mint(ORDER_ADJUSTMENT, back.adjustments()).await?;
        let (after, returned) = before.give_back(command, back, ids, self.now())?;
        let mut decision = self.given_back(shop, &before, &after, returned).await?;
        if let Some(intent) = before.intent() {
            // What the order gives back, the intent sends.
            let given = after.given_back()?.minus(before.given_back()?)?;
            decision = self.given_by_intent(shop, view, intent, given, decision).await?;
        }
        Ok(Decided::new(decision, &after, Resource::Order(after.clone())))
    }

    /// The order as it is then, its units on the shelf, and what it books.
    pub(crate) async fn given_back(
        &self,
        shop: &ShopId,
        before: &Order,
        after: &Order,
        returned: Vec<(PublicId, i64)>,
    ) -> Result<Decision, Stop> {
        let catalogue = match returned.is_empty() {
            true => Catalogue::default(),
            false => self.catalogue(shop, returned.iter().map(|(product, _)| product)).await?,
        };
        let moved = catalogue.stock_changes(returned.iter().map(|(product, units)| (product, *units)))?;
        Ok(Decision::default().changed(before, after).moving(moved).booking(ledger::added(Some(before), after)?))
    }

    /// What is to be paid at the door is with a courier: it ends when the provider says that nothing was taken there.
    async fn cancel_promised(
        &self,
        shop: &ShopId,
        view: &mut View,
        (order, intent): (&Order, &PublicId),
        back: &Back,
    ) -> Result<Decided, Stop> {
        if *back != Back::Whole {
            let content = "what is to be paid at the door is canceled as a whole, or given back when it is paid";
            return Err(Refusal::new("order_not_cancellable", Retry::Changed, content).into());
        }
        let decision = self.not_wanted_at_the_door(shop, view, intent).await?;
        let shown = Resource::Order(order.clone());
        Ok(Decided { notes: vec![being_canceled()], ..Decided::new(decision, order, shown) })
    }

    pub(super) async fn edit_product(
        &self,
        shop: &ShopId,
        view: &mut View,
        id: &PublicId,
        edit: Edit,
    ) -> Result<Decided, Stop> {
        let before = view.product(id)?;
        let on_hand = self.on_hand(shop, [&before]).await?.into_values().next().unwrap_or(0);
        view.current = Some(Resource::Shelf(Listed { product: before.clone(), on_hand }));
        let (after, moved) = before.edit(edit, on_hand)?;
        let decision = Decision::default().changed(&before, &after).moving(moved);
        let shelf = Listed { product: after.clone(), on_hand };
        Ok(Decided::new(decision, &after, Resource::Shelf(shelf)))
    }
}

/// A document of history takes no command at all.
fn order_is_history() -> Refusal {
    Refusal::new("order_not_cancellable", Retry::Never, "the order is history")
}
