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
    main: Option<Stored>,
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
        let terms_id = PublicId::new(shop.as_str());
        let mut wanted = vec![(Kind::Shop, terms_id.clone())];
        wanted.extend(key.map(|(operation, keyed)| (Kind::Idempotency, record_id(operation, &keyed.key))));
        wanted.extend(main.clone());
        let Loaded { head, documents } = self.store.load(shop, &wanted).await?;
        let head = head.ok_or(Failure::UnknownShop)?;
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
        let view = self.view(&frame.shop, key, main).await?;
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
        let ids: BTreeSet<&PublicId> = products.into_iter().collect();
        let wanted: Vec<_> = ids.into_iter().map(|id| (Kind::Product, id.clone())).collect();
        if wanted.is_empty() {
            return Ok(Catalogue::default());
        }
        let loaded = self.store.load(shop, &wanted).await?;
        let found = wanted.iter().zip(loaded.documents).filter_map(|((_, id), stored)| Some((id, stored?)));
        found.map(|(id, stored)| parse(Kind::Product, id, &stored.document, Product::from_document)).collect()
    }

    /// Stock on hand of every product's variant.
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

/// The kind and id of an aggregate.
pub(crate) fn reference<A: Aggregate>(aggregate: &A) -> (Kind, PublicId) {
    (A::KIND, aggregate.id().clone())
}
