//! Counting requests: by phase, by second, and by whether another shop was held meanwhile.

use crate::histogram::Histogram;
use crate::line::Phase;
use serde_json::{Value, json};

/// How one request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Ok,
    Refused,
    Failed,
    Wrong,
}

#[derive(Debug, Default)]
pub struct Counts {
    pub sent: u64,
    pub ok: u64,
    pub refused: u64,
    pub retried: u64,
    pub failed: u64,
    pub wrong: u64,
    latency: Histogram,
}

impl Counts {
    pub fn record(&mut self, end: End, repeated: bool, us: u64) {
        self.sent += 1;
        match end {
            End::Ok => self.ok += 1,
            End::Refused => self.refused += 1,
            End::Failed => self.failed += 1,
            End::Wrong => self.wrong += 1,
        }
        self.retried += u64::from(repeated);
        self.latency.record(us);
    }

    fn report(&self) -> Value {
        let Self { sent, ok, refused, retried, failed, wrong, latency } = self;
        json!({"sent": sent, "ok": ok, "refused": refused, "retried": retried, "failed": failed, "wrong": wrong,
            "p50_us": latency.quantile(5_000), "p95_us": latency.quantile(9_500), "p99_us": latency.quantile(9_900),
            "max_us": latency.max()})
    }
}

#[derive(Debug, Default)]
pub struct Tally {
    before: Counts,
    during: Counts,
    after: Counts,
    /// The last second's latencies.
    pub second: Histogram,
    pub others_quiet: Histogram,
    pub others_during_hold: Histogram,
}

impl Tally {
    /// The phase of a request: one that reaches into the moves belongs to them.
    pub fn of(&mut self, started: Phase, ended: Phase) -> &mut Counts {
        match (started, ended) {
            (Phase::Before, Phase::Before) => &mut self.before,
            (Phase::After, _) => &mut self.after,
            (Phase::Before | Phase::During, _) => &mut self.during,
        }
    }

    pub fn sum(&self, of: fn(&Counts) -> u64) -> u64 {
        of(&self.before) + of(&self.during) + of(&self.after)
    }

    pub fn requests(&self) -> Value {
        json!({"before": self.before.report(), "during": self.during.report(), "after": self.after.report()})
    }

    pub fn isolation(&self) -> Value {
        let figures = |of: &Histogram| json!({"n": of.n(), "p50_us": of.quantile(5_000), "p95_us": of.quantile(9_500), "p99_us": of.quantile(9_900)});
        json!({"others_quiet": figures(&self.others_quiet), "others_during_hold": figures(&self.others_during_hold)})
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Tally};
    use crate::line::Phase;

    #[test]
    fn a_request_that_reaches_into_the_moves_is_counted_with_them() {
        let mut tally = Tally::default();
        tally.of(Phase::Before, Phase::Before).record(End::Ok, false, 10);
        tally.of(Phase::Before, Phase::During).record(End::Refused, true, 20);
        tally.of(Phase::During, Phase::After).record(End::Failed, false, 30);
        tally.of(Phase::After, Phase::After).record(End::Wrong, false, 40);
        let requests = tally.requests();
        let sent = |phase: &str| requests[phase]["sent"].as_u64().unwrap();
        assert_eq!((sent("before"), sent("during"), sent("after")), (1, 2, 1));
        assert_eq!((tally.sum(|c| c.failed), tally.sum(|c| c.retried), tally.sum(|c| c.sent)), (1, 1, 4));
        assert_eq!(requests["during"]["max_us"], 30);
    }
}
