//! Money and books whatever was sold and given back: exact or refused, and nothing is owed that was never there.

use crate::{minted, order};
use commerce::ledger::{self, Account, Entry};
use commerce::money::{Currency, MINOR_MAX, Money, Rounding};
use commerce::order::{Back, Command, Order};
use proptest::prelude::*;
use vocab::id::Timestamp;

fn of(entries: &[Entry], account: Account) -> i64 {
    entries.iter().filter(|entry| entry.account == account).map(|entry| entry.amount.minor()).sum()
}

/// Gives back what it can, and what each step has booked.
fn given(mut order: Order, commands: &[(bool, usize, u32)]) -> Vec<Vec<Entry>> {
    let mut booked = vec![ledger::added(None, &order).expect("small")];
    for (cancel, line, quantity) in commands {
        let command = if *cancel { Command::Cancel } else { Command::Refund };
        let back = match order.lines().get(*line) {
            Some(line) => Back::Lines(vec![(line.sold().id().clone(), *quantity)]),
            None => Back::Whole,
        };
        let ids = minted("adjustment", order.adjustments().len() + 1, back.adjustments());
        let Ok((after, _)) = order.give_back(command, &back, ids, Timestamp(3_000_000)) else { continue };
        booked.push(ledger::added(Some(&order), &after).expect("small"));
        order = after;
    }
    booked
}

fn baskets() -> impl Strategy<Value = Vec<(i64, u32)>> {
    prop::collection::vec((1..100_000_i64, 1..6_u32), 1..5)
}

fn commands() -> impl Strategy<Value = Vec<(bool, usize, u32)>> {
    prop::collection::vec((any::<bool>(), 0..5_usize, 1..6_u32), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Each thing that is booked adds up to nothing in its currency, and so does a shop of many orders; the seller is owed, and
    /// the state is, or nobody is.
    #[test]
    fn what_each_step_books_sums_to_zero_and_no_payable_is_below_nothing(
        sales in prop::collection::vec((0..3_000_i64, baskets(), commands()), 1..4),
    ) {
        let mut shop: Vec<Entry> = Vec::new();
        for (tax_bp, basket, commands) in sales {
            let (rupiah, quantities): (Vec<_>, Vec<_>) = basket.into_iter().unzip();
            let (_, order) = order(tax_bp, &rupiah, &quantities);
            let mut of_order: Vec<Entry> = Vec::new();
            for step in given(order, &commands) {
                prop_assert_eq!(step.iter().map(|entry| entry.amount.minor()).sum::<i64>(), 0);
                prop_assert!(step.iter().all(|entry| entry.amount.currency() == Currency::IDR && !entry.amount.is_zero()));
                of_order.extend(step);
                prop_assert!(of(&of_order, Account::Payable) <= 0, "the seller owes {of_order:?}");
                prop_assert!(of(&of_order, Account::Tax) <= 0 && of(&of_order, Account::Clearing) >= 0);
            }
            shop.extend(of_order);
            prop_assert_eq!(shop.iter().map(|entry| entry.amount.minor()).sum::<i64>(), 0);
            prop_assert!(of(&shop, Account::Payable) <= 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// To the ends of the range: the result is what unbounded numbers give, or `TooLarge`; never another amount.
    #[test]
    fn money_is_exact_or_refused(
        a in -MINOR_MAX..=MINOR_MAX, b in -MINOR_MAX..=MINOR_MAX, units in any::<u32>(), near in 0..3_i64, edge in any::<bool>(),
    ) {
        let money = |minor: i64| Money::new(minor, Currency::IDR).expect("in range");
        let a = if edge { a.signum() * (MINOR_MAX - near) } else { a };
        let wide = |minor: i128| i64::try_from(minor).ok().filter(|minor| minor.abs() <= MINOR_MAX);
        let (x, y) = (i128::from(a), i128::from(b));
        prop_assert_eq!(money(a).plus(money(b)).ok().map(Money::minor), wide(x + y));
        prop_assert_eq!(money(a).minus(money(b)).ok().map(Money::minor), wide(x - y));
        prop_assert_eq!(money(a).times(units).ok().map(Money::minor), wide(x * i128::from(units)));
        let sum = Money::sum([money(a), money(b), money(a)], Currency::IDR).ok().map(Money::minor);
        prop_assert_eq!(sum, wide(x + y).and_then(|_| wide(x + y + x)));
    }

    /// An amount shared out by weights, each share of what is left, comes to the whole: no rupiah is lost, and none is made.
    #[test]
    fn shares_of_what_is_left_come_to_the_whole(
        whole in 0..1_000_000_000_i64, weights in prop::collection::vec(0..1_000_i64, 1..20), up in any::<bool>(),
    ) {
        let rounding = if up { Rounding::HalfUp } else { Rounding::Down };
        let zero = Money::zero(Currency::IDR);
        let (mut left, mut weight) = (Money::new(whole * 100, Currency::IDR).expect("small"), weights.iter().sum::<i64>());
        let mut given = zero;
        for one in weights.iter().copied().filter(|one| *one > 0) {
            let share = left.share(one, weight, rounding).expect("fits");
            prop_assert!(!share.is_negative() && share.is_whole() && share.minor() <= left.minor());
            (given, left, weight) = (given.plus(share).expect("fits"), left.minus(share).expect("fits"), weight - one);
        }
        let shared = if weights.iter().any(|one| *one > 0) { whole * 100 } else { 0 };
        prop_assert_eq!((given.minor(), left.minor()), (shared, whole * 100 - shared));
    }
}
