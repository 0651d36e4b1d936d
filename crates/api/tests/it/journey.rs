//! A buyer's whole journey, as it looks on the wire.

use crate::Server;
use http::Method;
use serde_json::{Value, json};

/// `openssl dgst -sha256 -hmac host-key` of the lines `invoice`, `7` and the order's id, the first half.
const INVOICE_101: &str = "/shops/7/orders/101/invoice?key=51cfc6f9e48722a15d74113e009eaf9a";
const INVOICE_C1: &str = "/shops/7/orders/C1/invoice?key=14969933fafa4e4f0fc9b07cd16c87b0";

fn lines(quantity: u32) -> Value {
    json!([{ "item": { "id": "1" }, "quantity": quantity, "price": 1 }, { "item": { "id": "2" }, "quantity": 1 }])
}

/// Everything a checkout needs, with `price` and `totals` that nobody should believe.
fn ready() -> Value {
    json!({
        "line_items": lines(2),
        "totals": [{ "type": "total", "amount": 1 }],
        "status": "completed",
        "buyer": { "full_name": "Sari", "phone_number": "0812", "email": null },
        "fulfillment": { "methods": [{
            "destinations": [{
                "street_address": "Jl. Melati 1",
                "address_locality": "Bandung",
                "postal_code": "40115",
                "address_country": "ID",
            }],
            "selected_destination_id": "address",
            "groups": [{ "selected_option_id": "flat" }],
        }] },
    })
}

fn pay(id: &str) -> Value {
    json!({ "payment": { "instruments": [{ "id": id, "handler_id": "instant", "type": "instant", "selected": true }] } })
}

fn goods(amount: i64) -> Value {
    json!([{ "type": "subtotal", "amount": amount }, { "type": "total", "amount": amount }])
}

fn line(id: &str, product: &str, price: i64, quantity: i64) -> Value {
    json!({
        "id": id,
        "item": { "id": product, "title": format!("Barang {product}"), "price": price },
        "quantity": quantity,
        "totals": goods(price * quantity),
    })
}

fn ucp() -> Value {
    json!({ "version": "2026-08-25", "status": "success" })
}

fn ucp_checkout(status: &str) -> Value {
    let handler =
        json!([{ "id": "instant", "version": "2026-08-25", "available_instruments": [{ "type": "instant" }] }]);
    json!({ "version": "2026-08-25", "status": status, "payment_handlers": { "dev.baliklayar.instant": handler } })
}

fn totals() -> Value {
    json!([
        { "type": "subtotal", "amount": 15_000 },
        { "type": "fulfillment", "amount": 900_000 },
        { "type": "tax", "amount": 1_700 },
        { "type": "total", "amount": 916_700 },
    ])
}

#[tokio::test]
async fn the_catalogue_is_searched_page_by_page_and_looked_up() {
    let server = Server::start().await;
    let first = server.post("/catalog/search", &json!({ "query": "barang", "pagination": { "limit": 1 } })).await;
    let plain = |id: &str, price: i64, available: bool| {
        json!({ "id": id, "title": format!("Barang {id}"), "variants": [{
            "id": id,
            "title": format!("Barang {id}"),
            "price": { "amount": price, "currency": "IDR" },
            "availability": { "available": available },
        }] })
    };
    assert_eq!(
        first.body,
        json!({
            "ucp": ucp(),
            "products": [plain("1", 4_500, true)],
            "pagination": { "has_next_page": true, "cursor": "1" },
        })
    );
    let second = server.post("/catalog/search", &json!({ "pagination": { "cursor": "1" } })).await;
    assert_eq!(second.body["products"], json!([plain("2", 6_000, true)]));
    assert_eq!(second.body["pagination"], json!({ "has_next_page": false }));

    let found = server.post("/catalog/lookup", &json!({ "ids": ["3", "9"] })).await;
    let mut withdrawn = plain("3", 1_000, false);
    withdrawn["variants"][0]["inputs"] = json!([{ "id": "3", "match": "exact" }]);
    assert_eq!(
        found.body,
        json!({
            "ucp": ucp(),
            "products": [withdrawn],
            "messages": [{ "type": "info", "code": "not_found", "content": "no product `9` in this shop" }],
        })
    );
    let one = server.post("/catalog/product", &json!({ "id": "1" })).await;
    assert_eq!(one.body, json!({ "ucp": ucp(), "product": plain("1", 4_500, true) }));
    let none = server.post("/catalog/product", &json!({ "id": "9" })).await;
    assert_eq!((none.status, &none.body["ucp"]["status"]), (200, &json!("error")));
    assert_eq!(
        none.body["messages"],
        json!([{
            "type": "error",
            "code": "not_found",
            "content": "no product `9` in this shop",
            "severity": "unrecoverable",
        }])
    );
    server.stop().await;
}

