//! Being paid in the buyer's own time, through a provider that runs: its answers, its silence, and every rupiah of it.

mod cards;
mod chaos;
mod door;
mod races;
#[path = "payments/races.rs"]
mod races_on_postgres;
mod till;

use crate::refused;
use commerce::checkout::State;
use commerce::intent::{Fate, Method, RefundState};
use commerce::order::{Back, State as OrderState};
use serde_json::json;
use shop::rails::{Admitted, NotAdmitted};
use shop::{Command, Resource};
use till::{DAY_S, HOUR_S, STOCK, Till};

#[tokio::test]
async fn a_code_that_is_paid_makes_one_order_and_the_ledger_agrees_with_the_provider() {
    let till = Till::open().await;
    let checkout = till.checkout(2).await;
    let answer = till.confirm(&checkout, Method::VirtualAccount).await;
    assert_eq!(refused(&answer), "");
    let intent = till.intent(&checkout).await;
    let attempt = intent.live().unwrap();
    assert!(attempt.shown().unwrap().starts_with("8808"), "{attempt:?}");
    assert_eq!(till.stock().await, STOCK - 2);
    // Asked again, it is the same code.
    till.confirm(&checkout, Method::VirtualAccount).await;
    assert_eq!(till.intent(&checkout).await, intent);

    till.control("pay", &json!({ "reference": attempt.reference() })).await;
    till.pass(60).await;
    let order = till.order_of(&checkout).await;
    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(order.payments()[0].method(), "virtual_account");
    assert_eq!(order.payments()[0].reference(), Some(attempt.reference()));
    let total = order.totals().total().minor();
    till.books(&[("clearing", total), ("unapplied", 0)]).await;
    till.pass(3 * DAY_S).await;
    till.at_rest().await;
    assert_eq!((till.orders().await, till.stock().await), (1, STOCK - 2));
}

#[tokio::test]
async fn what_nobody_pays_ends_and_its_units_are_on_the_shelf_again() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    let reference = till.code(&checkout, Method::Qr).await;
    till.pass(HOUR_S).await;
    assert_eq!(till.state(&checkout).await, State::Open);
    assert_eq!(till.stock().await, STOCK);
    assert_eq!(till.control("pay", &json!({ "reference": reference })).await.0, 409, "the code is over");
    till.at_rest().await;
    // It can be paid anew, by an intent of its own.
    till.confirm(&checkout, Method::Wallet).await;
    assert_ne!(till.intent(&checkout).await.attempts()[0].reference(), reference);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_and_nobody_is_charged_twice() {
    let till = Till::open().await;
    for what in ["lost_after", "lost_before", "error_after", "in_progress", "garbage", "cut", "other_amount", "busy"] {
        let checkout = till.checkout(1).await;
        till.plan("charge", what).await;
        till.confirm(&checkout, Method::VirtualAccount).await;
        let attempt = till.intent(&checkout).await.attempts()[0].clone();
        assert_eq!((attempt.fate(), attempt.shown()), (Fate::Unknown, None), "{what}");
        // What the provider does not know is sent again, under the same reference.
        till.pass(30).await;
        let intent = till.intent(&checkout).await;
        assert_eq!((intent.attempts().len(), intent.attempts()[0].fate()), (1, Fate::Accepted), "{what}");
        let charges = till.book().await["charge"].as_array().unwrap().clone();
        let of_it = charges.iter().filter(|charge| charge["reference"] == attempt.reference()).count();
        assert_eq!(of_it, 1, "{what}");
    }
}

#[tokio::test]
async fn another_way_to_pay_ends_the_code_before_it_and_what_is_paid_on_both_goes_back() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    till.confirm(&checkout, Method::Qr).await;
    till.confirm(&checkout, Method::VirtualAccount).await;
    let intent = till.intent(&checkout).await;
    let [qr, account] = intent.attempts() else { panic!("two tries: {intent:?}") };
    assert_eq!((qr.fate(), account.fate()), (Fate::Over, Fate::Accepted));
    till.control("pay", &json!({ "reference": account.reference() })).await;
    till.control("pay", &json!({ "reference": qr.reference(), "late": true })).await;
    till.pass(DAY_S).await;
    till.pass(DAY_S).await;
    let order = till.order_of(&checkout).await;
    let intent = till.intent_of(&order).await;
    let due = intent.due().minor();
    // The code has a way back, and all that came by it goes there.
    let refunds: Vec<_> = intent.refunds().iter().map(|it| (it.state(), it.amount().minor(), it.attempt())).collect();
    assert_eq!(refunds, [(RefundState::Confirmed, due, Some(1))]);
    till.books(&[("clearing", due), ("unapplied", 0), ("refund", 0)]).await;
    till.at_rest().await;
}

