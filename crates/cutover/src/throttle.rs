//! How fast the copy may be, decided by how long shoppers wait: a rate in rows per second that rises by steps and halves.
//!
//! The gateway counts every answer. What was waited while the copy worked is compared with what the same shoppers waited
//! while it did not, and where no pause comes by itself, the copy is made silent for a second now and then (*listening*). So
//! what the copy does to shoppers never becomes what is taken for normal, while the change from night to day does.
//!
//! Invariants: the rate lies between [`THROTTLE_ROWS_MIN`] and [`THROTTLE_ROWS_MAX`], so the copy always ends. It falls where
//! two windows in a row were worse than chance explains, and every other window in which it was used raises it, so noise
//! alone does not hold it down. Where nobody came it is the highest, until somebody does: then it begins anew, and listens.
//! What a turn did not use is given back.
//! Absent on purpose: clocks (instants come in), waiting, and whatever is not throttled: capture, what shoppers change while
//! the copy runs, holds, the way back.

use crate::bounds::{
    THROTTLE_FEW, THROTTLE_LAG_MS, THROTTLE_LISTEN_EVERY_MS, THROTTLE_LISTEN_MAX_MS, THROTTLE_LISTEN_MS, THROTTLE_MANY,
    THROTTLE_P95_LIMIT, THROTTLE_P99_LIMIT, THROTTLE_QUIET_KEPT, THROTTLE_ROWS_FIRST, THROTTLE_ROWS_MAX,
    THROTTLE_ROWS_MIN, THROTTLE_SETTLE_MS, THROTTLE_WINDOW_MAX_MS, THROTTLE_WINDOW_MS,
};
use crate::latency::Counts;
use std::collections::VecDeque;

/// A piece of work lasts about so long at the rate allowed: one part in so many of a second.
const PIECES: u64 = 20;
/// Rows of a piece.
const PIECE_MIN: u64 = 100;
const PIECE_MAX: u64 = 10_000;
/// A step is one part in so many of the rate to which it fell: after as many windows it is where it was.
const STEPS: u64 = 16;
/// The same before it ever fell: it begins low, and nobody has been hurt yet.
const FIRST_STEPS: u64 = 8;

/// What was seen since the tick before.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// How long shoppers waited, over all shops; none where nobody could be asked.
    pub answers: Option<Counts>,
    /// The copy worked, if only for a part of it.
    pub worked: bool,
    /// How far the stream of the source's changes is behind; none before it is known.
    pub lag_ms: Option<u32>,
}

/// What keeps the copy from being as fast as it could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing does.
    Free,
    /// Shoppers waited longer than without it.
    Shoppers,
    /// The source's changes are staged too late.
    Lag,
    /// It is silent, to learn what shoppers wait without it.
    Listening,
    /// A person has paused it.
    Paused,
}

impl Why {
    pub const ALL: [Self; 5] = [Self::Free, Self::Shoppers, Self::Lag, Self::Listening, Self::Paused];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Shoppers => "shoppers",
            Self::Lag => "lag",
            Self::Listening => "listening",
            Self::Paused => "paused",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }
}

/// What others may see of the throttle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub rows_per_s: u64,
    pub why: Why,
    /// The p99 that shoppers waited in the newest window with the copy, and in those without, in microseconds.
    pub p99_us: Option<u64>,
    pub quiet_p99_us: Option<u64>,
}

/// Whether a piece of work may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes, so many rows of it. They are charged.
    Now { rows: u64 },
    /// Ask again after so many microseconds.
    In { us: u64 },
    /// Ask again after the next tick.
    Later,
}

/// The throttle of all copies of a mover: one, because they share the machines.
#[derive(Debug)]
pub struct Throttle {
    rows_per_s: u64,
    /// What a window without harm adds; more of them in a row than [`STEPS`] add more and more.
    step: u64,
    harmless: u64,
    /// The window before was worse than chance explains.
    accused: bool,
    /// The rate is the highest because nobody came.
    for_nobody: bool,
    /// When somebody was last answered.
    came_at_ms: Option<u64>,
    why: Why,
    with: Window,
    without: Window,
    /// What shoppers waited in the newest windows without the copy.
    quiet: VecDeque<Counts>,
    listens_since_ms: Option<u64>,
    /// How long the copy worked since shoppers were heard without it.
    unheard_ms: u64,
    ticked_at_ms: u64,
    worked_at_ms: Option<u64>,
    last_p99_us: Option<u64>,
    /// When the next piece may begin, in microseconds.
    free_at_us: u64,
}

