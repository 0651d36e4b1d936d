//! The races of being paid, by name: two things at once, in every order that the seeds find. Here are those of a buyer who is
//! about to pay; those of money that is here already are in `races_of_money`, those of requests in `crates/shop`, those of a
//! move in `crates/baliklayar`. docs/checks.md has the list.

use super::world::{Chance, DUE, Deed, EXPIRES, HOUR, SECOND, START, World, awaiting, receipt};
use super::{first_seed, seeds_of_a_race};
use commerce::intent::{Act, Answer, Ending, Fate, Method, Patience, ReceiptKind, RefundState, Settling, State};
use std::cell::Cell;
use vocab::id::{PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;

/// The seeds of the race that is being tested; the name of a test is the name of its thread.
#[expect(clippy::print_stdout, reason = "how many there were is the figure of the check")]
pub fn seeds() -> impl Iterator<Item = u64> {
    let (first, count) = (first_seed(), seeds_of_a_race());
    println!("{}: {count} seeds from {first}", std::thread::current().name().unwrap_or_default());
    first..first + count
}

/// Each seed has the same deeds, and moments of its own.
pub fn each(deeds: impl Fn(&mut World), holds: impl Fn(&World)) {
    for seed in seeds() {
        let mut world = World::new(seed);
        deeds(&mut world);
        world.run_until(START + 200 * HOUR);
        world.faults = false;
        world.run();
        assert_eq!(world.verdict(), Ok(()), "seed {seed}");
        holds(&world);
    }
}

/// Within a few seconds of a moment.
pub fn about(world: &mut World, at: i64) -> i64 {
    at - 5 * SECOND + world.chance.below(10 * SECOND)
}

pub fn back(world: &World) -> i64 {
    world.intent.refunds().iter().filter(|it| it.state() == RefundState::Confirmed).map(|it| it.amount().minor()).sum()
}

#[test]
fn the_notice_comes_before_the_answer_of_the_call_that_it_is_about() {
    each(
        |world| {
            world.at(START, Deed::Try(Method::Qr));
            // The call is answered within a second; the notice takes up to two, or comes first.
            let at = START + world.chance.below(SECOND);
            world.at(at, Deed::Pay { attempt: 1, percent: 100 });
        },
        |world| assert_eq!((world.orders, back(world)), (1, 0)),
    );
}

#[test]
fn a_cancel_meets_money_that_is_on_its_way() {
    let (mut paid, mut canceled) = (0, 0);
    for seed in seeds() {
        let mut world = World::new(seed);
        (world.faults, world.takes_late) = (seed % 2 == 0, seed % 3 == 0);
        world.at(START, Deed::Try(Method::VirtualAccount));
        let (at, then) = (about(&mut world, START + HOUR), about(&mut world, START + HOUR));
        world.at(at, Deed::Cancel);
        world.at(then, Deed::Pay { attempt: 1, percent: 100 });
        world.run_until(START + 200 * HOUR);
        world.faults = false;
        world.run();
        assert_eq!(world.verdict(), Ok(()), "seed {seed}");
        match world.orders {
            1 => paid += 1,
            _ => canceled += 1,
        }
    }
    assert!(paid > 0 && canceled > 0, "{paid} paid, {canceled} canceled");
}

#[test]
fn who_pays_at_the_last_second_has_paid_however_late_the_notice() {
    each(
        |world| {
            world.faults = true;
            world.provider.lags = true;
            world.at(START, Deed::Try(Method::VirtualAccount));
            world.at(EXPIRES, Deed::Pay { attempt: 1, percent: 100 });
        },
        // Where the try was declined, or ended a moment before, nothing was paid.
        |world| assert_eq!(world.orders, u32::from(world.provider.kept() > 0)),
    );
}

#[test]
fn who_pays_after_the_end_has_the_order_if_it_can_be_had_and_else_the_money() {
    let late = |world: &mut World| {
        world.takes_late = true;
        world.at(START, Deed::Try(Method::VirtualAccount));
        let at = EXPIRES + HOUR + world.chance.below(HOUR);
        world.at(at, Deed::Pay { attempt: 1, percent: 100 });
    };
    each(late, |world| assert_eq!((world.orders, back(world)), (1, 0)));
    let sold_out = |world: &mut World| {
        late(world);
        world.sold_out = true;
    };
    each(sold_out, |world| assert_eq!((world.orders, back(world)), (0, DUE)));
}

#[test]
fn of_capture_and_void_the_first_that_went_out_is_the_only_one() {
    let intent = awaiting(Method::CardToken);
    let (intent, _) = intent.receive(receipt("a", ReceiptKind::Authorised, 1, DUE)).expect("money");
    let capturing = intent.settling(1, Settling::Capture, Timestamp(START), &PATIENCE).expect("the first");
    let refused = capturing.settling(1, Settling::Void, Timestamp(START), &PATIENCE).map_err(|refusal| refusal.code);
    assert_eq!(refused, Err("payment_in_progress"));
    assert!(
        capturing.settling(1, Settling::Capture, Timestamp(START), &PATIENCE).is_ok(),
        "the same again is the same"
    );
    each(
        |world| {
            world.faults = true;
            world.at(START, Deed::Try(Method::CardToken));
            let at = START + world.chance.below(8 * SECOND);
            world.at(at, Deed::Cancel);
        },
        |_| {},
    );
}

#[test]
fn an_authorisation_that_lapses_under_its_capture_ships_nothing() {
    let (intent, _) =
        awaiting(Method::CardToken).receive(receipt("a", ReceiptKind::Authorised, 1, DUE)).expect("money");
    let intent = intent.settling(1, Settling::Capture, Timestamp(START), &PATIENCE).expect("the first");
    let (intent, _) = intent.receive(receipt("b", ReceiptKind::Voided, 1, DUE)).expect("money");
    let intent = intent.answered(1, Answer::Over, Timestamp(EXPIRES + HOUR), &PATIENCE).expect("known");
    assert_eq!(intent.completed(&PublicId::new("70")).map_err(|refusal| refusal.code), Err("payment_incomplete"));
    let sure = Timestamp(EXPIRES + HOUR + PATIENCE.grace_us);
    let intent = intent.answered(1, Answer::Over, sure, &PATIENCE).expect("known");
    assert_eq!(intent.plan(sure, &PATIENCE).acts, [Act::End(Ending::Failed)]);
    let intent = intent.end(Ending::Failed, sure, &PATIENCE).expect("nothing is alive");
    assert_eq!(intent.state(sure, &PATIENCE), State::Failed);
}

/// The rest of its time is the rail's business: a void that nobody asked for meets a capture that was.
#[test]
fn a_capture_meets_the_end_of_its_authorisation() {
    let (captured, lapsed) = (Cell::new(0), Cell::new(0));
    each(
        |world| {
            world.faults = world.chance.one_in(2);
            world.at(START, Deed::Try(Method::CardToken));
            let at = START + world.chance.below(12 * SECOND);
            world.at(at, Deed::Lapse(1));
        },
        |world| {
            let moved = |kind| world.provider.moved(1, kind);
            let (came, gone) = (moved(ReceiptKind::Captured), moved(ReceiptKind::Voided));
            assert_eq!(world.orders, u32::from(came > 0), "nothing is shipped that was not captured");
            assert!(came == 0 || gone == 0, "{came} and {gone} of one authorisation");
            captured.set(captured.get() + u32::from(came > 0));
            lapsed.set(lapsed.get() + u32::from(gone > 0));
        },
    );
    assert!(captured.get() > 0 && lapsed.get() > 0, "{captured:?} captured, {lapsed:?} lapsed");
}

/// A card that its rail did not know for long comes to life while another one is held: what is undone of the one leaves the
/// other as it is.
#[test]
fn an_undo_never_touches_another_attempts_authorisation() {
    let two = Cell::new(0);
    each(
        |world| {
            (world.faults, world.late_max) = (true, 600 * SECOND);
            world.at(START, Deed::Try(Method::CardToken));
            for minute in 2..7 {
                let at = START + (60 * minute + world.chance.below(60)) * SECOND;
                world.at(at, Deed::Try(Method::CardToken));
            }
            if world.chance.one_in(3) {
                let at = START + world.chance.below(900 * SECOND);
                world.at(at, Deed::Cancel);
            }
        },
        |world| {
            let mut captured = Vec::new();
            let mut authorised = 0;
            for attempt in world.intent.attempts() {
                let moved = |kind| world.provider.moved(attempt.number(), kind);
                let (held, taken) = (moved(ReceiptKind::Authorised), moved(ReceiptKind::Captured));
                assert!(taken + moved(ReceiptKind::Voided) <= held, "{attempt:?}");
                authorised += u32::from(held > 0);
                captured.extend((taken > 0).then_some(attempt.number()));
                for (_, what, minor) in world.settled.iter().filter(|(of, ..)| *of == attempt.number()) {
                    assert!(*minor <= held, "{what:?} of {minor} is asked of {held}");
                }
            }
            assert!(captured.len() <= 1, "{captured:?}");
            assert_eq!(usize::try_from(world.orders), Ok(captured.len()), "the one that was captured is the order's");
            two.set(two.get() + u32::from(authorised > 1));
        },
    );
    println!("two authorisations at once: {} times", two.get());
    assert!(two.get() > 0);
}

#[test]
fn a_virtual_account_and_a_qris_that_are_both_paid_are_one_order_and_the_second_goes_back() {
    each(
        |world| {
            // The first is over at its rail, and can be paid there all the same.
            (world.takes_late, world.rail_lets) = (true, Some(HOUR / 4));
            let ways = [Method::VirtualAccount, Method::Qr];
            let first = usize::from(world.chance.one_in(2));
            world.at(START, Deed::Try(ways[first]));
            world.at(START + HOUR / 2, Deed::Try(ways[1 - first]));
            for attempt in [1, 2] {
                let at = START + HOUR / 2 + SECOND + world.chance.below(20 * SECOND);
                world.at(at, Deed::Pay { attempt, percent: 100 });
            }
        },
        |world| {
            assert_eq!((world.orders, back(world)), (1, DUE));
            let received = |attempt| world.provider.moved(attempt, ReceiptKind::Captured);
            assert_eq!((received(1), received(2)), (DUE, DUE));
        },
    );
}

#[test]
fn a_pending_that_comes_after_the_settlement_changes_nothing() {
    for seed in seeds() {
        let chance = &mut Chance(seed);
        let ways = [Method::VirtualAccount, Method::Qr, Method::Wallet];
        let mut intent = awaiting(ways[usize::try_from(chance.below(3)).expect("three")]);
        let mut settled = false;
        for step in 0..12 {
            // An answer is as old as its question.
            let at = Timestamp(START + SECOND + chance.below(2 * HOUR));
            let answer = |answer| intent.answered(1, answer, at, &PATIENCE).expect("a known try");
            intent = match chance.below(4) {
                0 if settled => answer(Answer::Paid),
                1 if step > 0 => {
                    settled = true;
                    intent.receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money").0
                }
                2 => answer(Answer::Nothing),
                _ => answer(Answer::Accepted),
            };
            let state = intent.state(at, &PATIENCE);
            assert_eq!(state == State::Paid, settled, "seed {seed}: {state:?}");
            assert_eq!(intent.received(), if settled { DUE } else { 0 }, "seed {seed}");
        }
        let at = Timestamp(START + 3 * HOUR);
        let paid = intent.receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money").0;
        let paid = paid.answered(1, Answer::Paid, at, &PATIENCE).expect("a known try");
        let stale = paid.answered(1, Answer::Accepted, at, &PATIENCE).expect("a known try");
        assert_eq!((stale.attempts()[0].fate(), stale.received()), (Fate::Paid, DUE), "seed {seed}");
        assert_eq!(stale.plan(at, &PATIENCE).acts, [Act::Complete], "seed {seed}");
    }
}

#[test]
fn who_pays_two_codes_of_one_checkout_has_one_order_and_the_second_money_back() {
    each(
        |world| {
            world.takes_late = true;
            world.at(START, Deed::Try(Method::VirtualAccount));
            world.at(START + HOUR, Deed::Pay { attempt: 1, percent: 100 });
            let again = about(world, START + 2 * HOUR);
            world.at(again, Deed::Pay { attempt: 1, percent: 100 });
        },
        |world| assert_eq!((world.orders, back(world)), (1, DUE)),
    );
}

#[test]
fn a_code_that_is_over_ends_nothing_before_its_rail_has_learnt_of_money_that_was_paid_in_time() {
    let early = Timestamp(EXPIRES + SECOND);
    let over = awaiting(Method::VirtualAccount).answered(1, Answer::Over, early, &PATIENCE).expect("known");
    let sure = Timestamp(early.0 + PATIENCE.grace_us);
    let plan = over.plan(early, &PATIENCE);
    assert_eq!((plan.acts, plan.wake_at), (vec![], Some(sure)));
    assert!(over.end(Ending::Expired, early, &PATIENCE).is_err());
    assert_eq!(over.plan(sure, &PATIENCE).acts, [Act::Query { attempt: 1 }]);
    let asked = over.answered(1, Answer::Over, sure, &PATIENCE).expect("known");
    assert_eq!(asked.plan(sure, &PATIENCE).acts, [Act::End(Ending::Expired)]);
}
