//! What an intent allows, refuses and plans, one rule at a time.

use super::world::{DUE, HOUR, LATER, SECOND, START, awaiting, idr, receipt};
use commerce::intent::{
    Act, Answer, Ending, Entered, Fate, Intent, Method, Patience, Receipt, ReceiptKind, Settling, State,
};
use vocab::id::{Minted, PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;

pub fn acts(intent: &Intent, at: Timestamp) -> Vec<Act> {
    intent.plan(at, &PATIENCE).acts
}

pub fn received(intent: &Intent, transaction: &str, kind: ReceiptKind, attempt: u32, minor: i64) -> Intent {
    intent.receive(receipt(transaction, kind, attempt, minor)).expect("money").0
}

pub fn answered(intent: &Intent, attempt: u32, answer: Answer, at: Timestamp) -> Intent {
    intent.answered(attempt, answer, at, &PATIENCE).expect("a known attempt")
}

#[test]
fn of_two_cards_that_hold_the_money_one_is_captured_and_the_other_let_go() {
    let minute = Timestamp(START + 70 * SECOND);
    let (one, _) = super::world::World::new(1).intent.attempt(Method::CardToken, Timestamp(START)).expect("the first");
    let gone = answered(&one, 1, Answer::NotFound, Timestamp(START + 5 * SECOND));
    let gone = answered(&gone, 1, Answer::NotFound, minute);
    let (two, _) = gone.attempt(Method::CardToken, minute).expect("the first is dead");
    let two = answered(&two, 2, Answer::Accepted, minute);
    let two = received(&two, "b", ReceiptKind::Authorised, 2, DUE);
    let both = received(&two, "a", ReceiptKind::Authorised, 1, DUE);
    let settles: Vec<Act> = acts(&both, minute).into_iter().filter(|act| matches!(act, Act::Settle { .. })).collect();
    let settle = |attempt, what| Act::Settle { attempt, what, minor: DUE };
    assert_eq!(settles, [settle(1, Settling::Capture), settle(2, Settling::Void)]);
}

#[test]
fn held_money_is_not_asked_for_again_before_the_rail_said_that_it_is_still_held() {
    let held = received(&awaiting(Method::CardToken), "a", ReceiptKind::Authorised, 1, DUE);
    let sent = held.settling(1, Settling::Capture, LATER, &PATIENCE).expect("the first");
    let silent = answered(&sent, 1, Answer::Nothing, Timestamp(LATER.0 + 10 * SECOND));
    let much_later = Timestamp(LATER.0 + 10 * HOUR);
    assert_eq!(acts(&silent, much_later), [Act::Query { attempt: 1 }]);
    let heard = answered(&silent, 1, Answer::Accepted, much_later);
    let again = Timestamp(much_later.0 + HOUR);
    assert_eq!(acts(&heard, again), [Act::Settle { attempt: 1, what: Settling::Capture, minor: DUE }]);
}

#[test]
fn what_was_captured_in_part_leaves_nothing_to_ask_for() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let over = answered(&part, 1, Answer::Over, LATER);
    let (card, _) = over.attempt(Method::CardToken, LATER).expect("the first is over");
    let card = answered(&card, 2, Answer::Accepted, LATER);
    let held = received(&card, "b", ReceiptKind::Authorised, 2, DUE);
    let wanted = Act::Settle { attempt: 2, what: Settling::Capture, minor: DUE / 5 * 3 };
    assert!(acts(&held, LATER).contains(&wanted));
    let taken = received(&held, "c", ReceiptKind::Captured, 2, DUE / 5 * 3);
    let rest = received(&taken, "d", ReceiptKind::Voided, 2, DUE / 5 * 2);
    assert_eq!(acts(&rest, LATER), [Act::Complete]);
}

#[test]
fn no_order_is_placed_with_money_that_is_going_back() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let canceled = part.cancel(LATER).expect("not paid");
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    let over = answered(&answered(&canceled, 1, Answer::Over, LATER), 1, Answer::Over, sure);
    let ended = over.end(Ending::Canceled, sure, &PATIENCE).expect("surely dead");
    let going = ended.refund_what_is_owed(sure).expect("two fifths");
    let whole = received(&going, "b", ReceiptKind::Captured, 1, DUE / 5 * 3);
    let order = PublicId::new("70");
    assert_eq!(whole.completed(&order).map_err(|refusal| refusal.code), Err("payment_closed"));
    assert_eq!(acts(&whole, sure), [Act::Refund]);
}