#[derive(Debug, Default)]
struct Window {
    answers: Counts,
    lasted_ms: u64,
    rows: u64,
    lag_ms: u32,
}

impl Throttle {
    pub fn new(now_ms: u64) -> Self {
        Self {
            rows_per_s: THROTTLE_ROWS_FIRST,
            step: THROTTLE_ROWS_FIRST / FIRST_STEPS,
            harmless: STEPS,
            accused: false,
            for_nobody: false,
            came_at_ms: None,
            why: Why::Free,
            with: Window::default(),
            without: Window::default(),
            quiet: VecDeque::new(),
            listens_since_ms: None,
            unheard_ms: THROTTLE_LISTEN_EVERY_MS,
            ticked_at_ms: now_ms,
            worked_at_ms: None,
            last_p99_us: None,
            free_at_us: 0,
        }
    }

    /// Asks for a turn of at most so many rows. Whoever is told `Now` works, and corrects what it was charged by
    /// [`Throttle::charge`].
    pub fn ask(&mut self, now_us: u64, rows_max: u64) -> Turn {
        if self.listens_since_ms.is_none() && self.unheard_ms >= THROTTLE_LISTEN_EVERY_MS && !self.is_nobody() {
            self.listens_since_ms = Some(now_us / 1_000);
            self.without = Window::default();
        }
        if self.listens_since_ms.is_some() {
            return Turn::Later;
        }
        if now_us < self.free_at_us {
            return Turn::In { us: self.free_at_us - now_us };
        }
        let rows = (self.rows_per_s / PIECES).clamp(PIECE_MIN, PIECE_MAX).min(rows_max);
        self.free_at_us = now_us;
        self.charge(0, rows);
        Turn::Now { rows }
    }

    /// So many rows were charged; it came to so many.
    pub fn charge(&mut self, charged: u64, rows: u64) {
        let us = |rows: u64| rows * 1_000_000 / self.rows_per_s;
        self.free_at_us = (self.free_at_us + us(rows)).saturating_sub(us(charged));
        self.with.rows = (self.with.rows + rows).saturating_sub(charged);
    }

    /// Takes in what was seen since the tick before; every [`THROTTLE_TICK_MS`](crate::bounds::THROTTLE_TICK_MS).
    pub fn tick(&mut self, now_ms: u64, tick: &Tick) {
        let lasted_ms = now_ms.saturating_sub(self.ticked_at_ms);
        self.ticked_at_ms = now_ms;
        self.worked_at_ms = if tick.worked { Some(now_ms) } else { self.worked_at_ms };
        self.unheard_ms += if tick.worked { lasted_ms } else { 0 };
        if tick.answers.as_ref().is_some_and(|answers| !answers.is_empty()) {
            self.came_at_ms = Some(now_ms);
        }
        match &tick.answers {
            // What nobody tells is neither long nor short.
            None => (self.with, self.without) = (Window::default(), Window::default()),
            Some(answers) if tick.worked => {
                let came = self.for_nobody && !answers.is_empty();
                self.with.add(answers, tick.lag_ms, lasted_ms);
                if came {
                    self.begin_anew();
                } else if self.is_told() {
                    self.judge();
                }
            }
            Some(answers) => {
                let settled = |at| now_ms.saturating_sub(at) >= THROTTLE_SETTLE_MS;
                if self.worked_at_ms.is_none_or(settled) {
                    self.without.add(answers, tick.lag_ms, lasted_ms);
                    if self.without.lasted_ms >= THROTTLE_LISTEN_MS {
                        self.heard();
                    }
                }
            }
        }
        // Work that was begun before may go on for ever; the copy does not wait for its end.
        if self.listens_since_ms.is_some_and(|since| now_ms.saturating_sub(since) >= THROTTLE_LISTEN_MAX_MS) {
            self.listens_since_ms = None;
            self.unheard_ms = 0;
        }
    }

    pub fn shown(&self) -> Shown {
        Shown {
            rows_per_s: self.rows_per_s,
            why: if self.listens_since_ms.is_some() { Why::Listening } else { self.why },
            p99_us: self.last_p99_us,
            quiet_p99_us: self.baseline().quantile(990),
        }
    }

    /// The newest windows without the copy, together.
    fn baseline(&self) -> Counts {
        let mut all = Counts::default();
        self.quiet.iter().for_each(|window| all.add(window));
        all
    }

    /// Somebody has come who was not there before: of them nothing is known, so they are heard first.
    fn begin_anew(&mut self) {
        self.for_nobody = false;
        self.rows_per_s = THROTTLE_ROWS_FIRST;
        self.with = Window::default();
        self.quiet.clear();
        self.unheard_ms = THROTTLE_LISTEN_EVERY_MS;
    }

