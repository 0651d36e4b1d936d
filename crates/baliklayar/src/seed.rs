//! A shop that is born at the backend: its terms and its shelf put in by the door of imports, and then it is ours.

use anyhow::{Context, Result, ensure};
use store::{HeadChange, Import, Imported, Outcome, Step, Store, What};
use vocab::document::{Node, Record};
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

/// What there is to buy: one variant of it, under the same id.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    pub id: &'a str,
    pub title: &'a str,
    /// In minor units.
    pub price: i64,
    pub stock: i64,
}

/// A tax of 11 % that prices do not contain, and Rp 9,000 for shipping.
const TAX_BP: i64 = 1_100;
const SHIPPING: i64 = 900_000;

/// Opens a shop that sells in rupiah. One that is open already stays as it is.
///
/// # Errors
/// The store fails, or does not take it.
pub async fn open_shop(
    store: &Store,
    shop: &ShopId,
    name: &str,
    products: &[Product<'_>],
    at: Timestamp,
) -> Result<()> {
    if store.head(shop).await?.is_some_and(|head| head.owner == Side::Backend) {
        return Ok(());
    }
    store.create_heads(std::slice::from_ref(shop)).await?;
    let terms = Record::default().with("id", shop.as_str()).with("name", name).with("currency", "IDR");
    let terms = terms.with("tax_bp", TAX_BP).with("shipping_flat", SHIPPING);
    let mut items = vec![live(Kind::Shop, shop.as_str(), terms, vec![])];
    items.extend(products.iter().map(on_the_shelf));
    let outcomes = store.import(Import { shop: shop.clone(), epoch: Epoch(1), items }).await?;
    ensure!(
        outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied | Outcome::Stale)),
        "the shop was not taken: {outcomes:?}"
    );
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(2),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at,
        detail: Record::default(),
    };
    let change =
        HeadChange { shop: shop.clone(), expect_epoch: Epoch(1), owner: Side::Backend, epoch: Epoch(2), fenced: false };
    store.move_head(change, step).await.context("the shop could not be opened")?;
    Ok(())
}

fn on_the_shelf(product: &Product<'_>) -> Imported {
    let variant = Record::default().with("id", product.id).with("sku", Node::Null).with("price", product.price);
    let document = Record::default().with("id", product.id).with("title", product.title).with("state", "active");
    let document = document.with("currency", "IDR").with("variants", vec![Node::Record(variant)]);
    live(Kind::Product, product.id, document, vec![(PublicId::new(product.id), product.stock)])
}

fn live(kind: Kind, id: &str, document: Record, stock: Vec<(PublicId, i64)>) -> Imported {
    Imported {
        kind,
        origin: Origin::new(format!("{}:{id}", kind.name())),
        tx: 1,
        what: What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None },
        made: None,
    }
}
