//! From step records and answered writes to a table.
//!
//! A hold lasts from the record that says it is wanted (the intent of `hold`) to the end of its release, as in a demo's
//! report. A step lasts from its intent to its outcome. Between the first of them, which tells the seams, and the next
//! lies the wait for what they forwarded and for open work at the source (`quiet`); what is left of the hold lies between
//! the other steps (`between`): looks, and further waits.

use crate::load::Writes;
use cutover::record::{Phase, StepName};
use std::collections::BTreeMap;
use std::time::Duration;
use store::RecordedStep;
use vocab::id::Direction;

/// The steps of a hold, in their order; `unfence` is part of the way back.
const STEPS: [StepName; 9] = [
    StepName::Hold,
    StepName::Drain,
    StepName::Fence,
    StepName::Mark,
    StepName::CatchUp,
    StepName::Prove,
    StepName::Flip,
    StepName::Unfence,
    StepName::Release,
];

/// One hold, in microseconds of the machine's clock.
#[derive(Debug, Clone)]
pub struct Hold {
    direction: Direction,
    began_us: i64,
    ended_us: i64,
    quiet_us: i64,
    steps: BTreeMap<StepName, i64>,
    held: i64,
    given_up: Option<String>,
}

/// Every hold that ended, in their order.
pub fn holds(records: &[RecordedStep]) -> Vec<Hold> {
    let mut holds = Vec::new();
    // The hold under way, when its newest step was wanted, and when its newest step had ended.
    let mut open: Option<(Hold, i64, i64)> = None;
    for recorded in records {
        let Some(record) = mover::from_stored(recorded) else { continue };
        let at = recorded.step.at.0;
        if record.step == StepName::Hold && record.phase == Phase::Intent {
            open = Some((Hold::begin(record.direction, at), at, at));
            continue;
        }
        let Some((hold, intended, ended)) = &mut open else { continue };
        if record.phase == Phase::Intent {
            if hold.has_only(StepName::Hold) {
                hold.quiet_us = at - *ended;
            }
            *intended = at;
            continue;
        }
        *hold.steps.entry(record.step).or_insert(0) += at - *intended;
        *ended = at;
        if record.step == StepName::Abort {
            hold.given_up = Some(record.reason.map_or_else(|| "unknown".to_owned(), |reason| reason.code()));
        }
        if record.step == StepName::Release && record.phase == Phase::Done {
            hold.ended_us = at;
            hold.held = recorded.step.detail.int("held").unwrap_or(0);
            holds.extend(open.take().map(|(hold, ..)| hold));
        }
    }
    holds
}

impl Hold {
    const fn begin(direction: Direction, at: i64) -> Self {
        let steps = BTreeMap::new();
        Self { direction, began_us: at, ended_us: at, quiet_us: 0, steps, held: 0, given_up: None }
    }

    fn has_only(&self, step: StepName) -> bool {
        self.steps.keys().eq([&step])
    }

    const fn total_us(&self) -> i64 {
        self.ended_us - self.began_us
    }

    fn between_us(&self) -> i64 {
        self.total_us() - self.quiet_us - self.steps.values().sum::<i64>()
    }

    /// The slowest write that was under way during the hold, as its writer saw it.
    fn slowest_us(&self, writes: &Writes) -> i64 {
        let under_way = writes
            .answered
            .iter()
            .filter(|write| write.sent_us < self.ended_us && write.sent_us + write.took_us > self.began_us);
        under_way.map(|write| write.took_us).max().unwrap_or(0)
    }
}

/// One line of the table per direction.
pub struct Case {
    rows: u32,
    legacy: &'static str,
    asked: u32,
    served: u64,
    failed: u64,
    left_out: u64,
    lines: Vec<String>,
    /// Ways on which no hold ended with a flip.
    stuck: Vec<&'static str>,
}

const WAYS: [(Direction, &str); 2] = [(Direction::ToBackend, "there"), (Direction::ToLegacy, "back")];