#[test]
fn an_order_is_placed_once_and_another_is_refused() {
    let paid = received(&awaiting(Method::Qr), "a", ReceiptKind::Captured, 1, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid");
    assert_eq!(order.completed(&PublicId::new("70")), Ok(order.clone()));
    assert_eq!(order.completed(&PublicId::new("71")).map_err(|refusal| refusal.code), Err("payment_closed"));
}

#[test]
fn a_code_that_its_rail_lets_be_paid_for_less_time_makes_room_for_another() {
    let until = Timestamp(START + HOUR / 4);
    let shown = awaiting(Method::Qr).showing(1, Some("0002"), Some(until)).expect("known");
    // While it is out it is asked about now and then: a notice may never come.
    assert_eq!(acts(&shown, Timestamp(START + 31 * SECOND)), [Act::Query { attempt: 1 }]);
    let heard = answered(&shown, 1, Answer::Over, Timestamp(until.0 + SECOND));
    assert!(heard.attempt(Method::VirtualAccount, LATER).is_ok());
}

#[test]
fn a_code_is_asked_about_before_it_is_ended_and_told_again_as_long_as_it_waits() {
    let shown = awaiting(Method::Qr).cancel(LATER).expect("not paid");
    assert_eq!(acts(&shown, LATER), [Act::Query { attempt: 1 }]);
    let heard = answered(&shown, 1, Answer::Accepted, LATER);
    assert_eq!(acts(&heard, LATER), [Act::Expire { attempt: 1 }]);
    let told = heard.told_to_end(1, LATER).expect("known");
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    assert_eq!(acts(&told, sure), [Act::Query { attempt: 1 }]);
    let waits = answered(&told, 1, Answer::Accepted, sure);
    assert_eq!(acts(&waits, Timestamp(sure.0 + HOUR)), [Act::Expire { attempt: 1 }]);
}

#[test]
fn a_second_code_is_ended_at_once_when_the_first_turns_out_to_be_paid() {
    let over =
        awaiting(Method::VirtualAccount).answered(1, Answer::Over, Timestamp(START + HOUR), &PATIENCE).expect("known");
    let (two, _) = over.attempt(Method::Qr, Timestamp(START + HOUR)).expect("the first is dead");
    let two = two.answered(2, Answer::Accepted, Timestamp(START + HOUR), &PATIENCE).expect("known");
    let (paid, _) = two.receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money");
    let acts = paid.plan(Timestamp(START + HOUR), &PATIENCE).acts;
    assert!(acts.contains(&Act::Complete) && acts.contains(&Act::Expire { attempt: 2 }), "{acts:?}");
}

#[test]
fn money_that_is_held_when_nobody_wants_it_any_more_is_let_go() {
    let (held, _) = awaiting(Method::CardToken).receive(receipt("a", ReceiptKind::Authorised, 1, DUE)).expect("money");
    let settles = |intent: &Intent| intent.plan(Timestamp(START + HOUR), &PATIENCE).acts;
    let act = |what| vec![Act::Settle { attempt: 1, what, minor: DUE }];
    assert_eq!(settles(&held), act(Settling::Capture));
    assert_eq!(settles(&held.cancel(Timestamp(START)).expect("not paid")), act(Settling::Void));
}

#[test]
fn no_second_code_is_given_out_while_the_first_can_be_paid() {
    let refused =
        awaiting(Method::VirtualAccount).attempt(Method::Qr, Timestamp(START)).map_err(|refusal| refusal.code);
    assert_eq!(refused.map(|_| ()), Err("payment_in_progress"));
}

#[test]
fn what_a_rail_said_before_does_not_undo_what_it_says_now() {
    let (paid, _) = awaiting(Method::Qr).receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money");
    let stale = paid.answered(1, Answer::Accepted, Timestamp(START + HOUR), &PATIENCE).expect("known");
    assert_eq!(stale.state(Timestamp(START + HOUR), &PATIENCE), State::Paid);
    let dead = awaiting(Method::Qr).answered(1, Answer::Over, Timestamp(START + HOUR), &PATIENCE).expect("known");
    let stale = dead.answered(1, Answer::Accepted, Timestamp(START + 2 * HOUR), &PATIENCE).expect("known");
    assert_eq!(stale.attempts()[0].fate(), Fate::Over);
}

#[test]
fn the_same_money_is_told_many_times_and_counted_once() {
    let captured = receipt("a", ReceiptKind::Captured, 1, DUE);
    let (once, entered) = awaiting(Method::Qr).receive(captured.clone()).expect("money");
    assert_eq!(entered, Entered::New);
    assert_eq!(once.receive(captured.clone()), Ok((once.clone(), Entered::Again)));
    let other = Receipt { amount: idr(DUE + 100), ..captured };
    assert_eq!(once.receive(other), Ok((once, Entered::Differs)));
}

#[test]
fn not_found_kills_only_when_it_was_said_twice_far_enough_apart() {
    let (intent, _) = super::world::World::new(1).intent.attempt(Method::Qr, Timestamp(START)).expect("a first try");
    let visible = PATIENCE.visible_us;
    let asked =
        |intent: &Intent, at: i64| intent.answered(1, Answer::NotFound, Timestamp(at), &PATIENCE).expect("known");
    let fate = |intent: &Intent| intent.attempts()[0].fate();
    let first = asked(&intent, START + 5 * SECOND);
    assert_eq!(fate(&first), Fate::Unknown);
    assert_eq!(fate(&asked(&first, START + 5 * SECOND + visible - 1)), Fate::Unknown);
    assert_eq!(fate(&asked(&first, START + 5 * SECOND + visible)), Fate::Absent);
    // Found in between: it starts anew, and what was once accepted is not forgotten.
    let found = first.answered(1, Answer::Accepted, Timestamp(START + 9 * SECOND), &PATIENCE).expect("known");
    assert_eq!(fate(&asked(&found, START + HOUR)), Fate::Accepted);
}

#[test]
fn money_in_another_currency_or_less_than_nothing_is_no_receipt() {
    let gbp = commerce::money::Currency::parse("GBP").expect("three capitals");
    let amount = commerce::money::Money::new(DUE, gbp).expect("small");
    let other = Receipt { amount, ..receipt("a", ReceiptKind::Captured, 1, DUE) };
    let less = receipt("a", ReceiptKind::Captured, 1, -100);
    assert_eq!(awaiting(Method::Qr).receive(less).map(|_| ()).map_err(|it| it.code), Err("amount_not_payable"));
    assert_eq!(awaiting(Method::Qr).receive(other).map(|_| ()).map_err(|it| it.code), Err("currency_differs"));
}

#[test]
fn what_is_due_is_more_than_nothing_and_whole() {
    let opened = |minor: i64| {
        let opening = commerce::intent::Opening {
            id: Minted { id: PublicId::new("pi_1"), origin: None },
            checkout: PublicId::new("1"),
            reserved: PublicId::new("9"),
            account: "sim".to_owned(),
            due: idr(minor),
            at: Timestamp(0),
            expires_at: Timestamp(1),
        };
        Intent::open(opening).map(|_| ()).map_err(|refusal| refusal.code)
    };
    assert_eq!(opened(27_500_000), Ok(()));
    // Rails take whole rupiah.
    for minor in [0, -100, 27_500_050] {
        assert_eq!(opened(minor), Err("amount_not_payable"), "{minor}");
    }
}

#[test]
fn a_try_says_nothing_of_what_the_buyer_is_shown() {
    let intent = awaiting(Method::VirtualAccount).showing(1, Some("8808 1234"), None).expect("known");
    assert_eq!(intent.attempts()[0].shown(), Some("8808 1234"));
    assert!(!format!("{intent:?}").contains("8808"), "payment data is in no log");
}

#[test]
fn a_card_that_was_captured_in_part_keeps_nobody_waiting_when_the_rest_is_taken_back() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let over = answered(&part, 1, Answer::Over, LATER);
    let (card, _) = over.attempt(Method::CardToken, LATER).expect("the first is over");
    let held = received(&answered(&card, 2, Answer::Accepted, LATER), "b", ReceiptKind::Authorised, 2, DUE);
    let taken = received(&held, "c", ReceiptKind::Captured, 2, DUE / 5 * 3);
    let rest = received(&taken, "d", ReceiptKind::Voided, 2, DUE / 5 * 2);
    let reversed = received(&rest, "e", ReceiptKind::Reversed, 1, DUE / 5 * 2);
    let canceled = reversed.cancel(LATER).expect("not paid");
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    let again = answered(&canceled, 1, Answer::Over, sure);
    assert!(acts(&again, sure).contains(&Act::End(Ending::Canceled)));
    let ended = again.end(Ending::Canceled, sure, &PATIENCE).expect("nothing is alive");
    assert_eq!(ended.owed_back(), DUE / 5 * 3);
}

