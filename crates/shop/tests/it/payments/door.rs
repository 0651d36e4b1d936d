//! Paid at the door: ordered at once, taken by a courier, with the provider days later; or refused, and on the shelf again.

use super::till::{DAY_S, HOUR_S, STOCK, Till};
use crate::refused;
use commerce::decision::Aggregate;
use commerce::intent::{Method, RefundState, State as IntentState};
use commerce::order::{Back, PaymentState, State as OrderState};
use serde_json::json;
use shop::Command;
use vocab::id::PublicId;

const MONTH_S: i64 = 30 * DAY_S;

/// A checkout of two units that is ordered, and how the provider calls its try.
async fn ordered(till: &Till) -> (PublicId, String) {
    let checkout = till.checkout(2).await;
    let reference = till.code(&checkout, Method::CashOnDelivery).await;
    till.pass(1).await;
    (checkout, reference)
}

async fn door(till: &Till, act: &str, reference: &str) {
    let (status, said) = till.control(act, &json!({ "reference": reference })).await;
    assert_eq!(status, 200, "{said}");
}

#[tokio::test]
async fn it_is_ordered_at_once_and_paid_when_it_is_brought() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    let order = till.order_of(&checkout).await;
    assert_eq!((order.state(), order.payments()[0].state()), (OrderState::Open, PaymentState::Pending));
    assert!(order.invoice().is_some() && order.payments()[0].paid_at().is_none());
    assert!(till.service.to_pay(&till.frame.shop, &checkout).await.unwrap().unwrap().at_the_door);
    assert_eq!(till.stock().await, STOCK - 2);
    till.books(&[("cod", 0), ("payable", 0), ("clearing", 0)]).await;

    till.pass(2 * DAY_S).await;
    door(&till, "pay", &reference).await;
    till.notice(&reference).await;
    till.pass(1).await;
    let (order, total) = (till.order_of(&checkout).await, order.totals().total().minor());
    assert_eq!((order.state(), order.payments()[0].state()), (OrderState::Paid, PaymentState::Captured));
    assert!(!till.service.to_pay(&till.frame.shop, &checkout).await.unwrap().unwrap().at_the_door);
    till.books(&[("cod", total), ("unapplied", 0), ("clearing", 0)]).await;

    door(&till, "remit", &reference).await;
    till.notice(&reference).await;
    till.pass(1).await;
    till.books(&[("cod", 0), ("unapplied", 0), ("clearing", total)]).await;
    assert_eq!(till.intent_of(&order).await.state(till.now(), &commerce::intent::Patience::USUAL), IntentState::Paid);
    till.pass(2 * MONTH_S).await;
    till.at_rest().await;
    assert_eq!((till.orders().await, till.stock().await), (1, STOCK - 2));
}

#[tokio::test]
async fn what_no_notice_tells_of_a_courier_a_question_finds() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    door(&till, "pay", &reference).await;
    till.pass(2 * HOUR_S).await;
    assert_eq!(till.order_of(&checkout).await.state(), OrderState::Paid);
    door(&till, "remit", &reference).await;
    till.pass(2 * HOUR_S).await;
    let total = till.total(&checkout).await;
    till.books(&[("cod", 0), ("clearing", total)]).await;
}

#[tokio::test]
async fn goods_that_are_refused_at_the_door_are_no_order_any_more_and_nothing_was_booked() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    door(&till, "refuse", &reference).await;
    till.notice(&reference).await;
    till.pass(HOUR_S).await;
    let order = till.order_of(&checkout).await;
    assert_eq!((order.state(), order.lines()[0].cancelled()), (OrderState::Cancelled, 2));
    assert_eq!(till.stock().await, STOCK);
    assert!(till.store.ledger_sums(&till.frame.shop).await.unwrap().iter().all(|sum| sum.amount == 0));
    assert_eq!(till.owed(&checkout).await, 0);
    till.pass(2 * MONTH_S).await;
    till.at_rest().await;
}

#[tokio::test]
async fn goods_that_never_arrive_are_no_order_any_more_after_a_month() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    till.pass(MONTH_S + HOUR_S).await;
    assert_eq!((till.order_of(&checkout).await.state(), till.stock().await), (OrderState::Cancelled, STOCK));
    assert_eq!(till.control("pay", &json!({ "reference": reference })).await.0, 409, "nobody takes money for it");
    till.at_rest().await;
}

#[tokio::test]
async fn what_is_canceled_before_it_is_brought_is_not_taken_at_the_door() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    let refund = Command::RefundOrder { id: till.order_id(&checkout).await, back: Back::Whole };
    assert_eq!(refused(&till.try_run(refund).await), "order_not_cancellable", "nothing came that could go back");
    till.run(Command::CancelOrder { id: till.order_id(&checkout).await, back: Back::Whole }).await;
    till.pass(60).await;
    assert_eq!(till.control("pay", &json!({ "reference": reference })).await.0, 409);
    assert_eq!((till.order_of(&checkout).await.state(), till.stock().await), (OrderState::Cancelled, STOCK));
    // And yet a courier took it: it goes back to an account that the buyer names.
    till.control("pay", &json!({ "reference": reference, "late": true })).await;
    till.notice(&reference).await;
    till.pass(60).await;
    let total = till.total(&checkout).await;
    assert_eq!(till.owed(&checkout).await, total);
    door(&till, "remit", &reference).await;
    till.control("top-up", &json!({ "amount": 1_000_000 })).await;
    assert_eq!(till.pay_out(&checkout, "BCA 1234567890 Budi").await, "");
    till.pass(2 * DAY_S).await;
    let intent = till.intent_of(&till.order_of(&checkout).await).await;
    assert_eq!(intent.refunds().iter().map(|it| it.state()).collect::<Vec<_>>(), [RefundState::Confirmed]);
    till.books(&[("cod", 0), ("unapplied", 0), ("refund", 0), ("payable", 0), ("clearing", 0)]).await;
}

#[tokio::test]
async fn a_part_that_is_canceled_before_it_is_brought_goes_back_when_all_was_taken() {
    let till = Till::open().await;
    let (checkout, reference) = ordered(&till).await;
    let order = till.order_of(&checkout).await;
    let lines = Back::Lines(vec![(order.lines()[0].sold().id().clone(), 1)]);
    till.run(Command::CancelOrder { id: order.id().clone(), back: lines }).await;
    assert_eq!(till.order_of(&checkout).await.state(), OrderState::Open);
    door(&till, "pay", &reference).await;
    till.notice(&reference).await;
    till.pass(60).await;
    let order = till.order_of(&checkout).await;
    let given = order.given_back().unwrap().minor();
    assert_eq!((order.state(), till.owed(&checkout).await), (OrderState::Paid, given));
    till.books(&[("cod", order.totals().total().minor()), ("unapplied", 0), ("refund", -given)]).await;
}
