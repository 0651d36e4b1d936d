//! One shop's move: look, ask `cutover` for the next step, perform it, and in between derive or carry back.
//!
//! A driver that starts anew knows only what is durable; `cutover` leads it back to the source or on.

mod showing;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::records::{self, Measured};
use crate::reverse::Halt;
use crate::staged::Ledger;
use crate::throttle::Pace;
use crate::{bases, derive, dial, observe, perform, reverse, verify, waits};
use cutover::bounds::READY_DIRTY;
use cutover::next::{Observed, Wishes, next};
use cutover::progress::{Progress, progress};
use cutover::record::{Head, Phase, Record, StepName};
use cutover::state::State;
use cutover::step::{For, Step};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use vocab::id::{Direction, Epoch, Name, Seq, ShopId, Side, Timestamp};

/// How long a driver waits before it looks again, outside and inside a hold.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_HELD: Duration = Duration::from_micros(500);
/// How often what is not proven is proven again while nothing else is to be done.
const PROVE_EVERY: Duration = Duration::from_millis(500);
/// How long it is proven, least and most, before derivation has its turn again: a list may be as long as the shop is large.
const PROVE_LEAST: Duration = Duration::from_millis(50);
const PROVE_MOST: Duration = Duration::from_millis(500);
/// Batches carried back at most before a hold that may begin, and as many facts as may be left for it.
const CARRIED_BEFORE: u32 = 16;
const CARRIED_INSIDE: u64 = 16;
/// What this process remembers of a shop's move. Lost in a crash, and missed by nothing.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) failed_at: Option<Instant>,
    /// The hold that this process asked for, and when.
    pub(crate) hold: Option<(Epoch, Instant)>,
    /// By the source's clock: when every seam was first seen holding with nothing in flight.
    pub(crate) quiet_since: Option<Timestamp>,
    /// The epoch at which this process closed the fence.
    pub(crate) fence: Option<Epoch>,
    /// The epoch of the last fence that this process could not close: somebody held it for the whole wait.
    pub(crate) fence_waited: Option<Epoch>,
    /// Another process may have closed it.
    pub(crate) fence_unknown: bool,
    pub(crate) fence_tested: bool,
    pub(crate) guarded_at: Option<Instant>,
    pub(crate) rehearsed: bool,
    /// Of the shop since its flip: the generation of the list when the full pass ended, and whether all of that is
    /// proven.
    pub(crate) full_pass: Option<i64>,
    pub(crate) verified_since_flip: bool,
    pub(crate) copy: dial::Copy,
    suspects: verify::Suspects,
    /// The last fact that is in the legacy.
    pub(crate) applied: Option<Seq>,
    proven_at: Option<Instant>,
    /// Some of what is listed is proven, and some not.
    proving: Option<verify::Proving>,
}

impl Memory {
    /// The copy is made again: what was seen of the one before counts no more.
    pub(crate) fn copy_again(&mut self) {
        (self.rehearsed, self.guarded_at) = (false, None);
        self.copy = dial::Copy::default();
        self.suspects = verify::Suspects::default();
        self.proving = None;
    }

    pub(crate) fn released(&mut self) {
        self.hold = None;
        self.quiet_since = None;
    }
}

/// What others may see of a driver.
#[derive(Debug, Clone)]
pub struct Seen {
    pub state: State,
    pub owner: Side,
    pub epoch: Epoch,
    /// The code that stops it.
    pub stopped: Option<Name>,
    /// What the next step waits for, in words.
    pub waits_for: Option<String>,
    pub dirty: u64,
    pub lag_ms: Option<u32>,
    /// The catalogue's dial is on, and who answers its reads now.
    pub catalog_dial: bool,
    pub catalog_reads: Side,
    pub findings_open: u64,
    pub facts_left: Option<u64>,
    pub debt: u64,
    /// What keeps a shop that soaks from going back; none where nothing does.
    pub back_waits_for: Option<&'static str>,
}

