//! Being paid once, or not at all: one intent against a provider that loses, delays, repeats and changes its mind.

mod back;
mod door;
mod oracle;
mod provider;
mod races;
mod races_of_money;
mod rules;
mod world;

use commerce::intent::{Method, ReceiptKind};
use world::{Chance, DUE, Deed, HOUR, SECOND, START, World};

fn long() -> bool {
    std::env::var_os("BALIK_LONG").is_some()
}

/// Fewer without `BALIK_LONG`.
fn seeds() -> u64 {
    if long() { 200_000 } else { 5_000 }
}

fn seeds_of_a_race() -> u64 {
    if long() { 10_000 } else { 1_000 }
}

/// Seeds are counted from `BALIK_SEED`.
fn first_seed() -> u64 {
    std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// Everything that can happen to one checkout, at moments that the seed chooses.
fn anything(seed: u64) -> World {
    let mut world = World::new(seed);
    let chance = &mut Chance(seed ^ 0x00c0_ffee);
    (world.faults, world.sold_out, world.takes_late) = (!chance.one_in(4), chance.one_in(2), chance.one_in(3));
    (world.provider.lags, world.provider.stays_pending) = (chance.one_in(2), chance.one_in(4));
    world.late_max = [50 * SECOND, 600 * SECOND][usize::from(chance.one_in(4))];
    world.rail_lets = chance.one_in(4).then_some(HOUR / 4);
    for _ in 0..=chance.below(3) {
        let method = Method::ALL[usize::try_from(chance.below(5)).expect("five")];
        world.at(START + chance.below(6 * HOUR), Deed::Try(method));
    }
    for _ in 0..chance.below(4) {
        let percent = [40, 60, 100, 100, 100, 130][usize::try_from(chance.below(6)).expect("six")];
        let attempt = u32::try_from(1 + chance.below(2)).expect("small");
        world.at(START + chance.below(30 * HOUR), Deed::Pay { attempt, percent });
    }
    if chance.one_in(5) {
        world.at(START + chance.below(20 * HOUR), Deed::Cancel);
    }
    for _ in 0..chance.below(3) {
        world.at(START + 20 * HOUR + chance.below(50 * HOUR), Deed::GiveBack(DUE / 4));
    }
    if chance.one_in(6) {
        let kinds = [ReceiptKind::Reversed, ReceiptKind::Disputed, ReceiptKind::Refunded];
        let kind = kinds[usize::try_from(chance.below(3)).expect("three")];
        let at = START + chance.below(40 * HOUR);
        world.at(at, Deed::TakeBack(1, kind));
        if kind == ReceiptKind::Disputed {
            let ends = [ReceiptKind::DisputeWon, ReceiptKind::DisputeLost];
            let end = ends[usize::try_from(chance.below(2)).expect("two")];
            world.at(at + chance.below(90 * HOUR), Deed::TakeBack(1, end));
        }
    }
    world
}

#[test]
fn whatever_happens_a_buyer_has_paid_for_one_order_or_has_everything_back() {
    let (mut orders, mut without, mut refunds) = (0, 0, 0);
    for seed in first_seed()..first_seed() + seeds() {
        let mut world = anything(seed);
        world.run_until(START + 100 * HOUR);
        // Faults end; what is open must come to its end by itself.
        world.faults = false;
        world.run();
        assert_eq!(world.verdict(), Ok(()), "seed {seed}");
        orders += world.orders;
        without += u32::from(world.orders == 0);
        refunds += world.intent.refunds().len();
    }
    // A run in which nothing happens proves nothing.
    assert!(
        orders > 1_000 && without > 1_000 && refunds > 1_000,
        "{orders} orders, {without} without, {refunds} refunds"
    );
}
