//! What happened to a shop, and how long it took: every hold with its steps, the long steps around them, and how long
//! holds are on the whole.

use crate::figures::second;
use crate::lang::Lang;
use cutover::bounds::{HOLD_GIVE_UP_MS, HOLD_MS_MAX};
use cutover::hold::{Hold, STEPS};
use cutover::record::{Phase, StepName};
use maud::{Markup, html};
use store::{HoldLength, RecordedStep};
use vocab::id::{ShopId, Timestamp};

/// Holds drawn; there are more only where somebody moves a shop to and fro.
const HOLDS_SHOWN: usize = 12;
const LONG_STEPS_SHOWN: usize = 20;
/// A bar, in units of its own.
const WIDTH: i64 = 1_000;
/// The histogram: columns of 50 ms, and one for what was longer than a hold may be.
const COLUMN_MS: usize = 50;
const COLUMNS: usize = 11;

/// The holds, newest first, each as a bar against its deadline and as figures.
pub fn holds(lang: Lang, holds: &[Hold]) -> Markup {
    html! {
        @if holds.is_empty() { p { (lang.no_holds()) } } @else { p .quiet { (lang.against_the_line()) } }
        @for hold in holds.iter().rev().take(HOLDS_SHOWN) { (one(lang, hold)) }
    }
}

fn one(lang: Lang, hold: &Hold) -> Markup {
    let (end, class) = if hold.aborted { (lang.given_up(), "wrong") } else { (lang.flipped(), "good") };
    let reason = hold.reason.as_ref().filter(|_| hold.aborted);
    html! {
        article .hold {
            h3 { (lang.direction(hold.direction)) ": " span class=(class) { (end) @if let Some(reason) = reason { " (" (reason) ")" } } }
            p { strong { (lang.length(hold.total_us)) } " · " (lang.held(hold.held)) " · " (lang.epoch()) " " (hold.epoch)
                " · " span .quiet { (second(hold.began)) }
                @if hold.taken_over_us.is_some() { " · " (lang.taken_over()) }
            }
            (bar(lang, hold))
            ol .steps { @for (step, us) in steps(hold) {
                li data-step=(step.name()) { (lang.step_name(step)) " " b { (lang.length(us)) } }
            } }
        }
    }
}

/// The steps of a flip in their order, then those of giving up.
fn steps(hold: &Hold) -> impl Iterator<Item = (StepName, i64)> {
    let order = STEPS[..7].iter().chain(&[StepName::Unfence, StepName::Abort, StepName::Release]);
    order.filter_map(move |step| Some((*step, *hold.us.get(step)?)))
}

fn bar(lang: Lang, hold: &Hold) -> Markup {
    let full_us = hold.total_us.max(i64::from(HOLD_MS_MAX) * 1_000);
    let x = |us: i64| us.clamp(0, full_us) * WIDTH / full_us;
    let mut at = 0;
    let pieces: Vec<(StepName, i64, i64)> = steps(hold)
        .map(|(step, us)| {
            let begun = at;
            at += us;
            (step, x(begun), (x(at) - x(begun)).max(2))
        })
        .collect();
    let label = format!("{} / {}", lang.length(hold.total_us), lang.length(i64::from(HOLD_MS_MAX) * 1_000));
    let give_up = x(i64::from(HOLD_GIVE_UP_MS) * 1_000);
    html! {
        svg .hold-bar viewBox=(format!("0 0 {WIDTH} 24")) preserveAspectRatio="none" role="img" aria-label=(label) {
            rect .bar-left x="0" y="4" width=(WIDTH) height="16" {}
            @for (step, x, width) in pieces { rect data-step=(step.name()) x=(x) y="4" width=(width) height="16" {} }
            line .deadline x1=(give_up) y1="0" x2=(give_up) y2="24" {}
        }
    }
}

/// A long step: when it began, and how it ended and after how long.
struct Long {
    step: StepName,
    began: Timestamp,
    end: Option<(Phase, i64)>,
}

