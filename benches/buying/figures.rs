//! From rounds to a line of a table: medians of the rounds' figures, all whole microseconds.

use crate::bare::Bare;
use crate::stage::Cost;
use crate::table::{grouped, per_second, ratio};
use std::time::Duration;

/// What one round came to.
pub struct Round {
    pub per_second: u64,
    pub waits: Waits,
    /// Processor time of each, by whom.
    pub ours_us: u64,
    pub database_us: u64,
    pub bare_per_second: u64,
    pub bare_us: u64,
    /// What each request took, request by request, where one turn has several.
    pub steps: Vec<Vec<u64>>,
}

/// How long people waited, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Waits {
    pub fn of(mut all: Vec<u64>) -> Self {
        all.sort_unstable();
        let at = |percent: usize| all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).copied();
        Self { p50: at(50).unwrap_or(0), p99: at(99).unwrap_or(0), max: all.last().copied().unwrap_or(0) }
    }
}

impl Round {
    pub fn new(waits: Vec<Duration>, took: Duration, cost: Cost, bare: Bare) -> Self {
        let count = u64::try_from(waits.len()).unwrap_or(0);
        let each = |time: Duration, count: u64| micros(time) / count.max(1);
        Self {
            per_second: per_second(count, took),
            waits: Waits::of(waits.into_iter().map(micros).collect()),
            ours_us: each(cost.ours, count),
            database_us: each(cost.database, count),
            bare_per_second: per_second(bare.count, bare.took),
            bare_us: each(bare.cost.ours + bare.cost.database, bare.count),
            steps: Vec::new(),
        }
    }
}

/// The rounds of one case.
#[derive(Default)]
pub struct Figures(Vec<Round>);

impl Figures {
    pub fn heading(what: &'static str) -> [&'static str; 11] {
        [
            what,
            "p50 ms",
            "p99 ms",
            "max ms",
            "CPU ms: server",
            "database",
            "together",
            "bare loop, per s",
            "its CPU ms",
            "CPU, × bare",
            "per s, × bare",
        ]
    }

    pub fn add(&mut self, round: Round) {
        self.0.push(round);
    }

    /// As `heading` names them.
    pub fn cells(&self) -> Vec<String> {
        let together = self.of_rounds(|round| round.ours_us + round.database_us);
        let (done, bare) = (self.of_rounds(|round| round.per_second), self.of_rounds(|round| round.bare_per_second));
        let bare_us = self.of_rounds(|round| round.bare_us);
        vec![
            grouped(done),
            millis(self.of_rounds(|round| round.waits.p50)),
            millis(self.of_rounds(|round| round.waits.p99)),
            millis(self.of_rounds(|round| round.waits.max)),
            millis(self.of_rounds(|round| round.ours_us)),
            millis(self.of_rounds(|round| round.database_us)),
            millis(together),
            grouped(bare),
            millis(bare_us),
            ratio(together, bare_us),
            ratio(done, bare),
        ]
    }

    /// p50 / p99 of each request, in milliseconds.
    pub fn steps(&self) -> Vec<String> {
        let count = self.0.first().map_or(0, |round| round.steps.len());
        let of = |step: usize, which: fn(Waits) -> u64| {
            millis(self.of_rounds(|round| which(Waits::of(round.steps[step].clone()))))
        };
        (0..count).map(|step| format!("{} / {}", of(step, |waits| waits.p50), of(step, |waits| waits.p99))).collect()
    }

    fn of_rounds(&self, figure: impl Fn(&Round) -> u64) -> u64 {
        median(self.0.iter().map(figure))
    }
}

/// The upper one of two middle ones; 0 of nothing.
pub fn median(figures: impl Iterator<Item = u64>) -> u64 {
    let mut all: Vec<u64> = figures.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}

pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// `0.412`, `12.30`, `1234.5`: three places that mean something.
pub fn millis(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{:03}", us / 1_000, us % 1_000),
        10_000..100_000 => format!("{}.{:02}", us / 1_000, us % 1_000 / 10),
        _ => format!("{}.{}", us / 1_000, us % 1_000 / 100),
    }
}
