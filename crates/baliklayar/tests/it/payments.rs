//! A buyer pays in their own time: through the host app, the page of the backend, the provider and its notice, with every
//! part of the product between them.

mod ways;

use crate::boundary::scan::Scan;
use crate::client::{Request, exchange, filled_in, form, id, payment};
use crate::host::picture_of;
use crate::world::{Engine, How, PAGES, Provider, World};
use mover::Verb;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::axe::nothing_serious;
use testkit::browser::Browser;
use testkit::visitor::{it_fits, nothing_is_complained_of, picture, tab_to};
use vocab::id::{Epoch, Kind, Name, ShopId, Side};

/// What a notice brings about is there by then.
const SOON: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

struct Street {
    world: World,
    shop: ShopId,
    product: String,
    /// Every byte that the host app was answered.
    heard: String,
}

impl Street {
    /// One shop, at Backend for good, with its provider.
    async fn at_backend(engine: Engine) -> Self {
        let street = Self::at_legacy(engine, true).await;
        street.world.start_moving().await;
        street.world.wish(Verb::Flip, None).await;
        street.world.seal().await;
        street
    }

    async fn at_legacy(engine: Engine, maps_payments: bool) -> Self {
        let world = World::start_as(How { provider: true, maps_payments, ..How::new(engine, 7, 1) }).await;
        let shop = world.shops[0].clone();
        let found = world.post(&shop, "catalog/search", json!({})).await;
        let product = found["products"]
            .as_array()
            .unwrap()
            .iter()
            .find(|product| product["variants"][0]["availability"]["available"] == true);
        let product = id(product.unwrap());
        Self { world, shop, product, heard: String::new() }
    }

    async fn host(&mut self, request: &Request) -> Value {
        let (status, body) = exchange(self.world.seam(), &request.bytes()).await;
        assert_eq!(status / 100, 2, "{request:?}: {status} {body}");
        self.heard += &body;
        serde_json::from_str(&body).unwrap()
    }

    async fn checkout(&mut self) -> Value {
        let body = filled_in(&[(&self.product, 1)]);
        let request = self.world.write("POST", &self.shop, "checkout-sessions", &body);
        self.host(&request).await
    }

    async fn complete(&mut self, checkout: &str, body: &Value) -> Value {
        let request = self.world.write("POST", &self.shop, &format!("checkout-sessions/{checkout}/complete"), body);
        self.host(&request).await
    }

    async fn look(&mut self, checkout: &str) -> Value {
        let path = format!("/shops/{}/checkout-sessions/{checkout}", self.shop);
        self.host(&Request { method: "GET", path, key: None, body: String::new() }).await
    }

