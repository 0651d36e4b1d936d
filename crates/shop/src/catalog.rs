//! The catalogue: search, lookup of several, one product.

use crate::failure::Failure;
use crate::view::parse;
use crate::{Answer, Listed, Note, NoteKind, Resource, Service};
use commerce::Refusal;
use commerce::product::Product;
use std::collections::BTreeSet;
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
        self.must_exist(shop).await?;
        // One more than asked for tells whether there is another page.
        let mut found = self.store.products(shop, query, after, limit.saturating_add(1)).await?;
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
        self.must_exist(shop).await?;
        let catalogue = self.catalogue(shop, ids).await?;
        let mut asked = BTreeSet::new();
        let (mut products, mut notes) = (Vec::new(), Vec::new());
        for id in ids.iter().filter(|id| asked.insert(*id)) {
            match catalogue.get(id) {
                Some(product) => products.push(product.clone()),
                None => notes.push(unknown(id)),
            }
        }
        let found = Resource::Found(self.listed(shop, products).await?);
        Ok(Answer { notes, ..Answer::shown(200, found) })
    }

    /// One product.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn product(&self, shop: &ShopId, id: &PublicId) -> Result<Answer, Failure> {
        self.must_exist(shop).await?;
        let catalogue = self.catalogue(shop, [id]).await?;
        let found = self.listed(shop, catalogue.products().cloned().collect()).await?;
        Ok(match found.into_iter().next() {
            Some(listed) => Answer::shown(200, Resource::Product(listed)),
            None => Answer::refused(Refusal::not_found("product", id.as_str()), None),
        })
    }

    async fn must_exist(&self, shop: &ShopId) -> Result<(), Failure> {
        self.store.head(shop).await?.map(|_| ()).ok_or(Failure::UnknownShop)
    }

    async fn listed(&self, shop: &ShopId, products: Vec<Product>) -> Result<Vec<Listed>, Failure> {
        let stock = self.on_hand(shop, &products).await?;
        let listed = products.into_iter().map(|product| {
            let on_hand = stock.get(product.variant().id()).copied().unwrap_or(0);
            Listed { product, on_hand }
        });
        Ok(listed.collect())
    }
}

fn unknown(id: &PublicId) -> Note {
    Note { kind: NoteKind::Info, code: "not_found", content: format!("no product `{id}` in this shop") }
}
