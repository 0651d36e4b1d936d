//! A shop whose buyers pay in their own time, whoever owns it, and what can be seen of each payment from the outside and in the
//! tables of both sides.

use crate::buyers::Till;
use crate::client::{exchange, filled_in, form, id};
use crate::world::{Engine, How, Provider, World};
use baliklayar::serving::clock;
use mover::{Ask, Verb};
use ring::hmac;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use vocab::document::Node;
use vocab::id::{Kind, PublicId, ShopId, Side, Timestamp};

/// What a notice, or a question without one, brings about is there by then.
pub const SOON: Duration = Duration::from_secs(30);
pub const LOOK: Duration = Duration::from_millis(50);

pub struct Street {
    pub world: World,
    pub shop: ShopId,
    pub product: String,
    /// By how much the clock of the backend is ahead.
    ahead_us: Arc<AtomicI64>,
    holding: Arc<Holding>,
}

/// Keeps the mover in the next hold, right after the seam was told of it, until something was done in it.
#[derive(Default)]
struct Holding {
    wanted: AtomicBool,
    begun: Notify,
    go_on: Notify,
}

/// A checkout whose buyer has something to pay with.
#[derive(Debug, Clone)]
pub struct Begun {
    pub checkout: String,
    pub link: String,
    pub reference: String,
    /// The order to come.
    pub number: String,
}

impl Street {
    /// On SQLite, with a backend that can ask no provider.
    pub async fn who_knows_no_provider() -> Self {
        Self::at_legacy(Engine::Sqlite, Engine::Sqlite, Some(BTreeSet::new())).await
    }

    async fn at_legacy(engine: Engine, store: Engine, accounts: Option<BTreeSet<String>>) -> Self {
        let (ahead_us, holding) = (Arc::new(AtomicI64::new(0)), Arc::new(Holding::default()));
        let (ahead, now) = (Arc::clone(&ahead_us), clock());
        let gate = Arc::clone(&holding);
        let how = How {
            provider: true,
            accounts,
            store,
            clock: Arc::new(move || Timestamp(now().0 + ahead.load(Ordering::SeqCst))),
            between: Some(Box::new(move |mut from, to| {
                tokio::spawn(async move {
                    while let Some(ask) = from.recv().await {
                        let begins = matches!(ask, Ask::Hold { .. });
                        to.send(ask).await.unwrap();
                        if begins && gate.wanted.swap(false, Ordering::SeqCst) {
                            gate.begun.notify_one();
                            gate.go_on.notified().await;
                        }
                    }
                });
            })),
            ..How::new(engine, 7, 1)
        };
        let world = World::start_as(how).await;
        let shop = world.shops[0].clone();
        let found = world.post(&shop, "catalog/search", json!({})).await;
        let products = found["products"].as_array().unwrap();
        let product = products.iter().find(|product| product["variants"][0]["availability"]["available"] == true);
        let product = id(product.unwrap());
        Self { world, shop, product, ahead_us, holding }
    }

    /// The same, and everything that moves a shop is started.
    pub async fn about_to_move(engine: Engine) -> Self {
        Self::about_to_move_into(engine, Engine::Sqlite).await
    }

    /// The same, with our own store there.
    pub async fn about_to_move_into(engine: Engine, store: Engine) -> Self {
        let street = Self::at_legacy(engine, store, None).await;
        street.world.start_moving().await;
        street
    }

    /// Pays when the seam holds the shop; the hold goes on when that is done, unless its deadline ended it.
    pub async fn pay_in_the_hold(&self, begun: &Begun) {
        self.holding.begun.notified().await;
        let deadline = Instant::now() + SOON;
        while self.world.gateway.stats(&self.shop).unwrap().held.is_none() {
            assert!(Instant::now() < deadline, "nobody is held");
            tokio::task::yield_now().await;
        }
        self.pay(begun).await;
        self.holding.go_on.notify_one();
    }

    pub fn wait_in_the_hold(&self) {
        self.holding.wanted.store(true, Ordering::SeqCst);
    }

    pub async fn there(&self) {
        self.world.wish(Verb::Flip, None).await;
        assert_eq!(self.world.owner(&self.shop).await, Side::Backend);
    }

    pub async fn back(&self) {
        self.world.wish(Verb::Rollback, None).await;
        assert_eq!(self.world.owner(&self.shop).await, Side::Legacy);
    }

    pub async fn begin(&self, method: &str) -> Begun {
        let (checkout, link) = self.checkout().await;
        self.choose(&link, method).await;
        let begun = self.known(checkout, link).await;
        assert_eq!(self.look(&begun.checkout).await["status"], "complete_in_progress");
        begun
    }