    /// The host app looks until the checkout is so.
    async fn until(&mut self, checkout: &str, status: &str) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let shown = self.look(checkout).await;
            if shown["status"] == status {
                return shown;
            }
            assert!(Instant::now() < deadline, "not `{status}`: {shown}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A person says something on the page: how to pay, or where money goes.
    async fn choose(&self, link: &str, body: &str) -> String {
        let (status, page) = exchange(self.world.seam(), &form(link, body)).await;
        // Done, and the page is where it was.
        if status == 303 {
            return self.world.open(link).await.1;
        }
        assert_eq!(status, 200, "{page}");
        page
    }

    /// The one charge that the provider has for a checkout's page.
    async fn charge(&self) -> Value {
        let book = self.provider().book().await;
        let charges = book["charge"].as_array().unwrap();
        charges.last().unwrap_or_else(|| panic!("nothing was asked for: {book}")).clone()
    }

    fn provider(&self) -> &crate::world::Provider {
        self.world.provider.as_ref().unwrap()
    }

    /// Nothing that the provider gave out, and no key, was told to the host app.
    async fn host_heard_nothing(&self) {
        let book = self.provider().book().await;
        let known = ["loket", Provider::API_KEY, Provider::NOTICE_KEY, PAGES];
        let mut secrets: BTreeMap<String, String> =
            known.into_iter().map(|secret| (secret.to_owned(), "of the provider".to_owned())).collect();
        for (table, names) in [("charge", &["id", "reference", "code"][..]), ("movement", &["id"])] {
            for row in book[table].as_array().unwrap() {
                let values = names.iter().filter_map(|name| row[name].as_str());
                secrets.extend(values.map(|value| (value.to_owned(), table.to_owned())));
            }
        }
        assert!(secrets.len() > known.len() && self.heard.len() > 1_000, "nothing was compared");
        assert_eq!(Scan::of(&secrets).find(self.heard.as_bytes()), Vec::<String>::new(), "the host app was told");
    }
}

fn on_page() -> Value {
    json!({"payment": {"instruments": [{"id": "m", "handler_id": "pay", "type": "virtual_account", "selected": true}]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_is_paid_on_the_page_and_the_host_app_learns_nothing_but_that_it_is() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let created = street.checkout().await;
    let checkout = id(&created);
    let handler = &created["ucp"]["payment_handlers"]["dev.baliklayar.pay"][0];
    assert_eq!(handler["available_instruments"].as_array().map(Vec::len), Some(5), "{created}");
    let told = street.complete(&checkout, &on_page()).await;
    assert_eq!(
        (told["status"].as_str(), told["ucp"]["status"].as_str()),
        (Some("requires_escalation"), Some("success"))
    );
    let message = &told["messages"][0];
    assert_eq!(
        (message["code"].as_str(), message["severity"].as_str()),
        (Some("payment_on_page"), Some("requires_buyer_input"))
    );
    let link = told["continue_url"].as_str().unwrap().to_owned();

    let (status, page) = street.world.open(&link).await;
    assert!(status == 200 && page.contains("value=\"virtual_account\""), "{page}");
    let page = street.choose(&link, "method=virtual_account").await;
    let charge = street.charge().await;
    let code = charge["code"].as_str().unwrap();
    let in_fours: Vec<&str> = code.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap()).collect();
    assert!(page.contains(&in_fours.join(" ")), "{code} is not in {page}");
    assert_eq!(street.look(&checkout).await["status"], "complete_in_progress");

    street.provider().control("pay", &json!({ "code": code })).await;
    let done = street.until(&checkout, "completed").await;
    let (_, page) = street.world.open(&link).await;
    assert!(page.contains(done["order"]["id"].as_str().unwrap()) && !page.contains(code), "{page}");
    let path = format!("orders/{}", done["order"]["id"].as_str().unwrap());
    let order = street.world.get(&street.shop, &path).await.ok();
    assert_eq!(order["status"], "paid");
    street.heard += &order.to_string();
    street.host_heard_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_from_the_host_is_refused_and_the_page_opens_for_nobody_without_its_key() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let mut with_token = on_page();
    with_token["payment"]["instruments"][0]["credential"] = json!({ "type": "token", "token": "tok_4111111111111111" });
    let refused = street.complete(&checkout, &with_token).await;
    assert_eq!(
        (refused["ucp"]["status"].as_str(), refused["messages"][0]["code"].as_str()),
        (Some("error"), Some("payment_failed"))
    );
    assert!(!refused.to_string().contains("4111"));
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    let (path, key) = link.split_once("?key=").unwrap();
    for wrong in [path.to_owned(), format!("{path}?key="), format!("{path}?key={}", key.replace(|_: char| true, "0"))] {
        assert_eq!(street.world.open(&wrong).await.0, 404, "{wrong}");
    }
    // The host's own key opens it no more than nobody's.
    let shown = street.world.get(&street.shop, &format!("checkout/{checkout}")).await;
    assert_eq!(shown.status, 404);
    assert!(street.provider().book().await["charge"].as_array().unwrap().is_empty());
    // The instant rail goes on as before.
    assert_eq!(street.complete(&checkout, &payment("approve")).await["status"], "completed");
}

/// What the mapping has no rules for is not begun as long as the shop may go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_may_go_back_takes_no_payment_that_could_not() {
    let mut street = Street::at_legacy(Engine::Sqlite, false).await;
    street.world.start_moving().await;
    street.world.wish(Verb::Flip, None).await;
    let created = street.checkout().await;
    let handlers = created["ucp"]["payment_handlers"].as_object().unwrap();
    assert!(!handlers.contains_key("dev.baliklayar.pay") && created.get("continue_url").is_none(), "{created}");
    let checkout = id(&created);
    let refused = street.complete(&checkout, &on_page()).await;
    assert_eq!(refused["messages"][0]["code"], "payment_unavailable");
    assert_eq!(street.complete(&checkout, &payment("approve")).await["status"], "completed");
    street.world.wish(Verb::Rollback, None).await;
    assert_eq!(street.world.owner(&street.shop).await, Side::Legacy);
    assert_eq!(street.world.store.count_debts(&street.shop).await.unwrap(), 0);
}

/// The provider's word is taken at any time; what comes of it waits for an owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_paid_while_its_shop_is_held_is_one_order_after_it() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    street.choose(&link, "method=qr").await;
    let reference = street.charge().await["reference"].clone();
    let head = street.world.store.head(&street.shop).await.unwrap().unwrap();
    street.world.gateway.hold(&street.shop, Epoch(head.epoch.0 + 1), Instant::now() + SOON).unwrap();
    street.provider().control("pay", &json!({ "reference": reference })).await;
    // A hold keeps requests waiting; what the shop does by itself goes on until it is fenced.
    street.until(&checkout, "completed").await;
    assert!(street.world.gateway.stats(&street.shop).unwrap().held.is_some(), "the hold was over before");
    // The order is written before what became of the notice that led to it.
    let asked = [(Name::from("loket"), Some(Name::from("asked")), 1)];
    let deadline = Instant::now() + SOON;
    while street.world.store.notice_outcomes().await.unwrap() != asked {
        assert!(Instant::now() < deadline, "{:?}", street.world.store.notice_outcomes().await);
        tokio::task::yield_now().await;
    }
    let orders = street.world.store.documents(&street.shop, Kind::Order, None, 10_000).await.unwrap();
    let of_it = orders.iter().filter(|(_, stored)| stored.document.text("checkout") == Some(checkout.as_str()));
    assert_eq!(of_it.count(), 1);
    assert_eq!(street.world.owner(&street.shop).await, Side::Backend);
    street.host_heard_nothing().await;
}

/// Money that came by transfer goes back where the buyer says, and the host learns when it is there and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_order_gives_back_is_pending_until_it_has_reached_the_buyer() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    street.choose(&link, "method=virtual_account").await;
    let code = street.charge().await["code"].clone();
    street.provider().control("pay", &json!({ "code": code })).await;
    let order = id(&street.until(&checkout, "completed").await["order"]);
    let refund = street.world.write("POST", &street.shop, &format!("orders/{order}/refund"), &json!({}));
    let refunded = street.host(&refund).await;
    assert_eq!(refunded["adjustments"][0]["status"], "pending", "{refunded}");
    street.provider().control("top-up", &json!({ "amount": 1_000_000 })).await;
    let deadline = Instant::now() + SOON;
    while !street.world.open(&link).await.1.contains("name=\"account\"") {
        assert!(Instant::now() < deadline, "nobody is asked where the money goes");
        tokio::time::sleep(LOOK).await;
    }
    let page = street.choose(&link, "account=BCA+1234567890+Sari+%26+Co").await;
    assert!(!page.contains("name=\"account\"") && !page.contains("1234567890"), "{page}");
    let book = street.provider().book().await;
    assert_eq!(book["refund"][0]["account"], "BCA 1234567890 Sari & Co");
    // The provider has done it two seconds later, by its own clock.
    street.provider().control("clock", &json!({ "advance_s": 5 })).await;
    let path = format!("/shops/{}/orders/{order}", street.shop);
    let deadline = Instant::now() + 2 * SOON;
    loop {
        let request = Request { method: "GET", path: path.clone(), key: None, body: String::new() };
        let shown = street.host(&request).await;
        if shown["adjustments"][0]["status"] == "completed" {
            break;
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(LOOK).await;
    }
    assert!(!street.heard.contains("1234567890"));
    street.host_heard_nothing().await;
}

/// A part of it came by the first code: another code is about the rest, and is shown as the first one was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_paid_a_part_is_shown_what_to_pay_the_rest_with() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    street.choose(&link, "method=virtual_account").await;
    let first = street.charge().await;
    street.provider().control("pay", &json!({ "code": first["code"], "amount": 1_000 })).await;
    let deadline = Instant::now() + SOON;
    while street.world.open(&link).await.1.contains("class=\"number\"") {
        assert!(Instant::now() < deadline, "the part is not told");
        tokio::time::sleep(LOOK).await;
    }
    street.choose(&link, "method=virtual_account").await;
    let page = street.choose(&link, "method=virtual_account").await;
    let second = street.charge().await;
    assert!(page.contains("class=\"number\""), "{page}");
    assert_eq!(second["amount"].as_i64(), first["amount"].as_i64().map(|whole| whole - 1_000));
    assert_eq!(street.provider().book().await["charge"].as_array().unwrap().len(), 2);
    street.provider().control("pay", &json!({ "code": second["code"] })).await;
    street.until(&checkout, "completed").await;
}

