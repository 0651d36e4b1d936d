//! Whatever comes from outside is answered, with no 5xx, and what is refused has changed nothing: bodies, headers, addresses,
//! forms and notices, bent in every way.

use crate::provider::{Provider, signature};
use crate::{NOW, keys, service};
use api::wire::request;
use bytes::Bytes;
use commerce::lines::{LINES_MAX, QUANTITY_MAX};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use testkit::chance::Chance;
use testkit::outside::{Bends, Inputs};
use testkit::postgres::{Database, fresh_database};
use vocab::id::ShopId;

/// Without `BALIK_LONG`: of what takes no time, and of what looks at a store.
const PARSED: u64 = 20_000;
const ASKED: u64 = 3_000;
/// On a server, with it.
const ASKED_OF_A_SERVER: u64 = 20_000;
const FORM: &str = "application/x-www-form-urlencoded";

const LINES: &str = r#"{"line_items":[{"item":{"id":"1","title":"x","price":1},"quantity":2},{"item":{"id":"2"},"quantity":1}],"currency":"IDR"}"#;
const WHOLE: &str = r#"{"line_items":[{"item":{"id":"1"},"quantity":2}],"buyer":{"full_name":"Sari","phone_number":"0812","email":null},"fulfillment":{"methods":[{"destinations":[{"street_address":"Jl. Melati 1","address_locality":"Bandung","address_region":"JB","postal_code":"40115","address_country":"ID"}],"groups":[{"selected_option_id":"flat"}]}]}}"#;
const OF_CART: &str = r#"{"cart_id":"101","buyer":{"full_name":"Sari"}}"#;
const INSTANT: &str =
    r#"{"payment":{"instruments":[{"id":"approve","handler_id":"instant","type":"instant","selected":true}]}}"#;
