//! The products that a command names, as they stand now.

use crate::decision::{Aggregate, StockChange};
use crate::lines::Wanted;
use crate::product::Product;
use crate::refusal::{Refusal, Retry};
use std::collections::BTreeMap;
use vocab::id::PublicId;

/// Products by id. Whoever loads it puts in all that the command names and that exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<PublicId, Product>);

impl FromIterator<Product> for Catalogue {
    fn from_iter<T: IntoIterator<Item = Product>>(products: T) -> Self {
        Self(products.into_iter().map(|product| (product.id().clone(), product)).collect())
    }
}

impl Catalogue {
    pub fn get(&self, product: &PublicId) -> Option<&Product> {
        self.0.get(product)
    }

    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.0.values()
    }

    /// The product of a wanted line, where it is on sale.
    ///
    /// # Errors
    /// `item_unavailable`, with the line's place in the request.
    pub fn on_sale(&self, index: usize, wanted: &Wanted) -> Result<&Product, Refusal> {
        self.get(&wanted.product).filter(|product| product.is_active()).ok_or_else(|| {
            Refusal::new("item_unavailable", Retry::Changed, format!("`{}` is not on sale", wanted.product))
                .at(format!("$.line_items[{index}]"))
        })
    }

    /// # Errors
    /// As for `on_sale`, of the first line that is not.
    pub fn all_on_sale(&self, wanted: &[Wanted]) -> Result<(), Refusal> {
        wanted.iter().enumerate().try_for_each(|(index, line)| self.on_sale(index, line).map(drop))
    }

    /// How the stock moves when so many units of these products come back (or go, if negative), by variant.
    ///
    /// # Errors
    /// `item_unavailable` where a product is gone altogether.
    pub fn stock_changes<'a>(
        &self,
        units: impl IntoIterator<Item = (&'a PublicId, i64)>,
    ) -> Result<Vec<StockChange>, Refusal> {
        let mut changes: BTreeMap<PublicId, i64> = BTreeMap::new();
        for (index, (product, delta)) in units.into_iter().enumerate() {
            let known = self.get(product).ok_or_else(|| {
                Refusal::new("item_unavailable", Retry::Changed, format!("`{product}` is gone"))
                    .at(format!("$.line_items[{index}]"))
            })?;
            *changes.entry(known.variant().id().clone()).or_default() += delta;
        }
        let moved = changes.into_iter().filter(|(_, delta)| *delta != 0);
        Ok(moved.map(|(variant, delta)| StockChange { variant, delta }).collect())
    }
}