/// What the host's own page can reach of the page where the buyer pays, in a real browser: nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_another_origin_nothing_of_the_page_can_be_read_or_framed() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    street.choose(&link, "method=virtual_account").await;
    let page = format!("{}{link}", street.world.seam_url());
    let other = format!("http://localhost:{}/health", street.world.seam().port());
    tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        // To a browser another name is another origin, as the host app's is.
        browser.open(&other);
        let fetched = format!(
            "const done = arguments[arguments.length - 1]; \
             fetch({page:?}, {{credentials: 'include'}}).then(() => done('read'), () => done('refused'));"
        );
        assert_eq!(browser.run_later(&fetched), "refused");
        let framed = format!(
            "const done = arguments[arguments.length - 1]; const frame = document.createElement('iframe'); \
             frame.onload = () => setTimeout(() => done(frame.contentDocument === null ? 'closed' : 'open'), 100); \
             frame.src = {page:?}; document.body.append(frame);"
        );
        assert_eq!(browser.run_later(&framed), "closed");
        let refused = browser.messages().join("\n");
        assert!(refused.contains("frame-ancestors"), "it was shown in a frame: {refused}");
    })
    .await
    .unwrap();
}

/// A real browser, on a phone, without a mouse: choose, see what to pay with, and be told by the page itself that it is paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_pays_with_the_keyboard_and_the_page_goes_on_by_itself() {
    let mut street = Street::at_backend(Engine::Sqlite).await;
    let checkout = id(&street.checkout().await);
    let link = street.look(&checkout).await["continue_url"].as_str().unwrap().to_owned();
    let url = format!("{}{link}&lang=en", street.world.seam_url());
    let browser = tokio::task::spawn_blocking(move || {
        let browser = Browser::start();
        browser.resize(320, 700);
        browser.open(&url);
        looks_right(&browser, "document.querySelector('.choices')", "the choice");
        tab_to(&browser, "button[value=qr]");
        browser.press("\u{e007}");
        looks_right(&browser, "document.querySelector('svg.qr')", "the code");
        browser.resize(390, 844);
        picture(&browser, &picture_of("pay"));
        browser.resize(320, 700);
        tab_to(&browser, "button[value=virtual_account]");
        browser.press("\u{e007}");
        looks_right(&browser, "document.querySelector('.number')", "the number");
        assert!(
            browser.text().contains("Pay until")
                && browser.run("return document.querySelector('.left').textContent") != ""
        );
        browser
    });
    let browser = browser.await.unwrap();
    let code = street.charge().await["code"].clone();
    street.provider().control("pay", &json!({ "code": code })).await;
    tokio::task::spawn_blocking(move || {
        looks_right(&browser, "document.querySelector('.paid')", "what is paid");
        browser.click("nav a");
        browser.until("document.documentElement.lang === 'id'");
        assert!(browser.text().contains("Lunas"), "{}", browser.text());
        browser.click(".paid a");
        browser.in_the_other_window(|browser| browser.until("document.querySelector('table.goods')"));
        nothing_is_complained_of(&browser);
    })
    .await
    .unwrap();
    street.until(&checkout, "completed").await;
    street.host_heard_nothing().await;
}

fn looks_right(browser: &Browser, there: &str, page: &str) {
    browser.until(&format!("document.styleSheets.length === 1 && {there}"));
    for scheme in ["dark", "light"] {
        browser.scheme(scheme);
        nothing_serious(browser, page);
    }
    it_fits(browser, 320, page);
    nothing_is_complained_of(browser);
}