#[tokio::test]
async fn a_cart_shows_todays_prices() {
    let server = Server::start().await;
    let created = server.post("/carts", &json!({ "line_items": lines(2) })).await;
    let expected = json!({
        "ucp": ucp(),
        "id": "101",
        "currency": "IDR",
        "line_items": [line("101", "1", 4_500, 2), line("102", "2", 6_000, 1)],
        "totals": goods(15_000),
    });
    assert_eq!((created.status, &created.body), (201, &expected));
    assert_eq!(server.get("/carts/101").await.body, expected);
    let replaced = server.call(Method::PUT, "/carts/101", &json!({ "line_items": [lines(1)[1]] })).await;
    assert_eq!(replaced.body["line_items"], json!([line("102", "2", 6_000, 1)]));
    let canceled = server.post("/carts/101/cancel", &Value::Null).await;
    assert_eq!((canceled.status, &canceled.body), (200, &replaced.body));
    assert_eq!(server.get("/carts/101").await.body["messages"][0]["code"], "not_found");
    let gone = server.post("/carts", &json!({ "line_items": [{ "item": { "id": "3" }, "quantity": 1 }] })).await;
    assert_eq!((gone.status, &gone.body["messages"][0]["code"]), (200, &json!("item_unavailable")));
    assert_eq!((&gone.body["messages"][0]["path"], &gone.body["id"]), (&json!("$.line_items[0]"), &Value::Null));
    server.stop().await;
}

/// A checkout of lines alone.
fn expected_bare() -> Value {
    json!({
        "ucp": ucp_checkout("success"),
        "id": "101",
        "status": "incomplete",
        "currency": "IDR",
        "line_items": [line("101", "1", 4_500, 2), line("102", "2", 6_000, 1)],
        "totals": [
            { "type": "subtotal", "amount": 15_000 },
            { "type": "fulfillment", "amount": 0 },
            { "type": "tax", "amount": 1_700 },
            { "type": "total", "amount": 16_700 },
        ],
        "links": [],
        "messages": [],
    })
}

/// The same with buyer, address and option.
fn expected_ready() -> Value {
    let mut expected = expected_bare();
    let option = json!({ "id": "flat", "title": "Flat rate", "totals": [{ "type": "total", "amount": 900_000 }] });
    let lines = json!(["101", "102"]);
    let group = json!({ "id": "package", "line_item_ids": lines, "options": [option], "selected_option_id": "flat" });
    expected["status"] = json!("ready_for_complete");
    expected["totals"] = totals();
    expected["buyer"] = json!({ "full_name": "Sari", "phone_number": "0812" });
    expected["fulfillment"] = json!({ "methods": [{
        "id": "shipping",
        "type": "shipping",
        "line_item_ids": lines,
        "destinations": [{
            "id": "address",
            "type": "shipping_address",
            "street_address": "Jl. Melati 1",
            "address_locality": "Bandung",
            "postal_code": "40115",
            "address_country": "ID",
        }],
        "selected_destination_id": "address",
        "groups": [group],
    }] });
    expected
}

/// Its order after one unit of the first line was cancelled.
fn expected_order() -> Value {
    let mut first = line("101", "1", 4_500, 2);
    first["quantity"] = json!({ "original": 2, "total": 1, "fulfilled": 0 });
    first["status"] = json!("processing");
    let mut second = line("102", "2", 6_000, 1);
    second["quantity"] = json!({ "original": 1, "total": 1, "fulfilled": 0 });
    second["status"] = json!("processing");
    // 45 + ⌊17 × 45 / 150⌋ = 50.
    let mut adjustment = adjustment("101", -5_000);
    adjustment["line_items"] = json!([{ "id": "101", "quantity": -1 }]);
    json!({
        "ucp": ucp(),
        "id": "101",
        "checkout_id": "101",
        "permalink_url": INVOICE_101,
        "invoice": { "number": "1", "url": INVOICE_101 },
        "currency": "IDR",
        "status": "paid",
        "line_items": [first, second],
        "totals": totals(),
        "fulfillment": { "expectations": [], "events": [] },
        "adjustments": [adjustment],
    })
}

fn adjustment(id: &str, amount: i64) -> Value {
    json!({
        "id": id,
        "type": "cancellation",
        "occurred_at": "2023-11-14T22:13:20Z",
        "status": "completed",
        "totals": [{ "type": "total", "amount": amount }],
    })
}

