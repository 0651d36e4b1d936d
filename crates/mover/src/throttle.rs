//! The copy in turns: its pieces wait here until `cutover` says that shoppers do not feel them.
//!
//! What waits: pieces of the copy, pages of the first derivation of what was copied and of the full verification before
//! READY. What never waits: capture, whatever shoppers change meanwhile, anything inside a hold, the way back. All shops that
//! are copied share one throttle and take turns in the order in which they asked.
//! Invariant: whoever waits for a turn holds nothing of the source for longer than it would without; and what a turn did not
//! use, or was dropped with, is given back.
//! Absent on purpose: the decision how fast; that is [`cutover::throttle`].

use crate::context::Context;
use crate::drive::Board;
use crate::error::{Error, Result};
use crate::observe;
use crate::waits;
use cutover::bounds::THROTTLE_TICK_MS;
use cutover::latency::Counts;
use cutover::next::Wishes;
use cutover::throttle::{Shown, Tick, Turn as Answer, Why};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::MissedTickBehavior;
use vocab::id::ShopId;

const TICK: Duration = Duration::from_millis(THROTTLE_TICK_MS);

/// How long a gateway may take to say what it counted.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How often a step that works or waits looks whether its shop was stopped.
const STOPPED: Duration = Duration::from_millis(500);

/// What an aggregate costs, derived or verified, as rows of the copy.
const AGGREGATE: u64 = 10;

/// The throttle of a mover.
pub(crate) struct Throttle {
    began: Instant,
    rule: Mutex<cutover::throttle::Throttle>,
    /// Whoever has it asks; the others wait in their order.
    line: Semaphore,
    /// A tick has passed, or something was given back.
    changed: Notify,
    /// Pieces that are worked on now, and whether one ended since the tick before.
    working: AtomicUsize,
    worked: AtomicBool,
    /// The shops whose long steps take turns here.
    paced: Mutex<BTreeMap<ShopId, Paced>>,
    /// An operator has turned it off.
    off: bool,
}

#[derive(Default)]
struct Paced {
    /// Of one shop; one that failed may be gone later than the next one has begun.
    steps: usize,
    /// A person has paused it.
    paused: bool,
}

impl Throttle {
    pub(crate) fn new(off: bool) -> Self {
        Self {
            began: Instant::now(),
            rule: Mutex::new(cutover::throttle::Throttle::new(0)),
            line: Semaphore::new(1),
            changed: Notify::new(),
            working: AtomicUsize::new(0),
            worked: AtomicBool::new(false),
            paced: Mutex::new(BTreeMap::new()),
            off,
        }
    }

    /// What is to be seen of it at a shop; none where nothing of the shop takes turns now.
    pub(crate) fn shown(&self, shop: &ShopId) -> Option<Shown> {
        let paused = lock(&self.paced).get(shop)?.paused;
        let shown = lock(&self.rule).shown();
        let why = if paused { Why::Paused } else { shown.why };
        (!self.off || paused).then_some(Shown { why, ..shown })
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Takes in what shoppers waited since the tick before.
    fn tick(&self, answers: Option<Counts>, lag_ms: Option<u32>) {
        let ended = self.worked.swap(false, Ordering::AcqRel);
        let worked = ended || self.working.load(Ordering::Acquire) > 0;
        lock(&self.rule).tick(self.now_us() / 1_000, &Tick { answers, worked, lag_ms });
        self.changed.notify_waiters();
    }

    /// Waits for the next turn; returns the rows that it may be for, which are charged.
    async fn wait(&self, rows_max: u64) -> u64 {
        let _first = self.line.acquire().await;
        loop {
            let changed = self.changed.notified();
            let answer = lock(&self.rule).ask(self.now_us(), rows_max);
            match answer {
                Answer::Now { rows } => return rows,
                // Something given back may bring it nearer.
                Answer::In { us } => _ = tokio::time::timeout(Duration::from_micros(us), changed).await,
                Answer::Later => changed.await,
            }
        }
    }
}

/// Tells the throttle, for ever, what shoppers waited; and from time to time keeps what those of each shop did.
pub(crate) async fn watch(cx: &Context, board: &Board) -> Result<()> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // A gateway that does not answer makes nobody wait for a turn, and is not one that nobody comes to.
        let answers = tokio::time::timeout(ANSWER_MAX, cx.links.waits()).await.ok().flatten();
        cx.throttle.tick(answers, cx.stream.lag().0);
        for (shop, when) in cx.waits.due(board) {
            let waits = cx.links.waits_of(&shop).await.unwrap_or_default();
            waits::keep(cx, &shop, when, &waits).await?;
        }
    }
}

/// How one long step of one shop takes its turns.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Step>);

