//! Invoices as people see them: every order has one, whatever became of it; it opens by its link alone, in two
//! languages, on a phone and on paper; and nothing that somebody typed does anything on it.

use crate::Server;
use http::HeaderMap;
use serde_json::{Value, json};
use store::{Import, Imported, Outcome, What};
use testkit::browser::Browser;
use vocab::document::{Node, Record};
use vocab::id::{Epoch, Kind, Origin, PublicId, ShopId, Side};

const EVIL: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&";

/// A checkout of these lines, bought by this buyer, paid; the order as the host sees it.
async fn order(server: &Server, buyer: &str, lines: &[(&str, u32)]) -> Value {
    let lines: Vec<Value> =
        lines.iter().map(|(id, quantity)| json!({ "item": { "id": id }, "quantity": quantity })).collect();
    let address = json!({ "street_address": "Jl. Melati 1", "address_locality": "Bandung", "postal_code": "40115",
        "address_country": "ID" });
    let body = json!({
        "line_items": lines,
        "buyer": { "full_name": buyer, "phone_number": "0812" },
        "fulfillment": { "methods": [{ "destinations": [address], "groups": [{ "selected_option_id": "flat" }] }] },
    });
    let checkout = server.post("/checkout-sessions", &body).await.body;
    let instrument = json!({ "id": "approve", "handler_id": "instant", "type": "instant", "selected": true });
    let path = format!("/checkout-sessions/{}/complete", checkout["id"].as_str().unwrap());
    let done = server.post(&path, &json!({ "payment": { "instruments": [instrument] } })).await.body;
    let order = server.get(&format!("/orders/{}", done["order"]["id"].as_str().unwrap())).await.body;
    assert_eq!(order["permalink_url"], done["order"]["permalink_url"]);
    order
}

fn link(order: &Value) -> String {
    order["invoice"]["url"].as_str().unwrap().to_owned()
}

/// The page, with its spaces made plain.
async fn page(server: &Server, link: &str) -> String {
    let (status, headers, page) = server.open(link, &[]).await;
    assert_eq!((status, said(&headers, "content-type").as_str()), (200, "text/html; charset=utf-8"), "{page}");
    page.replace('\u{a0}', " ")
}

fn said(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[track_caller]
fn says(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "`{word}` is not in {page}");
    }
}

/// More orders of before, as a move brings them: the shop goes home for as long as it takes.
async fn import(server: &Server, items: Vec<Imported>) {
    crate::flip(&server.store, Side::Legacy, 2, 3).await;
    let import = Import { shop: ShopId::parse("7").unwrap(), epoch: Epoch(3), items };
    let outcomes = server.store.import(import).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Applied), "{outcomes:?}");
    crate::flip(&server.store, Side::Backend, 3, 4).await;
}

#[tokio::test]
async fn an_invoice_says_who_sold_what_to_whom_and_what_it_came_to() {
    let server = Server::start().await;
    let first = order(&server, "Sari", &[("1", 2), ("2", 1)]).await;
    assert_eq!(first["invoice"]["number"], "1");
    let second = order(&server, "Budi", &[("1", 1)]).await;
    assert_eq!(second["invoice"]["number"], "2");
    let english = page(&server, &(link(&first) + "&lang=en")).await;
    let expected = [
        "<html lang=\"en\">",
        "Invoice 1",
        "Toko Tujuh",
        "Sari",
        "Jl. Melati 1",
        "40115 Bandung",
        "Barang 1",
        "Rp 45",
        "Rp 90",
        "Rp 150",
        "Rp 9,000",
        "Rp 17",
        "Rp 9,167",
        "15 November 2023, 05:13 WIB",
        "instant",
        "received",
        "Service provided and managed by",
        "Baliklayar",
        "Paid",
    ];
    says(&english, &expected);
    assert!(!english.contains("Given back") && !english.contains("Cancellations"), "{english}");
    let indonesian = page(&server, &link(&first)).await;
    let expected = [
        "<html lang=\"id\">",
        "Faktur 1",
        "Pembeli",
        "Rp 9.167",
        "15 November 2023 pukul 05.13 WIB",
        "Layanan disediakan dan dikelola oleh",
        "Lunas",
        "Ongkos kirim",
        "Pajak",
    ];
    says(&indonesian, &expected);
    let (_, _, preferred) = server.open(&link(&first), &["accept-language: en-GB,id;q=0.5"]).await;
    says(&preferred, &["<html lang=\"en\">", "hreflang=\"id\""]);
    server.stop().await;
}

