//! The store on a real file: what its doors let in, what is left after a crash, and what several handles of one file
//! may do at the same time.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]

mod commits;
mod control;
mod crashes;
mod imports;
mod overview;
mod payments;
mod reads;
mod serials;

use store::{Commit, Head, HeadChange, Import, Imported, Step, StockChange, Store, What, Write};
use tempfile::TempDir;
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

/// A store in a folder of its own, with one shop.
struct Bench {
    dir: TempDir,
    store: Store,
    shop: ShopId,
}

impl Bench {
    /// The shop is Legacy's, at epoch 1.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let shop = ShopId::parse("s1").unwrap();
        store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
        Self { dir, store, shop }
    }

    /// The shop is Backend's, at epoch 2.
    async fn flipped() -> Self {
        let bench = Self::new().await;
        bench.flip(Side::Backend, 1, 2).await;
        bench
    }

    async fn flip(&self, owner: Side, from: u64, to: u64) {
        let change = self.change(owner, from, to);
        self.store.move_head(change, self.step("flip", to)).await.unwrap();
    }

    fn change(&self, owner: Side, from: u64, to: u64) -> HeadChange {
        HeadChange { shop: self.shop.clone(), expect_epoch: Epoch(from), owner, epoch: Epoch(to), fenced: false }
    }

    fn step(&self, step: &str, epoch: u64) -> Step {
        Step {
            shop: self.shop.clone(),
            epoch: Epoch(epoch),
            direction: Direction::ToBackend,
            step: step.into(),
            phase: "done".into(),
            at: Timestamp(7),
            detail: Record::default().with("n", 1),
        }
    }

    fn commit(&self, writes: Vec<Write>) -> Commit {
        Commit {
            shop: self.shop.clone(),
            epoch: Epoch(2),
            at: Timestamp(1_000),
            writes,
            stock: vec![],
            entries: vec![],
            wakes: vec![],
        }
    }

    /// A product of one variant `v<id>`.
    async fn stocked(&self, product: &str, on_hand: i64) {
        let variant = id(&format!("v{product}"));
        let document = self::product(product, "Thing");
        let outcomes = self.import(vec![live(Kind::Product, product, 1, document, vec![(variant, on_hand)])]).await;
        assert_eq!(outcomes, [store::Outcome::Applied]);
    }

    async fn import(&self, items: Vec<Imported>) -> Vec<store::Outcome> {
        let import = Import { shop: self.shop.clone(), epoch: Epoch(1), items };
        self.store.import(import).await.unwrap()
    }

    async fn head(&self) -> Head {
        self.store.head(&self.shop).await.unwrap().unwrap()
    }

    async fn version(&self, kind: Kind, text: &str) -> Option<u64> {
        let loaded = self.store.load(&self.shop, &[(kind, id(text))]).await.unwrap();
        loaded.documents[0].as_ref().map(|stored| stored.version)
    }
}

fn id(text: &str) -> PublicId {
    PublicId::new(text)
}

fn cart(text: &str) -> Record {
    Record::default().with("id", text).with("state", "open")
}

fn product(text: &str, title: &str) -> Record {
    Record::default().with("id", text).with("title", title).with("state", "active")
}

fn new_cart(text: &str) -> Write {
    Write { kind: Kind::Cart, id: id(text), expected: None, document: cart(text), origin: None, numbered: false }
}

fn taken(variant: &str, delta: i64) -> StockChange {
    StockChange { variant: id(variant), delta }
}

/// An item whose origin is `<kind>:<id>`.
fn live(kind: Kind, text: &str, tx: u64, document: Record, stock: Vec<(PublicId, i64)>) -> Imported {
    let origin = Origin::new(format!("{}:{text}", kind.name()));
    Imported {
        kind,
        origin,
        tx,
        what: What::Live { id: id(text), document, stock, entries: vec![], wake: None },
        made: None,
    }
}