/// The newest look of every driver, by shop.
pub(crate) type Board = Arc<Mutex<std::collections::BTreeMap<ShopId, Seen>>>;

pub(crate) struct Driver {
    pub(crate) cx: Context,
    pub(crate) shop: ShopId,
    pub(crate) records: Vec<Record>,
    pub(crate) memory: Memory,
    /// The outcome of a step of a hold, not stored yet: it is stored with the next intent, in one transaction. Lost in
    /// a crash, it leaves an intent without an outcome, which leads back as the crash itself does.
    unstored: Option<store::Step>,
    /// The head inside a cutover, where whoever has the lease is the only one to change it. None: read it.
    pub(crate) head: Option<Head>,
    /// The last batch of facts carried back was a full one: there are more, and nothing is to be waited for.
    behind: bool,
    wishes: watch::Receiver<Wishes>,
    board: Board,
}

impl Driver {
    pub(crate) async fn new(cx: Context, shop: ShopId, wishes: watch::Receiver<Wishes>, board: Board) -> Result<Self> {
        let records = records::load(&cx.store, &shop).await?;
        let has_findings = !cx.store.finding_counts(&shop).await?.is_empty();
        if has_findings {
            cx.findings.note(&shop);
        }
        if records.is_empty() {
            waits::before(&cx, &shop).await?;
        }
        let mut memory = Memory { fence_unknown: true, ..Memory::default() };
        // A verification that is on record included the rehearsal.
        memory.rehearsed = records.iter().any(|record| record.step == StepName::Verify && record.phase == Phase::Done);
        // A source that does not answer keeps nobody from ending a hold.
        memory.applied = perform::applied_from(&cx, &shop, &records).await.ok();
        Ok(Self { cx, shop, records, memory, unstored: None, head: None, behind: false, wishes, board })
    }

