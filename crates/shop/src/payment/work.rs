//! The loop behind payments: whatever is due is done, as many at once as the bounds allow, none twice at the same time here.

use super::Service;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use store::{Due, Woken};
use tokio::task::{Id, JoinSet};
use vocab::id::{Name, PublicId, ShopId, Timestamp};

/// Jobs at the same time, of each kind: most of them wait for a provider, and no kind waits for another.
const AT_ONCE: usize = 32;
/// And of those that wait for the program that owns other shops.
const ELSEWHERE_AT_ONCE: usize = 8;
/// How long nothing is done about what a job panicked over: that is our bug, and a person has to look.
const AFTER_PANIC: Duration = Duration::from_secs(60);
/// How often is looked whether something is due.
const LOOK: Duration = Duration::from_millis(100);
/// Notices that are done are remembered so long, and looked for so often.
const REMEMBERED_US: i64 = 7 * 24 * 3_600 * 1_000_000;
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGOTTEN_AT_ONCE: usize = 1_000;
const FORGOTTEN_TIMES_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    /// Of a shop of ours.
    Notice(Name, String),
    /// Of another's shop, or of nobody's yet.
    Letter(Name, String),
    Intent(ShopId, PublicId),
}

impl Job {
    const fn at_once(&self) -> usize {
        match self {
            Self::Notice(..) | Self::Intent(..) => AT_ONCE,
            Self::Letter(..) => ELSEWHERE_AT_ONCE,
        }
    }
}

/// What is being done.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    by_task: HashMap<Id, Job>,
    jobs: BTreeSet<Job>,
}

impl UnderWay {
    /// Begins a job, unless it is under way already, or enough of its kind are.
    fn begin(&mut self, job: Job, work: impl Future<Output = ()> + Send + 'static) {
        let same = |other: &&Job| std::mem::discriminant(*other) == std::mem::discriminant(&job);
        if self.jobs.iter().filter(same).count() < job.at_once() && self.jobs.insert(job.clone()) {
            self.by_task.insert(self.tasks.spawn(work).id(), job);
        }
    }

    /// Resolves when one has ended, however; never while there is none.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a payment's job ended badly");
                // It is due as before: not at once, or nothing else would be done here.
                if let Some(job) = self.by_task.remove(&error.id()) {
                    self.by_task.insert(self.tasks.spawn(tokio::time::sleep(AFTER_PANIC)).id(), job);
                }
                return;
            }
        };
        if let Some(job) = self.by_task.remove(&id) {
            self.jobs.remove(&job);
        }
    }
}

impl Service {
    /// Reads notices and does what intents plan, for ever, while it is on duty. Any number of processes may be, over one store:
    /// what two of them do at once meets at the intent's version, though the provider is asked by both.
    pub async fn work(&self, on_duty: impl Fn() -> bool) {
        if self.rail.is_none() {
            return std::future::pending().await;
        }
        let mut under_way = UnderWay::default();
        let mut forget_at = tokio::time::Instant::now() + FORGET_EVERY;
        loop {
            if on_duty()
                && let Err(error) = self.begin_due(&mut under_way).await
            {
                tracing::warn!(%error, "what is due for payments cannot be read");
            }
            if forget_at <= tokio::time::Instant::now() {
                forget_at += FORGET_EVERY;
                self.forget().await;
            }
            tokio::select! {
                () = under_way.ended() => {}
                () = self.news.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn begin_due(&self, under_way: &mut UnderWay) -> Result<(), store::Error> {
        let now = self.now();
        // What is under way may stand first among what is due.
        for ours in [true, false] {
            for due in self.store.notices_due(now, ours, AT_ONCE * 2).await? {
                let (rail, digest) = (due.notice.rail.clone(), due.notice.digest.clone());
                let job = if ours { Job::Notice(rail, digest) } else { Job::Letter(rail, digest) };
                let service = self.clone();
                under_way.begin(job, async move { service.read(&due).await });
            }
        }
        for woken in self.store.woken(now, AT_ONCE * 2).await? {
            let job = Job::Intent(woken.shop.clone(), woken.intent.clone());
            let service = self.clone();
            under_way.begin(job, async move { service.look_at(&woken).await });
        }
        Ok(())
    }

    async fn read(&self, due: &Due) {
        if let Err(error) = self.read_notice(due).await {
            tracing::warn!(rail = &*due.notice.rail, %error, "a notice could not be read");
        }
    }

    async fn look_at(&self, woken: &Woken) {
        if let Err(error) = self.tend(woken).await {
            tracing::warn!(shop = %woken.shop, intent = %woken.intent, %error, "a payment could not be gone on with");
        }
    }

    async fn forget(&self) {
        let before = Timestamp(self.now().0.saturating_sub(REMEMBERED_US));
        for _ in 0..FORGOTTEN_TIMES_MAX {
            match self.store.forget_notices(before, FORGOTTEN_AT_ONCE).await {
                Ok(FORGOTTEN_AT_ONCE) => {}
                Ok(_) => return,
                Err(error) => return tracing::warn!(%error, "old notices could not be forgotten"),
            }
        }
    }
}