const ON_PAGE: &str = r#"{"payment":{"instruments":[{"id":"m","handler_id":"pay","selected":true},{"id":"n"}]}}"#;
const CREDENTIAL: &str = r#"{"payment":{"instruments":[{"id":"m","credential":{"token":"4111"}}]}}"#;
const SEARCH: &str = r#"{"query":"barang","pagination":{"cursor":"1","limit":10}}"#;
const LOOKUP: &str = r#"{"ids":["1","2","nobody"]}"#;
const BACK: &str = r#"{"lines":[{"id":"101","quantity":1}]}"#;
const EDIT: &str = r#"{"price":4500,"stock_delta":-1}"#;
const BODIES: [&str; 11] =
    [LINES, WHOLE, OF_CART, INSTANT, ON_PAGE, CREDENTIAL, SEARCH, LOOKUP, BACK, EDIT, r#"{"id":"1"}"#];
const NAMES: [&str; 14] = [
    "\"line_items\":",
    "\"quantity\":",
    "\"item\":",
    "\"id\":",
    "\"ids\":",
    "\"price\":",
    "\"stock_delta\":",
    "\"selected\":true",
    "\"credential\":{}",
    "\"lines\":",
    "\"cart_id\":",
    "\"limit\":",
    "\"selected_option_id\":\"flat\"",
    "\"instruments\":[",
];

/// A body as [`Call::json`] reads it, and then by one of the parsers.
fn parsed(what: &'static str, seeds: &[&str], parse: impl Fn(&Value) -> bool) {
    let bends = Bends::of(seeds.iter().chain(&BODIES).copied()).knowing(NAMES);
    let tried = Inputs::of(what, PARSED).each(&bends, |input| match serde_json::from_slice::<Value>(input) {
        Err(_) => "not JSON",
        Ok(value) if parse(&value) => "taken",
        Ok(_) => "refused",
    });
    tried.reached(&["not JSON", "taken", "refused"]);
}

#[test]
fn lines_of_any_body_are_within_their_bounds() {
    let parse = |value: &Value| {
        let Ok(lines) = request::lines(value) else { return false };
        assert!(!lines.is_empty() && lines.len() <= LINES_MAX);
        lines.iter().for_each(|line| assert!((1..=QUANTITY_MAX).contains(&line.quantity())));
        true
    };
    parsed("body: lines", &[LINES; 8], parse);
}

#[test]
fn details_and_baskets_of_any_body_are_read_or_refused() {
    parsed("body: details", &[WHOLE; 8], |value| request::details(value).is_ok());
    parsed("body: basket", &[OF_CART, WHOLE, LINES, OF_CART], |value| request::basket(value).is_ok());
}

#[test]
fn pages_and_ids_of_any_body_are_within_their_bounds() {
    let is_page = |page: request::Page| assert!((1..=50).contains(&page.limit));
    parsed("body: page", &[SEARCH; 8], |value| request::page(value).map(is_page).is_ok());
    let are_ids = |ids: Vec<vocab::id::PublicId>| {
        assert!(ids.len() <= 50);
        ids.iter().for_each(|id| assert!(!id.as_str().is_empty() && !id.as_str().contains('\0')));
    };
    parsed("body: ids", &[LOOKUP; 8], |value| request::ids(value).map(are_ids).is_ok());
    parsed("body: id", &[r#"{"id":"1"}"#; 8], |value| request::id(value).is_ok());
}

#[test]
fn instruments_of_any_body_are_chosen_or_refused() {
    parsed("body: instrument", &[INSTANT, ON_PAGE, CREDENTIAL], |value| request::instrument(value).is_ok());
}

#[test]
fn what_goes_back_and_what_a_seller_edits_is_read_or_refused() {
    parsed("body: back", &[BACK; 8], |value| request::back(value).is_ok());
    let is_edit = |edit: commerce::product::Edit| {
        assert!(edit.stock_delta.is_none_or(|delta| delta.unsigned_abs() <= 1_000_000_000));
    };
    parsed("body: edit", &[EDIT; 8], |value| request::edit(value).map(is_edit).is_ok());
}

#[test]
fn the_id_of_a_shop_is_letters_digits_and_three_signs() {
    let bends = Bends::of(["7", "toko-satu", "A.b_c-9", &"x".repeat(64)]);
    let tried = Inputs::of("id: shop", PARSED).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(shop) = ShopId::parse(&text) else { return "refused" };
        let of_ids = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        assert!(shop.as_str() == text && (1..=64).contains(&text.len()) && text.chars().all(of_ids));
        "taken"
    });
    tried.reached(&["taken", "refused"]);
}

/// The router in this process, over a store of its own.
struct Router {
    _dir: TempDir,
    _database: Option<Database>,
    store: Store,
    router: TowerToHyperService<axum::Router>,
    _provider: Provider,
}

impl Router {
    async fn start(on_server: bool) -> Self {
        let (dir, provider) = (tempfile::tempdir().unwrap(), Provider::start().await);
        let database = if on_server { Some(fresh_database().await) } else { None };
        let store = match &database {
            Some(database) => Store::open_at(dir.path(), &database.url).unwrap(),
            None => Store::open(dir.path()).unwrap(),
        };
        let service = service(&store).await.with_rail(provider.rail());
        let router = TowerToHyperService::new(api::router(service, keys(), api::Options::default()));
        Self { _dir: dir, _database: database, store, router, _provider: provider }
    }

    /// The number of what has happened to the shop.
    async fn seq(&self) -> u64 {
        self.store.head(&ShopId::parse("7").unwrap()).await.unwrap().unwrap().seq.0
    }

    async fn ask(&self, asked: &Asked) -> Option<(u16, Bytes)> {
        let mut request = Request::builder().method(asked.method).uri(Uri::try_from(&asked.address[..]).ok()?);
        for (name, value) in &asked.headers {
            request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
        }
        let answer = self.router.call(request.body(Full::new(asked.body.clone().into())).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        Some((status, answer.into_body().collect().await.unwrap().to_bytes()))
    }

    /// Answered, and where it is a no of the protocol nothing has happened.
    async fn check(&self, inputs: &mut Inputs, asked: &Asked) {
        inputs.tries(&asked.text());
        let before = self.seq().await;
        let Some((status, body)) = self.ask(asked).await else {
            inputs.came_to("no HTTP");
            return;
        };
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = said["code"].as_str().unwrap_or_default();
        // Another epoch is for the seam, which alone sends one.
        let is_for_the_seam = status == 503 && code == "stale_epoch" && asked.has("balik-epoch");
        assert!(status < 500 || is_for_the_seam, "{status} {}", String::from_utf8_lossy(&body));
        if status >= 400 {
            assert_eq!(self.seq().await, before, "{status} and yet something has happened");
        }
        let outcome = match said["ucp"]["status"].as_str() {
            Some("error") => format!("{status} refused"),
            Some(_) | None => format!("{status} {code}"),
        };
        inputs.came_to(outcome.trim());
    }
}

struct Asked {
    method: &'static str,
    address: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Asked {
    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| *given == name)
    }

    fn text(&self) -> Vec<u8> {
        let mut text = [self.method.as_bytes(), b" ", &self.address].concat();
        for (name, value) in &self.headers {
            text.extend([b"\n", name.as_bytes(), b": ", value].concat());
        }
        [text, b"\n\n".to_vec(), self.body.clone()].concat()
    }
}

const OPERATIONS: [(&str, &str, &[&str]); 18] = [
    ("POST", "/shops/7/catalog/search", &[SEARCH]),
    ("POST", "/shops/7/catalog/lookup", &[LOOKUP]),
    ("POST", "/shops/7/catalog/product", &[r#"{"id":"1"}"#]),
    ("POST", "/shops/7/carts", &[LINES]),
    ("GET", "/shops/7/carts/101", &[""]),
    ("PUT", "/shops/7/carts/101", &[LINES]),
    ("POST", "/shops/7/carts/102/cancel", &[""]),
    ("POST", "/shops/7/checkout-sessions", &[WHOLE, OF_CART, LINES]),
    ("GET", "/shops/7/checkout-sessions/101", &[""]),
    ("PUT", "/shops/7/checkout-sessions/101", &[WHOLE, LINES]),
    ("POST", "/shops/7/checkout-sessions/101/complete", &[INSTANT, ON_PAGE, CREDENTIAL]),
    ("POST", "/shops/7/checkout-sessions/103/cancel", &[""]),
    ("GET", "/shops/7/orders/C1", &[""]),
    ("GET", "/shops/7/orders/101/invoice?key=00&lang=en", &[""]),
    ("POST", "/shops/7/orders/101/cancel", &[BACK, "{}"]),
    ("POST", "/shops/7/orders/101/refund", &[BACK, "{}"]),
    ("PUT", "/shops/7/seller/products/1", &[EDIT]),
    ("GET", "/shops/7/assets/invoice.css", &[""]),
];

/// One of the calls, with one thing about it bent, or two.
fn call(number: &str, chance: &mut Chance, bodies: &Bends, texts: &Bends) -> Asked {
    let (method, address, right) = chance.of(&OPERATIONS);
    let key = if method == "PUT" && address.contains("seller") { "Bearer seller-key" } else { "Bearer host-key" };
    let mut asked = Asked {
        method,
        address: address.into(),
        headers: vec![("idempotency-key", number.into()), ("authorization", key.into())],
        body: chance.of(right).into(),
    };
    for _ in 0..=chance.below(2) {
        match chance.below(16) {
            0 => asked.method = chance.of(&["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
            1..4 => asked.address = texts.bend(asked.address, chance),
            4 => asked.headers[0].1 = texts.next(chance),
            5 => asked.headers[1].1 = texts.bend(key.into(), chance),
            6 => asked.headers.push(("balik-epoch", texts.bend(b"2".to_vec(), chance))),
            7 => asked
                .headers
                .push((chance.of(&["idempotency-key", "authorization", "accept-language"]), texts.next(chance))),
            _ => asked.body = bodies.bend(asked.body, chance),
        }
    }
    asked
}

async fn no_call_brings_it_down(what: &'static str, on_server: bool) {
    let router = Router::start(on_server).await;
    let bodies = Bends::of(BODIES).knowing(NAMES);
    let texts =
        Bends::of(["k-1", "Bearer host-key", "/shops/7/carts/101", "?key=51cfc6f9e48722a15d74113e009eaf9a&lang=id"])
            .knowing(["/shops/", "Bearer ", "%2e%2e", "?", "&", "/../"]);
    let mut inputs = Inputs::counted(what, ASKED, if on_server { ASKED_OF_A_SERVER } else { 1_000_000 });
    let mut number = 0;
    while let Some(mut chance) = inputs.another() {
        number += 1;
        let asked = call(&format!("key-{number}"), &mut chance, &bodies, &texts);
        router.check(&mut inputs, &asked).await;
    }
    inputs.reached(&["200", "201", "200 refused", "400 invalid_request", "401 unauthorized", "404 not_found"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_any_kind_brings_the_backend_down() {
    no_call_brings_it_down("calls", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_of_any_kind_brings_the_backend_down_on_postgres() {
    no_call_brings_it_down("calls, on PostgreSQL", true).await;
}

/// A checkout that waits to be paid, and the link of its page.
async fn awaited(router: &Router) -> String {
    let write = |method, address: &str, key: &str, body: &str| Asked {
        method,
        address: address.into(),
        headers: vec![("idempotency-key", key.into())],
        body: body.into(),
    };
    let (_, made) = router.ask(&write("POST", "/shops/7/checkout-sessions", "c", WHOLE)).await.unwrap();
    let made: Value = serde_json::from_slice(&made).unwrap();
    let chosen = format!("/shops/7/checkout-sessions/{}/complete", made["id"].as_str().unwrap());
    let (_, chosen) = router.ask(&write("POST", &chosen, "p", ON_PAGE)).await.unwrap();
    let chosen: Value = serde_json::from_slice(&chosen).unwrap();
    chosen["continue_url"].as_str().unwrap().to_owned()
}

async fn no_form_brings_it_down(what: &'static str, on_server: bool) {
    let router = Router::start(on_server).await;
    let link = awaited(&router).await;
    let state = link.replace('?', "/state?");
    let right = [
        "method=virtual_account",
        "method=qr",
        "method=wallet",
        "account=BCA+1234567890+Sari",
        "account=%C3%A9%00&method=qr",
    ];
    let forms = Bends::of(right).knowing(["method=", "account=", "%00", "%0a", "&", "=", "+", "%F0%9F%A7%BA"]);
    let links = Bends::of([&link[..], "?lang=en", "&lang=id&key="]).knowing(["key=", "lang=", "/state"]);
    let mut inputs = Inputs::counted(what, ASKED, if on_server { ASKED_OF_A_SERVER } else { 1_000_000 });
    while let Some(mut chance) = inputs.another() {
        let (method, address) = chance.of(&[("POST", &link), ("POST", &link), ("GET", &link), ("GET", &state)]);
        let is_bent = chance.one_in(3);
        let address =
            if is_bent { links.bend(address.as_bytes().to_vec(), &mut chance) } else { address.as_bytes().to_vec() };
        let language = if chance.one_in(4) { links.next(&mut chance) } else { b"id".to_vec() };
        let headers = vec![("content-type", FORM.into()), ("accept-language", language)];
        router.check(&mut inputs, &Asked { method, address, headers, body: forms.next(&mut chance) }).await;
    }
    inputs.reached(&["200", "400 invalid_request", "404"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_of_a_buyer_brings_the_backend_down() {
    no_form_brings_it_down("forms of buyers", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_of_a_buyer_brings_the_backend_down_on_postgres() {
    no_form_brings_it_down("forms of buyers, on PostgreSQL", true).await;
}

/// A third of them signed, as only the provider can: even that one brings nothing down.
async fn no_notice_brings_it_down(what: &'static str, on_server: bool) {
    let router = Router::start(on_server).await;
    let seconds = NOW.0 / 1_000_000;
    let right = json!({"id": "evt_1", "type": "charge.paid", "data": {"reference": "101-1", "amount": 1}}).to_string();
    let bodies =
        Bends::of([right.as_str(), r#"{"data":{"reference":"pi_7-1"}}"#]).knowing(["\"data\":", "\"reference\":"]);
    let signed = signature(seconds, right.as_bytes());
    let signatures = Bends::of([signed.as_str(), "t=1700000000,v1=00ff,v1=aa"]).knowing(["t=", "v1=", ",", "="]);
    let mut inputs = Inputs::counted(what, ASKED, if on_server { ASKED_OF_A_SERVER } else { 1_000_000 });
    while let Some(mut chance) = inputs.another() {
        let body = bodies.next(&mut chance);
        let signature = match chance.below(3) {
            0 => signature(seconds, &body).into_bytes(),
            1 => signatures.next(&mut chance),
            _ => signatures.bend(signature(seconds, &body).into_bytes(), &mut chance),
        };
        let address = if chance.one_in(8) {
            signatures.bend(b"/notices/loket".to_vec(), &mut chance)
        } else {
            b"/notices/loket".to_vec()
        };
        let headers = vec![("loket-signature", signature)];
        router.check(&mut inputs, &Asked { method: "POST", address, headers, body }).await;
    }
    inputs.reached(&["200", "400 invalid_request", "401 unauthorized", "404 not_found"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_notice_signed_or_not_brings_the_backend_down() {
    no_notice_brings_it_down("notices", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_notice_signed_or_not_brings_the_backend_down_on_postgres() {
    no_notice_brings_it_down("notices, on PostgreSQL", true).await;
}
