//! Checkouts: create, from lines or from a cart, replace, cancel.

use super::Decided;
use crate::failure::{Failure, Stop};
use crate::ids::{CHECKOUT, CHECKOUT_LINE};
use crate::view::{View, parse};
use crate::{Note, NoteKind, Service};
use commerce::Refusal;
use commerce::checkout::{Checkout, Details, Opening, State};
use commerce::decision::{Aggregate, Decision};
use commerce::lines::Wanted;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vocab::id::{Epoch, Kind, Minted, PublicId, ShopId};

/// How many checkouts are read at once when a shop's conversions are looked up for the first time.
const LOAD_MAX: usize = 256;

/// Which checkouts may have been made of which cart, per shop, for as long as the shop stays under one epoch.
///
/// Candidates only: each is loaded and looked at before it counts. They are noted before they are committed, so that
/// of two conversions of one cart the one that loses the race for the cart's version finds the other's.
#[derive(Debug, Default)]
pub(crate) struct Conversions(Mutex<BTreeMap<ShopId, ByCart>>);

#[derive(Debug)]
struct ByCart {
    epoch: Epoch,
    checkouts: BTreeMap<PublicId, Vec<PublicId>>,
}

impl Conversions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShopId, ByCart>> {
        // Every step leaves a whole map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: the shop was not read under this epoch yet.
    fn of(&self, shop: &ShopId, epoch: Epoch, cart: &PublicId) -> Option<Vec<PublicId>> {
        let map = self.lock();
        let known = map.get(shop).filter(|known| known.epoch == epoch)?;
        Some(known.checkouts.get(cart).cloned().unwrap_or_default())
    }

    fn note(&self, shop: &ShopId, epoch: Epoch, pairs: impl IntoIterator<Item = (PublicId, PublicId)>) {
        let mut map = self.lock();
        let fresh = || ByCart { epoch, checkouts: BTreeMap::new() };
        let known = map.entry(shop.clone()).or_insert_with(fresh);
        if known.epoch != epoch {
            *known = fresh();
        }
        for (cart, checkout) in pairs {
            known.checkouts.entry(cart).or_default().push(checkout);
        }
    }

    fn forget(&self, shop: &ShopId, cart: &PublicId, gone: &[PublicId]) {
        let mut map = self.lock();
        let Some(known) = map.get_mut(shop) else { return };
        let Some(candidates) = known.checkouts.get_mut(cart) else { return };
        candidates.retain(|checkout| !gone.contains(checkout));
        if candidates.is_empty() {
            known.checkouts.remove(cart);
        }
    }

    /// What is noted is bounded by what is open: a checkout that ended, durably, is no candidate any more.
    pub(crate) fn ended(&self, shop: &ShopId, checkout: &Checkout) {
        if let (Some(cart), false) = (checkout.cart(), is_open(checkout)) {
            self.forget(shop, cart, std::slice::from_ref(checkout.id()));
        }
    }
}

fn is_open(checkout: &Checkout) -> bool {
    matches!(checkout.state(), State::Open | State::Paying(_))
}

impl Service {
    /// A checkout of these lines; `cart` is the one it was made of.
    pub(super) async fn create_checkout(
        &self,
        shop: &ShopId,
        view: &View,
        cart: Option<PublicId>,
        lines: &[Wanted],
        details: &Details,
    ) -> Result<Decided, Stop> {
        let catalogue = self.catalogue(shop, lines.iter().map(|line| &line.product)).await?;
        for (index, line) in lines.iter().enumerate() {
            // Checked before ids are spent on it.
            catalogue.on_sale(index, line)?;
        }
        let id: Minted = self.ids.mint_one(CHECKOUT).await?;
        let line_ids = self.ids.mint(CHECKOUT_LINE, lines.len()).await?;
        let opening = Opening { id, cart, line_ids, at: self.now() };
        let checkout = Checkout::create(opening, lines, details.clone(), &view.terms, &catalogue)?;
        Ok(Decided::new(Decision::default().born(&checkout), &checkout, view.show_checkout(&checkout)))
    }