    /// What was begun for a checkout, once the provider knows of it.
    pub async fn known(&self, checkout: String, link: String) -> Begun {
        Begun { reference: self.reference(&checkout).await, number: self.number(&checkout).await, checkout, link }
    }

    /// How it is here before anybody buys.
    pub async fn till(&self) -> Till {
        let sums = self.world.store.ledger_sums(&self.shop).await.unwrap();
        let clearing = sums.iter().find(|sum| &*sum.account == "clearing").map_or(0, |sum| sum.amount);
        Till { shop: self.shop.clone(), product: self.product.clone(), stock: self.on_the_shelf().await, clearing }
    }

    /// A checkout that can be paid, and where.
    pub async fn checkout(&self) -> (String, String) {
        let body = filled_in(&[(&self.product, 1)]);
        let created = self.world.post(&self.shop, "checkout-sessions", body).await;
        (id(&created), created["continue_url"].as_str().unwrap().to_owned())
    }

    /// The clocks of backend and provider go ahead. The legacy has its own.
    pub async fn later(&self, by: Duration) {
        self.ahead_us.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
        self.provider().control("clock", &json!({ "advance_s": by.as_secs() })).await;
    }

    pub async fn fault(&self, operation: &str, what: &str, ms: u64) {
        let planned = json!({ "operation": operation, "nth": 1, "what": what, "ms": ms });
        self.provider().control("faults", &json!({ "seed": 1, "plan": [planned] })).await;
    }

    pub async fn choose(&self, link: &str, method: &str) {
        self.say(link, &format!("method={method}")).await;
    }

    /// A person says something on the page: how to pay, or where money goes.
    pub async fn say(&self, link: &str, body: &str) {
        let (status, page) = exchange(self.world.seam(), &form(link, body)).await;
        assert!(matches!(status, 200 | 303), "{status} {page}");
    }

