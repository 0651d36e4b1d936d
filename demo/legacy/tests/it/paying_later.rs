//! A buyer who pays minutes later: a code, the money, one order; or none, and everything as it was.

use crate::kios::{Answer, Kios, filled_in, id, line_items, paying_later, paying_later_on_postgres, payment};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(40);

/// A checkout of so many of the first product, and the page where it is paid.
pub struct Buying {
    pub id: String,
    pub product: String,
    pub page: String,
    pub stock: i64,
}

pub fn on_page() -> Value {
    json!({"payment": {"instruments": [{"id": "x", "handler_id": "pay", "selected": true}]}})
}

pub async fn buying(kios: &Kios, units: i64) -> Buying {
    let product = kios.on_sale(1).await.remove(0);
    let stock = kios.stock(&product).await;
    let checkout = kios.ready_checkout(1, &[(&product, units)]).await;
    let id = id(&checkout);
    let done = kios.post(&format!("1/checkout-sessions/{id}/complete"), on_page()).await.ok(200);
    assert_eq!(done["status"], "requires_escalation");
    let message = &done["messages"][0];
    assert_eq!((&message["code"], &message["severity"]), (&json!("payment_on_page"), &json!("requires_buyer_input")));
    let page = done["continue_url"].as_str().unwrap().to_owned();
    Buying { id, product, page, stock }
}

impl Buying {
    pub async fn choose(&self, kios: &Kios, form: &str) -> Answer {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        kios.send("POST", &self.page, &[kind], form).await
    }

