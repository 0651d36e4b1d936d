//! The throttle against a made-up world: shoppers whose waits grow with what the copy does, noise and all.

use cutover::bounds::{
    THROTTLE_LAG_MS, THROTTLE_LISTEN_EVERY_MS, THROTTLE_LISTEN_MAX_MS, THROTTLE_LISTEN_MS, THROTTLE_ROWS_FIRST,
    THROTTLE_ROWS_MAX, THROTTLE_ROWS_MIN, THROTTLE_TICK_MS, THROTTLE_WINDOW_MS,
};
use cutover::latency::Counts;
use cutover::throttle::{Throttle, Tick, Turn, Why};

/// What the copy of this world gets done in a second, if it may.
const CAPACITY: u64 = 100_000;
/// What is promised of the p99, in thousandths.
const PROMISED: u64 = 1_300;

/// A world in which every 1,000 rows per second of the copy make a wait longer by so many hundredths.
struct World {
    throttle: Throttle,
    throttled: bool,
    now_ms: u64,
    seed: u64,
    requests_per_s: u64,
    wait_us: u64,
    percent_per_1000_rows: u64,
    lag_ms: u32,
    copied: u64,
    with: Counts,
    without: Counts,
}

impl World {
    fn new(requests_per_s: u64, percent_per_1000_rows: u64) -> Self {
        Self {
            throttle: Throttle::new(0),
            throttled: true,
            now_ms: 0,
            seed: 1,
            requests_per_s,
            wait_us: 2_000,
            percent_per_1000_rows,
            lag_ms: 5,
            copied: 0,
            with: Counts::default(),
            without: Counts::default(),
        }
    }

    fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    fn chance(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// A wait as waits are: most are short, few are much longer.
    fn wait(&mut self) -> u64 {
        let mut us = self.wait_us / 2;
        for _ in 0..8 {
            us += self.chance(self.wait_us / 4);
            if self.chance(3) > 0 {
                break;
            }
        }
        us
    }

    /// One tick; `copies`: there is something to copy.
    fn tick(&mut self, copies: bool) {
        let (mut at_us, end_us) = (self.now_ms * 1_000, (self.now_ms + THROTTLE_TICK_MS) * 1_000);
        let mut rows = if copies && !self.throttled { CAPACITY * THROTTLE_TICK_MS / 1_000 } else { 0 };
        while copies && self.throttled && at_us < end_us {
            match self.throttle.ask(at_us, u64::MAX) {
                Turn::Now { rows: piece } => {
                    rows += piece;
                    at_us += piece * 1_000_000 / CAPACITY;
                }
                Turn::In { us } => at_us += us,
                Turn::Later => break,
            }
        }
        let percent = 100 + self.percent_per_1000_rows * rows / THROTTLE_TICK_MS;
        let mut answers = Counts::default();
        for _ in 0..self.requests_per_s * THROTTLE_TICK_MS / 1_000 {
            let us = self.wait();
            answers.note(us * percent / 100);
        }
        self.copied += rows;
        self.now_ms += THROTTLE_TICK_MS;
        if copies {
            self.with.add(&answers)
        } else {
            self.without.add(&answers)
        }
        self.throttle.tick(self.now_ms, &Tick { answers: Some(answers), worked: rows > 0, lag_ms: Some(self.lag_ms) });
    }

    fn run(&mut self, seconds: u64, copies: bool) {
        (0..seconds * 1_000 / THROTTLE_TICK_MS).for_each(|_| self.tick(copies));
    }

    /// Rows copied per second, and by how much the p99 was longer with the copy than without it, in thousandths.
    fn measured(&mut self, seconds: u64) -> (u64, u64) {
        let before = self.copied;
        self.with = Counts::default();
        self.run(seconds, true);
        let longer = self.with.quantile(990).zip(self.without.quantile(990));
        ((self.copied - before) / seconds, longer.map_or(0, |(with, without)| with * 1_000 / without))
    }

    fn rate(&self) -> u64 {
        self.throttle.shown().rows_per_s
    }
}

#[test]
fn noise_without_harm_keeps_speed() {
    for seed in 1..=20 {
        for requests_per_s in [20, 50, 200, 1_000] {
            let mut world = World::new(requests_per_s, 0).seeded(seed);
            world.run(10, false);
            world.run(60, true);
            let (rows_per_s, _) = world.measured(60);
            assert!(rows_per_s > CAPACITY * 2 / 3, "{rows_per_s} rows/s with {requests_per_s} requests/s, seed {seed}");
        }
    }
}

#[test]
fn shoppers_wait_as_is_promised_and_the_copy_goes_on() {
    for seed in 1..=10 {
        // At 20,000 rows/s a wait is a fifth longer: what may be is near that.
        let mut world = World::new(400, 1).seeded(seed);
        world.run(20, false);
        let (rows_per_s, longer) = world.measured(120);
        assert!(longer <= PROMISED, "{longer} thousandths, seed {seed}");
        assert!(rows_per_s >= 8_000, "{rows_per_s} rows/s, seed {seed}");
        world.throttled = false;
        let (_, longer) = world.measured(60);
        assert!(longer > PROMISED, "without a throttle it is {longer} thousandths: there was nothing to hold back");
    }
}

#[test]
fn one_guilty_window_changes_nothing_and_each_further_one_halves() {
    let mut world = World::new(400, 0);
    world.run(3, false);
    world.percent_per_1000_rows = 20;
    // What is shown last of a window is the rate after it.
    let mut rates = vec![world.rate()];
    for _ in 0..3 {
        (0..THROTTLE_WINDOW_MS / THROTTLE_TICK_MS).for_each(|_| world.tick(true));
        rates.push(world.rate());
    }
    let first = THROTTLE_ROWS_FIRST;
    assert_eq!(rates, [first, first, first / 2, first / 4]);
    assert_eq!(world.throttle.shown().why, Why::Shoppers);
}

#[test]
fn a_copy_that_always_hurts_is_never_slower_than_the_least_rate() {
    let mut world = World::new(400, 500);
    world.run(3, false);
    world.run(10, true);
    assert_eq!(world.rate(), THROTTLE_ROWS_MIN);
    let (rows_per_s, _) = world.measured(120);
    // Less what it is silent.
    assert!(rows_per_s > THROTTLE_ROWS_MIN * 3 / 4, "{rows_per_s}");
}

#[test]
fn a_turn_that_found_nothing_costs_nothing() {
    let mut world = World::new(400, 500);
    world.run(3, false);
    world.run(5, true);
    world.percent_per_1000_rows = 0;
    world.run(1, false);
    let now_us = (world.now_ms + 10) * 1_000;
    for _ in 0..1_000 {
        let Turn::Now { rows } = world.throttle.ask(now_us, u64::MAX) else { panic!("a turn was to be waited for") };
        world.throttle.charge(rows, 0);
    }
    let Turn::Now { rows } = world.throttle.ask(now_us, u64::MAX) else { panic!("a turn was to be waited for") };
    let wait_us = rows * 1_000_000 / world.rate();
    assert_eq!(world.throttle.ask(now_us, u64::MAX), Turn::In { us: wait_us }, "one that did is charged");
}

#[test]
fn what_came_to_less_is_charged_less() {
    let mut throttle = Throttle::new(0);
    let nobody = Tick { answers: Some(Counts::default()), ..Tick::default() };
    (1..=10).for_each(|at| throttle.tick(at * THROTTLE_TICK_MS, &nobody));
    let now_us = 2_000_000;
    assert_eq!(throttle.ask(now_us, 150), Turn::Now { rows: 150 });
    throttle.charge(150, 100);
    assert_eq!(throttle.ask(now_us, 150), Turn::In { us: 100 * 1_000_000 / THROTTLE_ROWS_FIRST });
}

#[test]
fn where_nobody_comes_nothing_is_in_the_way_until_somebody_does() {
    let mut world = World::new(0, 0);
    world.run(2, false);
    world.run(1, true);
    assert_eq!(world.rate(), THROTTLE_ROWS_MAX);
    world.requests_per_s = 400;
    // One of them is enough.
    world.tick(true);
    world.tick(true);
    let shown = world.throttle.shown();
    assert_eq!((shown.rows_per_s, shown.why), (THROTTLE_ROWS_FIRST, Why::Listening));
    world.run(2, true);
    assert!(world.throttle.shown().quiet_p99_us.is_some());
}

#[test]
fn a_gateway_that_says_nothing_is_not_one_that_nobody_comes_to() {
    let run = |answers: &dyn Fn() -> Option<Counts>| {
        let mut throttle = Throttle::new(0);
        for (at, worked) in (1..=40).map(|at| (at, at > 20)) {
            let now_ms = at * THROTTLE_TICK_MS;
            if worked {
                let _ = throttle.ask(now_ms * 1_000, u64::MAX);
            }
            throttle.tick(now_ms, &Tick { answers: answers(), worked, lag_ms: None });
        }
        throttle.shown().rows_per_s
    };
    assert_eq!(run(&|| None), THROTTLE_ROWS_FIRST);
    assert_eq!(run(&|| Some(Counts::default())), THROTTLE_ROWS_MAX);
}

#[test]
fn somebody_now_and_then_is_somebody() {
    let mut world = World::new(0, 0);
    for second in 0..60 {
        world.requests_per_s = if second % 5 == 0 { 10 } else { 0 };
        world.run(1, true);
        assert!(world.rate() <= THROTTLE_ROWS_FIRST * 2, "{} rows/s in second {second}", world.rate());
    }
}

#[test]
fn shoppers_who_get_no_answer_at_all_do_not_make_it_faster() {
    let mut world = World::new(400, 0);
    world.run(10, false);
    world.run(2, true);
    let before = world.rate();
    world.requests_per_s = 0;
    world.run(8, true);
    assert_eq!(world.rate(), before);
}

#[test]
fn a_stream_that_lags_slows_the_copy_and_a_copy_that_is_not_used_up_is_not_faster() {
    let mut world = World::new(400, 0);
    world.run(3, false);
    world.lag_ms = THROTTLE_LAG_MS + 1;
    world.run(4, true);
    assert_eq!(world.throttle.shown().why, Why::Lag);
    assert!(world.rate() < THROTTLE_ROWS_FIRST, "{}", world.rate());
    world.lag_ms = 5;
    world.run(60, true);
    assert!(world.rate() <= 2 * CAPACITY + CAPACITY / 2, "{}", world.rate());
}

#[test]
fn what_it_is_compared_with_follows_the_day() {
    let mut world = World::new(400, 0);
    world.run(10, false);
    world.run(30, true);
    // Morning: everybody waits twice as long, for whatever reason.
    world.wait_us *= 2;
    world.run(180, true);
    let (rows_per_s, _) = world.measured(60);
    assert!(rows_per_s > CAPACITY / 2, "{rows_per_s}");
}

#[test]
fn a_silence_that_never_comes_is_not_waited_for() {
    let mut throttle = Throttle::new(0);
    let (mut turns, mut now_ms) = (0, 0);
    while now_ms < 4 * THROTTLE_LISTEN_EVERY_MS {
        turns += u64::from(matches!(throttle.ask(now_ms * 1_000, u64::MAX), Turn::Now { .. }));
        now_ms += THROTTLE_TICK_MS;
        // Something that takes no turns works all the time.
        let mut answers = Counts::default();
        (0..40).for_each(|_| answers.note(2_000));
        throttle.tick(now_ms, &Tick { answers: Some(answers), worked: true, lag_ms: None });
    }
    let asked = now_ms / THROTTLE_TICK_MS;
    assert!(turns > asked / 2, "{turns} of {asked}");
}

#[test]
fn it_is_silent_for_a_second_now_and_then_and_no_longer() {
    let mut world = World::new(400, 0);
    let (mut silent_ms, mut longest_ms, mut all_ms) = (0, 0, 0);
    for _ in 0..120_000 / THROTTLE_TICK_MS {
        let before = world.copied;
        world.tick(true);
        silent_ms = if world.copied > before { 0 } else { silent_ms + THROTTLE_TICK_MS };
        longest_ms = silent_ms.max(longest_ms);
        all_ms += if silent_ms > 0 { THROTTLE_TICK_MS } else { 0 };
    }
    assert!((THROTTLE_LISTEN_MS..THROTTLE_LISTEN_MAX_MS / 2).contains(&longest_ms), "{longest_ms} ms");
    assert!(all_ms < 120_000 / 6, "{all_ms} ms of two minutes");
}
