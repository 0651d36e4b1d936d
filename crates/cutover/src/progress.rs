//! Where a shop stands, from durable things alone: its step records and its head.
//!
//! Whatever a dead mover knew beside them (a hold in place, a look at the source) is not here: it comes in as
//! [`Observed`](crate::next::Observed), and after a crash it is absent.

use crate::record::{Head, Phase, Reason, Record, StepName};
use crate::state::State;
use crate::step::Step;
use vocab::id::{Direction, Epoch, Seq, Side};

/// Where a shop stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Progress {
    pub head: Head,
    pub(crate) stage: Stage,
    /// A full verification is complete since tracking last began.
    pub(crate) verified: bool,
    /// The step that the last record calls failed.
    pub(crate) last_failed: Option<StepName>,
    mark: Option<u64>,
    reverse_start: Option<Seq>,
}

/// The stages that decide; [`State`] is for showing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Planned,
    Installed,
    Copying,
    Copied,
    Tracking,
    Cutover(Cutover),
    /// Flipped and released, the next long stage not begun.
    Released(Direction),
    Soaking,
    Sealing,
    Sealed,
}

/// A cutover between its hold and its release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cutover {
    pub direction: Direction,
    pub epoch: Epoch,
    /// The last step that is done, of the eight.
    pub reached: Option<StepName>,
    /// The intent without an outcome: its performer works on it, or died.
    pub intended: Option<StepName>,
    /// Closing the legacy's fence was at least intended.
    pub fence_touched: bool,
    pub unfenced: bool,
    /// Why it cannot go on; set by the first failure before the flip and by the first step of an abort.
    pub given_up: Option<Reason>,
    pub ended: Option<Ended>,
    pub mark: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    Flipped,
    Aborted,
}

/// Reads where a shop stands. `records` are all of the shop's, in the order in which they were written; `head` was
/// read in the same transaction.
pub fn progress(records: &[Record], head: Head) -> Progress {
    let mut progress =
        Progress { head, stage: Stage::Planned, verified: false, last_failed: None, mark: None, reverse_start: None };
    for record in records {
        progress.take(record);
    }
    progress
}

impl Progress {
    /// The state to show; READY, which depends on measurements, is shown by [`state_now`](crate::next::state_now).
    pub fn state(&self) -> State {
        match &self.stage {
            Stage::Planned => State::Planned,
            Stage::Installed => State::Installed,
            Stage::Copying | Stage::Copied => State::Copying,
            Stage::Tracking => State::Tracking,
            Stage::Cutover(cutover) => cutover.state(),
            Stage::Released(direction) => State::Released(*direction),
            Stage::Soaking | Stage::Sealing => State::Soaking,
            Stage::Sealed => State::Sealed,
        }
    }

    /// No hold, fence or flip of this shop is unfinished: where `release-all` may leave it.
    pub const fn at_rest(&self) -> bool {
        !matches!(self.stage, Stage::Cutover(_))
    }

    /// The one direction that may derive now: source rows into documents, or facts into edits. None before the copy,
    /// between a flip and the end of its release, and after the seal.
    pub fn derives(&self) -> Option<Direction> {
        match &self.stage {
            Stage::Copying | Stage::Copied | Stage::Tracking => Some(Direction::ToBackend),
            Stage::Cutover(cutover) if cutover.ended != Some(Ended::Flipped) => Some(cutover.direction),
            Stage::Soaking | Stage::Sealing => Some(Direction::ToLegacy),
            Stage::Planned | Stage::Installed | Stage::Cutover(_) | Stage::Released(_) | Stage::Sealed => None,
        }
    }

    /// The cutover under way: its direction and the epoch that its hold took.
    pub const fn cutover(&self) -> Option<(Direction, Epoch)> {
        match &self.stage {
            Stage::Cutover(cutover) => Some((cutover.direction, cutover.epoch)),
            Stage::Planned
            | Stage::Installed
            | Stage::Copying
            | Stage::Copied
            | Stage::Tracking
            | Stage::Released(_)
            | Stage::Soaking
            | Stage::Sealing
            | Stage::Sealed => None,
        }
    }

    /// A full verification is complete since tracking last began.
    pub const fn verified(&self) -> bool {
        self.verified
    }

    /// The mark of the cutover under way, or of the last flip: after a flip there the forward stop.
    pub const fn mark(&self) -> Option<u64> {
        self.mark
    }

    /// The `seq` of the last flip there: the way back carries the facts above it.
    pub const fn reverse_start(&self) -> Option<Seq> {
        self.reverse_start
    }

