//! Reads of one resource: by the owner, and by a copy for as long as the dial asks it.

use crate::failure::{Failure, Stop};
use crate::view::{Filed, View};
use crate::{Answer, Listed, Resource, Service};
use commerce::Refusal;
use commerce::decision::Aggregate;
use vocab::id::{Kind, PublicId, ShopId};

impl Service {
    /// Can the store be read?
    ///
    /// # Errors
    /// `Store`.
    pub async fn ready(&self) -> Result<(), Failure> {
        Ok(self.store.heads().await.map(|_| ())?)
    }

    /// An open cart at today's prices; one that was cancelled, converted or has expired is not found.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn cart(&self, shop: &ShopId, id: &PublicId) -> Result<Answer, Failure> {
        let answer = self.resource(shop, Kind::Cart, id).await?;
        match &answer.resource {
            Some(Resource::Cart(cart, _)) if !cart.is_open() => {
                Ok(Answer::refused(Refusal::not_found("open cart", id.as_str()), None))
            }
            _ => Ok(answer),
        }
    }

    /// A checkout as it was last acknowledged.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn checkout(&self, shop: &ShopId, id: &PublicId) -> Result<Answer, Failure> {
        self.resource(shop, Kind::Checkout, id).await
    }

    /// An order, live or history.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn order(&self, shop: &ShopId, id: &PublicId) -> Result<Answer, Failure> {
        self.resource(shop, Kind::Order, id).await
    }

    /// Whatever a key's record can name, in whatever state it is.
    pub(crate) async fn resource(&self, shop: &ShopId, kind: Kind, id: &PublicId) -> Result<Answer, Failure> {
        let view = self.view(shop, None, Some((kind, id.clone()))).await?;
        match self.shown(shop, &view, kind, id).await {
            Ok(resource) => self.with_what_is_owed(shop, Answer::shown(200, resource)).await,
            Err(Stop::Refused(refusal)) => Ok(Answer::refused(refusal, None)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    pub(crate) async fn with_what_is_owed(&self, shop: &ShopId, answer: Answer) -> Result<Answer, Failure> {
        match &answer.resource {
            Some(Resource::Order(order)) => Ok(Answer { on_its_way: self.on_its_way(shop, order).await?, ..answer }),
            Some(Resource::Checkout { checkout, .. }) if checkout.may_be_owed() => {
                Ok(Answer { asks_for_account: self.asks_for_account(shop, checkout.id()).await?, ..answer })
            }
            _ => Ok(answer),
        }
    }

    async fn shown(&self, shop: &ShopId, view: &View, kind: Kind, id: &PublicId) -> Result<Resource, Stop> {
        match kind {
            Kind::Cart => {
                let cart = view.cart(id)?;
                let catalogue = self.catalogue(shop, cart.wanted().iter().map(|line| &line.product)).await?;
                Ok(Resource::Cart(cart, catalogue))
            }
            Kind::Checkout => Ok(view.show_checkout(&view.checkout(id)?)),
            Kind::Order => Ok(match view.order(id)? {
                Filed::Live(order) => Resource::Order(*order),
                Filed::History(history) => Resource::History(history),
            }),
            Kind::Product => {
                let product = view.product(id)?;
                let on_hand = self.on_hand(shop, [&product]).await?.into_values().next().unwrap_or(0);
                Ok(Resource::Shelf(Listed { product, on_hand }))
            }
            Kind::Shop | Kind::Idempotency | Kind::Intent => Err(Refusal::not_found(kind.name(), id.as_str()).into()),
        }
    }
}
