//! From looking at the shelf to an order, and what is refused on the way.

use crate::kios::{amount, filled_in, id, line_items, on_both, payment};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shopper_looks_fills_a_cart_and_buys() {
    on_both(async |kios| {
        let products = kios.on_sale(1).await;
        assert_eq!(products.len(), 23);
        let (a, b) = (products[0].as_str(), products[1].as_str());
        let views = kios.one(&format!("select dilihat from produk where id = {a}")).await;
        let seen = kios.ask("1/catalog/product", json!({"id": a})).await.ok(200);
        assert_eq!(seen["product"]["variants"][0]["availability"]["available"], true);
        let more = kios.one(&format!("select dilihat from produk where id = {a}")).await;
        assert_eq!(more.parse::<i64>().unwrap(), views.parse::<i64>().unwrap() + 1);

        let cart = kios.post("1/carts", json!({"line_items": line_items(&[(a, 2), (b, 1)])})).await.ok(201);
        let cart_id = id(&cart);
        assert_eq!(kios.get(&format!("1/carts/{cart_id}")).await.ok(200), cart);
        let kept = id(&cart["line_items"][1]);
        let body = json!({"line_items": line_items(&[(b, 3)])});
        let changed = kios.put(&format!("1/carts/{cart_id}"), body).await.ok(200);
        assert_eq!((id(&changed["line_items"][0]), changed["line_items"].as_array().unwrap().len()), (kept, 1));

        let checkout = kios.post("1/checkout-sessions", json!({"cart_id": cart_id})).await.ok(201);
        let again = kios.post("1/checkout-sessions", json!({"cart_id": cart_id})).await.ok(201);
        assert_eq!(id(&checkout), id(&again));
        assert_eq!(checkout["status"], "incomplete");
        let path = format!("1/checkout-sessions/{}", id(&checkout));
        kios.post(&format!("{path}/complete"), payment("approve")).await.refused("checkout_incomplete");
        let mut body = filled_in();
        body["line_items"] = line_items(&[(b, 3)]);
        let ready = kios.put(&path, body).await.ok(200);
        assert_eq!((ready["status"].as_str(), &ready["messages"]), (Some("ready_for_complete"), &json!([])));
        assert!(amount(&ready, "fulfillment") > 0);
        let sum = amount(&ready, "subtotal") + amount(&ready, "fulfillment") + amount(&ready, "tax");
        assert_eq!(sum, amount(&ready, "total"));

        let stock = kios.stock(b).await;
        let declined = kios.post(&format!("{path}/complete"), payment("decline")).await.refused("payment_failed");
        assert_eq!(declined["status"], "ready_for_complete");
        let done = kios.post(&format!("{path}/complete"), payment("approve")).await.ok(200);
        assert_eq!((done["status"].as_str(), kios.stock(b).await), (Some("completed"), stock - 3));
        let order_id = id(&done["order"]);
        assert!(order_id.starts_with("TRX-") && order_id.len() == 11, "{order_id}");
        let order = kios.get(&format!("1/orders/{order_id}")).await.ok(200);
        assert_eq!((order["status"].as_str(), &order["totals"]), (Some("paid"), &ready["totals"]));
        assert_eq!(order["checkout_id"], checkout["id"]);
        // Completing once more changes nothing.
        let twice = kios.complete(1, &id(&checkout), "approve").await.ok(200);
        assert_eq!((id(&twice["order"]), kios.stock(b).await), (order_id.clone(), stock - 3));
        kios.get(&format!("1/carts/{cart_id}")).await.refused("not_found");
        let rows = "select count(*) from jual_detil d join jual j on j.id = d.jual_id where j.nomor";
        assert_eq!(kios.one(&format!("{rows} = '{order_id}'")).await, "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_says_what_it_was_and_is_gone() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let cart = kios.post("1/carts", json!({"line_items": line_items(&[(&product, 1)])})).await.ok(201);
        let path = format!("1/carts/{}", id(&cart));
        assert_eq!(kios.post(&format!("{path}/cancel"), json!({})).await.ok(200), cart);
        kios.get(&path).await.refused("not_found");
        kios.post(&format!("{path}/cancel"), json!({})).await.refused("not_found");

        let old = kios.post("1/carts", json!({"line_items": line_items(&[(&product, 1)])})).await.ok(201);
        let yesterday = "update keranjang set diubah = '2020-01-01 00:00:00' where id";
        kios.script(&format!("{yesterday} = {}", id(&old))).await;
        kios.get(&format!("1/carts/{}", id(&old))).await.refused("not_found");

        let checkout = kios.ready_checkout(1, &[(&product, 1)]).await;
        let path = format!("1/checkout-sessions/{}", id(&checkout));
        let canceled = kios.post(&format!("{path}/cancel"), json!({})).await.ok(200);
        assert_eq!(canceled["status"], "canceled");
        let refused = kios.complete(1, &id(&checkout), "approve").await.refused("checkout_closed");
        assert_eq!(refused["status"], "canceled");
        assert_eq!(kios.get(&path).await.ok(200), canceled);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_shown_is_what_is_paid_until_somebody_updates() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(2);
        let checkout = kios.ready_checkout(1, &[(&product, 2)]).await;
        let old = amount(&checkout, "total");
        kios.edit(&format!("1/seller/products/{product}"), json!({"price": 7_777_700})).await.ok(200);
        let path = format!("1/checkout-sessions/{}", id(&checkout));
        assert_eq!(amount(&kios.get(&path).await.ok(200), "total"), old);
        let mut body = filled_in();
        body["line_items"] = line_items(&[(&product, 2)]);
        let updated = kios.put(&path, body.clone()).await.ok(200);
        assert_eq!(
            (amount(&updated, "subtotal"), &updated["messages"][0]["code"]),
            (15_555_400, &json!("price_changed"))
        );
        let quiet = kios.put(&path, body).await.ok(200);
        assert_eq!(quiet["messages"], json!([]));

        let frozen = kios.ready_checkout(1, &[(&product, 1)]).await;
        kios.edit(&format!("1/seller/products/{product}"), json!({"price": 100})).await.ok(200);
        let done = kios.complete(1, &id(&frozen), "approve").await.ok(200);
        assert_eq!(done["totals"], frozen["totals"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_sale_cannot_be_taken() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let withdrawn = kios.one("select id from produk where toko_id = 1 and aktif = 'T'").await;
        let deleted = kios.one("select id from produk where toko_id = 1 and hapus = 1").await;
        let others = kios.on_sale(2).await.remove(0);
        for gone in [&withdrawn, &deleted, &others, "no-number"] {
            let lines = json!({"line_items": line_items(&[(&product, 1), (gone, 1)])});
            let refused = kios.post("1/carts", lines.clone()).await.refused("item_unavailable");
            assert_eq!(refused["messages"][0]["path"], "$.line_items[1]");
            kios.post("1/checkout-sessions", lines).await.refused("item_unavailable");
        }
        let ids = json!({"ids": [withdrawn, deleted, product, product]});
        let found = kios.ask("1/catalog/lookup", ids).await.ok(200);
        let shown: Vec<_> = found["products"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(shown, [withdrawn.clone(), product.clone()]);
        assert_eq!(found["products"][0]["variants"][0]["availability"]["available"], false);
        assert_eq!(found["products"][1]["variants"][0]["inputs"], json!([{"id": product, "match": "exact"}]));
        assert_eq!(found["messages"][0]["code"], "not_found");
        kios.ask("1/catalog/product", json!({"id": deleted})).await.refused("not_found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_comes_in_pages() {
    on_both(async |kios| {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..10 {
            let mut body = json!({"pagination": {"limit": 9}});
            if let Some(cursor) = &cursor {
                body["pagination"]["cursor"] = json!(cursor);
            }
            let page = kios.ask("2/catalog/search", body).await.ok(200);
            seen.extend(page["products"].as_array().unwrap().iter().map(id));
            cursor = page["pagination"]["cursor"].as_str().map(ToOwned::to_owned);
            assert_eq!(cursor.is_some(), page["pagination"]["has_next_page"] == true);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, kios.on_sale(2).await);
        let found = kios.ask("2/catalog/search", json!({"query": "kOPI"})).await.ok(200);
        let titles = found["products"].as_array().unwrap().iter().map(|product| product["title"].as_str().unwrap());
        assert!(titles.clone().count() > 0 && titles.clone().all(|title| title.contains("Kopi")));
        assert_eq!(kios.ask("2/catalog/search", json!({"query": "100%"})).await.ok(200)["products"], json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_request_is_told_what_is_wrong() {
    on_both(async |kios| {
        let order = "TRX-0000001";
        let key = [("idempotency-key", "k")];
        let cases = [
            (kios.send("GET", "/nowhere", &[], "").await, (404, "not_found")),
            (kios.send("GET", "/shops/77/carts/1", &[], "").await, (404, "not_found")),
            (kios.send("PATCH", "/shops/1/carts/1", &[], "").await, (404, "not_found")),
            (kios.send("GET", &format!("/shops/1/orders/{order}"), &[], "").await, (401, "unauthorized")),
            (kios.send("PUT", "/shops/1/seller/products/1", &key, "{}").await, (401, "unauthorized")),
            (kios.send("POST", "/shops/1/carts", &[], "{}").await, (400, "idempotency_key_missing")),
            (kios.send("POST", "/shops/1/carts", &key, "{nonsense").await, (400, "invalid_request")),
            (kios.send("POST", "/shops/1/carts", &key, r#"{"line_items":[]}"#).await, (400, "invalid_request")),
            (kios.send("POST", "/shops/1/carts", &key, &"x".repeat(300_000)).await, (413, "payload_too_large")),
            (kios.ask("1/catalog/lookup", json!({"ids": vec!["1"; 51]})).await, (400, "request_too_large")),
            (kios.edit("1/seller/products/1", json!({})).await, (400, "invalid_request")),
        ];
        for (answer, (status, code)) in cases {
            assert_eq!(answer.failed(), (status, code.to_owned()));
        }
        let line = json!({"item": {"id": "1"}, "quantity": 0});
        let (status, _) = kios.post("1/carts", json!({"line_items": [line]})).await.failed();
        assert_eq!(status, 400);
        for path in ["1/carts/999999", "1/checkout-sessions/x", "1/orders/TRX-9999999", "2/orders/TRX-0000001"] {
            kios.get(path).await.refused("not_found");
        }
    })
    .await;
}
