//! The world of the model: who writes, what is stored where, what writers, seams and applier do to it, and what the
//! mover sees of it.
//!
//! Kept small by these: a commit answers at once (which acknowledges sooner than the real one, so asks for more), and
//! the applier takes all there is.

use cutover::next::{Holding, Observed, Wishes, next};
use cutover::progress::{Progress, progress};
use cutover::ready::{Back, There};
use cutover::record::{Head, Record};
use cutover::route::{Gate, Way};
use cutover::step::Step;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use vocab::id::{Direction, Epoch, Side};

/// What is done wrongly, to see it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The position taken when the hold was asked for serves as the mark.
    MarkBeforeDrain,
    /// The second seam's acknowledgement and its writes in flight are not looked at.
    OneSeamNotWaitedFor,
    /// The legacy's transactions read the fence without locking it: whoever passed it commits when he likes.
    FenceCheckedAtTheStatement,
    /// Who takes over believes the fence opened that the dead mover closed.
    FenceLeftBehind,
    /// Seams take a hold of any epoch.
    LateHoldCounts,
    /// The legacy takes a fence of any epoch.
    LateFenceCounts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    Through(usize),
    /// Straight into the legacy's database, under a role that drain does not see.
    Around,
}

/// Who writes, and how often things happen.
#[derive(Clone)]
pub struct Bounds {
    pub flaw: Option<Flaw>,
    pub writers: &'static [Writer],
    pub holds: u8,
    pub rollbacks: u8,
    pub crashes: u8,
    /// Steps that fail, beside a fence that runs into its time-out.
    pub faults: u8,
    /// Who takes over from a dead mover: `release-all`, and after it a mover; else a mover at once.
    pub release_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Write {
    Idle,
    /// Waits in a seam.
    Held,
    Forwarded(Side, Epoch),
    /// A transaction of the legacy that has read the fence open.
    Begun,
    Acknowledged,
    /// Answered unexecuted.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mail {
    Hold(Epoch),
    Release(Side, Epoch),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Seam {
    pub gate: Gate,
    /// Told and not yet heard, in whatever order it will be.
    pub mail: BTreeSet<Mail>,
}

/// Sets of writes, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Set(u8);

impl Set {
    pub fn add(&mut self, write: usize) {
        assert!(!self.has(write), "executed twice by one side");
        self.0 |= 1 << write;
    }

    pub fn has(self, write: usize) -> bool {
        self.0 & (1 << write) != 0
    }

    fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Everything in it was taken in order and whole, so how much it is says what it is.
    pub fn position(self) -> u64 {
        self.0.count_ones().into()
    }
}

/// One side's database: what it holds, and what its own commits were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Store {
    pub rows: Set,
    pub commits: Set,
    /// What of the other side's commits has arrived here.
    pub arrived: Set,
}

impl Store {
    fn commit(&mut self, write: usize) {
        self.rows.add(write);
        self.commits.add(write);
    }

    fn take(&mut self, other: Set) {
        self.rows.merge(other);
        self.arrived = other;
    }
}

/// The fence in the legacy's database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    pub closed: bool,
    pub seen: Epoch,
}

/// What dies with the mover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Mover {
    pub hold: Option<Epoch>,
    pub late: bool,
    pub position_at_hold: u64,
    pub doing: Option<Doing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Doing {
    pub step: Step,
    pub intent: Record,
    pub effected: bool,
}

/// All records ever written. What they say is in `Progress`, a fold over them; so two worlds that differ only here
/// are the same.
#[derive(Debug, Clone)]
pub struct Journal(pub Arc<Vec<Record>>);

impl PartialEq for Journal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Journal {}

impl Hash for Journal {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub journal: Journal,
    pub progress: Progress,
    pub legacy: Store,
    pub fence: Fence,
    pub backend: Store,
    pub seams: [Seam; 2],
    pub writes: Vec<Write>,
    pub mover: Mover,
    /// What a dead mover had begun outside our store, and may still finish.
    pub ghost: Option<Step>,
    pub release_all: bool,
    pub holds_left: u8,
    pub rollbacks_left: u8,
    pub crashes_left: u8,
    pub faults_left: u8,
    /// An owner changed with something missing or in flight.
    pub unsound_flip: bool,
    pub ended: bool,
}

impl World {
    pub fn head(&self) -> Head {
        self.progress.head
    }

    pub fn begun(&self) -> bool {
        self.writes.contains(&Write::Begun)
    }

    pub fn record(&mut self, record: Record, head: Head) {
        let mut records = (*self.journal.0).clone();
        records.push(record);
        self.progress = progress(&records, head);
        self.journal = Journal(Arc::new(records));
    }

    fn wishes(&self) -> Wishes {
        let may_hold = self.holds_left > 0;
        let backend = self.head().owner == Side::Backend;
        let rollback = backend && may_hold && self.rollbacks_left > 0;
        let release_all = self.release_all && !self.progress.at_rest();
        Wishes { flip: !backend && may_hold, rollback, seal: backend && !rollback, release_all, ..Wishes::default() }
    }

    pub fn sides(&self, direction: Direction) -> (&Store, &Store) {
        match direction {
            Direction::ToBackend => (&self.legacy, &self.backend),
            Direction::ToLegacy => (&self.backend, &self.legacy),
        }
    }

    /// What may be applied now: the side that derives, if something has not arrived.
    pub fn may_apply(&self) -> Option<Direction> {
        let direction = self.progress.derives()?;
        let (source, target) = self.sides(direction);
        (source.commits != target.arrived).then_some(direction)
    }

