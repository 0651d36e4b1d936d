//! Paid by a card that the provider has made a token of: held, taken, declined, let go; the token is kept nowhere.

use super::till::{DAY_S, HOUR_S, STOCK, Till};
use crate::refused;
use commerce::checkout::State;
use commerce::intent::{Fate, Intent, Method, ReceiptKind, RefundState};
use commerce::order::Back;
use serde_json::json;
use shop::Command;
use vocab::id::Kind;

fn receipts(intent: &Intent) -> Vec<ReceiptKind> {
    intent.receipts().iter().map(|receipt| receipt.kind).collect()
}

#[tokio::test]
async fn a_card_is_held_then_taken_and_makes_one_order_and_its_token_is_nowhere() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    assert_eq!(refused(&till.confirm_card(&checkout, "tok_visa").await), "");
    // Said twice, as by two taps, it is the same.
    till.confirm_card(&checkout, "tok_visa").await;
    till.pass(5).await;
    let order = till.order_of(&checkout).await;
    assert_eq!(order.payments()[0].method(), "card_token");
    let intent = till.intent_of(&order).await;
    assert_eq!(receipts(&intent), [ReceiptKind::Authorised, ReceiptKind::Captured]);
    assert_eq!(intent.attempts().len(), 1);
    till.books(&[("clearing", order.totals().total().minor()), ("unapplied", 0)]).await;
    till.pass(2 * DAY_S).await;
    till.at_rest().await;
    for kind in [Kind::Intent, Kind::Checkout, Kind::Order] {
        for (id, stored) in till.store.documents(&till.frame.shop, kind, None, 100).await.unwrap() {
            assert!(!format!("{:?}", stored.document).contains("tok_"), "{kind:?} {id}");
        }
    }
}

#[tokio::test]
async fn a_card_that_is_declined_keeps_nobody_from_paying_in_another_way() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    till.confirm_card(&checkout, "tok_decline").await;
    let intent = till.intent(&checkout).await;
    assert_eq!((intent.attempts()[0].fate(), intent.received()), (Fate::Declined, 0));
    till.confirm(&checkout, Method::Wallet).await;
    let reference = till.intent(&checkout).await.attempts()[1].reference().to_owned();
    till.control("pay", &json!({ "reference": reference })).await;
    till.pass(60).await;
    assert_eq!(till.order_of(&checkout).await.payments()[0].method(), "wallet");
    assert_eq!(till.orders().await, 1);
}

#[tokio::test]
async fn nothing_is_begun_for_a_card_that_nobody_knows() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    let answer = till.service.confirm(&till.frame, &checkout, &Method::CardToken.into(), || {}).await.unwrap();
    assert_eq!(refused(&answer), "card_missing");
    assert_eq!((till.state(&checkout).await, till.stock().await), (State::Open, STOCK));
    assert!(till.intents_of(&checkout).await.is_empty());
}

#[tokio::test]
async fn a_card_whose_answer_is_lost_is_charged_once_or_never() {
    let till = Till::open().await;
    for what in ["lost_after", "error_after", "garbage", "cut", "unknown_word"] {
        let checkout = till.checkout(1).await;
        till.plan("charge", what).await;
        till.confirm_card(&checkout, "tok_visa").await;
        till.pass(60).await;
        let intent = till.intent_of(&till.order_of(&checkout).await).await;
        assert_eq!((intent.attempts().len(), intent.received()), (1, intent.due().minor()), "{what}");
    }
    for what in ["lost_before", "error_before", "busy"] {
        let checkout = till.checkout(1).await;
        till.plan("charge", what).await;
        till.confirm_card(&checkout, "tok_visa").await;
        // The token is not kept, so that nothing is sent again: the buyer is asked once more, when it surely never arrived.
        till.pass(10).await;
        assert_eq!(refused(&till.confirm(&checkout, Method::Qr).await), "payment_in_progress", "{what}");
        till.pass(5 * 60).await;
        assert_eq!(till.intent(&checkout).await.attempts()[0].fate(), Fate::Absent, "{what}");
        till.confirm_card(&checkout, "tok_visa").await;
        till.pass(5).await;
        let intent = till.intent_of(&till.order_of(&checkout).await).await;
        assert_eq!((intent.attempts().len(), intent.received()), (2, intent.due().minor()), "{what}");
    }
}

#[tokio::test]
async fn what_is_taken_of_a_card_is_taken_once_whatever_becomes_of_the_calls() {
    let till = Till::open().await;
    for what in ["lost_after", "lost_before", "error_after", "error_before", "garbage", "in_progress"] {
        let checkout = till.checkout(1).await;
        till.plan("capture", what).await;
        till.confirm_card(&checkout, "tok_visa").await;
        till.pass(10 * 60).await;
        let intent = till.intent_of(&till.order_of(&checkout).await).await;
        assert_eq!(receipts(&intent), [ReceiptKind::Authorised, ReceiptKind::Captured], "{what}");
    }
    till.pass(2 * DAY_S).await;
    till.at_rest().await;
}

#[tokio::test]
async fn what_an_order_gives_back_goes_to_the_card_that_it_came_from() {
    let till = Till::open().await;
    let checkout = till.checkout(1).await;
    till.confirm_card(&checkout, "tok_visa").await;
    till.pass(5).await;
    till.run(Command::CancelOrder { id: till.order_id(&checkout).await, back: Back::Whole }).await;
    till.pass(HOUR_S).await;
    let intent = till.intent_of(&till.order_of(&checkout).await).await;
    let refunds: Vec<_> = intent.refunds().iter().map(|it| (it.state(), it.attempt())).collect();
    assert_eq!((refunds, till.owed(&checkout).await), (vec![(RefundState::Confirmed, Some(1))], 0));
    till.books(&[("clearing", 0), ("unapplied", 0), ("refund", 0), ("payable", 0)]).await;
}