/// Copy, track, verify, soak and seal with when they began and how long they took, newest first.
pub fn long_steps(lang: Lang, steps: &[RecordedStep]) -> Markup {
    let mut told: Vec<Long> = Vec::new();
    for recorded in steps {
        let Some(record) = recorded.record().filter(|record| is_long(record.step)) else { continue };
        let at = recorded.step.at;
        match record.phase {
            Phase::Intent => told.push(Long { step: record.step, began: at, end: None }),
            Phase::Done | Phase::Failed => {
                let open = told.iter_mut().rev().find(|long| long.step == record.step && long.end.is_none());
                if let Some(long) = open {
                    long.end = Some((record.phase, at.0 - long.began.0));
                }
            }
        }
    }
    html! {
        table .cards {
            thead { tr { th scope="col" { (lang.step()) } th scope="col" { (lang.began()) } th scope="col" { (lang.took()) } } }
            tbody { @for long in told.iter().rev().take(LONG_STEPS_SHOWN) {
                tr {
                    th scope="row" { (lang.step_name(long.step)) }
                    td data-head=(lang.began()) { (second(long.began)) }
                    td data-head=(lang.took()) { (ended(lang, long.end)) }
                }
            } }
        }
    }
}

const fn is_long(step: StepName) -> bool {
    matches!(
        step,
        StepName::Install
            | StepName::Copy
            | StepName::Track
            | StepName::Verify
            | StepName::Reread
            | StepName::Soak
            | StepName::Seal
    )
}

fn ended(lang: Lang, end: Option<(Phase, i64)>) -> Markup {
    html! {
        @match end {
            None => { (lang.under_way()) }
            Some((Phase::Failed, us)) => { span .wrong { (lang.failed()) } " · " (lang.length(us)) }
            Some((Phase::Intent | Phase::Done, us)) => { (lang.length(us)) }
        }
    }
}

/// How long the newest holds of all shops were; how many of them are this shop's stands in brackets.
pub fn histogram(lang: Lang, shop: &ShopId, lengths: &[HoldLength]) -> Markup {
    let mut columns = [0_usize; COLUMNS];
    let mut marked = [0_usize; COLUMNS];
    for length in lengths {
        let ms = usize::try_from(length.total_us.max(0) / 1_000).unwrap_or(usize::MAX);
        let column = (ms / COLUMN_MS).min(COLUMNS - 1);
        columns[column] += 1;
        marked[column] += usize::from(length.shop == *shop);
    }
    let highest = columns.iter().copied().max().unwrap_or(0).max(1);
    let mut sorted: Vec<i64> = lengths.iter().map(|length| length.total_us).collect();
    sorted.sort_unstable();
    html! {
        @if lengths.is_empty() { p { (lang.no_holds()) } } @else {
            table .lengths {
                tbody { @for (at, count) in columns.iter().enumerate() {
                    tr {
                        th scope="row" { (from_to(at)) }
                        td { svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                            rect .column x="0" y="0" width=(count * 100 / highest) height="10" {}
                        } }
                        td { (lang.number(*count)) @if marked[at] > 0 { " " span .mine { "(" (lang.number(marked[at])) ")" } } }
                    }
                } }
            }
            p { (summary(lang, lengths, &sorted)) }
            p .quiet { (lang.hold_lengths_says()) }
        }
    }
}

/// The bounds of a column.
fn from_to(column: usize) -> String {
    let from = column * COLUMN_MS;
    if column + 1 == COLUMNS { format!("≥ {from} ms") } else { format!("{from}–{} ms", from + COLUMN_MS) }
}

fn summary(lang: Lang, lengths: &[HoldLength], sorted: &[i64]) -> String {
    let at = |rank: usize| lang.length(sorted.get(rank).copied().unwrap_or(0));
    let (median, longest) = (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
    let (count, aborted) = (lang.number(lengths.len()), lengths.iter().filter(|length| length.aborted).count());
    match lang {
        Lang::En => format!("Holds: {count}, median {median}, longest {longest}, given up {aborted}."),
        Lang::Id => format!("Penahanan: {count}, median {median}, terlama {longest}, dilepas {aborted}."),
    }
}

impl Lang {
    /// What the bar of a hold is drawn against.
    fn against_the_line(self) -> String {
        match self {
            Self::En => {
                format!("Each bar is {HOLD_MS_MAX} ms wide; at the red line, {HOLD_GIVE_UP_MS} ms, a hold is given up.")
            }
            Self::Id => {
                format!(
                    "Lebar tiap batang {HOLD_MS_MAX} ms; pada garis merah, {HOLD_GIVE_UP_MS} ms, penahanan dilepas."
                )
            }
        }
    }

    /// How many writes waited.
    pub fn held(self, writes: i64) -> String {
        match (self, writes) {
            (Self::En, 1) => "1 write held".to_owned(),
            (Self::En, _) => format!("{} writes held", self.number(writes)),
            (Self::Id, _) => format!("{} tulisan ditahan", self.number(writes)),
        }
    }
}