    /// The open checkout that was made of the cart before, else a new one of its lines.
    pub(super) async fn convert_cart(
        &self,
        shop: &ShopId,
        view: &View,
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
        if let Some(checkout) = self.open_checkout_of(shop, view.head.epoch, id).await? {
            return Ok(Decided::new(Decision::default(), &checkout, view.show_checkout(&checkout)));
        }
        let mut decided = self.create_checkout(shop, view, Some(id.clone()), &cart.wanted(), details).await?;
        self.conversions.note(shop, view.head.epoch, [(id.clone(), decided.result.1.clone())]);
        // Two conversions at once meet at the cart's version.
        decided.decision = decided.decision.touched(&cart);
        Ok(decided)
    }

    async fn open_checkout_of(
        &self,
        shop: &ShopId,
        epoch: Epoch,
        cart: &PublicId,
    ) -> Result<Option<Checkout>, Failure> {
        let candidates = match self.conversions.of(shop, epoch, cart) {
            Some(candidates) => candidates,
            None => {
                self.read_conversions(shop, epoch).await?;
                self.conversions.of(shop, epoch, cart).unwrap_or_default()
            }
        };
        let found = self.checkouts(shop, &candidates).await?;
        let closed: Vec<PublicId> =
            found.iter().filter(|found| !is_open(found)).map(|found| found.id().clone()).collect();
        self.conversions.forget(shop, cart, &closed);
        Ok(found.into_iter().find(is_open))
    }

    async fn read_conversions(&self, shop: &ShopId, epoch: Epoch) -> Result<(), Failure> {
        let open = self.store.ids_in_state(shop, Kind::Checkout, "open").await?;
        self.conversions.note(shop, epoch, []);
        for ids in open.chunks(LOAD_MAX) {
            let checkouts = self.checkouts(shop, ids).await?;
            let pairs = checkouts.iter().filter_map(|found| Some((found.cart()?.clone(), found.id().clone())));
            self.conversions.note(shop, epoch, pairs);
        }
        Ok(())
    }

    /// Those of these checkouts that exist.
    async fn checkouts(&self, shop: &ShopId, ids: &[PublicId]) -> Result<Vec<Checkout>, Failure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<_> = ids.iter().map(|id| (Kind::Checkout, id.clone())).collect();
        let loaded = self.store.load(shop, &wanted).await?;
        let found = ids.iter().zip(loaded.documents).filter_map(|(id, stored)| Some((id, stored?)));
        found.map(|(id, stored)| parse(Kind::Checkout, id, &stored.document, Checkout::from_document)).collect()
    }

    pub(super) async fn update_checkout(
        &self,
        shop: &ShopId,
        view: &mut View,
        id: &PublicId,
        lines: &[Wanted],
        details: &Details,
    ) -> Result<Decided, Stop> {
        let before = view.checkout(id)?;
        view.current = Some(view.show_checkout(&before));
        let catalogue = self.catalogue(shop, lines.iter().map(|line| &line.product)).await?;
        let line_ids = self.ids.mint(CHECKOUT_LINE, before.fresh_lines(lines)).await?;
        let repriced = before.replace(lines, line_ids, details.clone(), &view.terms, &catalogue)?;
        let after = repriced.checkout;
        let decision = Decision::default().changed(&before, &after);
        let notes = repriced.price_changed.then(price_changed).into_iter().collect();
        Ok(Decided { notes, ..Decided::new(decision, &after, view.show_checkout(&after)) })
    }

    pub(super) fn cancel_checkout(view: &mut View, id: &PublicId) -> Result<Decided, Stop> {
        let before = view.checkout(id)?;
        view.current = Some(view.show_checkout(&before));
        let after = before.cancel()?;
        let decision = Decision::default().changed(&before, &after);
        Ok(Decided::new(decision, &after, view.show_checkout(&after)))
    }
}

fn price_changed() -> Note {
    let content = "prices or tax are not what they were when this checkout was last shown";
    Note { kind: NoteKind::Warning, code: "price_changed", content: content.to_owned() }
}
