//! Invoices of kios: numbers without gaps on both engines, and a page that opens by its link alone.

use crate::kios::{Kios, id, on_both};
use serde_json::{Value, json};

/// All numbers of a shop, lowest first.
async fn numbers(kios: &Kios, shop: i64) -> Vec<i64> {
    let sql = format!("select faktur from jual where toko_id = {shop} order by faktur");
    kios.column(&sql).await.into_iter().map(|number| number.parse().unwrap()).collect()
}

fn one_to(last: i64) -> Vec<i64> {
    (1..=last).collect()
}

/// Status, head and text of what a browser gets, without the time at which it was said.
async fn open(kios: &Kios, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let answer = kios.send("GET", path, headers, "").await;
    let head: Vec<&str> = answer.head.lines().filter(|line| !line.starts_with("date:")).collect();
    (answer.status, head.join("\n"), answer.text)
}

fn link(order: &Value) -> String {
    assert_eq!(order["permalink_url"], order["invoice"]["url"]);
    order["permalink_url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_past_of_every_shop_is_numbered_as_it_was_placed() {
    on_both(async |kios| {
        for shop in [1, 2] {
            assert_eq!(numbers(kios, shop).await, one_to(60));
            let sql = format!("select tgl from jual where toko_id = {shop} order by faktur");
            assert!(kios.column(&sql).await.is_sorted());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_paying_at_once_and_some_of_them_declined_leave_one_to_n() {
    on_both(async |kios| {
        let products = kios.on_sale(1).await;
        let mut checkouts = Vec::new();
        for n in 0..60 {
            // In either order, so that locks are met from both ends.
            let (a, b) = if n % 2 == 0 { (0, 1) } else { (1, 0) };
            checkouts.push(id(&kios.ready_checkout(1, &[(&products[a], 1), (&products[b], 1)]).await));
        }
        let choice = |n: usize| if n % 6 == 5 { "decline" } else { "approve" };
        let buying = checkouts.iter().enumerate().map(|(n, checkout)| kios.complete(1, checkout, choice(n)));
        let answers = futures_util::future::join_all(buying).await;
        let sold = answers.iter().filter(|answer| answer.body["status"] == "completed").count();
        assert_eq!((sold, numbers(kios, 1).await, numbers(kios, 2).await), (50, one_to(110), one_to(60)));
        // Whoever was declined pays in the end, and gets the number that is next then.
        let done = kios.complete(1, &checkouts[5], "approve").await.ok(200);
        let order = kios.get(&format!("1/orders/{}", id(&done["order"]))).await.ok(200);
        assert_eq!(order["invoice"]["number"], "111");
        assert_eq!(done["order"]["permalink_url"], link(&order));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_opens_by_its_link_and_by_nothing_that_can_be_guessed() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let order = kios.paid_order(1, &[(&product, 2)]).await;
        let (link, nomor) = (link(&order), id(&order));
        let (status, head, page) = open(kios, &link, &[]).await;
        assert_eq!(status, 200, "{page}");
        for said in ["content-type: text/html", "default-src 'none'", "no-referrer", "no-store"] {
            assert!(head.contains(said), "{said} is not in {head}");
        }
        assert!(!head.contains("unsafe-inline") && !page.contains("<style") && !page.contains("<script"), "{page}");
        for said in ["Faktur 61", &nomor, "Rina Halim", "Jl. Braga 5", "dikelola oleh kios", "IDR ", "lunas"] {
            assert!(page.contains(said), "{said} is not in {page}");
        }
        let (path, key) = link.split_once("?key=").unwrap();
        let (_, nobody, no_page) = open(kios, &format!("/shops/1/orders/TRX-9999999/invoice?key={key}"), &[]).await;
        let shorter = &key[..31];
        for wrong in
            [path.to_owned(), format!("{path}?key="), format!("{path}?key={shorter}"), format!("{path}?key={shorter}g")]
        {
            assert_eq!(open(kios, &wrong, &[]).await, (404, nobody.clone(), no_page.clone()), "{wrong}");
        }
        // The host may look without a link, as it may look at the order.
        let bearer = format!("Bearer {}", crate::kios::HOST);
        assert_eq!(open(kios, path, &[("authorization", &bearer)]).await.0, 200);
        assert_eq!(open(kios, "/shops/1/orders/none/invoice", &[("authorization", &bearer)]).await.0, 404);
        let (status, head, style) = open(kios, "/shops/1/assets/faktur.css", &[]).await;
        assert!(status == 200 && head.contains("text/css") && style.contains("@media print"), "{head}");
        assert_eq!(open(kios, "/shops/1/assets/other.css", &[]).await.0, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_speaks_two_languages_and_tells_what_came_back() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let order = kios.paid_order(1, &[(&product, 3)]).await;
        let nomor = id(&order);
        let line = id(&order["line_items"][0]);
        let back = |units: i64| json!({"lines": [{"id": line, "quantity": units}]});
        kios.post(&format!("1/orders/{nomor}/refund"), back(1)).await.ok(200);
        let english = open(kios, &(link(&order) + "&lang=en"), &[("accept-language", "id")]).await.2;
        for said in ["Invoice 61", "Refund: IDR -", "Buyer", "managed by kios", "lang=\"en\""] {
            assert!(english.contains(said), "{said} is not in {english}");
        }
        kios.post(&format!("1/orders/{nomor}/cancel"), json!({})).await.ok(200);
        let page = open(kios, &link(&order), &[("accept-language", "id-ID,en;q=0.5")]).await.2;
        for said in ["Pembatalan: IDR -", "Pengembalian dana: IDR -", "batal, ", "lang=\"id\""] {
            assert!(page.contains(said), "{said} is not in {page}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_products_and_buyers_are_text_and_nothing_else() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let evil = "<script>alert(1)</script>\" onx=''&";
        kios.script(&format!("update produk set nama = '{}' where id = {product}", evil.replace('\'', "''"))).await;
        let mut body = crate::kios::filled_in();
        body["buyer"]["full_name"] = json!(evil);
        body["line_items"] = crate::kios::line_items(&[(&product, 1)]);
        let checkout = kios.post("1/checkout-sessions", body).await.ok(201);
        let done = kios.complete(1, &id(&checkout), "approve").await.ok(200);
        let page = open(kios, done["order"]["permalink_url"].as_str().unwrap(), &[]).await.2;
        let inert = "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onx=&#39;&#39;&amp;";
        assert_eq!((page.matches(inert).count(), page.contains("<script")), (2, false), "{page}");
    })
    .await;
}
