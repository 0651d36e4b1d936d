//! A shop whose buyers pay in their own time, whoever owns it, and what can be seen of each payment from the outside and in the
//! tables of both sides.

use crate::buyers::Till;
use crate::client::{exchange, filled_in, id};
use crate::world::{Engine, How, World};
use baliklayar::serving::clock;
use mover::{Ask, Verb};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
    /// The seam was told to hold the shop.
    pub holds: Arc<Notify>,
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
    async fn at_legacy(engine: Engine) -> Self {
        let (ahead_us, holds) = (Arc::new(AtomicI64::new(0)), Arc::new(Notify::new()));
        let (ahead, now) = (Arc::clone(&ahead_us), clock());
        let told = Arc::clone(&holds);
        let how = How {
            provider: true,
            clock: Arc::new(move || Timestamp(now().0 + ahead.load(Ordering::SeqCst))),
            between: Some(Box::new(move |mut from, to| {
                tokio::spawn(async move {
                    while let Some(ask) = from.recv().await {
                        let begins = matches!(ask, Ask::Hold { .. });
                        to.send(ask).await.unwrap();
                        if begins {
                            told.notify_one();
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
        Self { world, shop, product, ahead_us, holds }
    }

    /// The same, and everything that moves a shop is started.
    pub async fn about_to_move(engine: Engine) -> Self {
        let street = Self::at_legacy(engine).await;
        street.world.start_moving().await;
        street
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

    pub async fn fault(&self, operation: &str, what: &str) {
        let planned = json!({ "operation": operation, "nth": 1, "what": what });
        self.provider().control("faults", &json!({ "seed": 1, "plan": [planned] })).await;
    }

    pub async fn choose(&self, link: &str, method: &str) {
        self.say(link, &format!("method={method}")).await;
    }

    /// A person says something on the page: how to pay, or where money goes.
    pub async fn say(&self, link: &str, body: &str) {
        let request = format!(
            "POST {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, page) = exchange(self.world.seam(), request.as_bytes()).await;
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

    async fn number(&self, checkout: &str) -> String {
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

    /// The provider sends the notice of a payment once more, as it was sent first.
    pub async fn replay(&self, begun: &Begun) {
        let book = self.provider().book().await;
        let of_it = |notice: &&Value| notice["body"].as_str().is_some_and(|body| body.contains(&begun.reference));
        let event = book["notice"].as_array().unwrap().iter().find(of_it).unwrap()["event"].clone();
        self.provider().control("replay", &json!({ "event": event })).await;
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
