//! What shoppers waited before, during and after the move of a shop, and how fast its copy may be because of them.

use crate::lang::Lang;
use cutover::latency::Counts;
use cutover::state::When;
use cutover::throttle::{Shown, Why};
use maud::{Markup, html};
use vocab::document::Record;

/// The quantiles shown, in thousandths.
const SHOWN: [(&str, u64); 3] = [("p50", 500), ("p95", 950), ("p99", 990)];

/// What was counted, in the order of [`When::ALL`].
pub struct Waits([Counts; When::ALL.len()]);

impl Waits {
    /// From the note that the mover keeps; empty where it keeps none.
    pub fn of(note: Option<&Record>) -> Self {
        let kept = |when: When| note.and_then(|note| note.text(when.name())).and_then(Counts::from_text);
        Self(When::ALL.map(|when| kept(when).unwrap_or_default()))
    }
}

/// One row for each time of the move of which something is known.
pub fn table(lang: Lang, waits: &Waits) -> Markup {
    let known = || When::ALL.into_iter().zip(&waits.0).filter(|(_, counts)| !counts.is_empty());
    html! {
        @if known().next().is_none() { p { (lang.no_waits()) } } @else {
            table .inputs .waits {
                thead { tr {
                    th scope="col" { (lang.waited_at()) }
                    th scope="col" .number { (lang.requests()) }
                    @for (name, _) in SHOWN { th scope="col" .number { (name) } }
                } }
                tbody { @for (when, counts) in known() {
                    tr data-when=(when.name()) {
                        th scope="row" { (lang.when_name(when)) }
                        td .number { (lang.number(counts.total())) }
                        @for (_, per_mille) in SHOWN { td .number { (quantile(lang, counts, per_mille)) } }
                    }
                } }
            }
            p .quiet { (lang.waits_says()) }
        }
    }
}

fn quantile(lang: Lang, counts: &Counts, per_mille: u64) -> String {
    let us = counts.quantile(per_mille).and_then(|us| i64::try_from(us).ok());
    us.map_or_else(|| "–".to_owned(), |us| lang.length(us))
}

/// How fast the copy may be, and why not faster.
pub fn throttle(lang: Lang, shown: &Shown) -> Markup {
    let us = |us: Option<u64>| us.and_then(|us| i64::try_from(us).ok());
    html! {
        @if shown.why == Why::Paused { (lang.held_back_by(shown.why)) } @else {
            (lang.rows_per_second(shown.rows_per_s)) " · " (lang.held_back_by(shown.why))
            @if let Some((with, without)) = us(shown.p99_us).zip(us(shown.quiet_p99_us)) {
                " · p99 " (lang.length(with)) ", " (lang.without_copy()) " " (lang.length(without))
            }
        }
    }
}

impl Lang {
    const fn when_name(self, when: When) -> &'static str {
        match (self, when) {
            (Self::En, When::Before) => "before",
            (Self::En, When::During) => "during",
            (Self::En, When::After) => "after",
            (Self::Id, When::Before) => "sebelum",
            (Self::Id, When::During) => "selama",
            (Self::Id, When::After) => "sesudah",
        }
    }

    fn rows_per_second(self, rows: u64) -> String {
        match self {
            Self::En => format!("at most {} rows/s", self.number(rows)),
            Self::Id => format!("paling cepat {} baris/dtk", self.number(rows)),
        }
    }

    const fn held_back_by(self, why: Why) -> &'static str {
        match (self, why) {
            (Self::En, Why::Free) => "nobody feels it",
            (Self::En, Why::Shoppers) => "shoppers would wait longer",
            (Self::En, Why::Lag) => "the source's changes come too late",
            (Self::En, Why::Listening) => "silent for a second, to compare",
            (Self::En, Why::Paused) => "paused",
            (Self::Id, Why::Free) => "tidak ada yang terganggu",
            (Self::Id, Why::Shoppers) => "pembeli akan menunggu lebih lama",
            (Self::Id, Why::Lag) => "perubahan sumber datang terlambat",
            (Self::Id, Why::Listening) => "diam sedetik, untuk membandingkan",
            (Self::Id, Why::Paused) => "dijeda",
        }
    }

    const fn without_copy(self) -> &'static str {
        match self {
            Self::En => "without the copy",
            Self::Id => "tanpa penyalinan",
        }
    }
}