#[test]
fn a_code_of_which_the_rail_takes_no_more_makes_room_for_another() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let closed = answered(&part, 1, Answer::Paid, LATER);
    assert!(closed.attempt(Method::Qr, LATER).is_ok());
    let stale = answered(&closed, 1, Answer::Accepted, LATER);
    assert_eq!(stale.attempts()[0].fate(), Fate::Paid);
}

#[test]
fn another_try_is_about_what_is_not_here_yet_and_there_is_none_while_nobody_says_how_much_that_is() {
    let part = received(&awaiting(Method::VirtualAccount), "a", ReceiptKind::Captured, 1, DUE / 5 * 2);
    let over = answered(&part, 1, Answer::Over, LATER);
    let (after, rest) = over.attempt(Method::Qr, LATER).expect("a part is owed");
    assert_eq!((rest.amount(), rest.reference()), (idr(DUE / 5 * 3), "pi_7-2"));
    let whole = received(&after, "b", ReceiptKind::Captured, 2, DUE / 5 * 3);
    assert_eq!(whole.state(LATER, &PATIENCE), State::Paid);
    assert!(acts(&whole, LATER).contains(&Act::Complete));
    // It was taken, says the rail, and says no amount.
    let untold = answered(&awaiting(Method::VirtualAccount), 1, Answer::Paid, LATER);
    assert_eq!(untold.attempt(Method::Qr, LATER).unwrap_err().code, "payment_in_progress");
}

