//! Carts: create, replace, cancel.

use super::Decided;
use crate::failure::Stop;
use crate::ids::{CART, CART_LINE};
use crate::purse::Purse;
use crate::view::View;
use crate::{Resource, Service};
use commerce::cart::{Cart, State};
use commerce::decision::Decision;
use commerce::lines::Wanted;
use vocab::id::{PublicId, ShopId};

impl Service {
    pub(super) async fn create_cart(
        &self,
        shop: &ShopId,
        view: &View,
        purse: &mut Purse<'_>,
        lines: &[Wanted],
    ) -> Result<Decided, Stop> {
        let catalogue = self.catalogue_of(shop, view, lines.iter().map(|line| &line.product)).await?;
        // Checked before ids are minted for it.
        catalogue.all_on_sale(lines)?;
        let id = purse.mint_one(CART).await?;
        let line_ids = purse.mint(CART_LINE, lines.len()).await?;
        let cart = Cart::create(id, view.terms.currency(), lines, line_ids, &catalogue, self.now())?;
        Ok(Decided::new(Decision::default().born(&cart), &cart, Resource::Cart(cart.clone(), catalogue)))
    }

    pub(super) async fn update_cart(
        &self,
        shop: &ShopId,
        view: &mut View,
        purse: &mut Purse<'_>,
        id: &PublicId,
        lines: &[Wanted],
    ) -> Result<Decided, Stop> {
        let before = view.cart(id)?;
        before.must_be_open()?;
        let now_in_it = before.wanted();
        let products = lines.iter().chain(&now_in_it).map(|line| &line.product);
        let catalogue = self.catalogue_of(shop, view, products).await?;
        view.current = Some(Resource::Cart(before.clone(), catalogue.clone()));
        catalogue.all_on_sale(lines)?;
        let line_ids = purse.mint(CART_LINE, before.fresh_lines(lines)).await?;
        let after = before.replace(lines, line_ids, &catalogue, self.now())?;
        let decision = Decision::default().changed(&before, &after);
        Ok(Decided::new(decision, &after, Resource::Cart(after.clone(), catalogue)))
    }

    /// Shows the cart as it was.
    pub(super) async fn cancel_cart(&self, shop: &ShopId, view: &View, id: &PublicId) -> Result<Decided, Stop> {
        let before = view.cart(id)?;
        let after = before.end(State::Canceled, self.now())?;
        let catalogue = self.catalogue(shop, before.wanted().iter().map(|line| &line.product)).await?;
        let decision = Decision::default().changed(&before, &after);
        Ok(Decided::new(decision, &after, Resource::Cart(before, catalogue)))
    }
}
