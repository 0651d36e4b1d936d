//! Time cut into windows, and what was seen in each.

use crate::load::Answered;
use cutover::record::{Phase, StepName};
use std::fmt::Write;
use store::RecordedStep;

/// A piece of time, by the machine's clock, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Window {
    phase: &'static str,
    from_us: i64,
    to_us: i64,
}

/// All of them, in their order.
#[derive(Debug, Default)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// A window as long as `lasting`.
    pub async fn during<T>(&mut self, phase: &'static str, lasting: impl Future<Output = T>) -> T {
        let from_us = now_us();
        let done = lasting.await;
        self.0.push(Window { phase, from_us, to_us: now_us() });
        done
    }

    /// A table with one line per phase: the median of its windows, and between what they lie.
    pub fn to_text(&self, openings: &[Answered], holds: &[(i64, i64)]) -> String {
        let mut text = "| phase | windows | openings | p50 µs | least – most | of before | p99 µs | least – most | \
                        of before |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
            .to_owned();
        let mut phases: Vec<&str> = self.0.iter().map(|window| window.phase).collect();
        phases.dedup();
        let before = self.phase(phases[0], openings);
        for phase in phases {
            let seen = self.phase(phase, openings);
            let _ = write!(text, "\n| {phase} | {}", line(&seen, &before));
        }
        let held = |opening: &Answered| {
            holds.iter().any(|(from, to)| opening.sent_us < *to && opening.sent_us + opening.took_us > *from)
        };
        let held = [figures(openings.iter().filter(|opening| held(opening)))].concat();
        if let Some(held) = held.first() {
            let _ = write!(text, "\n| under way in one of {} holds | {}", holds.len(), line(&[*held], &before));
        }
        text
    }

    fn phase(&self, phase: &str, openings: &[Answered]) -> Vec<Figures> {
        let windows = self.0.iter().filter(|window| window.phase == phase);
        let within = |window: &Window, opening: &Answered| (window.from_us..window.to_us).contains(&opening.sent_us);
        windows.flat_map(|window| figures(openings.iter().filter(|opening| within(window, opening)))).collect()
    }
}

/// What was seen in one window.
#[derive(Debug, Clone, Copy)]
struct Figures {
    count: usize,
    p50_us: i64,
    p99_us: i64,
}

/// None of nothing.
fn figures<'a>(openings: impl Iterator<Item = &'a Answered>) -> Vec<Figures> {
    let mut took: Vec<i64> = openings.map(|opening| opening.took_us).collect();
    took.sort_unstable();
    let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let both = at(50).zip(at(99));
    both.map(|(p50_us, p99_us)| Figures { count: took.len(), p50_us, p99_us }).into_iter().collect()
}

fn line(seen: &[Figures], before: &[Figures]) -> String {
    let count: usize = seen.iter().map(|figures| figures.count).sum();
    let columns = [|figures: &Figures| figures.p50_us, |figures: &Figures| figures.p99_us].map(|figure| {
        let sorted = |seen: &[Figures]| {
            let mut values: Vec<i64> = seen.iter().map(figure).collect();
            values.sort_unstable();
            values
        };
        let (own, base) = (sorted(seen), sorted(before));
        let middle = |values: &[i64]| values.get(values.len() / 2).copied().unwrap_or(0);
        let ratio = middle(&own) * 100 / middle(&base).max(1);
        let [least, most] = [own.first(), own.last()].map(|end| end.copied().unwrap_or(0));
        format!("{} | {least} – {most} | {}.{:02}", middle(&own), ratio / 100, ratio % 100)
    });
    format!("{} | {count} | {} |", seen.len(), columns.join(" | "))
}

/// From when to when each hold lasted: from the wish to hold until everything held was let go.
pub fn holds(records: &[RecordedStep]) -> Vec<(i64, i64)> {
    let mut holds = Vec::new();
    let mut began = None;
    for recorded in records {
        let Some(record) = mover::from_stored(recorded) else { continue };
        match (record.step, record.phase) {
            (StepName::Hold, Phase::Intent) => began = Some(recorded.step.at.0),
            (StepName::Release, Phase::Done) => holds.extend(began.take().map(|began| (began, recorded.step.at.0))),
            _ => {}
        }
    }
    holds
}

fn now_us() -> i64 {
    (baliklayar::serving::clock())().0
}
