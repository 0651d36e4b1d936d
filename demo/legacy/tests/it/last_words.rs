//! What nobody was told of is asked for once more: money at the last moment or twice, money that a bank took back, a refund
//! that may still arrive; and whoever else is in the tables keeps nobody from that.

use crate::kios::{Kios, filled_in, id, line_items, paying_later, paying_later_on_postgres, paying_later_within};
use crate::paying_later::{Buying, buying, refunds, until};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// As the tables have it, so many seconds from now.
fn wib(in_s: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_secs(in_s);
    jiff::tz::Offset::constant(7).to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Paid, and there is an order: its number.
async fn paid(kios: &Kios, buying: &Buying) -> String {
    buying.code(kios, "qr").await;
    kios.loket().pay("KIOS-1-1").await;
    id(&buying.until(kios, "completed").await["order"])
}

async fn money_that_nobody_told_of_is_found_after_the_end(kios: &Kios) {
    let one = buying(kios, 1).await;
    paid(kios, &one).await;
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().pay("KIOS-1-1").await;
    let end = wib(2);
    kios.script(&format!("update pesanan set batas = '{end}'; update pesanan_coba set batas = '{end}'")).await;
    until(kios, "select status from pesanan_balik", "KIRIM").await;
    assert_eq!(refunds(kios).await, ["KIOS-1-r1 LEBIH KIRIM"]);

    // A code that another one came for, paid in its last moment.
    let other = buying(kios, 1).await;
    other.code(kios, "virtual_account").await;
    other.code(kios, "wallet").await;
    until(kios, "select status from pesanan_coba where pesanan_id = 2 and ke = 1", "MATI").await;
    until(kios, "select status from pesanan_coba where pesanan_id = 2 and ke = 2", "TUNGGU").await;
    kios.script(&format!("update pesanan_coba set mati_pada = '{}' where pesanan_id = 2 and ke = 1", wib(4))).await;
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().pay("KIOS-2-1").await;
    kios.loket().pay("KIOS-2-2").await;
    other.until(kios, "completed").await;
    until(kios, "select status from pesanan_balik where pesanan_id = 2", "KIRIM").await;
    assert_eq!(refunds(kios).await, ["KIOS-1-r1 LEBIH KIRIM", "KIOS-2-r1 LEBIH KIRIM"]);
    let unheard = "select count(*) from pesanan_coba where dengar_pada <= batas and dengar_pada <= mati_pada";
    assert_eq!(kios.one(unheard).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_asked_about_once_more_when_its_time_is_over() {
    money_that_nobody_told_of_is_found_after_the_end(&paying_later().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_on_postgres() {
    money_that_nobody_told_of_is_found_after_the_end(&paying_later_on_postgres().await).await;
}

/// As they come from whoever owned the shop before: all of an order was given back, and its rail said no.
async fn rejected_elsewhere(kios: &Kios) {
    let (now, never) = (wib(0), "0000-00-00 00:00:00");
    kios.script(&format!(
        "begin; update pesanan_coba set dengar_pada = '{now}'; update pesanan set dikembalikan = jumlah; \
         insert into pesanan_balik (pesanan_id, urut, kunci, ke, jumlah, sebab, status, dibuat, tarik_pada, tolak_pada) \
         select id, 1, 'elsewhere-r1', 1, jumlah, 'RETUR', 'TOLAK', '{now}', '{never}', '{}' from pesanan; commit;",
        wib(1)
    ))
    .await;
}

async fn what_a_rail_rejected_waits_for_its_word(kios: &Kios, is_taken_back: bool) {
    let buying = buying(kios, 1).await;
    paid(kios, &buying).await;
    if is_taken_back {
        kios.loket().fault("notice", 1, "never").await;
        kios.loket().control("take-back", &json!({"reference": "KIOS-1-1", "kind": "reversed"})).await;
    }
    rejected_elsewhere(kios).await;
    let spoken = "select count(*) from pesanan_coba c join pesanan_balik b on b.pesanan_id = c.pesanan_id \
                  and b.urut = 1 where c.dengar_pada > b.tolak_pada";
    if is_taken_back {
        until(kios, "select count(*) from pesanan_uang where jenis = 'TARIK'", "1").await;
        assert_eq!(refunds(kios).await, ["elsewhere-r1 RETUR TOLAK"]);
    } else {
        until(kios, "select count(*) from pesanan_balik", "2").await;
        assert_eq!(refunds(kios).await, ["elsewhere-r1 RETUR TOLAK", "KIOS-1-r2 RETUR REK"]);
    }
    assert_eq!(kios.one(spoken).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_refund_is_owed_again_when_its_rail_has_spoken() {
    what_a_rail_rejected_waits_for_its_word(&paying_later().await, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_not_where_a_bank_took_the_money_back() {
    what_a_rail_rejected_waits_for_its_word(&paying_later().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_on_postgres() {
    what_a_rail_rejected_waits_for_its_word(&paying_later_on_postgres().await, true).await;
}

/// An order gives all back, and the call that sends it goes wrong in this way. When the refund was put on record.
async fn sent_badly(kios: &Kios, fault: serde_json::Value) -> String {
    let buying = buying(kios, 1).await;
    let order = paid(kios, &buying).await;
    kios.loket().control("faults", &json!({"plan": [fault]})).await;
    kios.post(&format!("1/orders/{order}/cancel"), json!({})).await.ok(200);
    let recorded = kios.one("select dibuat from pesanan_balik").await;
    until(kios, "select status from pesanan_balik", "KIRIM").await;
    assert_eq!(kios.loket().book("refund").await.len(), 1);
    recorded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_may_still_arrive_is_not_sent_again() {
    let kios = paying_later_within(14).await;
    let recorded = sent_badly(&kios, json!({"operation": "refund", "nth": 1, "what": "late", "ms": 7_000})).await;
    assert_eq!(kios.loket().asked("refund").await, 1);
    assert_eq!(kios.one("select dibuat from pesanan_balik").await, recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_would_be_there_by_now_is_sent_again() {
    let kios = paying_later_within(7).await;
    let recorded = sent_badly(&kios, json!({"operation": "refund", "nth": 1, "what": "lost_before"})).await;
    assert_eq!(kios.loket().asked("refund").await, 2);
    assert!(kios.one("select dibuat from pesanan_balik").await > recorded);
}

/// Of another shop, whose rows somebody else writes now: more than fit in a round, and none of them known to the provider.
async fn many_of_another_shop(kios: &Kios) {
    let product = kios.on_sale(2).await.remove(0);
    let mut content = filled_in();
    content["line_items"] = line_items(&[(&product, 1)]);
    let checkout = id(&kios.post("2/checkout-sessions", content).await.ok(201));
    let (never, now, end) = ("0000-00-00 00:00:00", wib(0), wib(86_400));
    let numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2100)";
    kios.script(&format!(
        "begin; create trigger fence before update on pesanan_coba when old.dengar_pada is not new.dengar_pada \
         and (select toko_id from pesanan where id = new.pesanan_id) = 2 \
         begin select raise(abort, 'balik_fence'); end; \
         {numbers} insert into pesanan (id, toko_id, transaksi_id, nomor, akun, jumlah, dikembalikan, telat, akhir_pada, \
         minta_batal, batas, dibuat, diubah) select i, 2, {checkout}, 'X-' || i, 'loket', '9000.00', '0.00', 0, \
         '{never}', '{never}', '{end}', '{now}', '{now}' from n; \
         {numbers} insert into pesanan_coba (pesanan_id, ke, rujukan, cara, jumlah, status, mati_pada, batas, dibuat) \
         select i, 1, 'X-' || i, 'QRIS', '9000.00', 'RAGU', '{never}', '{never}', '2026-01-01 00:00:00' from n; commit;"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_not_ours_keeps_no_other_from_its_turn() {
    let mut kios = paying_later().await;
    many_of_another_shop(&kios).await;
    let buying = buying(&kios, 1).await;
    buying.code(&kios, "qr").await;
    kios.loket().fault("notice", 1, "never").await;
    kios.loket().pay("KIOS-2101-1").await;
    // A new process remembers nothing of either.
    kios.restart().await;
    buying.until(&kios, "completed").await;
    let asked = kios.loket().asked("query").await;
    assert!(asked <= 100, "asked {asked} times about what is not ours");
}