struct Step {
    throttle: Arc<Throttle>,
    shop: ShopId,
    /// None: it takes no turns.
    turns: Option<Turns>,
    /// While it works, what shoppers wait is not what they wait without a copy.
    is_felt: bool,
}

/// What whoever takes turns heeds.
struct Turns {
    wishes: watch::Receiver<Wishes>,
    /// Asked whether the shop was stopped; none in tests of turns alone.
    cx: Option<Context>,
    asked: Mutex<Instant>,
}

impl Pace {
    /// Takes turns, and none while the shop is paused.
    pub(crate) fn in_turns(cx: &Context, shop: &ShopId, wishes: watch::Receiver<Wishes>) -> Self {
        let turns = Turns { wishes, cx: Some(cx.clone()), asked: Mutex::new(Instant::now()) };
        Self::new(&cx.throttle, shop, Some(turns), true)
    }

    /// Takes none, and waits for nobody: work as large as a shop that cannot be slowed down.
    pub(crate) fn at_once(cx: &Context, shop: &ShopId) -> Self {
        Self::new(&cx.throttle, shop, None, true)
    }

    /// Takes none, and is no work of a copy: what shoppers change, as long as shops are followed.
    pub(crate) fn aside(cx: &Context, shop: &ShopId) -> Self {
        Self::new(&cx.throttle, shop, None, false)
    }

    fn new(throttle: &Arc<Throttle>, shop: &ShopId, turns: Option<Turns>, is_felt: bool) -> Self {
        if turns.is_some() {
            lock(&throttle.paced).entry(shop.clone()).or_default().steps += 1;
        }
        Self(Arc::new(Step { throttle: throttle.clone(), shop: shop.clone(), turns, is_felt }))
    }

    /// Waits until a piece of at most so many rows may begin; a pause is waited for first.
    ///
    /// # Errors
    /// `Stopped` where a finding has stopped the shop: its step ends, and is not waited for any more.
    pub(crate) async fn rows(&self, rows_max: u32) -> Result<Turn> {
        let (throttle, rows_max) = (self.0.throttle.clone(), u64::from(rows_max));
        let mut charged = None;
        if let Some(turns) = &self.0.turns {
            let waits = async {
                self.unpaused(turns.wishes.clone()).await;
                if throttle.off { None } else { Some(throttle.wait(rows_max).await) }
            };
            tokio::pin!(waits);
            charged = loop {
                turns.heed_stop(&self.0.shop).await?;
                if let Ok(charged) = tokio::time::timeout(STOPPED, &mut waits).await {
                    break charged;
                }
            };
        }
        let is_felt = self.0.is_felt;
        if is_felt {
            throttle.working.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Turn { throttle, rows: charged.unwrap_or(rows_max), charged: charged.unwrap_or(0), used: 0, is_felt })
    }

    /// The same for aggregates.
    pub(crate) async fn aggregates(&self, most: u32) -> Result<Turn> {
        self.rows(most.saturating_mul(u32::try_from(AGGREGATE).unwrap_or(u32::MAX))).await
    }

    /// A pause ends with the wish, or with whoever could wish.
    async fn unpaused(&self, mut wishes: watch::Receiver<Wishes>) {
        let pause = wishes.borrow().pause;
        self.show_paused(pause);
        if pause {
            let _ = wishes.wait_for(|wishes| !wishes.pause).await;
            self.show_paused(false);
        }
    }

    fn show_paused(&self, paused: bool) {
        if let Some(paced) = lock(&self.0.throttle.paced).get_mut(&self.0.shop) {
            paced.paused = paused;
        }
    }
}

impl Turns {
    /// Looks now and then: the driver does not, while its step is under way.
    async fn heed_stop(&self, shop: &ShopId) -> Result<()> {
        let Some(cx) = &self.cx else { return Ok(()) };
        let due = {
            let mut asked = lock(&self.asked);
            let due = asked.elapsed() >= STOPPED;
            if due {
                *asked = Instant::now();
            }
            due
        };
        if due && observe::is_stopped(cx, shop).await? { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.turns.is_none() {
            return;
        }
        let mut paced = lock(&self.throttle.paced);
        if let Some(of) = paced.get_mut(&self.shop) {
            of.steps = of.steps.saturating_sub(1);
            if of.steps == 0 {
                paced.remove(&self.shop);
            }
        }
    }
}

/// A piece of work that has its turn, until this is dropped.
pub(crate) struct Turn {
    throttle: Arc<Throttle>,
    rows: u64,
    charged: u64,
    used: u64,
    is_felt: bool,
}

impl Turn {
    /// How many rows it may be.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.rows).unwrap_or(u32::MAX)
    }

    /// How many aggregates it may be, one at least.
    pub(crate) fn aggregates(&self) -> usize {
        usize::try_from(self.rows / AGGREGATE).unwrap_or(usize::MAX).max(1)
    }