    /// Under which the provider knows what was last asked for a checkout: said by whoever owns the shop.
    async fn reference(&self, checkout: &str) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let attempts = self.intent(checkout).await.map(|intent| intent.1).unwrap_or_default();
            if let Some(reference) = attempts {
                return reference;
            }
            assert!(Instant::now() < deadline, "nothing was begun for {checkout}");
            tokio::time::sleep(LOOK).await;
        }
    }

    pub async fn number(&self, checkout: &str) -> String {
        self.intent(checkout).await.unwrap().0
    }

    /// The reserved number, and the newest reference that the provider has a charge for.
    async fn intent(&self, checkout: &str) -> Option<(String, Option<String>)> {
        let (number, references) = match self.world.owner(&self.shop).await {
            Side::Backend => {
                let (_, stored) = self.at_backend(checkout).await.pop()?;
                let of_attempt = |node: &Node| {
                    let Node::Record(attempt) = node else { return None };
                    attempt.text("reference").map(str::to_owned)
                };
                let references: Vec<String> = stored.document.list("attempts").iter().filter_map(of_attempt).collect();
                (stored.document.text("reserved")?.to_owned(), references)
            }
            Side::Legacy => {
                let of = format!(
                    "from pesanan p join pesanan_coba c on c.pesanan_id = p.id where p.transaksi_id = {checkout}"
                );
                let numbers = self.world.column(&format!("select p.nomor {of} order by p.id, c.ke")).await;
                let references = self.world.column(&format!("select c.rujukan {of} order by p.id, c.ke")).await;
                (numbers.last()?.clone(), references)
            }
        };
        let charges = self.charges().await;
        let is_there = |reference: &&String| charges.iter().any(|charge| charge["reference"] == **reference);
        Some((number, references.iter().rev().find(is_there).cloned()))
    }

    pub async fn at_backend(&self, checkout: &str) -> Vec<(PublicId, store::Stored)> {
        let checkout = PublicId::new(checkout);
        self.world.store.intents_of_checkout(&self.shop, &checkout, 64).await.unwrap()
    }

    pub async fn charges(&self) -> Vec<Value> {
        self.provider().book().await["charge"].as_array().unwrap().clone()
    }

    pub async fn pay(&self, begun: &Begun) {
        self.provider().control("pay", &json!({ "reference": begun.reference })).await;
    }

    pub fn provider(&self) -> &crate::world::Provider {
        self.world.provider.as_ref().unwrap()
    }

    pub async fn look(&self, checkout: &str) -> Value {
        self.world.get(&self.shop, &format!("checkout-sessions/{checkout}")).await.ok()
    }

    /// It is paid, and has one order, which is the one that its buyer was told of; the provider took the money once.
    pub async fn is_one_order(&self, begun: &Begun) {
        let deadline = Instant::now() + SOON;
        let shown = loop {
            let shown = self.look(&begun.checkout).await;
            if shown["status"] == "completed" {
                break shown;
            }
            assert!(Instant::now() < deadline, "{}: {shown}", begun.checkout);
            tokio::time::sleep(LOOK).await;
        };
        assert_eq!(shown["order"]["id"], begun.number.as_str());
        let order = self.world.get(&self.shop, &format!("orders/{}", begun.number)).await.ok();
        assert_eq!(order["status"], "paid", "{order}");
        assert_eq!(order["checkout_id"], begun.checkout.as_str());
        let book = self.provider().book().await;
        let charges =
            book["charge"].as_array().unwrap().iter().filter(|it| it["reference"] == begun.reference.as_str());
        let charge: Vec<&Value> = charges.collect();
        let movements = book["movement"].as_array().unwrap();
        let came = movements.iter().filter(|it| it["charge"] == charge[0]["id"] && it["kind"] == "captured");
        assert_eq!((charge.len(), came.count()), (1, 1));
    }

    /// Each checkout that was begun has one order, in the tables of both sides, as soon as one has it from the other.
    pub async fn has_orders(&self, begun: &[&Begun]) {
        for begun in begun {
            let deadline = Instant::now() + SOON;
            while self.orders(begun).await != (1, 1) {
                assert!(Instant::now() < deadline, "{}: {:?} orders", begun.checkout, self.orders(begun).await);
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// The orders of a checkout: in our store, in the legacy's tables. More than one is never waited for to go.
    async fn orders(&self, begun: &Begun) -> (usize, usize) {
        let sql = format!("select count(*) from jual where transaksi_id = {}", begun.checkout);
        let orders = self.world.store.documents(&self.shop, Kind::Order, None, 10_000).await.unwrap();
        let of_it = orders.iter().filter(|(_, stored)| stored.document.text("checkout") == Some(&begun.checkout));
        let counts = (of_it.count(), self.world.one(&sql).await.parse().unwrap());
        assert!(counts.0 <= 1 && counts.1 <= 1, "{}: {counts:?} orders", begun.checkout);
        counts
    }

    /// The provider tells of a payment once more, in other words: what is the same bytes is known again.
    pub async fn told_again(&self, begun: &Begun, nth: u32) {
        let event = format!("evt_{}_{nth}", begun.reference);
        let body =
            json!({ "id": event, "type": "charge.captured", "data": { "reference": begun.reference } }).to_string();
        let seconds = clock()().0 / 1_000_000;
        let key = hmac::Key::new(hmac::HMAC_SHA256, Provider::NOTICE_KEY.as_bytes());
        let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
        let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = format!(
            "POST /notices/loket HTTP/1.1\r\nhost: host\r\nconnection: close\r\nloket-signature: t={seconds},v1={tag}\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(exchange(self.world.seam(), request.as_bytes()).await.0, 200);
    }

    /// What became of the notices so far, once nothing is left to become of any.
    pub async fn outcomes(&self) -> BTreeMap<String, u64> {
        let deadline = Instant::now() + SOON;
        loop {
            let all = self.world.store.notice_outcomes().await.unwrap();
            if all.iter().all(|(_, outcome, _)| outcome.is_some()) {
                return all.into_iter().map(|(_, outcome, count)| (outcome.unwrap().to_string(), count)).collect();
            }
            assert!(Instant::now() < deadline, "notices are left: {all:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The same as far as it goes: of some nothing ever becomes.
    pub async fn outcomes_so_far(&self) -> BTreeMap<String, u64> {
        let all = self.world.store.notice_outcomes().await.unwrap();
        all.into_iter().filter_map(|(_, outcome, count)| Some((outcome?.to_string(), count))).collect()
    }

    /// The fate of the newest try of a checkout, as our store has it.
    pub async fn fate(&self, checkout: &str) -> String {
        let (_, stored) = self.at_backend(checkout).await.pop().unwrap();
        let Some(Node::Record(newest)) = stored.document.list("attempts").last() else { panic!("no try") };
        newest.text("fate").unwrap().to_owned()
    }

    /// What is left of the product, by the tables of whoever owns the shop.
    pub async fn on_the_shelf(&self) -> i64 {
        match self.world.owner(&self.shop).await {
            Side::Legacy => {
                self.world.one(&format!("select stok from produk where id = {}", self.product)).await.parse().unwrap()
            }
            Side::Backend => {
                let all = self.world.store.stock_all(&self.shop).await.unwrap();
                all.iter().find(|(variant, _)| variant.as_str() == self.product).unwrap().1
            }
        }
    }

    /// What the provider was asked to send back, once it is so much.
    pub async fn refunds_until(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + SOON;
        loop {
            let refunds = self.provider().book().await["refund"].as_array().unwrap().clone();
            if refunds.len() >= count {
                return refunds;
            }
            assert!(Instant::now() < deadline, "nothing was sent back");
            tokio::time::sleep(LOOK).await;
        }
    }
}