/// A reference is one charge however often it is sent, so that nobody waits until a lost call is believed to be lost.
#[test]
fn what_its_rail_does_not_know_is_sent_again_while_the_buyer_waits() {
    let second = |n: i64| Timestamp(START + n * SECOND);
    let start = |method| super::world::World::new(1).intent.attempt(method, second(0)).expect("the first").0;
    let silent = start(Method::Qr);
    assert_eq!(acts(&silent, second(5)), [Act::Query { attempt: 1 }]);
    assert!(silent.sent_again(1, second(5)).is_err(), "nobody has said that it is not there");
    let gone = answered(&silent, 1, Answer::NotFound, second(5));
    assert_eq!(acts(&gone, second(5)), [Act::Send { attempt: 1 }]);
    let sent = gone.sent_again(1, second(5)).expect("it is not there");
    // A question that was asked before says nothing of what was sent now.
    let stale = answered(&sent, 1, Answer::NotFound, second(5));
    assert_eq!((acts(&stale, second(29)), stale.attempts()[0].fate()), (vec![], Fate::Unknown));
    // A rail that refuses a reference that it has seen is asked, and not only told again.
    let refused = answered(&sent, 1, Answer::Nothing, second(6));
    assert_eq!((acts(&refused, second(29)), acts(&refused, second(30))), (vec![], vec![Act::Query { attempt: 1 }]));
    let there = answered(&refused, 1, Answer::Accepted, second(121));
    assert_eq!((there.attempts()[0].fate(), there.attempts().len()), (Fate::Accepted, 1));
    // Not there for a minute after it was sent last, it is not there: nobody waits for it any more.
    let ending = sent.told_to_end(1, second(7)).expect("known");
    let absent = answered(&ending, 1, Answer::NotFound, second(66));
    assert_eq!((absent.attempts()[0].fate(), acts(&absent, second(70))), (Fate::Unknown, vec![]));
    let absent = answered(&absent, 1, Answer::NotFound, Timestamp(second(66).0 + PATIENCE.visible_us));
    assert_eq!(absent.attempts()[0].fate(), Fate::Absent);
    // A card's token is not kept, and what nobody wants any more is only asked for.
    let card = answered(&start(Method::CardToken), 1, Answer::NotFound, second(5));
    assert_eq!(acts(&card, second(30)), [Act::Query { attempt: 1 }]);
    let canceled = gone.cancel(second(6)).expect("nothing came");
    assert_eq!(acts(&canceled, second(30)), [Act::Query { attempt: 1 }]);
}