pub fn heading() -> String {
    let mut columns = vec!["rows", "legacy", "writes/s", "way", "holds", "given up", "held", "p50", "p99", "max"];
    columns.extend(["slowest write", "quiet"]);
    let steps: Vec<String> = STEPS.iter().map(|step| step.name().replace('_', " ")).collect();
    columns.extend(steps.iter().map(String::as_str));
    columns.push("between");
    let rule = vec!["---:"; columns.len()];
    format!("| {} |\n|{}|", columns.join(" | "), rule.join("|"))
}

impl Case {
    pub fn new(rows: u32, asked: u32, lean: bool, elapsed: Duration, holds: Vec<Hold>, writes: &Writes) -> Self {
        let answered = u64::try_from(writes.answered.len()).unwrap_or(u64::MAX);
        let served = answered * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let lines = WAYS.map(|(direction, way)| line(way, direction, &holds, writes)).into();
        let flipped = |way: Direction| holds.iter().any(|hold| hold.direction == way && hold.given_up.is_none());
        let stuck = WAYS.into_iter().filter(|(way, _)| !flipped(*way)).map(|(_, name)| name).collect();
        let legacy = if lean { "lean" } else { "kios" };
        Self { rows, legacy, asked, served, failed: writes.failed, left_out: writes.left_out, lines, stuck }
    }

    /// Why this case measured nothing that could stand in a table: a way without a flip, a writer without its answer.
    pub fn wrong(&self) -> Vec<String> {
        let case = format!("{} rows, {} writes/s", self.rows, self.asked);
        let mut wrong: Vec<String> =
            self.stuck.iter().map(|way| format!("{case}, {way}: no hold ended with a flip")).collect();
        if self.failed > 0 {
            wrong.push(format!("{case}: {} writes failed", self.failed));
        }
        wrong
    }

    pub fn to_text(&self) -> String {
        let begins = format!("| {} | {} | {} of {}", self.rows, self.legacy, self.served, self.asked);
        let mut text: Vec<String> = self.lines.iter().map(|line| format!("{begins} | {line} |")).collect();
        if self.failed + self.left_out > 0 {
            text.push(format!("<!-- {} writes failed, {} were left out -->", self.failed, self.left_out));
        }
        text.join("\n")
    }
}

fn line(way: &str, direction: Direction, holds: &[Hold], writes: &Writes) -> String {
    let (flipped, given_up): (Vec<&Hold>, Vec<&Hold>) =
        holds.iter().filter(|hold| hold.direction == direction).partition(|hold| hold.given_up.is_none());
    let mut totals: Vec<i64> = flipped.iter().map(|hold| hold.total_us()).collect();
    totals.sort_unstable();
    let mut held: Vec<i64> = flipped.iter().map(|hold| hold.held).collect();
    held.sort_unstable();
    let both = |of: &dyn Fn(&Hold) -> i64| {
        let mut times: Vec<i64> = flipped.iter().map(|hold| of(hold)).collect();
        times.sort_unstable();
        format!("{} / {}", ms(at(&times, 50)), ms(at(&times, 99)))
    };
    let mut cells = vec![way.to_owned(), flipped.len().to_string(), reasons(&given_up), at(&held, 50).to_string()];
    cells.extend([50, 99, 100].map(|percent| ms(at(&totals, percent))));
    cells.push(both(&|hold| hold.slowest_us(writes)));
    cells.push(both(&|hold| hold.quiet_us));
    cells.extend(STEPS.iter().map(|step| both(&|hold| hold.steps.get(step).copied().unwrap_or(0))));
    cells.push(both(&Hold::between_us));
    cells.join(" | ")
}

fn reasons(given_up: &[&Hold]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for hold in given_up {
        *counts.entry(hold.given_up.as_deref().unwrap_or("unknown")).or_insert(0) += 1;
    }
    if counts.is_empty() {
        return "0".to_owned();
    }
    counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

/// The nearest rank; 0 where there is nothing.
fn at(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    rank.checked_sub(1).and_then(|place| sorted.get(place)).copied().unwrap_or(0)
}

/// Milliseconds with one place.
fn ms(us: i64) -> String {
    format!("{}.{}", us / 1_000, us.rem_euclid(1_000) / 100)
}