#[tokio::test]
async fn what_an_order_gives_back_reaches_the_buyer_on_the_rail_that_it_came_by() {
    let till = Till::open().await;
    let checkout = till.checkout(3).await;
    let reference = till.code(&checkout, Method::Wallet).await;
    till.control("pay", &json!({ "reference": reference })).await;
    till.pass(60).await;
    let order = till.order_of(&checkout).await;
    let line = order.lines()[0].sold().id().clone();
    let part = Command::CancelOrder { id: till.order_id(&checkout).await, back: Back::Lines(vec![(line, 1)]) };
    let Some(Resource::Order(after)) = till.run(part).await.resource else { panic!("an order") };
    let given = after.given_back().unwrap().minor();
    assert!(given > 0);
    till.pass(HOUR_S).await;
    let intent = till.intent_of(&after).await;
    assert_eq!(intent.refunds().len(), 1);
    assert_eq!((intent.refunds()[0].state(), intent.refunds()[0].amount().minor()), (RefundState::Confirmed, given));
    let total = order.totals().total().minor();
    till.books(&[("clearing", total - given), ("unapplied", 0), ("refund", 0)]).await;
    let whole = Command::RefundOrder { id: till.order_id(&checkout).await, back: Back::Whole };
    till.run(whole).await;
    till.pass(HOUR_S).await;
    till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0), ("payable", 0), ("tax", 0)]).await;
    assert_eq!(till.book().await["refund"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn paid_after_the_end_it_is_the_order_all_the_same_while_there_is_enough_and_else_it_goes_back() {
    for sold_out in [false, true] {
        let till = Till::open().await;
        let checkout = till.checkout(1).await;
        let reference = till.code(&checkout, Method::Qr).await;
        till.pass(HOUR_S).await;
        assert_eq!(till.state(&checkout).await, State::Open);
        if sold_out {
            till.stock_is(-STOCK).await;
        }
        till.control("pay", &json!({ "reference": reference, "late": true })).await;
        till.notice(&reference).await;
        till.pass(HOUR_S).await;
        let total = till.total(&checkout).await;
        match sold_out {
            false => {
                assert!(matches!(till.state(&checkout).await, State::Completed { .. }));
                till.books(&[("clearing", total), ("unapplied", 0)]).await;
            }
            true => {
                assert_eq!((till.state(&checkout).await, till.orders().await), (State::Open, 0));
                till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0)]).await;
            }
        }
        till.at_rest().await;
    }
}

#[tokio::test]
async fn a_notice_is_let_in_when_it_is_signed_kept_once_and_only_a_reason_to_ask() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    let reference = till.code(&checkout, Method::VirtualAccount).await;
    let body = json!({ "data": { "reference": reference, "kind": "captured", "amount": 1 } }).to_string();
    let admit = async |signature: &str| till.service.admit_notice("loket", signature, body.as_bytes()).await.unwrap();
    assert_eq!(admit("t=1,v1=00").await, Err(NotAdmitted::Unsigned));
    assert_eq!(admit(&till.signature("whsec_of_nobody", &body)).await, Err(NotAdmitted::Unsigned));
    let good = till.signature(till::NOTICE_KEY, &body);
    assert_eq!(admit(&good).await, Ok(Admitted::New));
    assert_eq!(admit(&good).await, Ok(Admitted::Again));
    let elsewhere = till.service.admit_notice("other", &good, body.as_bytes()).await.unwrap();
    assert_eq!(elsewhere, Err(NotAdmitted::UnknownRail));
    till.pass(1).await;
    // It said that money came, signed and all; the provider knows of none.
    assert_eq!(till.intent(&checkout).await.received(), 0);
    till.control("pay", &json!({ "reference": reference })).await;
    till.notice(&reference).await;
    till.pass(1).await;
    assert!(matches!(till.state(&checkout).await, State::Completed { .. }));
    // One that names what is not here waits, and says so.
    till.notice("nobody-1").await;
    till.pass(2 * DAY_S).await;
    let outcomes = till.store.notice_outcomes().await.unwrap();
    let counts: Vec<_> = outcomes.iter().map(|(_, outcome, count)| (outcome.as_deref(), *count)).collect();
    assert_eq!(counts, [(Some("asked"), 2), (Some("given_up"), 1)]);
}

