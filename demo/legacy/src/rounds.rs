//! Rounds: every pesanan that is not done is looked at again and again, each at its own pace.
//!
//! Nothing that is needed is remembered here: a process that begins anew looks at all of them. Those that are done are looked
//! at too, in their turn, so that nothing is forgotten that came with its shop from somewhere else; and a shop whose rows are
//! not ours to write is left alone.

mod due;
mod rest;

use crate::cashier::Cashier;
use crate::pesanan::{Fate, Pesanan};
use crate::wire::Stop;
use due::{Found, Place};
use jiff::Timestamp;
use rest::Rests;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

const LOOK_EVERY: Duration = Duration::from_millis(200);
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// Somebody else may have written.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// At a time.
const UNDER_WAY_MAX: usize = 32;

/// When each is looked at again, and when its tries were asked about; and which shops are left alone.
#[derive(Default)]
pub struct Rounds {
    turns: Mutex<BTreeMap<i64, Turn>>,
    rests: Mutex<Rests>,
}

struct Turn {
    next: Instant,
    back_off: Duration,
    /// As it stood when it was looked at: who finds it otherwise does not wait.
    changed: String,
    asked: BTreeMap<i64, Timestamp>,
    is_under_way: bool,
}

impl Turn {
    fn new() -> Self {
        let (next, changed) = (Instant::now(), String::new());
        Self { next, back_off: BACK_OFF_MIN, changed, asked: BTreeMap::new(), is_under_way: false }
    }
}

impl Rounds {
    fn turns(&self) -> MutexGuard<'_, BTreeMap<i64, Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write of the shop was committed.
    pub fn ours(&self, shop: i64) {
        self.rests().ours(shop);
    }

    /// A guard has refused a write of the shop.
    pub fn not_ours(&self, shop: i64) {
        self.rests().not_ours(shop, Instant::now());
    }

    /// Somebody asks for the shop here.
    pub fn asked_for(&self, shop: i64) {
        self.rests().asked_for(shop, Instant::now());
    }

    /// A look at one of the shop has ended. Where no guard spoke, it may not have told anything.
    fn told_nothing(&self, shop: i64) {
        self.rests().told_nothing(shop, Instant::now());
    }

    /// It is looked at in the next round.
    pub fn soon(&self, id: i64) {
        if let Some(turn) = self.turns().get_mut(&id) {
            (turn.next, turn.back_off) = (Instant::now(), BACK_OFF_MIN);
        }
    }

    /// The provider was asked about a try.
    pub fn asked(&self, id: i64, number: i64, at: Timestamp) {
        self.turns().entry(id).or_insert_with(Turn::new).asked.insert(number, at);
    }

    fn asked_at(&self, id: i64, number: i64) -> Option<Timestamp> {
        self.turns().get(&id)?.asked.get(&number).copied()
    }

    /// Whether it is due; then it is under way.
    fn take(&self, it: &Found) -> bool {
        let now = Instant::now();
        let mut turns = self.turns();
        let turn = turns.get(&it.id);
        let is_due = |turn: &Turn| !turn.is_under_way && (turn.next <= now || turn.changed != it.changed);
        let due = turn.is_none_or(is_due) && self.rests().may_look(it.shop, now);
        if due {
            turns.entry(it.id).or_insert_with(Turn::new).is_under_way = true;
        }
        due
    }

    fn note(&self, id: i64, looked: &Looked) {
        let mut turns = self.turns();
        let turn = turns.entry(id).or_insert_with(Turn::new);
        let now = Instant::now();
        match looked {
            Looked::Done => {
                turns.remove(&id);
            }
            Looked::Quiet { changed, wake_in } => {
                (turn.next, turn.back_off) = (now + *wake_in, BACK_OFF_MIN);
                turn.changed.clone_from(changed);
            }
            Looked::Acted { changed, progress } => {
                turn.back_off = if *progress { BACK_OFF_MIN } else { turn.back_off };
                turn.next = now + turn.back_off;
                turn.back_off = if *progress { BACK_OFF_MIN } else { (turn.back_off * 2).min(BACK_OFF_MAX) };
                turn.changed.clone_from(changed);
            }
        }
    }
}

