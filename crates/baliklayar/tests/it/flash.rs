//! Many who want the same at once, through the seam: few units, two hundred buyers; one checkout, fifty clients.

use crate::client::{Answer, Request, exchange, filled_in, form, id, payment, send};
use crate::demo::say;
use crate::deployment::{Deployment, Serving, open_shop};
use crate::world::{Engine, Provider};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::Barrier;
use vocab::id::{Kind, PublicId, ShopId};

const UNITS: usize = 50;
const BUYERS: usize = 200;
const CLIENTS: usize = 50;
/// On the shelf until a test says how many are left.
const MANY: i64 = 1_000;
/// What the provider has been asked for is there by then.
const SOON: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A shop that was born here, served by all processes of a deployment: who asks comes to one after the other.
struct Market {
    deployment: Deployment,
    store: Store,
    shop: ShopId,
    asked: AtomicUsize,
    name: String,
    _serving: Vec<Serving>,
}

impl Market {
    async fn open(engine: Engine, processes: u32) -> Self {
        let deployment = Deployment::new(engine, processes).await;
        let store = deployment.store();
        open_shop(&store, MANY).await;
        let start = || deployment.processes.iter().map(|how| how.start()).collect();
        let serving = tokio::task::block_in_place(start);
        let (shop, asked) = (ShopId::parse("s1").unwrap(), AtomicUsize::new(0));
        let name = format!("{engine:?}, {processes} serving");
        Self { deployment, store, shop, asked, name, _serving: serving }
    }

    /// Where the next one asks.
    fn seam(&self) -> SocketAddr {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed) % self.deployment.processes.len();
        self.deployment.processes[nth].seam
    }

    fn write(&self, method: &'static str, path: &str, body: &Value) -> Request {
        let key = format!("key-{}", self.asked.fetch_add(1, Ordering::Relaxed));
        Request { method, path: format!("/shops/s1/{path}"), key: Some(key), body: body.to_string() }
    }

    /// So many are left on the shelf.
    async fn left(&self, units: usize) {
        let delta = i64::try_from(units).unwrap() - self.stock().await;
        let request = self.write("PUT", "seller/products/1", &json!({ "stock_delta": delta }));
        send(self.seam(), &request).await.ok();
        assert_eq!(self.stock().await, i64::try_from(units).unwrap());
    }

    async fn stock(&self) -> i64 {
        self.store.stock(&self.shop, &[PublicId::new("1")]).await.unwrap()[0].unwrap()
    }

    async fn sold(&self) -> usize {
        self.store.documents(&self.shop, Kind::Order, None, 100_000).await.unwrap().len()
    }

    async fn adds_up(&self) {
        assert_eq!(self.store.unbalanced_orders(&self.shop, 9).await.unwrap(), []);
        let sums = self.store.ledger_sums(&self.shop).await.unwrap();
        assert_eq!(sums.iter().map(|sum| sum.amount).sum::<i64>(), 0, "{sums:?}");
    }

    /// Checkouts that can be paid, of one unit each.
    async fn checkouts(&self, count: usize) -> Vec<Value> {
        let mut made = Vec::new();
        for _ in 0..count {
            let request = self.write("POST", "checkout-sessions", &filled_in(&[("1", 1)]));
            made.push(send(self.seam(), &request).await.ok());
        }
        made
    }

    fn complete(&self, checkout: &Value, body: &Value) -> Request {
        self.write("POST", &format!("checkout-sessions/{}/complete", id(checkout)), body)
    }

    fn provider(&self) -> &Provider {
        &self.deployment.provider
    }

    /// How often the provider was asked for money since its faults were last planned.
    async fn charges_asked(&self) -> i64 {
        let book = self.provider().book().await;
        let rows = book["asked"].as_array().unwrap();
        rows.iter().find(|row| row["operation"] == "charge").map_or(0, |row| row["times"].as_i64().unwrap())
    }

    /// All at the same moment, at one process after the other.
    async fn send_all(&self, requests: Vec<Request>) -> (Vec<Answer>, Duration) {
        let send = |request| {
            let seam = self.seam();
            async move { send(seam, &request).await }
        };
        at_once(requests.into_iter().map(send).collect()).await
    }
}