#[tokio::test]
async fn what_cannot_be_paid_says_so_and_takes_nothing_off_the_shelf() {
    let till = Till::open().await;
    let bare = till.bare_checkout().await;
    assert_eq!(refused(&till.confirm(&bare, Method::Qr).await), "checkout_incomplete");
    let checkout = till.checkout(1).await;
    till.stock_is(-STOCK).await;
    assert_eq!(refused(&till.confirm(&checkout, Method::Qr).await), "out_of_stock");
    assert_eq!((till.state(&checkout).await, till.stock().await), (State::Open, 0));
    assert!(till.book().await["charge"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_confirm_at_once_have_one_code_and_the_provider_was_asked_once() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    till.plan_with("charge", &json!({ "what": "delay", "ms": 300 })).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (service, frame, id) = (till.service.clone(), till.frame.clone(), checkout.clone());
        tasks.spawn(async move { service.confirm(&frame, &id, &Method::VirtualAccount.into(), || {}).await });
    }
    for answer in tasks.join_all().await {
        assert_eq!(refused(&answer.unwrap()), "");
    }
    let intent = till.intent(&checkout).await;
    assert_eq!((intent.attempts().len(), till.stock().await), (1, STOCK - 1));
    assert_eq!(till.asked("charge").await, 1);
    assert_eq!(till.book().await["charge"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_checkout_that_is_canceled_while_its_code_is_out_is_canceled_when_nobody_can_pay_it_any_more() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    let reference = till.code(&checkout, Method::VirtualAccount).await;
    let answer = till.run(Command::CancelCheckout { id: checkout.clone() }).await;
    assert_eq!(answer.notes[0].code, "being_canceled");
    assert!(matches!(till.state(&checkout).await, State::Awaiting { .. }));
    till.pass(HOUR_S).await;
    assert_eq!((till.state(&checkout).await, till.stock().await), (State::Canceled, STOCK));
    assert_eq!(till.control("pay", &json!({ "reference": reference })).await.0, 409);
    till.at_rest().await;
    // What was paid before the provider had heard of it is an order, and not canceled.
    let checkout = till.checkout(1).await;
    let reference = till.code(&checkout, Method::VirtualAccount).await;
    till.control("pay", &json!({ "reference": reference })).await;
    till.run(Command::CancelCheckout { id: checkout.clone() }).await;
    till.pass(HOUR_S).await;
    till.pass(2 * DAY_S).await;
    let order = till.order_of(&checkout).await;
    till.books(&[("clearing", order.totals().total().minor()), ("unapplied", 0)]).await;
    till.at_rest().await;
}

/// Late money is for what it was asked for, and for nothing else that happens to cost as much.
#[tokio::test]
async fn paid_after_the_end_it_buys_no_other_basket() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    let reference = till.code(&checkout, Method::Qr).await;
    till.pass(HOUR_S).await;
    let details = commerce::checkout::Details { street: Some("Jl. Lain 9".to_owned()), ..crate::details() };
    let lines = crate::wanted(&[("1", 1)]);
    till.run(Command::UpdateCheckout { id: checkout.clone(), lines, details }).await;
    till.control("pay", &json!({ "reference": reference, "late": true })).await;
    till.notice(&reference).await;
    till.pass(HOUR_S).await;
    assert_eq!((till.state(&checkout).await, till.orders().await), (State::Open, 0));
    till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0)]).await;
}