    /// It came to so many rows.
    pub(crate) fn used(&mut self, rows: usize) {
        self.used = u64::try_from(rows).unwrap_or(u64::MAX);
    }

    pub(crate) fn used_aggregates(&mut self, many: usize) {
        self.used(many.saturating_mul(usize::try_from(AGGREGATE).unwrap_or(usize::MAX)));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.charged > 0 {
            lock(&self.throttle.rule).charge(self.charged, self.used);
            self.throttle.changed.notify_waiters();
        }
        if self.is_felt {
            self.throttle.worked.store(true, Ordering::Release);
            self.throttle.working.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);
    /// What a turn may be for at the first rate is a twentieth of a second's work.
    const TURNS: u32 = 2_000;

    /// A throttle that has heard for a second what shoppers wait.
    fn heard() -> Arc<Throttle> {
        let began = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let throttle = Throttle { began, ..Throttle::new(false) };
        throttle.tick(Some(Counts::default()), None);
        Arc::new(throttle)
    }

    fn pace(throttle: &Arc<Throttle>, wishes: &watch::Sender<Wishes>) -> Pace {
        let turns = Turns { wishes: wishes.subscribe(), cx: None, asked: Mutex::new(Instant::now()) };
        Pace::new(throttle, &ShopId::parse("7").unwrap(), Some(turns), true)
    }

    #[tokio::test]
    async fn a_turn_that_is_dropped_gives_back_what_it_did_not_use() {
        let (throttle, wishes) = (heard(), watch::Sender::new(Wishes::default()));
        let pace = pace(&throttle, &wishes);
        let turns = async {
            for _ in 0..TURNS {
                let turn = pace.rows(u32::MAX).await.unwrap();
                assert!(turn.rows() > 0 && turn.aggregates() > 0);
            }
        };
        // Charged, they would take a minute and a half.
        tokio::time::timeout(PATIENCE, turns).await.unwrap();
    }

    #[tokio::test]
    async fn what_takes_no_turns_waits_for_none_and_is_no_silence() {
        let (throttle, wishes) = (heard(), watch::Sender::new(Wishes::default()));
        let _line = throttle.line.acquire().await.unwrap();
        let shop = ShopId::parse("8").unwrap();
        let turn =
            tokio::time::timeout(PATIENCE, Pace::new(&throttle, &shop, None, true).rows(500)).await.unwrap().unwrap();
        assert_eq!((turn.rows(), throttle.working.load(Ordering::Acquire)), (500, 1));
        assert!(throttle.shown(&shop).is_none());
        // What shoppers change all the time is no work of a copy.
        let aside = Pace::new(&throttle, &shop, None, false).rows(500).await.unwrap();
        assert_eq!((aside.rows(), throttle.working.load(Ordering::Acquire)), (500, 1));
        drop(aside);
        assert!(!throttle.worked.load(Ordering::Acquire));
        // One that takes turns is not let through, and gone it leaves nothing behind.
        let paced = pace(&throttle, &wishes);
        assert!(tokio::time::timeout(Duration::from_millis(1), paced.rows(500)).await.is_err());
        drop(turn);
        assert_eq!(throttle.working.load(Ordering::Acquire), 0);
        assert!(throttle.shown(&ShopId::parse("7").unwrap()).is_some());
        drop(paced);
        assert!(throttle.shown(&ShopId::parse("7").unwrap()).is_none());
    }

    #[tokio::test]
    async fn whoever_leaves_the_line_lets_the_next_one_through() {
        let (throttle, wishes) = (heard(), watch::Sender::new(Wishes::default()));
        let (first, second) = (pace(&throttle, &wishes), pace(&throttle, &wishes));
        let mut turn = first.rows(u32::MAX).await.unwrap();
        turn.used(1_000_000);
        drop(turn);
        // It waits for a minute, and is given up.
        assert!(tokio::time::timeout(Duration::from_millis(1), first.rows(u32::MAX)).await.is_err());
        lock(&throttle.rule).charge(1_000_000, 0);
        tokio::time::timeout(PATIENCE, second.rows(u32::MAX)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_paused_shop_takes_no_turn_and_says_so() {
        let (throttle, wishes) = (heard(), watch::Sender::new(Wishes { pause: true, ..Wishes::default() }));
        let pace = pace(&throttle, &wishes);
        let why = || throttle.shown(&ShopId::parse("7").unwrap()).map(|shown| shown.why);
        let resume = async {
            while why() != Some(Why::Paused) {
                tokio::task::yield_now().await;
            }
            wishes.send_replace(Wishes::default());
        };
        let both = async { tokio::join!(pace.rows(500), resume) };
        let (turn, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
        assert_eq!(turn.unwrap().rows(), 200);
        assert_ne!(why(), Some(Why::Paused));
    }
}
