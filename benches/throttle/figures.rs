//! What shoppers waited in each course, put together by arm, and whether it is what is promised.

use crate::shoppers::Seen;
use cutover::bounds::THROTTLE_ROWS_MIN;
use std::fmt::Write;
use std::time::Duration;

/// Thousandths of the p99 without a copy that a copy with its throttle may come to: the median of all pairs of windows, so
/// that one in which the disk was busy with something else decides nothing.
const LIMIT: u64 = 1_300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    With,
    Without,
}

impl Arm {
    pub const fn name(self) -> &'static str {
        match self {
            Self::With => "copy with the throttle",
            Self::Without => "copy without it",
        }
    }
}

/// What was seen for some seconds.
pub struct Window {
    pub seen: Seen,
    pub lasted: Duration,
    /// As long as the shop was copied and derived, and what that came to, in rows; an aggregate counts as ten.
    pub copying: Duration,
    pub worked: u64,
}

/// A window without a copy, and one with it right after.
pub struct Pair {
    pub quiet: Window,
    pub copied: Window,
    /// Where the shop was at its end.
    pub progress: String,
}

/// A database and a serving process, and what was seen of them.
pub struct Course {
    pub arm: Arm,
    pub windows: Vec<Pair>,
}

impl Course {
    pub fn to_text(&self) -> String {
        let mut text = self.arm.name().to_owned();
        for pair in &self.windows {
            let (quiet, copied) = (Waits::of([&pair.quiet.seen]), Waits::of([&pair.copied.seen]));
            let _ = write!(
                text,
                "\n  p50 {} to {}, p95 {} to {}, p99 {} to {} ms; {} rows in {} ms; {}",
                ms(quiet.at(500)),
                ms(copied.at(500)),
                ms(quiet.at(950)),
                ms(copied.at(950)),
                ms(quiet.at(990)),
                ms(copied.at(990)),
                pair.copied.worked,
                pair.copied.copying.as_millis(),
                pair.progress,
            );
        }
        text
    }
}

/// All courses of a run.
#[derive(Default)]
pub struct Figures {
    pub courses: Vec<Course>,
}

impl Figures {
    /// One line for each arm, and one for what is without a copy.
    pub fn to_text(&self, rows: u32, rate: u32) -> String {
        let mut text = format!(
            "{rows} rows, {rate} requests/s\n\n| | windows | requests | p50 ms | of no copy | p95 ms | of no copy | p99 ms | of no copy | rows/s |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        );
        // What two halves of the same differ by is what the figures below may be off by.
        let half =
            |odd| self.pairs().enumerate().filter(move |(at, _)| at % 2 == odd).map(|(_, (_, pair))| &pair.quiet.seen);
        let (one, other) = (Waits::of(half(0)), Waits::of(half(1)));
        let _ = write!(text, "\n| no copy, half of the windows | {} |{} – |", half(0).count(), one.columns(&one));
        let _ = write!(text, "\n| no copy, the other half | {} |{} – |", half(1).count(), other.columns(&one));
        for arm in [Arm::With, Arm::Without] {
            let line = self.copied(arm).columns(&self.quiet(arm));
            let rate = self.rows_per_s(arm);
            let _ = write!(text, "\n| {} | {} |{line} {rate} |", arm.name(), self.of(arm).count());
        }
        let (with, without) = (times(self.p99(Arm::With)), times(self.p99(Arm::Without)));
        let _ = write!(
            text,
            "\n\np99 of a window against the quiet one before it, median: {with} with the throttle, {without} without it; \
             of quiet windows next to each other, the larger against the smaller: {}",
            times(self.noise())
        );
        text
    }

    /// What is not as promised; nothing where all is.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let noise = self.noise();
        if noise > LIMIT {
            missed.push(format!("nothing can be judged: quiet windows next to each other differ by {}", times(noise)));
        }
        let with = self.p99(Arm::With);
        if with > LIMIT {
            missed.push(format!("with the throttle p99 is {} of that without a copy", times(with)));
        }
        let without = self.p99(Arm::Without);
        if without <= LIMIT {
            missed.push(format!("without the throttle p99 is only {} of that without a copy", times(without)));
        }
        let rate = self.rows_per_s(Arm::With);
        if rate < THROTTLE_ROWS_MIN / 2 {
            missed.push(format!("with the throttle only {rate} rows/s were copied and derived"));
        }
        let failed: u64 = self.pairs().map(|(_, pair)| pair.quiet.seen.failed + pair.copied.seen.failed).sum();
        if failed > 0 {
            missed.push(format!("{failed} requests failed"));
        }
        missed
    }

