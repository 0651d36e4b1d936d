//! How far the plan is: formula 1 with its inputs, the deadline, and the burn-up with its range.

use crate::figures::minute;
use crate::forecast::{Forecast, Point, burn_up, forecast};
use crate::group::Group;
use crate::lang::Lang;
use crate::picture::Picture;
use cutover::formula::Reading;
use maud::{Markup, html};
use vocab::id::Timestamp;

/// Instants of a forecast move on in steps of this length, so that a page at rest stays at rest.
const NOW_STEP_US: i64 = 10_000_000;
/// The drawing, in units of its own.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 150;
const BASE: i64 = 148;
const TOP: i64 = 16;
/// Points of the drawn line; more would be narrower than a pixel.
const POINTS_MAX: usize = 120;

/// Done and left, large.
pub fn figures(lang: Lang, picture: &Picture) -> Markup {
    let Some(reading) = &picture.reading else { return html! {} };
    let (done, left) = (reading.done.thousandths_down(), reading.left.thousandths_up());
    html! {
        p .figures {
            span .figure .done { strong { (lang.percent(done)) } " " (lang.done()) }
            span .figure .left { strong { (lang.percent(left)) } " " (lang.left()) }
        }
        svg .bar viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect .bar-left x="0" y="0" width="1000" height="14" {}
            rect .bar-done x="0" y="0" width=(done) height="14" {}
        }
        p .quiet { code { (reading.done) } " " (lang.done()) " · " code { (reading.left) } " " (lang.left()) }
        p .quiet {
            (lang.number(picture.reads_moved())) " " (lang.reads_moved()) " · "
            (lang.number(picture.count(Group::Sealed))) " " (lang.shops_sealed())
        }
        (deadline(lang, picture))
    }
}

fn deadline(lang: Lang, picture: &Picture) -> Markup {
    html! {
        p { (lang.deadline()) ": " @match picture.deadline {
            Some(at) => { strong { (minute(at)) } }
            None => { span .quiet { (lang.no_deadline()) } }
        } }
    }
}

/// What the formula is read from, part by part.
pub fn inputs(lang: Lang, reading: &Reading) -> Markup {
    html! {
        table .inputs {
            caption { (lang.formula_inputs()) }
            thead { tr {
                th scope="col" { (lang.part()) }
                th scope="col" .number { (lang.weight()) }
                th scope="col" .number { (lang.done()) }
                th scope="col" .number { (lang.left()) }
            } }
            tbody { @for count in &reading.parts {
                tr {
                    th scope="row" { (lang.part_name(count.part)) }
                    td .number { (lang.weight_of(count.weight_bp)) }
                    td .number { (lang.number(count.done)) }
                    td .number { (lang.number(count.left)) }
                }
            } }
        }
    }
}

/// The burn-up and its range in words and as a drawing.
pub fn burn_up_panel(lang: Lang, picture: &Picture, now: Timestamp) -> Markup {
    let now = Timestamp(now.0 - now.0.rem_euclid(NOW_STEP_US));
    // What has happened is not ahead of now, however coarse that is.
    let now = picture.flips.last().map_or(now, |newest| now.max(newest.at));
    let total = i64::try_from(picture.rows.len()).unwrap_or(i64::MAX);
    let expected = forecast(&picture.flips, total, now);
    html! {
        (drawing(lang, picture, expected, now))
        p { (said(lang, expected)) }
        @if matches!(expected, Forecast::Between { .. }) { p .quiet { (lang.pace_says()) } }
    }
}

