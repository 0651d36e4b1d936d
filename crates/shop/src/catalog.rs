//! The catalogue: search, lookup of several, one product.

use crate::failure::Failure;
use crate::view::{Stocked, parse};
use crate::{Answer, Listed, Note, NoteKind, Resource, Service};
use commerce::Refusal;
use commerce::product::Product;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::{Kind, PublicId, ShopId};

impl Service {
    /// A page of active products whose title contains `query` (whatever the case), by id, after the product `after`.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn search(
        &self,
        shop: &ShopId,
        query: Option<&str>,
        after: Option<&PublicId>,
        limit: usize,
    ) -> Result<Answer, Failure> {
        // One more than asked for tells whether there is another page.
        let mut found = self.store.products(shop, query, after, limit.saturating_add(1)).await?;
        if found.is_empty() {
            self.must_exist(shop).await?;
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(id, _)| id.clone());
        let products = found
            .iter()
            .map(|(id, stored)| parse(Kind::Product, id, &stored.document, Product::from_document))
            .collect::<Result<Vec<_>, _>>()?;
        let products = self.listed(shop, products).await?;
        Ok(Answer::shown(200, Resource::Page { products, next }))
    }

    /// The products with these ids, withdrawn ones too, in the order asked for; a note for each that is unknown.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn lookup(&self, shop: &ShopId, ids: &[PublicId]) -> Result<Answer, Failure> {
        let Stocked { head, catalogue, stock } = self.look_up(shop, ids.iter().cloned().collect()).await?;
        head.ok_or(Failure::UnknownShop)?;
        let mut asked = BTreeSet::new();
        let (mut products, mut notes) = (Vec::new(), Vec::new());
        for id in ids.iter().filter(|id| asked.insert(*id)) {
            match catalogue.get(id) {
                Some(product) => products.push(listed(product.clone(), &stock)),
                None => notes.push(unknown(id)),
            }
        }
        Ok(Answer { notes, ..Answer::shown(200, Resource::Found(products)) })
    }

    /// One product.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn product(&self, shop: &ShopId, id: &PublicId) -> Result<Answer, Failure> {
        let Stocked { head, catalogue, stock } = self.look_up(shop, BTreeSet::from([id.clone()])).await?;
        head.ok_or(Failure::UnknownShop)?;
        Ok(match catalogue.get(id) {
            Some(product) => Answer::shown(200, Resource::Product(listed(product.clone(), &stock))),
            None => Answer::refused(Refusal::not_found("product", id.as_str()), None),
        })
    }

    async fn must_exist(&self, shop: &ShopId) -> Result<(), Failure> {
        self.store.head(shop).await?.map(|_| ()).ok_or(Failure::UnknownShop)
    }

    async fn listed(&self, shop: &ShopId, products: Vec<Product>) -> Result<Vec<Listed>, Failure> {
        let stock = self.on_hand(shop, &products).await?;
        Ok(products.into_iter().map(|product| listed(product, &stock)).collect())
    }
}

fn listed(product: Product, stock: &BTreeMap<PublicId, i64>) -> Listed {
    let on_hand = stock.get(product.variant().id()).copied().unwrap_or(0);
    Listed { product, on_hand }
}

fn unknown(id: &PublicId) -> Note {
    Note { kind: NoteKind::Info, code: "not_found", content: format!("no product `{id}` in this shop") }
}
