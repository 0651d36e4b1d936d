//! A code that one side gave out is paid when the other one owns the shop: there, back, during the hold, and while answers and
//! notices are under way. Charged once, one order, under the number that the buyer was told.

mod street;

use crate::buyers::{Buyer, at_rest, faults};
use crate::demo::say;
use crate::world::Engine;
use mover::Verb;
use serde_json::json;
use std::time::{Duration, Instant};
use street::{LOOK, SOON, Street};
use testkit::chance::Chance;

/// A buyer looks so long at what there is to pay, at most.
const DAWDLES_MS: u64 = 12_000;
const COMES_EVERY_MS: u64 = 400;
/// Before nobody waits for it any more, and after a flip.
const ANSWERED_AFTER_MS: u64 = 3_500;
/// A shop stays so long where it is, and up to so much longer.
const STAYS_MS: u64 = 1_500;
const LONGER_MS: u64 = 2_000;

async fn given_out_at_legacy_and_paid_at_backend(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    let begun = street.begin("virtual_account").await;
    assert!(begun.reference.starts_with("KIOS-"), "{}", begun.reference);
    street.there().await;
    // Whoever opens the page finds it as it was.
    let (status, page) = street.world.open(&begun.link).await;
    assert!(status == 200 && page.contains("class=\"number\""), "{page}");
    assert_eq!(street.look(&begun.checkout).await["status"], "complete_in_progress");
    street.pay(&begun).await;
    street.is_one_order(&begun).await;
    // By its notice, and not because somebody happened to ask.
    assert_eq!(street.outcomes().await, [("asked".to_owned(), 1)].into());
    assert_eq!(street.world.store.count_debts(&street.shop).await.unwrap(), 0);
    street.back().await;
    street.is_one_order(&begun).await;
    street.has_orders(&[&begun]).await;
}

async fn given_out_at_backend_and_paid_at_legacy(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    street.there().await;
    let begun = street.begin("qr").await;
    assert!(!begun.reference.starts_with("KIOS-"), "{}", begun.reference);
    assert_eq!(street.world.store.count_debts(&street.shop).await.unwrap(), 0);
    street.back().await;
    let (status, page) = street.world.open(&begun.link).await;
    assert!(status == 200 && page.contains(&begun.number), "{page}");
    street.pay(&begun).await;
    street.is_one_order(&begun).await;
    assert_eq!(street.outcomes().await, [("handed_on".to_owned(), 1)].into());
    street.there().await;
    street.is_one_order(&begun).await;
    street.has_orders(&[&begun]).await;
}

/// The hold waits for nobody who pays, and nobody who pays is lost in it.
async fn paid_in_the_hold(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    let (first, second) = (street.begin("virtual_account").await, street.begin("qr").await);
    street.wait_in_the_hold();
    tokio::join!(street.there(), street.pay_in_the_hold(&first));
    street.is_one_order(&first).await;
    street.wait_in_the_hold();
    tokio::join!(street.back(), street.pay_in_the_hold(&second));
    street.is_one_order(&second).await;
    street.has_orders(&[&first, &second]).await;
}

/// A payment is told of once more after it has moved, on either side: nothing comes of it.
async fn told_on_both_sides(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    let (first, second) = (street.begin("virtual_account").await, street.begin("virtual_account").await);
    street.pay(&first).await;
    street.is_one_order(&first).await;
    street.there().await;
    street.told_again(&first, 1).await;
    assert_eq!(street.outcomes().await, [("handed_on".to_owned(), 1), ("asked".to_owned(), 1)].into());
    street.pay(&second).await;
    street.is_one_order(&second).await;
    street.back().await;
    street.told_again(&second, 1).await;
    street.told_again(&first, 2).await;
    assert_eq!(street.outcomes().await, [("handed_on".to_owned(), 3), ("asked".to_owned(), 2)].into());
    street.is_one_order(&first).await;
    street.is_one_order(&second).await;
    street.has_orders(&[&first, &second]).await;
}