    /// A window without the copy has ended.
    fn heard(&mut self) {
        if self.quiet.len() >= THROTTLE_QUIET_KEPT {
            self.quiet.pop_front();
        }
        self.quiet.push_back(std::mem::take(&mut self.without).answers);
        self.listens_since_ms = None;
        self.unheard_ms = 0;
    }

    /// Whether the window with the copy says something. Where nobody comes, that is soon known; where those who came before
    /// get no answer, it is not.
    fn is_told(&self) -> bool {
        let answers = self.with.answers.total();
        let soon = answers >= THROTTLE_MANY || self.with.lag_ms > THROTTLE_LAG_MS || self.is_nobody();
        self.with.lasted_ms >= THROTTLE_WINDOW_MS && soon
            || self.with.lasted_ms >= THROTTLE_WINDOW_MAX_MS && answers >= THROTTLE_FEW
    }

    /// Nobody came, neither with the copy nor without it, and not for a while.
    fn is_nobody(&self) -> bool {
        let away = |at| self.ticked_at_ms.saturating_sub(at) >= THROTTLE_LISTEN_EVERY_MS;
        let silent = !self.quiet.is_empty() && self.quiet.iter().all(Counts::is_empty);
        silent && self.with.answers.is_empty() && self.came_at_ms.is_none_or(away)
    }

    /// A window with the copy has ended: faster or slower?
    fn judge(&mut self) {
        let nobody = self.is_nobody();
        let window = std::mem::take(&mut self.with);
        if window.rows == 0 {
            // Something else worked, that takes no turns.
            return;
        }
        self.last_p99_us = window.answers.quantile(990);
        let used = window.rows * 1_000 / window.lasted_ms.max(1);
        let baseline = self.baseline();
        let hurts = hurts(&window.answers, &baseline);
        if hurts || window.lag_ms > THROTTLE_LAG_MS {
            self.why = if hurts { Why::Shoppers } else { Why::Lag };
            self.harmless = 0;
            if std::mem::replace(&mut self.accused, true) {
                self.rows_per_s = (self.rows_per_s.min(used) / 2).max(THROTTLE_ROWS_MIN);
                self.step = (self.rows_per_s / STEPS).max(1);
            }
            return;
        }
        self.accused = false;
        self.why = Why::Free;
        if baseline.is_empty() {
            // With nobody there, nobody is in the way.
            self.for_nobody = nobody;
            self.rows_per_s = if self.for_nobody { THROTTLE_ROWS_MAX } else { THROTTLE_ROWS_FIRST };
            if !self.for_nobody && !self.quiet.is_empty() {
                self.unheard_ms = THROTTLE_LISTEN_EVERY_MS;
            }
        } else if 2 * used >= self.rows_per_s {
            // What is not used up says nothing about more.
            self.harmless += 1;
            let risen = self.rows_per_s + self.step * self.harmless.saturating_sub(STEPS).max(1);
            self.rows_per_s = risen.min(THROTTLE_ROWS_MAX);
        }
    }
}

impl Window {
    fn add(&mut self, answers: &Counts, lag_ms: Option<u32>, lasted_ms: u64) {
        self.answers.add(answers);
        self.lasted_ms += lasted_ms;
        self.lag_ms = self.lag_ms.max(lag_ms.unwrap_or(0));
    }
}

/// Whether shoppers waited longer than they do without the copy, beyond the limits and beyond chance.
fn hurts(with: &Counts, without: &Counts) -> bool {
    [(950, THROTTLE_P95_LIMIT), (990, THROTTLE_P99_LIMIT)].into_iter().any(|(per_mille, limit)| {
        without.quantile(per_mille).is_some_and(|us| {
            let longer = with.longer_than(us * limit / 1_000);
            is_more_than_chance(longer, with.total(), without.total(), 1_000 - per_mille)
        })
    })
}

/// Whether so many of `many` are more than `tail` thousandths by two standard errors, where that tail was itself measured
/// on `of` others: more than `tail/1000 + 2 sqrt(tail/1000 (1/many + 1/of))`, squared so that it is whole numbers.
fn is_more_than_chance(so_many: u64, many: u64, of: u64, tail: u64) -> bool {
    let Some(above) = (1_000 * so_many).checked_sub(tail * many) else { return false };
    let (above, many, of, tail) = (u128::from(above), u128::from(many), u128::from(of), u128::from(tail));
    above * above * of > 4_000 * tail * many * (many + of)
}