    /// The intent to write before this step's effect; none for a wait.
    pub fn intent(&self, step: &Step) -> Option<Record> {
        let name = step.name()?;
        let (direction, epoch) = match (self.cutover(), step) {
            (Some(cutover), _) => cutover,
            (None, Step::Hold { epoch, .. }) => (self.way(), *epoch),
            (None, _) => (Direction::ToBackend, self.head.epoch),
        };
        let reason = step.reason().cloned();
        Some(Record { epoch, direction, step: name, phase: Phase::Intent, mark: None, reverse_start: None, reason })
    }

    /// The way a cutover that begins now would go.
    pub(crate) const fn way(&self) -> Direction {
        match self.head.owner {
            Side::Legacy => Direction::ToBackend,
            Side::Backend => Direction::ToLegacy,
        }
    }

    fn take(&mut self, record: &Record) {
        self.last_failed = (record.phase == Phase::Failed).then_some(record.step);
        let done = record.phase == Phase::Done;
        match record.step {
            StepName::Install if done => self.stage = Stage::Installed,
            StepName::Copy => self.stage = if done { Stage::Copied } else { Stage::Copying },
            StepName::Track => {
                self.verified = false;
                if done {
                    self.stage = Stage::Tracking;
                }
            }
            StepName::Verify => self.verified = done,
            // Already the intent says that the copy is not to be trusted: nobody knows how much of it is forgotten.
            StepName::Reread => {
                self.verified = false;
                self.stage = Stage::Installed;
            }
            StepName::Soak if done => self.stage = Stage::Soaking,
            StepName::Seal => self.stage = if done { Stage::Sealed } else { Stage::Sealing },
            StepName::Install | StepName::Soak => {}
            StepName::Hold
            | StepName::Drain
            | StepName::Fence
            | StepName::Mark
            | StepName::CatchUp
            | StepName::Prove
            | StepName::Flip
            | StepName::Release
            | StepName::Abort
            | StepName::Unfence => self.take_cutover(record),
        }
    }

    fn take_cutover(&mut self, record: &Record) {
        if record.step == StepName::Hold && record.phase == Phase::Intent {
            self.stage = Stage::Cutover(Cutover::begin(record));
            return;
        }
        let Stage::Cutover(cutover) = &mut self.stage else { return };
        cutover.take(record);
        if record.phase != Phase::Done {
            return;
        }
        self.mark = record.mark.or(self.mark);
        self.reverse_start = record.reverse_start.or(self.reverse_start);
        if record.step == StepName::Release {
            self.stage = match (cutover.ended, cutover.direction) {
                (Some(Ended::Flipped), direction) => Stage::Released(direction),
                (_, Direction::ToBackend) => Stage::Tracking,
                (_, Direction::ToLegacy) => Stage::Soaking,
            };
        }
    }
}

impl Cutover {
    const fn begin(hold: &Record) -> Self {
        Self {
            direction: hold.direction,
            epoch: hold.epoch,
            reached: None,
            intended: Some(StepName::Hold),
            fence_touched: false,
            unfenced: false,
            given_up: None,
            ended: None,
            mark: None,
        }
    }

    fn take(&mut self, record: &Record) {
        self.intended = (record.phase == Phase::Intent).then_some(record.step);
        let before_the_end = self.ended.is_none();
        let gives_up = record.phase == Phase::Failed || matches!(record.step, StepName::Abort | StepName::Unfence);
        if before_the_end && gives_up && self.given_up.is_none() {
            self.given_up = Some(record.reason.clone().unwrap_or(Reason::Lost));
        }
        self.fence_touched |= record.step == StepName::Fence;
        if record.phase != Phase::Done {
            return;
        }
        self.mark = record.mark.or(self.mark);
        match record.step {
            StepName::Unfence => self.unfenced = true,
            StepName::Abort => self.ended = Some(Ended::Aborted),
            StepName::Flip => {
                self.ended = Some(Ended::Flipped);
                self.reached = Some(StepName::Flip);
            }
            StepName::Hold
            | StepName::Drain
            | StepName::Fence
            | StepName::Mark
            | StepName::CatchUp
            | StepName::Prove => self.reached = Some(record.step),
            StepName::Release
            | StepName::Install
            | StepName::Copy
            | StepName::Track
            | StepName::Verify
            | StepName::Reread
            | StepName::Soak
            | StepName::Seal => {}
        }
    }

    fn state(&self) -> State {
        match self.reached {
            Some(StepName::Drain) => State::Drained(self.direction),
            Some(StepName::Fence) => State::Fenced(self.direction),
            Some(StepName::Mark) => State::Marked(self.direction),
            Some(StepName::CatchUp) => State::CaughtUp(self.direction),
            Some(StepName::Prove) => State::Proven(self.direction),
            Some(StepName::Flip) => State::Flipped(self.direction),
            Some(_) | None => State::Held(self.direction),
        }
    }
}
