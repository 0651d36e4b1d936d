//! The races of being paid, by name: two things at once, in every order that the seeds find.

use super::seeds_of_a_race;
use super::world::{DUE, Deed, EXPIRES, HOUR, SECOND, START, World, awaiting, idr, receipt};
use commerce::intent::{
    Act, Answer, Ending, Intent, Method, Patience, ReceiptKind, RefundAnswer, RefundState, Settling, State,
};
use vocab::id::{PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;

/// Each seed has the same deeds, and moments of its own.
fn each(deeds: impl Fn(&mut World), holds: impl Fn(&World)) {
    for seed in 0..seeds_of_a_race() {
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
fn about(world: &mut World, at: i64) -> i64 {
    at - 5 * SECOND + world.chance.below(10 * SECOND)
}

fn back(world: &World) -> i64 {
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
    for seed in 0..seeds_of_a_race() {
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

#[test]
fn two_refunds_at_once_give_back_no_more_than_was_paid() {
    each(
        |world| {
            world.faults = true;
            world.at(START, Deed::Try(Method::Wallet));
            world.at(START + 60 * SECOND, Deed::Pay { attempt: 1, percent: 100 });
            for _ in 0..6 {
                let at = about(world, START + 80 * HOUR);
                world.at(at, Deed::GiveBack(DUE / 4));
            }
        },
        |world| match world.orders {
            0 => {}
            _ => {
                assert_eq!(world.intent.given_by_order(), DUE);
                assert_eq!(world.refused.iter().filter(|code| **code == "refund_exceeds_payment").count(), 2);
            }
        },
    );
}

#[test]
fn a_refund_of_which_nobody_knows_is_asked_for_under_the_same_key_and_never_another() {
    let (paid, _) = awaiting(Method::Wallet).receive(receipt("a", ReceiptKind::Captured, 1, DUE)).expect("money");
    let order = paid.completed(&PublicId::new("70")).expect("paid").give_back(idr(DUE)).expect("all of it");
    let refunding = order.refund_what_is_owed(Timestamp(START)).expect("one");
    let key = refunding.refunds()[0].key().to_owned();
    let unknown = refunding.refund_answered(&key, RefundAnswer::Nothing, Timestamp(START), &PATIENCE).expect("known");
    assert_eq!(unknown.owed_back(), 0, "it may have gone");
    assert_eq!(unknown.refund_what_is_owed(Timestamp(START)).expect("nothing").refunds().len(), 1);
    assert!(unknown.refund_sent_again(&key, Timestamp(START)).is_err(), "it is asked for first");
    let asked = |intent: &Intent, at: i64| {
        intent.refund_answered(&key, RefundAnswer::NotFound, Timestamp(at), &PATIENCE).expect("known")
    };
    let absent = asked(&asked(&unknown, START), START + PATIENCE.visible_us);
    let again = absent.refund_sent_again(&key, Timestamp(START)).expect("the rail does not know it");
    assert_eq!(again.refunds()[0].key(), key);
}

#[test]
fn a_refund_and_a_dispute_of_the_same_money_give_it_back_once() {
    each(
        |world| {
            world.at(START, Deed::Try(Method::Qr));
            world.at(START + 60 * SECOND, Deed::Pay { attempt: 1, percent: 100 });
            let (dispute, refund) = (about(world, START + 2 * HOUR), about(world, START + 2 * HOUR));
            world.at(dispute, Deed::TakeBack(1, ReceiptKind::Disputed));
            world.at(refund, Deed::GiveBack(DUE));
            let end = [ReceiptKind::DisputeLost, ReceiptKind::DisputeWon][usize::from(world.chance.one_in(2))];
            world.at(START + 100 * HOUR, Deed::TakeBack(1, end));
        },
        |world| assert_eq!(world.provider.kept(), 0, "all of it is the buyer's, once"),
    );
}

#[test]
fn a_refund_that_meets_a_reversal_is_rejected_and_nothing_is_paid_out_instead() {
    each(
        |world| {
            world.at(START, Deed::Try(Method::Qr));
            world.at(START + 60 * SECOND, Deed::Pay { attempt: 1, percent: 100 });
            let (reversal, refund) = (about(world, START + 2 * HOUR), about(world, START + 2 * HOUR));
            world.at(reversal, Deed::TakeBack(1, ReceiptKind::Reversed));
            world.at(refund, Deed::GiveBack(DUE));
        },
        |world| assert_eq!((world.provider.kept(), world.provider.paid_out()), (0, 0)),
    );
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