/// All at the same moment; in their order, and how long it took from then on.
async fn at_once<T: Send + 'static>(works: Vec<impl Future<Output = T> + Send + 'static>) -> (Vec<T>, Duration) {
    let start = Arc::new(Barrier::new(works.len() + 1));
    let tasks: Vec<_> = works
        .into_iter()
        .map(|work| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    start.wait().await;
    let (began, mut done) = (Instant::now(), Vec::new());
    for task in tasks {
        done.push(task.await.unwrap());
    }
    (done, began.elapsed())
}

/// What a checkout's answer came to: its state, or why not.
fn outcome(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = &answer.body;
    let said = if body["ucp"]["status"] == "success" { &body["status"] } else { &body["messages"][0]["code"] };
    said.as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

fn counted<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    all.into_iter().for_each(|it| *counts.entry(it).or_default() += 1);
    counts
}

async fn flash_sale(engine: Engine, processes: u32) {
    let market = Market::open(engine, processes).await;
    let checkouts = market.checkouts(BUYERS).await;
    market.left(UNITS).await;
    let requests = checkouts.iter().map(|checkout| market.complete(checkout, &payment("approve"))).collect();
    let (answers, took) = market.send_all(requests).await;
    let outcomes = counted(answers.iter().map(outcome));
    say(&format!(
        "{}: flash sale, paid at once: {BUYERS} buyers of {UNITS} units in {took:.2?}: {outcomes:?}",
        market.name
    ));
    let expected = [("completed".to_owned(), UNITS), ("out_of_stock".to_owned(), BUYERS - UNITS)];
    assert_eq!(outcomes, expected.into());
    assert_eq!((market.sold().await, market.stock().await), (UNITS, 0));
    market.adds_up().await;
}

/// What a page says to its buyer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// What to pay with.
    Code(String),
    OutOfStock,
    /// The provider is being asked.
    Checking,
    /// How to pay is to be chosen.
    Choice,
}

const OUT_OF_STOCK: &str = "There are not enough of these left.";

fn told(page: &str) -> Told {
    if let Some((_, rest)) = page.split_once("<p class=\"number\">") {
        return Told::Code(rest.split_once('<').unwrap().0.to_owned());
    }
    match () {
        () if page.contains(OUT_OF_STOCK) => Told::OutOfStock,
        () if page.contains("value=\"virtual_account\"") => Told::Choice,
        () => Told::Checking,
    }
}

/// Says on the page of a checkout how to pay; and what is shown then.
async fn choose(seam: SocketAddr, link: String) -> Told {
    let (status, page) = exchange(seam, &form(&link, "method=virtual_account")).await;
    assert_eq!(status, 200, "{page}");
    told(&page)
}

/// Looks, as the page does by itself, until there is a code to pay with.
async fn code(seam: SocketAddr, link: String) -> Told {
    let deadline = Instant::now() + SOON;
    loop {
        let look = format!("GET {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\r\n");
        let shown = told(&exchange(seam, look.as_bytes()).await.1);
        if matches!(shown, Told::Code(_)) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown:?}");
        tokio::time::sleep(LOOK).await;
    }
}

fn link(checkout: &Value) -> String {
    format!("{}&lang=en", checkout["continue_url"].as_str().unwrap())
}