/// What a look came to.
enum Looked {
    /// Nothing is to be done about it any more.
    Done,
    Quiet {
        changed: String,
        wake_in: Duration,
    },
    Acted {
        changed: String,
        progress: bool,
    },
}

/// Gives the turn back, however the look ends.
struct UnderWay(Cashier, i64);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(turn) = self.0.rounds().turns().get_mut(&self.1) {
            turn.is_under_way = false;
        }
    }
}

impl Cashier {
    /// Makes rounds, for ever.
    pub async fn work(self) {
        let mut under_way = JoinSet::new();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut place, mut others_first) = (Place::default(), false);
        loop {
            ticks.tick().await;
            while under_way.try_join_next().is_some() {}
            let (from, grace_s) = (place.clone(), self.grace_s());
            let found = self.database().read(move |tx| Ok(from.look(tx, Timestamp::now(), grace_s)?)).await;
            let due = match found {
                Ok(due) => due,
                Err(stop) => {
                    self.complain(&stop);
                    continue;
                }
            };
            // Neither keeps the other from its turn.
            others_first = !others_first;
            if others_first {
                self.begin_looks(&mut under_way, &due.others);
            }
            let waits = self.begin_looks(&mut under_way, &due.open);
            if !others_first {
                self.begin_looks(&mut under_way, &due.others);
            }
            place = due.next.waited_for_by(waits);
        }
    }

    /// Looks at those that are due, as far as there is room. The first that has to wait for its turn.
    fn begin_looks(&self, under_way: &mut JoinSet<()>, found: &[Found]) -> Option<i64> {
        for it in found {
            if under_way.len() >= UNDER_WAY_MAX {
                return Some(it.id);
            }
            if self.rounds().take(it) {
                under_way.spawn(self.clone().tend(it.id, it.shop, it.changed.clone()));
            }
        }
        None
    }

    async fn tend(self, id: i64, shop: i64, changed: String) {
        let turn = UnderWay(self, id);
        let cashier = &turn.0;
        let looked = match cashier.look_at(id).await {
            Ok(looked) => looked,
            Err(stop) => {
                cashier.complain(&stop);
                Looked::Acted { changed, progress: false }
            }
        };
        cashier.rounds().note(id, &looked);
        // After a guard's word, and after a write of ours, the shop is not being tried any more: then this changes nothing.
        cashier.rounds().told_nothing(shop);
    }

    async fn look_at(&self, id: i64) -> Result<Looked, Stop> {
        let Some(before) = self.look(id).await? else { return Ok(Looked::Done) };
        let now = Timestamp::now();
        let plan = before.plan(now, |number| self.rounds().asked_at(id, number), self.grace_s());
        if plan.acts.is_empty() {
            if plan.wake.is_none() && before.is_done() {
                return Ok(Looked::Done);
            }
            let until = plan.wake.and_then(|wake| Duration::try_from(wake - now).ok());
            let wake_in = until.map_or(QUIET_MAX, |until| until.min(QUIET_MAX));
            return Ok(Looked::Quiet { changed: before.changed, wake_in });
        }
        for act in plan.acts {
            // One that cannot be done keeps no other from it, unless none of them can.
            if let Err(stop) = self.perform(&before, act).await {
                self.complain(&stop);
                if stop.is_guard() {
                    break;
                }
            }
        }
        let Some(after) = self.look(id).await? else { return Ok(Looked::Done) };
        Ok(Looked::Acted { progress: after.signature() != before.signature(), changed: after.changed })
    }
}

impl Pesanan {
    fn is_done(&self) -> bool {
        !self.is_open() && self.tries.iter().all(|it| it.fate.is_dead() || it.fate == Fate::Paid)
    }
}
