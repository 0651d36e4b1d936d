//! What a request has read: the head, and the aggregates with the versions at which they were seen.

use crate::failure::{Failure, Stop};
use crate::payment::Ways;
use crate::{Frame, Keyed, Resource, Service};
use commerce::cart::Cart;
use commerce::catalogue::Catalogue;
use commerce::checkout::Checkout;
use commerce::decision::{Aggregate, Decision};
use commerce::history::History;
use commerce::idempotency::{Operation, Recorded, record_id};
use commerce::intent::Intent;
use commerce::order::Order;
use commerce::product::Product;
use commerce::terms::Terms;
use commerce::{Fault, Refusal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Class, Head, Loaded, Stored};
use vocab::document::Record;
use vocab::id::{Kind, PublicId, ShopId, Side};

pub(crate) struct View {
    pub(crate) head: Head,
    pub(crate) terms: Terms,
    /// What was recorded of the request's key.
    pub(crate) recorded: Option<Recorded>,
    /// The resource as it stands, for a refusal to show.
    pub(crate) current: Option<Resource>,
    /// By which a checkout can be paid on the page of the backend.
    ways: Ways,
    instant: bool,
    seen: BTreeMap<(Kind, PublicId), u64>,
    main: Option<Arc<Stored>>,
    shelf: Shelf,
}

/// Products that were read in the same snapshot, and how many of each there are.
#[derive(Default)]
struct Shelf {
    /// Also those that do not exist.
    asked: BTreeSet<PublicId>,
    catalogue: Catalogue,
    stock: BTreeMap<PublicId, i64>,
}

/// Products with the stock of their variants, and the head of their shop, of one snapshot.
pub(crate) struct Stocked {
    /// None: no such shop.
    pub(crate) head: Option<Head>,
    pub(crate) catalogue: Catalogue,
    pub(crate) stock: BTreeMap<PublicId, i64>,
}

/// An order that can still change, or one that was closed before it came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filed {
    Live(Box<Order>),
    History(History),
}

impl Service {
    /// Reads the head, the terms, the request's key and the one aggregate it is about, in one snapshot.
    pub(crate) async fn view(
        &self,
        shop: &ShopId,
        key: Option<(Operation, &Keyed)>,
        main: Option<(Kind, PublicId)>,
    ) -> Result<View, Failure> {
        self.view_with(shop, key, main, BTreeSet::new()).await
    }

    /// The same, and these products with their stock.
    async fn view_with(
        &self,
        shop: &ShopId,
        key: Option<(Operation, &Keyed)>,
        main: Option<(Kind, PublicId)>,
        products: BTreeSet<PublicId>,
    ) -> Result<View, Failure> {
        let terms_id = PublicId::new(shop.as_str());
        let mut wanted = vec![(Kind::Shop, terms_id.clone())];
        wanted.extend(key.map(|(operation, keyed)| (Kind::Idempotency, record_id(operation, &keyed.key))));
        wanted.extend(main.clone());
        let beside = wanted.len();
        wanted.extend(products.iter().map(|id| (Kind::Product, id.clone())));
        let Loaded { head, mut documents, stock } = self.store.load(shop, &wanted).await?;
        let head = head.ok_or(Failure::UnknownShop)?;
        let found = products.iter().zip(documents.split_off(beside));
        let catalogue =
            found.filter_map(|(id, stored)| Some(product(id, stored.as_deref()?))).collect::<Result<_, _>>()?;
        let mut documents = documents.into_iter();
        let terms = documents.next().flatten().ok_or(Failure::NoTerms)?;
        let terms = parse(Kind::Shop, &terms_id, &terms.document, Terms::from_document)?;
        let recorded = key.and_then(|_| documents.next().flatten());
        let recorded = recorded
            .map(|stored| parse(Kind::Idempotency, &wanted[1].1, &stored.document, Recorded::from_document))
            .transpose()?;
        let main_stored = documents.next().flatten();
        let mut view = View {
            head,
            terms,
            recorded,
            current: None,
            ways: self.ways_at(shop),
            instant: self.instant,
            seen: BTreeMap::new(),
            main: main_stored,
            shelf: Shelf { asked: products, catalogue, stock },
        };
        if let (Some(id), Some(stored)) = (main, &view.main) {
            view.seen.insert(id, stored.version);
        }
        Ok(view)
    }