#[tokio::test]
async fn create_address_option_complete_order_cancel() {
    let server = Server::start().await;
    let bare = server.post("/checkout-sessions", &json!({ "line_items": lines(2) })).await;
    assert_eq!((bare.status, &bare.body), (201, &expected_bare()));
    let updated = server.call(Method::PUT, "/checkout-sessions/101", &ready()).await;
    assert_eq!((updated.status, &updated.body), (200, &expected_ready()));

    let declined = server.post("/checkout-sessions/101/complete", &pay("decline")).await;
    assert_eq!((declined.status, &declined.body["ucp"]), (200, &ucp_checkout("error")));
    assert_eq!(declined.body["messages"][0]["code"], "payment_failed");
    assert_eq!(declined.body["status"], "ready_for_complete");
    let completed = server.post("/checkout-sessions/101/complete", &pay("approve")).await;
    assert_eq!(completed.body["status"], "completed");
    assert_eq!(completed.body["order"], json!({ "id": "101", "permalink_url": INVOICE_101 }));
    assert_eq!(server.get("/checkout-sessions/101").await.body, completed.body);

    let canceled = server.post("/orders/101/cancel", &json!({ "lines": [{ "id": "101", "quantity": 1 }] })).await;
    assert_eq!((canceled.status, &canceled.body), (200, &expected_order()));
    assert_eq!(server.get("/orders/101").await.body, canceled.body);
    let whole = server.post("/orders/101/cancel", &Value::Null).await;
    assert_eq!(whole.body["status"], "cancelled");
    assert_eq!(whole.body["line_items"][0]["status"], "removed");
    assert_eq!(whole.body["adjustments"][1], adjustment("102", -911_700));
    let refunded = server.post("/orders/101/refund", &Value::Null).await;
    assert_eq!(refunded.body["messages"][0]["code"], "order_not_cancellable");
    assert_eq!(refunded.body["status"], "cancelled");
    server.stop().await;
}

#[tokio::test]
async fn a_cart_is_converted_and_what_is_sold_out_is_named() {
    let server = Server::start().await;
    server.post("/carts", &json!({ "line_items": [{ "item": { "id": "1" }, "quantity": 11 }] })).await;
    let mut body = ready();
    body["cart_id"] = json!("101");
    let opened = server.post("/checkout-sessions", &body).await;
    assert_eq!(opened.body["line_items"], json!([line("101", "1", 4_500, 11)]));
    let again = server.post("/checkout-sessions", &body).await;
    assert_eq!((&again.body["id"], again.status), (&opened.body["id"], 201));
    let refused = server.post("/checkout-sessions/101/complete", &pay("approve")).await;
    assert_eq!(
        refused.body["messages"],
        json!([{
            "type": "error",
            "code": "out_of_stock",
            "content": "only 10 left",
            "severity": "recoverable",
            "path": "$.line_items[0]",
        }])
    );
    let canceled = server.post("/checkout-sessions/101/cancel", &Value::Null).await;
    assert_eq!(canceled.body["status"], "canceled");
    let closed = server.call(Method::PUT, "/checkout-sessions/101", &ready()).await;
    assert_eq!(
        (&closed.body["messages"][0]["code"], &closed.body["status"]),
        (&json!("checkout_closed"), &json!("canceled"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_seller_edits_and_history_is_shown_as_decimal_text() {
    let server = Server::start().await;
    let seller = ["idempotency-key: e1", "authorization: Bearer seller-key"];
    let body = r#"{"price": 5000, "stock_delta": -3}"#;
    let edited = server.raw(Method::PUT, "/shops/7/seller/products/1", &seller, body).await;
    assert_eq!(edited.body["product"]["variants"][0]["price"]["amount"], 5_000);
    assert_eq!(edited.body["product"]["variants"][0]["stock"], 7);
    let again = server.raw(Method::PUT, "/shops/7/seller/products/1", &seller, body).await;
    assert_eq!(again.body, edited.body);
    assert_eq!(
        server.get("/orders/C1").await.body,
        json!({
            "ucp": ucp(),
            "id": "C1",
            "permalink_url": INVOICE_C1,
            "invoice": { "number": "C1", "url": INVOICE_C1 },
            "currency": "GBP",
            "status": "history",
            "recorded_total": "-27.50",
            "line_items": [{ "item": { "title": "POSTAGE" }, "quantity": { "original": -1 } }],
            "totals": [],
            "fulfillment": { "expectations": [], "events": [] },
            "adjustments": [],
        })
    );
    server.stop().await;
}