#[tokio::test]
async fn what_was_cancelled_and_refunded_is_told_as_it_stands() {
    let server = Server::start().await;
    let order = order(&server, "Sari", &[("1", 3)]).await;
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    let one = json!({ "lines": [{ "id": order["line_items"][0]["id"], "quantity": 1 }] });
    server.post(&format!("{path}/refund"), &one).await;
    let refunded = page(&server, &(link(&order) + "&lang=en")).await;
    says(&refunded, &["Refund: 1 × Barang 1", "1 refunded", "Given back", "−Rp 50", "Remains", "Rp 9,100"]);
    server.post(&format!("{path}/cancel"), &Value::Null).await;
    let cancelled = page(&server, &(link(&order) + "&lang=en")).await;
    says(
        &cancelled,
        &["Cancelled (15 November 2023, 05:13 WIB)", "all that was left of the order", "Rp 0", "2 cancelled"],
    );
    says(&page(&server, &link(&order)).await, &["Dibatalkan", "Pembatalan: seluruh sisa pesanan"]);
    server.stop().await;
}

#[tokio::test]
async fn history_and_the_archives_orders_show_the_numbers_that_they_were_found_with() {
    let server = Server::start().await;
    let credit = server.get("/orders/C1").await.body;
    assert_eq!(credit["invoice"]["number"], "C1");
    says(
        &page(&server, &(link(&credit) + "&lang=en")).await,
        &["Invoice C1", "POSTAGE", "GBP -27.50", "shown as it was found"],
    );

    let line = Record::default().with("title", "Kopi").with("quantity", 0).with("unit_price", "15000.00");
    let dirty = Record::default().with("id", "TRX-9").with("invoice", 59).with("currency", "IDR").with("total", "9.00");
    let dirty = dirty.with("placed_at", crate::NOW.0).with("lines", vec![Node::Record(line)]);
    let what = What::History { id: PublicId::new("TRX-9"), why: "totals".into(), document: dirty };
    let history = Imported { kind: Kind::Order, origin: Origin::new("jual:9"), tx: 1, what, made: None };
    import(&server, vec![history, crate::live(Kind::Order, "536365", archived(), vec![])]).await;

    let dirty = server.get("/orders/TRX-9").await.body;
    assert_eq!((&dirty["status"], &dirty["invoice"]["number"]), (&json!("history"), &json!("59")));
    says(&page(&server, &link(&dirty)).await, &["Faktur 59", "TRX-9", "IDR 9.00", "IDR 15000.00", "WIB", "apa adanya"]);
    let archived = server.get("/orders/536365").await.body;
    assert_eq!(archived["invoice"]["number"], "536365");
    let shown = page(&server, &(link(&archived) + "&lang=en")).await;
    says(&shown, &["Invoice 536365", "WHITE LANTERN", "GBP 15.30", "14 November 2023, 22:13 UTC", "Done"]);
    // The older program's numbers are not of the series; history's are.
    assert_eq!(order(&server, "Sari", &[("1", 1)]).await["invoice"]["number"], "60");
    server.stop().await;
}

/// A sale of a program that numbered its invoices otherwise.
fn archived() -> Record {
    let line = Record::default().with("id", "1").with("product", "85123A").with("title", "WHITE LANTERN");
    let line =
        line.with("unit_price", 255).with("quantity", 6).with("cancelled", 0).with("refunded", 0).with("total", 1_530);
    let sums = Record::default().with("subtotal", 1_530).with("shipping", 0).with("tax", 0).with("total", 1_530);
    sums.with("id", "536365")
        .with("state", "done")
        .with("currency", "GBP")
        .with("placed_at", crate::NOW.0)
        .with("lines", vec![Node::Record(line)])
        .with("payments", Vec::new())
        .with("adjustments", Vec::new())
}

#[tokio::test]
async fn only_its_link_and_the_host_open_an_invoice_and_nobody_learns_which_exist() {
    let server = Server::start().await;
    let order = order(&server, "Sari", &[("1", 1)]).await;
    let opened = link(&order);
    let (path, key) = opened.split_once("?key=").unwrap();
    let nobody = server.open(&format!("/shops/7/orders/999/invoice?key={key}"), &[]).await;
    assert_eq!(nobody.0, 404);
    says(&nobody.2, &["Faktur ini tidak ada"]);
    let wrong = [
        path.to_owned(),
        format!("{path}?key="),
        format!("{path}?key={}", &key[1..]),
        format!("{path}?key={}", key.to_uppercase()),
        format!("/shops/8/orders/101/invoice?key={key}"),
        format!("/shops/7/orders/C1/invoice?key={key}"),
    ];
    let undated = |(status, mut headers, page): (u16, HeaderMap, String)| {
        headers.remove("date");
        (status, headers, page)
    };
    let nobody = undated(nobody);
    for path in wrong {
        assert_eq!(undated(server.open(&path, &[]).await), nobody, "{path}");
        assert_eq!(undated(server.open(&path, &["authorization: Bearer seller-key"]).await), nobody, "{path}");
    }
    let host = ["authorization: Bearer host-key"];
    assert_eq!(server.open(path, &host).await.0, 200);
    assert_eq!(undated(server.open("/shops/7/orders/999/invoice", &host).await), nobody);
    server.stop().await;
}

