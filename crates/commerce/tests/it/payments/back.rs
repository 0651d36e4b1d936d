//! What goes back, and what does not: refunds, payouts, and money that left by another way.

use super::rules::{acts, answered, received};
use super::world::{DUE, HOUR, LATER, SECOND, START, awaiting, idr, receipt};
use commerce::intent::{Act, Answer, Intent, Method, Patience, ReceiptKind, RefundAnswer, RefundState, Why};
use vocab::id::{PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;

/// Paid by this method, with an order, of which all is to go back.
fn given_back(method: Method) -> Intent {
    let paid = received(&awaiting(method), "a", ReceiptKind::Captured, 1, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid");
    order.give_back(idr(DUE)).and_then(|order| order.refund_what_is_owed(LATER)).expect("one refund")
}

#[test]
fn a_refund_that_no_rail_has_is_withdrawn_when_the_money_leaves_by_another_way() {
    let waits = given_back(Method::VirtualAccount);
    let key = waits.refunds()[0].key();
    assert_eq!(waits.refunds()[0].state(), RefundState::NeedsAccount);
    let reversed = received(&waits, "b", ReceiptKind::Reversed, 1, DUE);
    assert_eq!(reversed.pay_out_to(key, "014", LATER).map_err(|refusal| refusal.code), Err("refund_not_owed"));
    assert!(acts(&reversed, LATER).contains(&Act::WithdrawRefund { key: key.to_owned() }));
    let withdrawn = reversed.withdraw_refund(key, LATER).expect("no rail has it");
    assert_eq!((withdrawn.given(), withdrawn.owed_back()), (0, 0));
    assert!(!acts(&withdrawn, LATER).contains(&Act::Refund));
}

#[test]
fn a_refund_waits_while_its_money_is_disputed() {
    let sent = given_back(Method::Wallet);
    let key = sent.refunds()[0].key();
    let unknown = sent.refund_answered(key, RefundAnswer::NotFound, LATER, &PATIENCE).expect("known");
    assert_eq!(unknown.refunds()[0].state(), RefundState::Unknown, "it may be on its way");
    let sure = Timestamp(LATER.0 + PATIENCE.visible_us);
    let absent = unknown.refund_answered(key, RefundAnswer::NotFound, sure, &PATIENCE).expect("known");
    let disputed = received(&absent, "b", ReceiptKind::Disputed, 1, DUE);
    let much_later = Timestamp(START + 100 * HOUR);
    assert!(!acts(&disputed, much_later).iter().any(|act| matches!(act, Act::SendRefund { .. })));
    assert_eq!(disputed.refund_sent_again(key, LATER).map_err(|refusal| refusal.code), Err("refund_not_owed"));
    let lost = received(&disputed, "c", ReceiptKind::DisputeLost, 1, DUE);
    assert!(acts(&lost, much_later).contains(&Act::WithdrawRefund { key: key.to_owned() }));
    let won = received(&disputed, "c", ReceiptKind::DisputeWon, 1, DUE);
    assert!(acts(&won, much_later).contains(&Act::SendRefund { key: key.to_owned() }));
}

#[test]
fn what_somebody_gave_back_at_the_providers_own_desk_is_not_given_back_again() {
    let rejected = {
        let sent = given_back(Method::Wallet);
        let key = sent.refunds()[0].key().to_owned();
        sent.refund_answered(&key, RefundAnswer::Rejected, LATER, &PATIENCE).expect("known")
    };
    // The money itself is asked about first.
    assert_eq!(acts(&rejected, Timestamp(LATER.0 + SECOND)), [Act::Query { attempt: 1 }]);
    let told = received(&rejected, "b", ReceiptKind::Refunded, 1, DUE);
    assert_eq!(told.owed_back(), 0);
}

#[test]
fn a_refund_that_was_called_rejected_and_left_all_the_same_is_booked_as_both_and_not_repeated() {
    let sent = given_back(Method::Wallet);
    let key = sent.refunds()[0].key().to_owned();
    let rejected = sent.refund_answered(&key, RefundAnswer::Rejected, LATER, &PATIENCE).expect("known");
    let asked = answered(&rejected, 1, Answer::Paid, Timestamp(LATER.0 + SECOND));
    let instead = asked.refund_what_is_owed(LATER).expect("a payout");
    let confirmed = instead.refund_answered(&key, RefundAnswer::Confirmed, LATER, &PATIENCE).expect("known");
    assert_eq!(confirmed.refunds()[0].state(), RefundState::Confirmed);
    let payout = confirmed.refunds()[1].key().to_owned();
    assert!(acts(&confirmed, LATER).contains(&Act::WithdrawRefund { key: payout }));
    let events: Vec<String> = confirmed.postings().into_iter().map(|it| it.event).collect();
    let of_key: Vec<&str> = events.iter().filter_map(|event| event.strip_prefix(&format!("{key} "))).collect();
    assert_eq!(of_key, ["owed", "rejected", "owed after all", "confirmed"]);
    // Said the other way round, the money has left.
    let stale = confirmed.refund_answered(&key, RefundAnswer::Rejected, LATER, &PATIENCE).expect("known");
    assert_eq!(stale.refunds()[0].state(), RefundState::Confirmed);
}

#[test]
fn a_refund_that_its_rail_does_not_know_goes_out_again_at_a_pace() {
    let sent = given_back(Method::Wallet);
    let key = sent.refunds()[0].key().to_owned();
    let (mut intent, mut now, mut sends) = (sent, LATER, 0);
    for _ in 0..200 {
        let plan = intent.plan(now, &PATIENCE);
        let Some(act) = plan.acts.into_iter().find(|act| !matches!(act, Act::Query { .. })) else {
            now = plan.wake_at.expect("it is waited for");
            continue;
        };
        if let Act::SendRefund { key } = act {
            sends += 1;
            intent = intent.refund_sent_again(&key, now).expect("unknown to the rail");
            continue;
        }
        assert_eq!(act, Act::QueryRefund { key: key.clone() });
        intent = intent.refund_answered(&key, RefundAnswer::NotFound, now, &PATIENCE).expect("known");
    }
    let hours = (now.0 - LATER.0) / HOUR;
    assert!(sends > 5 && i64::from(sends) <= hours + 6, "{sends} times in {hours} hours");
    assert_eq!(intent.refunds().len(), 1);
    assert_eq!(intent.refunds()[0].key(), key);
}

#[test]
fn a_refund_that_its_rail_accepts_late_is_asked_for_soon_after_that_and_then_at_a_pace() {
    let mut intent = given_back(Method::Wallet);
    let key = intent.refunds()[0].key().to_owned();
    // Two days on the way, nobody knows where.
    let mut now = LATER;
    for _ in 0..20 {
        now = intent.plan(now, &PATIENCE).wake_at.expect("it is waited for");
        intent = intent.refund_answered(&key, RefundAnswer::Nothing, now, &PATIENCE).expect("known");
    }
    let (accepted, mut asked) = (now, Vec::new());
    for _ in 0..6 {
        intent = intent.refund_answered(&key, RefundAnswer::Accepted, now, &PATIENCE).expect("known");
        now = intent.plan(now, &PATIENCE).wake_at.expect("it is waited for");
        asked.push(now.0 - accepted.0);
    }
    assert!(asked[..3].iter().all(|after| *after <= 60 * SECOND), "{asked:?}");
    assert!(asked.windows(2).all(|two| two[1] - two[0] >= 5 * SECOND), "{asked:?}");
    assert!(asked[5] - asked[4] >= HOUR, "{asked:?}");
}

#[test]
fn what_was_returned_and_what_was_too_much_go_back_as_two() {
    let paid = received(&awaiting(Method::Wallet), "a", ReceiptKind::Captured, 1, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid").give_back(idr(DUE / 4)).expect("a quarter");
    let twice = received(&order, "b", ReceiptKind::Captured, 1, DUE);
    let refunds = twice.refund_what_is_owed(LATER).expect("two");
    let said: Vec<(Why, i64)> = refunds.refunds().iter().map(|it| (it.why(), it.amount().minor())).collect();
    assert_eq!(said, [(Why::Returned, DUE / 4), (Why::Over, DUE)]);
}

#[test]
fn a_rail_that_has_rejected_a_refund_is_asked_no_more_and_the_money_is_paid_out() {
    let (paid, _) = awaiting(Method::Wallet).receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money");
    let order = paid.completed(&PublicId::new("70")).expect("paid").give_back(idr(DUE)).expect("all of it");
    let refunding = order.refund_what_is_owed(Timestamp(START)).expect("one");
    assert_eq!(refunding.refunds()[0].attempt(), Some(1));
    let key = refunding.refunds()[0].key();
    let rejected = refunding.refund_answered(key, RefundAnswer::Rejected, Timestamp(START), &PATIENCE).expect("known");
    let instead = rejected.refund_what_is_owed(Timestamp(START)).expect("another way");
    let last = instead.refunds().last().expect("a payout");
    assert_eq!((last.attempt(), last.state(), last.amount()), (None, RefundState::NeedsAccount, idr(DUE)));
}

#[test]
fn one_silent_rail_holds_back_only_its_own_money() {
    let over = answered(&awaiting(Method::Wallet), 1, Answer::Over, LATER);
    let (two, _) = over.attempt(Method::Qr, LATER).expect("the first is over");
    let one = received(&answered(&two, 2, Answer::Accepted, LATER), "a", ReceiptKind::Captured, 1, DUE);
    let order = one.completed(&PublicId::new("70")).expect("paid").give_back(idr(DUE)).expect("all of it");
    let sent = order.refund_what_is_owed(LATER).expect("one");
    let key = sent.refunds()[0].key().to_owned();
    let rejected = sent.refund_answered(&key, RefundAnswer::Rejected, LATER, &PATIENCE).expect("known");
    let both = received(&rejected, "b", ReceiptKind::Captured, 2, DUE);
    assert!(acts(&both, LATER).contains(&Act::Refund));
    let refunded = both.refund_what_is_owed(LATER).expect("what is sure");
    let last = refunded.refunds().last().expect("a refund");
    assert_eq!((last.attempt(), last.amount()), (Some(2), idr(DUE)));
}

#[test]
fn a_refund_that_was_withdrawn_and_left_all_the_same_is_booked_as_both() {
    let sent = given_back(Method::Wallet);
    let key = sent.refunds()[0].key().to_owned();
    let asked =
        |intent: &Intent, at| intent.refund_answered(&key, RefundAnswer::NotFound, at, &PATIENCE).expect("known");
    let absent = asked(&asked(&sent, LATER), Timestamp(LATER.0 + PATIENCE.visible_us));
    let told = received(&absent, "b", ReceiptKind::Refunded, 1, DUE);
    let withdrawn = told.withdraw_refund(&key, LATER).expect("no rail has it");
    let confirmed = withdrawn.refund_answered(&key, RefundAnswer::Confirmed, LATER, &PATIENCE).expect("known");
    let added: Vec<String> = confirmed.booked_since(&withdrawn).into_iter().map(|it| it.event).collect();
    assert_eq!(added, [format!("{key} owed after all"), format!("{key} confirmed")]);
}
