//! The provider as a shop meets it: over HTTP, with its clock, its notices and its moods.

#![expect(clippy::unwrap_used, reason = "what helps a test panics like a test")]

mod client;
mod shop;

use client::Loket;
use demo_provider::verify;
use serde_json::{Value, json};
use shop::Shop;

const DAY_US: i64 = 86_400_000_000;

fn charge(reference: &str, method: &str, now: i64) -> Value {
    let token = (method == "card_token").then_some("tok_visa");
    json!({ "reference": reference, "amount": 275_000, "currency": "IDR", "method": method,
            "expires_at": now + DAY_US, "token": token })
}

#[tokio::test]
async fn the_same_reference_twice_is_one_charge_and_another_amount_under_it_is_refused() {
    let loket = Loket::start().await;
    let asked = charge("pi_7-1", "virtual_account", loket.now().await);
    let (status, first) = loket.post("/v1/charges", &asked).await;
    assert_eq!((status, &first["status"]), (200, &json!("pending")));
    assert!(first["code"].as_str().unwrap().starts_with("8808"), "{first}");
    assert_eq!(loket.post("/v1/charges", &asked).await, (200, first));
    let mut other = asked.clone();
    other["amount"] = 300_000.into();
    assert_eq!(loket.post("/v1/charges", &other).await.0, 409);
    assert_eq!(loket.book().await["charge"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_input_is_told_by_its_field_and_nothing_is_written() {
    let loket = Loket::start().await;
    let good = charge("pi_7-1", "qr", loket.now().await);
    for (field, value) in [
        ("reference", json!("")),
        ("reference", json!("a b")),
        ("reference", json!("x".repeat(51))),
        ("amount", json!(0)),
        ("currency", json!("USD")),
        ("method", json!("barter")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let (status, said) = loket.post("/v1/charges", &bad).await;
        assert_eq!((status, &said["error"]), (422, &json!(field)));
    }
    assert_eq!(loket.clone().with_key("wrong").post("/v1/charges", &good).await.0, 401);
    assert_eq!(loket.book().await["charge"], json!([]));
}

#[tokio::test]
async fn a_buyer_pays_a_code_once_and_a_second_time_only_where_bad_luck_wants_it() {
    let loket = Loket::start().await;
    let (_, charge) = loket.post("/v1/charges", &charge("pi_7-1", "virtual_account", loket.now().await)).await;
    let code = &charge["code"];
    assert_eq!(loket.control("pay", &json!({ "code": code })).await.1["status"], "paid");
    assert_eq!(loket.control("pay", &json!({ "code": code })).await.0, 409);
    assert_eq!(loket.control("pay", &json!({ "code": code, "late": true })).await.0, 200);
    let (_, asked) = loket.get("/v1/charges?reference=pi_7-1").await;
    assert_eq!(asked["movements"].as_array().unwrap().len(), 2, "{asked}");
    // 0.7 % of each payment stays with the provider.
    assert_eq!(loket.get("/v1/balance").await.1["balance"], 2 * (275_000 - 1_925));
}

#[tokio::test]
async fn a_code_is_over_by_the_clock_or_when_the_shop_says_so() {
    let loket = Loket::start().await;
    let now = loket.now().await;
    let (_, one) = loket.post("/v1/charges", &charge("pi_7-1", "qr", now)).await;
    let (_, two) = loket.post("/v1/charges", &charge("pi_8-1", "qr", now)).await;
    let path = format!("/v1/charges/{}/expire", two["id"].as_str().unwrap());
    assert_eq!(loket.post(&path, &json!({})).await.1["status"], "expired");
    assert_eq!(loket.control("pay", &json!({ "code": two["code"] })).await.0, 409);
    loket.control("clock", &json!({ "advance_s": 2 * 86_400 })).await;
    assert_eq!(loket.get("/v1/charges?reference=pi_7-1").await.1["status"], "expired");
    assert_eq!(loket.control("pay", &json!({ "code": one["code"] })).await.0, 409);
    // Paid stays paid.
    assert_eq!(loket.control("pay", &json!({ "code": one["code"], "late": true })).await.0, 200);
}

#[tokio::test]
async fn of_held_money_some_is_taken_the_rest_is_let_go_and_doing_it_again_does_nothing() {
    let loket = Loket::start().await;
    let (_, held) = loket.post("/v1/charges", &charge("pi_7-1", "card_token", loket.now().await)).await;
    assert_eq!(held["status"], "authorised");
    let path = format!("/v1/charges/{}", held["id"].as_str().unwrap());
    assert_eq!(loket.post(&format!("{path}/capture"), &json!({ "amount": 300_000 })).await.0, 422);
    let (_, taken) = loket.post(&format!("{path}/capture"), &json!({ "amount": 200_000 })).await;
    let kinds: Vec<&str> =
        taken["movements"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["authorised", "captured", "voided"]);
    assert_eq!(loket.post(&format!("{path}/capture"), &json!({ "amount": 200_000 })).await, (200, taken.clone()));
    assert_eq!(loket.post(&format!("{path}/void"), &json!({})).await, (200, taken));
}

#[tokio::test]
async fn no_more_goes_back_than_there_is_and_a_key_stands_for_one_refund() {
    let loket = Loket::start().await;
    loket.post("/v1/charges", &charge("pi_7-1", "wallet", loket.now().await)).await;
    loket.control("pay", &json!({ "reference": "pi_7-1" })).await;
    let refund = |key: &str, amount: i64| json!({ "key": key, "amount": amount, "reference": "pi_7-1" });
    let (_, first) = loket.post("/v1/refunds", &refund("r1", 200_000)).await;
    assert_eq!(first["status"], "accepted");
    assert_eq!(loket.post("/v1/refunds", &refund("r1", 200_000)).await, (200, first));
    assert_eq!(loket.post("/v1/refunds", &refund("r2", 75_001)).await.1["status"], "rejected");
    assert_eq!(loket.post("/v1/refunds", &refund("r3", 75_000)).await.1["status"], "accepted");
    loket.control("clock", &json!({ "advance_s": 10 })).await;
    assert_eq!(loket.get("/v1/refunds?key=r1").await.1["status"], "confirmed");
    assert_eq!(loket.get("/v1/refunds?key=r9").await.0, 404);
    // A payout goes as far as the balance does: fees are gone.
    let payout = |key: &str, amount: i64| json!({ "key": key, "amount": amount, "account": "014 123" });
    assert_eq!(loket.post("/v1/refunds", &payout("p1", 1)).await.1["status"], "rejected");
    loket.control("top-up", &json!({ "amount": 2_000 })).await;
    assert_eq!(loket.post("/v1/refunds", &payout("p2", 75)).await.1["status"], "accepted");
}

#[tokio::test]
async fn a_virtual_account_has_no_way_back() {
    let loket = Loket::start().await;
    loket.post("/v1/charges", &charge("pi_7-1", "virtual_account", loket.now().await)).await;
    loket.control("pay", &json!({ "reference": "pi_7-1" })).await;
    let refund = json!({ "key": "r1", "amount": 1_000, "reference": "pi_7-1" });
    assert_eq!(loket.post("/v1/refunds", &refund).await.1["status"], "rejected");
}

#[tokio::test]
async fn what_money_does_is_told_once_and_signed_until_it_was_heard() {
    let (loket, shop) = (Loket::start().await, Shop::start(&[503, 200]).await);
    let mut asked = charge("pi_7-1", "qr", loket.now().await);
    asked["notice_url"] = shop.url.clone().into();
    loket.post("/v1/charges", &asked).await;
    loket.control("pay", &json!({ "reference": "pi_7-1" })).await;
    let letters = shop.letters(2).await;
    for letter in &letters {
        assert!(verify("whsec_test", &letter.signature, letter.body.as_bytes()), "{}", letter.signature);
    }
    assert_eq!(letters[0].body, letters[1].body, "the same, word by word");
    let said: Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!((&said["type"], &said["data"]["reference"]), (&json!("charge.captured"), &json!("pi_7-1")));
    // Replayed, it is the same letter byte for byte, as it was heard.
    loket.control("replay", &json!({ "event": said["id"] })).await;
    let replayed = &shop.letters(3).await[2];
    assert_eq!((&replayed.body, &replayed.signature), (&letters[1].body, &letters[1].signature));
}

#[tokio::test]
async fn planned_faults_of_notices_strike_as_planned() {
    for (what, holds) in [
        ("times", (2, true, "captured")),
        ("forged", (1, false, "captured")),
        ("old_key", (1, false, "captured")),
        ("altered", (1, true, "reversed")),
    ] {
        let (loket, shop) = (Loket::start().await, Shop::start(&[200]).await);
        loket.control("faults", &json!({ "plan": [{ "operation": "notice", "nth": 1, "what": what }] })).await;
        let mut asked = charge("pi_7-1", "qr", loket.now().await);
        asked["notice_url"] = shop.url.clone().into();
        loket.post("/v1/charges", &asked).await;
        loket.control("pay", &json!({ "reference": "pi_7-1" })).await;
        let letters = shop.letters(holds.0).await;
        let said: Value = serde_json::from_str(&letters[0].body).unwrap();
        let well = verify("whsec_test", &letters[0].signature, letters[0].body.as_bytes());
        assert_eq!((letters.len(), well, said["data"]["kind"].as_str().unwrap()), holds, "{what}");
    }
}

#[tokio::test]
async fn planned_faults_of_calls_strike_before_or_after_the_effect() {
    let charges = |book: Value| book["charge"].as_array().unwrap().len();
    for (what, status, effect) in [
        ("error_before", Some(500), 0),
        ("error_after", Some(500), 1),
        ("busy", Some(429), 0),
        ("in_progress", Some(202), 1),
        ("garbage", Some(200), 1),
        ("unknown_word", Some(200), 1),
        ("cut", None, 1),
        ("lost_before", None, 0),
        ("lost_after", None, 1),
    ] {
        let loket = Loket::start().await;
        let plan = json!({ "plan": [{ "operation": "charge", "nth": 1, "what": what }] });
        assert_eq!(loket.control("faults", &plan).await.0, 200);
        let asked = charge("pi_7-1", "qr", loket.now().await);
        assert_eq!(loket.try_post("/v1/charges", &asked).await.map(|answer| answer.0), status, "{what}");
        assert_eq!(charges(loket.book().await), effect, "{what}");
        // The next one is as it should be, and still the only one.
        assert_eq!(loket.post("/v1/charges", &asked).await.1["status"], "pending");
        assert_eq!(charges(loket.book().await), 1, "{what}");
    }
}

#[tokio::test]
async fn a_late_effect_is_found_by_nobody_before_it_is_there() {
    let loket = Loket::start().await;
    let plan = json!({ "plan": [{ "operation": "charge", "nth": 1, "what": "late", "ms": 300 }] });
    loket.control("faults", &plan).await;
    let asked = charge("pi_7-1", "qr", loket.now().await);
    let (answer, found) =
        tokio::join!(loket.try_post("/v1/charges", &asked), loket.get("/v1/charges?reference=pi_7-1"));
    assert_eq!((answer, found.0), (None, 404));
    assert_eq!(loket.get("/v1/charges?reference=pi_7-1").await.0, 200);
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused_with_what_can() {
    let loket = Loket::start().await;
    for plan in [
        json!({ "plan": [{ "operation": "dance", "nth": 1, "what": "cut" }] }),
        json!({ "plan": [{ "operation": "charge", "nth": 1, "what": "forged" }] }),
        json!({ "plan": [{ "operation": "charge", "what": "cut" }] }),
        json!({ "plan": [{ "operation": "charge", "nth": 0, "what": "cut" }] }),
    ] {
        assert_eq!(loket.control("faults", &plan).await.0, 422, "{plan}");
    }
}

#[tokio::test]
async fn the_same_seed_has_the_same_faults() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let loket = Loket::start().await;
        let plan = json!({ "seed": seed, "plan": [{ "operation": "charge", "one_in": 3, "what": "busy" }] });
        loket.control("faults", &plan).await;
        let mut statuses = Vec::new();
        for n in 0..30 {
            let asked = charge(&format!("pi_{n}-1"), "qr", loket.now().await);
            statuses.push(loket.post("/v1/charges", &asked).await.0);
        }
        assert!(statuses.contains(&429) && statuses.contains(&200));
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_statement_has_the_money_of_a_day_of_its_country() {
    let loket = Loket::start().await;
    loket.post("/v1/charges", &charge("pi_7-1", "qr", loket.now().await)).await;
    loket.control("pay", &json!({ "reference": "pi_7-1" })).await;
    // The day by UTC + 7.
    let local = jiff::Timestamp::from_microsecond(loket.now().await + 7 * 3_600_000_000).unwrap();
    let day = jiff::tz::TimeZone::UTC.to_datetime(local).date();
    let (_, statement) = loket.get(&format!("/v1/statements/{day}")).await;
    let lines = statement["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["gross"], &lines[0]["net"]), (1, &json!(275_000), &json!(273_075)));
    assert_eq!(loket.get(&format!("/v1/statements/{}", day.tomorrow().unwrap())).await.1["lines"], json!([]));
    assert_eq!(loket.get("/v1/statements/monday").await.0, 422);
}

#[tokio::test]
async fn a_restart_forgets_nothing_not_even_the_time() {
    let loket = Loket::start().await;
    loket.post("/v1/charges", &charge("pi_7-1", "qr", loket.now().await)).await;
    loket.control("clock", &json!({ "advance_s": 3_600 })).await;
    let ahead = loket.now().await;
    let again = loket.restarted().await;
    assert!(again.now().await >= ahead);
    assert_eq!(again.get("/v1/charges?reference=pi_7-1").await.0, 200);
}

#[tokio::test]
async fn a_buyer_pays_on_the_page_by_one_button() {
    let loket = Loket::start().await;
    let (_, charge) = loket.post("/v1/charges", &charge("pi_7-1", "wallet", loket.now().await)).await;
    let url = charge["code"].as_str().unwrap();
    let page = loket.page("GET", url).await;
    assert!(page.contains("Rp 275.000") && page.contains("<button>"), "{page}");
    let paid = loket.page("POST", url).await;
    assert!(paid.contains("paid") && !paid.contains("<button>"), "{paid}");
    assert_eq!(loket.get("/v1/charges?reference=pi_7-1").await.1["status"], "paid");
}

#[tokio::test]
async fn a_buyer_transfers_to_a_number_once_and_to_nobody_elses() {
    let loket = Loket::start().await;
    let now = loket.now().await;
    let (_, asked) = loket.post("/v1/charges", &charge("pi_7-1", "virtual_account", now)).await;
    let (_, wallet) = loket.post("/v1/charges", &charge("pi_7-2", "wallet", now)).await;
    assert!(loket.counter().await.contains("name=\"number\""));
    let number = asked["code"].as_str().unwrap();
    // As it is read out, in fours.
    let (status, paid) = loket.transfer(&format!("{} {}", &number[..4], &number[4..])).await;
    assert!(status == 200 && paid.contains("paid"), "{paid}");
    let (status, again) = loket.transfer(number).await;
    assert!(status == 409 && again.contains("the charge is paid"), "{again}");
    for nobodys in ["8808999999999999", wallet["code"].as_str().unwrap(), "chg_2", ""] {
        assert_eq!(loket.transfer(nobodys).await.0, 404, "{nobodys}");
    }
    let (_, asked) = loket.get("/v1/charges?reference=pi_7-1").await;
    assert_eq!(asked["movements"].as_array().unwrap().len(), 1, "{asked}");
}
