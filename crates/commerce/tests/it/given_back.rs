//! Giving back: units and money never exceed what was sold, and in the end nothing is left over.

use crate::{minted, order};
use commerce::decision::Aggregate;
use commerce::ledger::{self, Account};
use commerce::order::{Back, Command, Order, State};
use proptest::prelude::*;
use vocab::id::{PublicId, Timestamp};

fn lines(lines: &[(&str, u32)]) -> Back {
    Back::Lines(lines.iter().map(|(id, quantity)| (PublicId::new(*id), *quantity)).collect())
}

/// The order afterwards, and the units that return to the shelf.
type Given = (Order, Vec<(PublicId, i64)>);

fn give(order: &Order, command: Command, back: &Back) -> Result<Given, &'static str> {
    let ids = minted("adjustment", order.adjustments().len() + 1, back.adjustments());
    order.give_back(command, back, ids, Timestamp(3_000_000)).map_err(|refusal| refusal.code)
}

fn amounts(order: &Order) -> Vec<i64> {
    order.adjustments().iter().map(|adjustment| adjustment.amount().minor()).collect()
}

#[test]
fn a_part_takes_its_share_of_the_tax_rounded_down_and_the_last_part_takes_the_rest() {
    // 3 × Rp 45 = 135, tax 14.85 → 15, shipping 9,000. A unit: 45 + ⌊15 × 45 / 135⌋ = 50.
    let (_, order) = order(1_100, &[45], &[3]);
    let (one, returned) = give(&order, Command::Cancel, &lines(&[("10", 1)])).expect("a unit");
    assert_eq!((amounts(&one), returned), (vec![5_000], vec![(PublicId::new("0"), 1)]));
    assert_eq!((one.state(), one.lines()[0].cancelled()), (State::Paid, 1));
    let (all, _) = give(&one, Command::Cancel, &lines(&[("10", 2)])).expect("the others");
    assert_eq!(amounts(&all), [5_000, 910_000]);
    assert_eq!(all.state(), State::Cancelled);
    assert_eq!(all.document().int("cancelled_at"), Some(3_000_000));
}

#[test]
fn the_whole_rest_is_one_adjustment_without_a_line() {
    let (_, order) = order(1_100, &[45, 60], &[3, 2]);
    let (part, _) = give(&order, Command::Refund, &lines(&[("10", 1)])).expect("a unit");
    let (whole, returned) = give(&part, Command::Cancel, &Back::Whole).expect("the rest");
    let last = &whole.adjustments()[1];
    assert_eq!((last.line(), last.quantity()), (None, 4));
    assert_eq!(amounts(&whole).iter().sum::<i64>(), whole.totals().total().minor());
    // The refunded unit stays with the buyer.
    assert_eq!(returned, [(PublicId::new("0"), 2), (PublicId::new("1"), 2)]);
    assert_eq!(give(&whole, Command::Refund, &Back::Whole).unwrap_err(), "order_not_cancellable");
}

#[test]
fn a_refund_changes_no_state_and_brings_nothing_to_the_shelf() {
    let (_, order) = order(1_100, &[45], &[2]);
    let (refunded, returned) = give(&order, Command::Refund, &Back::Whole).expect("all of it");
    assert_eq!((refunded.state(), returned), (State::Paid, Vec::new()));
    assert_eq!(amounts(&refunded), [order.totals().total().minor()]);
    assert_eq!(give(&refunded, Command::Cancel, &Back::Whole).unwrap_err(), "quantity_exceeds_remaining");
}

#[test]
fn more_than_remains_or_the_wrong_state_is_refused() {
    let (_, order) = order(1_100, &[45], &[2]);
    let code = |order: &Order, command, back: Back| give(order, command, &back).map(|_| ()).unwrap_err();
    assert_eq!(code(&order, Command::Cancel, lines(&[("10", 3)])), "quantity_exceeds_remaining");
    assert_eq!(code(&order, Command::Cancel, lines(&[("10", 2), ("10", 1)])), "quantity_exceeds_remaining");
    assert_eq!(code(&order, Command::Cancel, lines(&[("99", 1)])), "not_found");
    let shipped = Order::from_document(&order.document().with("state", "shipped")).expect("live");
    assert_eq!(code(&shipped, Command::Cancel, Back::Whole), "order_not_cancellable");
    assert!(give(&shipped, Command::Refund, &Back::Whole).is_ok());
    let without_ids = order.give_back(Command::Cancel, &Back::Whole, Vec::new(), Timestamp(0));
    assert_eq!(without_ids.unwrap_err().code, "ids_exhausted");
}

