//! The races of money that is here already: it goes back by two ways at once, and leaves once.

use super::races::{about, each};
use super::world::{DUE, Deed, HOUR, SECOND, START, awaiting, idr, receipt};
use commerce::intent::{Intent, Method, Patience, ReceiptKind, RefundAnswer, RefundState};
use std::cell::Cell;
use vocab::id::{PublicId, Timestamp};

const PATIENCE: Patience = Patience::USUAL;

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

/// The rail may have it, and nobody knows: whatever is lost on the way, it has one refund under one key, and it leaves once.
#[test]
fn a_refund_that_goes_out_again_leaves_once() {
    let again = Cell::new(0);
    each(
        |world| {
            world.faults = true;
            world.at(START, Deed::Try(Method::Wallet));
            world.at(START + 60 * SECOND, Deed::Pay { attempt: 1, percent: 100 });
            world.at(START + 80 * HOUR, Deed::GiveBack(DUE));
        },
        |world| {
            if world.orders == 0 {
                return;
            }
            let on_rail: Vec<_> = world.intent.refunds().iter().filter(|it| it.attempt().is_some()).collect();
            assert_eq!(on_rail.len(), 1, "{on_rail:?}");
            assert_eq!(world.provider.kept(), 0);
            let decisions = world.intent.refunds().iter().filter(|it| it.state() != RefundState::NeedsAccount).count();
            again.set(again.get() + u32::from(usize::try_from(world.refunds_sent).expect("few") > decisions));
        },
    );
    println!("sent again: {} times", again.get());
    assert!(again.get() > 0);
}

/// Of payouts to buyers: there are none to sellers yet.
#[test]
fn a_payout_that_meets_another_refund_pays_nothing_twice() {
    each(
        |world| {
            world.faults = true;
            world.at(START, Deed::Try(Method::VirtualAccount));
            world.at(START + 60 * SECOND, Deed::Pay { attempt: 1, percent: 100 });
            for _ in 0..5 {
                // The account of one is named while another one is decided.
                let at = START + 80 * HOUR + world.chance.below(30 * HOUR);
                world.at(at, Deed::GiveBack(DUE / 4));
            }
        },
        |world| {
            let given = if world.orders == 0 { 0 } else { DUE };
            assert_eq!(world.intent.given_by_order(), given, "the fifth was refused");
            assert_eq!((world.provider.kept(), world.provider.paid_out()), (0, world.provider.captured()));
        },
    );
}