/// The notice of money that was paid in a code's last moment may never come.
#[test]
fn a_code_that_was_ended_is_asked_about_once_more_although_another_has_paid_the_order() {
    let over = answered(&awaiting(Method::Qr), 1, Answer::Over, LATER);
    let (two, _) = over.attempt(Method::VirtualAccount, LATER).expect("the first is over");
    let paid = received(&answered(&two, 2, Answer::Accepted, LATER), "a", ReceiptKind::Captured, 2, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid");
    let sure = Timestamp(LATER.0 + PATIENCE.grace_us);
    let query = Act::Query { attempt: 1 };
    assert!(!acts(&order, Timestamp(sure.0 - 1)).contains(&query));
    assert!(acts(&order, sure).contains(&query));
    let heard = answered(&order, 1, Answer::Over, sure);
    assert!(!acts(&heard, sure).contains(&query));
}

#[test]
fn a_second_code_is_told_to_end_at_whatever_moment_it_is_looked_at() {
    let over = answered(&awaiting(Method::VirtualAccount), 1, Answer::Over, LATER);
    let (two, _) = over.attempt(Method::Qr, LATER).expect("the first is over");
    let two = answered(&two, 2, Answer::Accepted, Timestamp(LATER.0 + SECOND));
    let paid = received(&two, "a", ReceiptKind::Captured, 1, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid");
    assert!(acts(&order, Timestamp(LATER.0 + 7 * SECOND)).contains(&Act::Expire { attempt: 2 }));
}

#[test]
fn what_an_order_gave_back_is_not_taken_from_another_card() {
    let (one, _) = super::world::World::new(1).intent.attempt(Method::CardToken, Timestamp(START)).expect("the first");
    let gone = answered(&one, 1, Answer::NotFound, Timestamp(START + 5 * SECOND));
    let gone = answered(&gone, 1, Answer::NotFound, Timestamp(START + 70 * SECOND));
    let (two, _) = gone.attempt(Method::Qr, LATER).expect("the first is dead");
    let paid = received(&answered(&two, 2, Answer::Accepted, LATER), "a", ReceiptKind::Captured, 2, DUE);
    let order = paid.completed(&PublicId::new("70")).expect("paid").give_back(idr(DUE / 4)).expect("a quarter");
    let refunding = order.refund_what_is_owed(LATER).expect("one");
    let late = received(&refunding, "b", ReceiptKind::Authorised, 1, DUE);
    assert!(acts(&late, LATER).contains(&Act::Settle { attempt: 1, what: Settling::Void, minor: DUE }));
}

#[test]
fn a_capture_that_the_rail_does_not_do_gives_way_to_letting_go() {
    let held = received(&awaiting(Method::CardToken), "a", ReceiptKind::Authorised, 1, DUE);
    let sent = held.settling(1, Settling::Capture, LATER, &PATIENCE).expect("the first");
    let early = answered(&sent, 1, Answer::Accepted, Timestamp(LATER.0 + 10 * SECOND));
    assert!(early.settling(1, Settling::Void, LATER, &PATIENCE).is_err(), "it may be on its way");
    let sure = Timestamp(LATER.0 + PATIENCE.visible_us);
    let heard = answered(&early, 1, Answer::Accepted, sure).cancel(sure).expect("not paid");
    assert_eq!(acts(&heard, sure), [Act::Settle { attempt: 1, what: Settling::Void, minor: DUE }]);
    assert!(heard.settling(1, Settling::Void, sure, &PATIENCE).is_ok());
}

/// Its buyer waits at the page, and nothing is sent again for them.
#[test]
fn a_card_that_its_rail_does_not_know_is_asked_for_when_that_is_believed_and_soon_again() {
    let second = |at: i64| Timestamp(START + at * SECOND);
    let (card, _) = super::world::World::new(1).intent.attempt(Method::CardToken, Timestamp(START)).expect("the first");
    let lost = answered(&card, 1, Answer::NotFound, second(5));
    let query = [Act::Query { attempt: 1 }];
    let quiet = answered(&lost, 1, Answer::NotFound, second(30));
    assert_eq!((acts(&quiet, second(69)), acts(&quiet, second(70))), (vec![], query.to_vec()));
    // That question is not answered, and the next one is no nine minutes later.
    let unheard = answered(&quiet, 1, Answer::Nothing, second(70));
    assert_eq!((acts(&unheard, second(74)), acts(&unheard, second(75))), (vec![], query.to_vec()));
    let absent = answered(&unheard, 1, Answer::NotFound, second(75));
    assert_eq!(absent.attempts()[0].fate(), Fate::Absent);
    assert!(absent.attempt(Method::CardToken, second(76)).is_ok());
}