    /// Chooses, and waits until there is something to pay with.
    pub async fn code(&self, kios: &Kios, method: &str) -> String {
        self.choose(kios, &format!("method={method}")).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.shown(kios).await;
            if page.contains("class=\"code\"") {
                return page;
            }
            assert!(Instant::now() < deadline, "no code: {page}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn shown(&self, kios: &Kios) -> String {
        kios.send("GET", &self.page, &[], "").await.text
    }

    pub async fn checkout(&self, kios: &Kios) -> Value {
        kios.get(&format!("1/checkout-sessions/{}", self.id)).await.ok(200)
    }

    /// Waits until the checkout has this status.
    pub async fn until(&self, kios: &Kios, status: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let checkout = self.checkout(kios).await;
            if checkout["status"] == status {
                return checkout;
            }
            assert!(Instant::now() < deadline, "{status} never came: {checkout}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Waits until the first cell says so.
pub async fn until(kios: &Kios, sql: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Some words are filled up with blanks.
        let found = kios.column(sql).await.join(" ");
        if found.trim_end() == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {found}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn tries(kios: &Kios) -> Vec<String> {
    let sql = "select rujukan, cara, status from pesanan_coba order by pesanan_id, ke";
    kios.rows(sql).await.into_iter().map(|row| row.iter().map(|it| it.trim()).collect::<Vec<_>>().join(" ")).collect()
}

pub async fn refunds(kios: &Kios) -> Vec<String> {
    let sql = "select kunci, sebab, status from pesanan_balik order by pesanan_id, urut";
    kios.rows(sql).await.into_iter().map(|row| row.iter().map(|it| it.trim()).collect::<Vec<_>>().join(" ")).collect()
}

async fn a_code_is_paid_and_there_is_one_order(kios: &Kios) {
    let buying = buying(kios, 2).await;
    assert_eq!(kios.stock(&buying.product).await, buying.stock, "a choice begins nothing");
    let page = buying.choose(kios, "method=virtual_account").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("no-store") && page.head.contains("frame-ancestors 'none'"), "{}", page.head);
    let shown = buying.code(kios, "virtual_account").await;
    let number = shown.split_once("<p class=\"number\">").unwrap().1.split_once('<').unwrap().0.replace(' ', "");
    assert!(shown.contains(&format!("<div class=\"code\" data-code=\"{number}\">")), "{shown}");
    assert_eq!(kios.loket().book("charge").await[0]["code"], number);
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 2);
    let waiting = buying.checkout(kios).await;
    assert_eq!((&waiting["status"], &waiting["continue_url"]), (&json!("complete_in_progress"), &json!(buying.page)));
    let nomor = kios.one("select nomor from pesanan").await;
    assert!(shown.contains(&format!("<strong class=\"order\">{nomor}</strong>")));
    // Somebody else buys meanwhile, at once, and gets another number.
    let other = kios.paid_order(1, &[(&buying.product, 1)]).await;
    assert_ne!(id(&other), nomor);
    let mut content = filled_in();
    content["line_items"] = line_items(&[(&buying.product, 1)]);
    kios.put(&format!("1/checkout-sessions/{}", buying.id), content).await.refused("checkout_in_progress");
    assert!(kios.complete(1, &buying.id, "approve").await.refused("checkout_in_progress")["order"].is_null());

    kios.loket().pay("KIOS-1-1").await;
    let done = buying.until(kios, "completed").await;
    assert_eq!(done["order"]["id"], nomor);
    assert!(done.get("continue_url").is_none());
    let order = kios.get(&format!("1/orders/{nomor}")).await.ok(200);
    assert_eq!((&order["status"], &order["checkout_id"]), (&json!("paid"), &json!(buying.id)));
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 3);
    let paid = "select b.cara || ' ' || b.rujukan || ' ' || b.pesanan_id || ' ' || (b.jumlah = j.total) from bayar b \
                join jual j on j.id = b.jual_id where j.nomor";
    let said = kios.one(&format!("{paid} = '{nomor}'")).await;
    assert!(said.starts_with("virtual_account KIOS-1-1 1 "), "{said}");
    let left = kios.rows("select jual_nomor, akhir, telat from pesanan").await;
    assert_eq!(left, [[nomor.as_str(), "-", "0"]]);
    assert_eq!(kios.one("select count(*) from transaksi where pesanan_id is not null").await, "0");
    assert_eq!(tries(kios).await, ["KIOS-1-1 VA LUNAS"]);
    assert!(buying.shown(kios).await.contains(&nomor));
    assert_eq!(kios.one(&format!("select count(*) from jual where transaksi_id = {}", buying.id)).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_issued_and_paid_and_there_is_one_order() {
    a_code_is_paid_and_there_is_one_order(&paying_later().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_postgres() {
    a_code_is_paid_and_there_is_one_order(&paying_later_on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_may_not_do_is_refused() {
    let kios = paying_later().await;
    let product = kios.on_sale(1).await.remove(0);
    let bare = kios.post("1/checkout-sessions", json!({"line_items": line_items(&[(&product, 1)])})).await.ok(201);
    let complete = format!("1/checkout-sessions/{}/complete", id(&bare));
    kios.post(&complete, on_page()).await.refused("checkout_incomplete");
    let ready = kios.ready_checkout(1, &[(&product, 1)]).await;
    let handlers = &ready["ucp"]["payment_handlers"]["dev.baliklayar.pay"][0];
    assert_eq!((&handlers["id"], handlers["available_instruments"].as_array().unwrap().len()), (&json!("pay"), 3));
    let complete = format!("1/checkout-sessions/{}/complete", id(&ready));
    let mut with_card = payment("approve");
    with_card["payment"]["instruments"][0]["credential"] = json!({"token": "tok_visa"});
    let refused = kios.post(&complete, with_card).await.refused("payment_failed");
    assert_eq!(refused["messages"][0]["path"], "$.payment.instruments[0].credential");
    let mut other = payment("approve");
    other["payment"]["instruments"][0]["handler_id"] = json!("barter");
    assert_eq!(kios.post(&complete, other).await.failed(), (400, "invalid_request".to_owned()));
    kios.post(&complete, payment("approve")).await.ok(200);
    assert_eq!(kios.post(&complete, on_page()).await.ok(200)["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_key_of_its_link_there_is_no_page() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    let (path, key) = buying.page.split_once("?key=").unwrap();
    for wrong in [path.to_owned(), format!("{path}?key={}0", &key[1..]), buying.page.replace("/shops/1/", "/shops/2/")]
    {
        for method in ["GET", "POST"] {
            let answer = kios.send(method, &wrong, &[], "method=qr").await;
            assert_eq!(answer.status, 404, "{method} {wrong}");
        }
    }
    assert_eq!(kios.send("GET", &format!("{path}/state?key=x"), &[], "").await.status, 404);
    let state = async || kios.send("GET", &format!("{path}/state?key={key}"), &[], "").await.text;
    let before = state().await;
    assert!(buying.shown(&kios).await.contains(&format!("data-mark=\"{before}\"")));
    assert!(buying.code(&kios, "wallet").await.contains("<a class=\"button\" href=\"http://"));
    assert_ne!(state().await, before);
    assert_eq!(buying.choose(&kios, "method=barter").await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn said_twice_at_once_it_is_one_code() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    let both = (0..8).map(|_| buying.choose(&kios, "method=qr"));
    for answer in futures_util::future::join_all(both).await {
        assert_eq!(answer.status, 200);
    }
    assert!(buying.code(&kios, "qr").await.contains("<svg class=\"qr\""));
    assert_eq!(tries(&kios).await, ["KIOS-1-1 QRIS TUNGGU"]);
    assert_eq!(kios.loket().book("charge").await.len(), 1);
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_way_to_pay_ends_the_code_before_it() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "virtual_account").await;
    buying.code(&kios, "wallet").await;
    until(&kios, "select count(*) from pesanan_coba where status = 'TUNGGU'", "1").await;
    assert_eq!(tries(&kios).await, ["KIOS-1-1 VA MATI", "KIOS-1-2 DOMPET TUNGGU"]);
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 1);
    let states: Vec<Value> = kios.loket().book("charge").await.iter().map(|it| it["status"].clone()).collect();
    assert_eq!(states, ["expired", "pending"]);
    // The first one is paid after all, by somebody who was quick: then nobody is to pay the second.
    kios.loket().pay("KIOS-1-1").await;
    buying.until(&kios, "completed").await;
    until(&kios, "select status from pesanan_coba where ke = 2", "MATI").await;
    assert_eq!(refunds(&kios).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qris_is_for_ten_million_at_most() {
    let kios = paying_later().await;
    let product = kios.on_sale(1).await.remove(0);
    kios.edit(&format!("1/seller/products/{product}"), json!({"price": 1_100_000_000})).await.ok(200);
    let buying = buying(&kios, 1).await;
    let page = buying.shown(&kios).await;
    assert!(!page.contains("value=\"qr\"") && page.contains("value=\"wallet\""));
    assert!(buying.choose(&kios, "method=qr").await.text.contains("role=\"alert\""));
    assert_eq!(kios.one("select count(*) from pesanan").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_paid_in_time_is_open_again_and_its_money_goes_back() {
    let kios = paying_later().await;
    let buying = buying(&kios, 3).await;
    buying.code(&kios, "qr").await;
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 3);
    kios.script("update pesanan set batas = '2020-01-01 00:00:00'").await;
    let open = buying.until(&kios, "ready_for_complete").await;
    assert_eq!(open["messages"][0]["code"], "payment_failed");
    assert_eq!(kios.stock(&buying.product).await, buying.stock);
    let ended = kios.rows("select akhir, jual_nomor, telat from pesanan").await;
    assert_eq!(ended, [["HANGUS", "-", "0"]]);
    assert_eq!(tries(&kios).await, ["KIOS-1-1 QRIS MATI"]);
    // Paid after the end.
    kios.loket().pay("KIOS-1-1").await;
    until(&kios, "select telat from pesanan", "1").await;
    until(&kios, "select status from pesanan_balik", "KIRIM").await;
    assert_eq!(refunds(&kios).await, ["KIOS-1-r1 AKHIR KIRIM"]);
    assert_eq!(kios.loket().book("refund").await.len(), 1);
    // It is begun anew with a number of its own; a change by the host forgets what was.
    buying.code(&kios, "qr").await;
    let numbers = kios.column("select distinct nomor from pesanan").await;
    assert_eq!(numbers.len(), 2);
    kios.loket().pay("KIOS-2-1").await;
    let done = buying.until(&kios, "completed").await;
    assert!(numbers.contains(&id(&done["order"])));
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_canceled_while_a_code_is_out_ends_when_the_code_is_over() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "virtual_account").await;
    let path = format!("1/checkout-sessions/{}/cancel", buying.id);
    let said = kios.post(&path, json!({})).await.ok(200);
    assert_eq!(
        (&said["status"], &said["messages"][0]["code"]),
        (&json!("complete_in_progress"), &json!("being_canceled"))
    );
    let canceled = buying.until(&kios, "canceled").await;
    assert_eq!(canceled["messages"], json!([]));
    assert_eq!(kios.stock(&buying.product).await, buying.stock);
    assert_eq!(kios.rows("select akhir from pesanan").await, [["BATAL"]]);
    assert_eq!(kios.loket().book("charge").await[0]["status"], "expired");
    kios.post(&path, json!({})).await.refused("checkout_closed");
    // A transfer that was on its way has no way back but by an account; and of it the provider keeps a fee.
    kios.loket().control("top-up", &json!({"amount": 1_000_000})).await;
    kios.loket().pay("KIOS-1-1").await;
    until(&kios, "select status from pesanan_balik", "REK").await;
    assert_eq!(buying.checkout(&kios).await["continue_url"], json!(buying.page));
    assert!(buying.choose(&kios, "account=014").await.text.contains("role=\"alert\""));
    let sent = buying.choose(&kios, "account=BCA+014+123+Rina").await;
    assert_eq!(sent.status, 303);
    assert_eq!(kios.one("select rekening from pesanan_balik").await, "BCA 014 123 Rina");
    until(&kios, "select status from pesanan_balik", "KIRIM").await;
    assert!(!buying.shown(&kios).await.contains("name=\"account\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_order_gives_back_goes_by_the_rail_or_to_an_account() {
    let kios = paying_later().await;
    kios.loket().control("top-up", &json!({"amount": 10_000_000})).await;
    for (method, states) in [("qr", ["CATAT", "TERIMA"]), ("virtual_account", ["REK", "REK"])] {
        let buying = buying(&kios, 2).await;
        buying.code(&kios, method).await;
        let reference = tries(&kios).await.last().unwrap().split_once(' ').unwrap().0.to_owned();
        kios.loket().pay(&reference).await;
        let done = buying.until(&kios, "completed").await;
        let order = format!("1/orders/{}", id(&done["order"]));
        let line = id(&kios.get(&order).await.ok(200)["line_items"][0]);
        let part = json!({"lines": [{"id": line, "quantity": 1}]});
        let given = kios.post(&format!("{order}/cancel"), part).await.ok(200);
        assert_eq!(given["adjustments"][0]["status"], "pending");
        let pending = kios.one("select max(id) from pesanan").await;
        let last = format!("select status from pesanan_balik where pesanan_id = {pending}");
        assert!(states.contains(&kios.one(&last).await.trim()) || kios.one(&last).await.trim() == "KIRIM");
        if method == "virtual_account" {
            assert_eq!(buying.choose(&kios, "account=BCA+1234567").await.status, 303);
        }
        until(&kios, &last, "KIRIM").await;
        let back =
            kios.rows(&format!("select ke, sebab, jumlah from pesanan_balik where pesanan_id = {pending}")).await;
        let whose = if method == "qr" { "1" } else { "-" };
        let amount = kios.one(&format!("select dikembalikan from pesanan where id = {pending}")).await;
        assert_eq!(back, [[whose, "RETUR", amount.as_str()]]);
        let there = kios.get(&order).await.ok(200);
        assert_eq!(there["adjustments"][0]["status"], "completed");
        // The rest, as a refund.
        let rest = kios.post(&format!("{order}/refund"), json!({})).await.ok(200);
        let states: Vec<&str> =
            rest["adjustments"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["completed", "pending"]);
        let whole = format!("select dikembalikan || (dikembalikan = jumlah) from pesanan where id = {pending}");
        assert!(matches!(kios.one(&whole).await.rsplit_once(".00").unwrap().1, "1" | "true"));
    }
}