    /// The same for a write: only the owner takes it, and only under the epoch of the head.
    pub(crate) async fn writing(
        &self,
        frame: &Frame,
        key: Option<(Operation, &Keyed)>,
        main: Option<(Kind, PublicId)>,
    ) -> Result<View, Failure> {
        self.writing_of(frame, key, main, BTreeSet::new()).await
    }

    /// The same of something with these products: they and their stock are read with it.
    pub(crate) async fn writing_of(
        &self,
        frame: &Frame,
        key: Option<(Operation, &Keyed)>,
        main: Option<(Kind, PublicId)>,
        products: BTreeSet<PublicId>,
    ) -> Result<View, Failure> {
        let view = self.view_with(&frame.shop, key, main, products).await?;
        if frame.epoch.is_some_and(|epoch| epoch != view.head.epoch) {
            return Err(Failure::StaleEpoch { head: view.head.epoch });
        }
        if view.head.owner != Side::Backend {
            return Err(Failure::NotOwner { owner: view.head.owner });
        }
        Ok(view)
    }

    /// The products that exist among these, as they stand now.
    pub(crate) async fn catalogue<'a>(
        &self,
        shop: &ShopId,
        products: impl IntoIterator<Item = &'a PublicId>,
    ) -> Result<Catalogue, Failure> {
        Ok(self.stocked(shop, products.into_iter().cloned().collect()).await?.0)
    }

    /// The same, as a view has read them with the rest; whatever it has not is read now.
    pub(crate) async fn catalogue_of<'a>(
        &self,
        shop: &ShopId,
        view: &View,
        products: impl IntoIterator<Item = &'a PublicId>,
    ) -> Result<Catalogue, Failure> {
        Ok(self.stocked_of(shop, view, products).await?.0)
    }

    /// The same with the stock of their variants.
    pub(crate) async fn stocked_of<'a>(
        &self,
        shop: &ShopId,
        view: &View,
        products: impl IntoIterator<Item = &'a PublicId>,
    ) -> Result<(Catalogue, BTreeMap<PublicId, i64>), Failure> {
        let products: BTreeSet<PublicId> = products.into_iter().cloned().collect();
        if !products.is_subset(&view.shelf.asked) {
            return self.stocked(shop, products).await;
        }
        let catalogue = products.iter().filter_map(|id| view.shelf.catalogue.get(id).cloned()).collect();
        Ok((catalogue, view.shelf.stock.clone()))
    }

    /// The products that exist among these and the stock of their variants, as they stand now.
    async fn stocked(
        &self,
        shop: &ShopId,
        products: BTreeSet<PublicId>,
    ) -> Result<(Catalogue, BTreeMap<PublicId, i64>), Failure> {
        if products.is_empty() {
            return Ok((Catalogue::default(), BTreeMap::new()));
        }
        let Stocked { catalogue, stock, .. } = self.look_up(shop, products).await?;
        Ok((catalogue, stock))
    }

    /// The same with the head of the shop.
    pub(crate) async fn look_up(&self, shop: &ShopId, products: BTreeSet<PublicId>) -> Result<Stocked, Failure> {
        let wanted: Vec<_> = products.iter().map(|id| (Kind::Product, id.clone())).collect();
        let Loaded { head, documents, stock } = self.store.load(shop, &wanted).await?;
        let found = products.iter().zip(documents).filter_map(|(id, stored)| Some(product(id, stored.as_deref()?)));
        Ok(Stocked { head, catalogue: found.collect::<Result<_, _>>()?, stock })
    }

    /// Stock on hand of every product's variant, as it stands now.
    pub(crate) async fn on_hand<'a>(
        &self,
        shop: &ShopId,
        products: impl IntoIterator<Item = &'a Product>,
    ) -> Result<BTreeMap<PublicId, i64>, Failure> {
        let variants: Vec<PublicId> = products.into_iter().map(|product| product.variant().id().clone()).collect();
        if variants.is_empty() {
            return Ok(BTreeMap::new());
        }
        let stock = self.store.stock(shop, &variants).await?;
        Ok(variants.into_iter().zip(stock.into_iter().map(|left| left.unwrap_or(0))).collect())
    }
}

