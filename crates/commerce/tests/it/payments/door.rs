//! Paid at the door: ordered on a promise, taken by a courier, handed to the provider, or refused.

use super::rules::{acts, answered, received};
use super::world::{DUE, EXPIRES, HOUR, LATER, SECOND, START, awaiting, idr};
use commerce::intent::{Act, Answer, Intent, Method, Patience, ReceiptKind, State};
use commerce::ledger::Account;
use vocab::id::{PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;
const MUCH_LATER: Timestamp = Timestamp(EXPIRES + 100 * HOUR);
const A_MONTH_LATER: Timestamp = Timestamp(START + 30 * 24 * HOUR);
const ASK: [Act; 1] = [Act::Query { attempt: 1 }];

fn ordered() -> Intent {
    awaiting(Method::CashOnDelivery).completed(&PublicId::new("70")).expect("promised")
}

fn balance(intent: &Intent, account: Account) -> i64 {
    let sign = |on: Account| i64::from(on == account);
    intent.postings().iter().map(|it| (sign(it.debit) - sign(it.credit)) * it.amount.minor()).sum()
}

/// The rail has called it over, and again when it had to know of all that was taken.
fn refused(order: &Intent) -> Intent {
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    answered(&answered(order, 1, Answer::Over, LATER), 1, Answer::Over, sure)
}

#[test]
fn goods_that_are_paid_at_the_door_are_ordered_at_once_unless_somebody_canceled_before() {
    let promised = awaiting(Method::CashOnDelivery);
    assert_eq!(acts(&promised, LATER), [Act::Complete]);
    assert_eq!(promised.state(LATER, &PATIENCE), State::Promised);
    let order = ordered();
    assert!(order.waits_at_the_door() && !order.is_order_unpaid());
    assert_eq!(order.attempt(Method::Qr, LATER).map(|_| ()).map_err(|it| it.code), Err("payment_received"));
    let canceled = promised.cancel(LATER).expect("not paid");
    assert!(!acts(&canceled, LATER).contains(&Act::Complete));
    assert!(canceled.completed(&PublicId::new("70")).is_err());
}

#[test]
fn what_a_courier_has_is_asked_for_until_it_is_with_the_provider() {
    let order = ordered();
    // The notice that it was taken may never come.
    assert_eq!(acts(&order, MUCH_LATER), ASK);
    // Nor may the goods.
    assert_eq!(
        acts(&answered(&order, 1, Answer::Accepted, A_MONTH_LATER), A_MONTH_LATER),
        [Act::Expire { attempt: 1 }]
    );
    assert!(!order.is_over(&PATIENCE));
    let taken = received(&order, "a", ReceiptKind::Collected, 1, DUE);
    let taken = answered(&taken, 1, Answer::Paid, LATER);
    assert_eq!(taken.state(LATER, &PATIENCE), State::Paid);
    assert_eq!([Account::Cash, Account::Clearing, Account::Unapplied].map(|it| balance(&taken, it)), [DUE, 0, -DUE]);
    assert_eq!(acts(&taken, Timestamp(LATER.0 + 2 * HOUR)), ASK);
    let brought = received(&taken, "b", ReceiptKind::Remitted, 1, DUE);
    assert_eq!([Account::Cash, Account::Clearing, Account::Unapplied].map(|it| balance(&brought, it)), [0, DUE, -DUE]);
    assert_eq!((brought.received(), brought.owed_back()), (DUE, 0));
    let heard = answered(&brought, 1, Answer::Paid, MUCH_LATER);
    assert_eq!(acts(&heard, Timestamp(MUCH_LATER.0 + 10 * HOUR)), []);
    // Told in the other order, it is the same.
    let early = received(&order, "b", ReceiptKind::Remitted, 1, DUE);
    let both = received(&early, "a", ReceiptKind::Collected, 1, DUE);
    assert_eq!([Account::Cash, Account::Clearing].map(|it| balance(&both, it)), [0, DUE]);
}

#[test]
fn goods_that_are_refused_at_the_door_are_no_order_any_more() {
    let order = ordered();
    let over = answered(&order, 1, Answer::Over, LATER);
    assert_eq!(acts(&over, LATER), [], "who paid at the last moment has paid");
    let refused = refused(&order);
    assert_eq!(acts(&refused, MUCH_LATER), [Act::CancelOrder]);
    let canceled = refused.give_back(idr(DUE)).expect("all of it");
    assert_eq!((canceled.owed_back(), canceled.state(LATER, &PATIENCE)), (0, State::Canceled));
    assert_eq!(acts(&canceled, MUCH_LATER), []);
    assert!(canceled.postings().is_empty(), "nothing was booked");
    // And yet somebody paid: it goes back, to an account that the buyer names.
    let paid = received(&canceled, "a", ReceiptKind::Collected, 1, DUE);
    assert_eq!((paid.owed_back(), acts(&paid, MUCH_LATER).contains(&Act::Refund)), (DUE, true));
    assert_eq!(paid.refund_what_is_owed(MUCH_LATER).expect("a refund").needs_account(), DUE);
}

#[test]
fn an_order_is_not_ended_whose_money_was_taken_at_the_door() {
    let taken = received(&ordered(), "a", ReceiptKind::Collected, 1, DUE / 5 * 2);
    assert!(taken.is_order_unpaid(), "somebody has to look");
    assert!(!acts(&refused(&taken), MUCH_LATER).contains(&Act::CancelOrder));
    let all = received(&taken, "b", ReceiptKind::Collected, 1, DUE / 5 * 3);
    assert!(!all.is_order_unpaid());
    let reversed = received(&all, "c", ReceiptKind::Reversed, 1, DUE);
    assert!(reversed.is_order_unpaid() && !acts(&refused(&reversed), MUCH_LATER).contains(&Act::CancelOrder));
}

#[test]
fn what_is_canceled_before_it_is_brought_is_not_to_be_paid_at_the_door() {
    let canceled = ordered().give_back(idr(DUE)).expect("all of it");
    assert_eq!(acts(&canceled, LATER), [Act::Expire { attempt: 1 }]);
    // Of a part the courier is not told: the buyer has it back.
    let part = ordered().give_back(idr(DUE / 4)).expect("a part");
    assert_eq!(acts(&part, LATER), ASK);
    let taken = received(&part, "a", ReceiptKind::Collected, 1, DUE);
    assert_eq!((taken.owed_back(), taken.is_order_unpaid()), (DUE / 4, false));
}

#[test]
fn the_rest_of_what_is_paid_in_parts_can_be_paid_at_the_door() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let over = answered(&part, 1, Answer::Over, Timestamp(START + HOUR));
    let (cash, attempt) =
        over.attempt(Method::CashOnDelivery, Timestamp(START + HOUR + SECOND)).expect("the first is dead");
    assert_eq!(attempt.amount(), idr(DUE / 5 * 3));
    let promised = answered(&cash, 2, Answer::Accepted, Timestamp(START + HOUR + 2 * SECOND));
    let order = promised.completed(&PublicId::new("70")).expect("promised");
    assert!(order.waits_at_the_door() && !order.is_order_unpaid());
    let paid = received(&order, "b", ReceiptKind::Collected, 2, DUE / 5 * 3);
    assert!(!paid.waits_at_the_door() && !paid.is_order_unpaid());
    assert_eq!(paid.state(MUCH_LATER, &PATIENCE), State::Paid);
}