    pub fn apply(&mut self, direction: Direction) {
        match direction {
            Direction::ToBackend => self.backend.take(self.legacy.commits),
            Direction::ToLegacy => self.legacy.take(self.backend.commits),
        }
    }
}

impl Bounds {
    fn through(&self, world: &World, seam: usize, like: impl Fn(Write) -> bool) -> bool {
        let of_seam = |(write, writer): (&Write, &Writer)| *writer == Writer::Through(seam) && like(*write);
        world.writes.iter().zip(self.writers).any(of_seam)
    }

    pub fn in_flight(&self, world: &World, seam: usize) -> bool {
        self.through(world, seam, |write| matches!(write, Write::Forwarded(..) | Write::Begun))
    }

    fn observed(&self, world: &World) -> Observed {
        let cutover = world.progress.cutover();
        let (_, target) = world.sides(cutover.map_or(Direction::ToBackend, |(direction, _)| direction));
        let seams = if self.flaw == Some(Flaw::OneSeamNotWaitedFor) { 0..1 } else { 0..2 };
        let holding = |epoch| {
            let acknowledged = seams.clone().all(|seam| world.seams[seam].gate.held() == Some(epoch));
            let in_flight_zero = acknowledged && !seams.clone().any(|seam| self.in_flight(world, seam));
            Holding {
                elapsed_ms: if world.mover.late { 400 } else { 0 },
                acknowledged,
                in_flight_zero,
                overflow: false,
            }
        };
        let open_work = seams.clone().filter(|seam| self.through(world, *seam, |write| write == Write::Begun)).count();
        let there = There { lag_ms: Some(0), rehearsed: true, fence_tested: true, ..There::default() };
        Observed {
            hold: world.mover.hold.map(holding),
            open_work: u64::try_from(open_work).ok(),
            fence_closed: world.fence.closed && cutover.is_some_and(|(_, epoch)| epoch == world.fence.seen),
            applied: Some(target.arrived.position()),
            rested: true,
            stopped: None,
            there,
            back: Back { facts_left: Some(0), verified: true, ..Back::default() },
        }
    }

    pub fn next(&self, world: &World) -> Step {
        next(&world.progress, &world.wishes(), &self.observed(world))
    }

    /// Closing the legacy's fence waits for the transactions that have read it, if they locked it.
    pub fn blocked(&self, world: &World, step: &Step) -> bool {
        let locks = self.flaw != Some(Flaw::FenceCheckedAtTheStatement);
        let there = world.head().owner == Side::Legacy;
        matches!(step, Step::Fence { .. }) && there && locks && world.begun()
    }

    /// A release is done when every seam has taken it.
    pub fn may_finish(world: &World, step: &Step) -> bool {
        let Step::Release { epoch, .. } = step else { return true };
        world.seams.iter().all(|seam| {
            let routed = matches!(seam.gate.read(), Way::Forward { epoch: known, .. } if known >= *epoch);
            routed && seam.gate.held().is_none_or(|held| held > *epoch)
        })
    }

    pub fn send(&self, world: &mut World, at: usize) {
        world.writes[at] = match self.writers[at] {
            Writer::Around => Self::begin(world),
            Writer::Through(seam) => match world.seams[seam].gate.write() {
                Way::Forward { owner: Side::Legacy, .. } => Write::Forwarded(Side::Legacy, Epoch(0)),
                Way::Forward { owner, epoch } => Write::Forwarded(owner, epoch),
                Way::Wait => Write::Held,
                Way::Refuse => Write::Refused,
            },
        };
    }

    pub fn begin(world: &World) -> Write {
        if world.fence.closed { Write::Refused } else { Write::Begun }
    }

    pub fn commit(world: &mut World, at: usize) {
        let head = world.head();
        world.writes[at] = match world.writes[at] {
            Write::Begun => {
                world.legacy.commit(at);
                Write::Acknowledged
            }
            Write::Forwarded(_, epoch) if head.owner == Side::Backend && head.epoch == epoch && !head.fenced => {
                world.backend.commit(at);
                Write::Acknowledged
            }
            _ => Write::Refused,
        };
    }

    pub fn deliver(&self, world: &mut World, at: usize, mail: Mail) {
        let seam = &mut world.seams[at];
        seam.mail.remove(&mail);
        match mail {
            Mail::Hold(epoch) if self.flaw == Some(Flaw::LateHoldCounts) => {
                let Way::Forward { owner, .. } = seam.gate.read() else { return };
                seam.gate = Gate::default();
                seam.gate.route(owner, Epoch(0));
                seam.gate.hold(epoch);
            }
            Mail::Hold(epoch) => {
                seam.gate.hold(epoch);
            }
            Mail::Release(owner, epoch) => {
                if seam.gate.release(owner, epoch) {
                    self.held_of(world, at).for_each(|write| self.send(world, write));
                }
            }
        }
    }

    pub fn expire(&self, world: &mut World, seam: usize) {
        world.seams[seam].gate.expire();
        self.held_of(world, seam).for_each(|write| world.writes[write] = Write::Refused);
    }

    fn held_of(&self, world: &World, seam: usize) -> std::vec::IntoIter<usize> {
        let held = |at: &usize| self.writers[*at] == Writer::Through(seam) && world.writes[*at] == Write::Held;
        (0..world.writes.len()).filter(held).collect::<Vec<_>>().into_iter()
    }
}