    /// Drives until the shop is sealed, or, for `release-all`, at rest.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut stream = self.cx.stream.subscribe();
        loop {
            let progress = self.progress().await?;
            self.own(&progress);
            if !progress.at_rest() || progress.derives() != Some(Direction::ToBackend) {
                // Afterwards it is another list.
                self.memory.proving = None;
            }
            let mut wishes = *self.wishes.borrow_and_update();
            let soon = progress.at_rest() && (wishes.flip && progress.verified() || wishes.rollback);
            if soon && !observe::is_stopped(&self.cx, &self.shop).await? {
                self.prepare(&progress).await?;
            }
            let observed = self.look(&progress).await?;
            wishes.reread = wishes.reread && self.heed_rereads(&progress, &observed).await?;
            let step = next(&progress, &wishes, &observed);
            self.tell_dial(&progress, &observed).await;
            self.show(&progress, &wishes, &observed, &step);
            let Step::Wait(what) = &step else {
                perform::perform(&mut self, &progress, &step).await?;
                continue;
            };
            if *what == For::Nothing || (*what == For::Wish && wishes.release_all) {
                return Ok(());
            }
            // What a stopped shop's rows would be derived to is not what its source has.
            let derives = progress.derives() != Some(Direction::ToBackend) || observed.stopped.is_none();
            let worked = derives && self.work(&progress).await?;
            if worked && (!progress.at_rest() || self.behind || self.memory.proving.is_some()) {
                continue;
            }
            let pause = if progress.at_rest() { LOOK } else { LOOK_HELD };
            tokio::select! {
                _ = tokio::time::sleep(pause) => {}
                changed = self.wishes.changed() => {
                    if changed.is_err() { return Ok(()); }
                }
                _ = stream.changed(), if !progress.at_rest() => {}
            }
        }
    }

    /// How a long step that begins now takes its turns.
    pub(crate) fn pace(&self) -> Pace {
        Pace::in_turns(&self.cx, &self.shop, self.wishes.clone())
    }

    /// Looks at everything that the next decision needs. Inside a hold, a world that fails or does not answer ends it.
    async fn look(&mut self, progress: &Progress) -> Result<Observed> {
        let left = perform::hold_left(&self.memory);
        let looking = observe::look(&self.cx, &self.shop, progress, &mut self.memory);
        if progress.at_rest() {
            return looking.await;
        }
        match tokio::time::timeout(left, looking).await {
            Ok(Err(error)) if !matches!(error, Error::LeaseLost) => {
                tracing::warn!(shop = %self.shop, %error, "a look inside a hold failed");
                Ok(Observed { hold: None, ..observe::nothing(&self.memory) })
            }
            Ok(looked) => looked,
            Err(_) => Ok(observe::nothing(&self.memory)),
        }
    }

    /// What goes on between steps. Inside a hold it ends with it, and fails with the next look.
    async fn work(&mut self, progress: &Progress) -> Result<bool> {
        if progress.at_rest() {
            return self.background(progress).await;
        }
        let left = perform::hold_left(&self.memory);
        match tokio::time::timeout(left, self.background(progress)).await {
            Ok(Err(error)) if !matches!(error, Error::LeaseLost) => {
                tracing::warn!(shop = %self.shop, %error, "work inside a hold failed");
            }
            Ok(worked) => return worked,
            Err(_) => {}
        }
        // What nobody waits for any more may still have come to pass.
        self.memory.applied = None;
        Ok(false)
    }

    async fn progress(&mut self) -> Result<Progress> {
        let head = match self.head {
            Some(head) => head,
            None => {
                let stored = self.cx.store.head(&self.shop).await?;
                let stored = stored.ok_or_else(|| Error::UnknownShop(self.shop.clone()))?;
                Head { owner: stored.owner, epoch: stored.epoch, fenced: stored.fenced }
            }
        };
        let progress = progress(&self.records, head);
        self.head = (!progress.at_rest()).then_some(head);
        Ok(progress)
    }

    /// Tells the stream whose writes are a rogue's.
    fn own(&self, progress: &Progress) {
        match progress.head.owner {
            Side::Legacy => self.cx.owned.clear(&self.shop),
            Side::Backend if self.cx.owned.mark(self.shop.as_str()).is_some() => {}
            Side::Backend => self.cx.owned.set(&self.shop, progress.mark().unwrap_or(u64::MAX)),
        }
    }

    /// What goes on between steps: the one direction that may derive now derives. Returns whether there was anything.
    async fn background(&mut self, progress: &Progress) -> Result<bool> {
        match progress.derives() {
            Some(Direction::ToBackend) => {
                let (heard, begun) = (self.cx.stream.heard(), Instant::now());
                let derived = derive::derive(&self.cx, &self.shop, progress.head.epoch).await?;
                let took = begun.elapsed();
                if derived.everything {
                    self.memory.copy.complete_at = heard;
                }
                if progress.at_rest() && (self.memory.proving.is_some() || self.prove_is_due()) {
                    bases::let_go(&self.cx, &self.shop, progress, 1).await?;
                    self.prove_as_long(took).await?;
                }
                Ok(derived.imported > 0)
            }
            Some(Direction::ToLegacy) => {
                let full = u64::try_from(reverse::batch(&self.cx)).unwrap_or(u64::MAX);
                let before = self.memory.applied;
                let left = self.carry_back().await?;
                self.behind = left >= full;
                if progress.at_rest() && left == 0 && self.prove_is_due() {
                    self.verify_soak().await?;
                }
                Ok(self.memory.applied != before)
            }
            None => Ok(false),
        }
    }

    /// A hold may be next: what is derived, carried back and proven now need not be inside it.
    async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        match progress.derives() {
            Some(Direction::ToBackend) => {
                let begun = Instant::now();
                bases::let_go(&self.cx, &self.shop, progress, bases::BEFORE).await?;
                derive::derive(&self.cx, &self.shop, progress.head.epoch).await?;
                let name = self.shop.clone();
                if self.cx.staged.run(move |staged| staged.count(Ledger::Prove, &name)).await? >= READY_DIRTY {
                    // No hold begins on so many, and derivation goes on in between.
                    return self.prove_as_long(begun.elapsed()).await;
                }
                self.memory.proving = None;
            }
            Some(Direction::ToLegacy) => {
                for _ in 0..CARRIED_BEFORE {
                    if self.carry_back().await? <= CARRIED_INSIDE {
                        break;
                    }
                }
            }
            None => return Ok(()),
        }
        verify::prove_listed(&self.cx, &self.shop).await.map(drop)
    }

    /// Proves what is listed for as long as was derived, within bounds: neither falls behind for the other.
    async fn prove_as_long(&mut self, derived: Duration) -> Result<()> {
        let time = derived.clamp(PROVE_LEAST, PROVE_MOST);
        verify::prove_for(&self.cx, &self.shop, &mut self.memory.proving, time).await
    }

    fn prove_is_due(&mut self) -> bool {
        let due = self.memory.proven_at.is_none_or(|at| at.elapsed() >= PROVE_EVERY);
        if due {
            self.memory.proven_at = Some(Instant::now());
        }
        due
    }

    /// Carries what is new back, unless something stops that; returns how many facts were left before it.
    async fn carry_back(&mut self) -> Result<u64> {
        if self.cx.findings.may_have(&self.shop) && observe::keeps_from_carrying(&self.cx, &self.shop).await? {
            return Ok(1);
        }
        self.carry_back_now().await
    }

    pub(crate) async fn carry_back_now(&mut self) -> Result<u64> {
        let applied = match self.memory.applied {
            Some(applied) => applied,
            None => perform::applied_from(&self.cx, &self.shop, &self.records).await?,
        };
        match reverse::carry_back(&self.cx, &self.shop, applied).await? {
            Ok(seq) => {
                self.memory.applied = Some(seq);
                Ok(seq.0.saturating_sub(applied.0))
            }
            Err(Halt::Mismatch(what)) => {
                tracing::warn!(shop = %self.shop, %what, "the way back has stopped");
                Ok(1)
            }
        }
    }

    /// While a shop soaks: what was carried back is proven by key, and once as a whole. The whole is proven when
    /// nothing that the full pass left open is still on the list; what facts changed since is listed anew.
    async fn verify_soak(&mut self) -> Result<()> {
        if self.memory.full_pass.is_none() {
            verify::full(&self.cx, &self.shop, &Pace::at_once(&self.cx, &self.shop)).await?;
            verify::ledger(&self.cx, &self.shop).await?;
            self.memory.full_pass = Some(self.cx.staged.run(|staged| staged.generation()).await?);
        }
        let verdict = verify::prove_listed(&self.cx, &self.shop).await?;
        let (name, until) = (self.shop.clone(), self.memory.full_pass.unwrap_or(i64::MAX));
        let left = self.cx.staged.run(move |staged| staged.listed_until(Ledger::Prove, &name, until)).await?;
        self.memory.verified_since_flip = left == 0 || self.cx.without.has("verify.digest");
        let confirmed = self.memory.suspects.confirm(&verdict);
        if !confirmed.is_empty() && self.cx.store.count_debts(&self.shop).await? == 0 {
            verify::open_mismatch(&self.cx, &self.shop, &confirmed).await?;
        }
        Ok(())
    }

    /// Writes a record durably, with the one that is not stored yet before it, and keeps it.
    pub(crate) async fn record(&mut self, record: Record, measured: Measured) -> Result<()> {
        let step = records::to_stored(&self.cx, &self.shop, &record, measured);
        self.cx.store.record_steps(self.unstored.take().into_iter().chain([step]).collect()).await?;
        self.keep(record);
        Ok(())
    }

    /// Keeps the outcome of a step inside a hold; the next record is stored together with it.
    pub(crate) fn record_later(&mut self, record: Record, measured: Measured) {
        self.unstored = Some(records::to_stored(&self.cx, &self.shop, &record, measured));
        self.keep(record);
    }

    /// Keeps a record that was written together with its effect.
    pub(crate) fn keep(&mut self, record: Record) {
        self.records.push(record);
    }
}
