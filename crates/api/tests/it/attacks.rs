//! Callers that mean harm: another shop's ids, amounts that are ours to say, bodies without measure, and texts that would be
//! programs.

use crate::provider::Provider;
use crate::{Got, NOW, Server, live, product};
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use store::{HeadChange, Import, Outcome, Step};
use testkit::browser::Browser;
use testkit::html::skeleton;
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, PublicId, ShopId, Side};

const BODY_MAX: usize = 256 * 1024;
/// What would run somewhere if it were not text.
const EVIL: [&str; 8] = [
    "<script>window.hit=1</script>",
    "\"><img src=x onerror=window.hit=1>",
    "' onmouseover='window.hit=1' x='",
    "</title></style></textarea><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "&lt;script&gt;window.hit=1&lt;/script&gt;&#60;b&#62;",
    "<!-- --!><iframe srcdoc='<script>parent.hit=1</script>'>",
    "{{7*7}}${7*7}\u{202e}\u{2028}<a href=\"javascript:window.hit=1\">x</a>",
];

fn address() -> Value {
    json!({ "street_address": "Jl. Melati 1", "address_locality": "Bandung", "postal_code": "40115", "address_country": "ID" })
}

/// A checkout of two of a product, complete but for its payment.
fn wanted(product: &str) -> Value {
    json!({
        "line_items": [{ "item": { "id": product }, "quantity": 2 }],
        "buyer": { "full_name": "Sari", "phone_number": "0812" },
        "fulfillment": { "methods": [{ "destinations": [address()], "groups": [{ "selected_option_id": "flat" }] }] },
    })
}

fn pay() -> Value {
    json!({ "payment": { "instruments": [{ "id": "approve", "handler_id": "instant", "type": "instant", "selected": true }] } })
}

