//! Shops that were born at the backend, with a shelf; and whether their books are right afterwards.

use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use store::{Class, HeadChange, Import, Imported, Step, Store, What};
use vocab::document::{Node, Record};
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

/// Products of one import.
const TOGETHER: usize = 500;

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
        let shops = self.ids()?;
        store.create_heads(&shops).await?;
        for shop in &shops {
            let items: Vec<Imported> =
                std::iter::once(terms(shop)).chain((1..=self.products).map(|id| self.product(id))).collect();
            for some in items.chunks(TOGETHER) {
                store.import(Import { shop: shop.clone(), epoch: Epoch(1), items: some.to_vec() }).await?;
            }
            own(store, shop).await?;
        }
        Ok(())
    }

    fn product(self, id: u32) -> Imported {
        let id = id.to_string();
        let variant = Record::default().with("id", id.as_str()).with("sku", Node::Null).with("price", 4_500_000);
        let product = Record::default()
            .with("id", id.as_str())
            .with("title", format!("Kopi Arabika Gayo {id}, 250 g"))
            .with("state", "active")
            .with("currency", "IDR")
            .with("variants", vec![Node::Record(variant)]);
        imported(Kind::Product, &id, product, vec![(PublicId::new(id.as_str()), self.stock)])
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

fn terms(shop: &ShopId) -> Imported {
    let terms = Record::default()
        .with("id", shop.as_str())
        .with("name", "Toko Kopi")
        .with("currency", "IDR")
        .with("tax_bp", 1_100)
        .with("shipping_flat", 900_000);
    imported(Kind::Shop, shop.as_str(), terms, vec![])
}

fn imported(kind: Kind, id: &str, document: Record, stock: Vec<(PublicId, i64)>) -> Imported {
    let what = What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None };
    Imported { kind, origin: Origin::new(format!("{}:{id}", kind.name())), tx: 1, what, made: None }
}

/// Makes a shop the backend's.
async fn own(store: &Store, shop: &ShopId) -> Result<()> {
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(2),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at: Timestamp(0),
        detail: Record::default(),
    };
    let shop = shop.clone();
    let change = HeadChange { shop, expect_epoch: Epoch(1), owner: Side::Backend, epoch: Epoch(2), fenced: false };
    store.move_head(change, step).await?;
    Ok(())
}