#[test]
fn the_tax_of_what_is_given_back_leaves_the_books_with_it() {
    let (_, sold) = order(1_100, &[45], &[3]);
    let (part, _) = give(&sold, Command::Cancel, &lines(&[("10", 1)])).expect("a unit");
    let added = ledger::added(Some(&sold), &part).expect("small");
    let booked: Vec<(Account, i64)> = added.iter().map(|entry| (entry.account, entry.amount.minor())).collect();
    // Tax 15 of 9,150: ⌊15 × 50 / 9,150⌋ = 0, so no tax leaves yet.
    assert_eq!(booked, [(Account::Clearing, -5_000), (Account::Payable, 5_000)]);
    let (all, _) = give(&part, Command::Cancel, &Back::Whole).expect("the rest");
    let booked: Vec<i64> =
        ledger::added(Some(&part), &all).expect("small").iter().map(|entry| entry.amount.minor()).collect();
    assert_eq!(booked, [-910_000, 908_500, 1_500]);
}

#[test]
fn an_id_that_is_lower_than_the_last_one_is_booked_in_the_next_second() {
    let (_, mut order) = order(1_100, &[45], &[3]);
    let mut booked = ledger::added(None, &order).expect("small");
    let mut instants = Vec::new();
    for (id, micros) in [(7, 3_400_000), (9, 3_500_000), (8, 3_600_000)] {
        let back = lines(&[("10", 1)]);
        let ids = minted("adjustment", id, 1);
        let (after, _) = order.give_back(Command::Cancel, &back, ids, Timestamp(micros)).expect("a unit");
        booked.extend(ledger::added(Some(&order), &after).expect("small"));
        instants.push(after.adjustments().last().expect("one more").at().0);
        order = after;
    }
    assert_eq!(instants, [3_400_000, 3_500_000, 4_000_000]);
    assert_eq!(balances(&booked), [0, 0, 0]);
}

/// Adds up what was booked, per account.
fn balances(entries: &[ledger::Entry]) -> [i64; 3] {
    let of = |account| entries.iter().filter(|entry| entry.account == account).map(|entry| entry.amount.minor()).sum();
    [Account::Clearing, Account::Payable, Account::Tax].map(of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_given_back_nothing_is_lost_or_made(
        tax_bp in 0..3_000_i64,
        basket in prop::collection::vec((1..100_000_i64, 1..6_u32), 1..5),
        commands in prop::collection::vec((any::<bool>(), 0..5_usize, 1..6_u32), 0..12),
    ) {
        let (rupiah, quantities): (Vec<_>, Vec<_>) = basket.into_iter().unzip();
        let (_, mut order) = order(tax_bp, &rupiah, &quantities);
        let mut booked = ledger::added(None, &order).expect("small");
        for (cancel, line, quantity) in commands {
            let command = if cancel { Command::Cancel } else { Command::Refund };
            // The fifth line does not exist: the whole rest.
            let back = match order.lines().get(line) {
                Some(line) => lines(&[(line.sold().id().as_str(), quantity)]),
                None => Back::Whole,
            };
            let Ok((after, _)) = give(&order, command, &back) else { continue };
            booked.extend(ledger::added(Some(&order), &after).expect("small"));
            order = after;
            prop_assert_eq!(Order::from_document(&order.document()), Ok(order.clone()));
            prop_assert_eq!(&booked, &ledger::entries(&order).expect("small"));
            prop_assert_eq!(balances(&booked).iter().sum::<i64>(), 0);
        }
        let total = order.totals().total().minor();
        let given: i64 = amounts(&order).iter().sum();
        let left: u32 = order.lines().iter().map(commerce::order::Line::remaining).sum();
        prop_assert!(given <= total);
        if left == 0 {
            prop_assert_eq!(given, total);
            prop_assert_eq!(balances(&booked), [0, 0, 0]);
        }
    }
}
