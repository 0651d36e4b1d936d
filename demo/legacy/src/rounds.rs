//! Rounds: every pesanan that is not done is looked at again and again, each at its own pace.
//!
//! Nothing that is needed is remembered here: a process that begins anew looks at all of them at once. The next few of all
//! the others are looked at too, whatever state they are in, so that nothing is forgotten that came with its shop from
//! somewhere else.

use crate::cashier::Cashier;
use crate::database::{Error, Transaction};
use crate::pesanan::{Fate, Pesanan};
use crate::value::{Row, args};
use crate::wire::Stop;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
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
/// In one round.
const OPEN_MAX: i64 = 2_000;
const SWEPT: i64 = 4;

/// When each is looked at again, and when its tries were asked about.
#[derive(Default)]
pub struct Rounds(Mutex<BTreeMap<i64, Turn>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn take(&self, id: i64, changed: &str) -> bool {
        let mut turns = self.turns();
        let turn = turns.entry(id).or_insert_with(Turn::new);
        let due = !turn.is_under_way && (turn.next <= Instant::now() || turn.changed != changed);
        turn.is_under_way |= due;
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
        let (mut swept, mut last) = (0, 0);
        loop {
            ticks.tick().await;
            while under_way.try_join_next().is_some() {}
            let found = self.database().read(move |tx| Ok(due(tx, swept)?)).await;
            let (found, swept_to) = match found {
                Ok(found) => found,
                Err(stop) => {
                    self.complain(&stop);
                    continue;
                }
            };
            swept = swept_to;
            // Whoever had no turn last time is the first now.
            let (before, behind): (Vec<_>, Vec<_>) = found.into_iter().partition(|(id, _)| *id <= last);
            for (id, changed) in behind.into_iter().chain(before) {
                if under_way.len() >= UNDER_WAY_MAX {
                    break;
                }
                if self.rounds().take(id, &changed) {
                    last = id;
                    under_way.spawn(self.clone().tend(id, changed));
                }
            }
        }
    }

    async fn tend(self, id: i64, changed: String) {
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
            // One that cannot be done keeps no other from it.
            if let Err(stop) = self.perform(&before, act).await {
                self.complain(&stop);
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

/// All that are not done, with what says whether they changed; and the next few of the others, and how far those went.
fn due(tx: &mut Transaction<'_>, swept: i64) -> Result<(Vec<(i64, String)>, i64), Error> {
    let read = |row: &Row| Ok((row.int(0)?, row.text(1)?));
    let mut found = BTreeSet::new();
    for sql in [
        "select id, diubah from pesanan where jual_nomor is null and akhir is null order by id limit ?1",
        "select id, diubah from pesanan where id in (select pesanan_id from pesanan_coba \
         where rtrim(status) in ('CATAT', 'TUNGGU', 'RAGU')) order by id limit ?1",
        "select id, diubah from pesanan where id in (select pesanan_id from pesanan_balik \
         where rtrim(status) in ('CATAT', 'RAGU', 'TAKADA', 'TERIMA')) order by id limit ?1",
    ] {
        let rows = tx.rows(sql, args![OPEN_MAX])?;
        found.extend(rows.iter().map(read).collect::<Result<Vec<_>, Error>>()?);
    }
    let sql = "select id, diubah from pesanan where id > ?1 order by id limit ?2";
    let rows = tx.rows(sql, args![swept, SWEPT])?;
    let others = rows.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let swept = others.last().map_or(0, |(id, _)| *id);
    found.extend(others);
    Ok((found.into_iter().collect(), swept))
}