#[tokio::test]
async fn a_page_carries_its_policy_and_its_style_sheet_knows_paper() {
    let server = Server::start().await;
    let order = order(&server, "Sari", &[("1", 1)]).await;
    let (_, headers, page) = server.open(&link(&order), &[]).await;
    let policy = said(&headers, "content-security-policy");
    says(&policy, &["default-src 'none'", "style-src 'self'"]);
    assert!(
        !policy.contains("unsafe") && !page.contains("<style") && !page.contains("style=") && !page.contains("<script")
    );
    let carried = ["referrer-policy", "cache-control", "x-content-type-options"].map(|name| said(&headers, name));
    assert_eq!(carried, ["no-referrer", "private, no-store", "nosniff"]);
    let (status, headers, style) = server.open("/shops/7/assets/invoice.css", &[]).await;
    assert_eq!((status, said(&headers, "content-type").as_str()), (200, "text/css; charset=utf-8"));
    says(&style, &["@media print", "@page { size: A4", "prefers-color-scheme: dark"]);
    assert_eq!(server.open("/shops/7/assets/other.css", &[]).await.0, 404);
    server.stop().await;
}

#[tokio::test]
async fn whatever_a_buyer_or_a_seller_typed_is_text() {
    let server = Server::start().await;
    let mut product = crate::product("66", 10, "active");
    product.set("title", EVIL);
    import(&server, vec![crate::live(Kind::Product, "66", product, vec![(PublicId::new("66"), 5)])]).await;
    let order = order(&server, EVIL, &[("66", 1)]).await;
    let page = page(&server, &link(&order)).await;
    let inert = "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;&quot;'&amp;";
    assert_eq!(page.matches(inert).count(), 2, "{page}");
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_shows_it_on_a_phone_in_the_dark_and_on_paper_without_a_word_of_complaint() {
    let server = Server::start().await;
    let long = "Sarung Tenun Istimewa dari Pegunungan yang Panjang Sekali Namanya";
    let mut product = crate::product("66", 12_345_678, "active");
    product.set("title", long);
    import(&server, vec![crate::live(Kind::Product, "66", product, vec![(PublicId::new("66"), 5)])]).await;
    let order = order(&server, "Sari", &[("66", 3), ("1", 2)]).await;
    let one = json!({ "lines": [{ "id": order["line_items"][1]["id"], "quantity": 1 }] });
    server.post(&format!("/orders/{}/refund", order["id"].as_str().unwrap()), &one).await;
    let url = format!("http://{}{}&lang=en", server.address, link(&order));
    tokio::task::spawn_blocking(move || look(&url)).await.unwrap();
    server.stop().await;
}

fn look(url: &str) {
    let browser = Browser::start();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        for (width, height) in [(320, 700), (768, 1_000), (1_920, 1_080)] {
            browser.resize(width, height);
            browser.open(url);
            browser.until("document.styleSheets.length === 1 && document.querySelector('table.goods')");
            let overflow = "return document.documentElement.scrollWidth - window.innerWidth";
            let over = browser.run(overflow).as_i64().unwrap();
            assert!(over <= 0, "{over} px too wide at {width}");
        }
        let dark = "return getComputedStyle(document.querySelector('.sheet')).backgroundColor";
        assert_eq!(browser.run(dark) == json!("rgb(255, 255, 255)"), scheme == "light");
    }
    assert_eq!(browser.run("return document.querySelectorAll('h1').length"), json!(1));
    let text = browser.text();
    says(&text, &["Invoice 1", "Sarung Tenun", "Sari"]);
    // The other language is one key away, by the same link.
    browser.press("\u{e004}\u{e007}");
    browser.until("document.documentElement.lang === 'id'");
    says(&browser.text(), &["Faktur 1", "Penjual"]);
    assert_eq!(browser.messages(), Vec::<String>::new());
    browser.scheme("dark");
    browser.on_paper();
    let paper = "const of = (name) => getComputedStyle(document.querySelector(name)); \
                 return [of('nav').display, of('.sheet').backgroundColor, of('.sheet').color, of('td.price').display]";
    assert_eq!(browser.run(paper), json!(["none", "rgb(255, 255, 255)", "rgb(26, 31, 36)", "table-cell"]));
}
