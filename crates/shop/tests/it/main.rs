//! A shop on a real store: what its buyers, its seller and a crash can do to it.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]
#![expect(clippy::duplicate_mod, reason = "each engine has a module of the same races")]

mod after_sale;
mod between;
mod buying;
mod contention;
mod converting;
mod fitting;
mod invoicing;
mod keys;
mod minting;
mod ownership;
mod paying;
mod payments;
mod reservations;

use commerce::checkout::Details;
use commerce::lines::Wanted;
use commerce::order::Order;
use shop::ids::IdPlan;
use shop::{Answer, Command, Failure, Frame, Keyed, Resource, Service};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use store::{HeadChange, Import, Imported, Outcome, Step, Store, What};
use tempfile::TempDir;
use vocab::document::{Node, Record};
use vocab::id::{Direction, Epoch, Kind, Minted, Origin, PublicId, ShopId, Side, Timestamp};

/// One shop, `s1`, at Backend under epoch 2: products 1 (Rp 45), 2 (Rp 60), 3 (withdrawn), with stock; tax 11 %,
/// shipping Rp 9,000. Ids come from blocks, as after a move.
struct Bench {
    _dir: TempDir,
    store: Store,
    service: Service,
    frame: Frame,
    now: Arc<AtomicI64>,
    keys: AtomicU64,
}

const STOCK: i64 = 1_000;

impl Bench {
    async fn new() -> Self {
        Self::with_blocks(100_000).await
    }

    /// With so many ids in each block.
    async fn with_blocks(size: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let shop = ShopId::parse("s1").unwrap();
        store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
        for element in shop::ids::MINTED {
            store.add_block(&table(element), 5_001, 5_000 + size, Epoch(2)).await.unwrap();
        }
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let clock = Arc::clone(&now);
        let service = Service::new(store.clone(), plan(), Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        let frame = Frame { shop, epoch: None };
        let bench = Self { _dir: dir, store, service, frame, now, keys: AtomicU64::new(1) };
        bench.import(Kind::Shop, "s1", terms(), vec![]).await;
        for (id, rupiah, state) in [("1", 45, "active"), ("2", 60, "active"), ("3", 10, "withdrawn")] {
            let stock = vec![(PublicId::new(id), STOCK)];
            bench.import(Kind::Product, id, product(id, rupiah, state), stock).await;
        }
        bench.flip(Side::Backend, 1, 2, false).await;
        bench
    }

    async fn import(&self, kind: Kind, id: &str, document: Record, stock: Vec<(PublicId, i64)>) {
        let origin = Origin::new(format!("{}:{id}", kind.name()));
        let what = What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None };
        self.import_item(Imported { kind, origin, tx: 1, what, made: None }).await;
    }

    async fn import_item(&self, item: Imported) {
        let import = Import { shop: self.frame.shop.clone(), epoch: Epoch(1), items: vec![item] };
        assert_eq!(self.store.import(import).await.unwrap(), [Outcome::Applied]);
    }

    async fn flip(&self, owner: Side, from: u64, to: u64, fenced: bool) {
        move_head(&self.store, &self.frame.shop, owner, (from, to), fenced).await;
    }

