//! Shops that were born at the backend, with a shelf; and whether their books are right afterwards.

use anyhow::{Result, ensure};
use baliklayar::seed::{self, Product};
use std::collections::BTreeSet;
use store::{Class, Store};
use vocab::id::{Kind, ShopId, Timestamp};

/// What shops there are, and what is on each shelf.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    pub shops: u32,
    pub products: u32,
    /// Units of each product.
    pub stock: i64,
}

impl Market {
    pub fn shop(nth: u64) -> String {
        format!("s{nth}")
    }

    fn ids(self) -> Result<Vec<ShopId>> {
        Ok((0..self.shops).map(|nth| ShopId::parse(&Self::shop(nth.into()))).collect::<Result<_, _>>()?)
    }

    /// Opens all of them.
    pub async fn open(self, store: &Store) -> Result<()> {
        let named: Vec<(String, String)> =
            (1..=self.products).map(|id| (id.to_string(), format!("Kopi Arabika Gayo {id}, 250 g"))).collect();
        let price = 4_500_000;
        let shelf: Vec<_> = named.iter().map(|(id, title)| Product { id, title, price, stock: self.stock }).collect();
        for shop in &self.ids()? {
            seed::open_shop(store, shop, "Toko Kopi", &shelf, Timestamp(0)).await?;
        }
        Ok(())
    }

    /// So many orders were sold there, of one unit each: each is there, nothing else went, and each adds up to nothing.
    pub async fn sold(self, store: &Store, orders: u64) -> Result<()> {
        let (mut found, mut left) = (0, 0);
        for shop in &self.ids()? {
            let counts = store.counts(shop).await?;
            let of = |class| {
                let orders = counts.iter().filter(move |count| count.kind == Kind::Order && count.class == class);
                orders.map(|count| count.documents).sum::<u64>()
            };
            ensure!(of(Class::History) == 0, "{shop}: orders that nobody made");
            found += of(Class::Live);
            left += store.stock_all(shop).await?.iter().map(|(_, on_hand)| on_hand).sum::<i64>();
            let unbalanced = store.unbalanced_orders(shop, 9).await?;
            ensure!(unbalanced.is_empty(), "{shop}: orders that do not add up: {unbalanced:?}");
            let unpaid: BTreeSet<_> = store.ids_in_state(shop, Kind::Checkout, "paying").await?.into_iter().collect();
            ensure!(unpaid.is_empty(), "{shop}: half paid: {unpaid:?}");
        }
        let had = i64::from(self.shops) * i64::from(self.products) * self.stock;
        ensure!(found == orders, "{orders} were told that they have an order; there are {found}");
        ensure!(had - left == i64::try_from(orders)?, "{orders} orders, and {} units went", had - left);
        Ok(())
    }
}
