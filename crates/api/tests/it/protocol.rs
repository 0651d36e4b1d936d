//! Requests that are no proper ones, keys, and whose shop it is.

use crate::{Got, Server, flip};
use api::Rate;
use http::Method;
use serde_json::json;
use vocab::id::Side;

const KEY: &str = "idempotency-key: k-1";
const HOST: &str = "authorization: Bearer host-key";
const CART: &str = r#"{"line_items":[{"item":{"id":"1"},"quantity":1}]}"#;

fn code(got: &Got) -> (u16, &str, &str) {
    let text = |name: &str| got.body[name].as_str().unwrap_or("-");
    (got.status, text("code"), text("content"))
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_with_its_place() {
    let server = Server::start().await;
    let check = async |path: &str, body: &str, content: &str| {
        let got = server.raw(Method::POST, &format!("/shops/7{path}"), &[KEY, HOST], body.to_owned()).await;
        assert_eq!(code(&got), (400, "invalid_request", content), "{path} {body}");
    };
    check("/carts", "[]", "$ is not an object").await;
    check("/carts", "{}", "$.line_items is required and must not be empty").await;
    check("/carts", r#"{"line_items":{}}"#, "$.line_items is not a list").await;
    check("/carts", r#"{"line_items":[{"quantity":1}]}"#, "$.line_items[0].item.id is required").await;
    check("/carts", r#"{"line_items":[{"item":7}]}"#, "$.line_items[0].item is not an object").await;
    let item = |quantity: &str| format!(r#"{{"line_items":[{{"item":{{"id":"1"}},"quantity":{quantity}}}]}}"#);
    check("/carts", &item("0"), "$.line_items[0].quantity is not between 1 and 1000000").await;
    check("/carts", &item("1.5"), "$.line_items[0].quantity is not an integer").await;
    check("/carts", &item("\"1\""), "$.line_items[0].quantity is not an integer").await;
    check("/carts", "{", "$ is not JSON: EOF while parsing an object at line 1 column 1").await;
    check("/catalog/search", r#"{"query":7}"#, "$.query is not a string").await;
    check("/catalog/search", r#"{"pagination":{"limit":0}}"#, "$.pagination.limit is not a positive integer").await;
    check("/checkout-sessions/1/complete", "{}", "$.payment.instruments is required and must not be empty").await;
    let option = r#"{"line_items":[{"item":{"id":"1"},"quantity":1}],"fulfillment":{"methods":[{"groups":[{"selected_option_id":"fast"}]}]}}"#;
    check(
        "/checkout-sessions",
        option,
        "$.fulfillment.methods[0].groups[0].selected_option_id is not one of the options",
    )
    .await;
    check(
        "/orders/1/cancel",
        r#"{"lines":[{"id":"1","quantity":-1}]}"#,
        "$.lines[0].quantity is not between 1 and 1000000",
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn writes_need_a_key_and_a_key_means_one_request() {
    let server = Server::start().await;
    let post =
        async |headers: &[&str], body: &str| server.raw(Method::POST, "/shops/7/carts", headers, body.to_owned()).await;
    assert_eq!(code(&post(&[], CART).await).1, "idempotency_key_missing");
    let long = format!("idempotency-key: {}", "k".repeat(129));
    assert_eq!(code(&post(&[&long], CART).await).1, "invalid_request");
    let first = post(&[KEY], CART).await;
    let again = post(&[KEY], CART).await;
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    // The bytes count, not what they mean.
    let conflict = post(&[KEY], &format!("{CART} ")).await;
    assert_eq!((conflict.status, code(&conflict).1), (409, "idempotency_conflict"));
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_was_used_for_one_order_does_nothing_to_another() {
    let server = Server::start().await;
    let order = async || {
        let mut body: serde_json::Value = serde_json::from_str(CART).unwrap();
        let option = json!([{"selected_option_id": "flat"}]);
        let to = json!([{"street_address": "Jl. Braga 5", "address_locality": "Bandung", "postal_code": "40111",
            "address_country": "ID"}]);
        body["buyer"] = json!({"full_name": "Rina", "phone_number": "0812"});
        body["fulfillment"] = json!({"methods": [{"destinations": to, "groups": option}]});
        let checkout = server.post("/checkout-sessions", &body).await.body["id"].as_str().unwrap().to_owned();
        let payment = json!({"payment": {"instruments": [{"id": "approve"}]}});
        let done = server.post(&format!("/checkout-sessions/{checkout}/complete"), &payment).await;
        done.body["order"]["id"].as_str().unwrap().to_owned()
    };
    let [a, b] = [order().await, order().await];
    let refund = async |order: &str| {
        server.raw(Method::POST, &format!("/shops/7/orders/{order}/refund"), &[KEY, HOST], "{}").await
    };
    let first = refund(&a).await;
    assert_eq!((first.status, &first.body["id"]), (200, &json!(a)));
    let content = "the idempotency key was used for another request";
    assert_eq!(code(&refund(&b).await), (409, "idempotency_conflict", content));
    assert_eq!(refund(&a).await.body, first.body);
    assert_eq!(server.get(&format!("/orders/{b}")).await.body["adjustments"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_difference_of_stock_has_bounds() {
    let server = Server::start().await;
    let edit = async |key: &str, delta: i64| {
        let headers = [&format!("idempotency-key: {key}"), "authorization: Bearer seller-key"];
        server.raw(Method::PUT, "/shops/7/seller/products/1", &headers, json!({"stock_delta": delta}).to_string()).await
    };
    let content = "$.stock_delta is not between -1000000000 and 1000000000";
    for delta in [i64::MAX, i64::MIN, 1_000_000_001, -1_000_000_001] {
        assert_eq!(code(&edit("a", delta).await), (400, "invalid_request", content), "{delta}");
    }
    let most = edit("b", 1_000_000_000).await;
    assert_eq!(most.body["product"]["variants"][0]["stock"], 1_000_000_010, "{}", most.body);
    assert_eq!(edit("c", -1_000_000_000).await.body["product"]["variants"][0]["stock"], 10);
    server.stop().await;
}

#[tokio::test]
async fn orders_are_the_hosts_and_products_the_sellers() {
    let server = Server::start().await;
    let status = async |method: Method, path: &str, key: &str| {
        let authorization = format!("authorization: {key}");
        let headers: &[&str] = if key.is_empty() { &[KEY] } else { &[KEY, &authorization] };
        let got = server.raw(method, path, headers, r#"{"stock_delta":1}"#).await;
        (got.status, got.body["code"].as_str().unwrap_or("-").to_owned())
    };
    let refused = (401, "unauthorized".to_owned());
    for key in ["", "Bearer ", "Bearer seller-key", "Bearer host-key-", "host-key", "Basic host-key"] {
        assert_eq!(status(Method::GET, "/shops/7/orders/C1", key).await, refused, "{key}");
        assert_eq!(status(Method::POST, "/shops/7/orders/C1/cancel", key).await, refused, "{key}");
        assert_eq!(status(Method::POST, "/shops/7/orders/C1/refund", key).await, refused, "{key}");
    }
    assert_eq!(status(Method::PUT, "/shops/7/seller/products/1", "Bearer host-key").await, refused);
    assert_eq!(status(Method::GET, "/shops/7/orders/C1", "Bearer host-key").await.0, 200);
    assert_eq!(status(Method::PUT, "/shops/7/seller/products/1", "Bearer seller-key").await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn unknown_places_methods_and_sizes_are_protocol_errors() {
    let server = Server::start().await;
    for path in ["/", "/shops/7/nothing", "/shops/8/carts/1", "/shops/a%20b/carts/1", "/shops/7/carts/1/2/3"] {
        let got = server.raw(Method::GET, path, &[], "").await;
        assert_eq!((got.status, code(&got).1), (404, "not_found"), "{path}");
    }
    assert_eq!(server.raw(Method::DELETE, "/shops/7/carts/1", &[KEY], "").await.status, 405);
    let large = server.raw(Method::POST, "/shops/7/carts", &[KEY], vec![b' '; 256 * 1024 + 1]).await;
    assert_eq!((large.status, code(&large).1), (413, "request_too_large"));
    let ids: Vec<String> = (0..51).map(|id| id.to_string()).collect();
    let many = server.post("/catalog/lookup", &json!({ "ids": ids })).await;
    assert_eq!((many.status, code(&many).1), (400, "request_too_large"));
    let lookup = server.post("/catalog/lookup", &json!({ "ids": &ids[..50] })).await;
    assert_eq!(lookup.body["products"].as_array().unwrap().len(), 3);
    for path in ["/health", "/ready"] {
        assert_eq!(server.raw(Method::GET, path, &[], "").await.status, 200);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_shop_of_another_owner_is_read_but_asks_writers_to_come_back() {
    let server = Server::start().await;
    let created = server.post("/checkout-sessions", &serde_json::from_str(CART).unwrap()).await;
    assert_eq!(created.status, 201);
    let stale = server.raw(Method::POST, "/shops/7/carts", &[KEY, "balik-epoch: 1"], CART).await;
    assert_eq!((stale.status, code(&stale).1), (503, "stale_epoch"));
    assert_eq!(server.raw(Method::POST, "/shops/7/carts", &[KEY, "balik-epoch: 2"], CART).await.status, 201);
    assert_eq!(server.raw(Method::POST, "/shops/7/carts", &[KEY, "balik-epoch: x"], CART).await.status, 400);
    flip(&server.store, Side::Legacy, 2, 3).await;
    let refused = server.post("/carts", &serde_json::from_str(CART).unwrap()).await;
    assert_eq!((refused.status, code(&refused).1), (503, "not_owner"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(server.get("/checkout-sessions/101").await.body, created.body);
    server.stop().await;
}

#[tokio::test]
async fn a_shop_that_is_asked_too_often_says_when_to_come_again_and_keeps_no_other_waiting() {
    let server = Server::limited(Rate { per_second: 1, burst: 3 }).await;
    for _ in 0..3 {
        assert_eq!(server.get("/checkout-sessions/101").await.status, 200);
    }
    let stopped = server.post("/carts", &serde_json::from_str(CART).unwrap()).await;
    assert_eq!((stopped.status, code(&stopped).1), (429, "too_many_requests"));
    assert_eq!(stopped.headers["retry-after"], "1");
    // Who bears no key has a number of its own.
    let anybody = server.raw(Method::GET, "/shops/7/carts/1", &[], "").await;
    assert_ne!(anybody.status, 429);
    // Another shop is one that nobody asked before, and what belongs to no shop is not counted.
    let other = server.raw(Method::GET, "/shops/8/carts/1", &[], "").await;
    assert_eq!((other.status, code(&other).1), (404, "not_found"));
    assert_eq!(server.raw(Method::GET, "/ready", &[], "").await.status, 200);
    server.stop().await;
}
