//! A shop with a provider behind it: both clocks go together, and what is due is done when a test says so.

mod due;
mod provider;

use super::chaos::cut_off;
use crate::{checkout_of, details, plan, product, terms, wanted};
use commerce::checkout::{Details, State};
use commerce::decision::Aggregate;
use commerce::intent::{Intent, Method, Patience};
use commerce::order::Order;
use demo_provider::{Arguments, Keys};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use shop::rails::{CardToken, Config, Loket};
use shop::{Answer, Basket, Chosen, Command, Frame, Keyed, Resource, Service};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{HeadChange, Import, Imported, Outcome, Step, Store, What};
use tempfile::TempDir;
use testkit::postgres::{Database, fresh_database};
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

pub const STOCK: i64 = 10;
pub const HOUR_S: i64 = 3_600;
pub const DAY_S: i64 = 24 * HOUR_S;
pub const NOTICE_KEY: &str = "whsec_test";
const GOOD_CARD: &str = "tok_visa";
const API_KEY: &str = "key_test";
const SECOND_US: i64 = 1_000_000;
/// Provider and shop are on one machine; a test waits for no answer longer than this.
const PATIENCE: Patience = Patience { answer_us: 2 * SECOND_US, ..Patience::USUAL };

/// What the store of a till is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Shop `s1` at Backend with product 1 (Rp 45, [`STOCK`] of it), and loket.
pub struct Till {
    _dir: TempDir,
    _database: Option<Database>,
    pub store: Store,
    pub service: Service,
    pub frame: Frame,
    ahead: Arc<AtomicI64>,
    keys: AtomicU64,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
    api: String,
    control: String,
}

fn chosen(method: Method, token: &str) -> Chosen {
    Chosen { method, card: CardToken::parse(token).filter(|_| method == Method::CardToken) }
}

fn machine_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

impl Till {
    pub async fn open() -> Self {
        Self::open_with(Engine::Sqlite, PATIENCE, STOCK).await
    }