/// A side asks for a code, and is fenced before the answer is there, which comes or does not: the next owner asks what became
/// of it.
async fn answered_after_the_fence(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    for (lost, ms) in [("delay", ANSWERED_AFTER_MS), ("lost_after", 0)] {
        street.fault("charge", lost, ms).await;
        let (checkout, link) = street.checkout().await;
        street.choose(&link, "virtual_account").await;
        street.there().await;
        assert_eq!(street.fate(&checkout).await, "recorded", "the answer was there before the fence");
        let begun = street.known(checkout, link).await;
        street.pay(&begun).await;
        street.is_one_order(&begun).await;

        street.fault("charge", lost, ms).await;
        let (checkout, link) = street.checkout().await;
        street.choose(&link, "wallet").await;
        street.back().await;
        assert_eq!(street.fate(&checkout).await, "recorded", "the answer was there before the fence");
        let begun = street.known(checkout, link).await;
        street.pay(&begun).await;
        street.is_one_order(&begun).await;
        street.has_orders(&[&begun]).await;
    }
}

/// A code of the legacy's that nobody pays: the backend ends it when its time is over, and its units are back on the shelf.
async fn never_paid(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    let before = street.on_the_shelf().await;
    let begun = street.begin("qr").await;
    street.there().await;
    assert_eq!(street.on_the_shelf().await, before - 1);
    street.later(Duration::from_secs(16 * 60)).await;
    street.later(Duration::from_secs(2 * 60)).await;
    let deadline = Instant::now() + SOON;
    while street.look(&begun.checkout).await["status"] != "ready_for_complete" {
        assert!(Instant::now() < deadline, "it is not open again");
        street.later(Duration::from_secs(30)).await;
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(street.on_the_shelf().await, before);
    street.back().await;
    assert_eq!(street.on_the_shelf().await, before);
    assert_eq!(street.look(&begun.checkout).await["status"], "ready_for_complete");
    // Begun again, it is another payment with another number. Not by QR: the legacy's clock is behind the provider's by now.
    street.choose(&begun.link, "virtual_account").await;
    let again = street.known(begun.checkout.clone(), begun.link.clone()).await;
    assert_ne!(again.number, begun.number);
    street.pay(&again).await;
    street.is_one_order(&again).await;
}

/// Given back by the one side, and where to the buyer says when the other owns the shop: it leaves once.
async fn given_back_across(engine: Engine) {
    let street = Street::about_to_move(engine).await;
    let begun = street.begin("virtual_account").await;
    street.pay(&begun).await;
    street.is_one_order(&begun).await;
    street.provider().control("top-up", &json!({ "amount": 1_000_000 })).await;
    let refunded = street.world.write("POST", &street.shop, &format!("orders/{}/refund", begun.number), &json!({}));
    let refunded = street.world.send(&refunded).await.ok();
    assert_eq!(refunded["adjustments"][0]["status"], "pending", "{refunded}");
    street.there().await;
    let shown = street.world.get(&street.shop, &format!("orders/{}", begun.number)).await.ok();
    assert_eq!(shown["adjustments"][0]["status"], "pending", "{shown}");
    street.say(&begun.link, "account=BCA+1234567890").await;
    let refunds = street.refunds_until(1).await;
    assert_eq!((refunds.len(), refunds[0]["account"].as_str()), (1, Some("BCA 1234567890")));
    street.back().await;
    street.provider().control("clock", &json!({ "advance_s": 5 })).await;
    let deadline = Instant::now() + SOON;
    loop {
        let shown = street.world.get(&street.shop, &format!("orders/{}", begun.number)).await.ok();
        if shown["adjustments"][0]["status"] == "completed" {
            break;
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(street.refunds_until(1).await.len(), 1);
}

async fn bought_while_it_moves(engine: Engine) {
    bought_while_it_moves_into(engine, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_pays_while_a_shop_moves_between_two_postgres_pays_once_for_one_order() {
    bought_while_it_moves_into(Engine::Postgres, Engine::Postgres).await;
}

/// Buyers who come all the time, at a provider that fails, while the shop goes there and back again: each is charged once for
/// one order, or nothing, and every book says the same.
async fn bought_while_it_moves_into(engine: Engine, store: Engine) {
    let long = std::env::var_os("BALIK_LONG").is_some();
    let (buyers, moves) = if long { (200, 12) } else { (24, 6) };
    let seed = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let street = Street::about_to_move_into(engine, store).await;
    let till = street.till().await;
    street.provider().control("faults", &faults(seed)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..buyers {
        let (shop, product) = (street.shop.to_string(), street.product.clone());
        let chance = Chance(seed << 32 | number);
        let buyer =
            Buyer { shop, product, dawdles_ms: DAWDLES_MS, cards: false, number, seam: street.world.seam(), chance };
        let provider = street.provider().clone();
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_millis(number * COMES_EVERY_MS)).await;
            buyer.buy(&provider).await
        });
    }
    for nth in 0..moves {
        tokio::time::sleep(Duration::from_millis(STAYS_MS + Chance(seed + nth).below(LONGER_MS))).await;
        if nth % 2 == 0 { street.there().await } else { street.back().await }
    }
    street.provider().control("faults", &json!({ "seed": seed, "plan": [] })).await;
    street.there().await;
    let told = tasks.join_all().await;
    at_rest(&street.world.store, &street.shop).await;
    let book = street.provider().book().await;
    till.judge(&street.world.store, &book, &told).await;
    assert_eq!(street.world.store.unbalanced_orders(&street.shop, 9).await.unwrap(), []);
    assert_eq!(street.world.store.count_debts(&street.shop).await.unwrap(), 0);
    street.back().await;
    let paid = told.iter().filter(|told| told.pays > 0).count();
    let (moves, notices) = (moves + 2, street.outcomes_so_far().await);
    say(&format!(
        "{engine:?} to {store:?}: {buyers} buyers, {paid} of them paid, {moves} moves, notices {notices:?}; seed {seed}"
    ));
}

/// Nobody here could ask what becomes of a code at another provider: its shop stays where it is until it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_with_an_account_that_nobody_here_knows_keeps_its_shop_at_the_legacy() {
    let street = Street::who_knows_no_provider().await;
    let begun = street.begin("virtual_account").await;
    street.world.wish(Verb::Start, None).await;
    street.world.put_down(Verb::Flip, None).await;
    let deadline = Instant::now() + SOON;
    let waits_for = async || {
        let board = mover::status(&street.world.store).await.unwrap();
        board.record(street.shop.as_str()).and_then(|row| row.text("waits_for")).map(str::to_owned)
    };
    while waits_for().await.as_deref() != Some("condition payments") {
        assert!(Instant::now() < deadline, "it waits for {:?}", waits_for().await);
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!(street.number(&begun.checkout).await, begun.number);
}

macro_rules! on_both {
    ($($story:ident: $sqlite:ident, $postgres:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sqlite() {
                $story(Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $postgres() {
                $story(Engine::Postgres).await;
            }
        )*
    };
}

on_both! {
    given_out_at_legacy_and_paid_at_backend:
        a_code_of_the_legacys_is_paid_after_the_flip_on_sqlite, a_code_of_the_legacys_is_paid_after_the_flip_on_postgres;
    given_out_at_backend_and_paid_at_legacy:
        a_code_of_the_backends_is_paid_after_the_rollback_on_sqlite, a_code_of_the_backends_is_paid_after_the_rollback_on_postgres;
    paid_in_the_hold:
        what_is_paid_in_a_hold_is_one_order_after_it_on_sqlite, what_is_paid_in_a_hold_is_one_order_after_it_on_postgres;
    told_on_both_sides:
        a_notice_that_comes_once_to_each_side_changes_nothing_on_sqlite, a_notice_that_comes_once_to_each_side_changes_nothing_on_postgres;
    answered_after_the_fence:
        an_answer_that_comes_after_the_fence_is_asked_for_by_the_next_owner_on_sqlite, an_answer_that_comes_after_the_fence_is_asked_for_by_the_next_owner_on_postgres;
    never_paid:
        a_code_that_nobody_pays_is_ended_by_whoever_owns_the_shop_then_on_sqlite, a_code_that_nobody_pays_is_ended_by_whoever_owns_the_shop_then_on_postgres;
    given_back_across:
        money_that_goes_back_leaves_once_whoever_sends_it_on_sqlite, money_that_goes_back_leaves_once_whoever_sends_it_on_postgres;
    bought_while_it_moves:
        whoever_pays_while_a_shop_moves_pays_once_for_one_order_on_sqlite, whoever_pays_while_a_shop_moves_pays_once_for_one_order_on_postgres;
}