    fn pass(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::SeqCst);
    }

    /// A key never used before.
    fn fresh(&self) -> Keyed {
        let number = self.keys.fetch_add(1, Ordering::SeqCst);
        Keyed { key: format!("key-{number}"), body: format!("{number:064x}") }
    }

    async fn run(&self, command: Command) -> Answer {
        self.service.execute(&self.frame, &self.fresh(), &command).await.unwrap()
    }

    async fn fails(&self, command: Command) -> Failure {
        self.service.execute(&self.frame, &self.fresh(), &command).await.unwrap_err()
    }

    /// A new checkout, complete but for the payment.
    async fn checkout(&self, lines: &[(&str, u32)]) -> PublicId {
        let command = Command::CreateCheckout { basket: shop::Basket::Lines(wanted(lines)), details: details() };
        checkout_id(&self.run(command).await)
    }

    async fn pay(&self, checkout: &PublicId, instrument: &str) -> Answer {
        self.service.complete(&self.frame, &self.fresh(), checkout, instrument).await.unwrap()
    }

    /// The order of a new checkout that was paid.
    async fn buy(&self, lines: &[(&str, u32)]) -> Order {
        let checkout = self.checkout(lines).await;
        self.order_of(&self.pay(&checkout, "approve").await).await
    }

    async fn order_of(&self, answer: &Answer) -> Order {
        self.order(&order_id(answer)).await
    }

    async fn order(&self, id: &PublicId) -> Order {
        match self.service.order(&self.frame.shop, id).await.unwrap().resource {
            Some(Resource::Order(order)) => order,
            other => panic!("no order: {other:?}"),
        }
    }

    async fn stock(&self, product: &str) -> i64 {
        self.store.stock(&self.frame.shop, &[PublicId::new(product)]).await.unwrap()[0].unwrap()
    }

    async fn seq(&self) -> u64 {
        self.store.head(&self.frame.shop).await.unwrap().unwrap().seq.0
    }

    /// Clearing, payable and tax.
    async fn ledger(&self) -> [i64; 3] {
        let sums = self.store.ledger_sums(&self.frame.shop).await.unwrap();
        let of = |account: &str| sums.iter().find(|sum| &*sum.account == account).map_or(0, |sum| sum.amount);
        [of("clearing"), of("payable"), of("tax")]
    }

    async fn orders(&self) -> usize {
        self.store.documents(&self.frame.shop, Kind::Order, None, 10_000).await.unwrap().len()
    }
}

async fn move_head(store: &Store, shop: &ShopId, owner: Side, (from, to): (u64, u64), fenced: bool) {
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(to),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at: Timestamp(0),
        detail: Record::default(),
    };
    let change = HeadChange { shop: shop.clone(), expect_epoch: Epoch(from), owner, epoch: Epoch(to), fenced };
    store.move_head(change, step).await.unwrap();
}

/// The name of an element's block.
fn table(element: vocab::id::Element) -> String {
    format!("{}{}", element.kind.name(), element.part.map(|part| format!("_{part}")).unwrap_or_default())
}

fn plan() -> IdPlan {
    IdPlan {
        table: Box::new(|element| Some(table(element).into())),
        mint: Box::new(|element, number| Minted {
            id: PublicId::new(number.to_string()),
            origin: Some(Origin::new(format!("{}:{number}", table(element)))),
        }),
        origin: Box::new(|_, _, _| None),
        misfit: Box::new(|_, _, _| None),
        carries: Box::new(|_, _| true),
    }
}

fn terms() -> Record {
    Record::default()
        .with("id", "s1")
        .with("name", "Toko Satu")
        .with("currency", "IDR")
        .with("tax_bp", 1_100)
        .with("shipping_flat", 900_000)
}

fn product(id: &str, rupiah: i64, state: &str) -> Record {
    let variant = Record::default().with("id", id).with("sku", Node::Null).with("price", rupiah * 100);
    Record::default()
        .with("id", id)
        .with("title", format!("Barang {id}"))
        .with("state", state)
        .with("currency", "IDR")
        .with("variants", vec![Node::Record(variant)])
}

fn wanted(lines: &[(&str, u32)]) -> Vec<Wanted> {
    lines.iter().map(|(id, quantity)| Wanted::new(PublicId::new(*id), *quantity).unwrap()).collect()
}

fn details() -> Details {
    let some = |text: &str| Some(text.to_owned());
    Details {
        buyer_name: some("Sari"),
        buyer_phone: some("0812"),
        street: some("Jl. Melati 1"),
        city: some("Bandung"),
        postal_code: some("40115"),
        country: some("ID"),
        flat: true,
        ..Details::default()
    }
}

fn checkout_of(answer: &Answer) -> &commerce::checkout::Checkout {
    match &answer.resource {
        Some(Resource::Checkout { checkout, .. }) => checkout,
        other => panic!("no checkout: {other:?}, {:?}", answer.refusal),
    }
}

fn checkout_id(answer: &Answer) -> PublicId {
    commerce::decision::Aggregate::id(checkout_of(answer)).clone()
}

fn order_id(answer: &Answer) -> PublicId {
    let state = checkout_of(answer).state();
    let commerce::checkout::State::Completed { order } = state else {
        panic!("not completed: {state:?}, {:?}", answer.refusal)
    };
    order.clone()
}

fn refused(answer: &Answer) -> &'static str {
    answer.refusal.as_ref().map_or("", |refusal| refusal.code)
}
