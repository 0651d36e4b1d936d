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

/// The rail has called it over, and again when its couriers had to have told of all that they took.
fn refused(order: &Intent) -> Intent {
    let sure = Timestamp(LATER.0 + 3 * 24 * HOUR);
    answered(&answered(order, 1, Answer::Over, LATER), 1, Answer::Over, sure)
}

#[test]
fn goods_that_are_paid_at_the_door_are_ordered_at_once_unless_somebody_canceled_before() {
    let promised = awaiting(Method::CashOnDelivery);
    assert_eq!(acts(&promised, LATER), [Act::Complete]);
    assert_eq!(promised.state(LATER, &PATIENCE), State::Promised);
    let order = ordered();
    assert!(!order.is_order_unpaid());
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
    let early = answered(&over, 1, Answer::Over, Timestamp(LATER.0 + 48 * HOUR));
    assert_eq!(acts(&early, Timestamp(LATER.0 + 49 * HOUR)), [], "a courier's office may not have told yet");
    let told = received(&early, "a", ReceiptKind::Collected, 1, DUE);
    assert!(!acts(&refused(&told), MUCH_LATER).contains(&Act::CancelOrder));
    let refused = refused(&order);
    assert_eq!(acts(&refused, MUCH_LATER), [Act::CancelOrder]);
    let canceled = refused.give_back(idr(DUE)).expect("all of it");
    assert_eq!((canceled.owed_back(), canceled.state(LATER, &PATIENCE)), (0, State::Canceled));
    assert_eq!(acts(&canceled, MUCH_LATER), []);
    assert!(canceled.postings().is_empty(), "nothing was booked");
    // And yet somebody paid: it goes back, to an account that the buyer names, when the provider has it.
    let paid = received(&canceled, "a", ReceiptKind::Collected, 1, DUE);
    assert_eq!((paid.owed_back(), acts(&paid, MUCH_LATER)), (DUE, ASK.to_vec()));
    assert_eq!(paid.refund_what_is_owed(MUCH_LATER).expect("nothing yet").needs_account(), 0);
    let brought = received(&paid, "b", ReceiptKind::Remitted, 1, DUE);
    assert_eq!(acts(&brought, MUCH_LATER), [Act::Refund]);
    assert_eq!(brought.refund_what_is_owed(MUCH_LATER).expect("a refund").needs_account(), DUE);
}

#[test]
fn an_order_is_not_ended_whose_money_was_taken_at_the_door() {
    let part = received(&ordered(), "a", ReceiptKind::Collected, 1, DUE / 5 * 2);
    assert!(part.is_order_unpaid(), "somebody has to look");
    assert!(!acts(&refused(&part), MUCH_LATER).contains(&Act::CancelOrder));
    // The rest may come, and its notice never.
    let with_the_provider = received(&part, "b", ReceiptKind::Remitted, 1, DUE / 5 * 2);
    assert_eq!(acts(&with_the_provider, MUCH_LATER), ASK);
    let all = received(&part, "c", ReceiptKind::Collected, 1, DUE / 5 * 3);
    assert!(!all.is_order_unpaid());
    let reversed = received(&all, "d", ReceiptKind::Reversed, 1, DUE);
    assert!(reversed.is_order_unpaid() && !acts(&refused(&reversed), MUCH_LATER).contains(&Act::CancelOrder));
    // What the provider has was taken, whoever forgot to say so.
    let only_brought = received(&ordered(), "b", ReceiptKind::Remitted, 1, DUE);
    assert_eq!(acts(&refused(&only_brought), MUCH_LATER), ASK);
}

#[test]
fn what_a_courier_keeps_is_somebodys_to_look_at() {
    let taken = received(&ordered(), "a", ReceiptKind::Collected, 1, DUE);
    let brought = received(&taken, "b", ReceiptKind::Remitted, 1, DUE);
    let [week, more] = [6, 8].map(|days| Timestamp(LATER.0 + days * 24 * HOUR));
    assert_eq!([&taken, &brought].map(|it| it.is_kept_by_a_courier(week)), [false, false]);
    assert_eq!([&taken, &brought].map(|it| it.is_kept_by_a_courier(more)), [true, false]);
}

#[test]
fn what_is_canceled_before_it_is_brought_ends_when_nobody_can_have_paid_it() {
    let canceled = ordered().not_wanted_at_the_door(LATER).expect("not paid");
    assert_eq!(canceled.not_wanted_at_the_door(MUCH_LATER).as_ref(), Ok(&canceled));
    assert_eq!(acts(&canceled, LATER), [Act::Expire { attempt: 1 }]);
    let told = refused(&canceled.told_to_end(1, LATER).expect("known"));
    assert_eq!(acts(&told, MUCH_LATER), [Act::CancelOrder]);
    // The courier was faster.
    let paid = received(&canceled, "a", ReceiptKind::Collected, 1, DUE);
    assert_eq!((paid.owed_back(), paid.state(LATER, &PATIENCE)), (0, State::Paid));
    assert_eq!(paid.not_wanted_at_the_door(LATER).map_err(|it| it.code), Err("payment_received"));
}

#[test]
fn nothing_is_ordered_on_a_promise_that_is_being_ended() {
    let ending = awaiting(Method::CashOnDelivery).told_to_end(1, LATER).expect("known");
    assert!(ending.completed(&PublicId::new("70")).is_err());
    // The call that ends it may be lost: it is asked for, and told again.
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    let plan = ending.plan(LATER, &PATIENCE);
    assert_eq!((plan.acts, plan.wake_at), (vec![], Some(sure)));
    assert_eq!(acts(&ending, sure), ASK);
    let waits = answered(&ending, 1, Answer::Accepted, sure);
    assert_eq!(acts(&waits, Timestamp(sure.0 + HOUR)), [Act::Expire { attempt: 1 }]);
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
    assert!(!order.is_order_unpaid());
    // What the courier is to take is not all that is missing then.
    let reversed = received(&order, "c", ReceiptKind::Reversed, 1, DUE / 5 * 2);
    assert!(reversed.is_order_unpaid(), "somebody has to look");
    let gone = answered(&answered(&reversed, 2, Answer::Over, LATER), 2, Answer::Over, MUCH_LATER);
    let sure = answered(&gone, 1, Answer::Over, MUCH_LATER);
    assert_eq!(acts(&sure, MUCH_LATER), [Act::CancelOrder]);
    let paid = received(&order, "b", ReceiptKind::Collected, 2, DUE / 5 * 3);
    assert!(!paid.is_order_unpaid());
    assert_eq!(paid.state(MUCH_LATER, &PATIENCE), State::Paid);
}