fn said(lang: Lang, expected: Forecast) -> String {
    match (lang, expected) {
        (_, Forecast::TooEarly) => lang.too_early().to_owned(),
        (_, Forecast::Done) => lang.all_moved().to_owned(),
        (Lang::En, Forecast::Between { early, late: Some(late) }) => {
            format!("The last shop moves between {} and {}.", minute(early), minute(late))
        }
        (Lang::En, Forecast::Between { early, late: None }) => {
            format!(
                "The last shop moves at {} at the earliest; in its slowest quarter this move stood still.",
                minute(early)
            )
        }
        (Lang::Id, Forecast::Between { early, late: Some(late) }) => {
            format!("Toko terakhir pindah antara {} dan {}.", minute(early), minute(late))
        }
        (Lang::Id, Forecast::Between { early, late: None }) => {
            format!(
                "Toko terakhir pindah paling cepat {}; di seperempat terlambatnya pemindahan ini diam.",
                minute(early)
            )
        }
    }
}

/// Maps instants and counts onto the drawing.
struct Scale {
    from: i64,
    to: i64,
    total: i64,
}

impl Scale {
    fn x(&self, at: Timestamp) -> i64 {
        let part = i128::from(at.0.clamp(self.from, self.to) - self.from) * i128::from(WIDTH);
        i64::try_from(part / i128::from((self.to - self.from).max(1))).unwrap_or(0)
    }

    fn y(&self, moved: i64) -> i64 {
        BASE - moved.clamp(0, self.total) * (BASE - TOP) / self.total.max(1)
    }
}

fn drawing(lang: Lang, picture: &Picture, expected: Forecast, now: Timestamp) -> Markup {
    let points = burn_up(&picture.flips);
    let total = i64::try_from(picture.rows.len()).unwrap_or(i64::MAX);
    let from = points.first().map_or(picture.created_at, |first| first.at.min(now));
    let ahead = match expected {
        Forecast::Between { early, late } => late.unwrap_or(early),
        Forecast::TooEarly | Forecast::Done => now,
    };
    // A far end of the range or a far deadline may not press the past into a line.
    let span = (now.0 - from.0).max(60_000_000);
    let far = now.0.saturating_add(span.saturating_mul(3));
    let to = ahead.max(picture.deadline.unwrap_or(now)).0.clamp(now.0, far).max(from.0 + span / 10);
    let scale = Scale { from: from.0, to, total };
    let moved = points.last().map_or(0, |point| point.moved);
    let label = format!("{}: {} / {}", lang.burn_up(), lang.number(moved), lang.number(total));
    html! {
        svg .burn-up viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(label) {
            line .goal x1="0" y1=(TOP) x2=(WIDTH) y2=(TOP) {}
            @if let Forecast::Between { early, late } = expected {
                polygon .range points=(range(&scale, now, moved, early, late)) {}
            }
            path .moved d=(line(&scale, &points, now)) {}
            @if let Some(at) = picture.deadline {
                line .deadline x1=(scale.x(at)) y1=(TOP - 8) x2=(scale.x(at)) y2=(BASE) {}
            }
            line .now x1=(scale.x(now)) y1=(TOP) x2=(scale.x(now)) y2=(BASE) {}
        }
        p .ends {
            span { (minute(from)) }
            span { strong { (lang.number(moved)) } " / " (lang.number(total)) }
            span { (minute(Timestamp(to))) }
        }
    }
}

/// Between the fastest and the slowest quarter, from where the plan stands now.
fn range(scale: &Scale, now: Timestamp, moved: i64, early: Timestamp, late: Option<Timestamp>) -> String {
    let (x, y) = (scale.x(now), scale.y(moved));
    let end = match late {
        Some(late) => format!("{},{TOP}", scale.x(late)),
        // It stood still once: it may go on to stand still.
        None => format!("{WIDTH},{TOP} {WIDTH},{y}"),
    };
    format!("{x},{y} {},{TOP} {end}", scale.x(early))
}

/// A staircase: nothing moves between two flips.
fn line(scale: &Scale, points: &[Point], now: Timestamp) -> String {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let mut path = format!("M0 {}", scale.y(0));
    for (_, point) in points.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last) {
        path.push_str(&format!("H{}V{}", scale.x(point.at), scale.y(point.moved)));
    }
    path.push_str(&format!("H{}", scale.x(now)));
    path
}
