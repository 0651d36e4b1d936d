//! Checkouts: create, from lines or from a cart, replace, cancel.

use super::{Decided, being_canceled};
use crate::failure::{Failure, Stop};
use crate::ids::{CHECKOUT, CHECKOUT_LINE};
use crate::purse::Purse;
use crate::view::{View, parse};
use crate::{Note, NoteKind, Service};
use commerce::Refusal;
use commerce::checkout::{Checkout, Details, Opening, State};
use commerce::decision::{Aggregate, Decision};
use commerce::lines::Wanted;
use store::Stored;
use vocab::id::{Kind, PublicId, ShopId};

impl Service {
    /// A checkout of these lines; `cart` is the one it was made of.
    pub(super) async fn create_checkout(
        &self,
        shop: &ShopId,
        view: &View,
        purse: &mut Purse<'_>,
        cart: Option<PublicId>,
        lines: &[Wanted],
        details: &Details,
    ) -> Result<Decided, Stop> {
        let catalogue = self.catalogue_of(shop, view, lines.iter().map(|line| &line.product)).await?;
        // Checked before ids are minted for it.
        catalogue.all_on_sale(lines)?;
        let id = purse.mint_one(CHECKOUT).await?;
        let line_ids = purse.mint(CHECKOUT_LINE, lines.len()).await?;
        let opening = Opening { id, cart, line_ids, at: self.now() };
        let checkout = Checkout::create(opening, lines, details.clone(), &view.terms, &catalogue)?;
        self.hints.note(shop, checkout.id(), lines.iter().map(|line| &line.product));
        Ok(Decided::new(Decision::default().born(&checkout), &checkout, view.show_checkout(&checkout)))
    }

    /// The open checkout that was made of the cart before, else a new one of its lines.
    pub(super) async fn convert_cart(
        &self,
        shop: &ShopId,
        view: &View,
        purse: &mut Purse<'_>,
        id: &PublicId,
        details: &Details,
    ) -> Result<Decided, Stop> {
        let cart = view.cart(id).map_err(|stop| match stop {
            Stop::Refused(refusal) => Stop::Refused(refusal.at("$.cart_id")),
            Stop::Failed(failure) => Stop::Failed(failure),
        })?;
        if !cart.is_open() {
            return Err(Refusal::not_found("open cart", id.as_str()).at("$.cart_id").into());
        }
        if let Some(checkout) = self.checkout_of_cart(shop, id).await? {
            return Ok(Decided::new(Decision::default(), &checkout, view.show_checkout(&checkout)));
        }
        let mut decided = self.create_checkout(shop, view, purse, Some(id.clone()), &cart.wanted(), details).await?;
        // Two conversions at once meet at the cart's version, and the one that is too late finds the other's checkout.
        decided.decision = decided.decision.touched(&cart);
        Ok(decided)
    }

    /// The checkout that was made of the cart, here or in the legacy, and has not ended.
    async fn checkout_of_cart(&self, shop: &ShopId, cart: &PublicId) -> Result<Option<Checkout>, Failure> {
        let found = self.store.checkout_of_cart(shop, cart).await?;
        let parsed =
            |(id, stored): (PublicId, Stored)| parse(Kind::Checkout, &id, &stored.document, Checkout::from_document);
        found.map(parsed).transpose()
    }

    pub(super) async fn update_checkout(
        &self,
        shop: &ShopId,
        view: &mut View,
        purse: &mut Purse<'_>,
        id: &PublicId,
        lines: &[Wanted],
        details: &Details,
    ) -> Result<Decided, Stop> {
        let before = view.checkout(id)?;
        view.current = Some(view.show_checkout(&before));
        before.must_be_open()?;
        let catalogue = self.catalogue_of(shop, view, lines.iter().map(|line| &line.product)).await?;
        catalogue.all_on_sale(lines)?;
        let line_ids = purse.mint(CHECKOUT_LINE, before.fresh_lines(lines)).await?;
        let repriced = before.replace(lines, line_ids, details.clone(), &view.terms, &catalogue)?;
        let after = repriced.checkout;
        self.hints.note(shop, id, lines.iter().map(|line| &line.product));
        let decision = Decision::default().changed(&before, &after);
        let notes = repriced.price_changed.then(price_changed).into_iter().collect();
        Ok(Decided { notes, ..Decided::new(decision, &after, view.show_checkout(&after)) })
    }

    /// One that waits to be paid is canceled when its provider says that nobody can pay it any more.
    pub(super) async fn cancel_checkout(&self, shop: &ShopId, view: &mut View, id: &PublicId) -> Result<Decided, Stop> {
        let before = view.checkout(id)?;
        view.current = Some(view.show_checkout(&before));
        if let State::Awaiting { intent } = before.state() {
            let decision = self.cancel_intent(shop, view, intent).await?;
            let shown = view.show_checkout(&before);
            return Ok(Decided { notes: vec![being_canceled()], ..Decided::new(decision, &before, shown) });
        }
        let after = before.cancel()?;
        let decision = Decision::default().changed(&before, &after);
        Ok(Decided::new(decision, &after, view.show_checkout(&after)))
    }
}

fn price_changed() -> Note {
    let content = "prices or tax are not what they were when this checkout was last shown";
    Note { kind: NoteKind::Warning, code: "price_changed", content: content.to_owned() }
}