fn on_page() -> Value {
    json!({ "payment": { "instruments": [{ "id": "m", "handler_id": "pay", "selected": true }] } })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Shop `8` at Backend, with product `81`.
async fn neighbour(server: &Server) {
    let shop = ShopId::parse("8").unwrap();
    server.store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
    let terms = Record::default().with("id", "8").with("name", "Toko Delapan").with("currency", "IDR");
    let terms = terms.with("tax_bp", 0).with("shipping_flat", 100_000);
    let goods = live(Kind::Product, "81", product("81", 70, "active"), vec![(PublicId::new("81"), 10)]);
    let import =
        Import { shop: shop.clone(), epoch: Epoch(1), items: vec![live(Kind::Shop, "8", terms, vec![]), goods] };
    assert_eq!(server.store.import(import).await.unwrap(), [Outcome::Applied, Outcome::Applied]);
    let change =
        HeadChange { shop: shop.clone(), expect_epoch: Epoch(1), owner: Side::Backend, epoch: Epoch(2), fenced: false };
    let (step, phase) = ("flip".into(), "done".into());
    let step = Step {
        shop,
        epoch: Epoch(2),
        direction: Direction::ToBackend,
        step,
        phase,
        at: NOW,
        detail: Record::default(),
    };
    server.store.move_head(change, step).await.unwrap();
}

async fn seq(server: &Server, shop: &str) -> u64 {
    server.store.head(&ShopId::parse(shop).unwrap()).await.unwrap().unwrap().seq.0
}

/// Of any shop, with this bearer key.
async fn ask(server: &Server, method: Method, path: &str, key: &str, body: &Value) -> Got {
    let number = server.keys.fetch_add(1, Ordering::SeqCst);
    let headers = [&format!("idempotency-key: key-{number}"), &format!("authorization: Bearer {key}")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.raw(method, path, &headers.map(String::as_str), body).await
}

/// What a refused call says, with the id that was asked for taken out.
fn said(got: &Got, id: &str) -> String {
    format!(
        "{} {}",
        got.status,
        got.body.to_string().replace(&format!("`{id}`"), "`…`").replace(&format!("\"{id}\""), "\"…\"")
    )
}

/// Through the paths of one shop the ids of another are ids of nothing: each call says what it says of an id that is not there,
/// and nothing happens in either shop.
#[tokio::test]
async fn ids_of_another_shop_are_ids_of_nothing() {
    let server = Server::start().await;
    neighbour(&server).await;
    let of_8 = async |path: &str, body: &Value| {
        ask(&server, Method::POST, &format!("/shops/8{path}"), "host-key", body).await.body
    };
    let cart = text(&of_8("/carts", &json!({ "line_items": wanted("81")["line_items"] })).await["id"]);
    let checkout = text(&of_8("/checkout-sessions", &wanted("81")).await["id"]);
    let bought = text(&of_8("/checkout-sessions", &json!({ "buyer": null, "cart_id": cart })).await["id"]);
    let whole = wanted("81");
    let put = ask(&server, Method::PUT, &format!("/shops/8/checkout-sessions/{bought}"), "host-key", &whole).await;
    assert_eq!(put.body["status"], "ready_for_complete", "{}", put.body);
    let done = of_8(&format!("/checkout-sessions/{bought}/complete"), &pay()).await;
    let order = text(&done["order"]["id"]);
    let line = ask(&server, Method::GET, &format!("/shops/8/orders/{order}"), "host-key", &Value::Null).await;
    let line = text(&line.body["line_items"][0]["id"]);
    let back = json!({ "lines": [{ "id": line, "quantity": 1 }] });
    let before = (seq(&server, "7").await, seq(&server, "8").await);
    let mut tried = 0;
    for (method, path, id, key, body) in [
        (Method::POST, "/catalog/product", "81", "host-key", json!({ "id": "ID" })),
        (Method::POST, "/catalog/lookup", "81", "host-key", json!({ "ids": ["ID"] })),
        (
            Method::POST,
            "/carts",
            "81",
            "host-key",
            json!({ "line_items": [{ "item": { "id": "ID" }, "quantity": 1 }] }),
        ),
        (Method::GET, "/carts/ID", &cart, "host-key", Value::Null),
        (Method::PUT, "/carts/ID", &cart, "host-key", json!({ "line_items": wanted("1")["line_items"] })),
        (Method::POST, "/carts/ID/cancel", &cart, "host-key", Value::Null),
        (Method::POST, "/checkout-sessions", "81", "host-key", wanted("ID")),
        (Method::POST, "/checkout-sessions", &cart, "host-key", json!({ "cart_id": "ID" })),
        (Method::GET, "/checkout-sessions/ID", &checkout, "host-key", Value::Null),
        (Method::PUT, "/checkout-sessions/ID", &checkout, "host-key", wanted("1")),
        (Method::POST, "/checkout-sessions/ID/complete", &checkout, "host-key", pay()),
        (Method::POST, "/checkout-sessions/ID/complete", &checkout, "host-key", on_page()),
        (Method::POST, "/checkout-sessions/ID/cancel", &checkout, "host-key", Value::Null),
        (Method::GET, "/orders/ID", &order, "host-key", Value::Null),
        (Method::POST, "/orders/ID/cancel", &order, "host-key", json!({})),
        (Method::POST, "/orders/ID/cancel", &order, "host-key", back.clone()),
        (Method::POST, "/orders/ID/refund", &order, "host-key", back),
        (Method::PUT, "/seller/products/ID", "81", "seller-key", json!({ "price": 100 })),
        (Method::PUT, "/seller/products/ID", "81", "seller-key", json!({ "stock_delta": -5 })),
    ] {
        let of = async |id: &str| {
            let body = serde_json::from_str(&body.to_string().replace("ID", id)).unwrap();
            said(&ask(&server, method.clone(), &format!("/shops/7{}", path.replace("ID", id)), key, &body).await, id)
        };
        let (theirs, nobodys) = (of(id).await, of("999888777").await);
        assert_eq!(theirs, nobodys, "{method} {path}");
        assert!(theirs.contains("not_found") || theirs.contains("item_unavailable"), "{method} {path}: {theirs}");
        tried += 1;
    }
    assert_eq!((tried, (seq(&server, "7").await, seq(&server, "8").await)), (19, before));
    server.stop().await;
}

/// Links carry a key of their shop: with another shop's path, or another shop's key, they open nothing.
#[tokio::test]
async fn a_link_of_another_shop_opens_nothing_here() {
    let provider = Provider::start().await;
    let server = Server::paid_through(&provider).await;
    neighbour(&server).await;
    let checkout = ask(&server, Method::POST, "/shops/8/checkout-sessions", "host-key", &wanted("81")).await;
    let path = format!("/shops/8/checkout-sessions/{}/complete", text(&checkout.body["id"]));
    let chosen = ask(&server, Method::POST, &path, "host-key", &on_page()).await;
    let link = text(&chosen.body["continue_url"]);
    assert_eq!(server.open(&link, &[]).await.0, 200);
    let here = link.replacen("/shops/8/", "/shops/7/", 1);
    let form = ["content-type: application/x-www-form-urlencoded"];
    for path in [here.clone(), here.replace('?', "/state?")] {
        assert_eq!(server.open(&path, &[]).await.0, 404, "{path}");
    }
    let posted = server.send(Method::POST, &here, &form, "method=qr").await;
    assert_eq!((posted.0, provider.amounts()), (404, vec![]));
    server.stop().await;
}

/// Everything by which a client might say what something costs, everywhere.
fn with_prices(body: &Value) -> Value {
    let said = json!({
        "price": 1, "unit_price": 1, "amount": 1, "total": 1, "subtotal": 1, "tax": 0, "discount": 999_999, "currency": "USD",
        "stock": 1_000_000, "availability": { "available": true }, "status": "completed", "quantity_max": 0,
        "totals": [{ "type": "total", "amount": 1 }, { "type": "subtotal", "amount": 1 }, { "type": "fulfillment", "amount": 0 }],
        "order": { "id": "1" }, "shop": "8", "epoch": 99,
    });
    match body {
        Value::Object(members) => {
            let mut all = said.as_object().unwrap().clone();
            all.extend(members.iter().map(|(name, value)| (name.clone(), with_prices(value))));
            Value::Object(all)
        }
        Value::Array(list) => list.iter().map(with_prices).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => body.clone(),
    }
}

#[tokio::test]
async fn what_a_client_says_of_prices_totals_stock_and_currency_is_not_heard() {
    let provider = Provider::start().await;
    let server = Server::paid_through(&provider).await;
    let totals = |got: &Value| got["totals"].as_array().unwrap().last().unwrap()["amount"].as_i64().unwrap();
    // Two of Rp 45, 11 % of it rounded to Rp 10, Rp 9,000 for sending.
    const DUE: i64 = 910_000;
    let cart = server.post("/carts", &with_prices(&json!({ "line_items": wanted("1")["line_items"] }))).await;
    assert_eq!((cart.status, totals(&cart.body), &cart.body["currency"]), (201, 9_000, &json!("IDR")), "{}", cart.body);
    let put = server.call(Method::PUT, &format!("/carts/{}", text(&cart.body["id"])), &with_prices(&wanted("1"))).await;
    assert_eq!((totals(&put.body), put.body["line_items"][0]["item"]["price"].as_i64()), (9_000, Some(4_500)));
    let complete = async |payment: &Value| {
        let made = server.post("/checkout-sessions", &with_prices(&wanted("1"))).await;
        assert_eq!(
            (made.status, totals(&made.body), &made.body["currency"]),
            (201, DUE, &json!("IDR")),
            "{}",
            made.body
        );
        let path = format!("/checkout-sessions/{}", text(&made.body["id"]));
        let updated = server.call(Method::PUT, &path, &with_prices(&wanted("1"))).await;
        assert_eq!((totals(&updated.body), &updated.body["status"]), (DUE, &json!("ready_for_complete")));
        server.post(&format!("{path}/complete"), &with_prices(payment)).await.body
    };
    let done = complete(&pay()).await;
    let order = server.get(&format!("/orders/{}", text(&done["order"]["id"]))).await.body;
    assert_eq!((totals(&order), &order["currency"]), (DUE, &json!("IDR")));
    // By the page: the amount that the provider is asked for is ours, whatever the form says beside the way to pay.
    let link = text(&complete(&on_page()).await["continue_url"]);
    let form = ["content-type: application/x-www-form-urlencoded"];
    let paid = "amount=1&total=1&price=1&currency=USD&method=virtual_account&amount=1";
    assert_eq!(server.send(Method::POST, &format!("{link}&amount=1&total=1"), &form, paid).await.0, 200);
    assert_eq!(provider.amounts(), [DUE / 100]);
    // Half an order given back is worth what it is worth.
    let back = json!({ "lines": [{ "id": order["line_items"][0]["id"], "quantity": 1 }] });
    let given = server.post(&format!("/orders/{}/refund", text(&order["id"])), &with_prices(&back)).await.body;
    assert_eq!(given["adjustments"][0]["totals"][0]["amount"], -5_000, "{given}");
    // A seller says a price and a difference of stock, and nothing else.
    let edit = json!({ "price": 5_000, "stock": 1, "title": "x", "currency": "USD", "total": 1, "variants": [{ "price": 1, "stock": 1 }] });
    let edited = ask(&server, Method::PUT, "/shops/7/seller/products/1", "seller-key", &edit).await.body;
    let variant = &edited["product"]["variants"][0];
    assert_eq!(
        (&variant["price"], &variant["stock"]),
        (&json!({ "amount": 5_000, "currency": "IDR" }), &json!(6)),
        "{edited}"
    );
    assert_eq!(edited["product"]["title"], "Barang 1");
    server.stop().await;
}

#[tokio::test]
async fn a_body_without_measure_is_refused_and_the_next_one_served() {
    let provider = Provider::start().await;
    let server = Server::paid_through(&provider).await;
    let before = seq(&server, "7").await;
    let (json, form) = ("content-type: application/json", "content-type: application/x-www-form-urlencoded");
    let headers = ["idempotency-key: large", "authorization: Bearer host-key", json];
    let writes = [
        (Method::POST, "/catalog/search"),
        (Method::POST, "/carts"),
        (Method::PUT, "/carts/1"),
        (Method::POST, "/carts/1/cancel"),
        (Method::POST, "/checkout-sessions"),
        (Method::PUT, "/checkout-sessions/1"),
        (Method::POST, "/checkout-sessions/1/complete"),
        (Method::POST, "/orders/C1/refund"),
    ];
    for (method, path) in writes {
        let path = format!("/shops/7{path}");
        for (body, status, code) in [
            (" ".repeat(BODY_MAX + 1), 413, "request_too_large"),
            ("[".repeat(10_000), 400, "invalid_request"),
            ("[".repeat(100_000), 400, "invalid_request"),
            (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), 400, "invalid_request"),
            ("{\"a\":".repeat(10_000), 400, "invalid_request"),
            (format!("{{\"line_items\":{}1{}}}", "{\"a\":".repeat(20_000), "}".repeat(20_000)), 400, "invalid_request"),
        ] {
            let got = server.raw(method.clone(), &path, &headers, body).await;
            // What asks for nothing is not read.
            let is_read = !path.ends_with("/cancel") || status == 413;
            if is_read {
                assert_eq!((got.status, got.body["code"].as_str()), (status, Some(code)), "{method} {path}");
            } else {
                assert!(got.status < 500, "{method} {path}: {}", got.status);
            }
        }
    }
    // The provider's notices have a bound of their own, and a page's form as well.
    let notice =
        server.raw(Method::POST, "/notices/loket", &["loket-signature: t=1,v1=00"], vec![b'['; 64 * 1024 + 1]).await;
    assert_eq!(notice.status, 413);
    let deep = "[".repeat(60_000);
    let signature = format!("loket-signature: {}", crate::provider::signature(NOW.0 / 1_000_000, deep.as_bytes()));
    assert_eq!(server.raw(Method::POST, "/notices/loket", &[&signature], deep).await.status, 400);
    let made = server.post("/checkout-sessions", &wanted("1")).await.body;
    let chosen = server.post(&format!("/checkout-sessions/{}/complete", text(&made["id"])), &on_page()).await.body;
    let link = text(&chosen["continue_url"]);
    assert_eq!(server.send(Method::POST, &link, &[form], vec![b'a'; BODY_MAX + 1]).await.0, 413);
    assert_eq!(server.send(Method::POST, &link, &[form], "a=1&".repeat(60_000)).await.0, 400);
    assert_eq!((seq(&server, "7").await, provider.amounts()), (before + 1, vec![]));
    server.stop().await;
}

/// A shop whose goods, and a buyer whose every field is this text; the links of the invoice and of a page to pay.
async fn shown(server: &Server, said: &str) -> [String; 3] {
    crate::flip(&server.store, Side::Legacy, 2, 3).await;
    let mut goods = product("66", 10, "active");
    goods.set("title", said);
    let goods = live(Kind::Product, "66", goods, vec![(PublicId::new("66"), 50)]);
    let import = Import { shop: ShopId::parse("7").unwrap(), epoch: Epoch(3), items: vec![goods] };
    assert_eq!(server.store.import(import).await.unwrap(), [Outcome::Applied]);
    crate::flip(&server.store, Side::Backend, 3, 4).await;
    let mut body = wanted("66");
    body["buyer"] = json!({ "full_name": said, "phone_number": said, "email": said });
    let fields = ["street_address", "address_locality", "address_region", "postal_code", "address_country"];
    body["fulfillment"]["methods"][0]["destinations"][0] =
        fields.iter().map(|field| ((*field).to_owned(), json!(said))).collect();
    let checkout = async || text(&server.post("/checkout-sessions", &body).await.body["id"]);
    let complete =
        async |id: &str, how: &Value| server.post(&format!("/checkout-sessions/{id}/complete"), how).await.body;
    let paid = complete(&checkout().await, &pay()).await;
    let [choosing, awaiting] = [checkout().await, checkout().await];
    let choosing = text(&complete(&choosing, &on_page()).await["continue_url"]);
    let awaiting = text(&complete(&awaiting, &on_page()).await["continue_url"]);
    let form = ["content-type: application/x-www-form-urlencoded"];
    assert_eq!(server.send(Method::POST, &awaiting, &form, "method=virtual_account").await.0, 200);
    [text(&paid["order"]["permalink_url"]), choosing, awaiting]
}

/// A page is the same tree of elements and attributes whatever somebody has typed: only its texts differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_typed_adds_no_element_and_no_attribute_to_invoice_and_pay_page() {
    let provider = Provider::start().await;
    let mut harmless: Vec<String> = Vec::new();
    let mut urls = Vec::new();
    let mut servers = Vec::new();
    for said in ["Sari"].iter().chain(&EVIL) {
        let server = Server::paid_through(&provider).await;
        let links = shown(&server, said).await;
        let mut trees = Vec::new();
        for link in &links {
            let (status, _, page) = server.open(link, &[]).await;
            assert_eq!(status, 200, "{page}");
            trees.push(skeleton(&page));
            urls.push((format!("http://{}{link}", server.address), *said));
        }
        if harmless.is_empty() {
            harmless = trees;
        } else {
            assert_eq!(trees, harmless, "{said}");
        }
        servers.push(server);
    }
    tokio::task::spawn_blocking(move || look(&urls)).await.unwrap();
    for server in servers {
        server.stop().await;
    }
}

/// In a real browser: nothing of it has run, and it is there to be read.
fn look(urls: &[(String, &str)]) {
    let browser = Browser::start();
    for (url, said) in urls {
        browser.open(url);
        browser.until("document.readyState === 'complete' && document.styleSheets.length === 1");
        assert_eq!(browser.run("return window.hit ?? null"), Value::Null, "{url}: {said}");
        let links = "return [...document.querySelectorAll('a, form')].map((it) => it.href ?? it.action)";
        for link in browser.run(links).as_array().unwrap() {
            assert!(link.as_str().unwrap().starts_with("http://127.0.0.1:"), "{url}: {said}: {link}");
        }
        let read = browser.run("return document.body.textContent");
        let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(spaced(read.as_str().unwrap()).contains(&spaced(said)), "{url}: {said}: {read}");
    }
    assert_eq!(browser.messages(), Vec::<String>::new());
}