    /// Thousandths of the quiet window's p99 that a window with a copy came to, the median of an arm.
    fn p99(&self, arm: Arm) -> u64 {
        median(self.of(arm).map(|pair| ratio(p99_of(&pair.copied), p99_of(&pair.quiet))))
    }

    /// The same of quiet windows of one course next to each other: what the figures above may be off by.
    fn noise(&self) -> u64 {
        let next = |course: &Course| -> Vec<u64> {
            let quiet: Vec<u64> = course.windows.iter().map(|pair| p99_of(&pair.quiet)).collect();
            quiet.windows(2).map(|two| ratio(two[0].max(two[1]), two[0].min(two[1]))).collect()
        };
        median(self.courses.iter().flat_map(next))
    }

    fn pairs(&self) -> impl Iterator<Item = (Arm, &Pair)> {
        self.courses.iter().flat_map(|course| course.windows.iter().map(|pair| (course.arm, pair)))
    }

    fn of(&self, arm: Arm) -> impl Iterator<Item = &Pair> {
        self.pairs().filter(move |(of, _)| *of == arm).map(|(_, pair)| pair)
    }

    /// What was copied and derived per second of the windows in which a copy did that.
    fn rows_per_s(&self, arm: Arm) -> u64 {
        let rows: u64 = self.of(arm).map(|pair| pair.copied.worked).sum();
        let ms: u128 = self.of(arm).map(|pair| pair.copied.copying.as_millis()).sum();
        rows * 1_000 / u64::try_from(ms).unwrap_or(u64::MAX).max(1)
    }

    fn copied(&self, arm: Arm) -> Waits {
        Waits::of(self.of(arm).map(|pair| &pair.copied.seen))
    }

    /// Without a copy, in the courses of an arm: each arm is compared with its own.
    fn quiet(&self, arm: Arm) -> Waits {
        Waits::of(self.of(arm).map(|pair| &pair.quiet.seen))
    }
}

/// Waits of many, in their order.
struct Waits(Vec<u64>);

impl Waits {
    fn of<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Self {
        let mut all: Vec<u64> = seen.into_iter().flat_map(|seen| seen.waited_us.iter().copied()).collect();
        all.sort_unstable();
        Self(all)
    }

    /// The wait that so many of a thousand did not exceed; 0 of none.
    fn at(&self, per_mille: usize) -> u64 {
        let rank = (self.0.len() * per_mille).div_ceil(1_000);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    fn columns(&self, quiet: &Self) -> String {
        let mut text = format!(" {} |", self.0.len());
        for per_mille in [500, 950, 990] {
            let us = self.at(per_mille);
            let _ = write!(text, " {} | {} |", ms(us), times(ratio(us, quiet.at(per_mille))));
        }
        text
    }
}

fn p99_of(window: &Window) -> u64 {
    Waits::of([&window.seen]).at(990)
}

/// Of an even number the mean of the two in the middle; 0 of none.
fn median(figures: impl Iterator<Item = u64>) -> u64 {
    let mut figures: Vec<u64> = figures.collect();
    figures.sort_unstable();
    let (low, high) = (figures.len().saturating_sub(1) / 2, figures.len() / 2);
    let at = |at: usize| figures.get(at).copied().unwrap_or(0);
    (at(low) + at(high)) / 2
}

fn ratio(us: u64, quiet_us: u64) -> u64 {
    us * 1_000 / quiet_us.max(1)
}

fn ms(us: u64) -> String {
    format!("{}.{:02}", us / 1_000, us % 1_000 / 10)
}

fn times(per_mille: u64) -> String {
    format!("{}.{:02} ×", per_mille / 1_000, per_mille % 1_000 / 10)
}