    pub async fn open_with(engine: Engine, patience: Patience, stock: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys { api: API_KEY.to_owned(), webhook: NOTICE_KEY.to_owned() };
        let arguments = Arguments { book: dir.path().join("book.sqlite"), ports: [0; 3], keys };
        let (doors, serving) = demo_provider::open(arguments).await.unwrap();
        tokio::spawn(serving);
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(fresh_database().await),
        };
        let store = match &database {
            None => Store::open(dir.path()).unwrap(),
            Some(database) => Store::open_at(dir.path(), &database.url).unwrap(),
        };
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&ahead);
        let clock = Arc::new(move || Timestamp(machine_us() + clock.load(Ordering::SeqCst)));
        let config = Config {
            account: "loket".to_owned(),
            api: format!("http://{}", doors.api),
            key: API_KEY.to_owned(),
            notice_keys: vec![NOTICE_KEY.to_owned()],
            // Nobody listens: what a notice would say, a question has to find.
            notices_at: "http://127.0.0.1:9/notices/loket".to_owned(),
            cards_at: Some(format!("http://{}", doors.page)),
            cash: true,
        };
        let rail = Loket::new(config).patient(patience);
        let service = Service::new(store.clone(), plan(), clock).with_rail(rail);
        let till = Self {
            _dir: dir,
            _database: database,
            store,
            service,
            frame: Frame { shop: ShopId::parse("s1").unwrap(), epoch: None },
            ahead,
            keys: AtomicU64::new(1),
            client: Client::builder(TokioExecutor::new()).build_http(),
            api: format!("http://{}", doors.api),
            control: format!("http://{}", doors.control),
        };
        till.stage(stock).await;
        till
    }

    async fn stage(&self, stock: i64) {
        let shop = self.frame.shop.clone();
        self.store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
        for element in shop::ids::MINTED {
            self.store.add_block(&crate::table(element), 5_001, 15_000, Epoch(2)).await.unwrap();
        }
        self.import(Kind::Shop, "s1", terms(), vec![]).await;
        self.import(Kind::Product, "1", product("1", 45, "active"), vec![(PublicId::new("1"), stock)]).await;
        let step = Step {
            shop: shop.clone(),
            epoch: Epoch(2),
            direction: Direction::ToBackend,
            step: "flip".into(),
            phase: "done".into(),
            at: Timestamp(0),
            detail: Record::default(),
        };
        let change = HeadChange { shop, expect_epoch: Epoch(1), owner: Side::Backend, epoch: Epoch(2), fenced: false };
        self.store.move_head(change, step).await.unwrap();
    }

    async fn import(&self, kind: Kind, id: &str, document: Record, stock: Vec<(PublicId, i64)>) {
        let what = What::Live { id: PublicId::new(id), document, stock, entries: vec![], wake: None };
        let item = Imported { kind, origin: Origin::new(format!("{}:{id}", kind.name())), tx: 1, what, made: None };
        let import = Import { shop: self.frame.shop.clone(), epoch: Epoch(1), items: vec![item] };
        assert_eq!(self.store.import(import).await.unwrap(), [Outcome::Applied]);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(machine_us() + self.ahead.load(Ordering::SeqCst))
    }

    pub fn fresh(&self) -> Keyed {
        let number = self.keys.fetch_add(1, Ordering::SeqCst);
        Keyed { key: format!("key-{number}"), body: format!("{number:064x}") }
    }

    pub async fn run(&self, command: Command) -> Answer {
        let answer = self.try_run(command).await;
        assert_eq!(crate::refused(&answer), "");
        answer
    }

    /// Whatever the shop says to it.
    pub async fn try_run(&self, command: Command) -> Answer {
        self.service.execute(&self.frame, &self.fresh(), &command).await.unwrap()
    }

    async fn open_checkout(&self, units: u32, details: Details) -> PublicId {
        let basket = Basket::Lines(wanted(&[("1", units)]));
        crate::checkout_id(&self.run(Command::CreateCheckout { basket, details }).await)
    }

    pub async fn checkout(&self, units: u32) -> PublicId {
        self.open_checkout(units, details()).await
    }

    /// Without an address.
    pub async fn bare_checkout(&self) -> PublicId {
        self.open_checkout(1, Details::default()).await
    }

    /// By a card that is good, where it is by one.
    pub async fn confirm(&self, checkout: &PublicId, method: Method) -> Answer {
        self.service.confirm(&self.frame, checkout, &chosen(method, GOOD_CARD), || {}).await.unwrap()
    }

    pub async fn confirm_card(&self, checkout: &PublicId, token: &str) -> Answer {
        self.service.confirm(&self.frame, checkout, &chosen(Method::CardToken, token), || {}).await.unwrap()
    }

    /// The buyer confirms, and in one case of four everything is cut off after so many milliseconds.
    pub async fn confirm_until(&self, checkout: &PublicId, method: Method, ms: u64) {
        let (service, frame, id) = (self.service.clone(), self.frame.clone(), checkout.clone());
        let after = (ms < 5).then(|| Duration::from_millis(ms));
        let chosen = chosen(method, GOOD_CARD);
        cut_off(async move { service.confirm(&frame, &id, &chosen, || {}).await }, after).await;
    }

    /// The intent that a checkout waits for, if it does.
    pub async fn awaited(&self, checkout: &PublicId) -> Option<Intent> {
        self.service.to_pay(&self.frame.shop, checkout).await.unwrap().unwrap().intent
    }

    /// What is owed to the buyer and waits for them to say where to, in minor units.
    pub async fn owed(&self, checkout: &PublicId) -> i64 {
        self.service.to_pay(&self.frame.shop, checkout).await.unwrap().unwrap().owed
    }

    /// The code of the refusal; none where it is sent.
    pub async fn pay_out(&self, checkout: &PublicId, account: &str) -> &'static str {
        let refused = self.service.pay_out(&self.frame, checkout, account).await.unwrap();
        refused.map_or("", |refusal| refusal.code)
    }

    /// All intents that a checkout ever had.
    pub async fn intents_of(&self, checkout: &PublicId) -> Vec<Intent> {
        let documents = self.store.documents(&self.frame.shop, Kind::Intent, None, 10_000).await.unwrap();
        let intents = documents.into_iter().map(|(_, stored)| Intent::from_document(&stored.document).unwrap());
        intents.filter(|intent| intent.checkout() == checkout).collect()
    }

    /// Confirms, and answers the reference of the code that is out then.
    pub async fn code(&self, checkout: &PublicId, method: Method) -> String {
        self.confirm(checkout, method).await;
        self.intent(checkout).await.attempts()[0].reference().to_owned()
    }

    /// A checkout of one unit that was paid in this way, and is completed.
    pub async fn paid(&self, method: Method) -> PublicId {
        let checkout = self.checkout(1).await;
        let reference = self.code(&checkout, method).await;
        self.control("pay", &json!({ "reference": reference })).await;
        self.notice(&reference).await;
        self.pass(1).await;
        checkout
    }

    pub async fn state(&self, checkout: &PublicId) -> State {
        checkout_of(&self.service.checkout(&self.frame.shop, checkout).await.unwrap()).state().clone()
    }

    pub async fn total(&self, checkout: &PublicId) -> i64 {
        let answer = self.service.checkout(&self.frame.shop, checkout).await.unwrap();
        checkout_of(&answer).totals().total().minor()
    }

    /// The intent that a checkout waits for.
    pub async fn intent(&self, checkout: &PublicId) -> Intent {
        self.awaited(checkout).await.unwrap()
    }

    pub async fn intent_of(&self, order: &Order) -> Intent {
        let key = (Kind::Intent, order.intent().unwrap().clone());
        let loaded = self.store.load(&self.frame.shop, &[key]).await.unwrap();
        Intent::from_document(&loaded.documents[0].as_ref().unwrap().document).unwrap()
    }

    pub async fn order_id(&self, checkout: &PublicId) -> PublicId {
        let state = self.state(checkout).await;
        let State::Completed { order } = state else { panic!("not completed: {state:?}") };
        order
    }

    pub async fn order_of(&self, checkout: &PublicId) -> Order {
        let id = self.order_id(checkout).await;
        match self.service.order(&self.frame.shop, &id).await.unwrap().resource {
            Some(Resource::Order(order)) => {
                assert_eq!(*order.id(), id);
                order
            }
            other => panic!("no order: {other:?}"),
        }
    }

    pub async fn orders(&self) -> usize {
        self.store.documents(&self.frame.shop, Kind::Order, None, 10_000).await.unwrap().len()
    }

    pub async fn stock(&self) -> i64 {
        self.store.stock(&self.frame.shop, &[PublicId::new("1")]).await.unwrap()[0].unwrap()
    }

    /// The seller takes units away, or adds some.
    pub async fn stock_is(&self, delta: i64) {
        let edit = commerce::product::Edit { price_minor: None, stock_delta: Some(delta) };
        self.run(Command::EditProduct { id: PublicId::new("1"), edit }).await;
    }

    /// These accounts stand so, and all of them together are nothing.
    pub async fn books(&self, expected: &[(&str, i64)]) {
        let sums = self.store.ledger_sums(&self.frame.shop).await.unwrap();
        for (account, amount) in expected {
            let found = sums.iter().find(|sum| &*sum.account == *account).map_or(0, |sum| sum.amount);
            assert_eq!(found, *amount, "{account} of {sums:?}");
        }
        assert_eq!(sums.iter().map(|sum| sum.amount).sum::<i64>(), 0, "{sums:?}");
        let clearing = sums.iter().find(|sum| &*sum.account == "clearing").map_or(0, |sum| sum.amount);
        assert_eq!(clearing, self.held().await, "the provider's book is the clearing account");
    }

    /// What the provider has of ours by its own book, before its fees, in minor units.
    pub async fn held(&self) -> i64 {
        let book = self.book().await;
        let amount = |row: &Value| row["amount"].as_i64().unwrap() * 100;
        let moved = book["movement"].as_array().unwrap().iter().map(|row| match row["kind"].as_str().unwrap() {
            "captured" | "remitted" => amount(row),
            "reversed" | "disputed" => -amount(row),
            "dispute_won" => amount(row),
            _ => 0,
        });
        let back = book["refund"].as_array().unwrap().iter().filter(|row| row["status"] == "confirmed").map(amount);
        moved.sum::<i64>() - back.sum::<i64>()
    }

    pub fn signature(&self, key: &str, body: &str) -> String {
        demo_provider::signature(key, self.now().0 / SECOND_US, body.as_bytes())
    }

    /// A notice about a reference arrives.
    pub async fn notice(&self, reference: &str) {
        let body = json!({ "id": self.fresh().key, "data": { "reference": reference } }).to_string();
        let signature = self.signature(NOTICE_KEY, &body);
        let admitted = self.service.admit_notice("loket", &signature, body.as_bytes()).await.unwrap();
        assert_eq!(admitted, Ok(shop::rails::Admitted::New));
    }
}