impl View {
    fn main<T>(
        &self,
        kind: Kind,
        id: &PublicId,
        parse_document: impl FnOnce(&Record) -> Result<T, Fault>,
    ) -> Result<T, Stop> {
        let stored = self.main.as_ref().ok_or_else(|| Refusal::not_found(kind.name(), id.as_str()))?;
        Ok(parse(kind, id, &stored.document, parse_document)?)
    }

    pub(crate) fn cart(&self, id: &PublicId) -> Result<Cart, Stop> {
        self.main(Kind::Cart, id, Cart::from_document)
    }

    pub(crate) fn checkout(&self, id: &PublicId) -> Result<Checkout, Stop> {
        self.main(Kind::Checkout, id, Checkout::from_document)
    }

    pub(crate) fn intent(&self, id: &PublicId) -> Result<Intent, Stop> {
        self.main(Kind::Intent, id, Intent::from_document)
    }

    pub(crate) fn product(&self, id: &PublicId) -> Result<Product, Stop> {
        self.main(Kind::Product, id, Product::from_document)
    }

    pub(crate) fn order(&self, id: &PublicId) -> Result<Filed, Stop> {
        if self.main.as_ref().is_some_and(|stored| stored.class == Class::History) {
            let why = self.main.as_ref().and_then(|stored| stored.why.clone()).unwrap_or_default();
            return Ok(Filed::History(self.main(Kind::Order, id, |document| History::found(document, &why))?));
        }
        Ok(Filed::Live(Box::new(self.main(Kind::Order, id, Order::from_document)?)))
    }

    /// Remembers the version of an aggregate that was loaded beside the main one.
    pub(crate) fn see(&mut self, kind: Kind, id: PublicId, version: u64) {
        self.seen.insert((kind, id), version);
    }

    /// The main aggregate was committed as this view had it, and stands at the next version.
    pub(crate) fn has_written(&mut self, kind: Kind, id: &PublicId) {
        if let Some(version) = self.seen.get_mut(&(kind, id.clone())) {
            *version += 1;
        }
    }

    /// A decision as the store takes it.
    pub(crate) fn writes(&self, decision: &Decision) -> Vec<store::Write> {
        let writes = decision.writes.iter().map(|write| store::Write {
            kind: write.kind,
            id: write.id.clone(),
            // An aggregate that stood before but was not seen here would be our bug; version 0 never exists, so the
            // store answers with a conflict instead of overwriting it.
            expected: write
                .before
                .as_ref()
                .map(|_| self.seen.get(&(write.kind, write.id.clone())).copied().unwrap_or(0)),
            document: write.after.clone(),
            origin: write.origin.clone(),
            numbered: write.numbered,
        });
        writes.collect()
    }

    pub(crate) fn show_checkout(&self, checkout: &Checkout) -> Resource {
        let ways = self.ways.to_pay(checkout.totals().total());
        Resource::Checkout { checkout: checkout.clone(), flat: self.terms.shipping_flat(), ways, instant: self.instant }
    }
}

/// A stored document as its aggregate. What the store holds was checked when it came in.
pub(crate) fn parse<T>(
    kind: Kind,
    id: &PublicId,
    document: &Record,
    from_document: impl FnOnce(&Record) -> Result<T, Fault>,
) -> Result<T, Failure> {
    from_document(document).map_err(|fault| Failure::Broken { kind, id: id.clone(), fault })
}

fn product(id: &PublicId, stored: &Stored) -> Result<Product, Failure> {
    parse(Kind::Product, id, &stored.document, Product::from_document)
}

/// The kind and id of an aggregate.
pub(crate) fn reference<A: Aggregate>(aggregate: &A) -> (Kind, PublicId) {
    (A::KIND, aggregate.id().clone())
}