async fn flash_sale_by_code(engine: Engine, processes: u32) {
    let market = Market::open(engine, processes).await;
    let checkouts = market.checkouts(BUYERS).await;
    market.left(UNITS).await;
    market.provider().control("faults", &json!({ "seed": 1, "plan": [] })).await;
    let links: Vec<String> = checkouts.iter().map(link).collect();
    let posts = links.iter().map(|link| choose(market.seam(), link.clone())).collect();
    let (first, took) = at_once(posts).await;
    let name =
        |told: &Told| format!("{told:?}").split_once('(').map_or(format!("{told:?}"), |(name, _)| name.to_owned());
    say(&format!(
        "{}: flash sale, by code: {BUYERS} buyers of {UNITS} units in {took:.2?}: {:?}",
        market.name,
        counted(first.iter().map(name))
    ));
    // Nobody is sent back to the choice; whoever was told nothing yet looks.
    let mut codes = Vec::new();
    let mut refused = 0;
    for (link, told) in links.iter().zip(first) {
        match told {
            Told::OutOfStock => refused += 1,
            Told::Code(_) => codes.push(told),
            Told::Checking => codes.push(code(market.seam(), link.clone()).await),
            Told::Choice => panic!("neither a code nor a refusal"),
        }
    }
    assert_eq!((codes.len(), refused), (UNITS, BUYERS - UNITS));
    assert_eq!(counted(codes).len(), UNITS, "each has a code of their own");
    assert_eq!((market.charges_asked().await, market.stock().await, market.sold().await), (50, 0, 0));
    let awaiting = market.store.ids_in_state(&market.shop, Kind::Checkout, "awaiting").await.unwrap();
    assert_eq!(awaiting.len(), UNITS);
    for charge in market.provider().book().await["charge"].as_array().unwrap() {
        market.provider().control("pay", &json!({ "reference": charge["reference"] })).await;
    }
    let deadline = Instant::now() + SOON;
    while market.sold().await < UNITS {
        assert!(Instant::now() < deadline, "{} orders", market.sold().await);
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(market.stock().await, 0);
    market.adds_up().await;
}

fn on_page() -> Value {
    json!({"payment": {"instruments": [{"id": "m", "handler_id": "pay", "type": "virtual_account", "selected": true}]}})
}

/// All have the same answer, byte for byte.
fn one_answer(answers: &[Answer], status: &str) {
    assert_eq!(answers.len(), CLIENTS);
    assert_eq!(counted(answers.iter().map(outcome)), [(status.to_owned(), CLIENTS)].into());
    assert_eq!(counted(answers.iter().map(|answer| answer.body.to_string())).len(), 1);
}

async fn one_checkout(engine: Engine, processes: u32) {
    let market = Market::open(engine, processes).await;
    market.left(UNITS).await;
    let made = market.checkouts(2).await;
    for (nth, (checkout, keys)) in made.iter().zip(["one key", "a key each"]).enumerate() {
        let request = market.complete(checkout, &payment("approve"));
        let fresh = |_| if nth == 0 { request.clone() } else { market.complete(checkout, &payment("approve")) };
        let (answers, took) = market.send_all((0..CLIENTS).map(fresh).collect()).await;
        one_answer(&answers, "completed");
        say(&format!("{}: one checkout, {CLIENTS} clients, {keys}: {took:.0?}", market.name));
        assert_eq!((market.sold().await, market.stock().await), (nth + 1, i64::try_from(UNITS - nth - 1).unwrap()));
        let path = format!("/shops/s1/orders/{}", id(&answers[0].body["order"]));
        let look = Request { method: "GET", path, key: None, body: String::new() };
        let order = send(market.seam(), &look).await.ok();
        assert_eq!(order["status"], "paid");
    }
    market.adds_up().await;
}

/// The provider takes its time, and counts.
async fn one_page(engine: Engine, processes: u32) {
    let market = Market::open(engine, processes).await;
    market.left(UNITS).await;
    let checkout = market.checkouts(1).await.pop().unwrap();
    let slow = json!({ "operation": "charge", "nth": 1, "what": "delay", "ms": 300 });
    market.provider().control("faults", &json!({ "seed": 1, "plan": [slow] })).await;
    for same_key in [true, false] {
        let request = market.complete(&checkout, &on_page());
        let fresh = |_| if same_key { request.clone() } else { market.complete(&checkout, &on_page()) };
        let (answers, _) = market.send_all((0..CLIENTS).map(fresh).collect()).await;
        one_answer(&answers, "requires_escalation");
    }
    assert_eq!(market.charges_asked().await, 0, "that the buyer wants to pay begins nothing");
    let posts = (0..CLIENTS).map(|_| {
        let (seam, link) = (market.seam(), link(&checkout));
        async move {
            let first = choose(seam, link.clone()).await;
            assert!(matches!(first, Told::Checking | Told::Code(_)), "{first:?}");
            code(seam, link).await
        }
    });
    let (shown, took) = at_once(posts.collect()).await;
    say(&format!("{}: one page, {CLIENTS} posts, a provider of 300 ms: {took:.0?}", market.name));
    assert_eq!(counted(shown).into_values().collect::<Vec<_>>(), [CLIENTS], "all have the same code");
    let book = market.provider().book().await;
    assert_eq!((market.charges_asked().await, book["charge"].as_array().unwrap().len()), (1, 1));
    assert_eq!(market.stock().await, i64::try_from(UNITS - 1).unwrap());
    market.provider().control("pay", &json!({ "reference": book["charge"][0]["reference"] })).await;
    let deadline = Instant::now() + SOON;
    while market.sold().await == 0 {
        assert!(Instant::now() < deadline, "no order");
        tokio::time::sleep(LOOK).await;
    }
    let requests = (0..CLIENTS).map(|_| market.complete(&checkout, &on_page())).collect();
    let (answers, _) = market.send_all(requests).await;
    one_answer(&answers, "completed");
    assert_eq!((market.charges_asked().await, market.sold().await), (1, 1));
    let movements = market.provider().book().await["movement"].clone();
    assert_eq!(movements.as_array().unwrap().len(), 1, "one payment: {movements}");
    market.adds_up().await;
}

macro_rules! on_each {
    ($($story:ident: $sqlite:ident, $postgres:ident, $two:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sqlite() {
                $story(Engine::Sqlite, 1).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $postgres() {
                $story(Engine::Postgres, 1).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $two() {
                $story(Engine::Postgres, 2).await;
            }
        )*
    };
}

on_each! {
    flash_sale:
        two_hundred_buyers_of_fifty_units_are_fifty_orders_and_one_refusal_on_sqlite,
        two_hundred_buyers_of_fifty_units_are_fifty_orders_and_one_refusal_on_postgres,
        two_hundred_buyers_of_fifty_units_are_fifty_orders_and_one_refusal_at_two_serving;
    flash_sale_by_code:
        two_hundred_buyers_who_choose_how_to_pay_for_fifty_units_are_given_fifty_codes_on_sqlite,
        two_hundred_buyers_who_choose_how_to_pay_for_fifty_units_are_given_fifty_codes_on_postgres,
        two_hundred_buyers_who_choose_how_to_pay_for_fifty_units_are_given_fifty_codes_at_two_serving;
    one_checkout:
        fifty_clients_of_one_checkout_have_one_order_and_equal_answers_on_sqlite,
        fifty_clients_of_one_checkout_have_one_order_and_equal_answers_on_postgres,
        fifty_clients_of_one_checkout_have_one_order_and_equal_answers_at_two_serving;
    one_page:
        fifty_clients_of_one_page_are_one_charge_and_one_payment_on_sqlite,
        fifty_clients_of_one_page_are_one_charge_and_one_payment_on_postgres,
        fifty_clients_of_one_page_are_one_charge_and_one_payment_at_two_serving;
}