/// What is here is asked for no more; and what is not the whole at the end goes back.
#[tokio::test]
async fn who_has_paid_a_part_is_asked_for_the_rest_or_has_it_back() {
    for pays_the_rest in [true, false] {
        let till = Till::open().await;
        let checkout = till.checkout(1).await;
        till.confirm(&checkout, Method::Qr).await;
        let intent = till.intent(&checkout).await;
        let (reference, due) = (intent.attempts()[0].reference().to_owned(), intent.due().minor());
        till.control("pay", &json!({ "reference": reference, "amount": 1_000 })).await;
        till.notice(&reference).await;
        till.pass(1).await;
        if pays_the_rest {
            assert_eq!(refused(&till.confirm(&checkout, Method::VirtualAccount).await), "");
            let rest = till.intent(&checkout).await.attempts()[1].clone();
            assert_eq!(rest.amount().minor(), due - 100_000);
            till.control("pay", &json!({ "reference": rest.reference() })).await;
            till.notice(rest.reference()).await;
        }
        till.pass(2 * HOUR_S).await;
        match pays_the_rest {
            true => till.books(&[("clearing", due), ("unapplied", 0)]).await,
            false => till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0)]).await,
        }
        assert_eq!(till.orders().await, usize::from(pays_the_rest));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looks_at_the_same_time_sends_no_refund_twice() {
    let till = Till::open().await;
    let checkout = till.paid(Method::Wallet).await;
    let id = till.order_id(&checkout).await;
    till.run(Command::RefundOrder { id, back: Back::Whole }).await;
    till.plan_with("refund", &json!({ "what": "delay", "ms": 200 })).await;
    let woken = till.store.woken(till.now(), 1).await.unwrap().pop().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (service, woken) = (till.service.clone(), woken.clone());
        tasks.spawn(async move { service.tend(&woken).await });
    }
    tasks.join_all().await.into_iter().for_each(|done| done.unwrap());
    assert_eq!(till.asked("refund").await, 1);
    till.pass(HOUR_S).await;
    till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0)]).await;
}

/// A bank transfer has no way back of its own: the buyer says where to, and until then it is owed by name.
#[tokio::test]
async fn what_came_by_transfer_goes_back_to_the_account_that_the_buyer_names() {
    let till = Till::open().await;
    let checkout = till.paid(Method::VirtualAccount).await;
    let order = till.order_of(&checkout).await;
    let total = order.totals().total().minor();
    let id = till.order_id(&checkout).await;
    let answer = till.run(Command::RefundOrder { id, back: Back::Whole }).await;
    assert_eq!(answer.on_its_way, total, "nothing has reached the buyer yet");
    till.pass(HOUR_S).await;
    assert_eq!(till.owed(&checkout).await, total);
    till.books(&[("clearing", total), ("refund", -total), ("unapplied", 0)]).await;
    assert_eq!(till.pay_out(&checkout, "  12 ").await, "account_invalid");
    assert_eq!(till.pay_out(&checkout, "BCA\n1234567890").await, "account_invalid");
    // The provider keeps its fees, and pays nothing out that it has not: the shop's own money comes first.
    till.control("top-up", &json!({ "amount": 10_000 })).await;
    assert_eq!(till.pay_out(&checkout, "BCA 1234567890 Sari").await, "");
    assert_eq!((till.owed(&checkout).await, till.pay_out(&checkout, "Mandiri 99999 Budi").await), (0, ""));
    till.pass(HOUR_S).await;
    till.books(&[("clearing", 0), ("refund", 0), ("unapplied", 0)]).await;
    let intent = till.intent_of(&order).await;
    let [refund] = intent.refunds() else { panic!("one: {intent:?}") };
    assert_eq!((refund.state(), refund.account()), (RefundState::Confirmed, Some("BCA 1234567890 Sari")));
    assert!(!format!("{intent:?}").contains("1234567890"), "an account is printed");
    let shown = till.service.order(&till.frame.shop, &till.order_id(&checkout).await).await.unwrap();
    assert_eq!(shown.on_its_way, 0);
    till.pass(2 * DAY_S).await;
    till.at_rest().await;
}

/// A provider that has not enough says no, and then the buyer is asked again.
#[tokio::test]
async fn a_payout_that_is_rejected_is_owed_as_before() {
    let till = Till::open().await;
    let checkout = till.paid(Method::VirtualAccount).await;
    till.run(Command::RefundOrder { id: till.order_id(&checkout).await, back: Back::Whole }).await;
    till.pass(1).await;
    let total = till.total(&checkout).await;
    // Less than all of it is there: the provider has kept its fee.
    assert_eq!(till.pay_out(&checkout, "BCA 1234567890 Sari").await, "");
    till.pass(HOUR_S).await;
    assert_eq!(till.owed(&checkout).await, total);
    till.control("top-up", &json!({ "amount": 10_000 })).await;
    assert_eq!(till.pay_out(&checkout, "BCA 1234567890 Sari").await, "");
    till.pass(HOUR_S).await;
    till.books(&[("clearing", 0), ("refund", 0), ("unapplied", 0)]).await;
}
