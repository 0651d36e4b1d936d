//! The provider is silent, slow or wrong, money comes twice, the shop has been moved away: nothing is lost and nothing is
//! done twice.

use crate::kios::{Kios, paying_later, paying_later_on_postgres};
use crate::paying_later::{buying, refunds, tries, until};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_asked_for_under_the_same_reference() {
    for (what, charges) in [("lost_after", 1), ("garbage", 1), ("error_before", 1), ("in_progress", 1)] {
        let kios = paying_later().await;
        let buying = buying(&kios, 1).await;
        kios.loket().fault("charge", 1, what).await;
        let page = buying.choose(&kios, "method=virtual_account").await;
        assert!(page.text.contains("class=\"checking\""), "{what}: {}", page.text);
        // Said again, and in another way, it is the same.
        buying.choose(&kios, "method=virtual_account").await;
        assert!(buying.choose(&kios, "method=wallet").await.text.contains("role=\"alert\""));
        until(&kios, "select status from pesanan_coba", "TUNGGU").await;
        assert_eq!(tries(&kios).await, ["KIOS-1-1 VA TUNGGU"], "{what}");
        assert_eq!(kios.loket().book("charge").await.len(), charges, "{what}");
        kios.loket().pay("KIOS-1-1").await;
        buying.until(&kios, "completed").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_goes_on_where_the_old_one_was() {
    let mut kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    kios.loket().fault("charge", 1, "lost_before").await;
    buying.choose(&kios, "method=qr").await;
    kios.restart().await;
    until(&kios, "select status from pesanan_coba", "TUNGGU").await;
    assert_eq!(kios.loket().asked("charge").await, 2);
    assert_eq!(kios.loket().book("charge").await.len(), 1);
    // And a notice that nobody heard keeps nobody waiting.
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().pay("KIOS-1-1").await;
    kios.restart().await;
    buying.until(&kios, "completed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paid_twice_goes_back_once() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "qr").await;
    kios.loket().pay("KIOS-1-1").await;
    kios.loket().fault("refund", 1, "lost_after").await;
    kios.loket().pay("KIOS-1-1").await;
    buying.until(&kios, "completed").await;
    until(&kios, "select status from pesanan_balik", "KIRIM").await;
    assert_eq!(refunds(&kios).await, ["KIOS-1-r1 LEBIH KIRIM"]);
    let back = kios.loket().book("refund").await;
    assert_eq!((back.len(), back[0]["status"].as_str()), (1, Some("confirmed")));
    let sums = kios.rows(
        "select u.jumlah = p.jumlah, b.jumlah = p.jumlah from pesanan p \
                          join pesanan_uang u on u.pesanan_id = p.id join pesanan_balik b on b.pesanan_id = p.id",
    );
    assert_eq!(sums.await, [["1", "1"], ["1", "1"]]);
    assert_eq!(kios.stock(&buying.product).await, buying.stock - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_kept_until_the_rest_is_there_or_goes_back_with_the_end() {
    let kios = paying_later().await;
    let one = buying(&kios, 1).await;
    one.code(&kios, "wallet").await;
    kios.loket().control("pay", &json!({"reference": "KIOS-1-1", "amount": 1})).await;
    until(&kios, "select count(*) from pesanan_uang", "1").await;
    assert!(one.shown(&kios).await.contains("IDR 1.00"));
    one.code(&kios, "virtual_account").await;
    assert_eq!(tries(&kios).await, ["KIOS-1-1 DOMPET MATI", "KIOS-1-2 VA TUNGGU"]);
    kios.loket().pay("KIOS-1-2").await;
    one.until(&kios, "completed").await;
    assert_eq!(refunds(&kios).await, [""; 0]);
    assert_eq!(
        kios.one("select cara || ' ' || rujukan from bayar where pesanan_id = 1").await,
        "virtual_account KIOS-1-2"
    );

    let other = buying(&kios, 1).await;
    other.code(&kios, "qr").await;
    kios.loket().control("pay", &json!({"reference": "KIOS-2-1", "amount": 7})).await;
    until(&kios, "select count(*) from pesanan_uang where pesanan_id = 2", "1").await;
    kios.script("update pesanan set batas = '2020-01-01 00:00:00' where id = 2").await;
    other.until(&kios, "ready_for_complete").await;
    until(&kios, "select status from pesanan_balik", "KIRIM").await;
    assert_eq!(refunds(&kios).await, ["KIOS-2-r1 AKHIR KIRIM"]);
    assert_eq!(kios.one("select jumlah from pesanan_balik").await, "7.00");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_refund_of_money_that_a_bank_took_back_is_not_owed_again() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "qr").await;
    kios.loket().pay("KIOS-1-1").await;
    let done = buying.until(&kios, "completed").await;
    // The bank takes it back, nobody is told, and then the order gives all of it back.
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().control("take-back", &json!({"reference": "KIOS-1-1", "kind": "reversed"})).await;
    let order = done["order"]["id"].as_str().unwrap();
    kios.post(&format!("1/orders/{order}/cancel"), json!({})).await.ok(200);
    until(&kios, "select status from pesanan_balik", "TOLAK").await;
    until(&kios, "select count(*) from pesanan_uang", "2").await;
    assert_eq!(kios.column("select jenis from pesanan_uang order by urut").await, ["MASUK", "TARIK"]);
    assert_eq!(refunds(&kios).await, ["KIOS-1-r1 RETUR TOLAK"]);
    let order = kios.get(&format!("1/orders/{order}")).await.ok(200);
    assert_eq!(order["adjustments"][0]["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_a_reason_to_ask_and_only_where_it_is_signed() {
    let kios = paying_later().await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "qr").await;
    let send = async |signature: &str, body: &str| {
        let answer = kios.send("POST", "/notices/loket", &[("loket-signature", signature)], body).await;
        (answer.status, answer.body["code"].as_str().unwrap_or_default().to_owned())
    };
    let (signature, body) = kios.loket().signed("KIOS-1-1");
    let unauthorized = (401, "unauthorized".to_owned());
    assert_eq!(send("", &body).await, unauthorized);
    assert_eq!(send(&signature, &body.replace("KIOS-1-1", "KIOS-1-2")).await, unauthorized);
    let (other, about) = kios.loket().signed("nobody-1");
    assert_eq!(send(&other, &about).await, (404, "not_found".to_owned()));
    assert_eq!(send(&signature, &"x".repeat(70_000)).await.0, 413);
    // It lies, and nothing comes of that.
    assert_eq!(send(&signature, &body).await.0, 200);
    assert_eq!(kios.one("select count(*) from pesanan_uang").await, "0");
    kios.loket().fault("query", 1, "error_before").await;
    let late = kios.send("POST", "/notices/loket", &[("loket-signature", &signature)], &body).await;
    assert!(late.status == 503 && late.head.contains("retry-after: 1"), "{} {}", late.status, late.head);
}

/// A guard that somebody else puts on the tables when the shop is not ours to write any more.
async fn fence(kios: &Kios) {
    let mut script = String::new();
    if !kios.is_sqlite() {
        script += "create function balik_fence() returns trigger language plpgsql as \
                   $$ begin raise exception 'balik_fence'; end $$;";
    }
    for table in ["pesanan", "pesanan_coba", "pesanan_uang", "pesanan_balik"] {
        for event in ["insert", "update"] {
            let guard = if kios.is_sqlite() {
                // What is written as it was is no change.
                let column = if table == "pesanan" { "diubah" } else { "status" };
                let when = if event == "update" && matches!(table, "pesanan" | "pesanan_coba") {
                    format!("when old.{column} is not new.{column}")
                } else {
                    String::new()
                };
                format!("before {event} on {table} {when} begin select raise(abort, 'balik_fence'); end")
            } else {
                format!("before {event} on {table} for each row execute function balik_fence()")
            };
            script += &format!("create trigger fence_{table}_{event} {guard};");
        }
    }
    kios.script(&script).await;
}

async fn a_shop_that_was_moved_away_does_nothing_at_the_provider(kios: &Kios) {
    let one = buying(kios, 1).await;
    one.code(kios, "qr").await;
    let other = buying(kios, 1).await;
    kios.loket().fault("charge", 1, "error_before").await;
    other.choose(kios, "method=qr").await;
    until(kios, "select status from pesanan_coba where pesanan_id = 2", "RAGU").await;
    fence(kios).await;
    if kios.is_sqlite() {
        // As they stood when the shop was moved: one over its time, one that the provider does not know.
        kios.script(
            "drop trigger fence_pesanan_update; update pesanan set batas = '2020-01-01 00:00:00' where id = 1;",
        )
        .await;
        kios.script(
            "create trigger fence_pesanan_update before update on pesanan when old.diubah is not new.diubah \
             begin select raise(abort, 'balik_fence'); end",
        )
        .await;
    }
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().control("pay", &json!({"reference": "KIOS-1-1"})).await;
    let (signature, body) = kios.loket().signed("KIOS-1-1");
    let answer = kios.send("POST", "/notices/loket", &[("loket-signature", &signature)], &body).await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (503, Some("unavailable")));
    // Rounds are made meanwhile, for longer than they leave the shop alone at first: they ask once or twice, and what they
    // would do they do not.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let asked = kios.loket().asked("query").await;
    assert!(asked <= 3, "asked {asked} times");
    assert_eq!((kios.loket().asked("expire").await, kios.loket().asked("charge").await), (0, 0));
    assert_eq!(kios.loket().book("charge").await.len(), 1);
    assert_eq!(kios.one("select count(*) from pesanan_uang").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_not_ours_any_more_keep_the_provider_unasked() {
    a_shop_that_was_moved_away_does_nothing_at_the_provider(&paying_later().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_on_postgres() {
    a_shop_that_was_moved_away_does_nothing_at_the_provider(&paying_later_on_postgres().await).await;
}
