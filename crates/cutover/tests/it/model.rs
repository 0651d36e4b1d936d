//! The cutover under a model checker, by its own code: the world performs what `next` returns and tells `progress`
//! and `Gate` what happened, like the mover and a seam do.
//!
//! The world: a legacy with a fence in its database, a backend with its head, two seams, writers through them and one
//! around them under a role that drain does not see, orders that arrive late and in any order, a mover that dies
//! before, during and after each step, and what it began outside our store and finishes when it is long replaced.
//! Proof never finds anything here: safety must not depend on it.
//!
//! Every run is finite, so that "ends well" can be asked of the states from which nothing more can happen.

mod perform;
mod world;

use cutover::progress::progress;
use cutover::record::{Head, Phase, Record, StepName};
use cutover::route::Way;
use cutover::state::State;
use stateright::{Checker, Model, Property};
use std::sync::Arc;
use vocab::id::{Direction, Epoch, Side};
use world::{Bounds, Fence, Flaw, Journal, Mail, Mover, Seam, Store, World, Write, Writer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send(usize),
    Begin(usize),
    Commit(usize),
    Deliver(usize, Mail),
    Expire(usize),
    Apply(Direction),
    Intend,
    Effect,
    Finish,
    Fail,
    Deadline,
    Crash,
    Ghost,
    /// Nothing else can happen.
    End,
}

fn world_acts(world: &World, actions: &mut Vec<Action>) {
    for (at, write) in world.writes.iter().enumerate() {
        match write {
            Write::Idle => actions.push(Action::Send(at)),
            Write::Forwarded(Side::Legacy, _) => actions.push(Action::Begin(at)),
            Write::Forwarded(Side::Backend, _) | Write::Begun => actions.push(Action::Commit(at)),
            Write::Held | Write::Acknowledged | Write::Refused => {}
        }
    }
    for (at, seam) in world.seams.iter().enumerate() {
        actions.extend(seam.mail.iter().map(|mail| Action::Deliver(at, *mail)));
        let unattended = world.mover.late || world.mover.hold != seam.gate.held();
        if seam.gate.write() == Way::Wait && unattended {
            actions.push(Action::Expire(at));
        }
    }
    actions.extend(world.may_apply().map(Action::Apply));
}

fn mover_acts(bounds: &Bounds, world: &World, actions: &mut Vec<Action>) {
    let in_cutover = !world.progress.at_rest();
    match &world.mover.doing {
        None if bounds.next(world).name().is_some() => actions.push(Action::Intend),
        None => {}
        Some(doing) if doing.effected => {
            actions.extend(Bounds::may_finish(world, &doing.step).then_some(Action::Finish));
        }
        Some(doing) => {
            let blocked = bounds.blocked(world, &doing.step);
            actions.push(if blocked { Action::Fail } else { Action::Effect });
            if !blocked && world.faults_left > 0 && in_cutover {
                actions.push(Action::Fail);
            }
        }
    }
    let waits = world.mover.hold.is_some() && !world.mover.late && world.mover.doing.is_none();
    let past_the_flip = matches!(world.progress.state(), State::Flipped(_));
    if waits && !past_the_flip {
        actions.push(Action::Deadline);
    }
    if world.crashes_left > 0 && (in_cutover || world.mover.doing.is_some()) {
        actions.push(Action::Crash);
    }
    if world.ghost.as_ref().is_some_and(|step| !bounds.blocked(world, step)) {
        actions.push(Action::Ghost);
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let head = Head { owner: Side::Legacy, epoch: Epoch::FIRST, fenced: false };
        let record = |step| Record {
            epoch: head.epoch,
            direction: Direction::ToBackend,
            step,
            phase: Phase::Done,
            mark: None,
            reverse_start: None,
            reason: None,
        };
        let records = [StepName::Track, StepName::Verify].map(record).to_vec();
        let mut seam = Seam::default();
        seam.gate.release(Side::Legacy, head.epoch);
        vec![World {
            progress: progress(&records, head),
            journal: Journal(Arc::new(records)),
            legacy: Store::default(),
            fence: Fence { closed: false, seen: head.epoch },
            backend: Store::default(),
            seams: [seam.clone(), seam],
            writes: vec![Write::Idle; self.writers.len()],
            mover: Mover::default(),
            ghost: None,
            release_all: false,
            holds_left: self.holds,
            rollbacks_left: self.rollbacks,
            crashes_left: self.crashes,
            faults_left: self.faults,
            unsound_flip: false,
            ended: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.ended {
            return;
        }
        world_acts(world, actions);
        mover_acts(self, world, actions);
        if actions.is_empty() {
            actions.push(Action::End);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Send(at) => self.send(&mut world, at),
            Action::Begin(at) => world.writes[at] = Self::begin(&world),
            Action::Commit(at) => Self::commit(&mut world, at),
            Action::Deliver(at, mail) => self.deliver(&mut world, at, mail),
            Action::Expire(at) => self.expire(&mut world, at),
            Action::Apply(direction) => world.apply(direction),
            Action::Intend => self.intend(&mut world),
            Action::Effect => self.effect(&mut world),
            Action::Finish => Self::finish(&mut world),
            Action::Fail => self.fail(&mut world),
            Action::Deadline => world.mover.late = true,
            Action::Crash => self.crash(&mut world),
            Action::Ghost => {
                let step = world.ghost.take()?;
                self.outside(&mut world, &step);
            }
            Action::End => world.ended = true,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ACKNOWLEDGED, |_, world| acknowledged_is_owned(world)),
            Property::always(ONE_SIDE, |_, world| one_side_commits(world)),
            Property::always(SOUND_FLIP, |_, world: &World| !world.unsound_flip),
            Property::always(ONCE, |_, world| executed_once(world)),
            Property::always(ENDS_WELL, |_, world: &World| !world.ended || ends_well(world)),
            Property::sometimes("a write waits in a seam", |_, world: &World| world.writes.contains(&Write::Held)),
            Property::sometimes("a run ends sealed", |_, world: &World| ends_at(world, Side::Backend)),
            Property::sometimes("a run ends at the source", |_, world: &World| ends_at(world, Side::Legacy)),
        ]
    }
}

const ACKNOWLEDGED: &str = "an acknowledged write is in the owner's state";
const ONE_SIDE: &str = "at most one side can commit";
const SOUND_FLIP: &str = "the owner changes with everything applied and nothing in flight";
const ONCE: &str = "a write is executed once, a refused one never";
const ENDS_WELL: &str = "every run ends sealed or at the source, nothing held, fenced or lost";

fn acknowledged_is_owned(world: &World) -> bool {
    let rows = match world.head().owner {
        Side::Legacy => world.legacy.rows,
        Side::Backend => world.backend.rows,
    };
    let owned = |(at, write): (usize, &Write)| *write != Write::Acknowledged || rows.has(at);
    world.writes.iter().enumerate().all(owned)
}

fn one_side_commits(world: &World) -> bool {
    let head = world.head();
    let legacy = !world.fence.closed || world.begun();
    let backend = head.owner == Side::Backend && !head.fenced;
    !(legacy && backend)
}

fn executed_once(world: &World) -> bool {
    world.writes.iter().enumerate().all(|(at, write)| {
        let executed = [world.legacy.commits.has(at), world.backend.commits.has(at)];
        match write {
            Write::Acknowledged => executed == [true, false] || executed == [false, true],
            Write::Idle | Write::Held | Write::Forwarded(..) | Write::Begun | Write::Refused => {
                executed == [false, false]
            }
        }
    })
}

fn ends_at(world: &World, side: Side) -> bool {
    world.ended && world.head().owner == side
}

fn ends_well(world: &World) -> bool {
    let head = world.head();
    let at_rest = match head.owner {
        Side::Legacy => world.progress.state() == State::Tracking,
        Side::Backend => world.progress.state() == State::Sealed,
    };
    let fence_right = world.fence.closed == (head.owner == Side::Backend) && !head.fenced;
    let answered = world.writes.iter().all(|write| matches!(write, Write::Acknowledged | Write::Refused));
    let forwards = |seam: &Seam| seam.gate.write() == Way::Forward { owner: head.owner, epoch: head.epoch };
    at_rest && fence_right && answered && world.seams.iter().all(forwards)
}

const ALL: &[Writer] = &[Writer::Through(0), Writer::Through(1), Writer::Around];
const TWO_SEAMS: &[Writer] = &[Writer::Through(0), Writer::Through(1)];
const ONE_SEAM: &[Writer] = &[Writer::Through(1)];
const SEAM_AND_AROUND: &[Writer] = &[Writer::Through(1), Writer::Around];

/// One move, three writers, and one death of the mover.
const MOVE: Bounds =
    Bounds { flaw: None, writers: ALL, holds: 1, rollbacks: 0, crashes: 1, faults: 0, release_all: false };
/// A move and its rollback.
const AND_BACK: Bounds = Bounds { writers: SEAM_AND_AROUND, holds: 2, rollbacks: 1, ..MOVE };
/// A move, its rollback, and a second move.
const AND_AGAIN: Bounds = Bounds { holds: 3, ..AND_BACK };

fn holds(name: &str, bounds: Bounds) {
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    println!("{name}: holds, {} distinct of {} states", checker.unique_state_count(), checker.state_count());
    checker.assert_properties();
}

/// Asserts that the flaw is found, by this property, with nothing else found before it.
fn breaks(flaw: Flaw, property: &'static str, bounds: Bounds) {
    let finish = stateright::HasDiscoveries::AnyOf([property].into());
    let checker = Bounds { flaw: Some(flaw), ..bounds }.checker().finish_when(finish).spawn_bfs().join();
    let path = checker.assert_any_discovery(property).into_actions();
    println!("{flaw:?}: violated after {} states by {path:?}", checker.state_count());
}

#[test]
fn one_move_holds_with_a_dead_mover() {
    holds("one move, one crash", MOVE);
}

#[test]
fn one_move_holds_when_the_second_mover_dies_too() {
    holds("one move, two crashes", Bounds { writers: SEAM_AND_AROUND, crashes: 2, ..MOVE });
}

#[test]
fn one_move_holds_when_release_all_takes_over() {
    holds("one move, release-all", Bounds { writers: SEAM_AND_AROUND, holds: 2, release_all: true, ..MOVE });
}

#[test]
fn a_rollback_holds_with_a_dead_mover() {
    holds("and back, one crash", AND_BACK);
}

#[test]
fn a_rollback_holds_with_failing_steps() {
    holds("and back, two failing steps", Bounds { crashes: 0, faults: 2, ..AND_BACK });
}

#[test]
fn a_second_move_holds_with_writes_through_two_seams() {
    holds("and again, two seams", Bounds { writers: TWO_SEAMS, crashes: 0, ..AND_AGAIN });
}

#[test]
fn a_second_move_holds_with_a_dead_mover() {
    holds("and again, one crash", Bounds { writers: ONE_SEAM, ..AND_AGAIN });
}

#[test]
fn a_mark_before_the_drain_is_found() {
    breaks(Flaw::MarkBeforeDrain, SOUND_FLIP, MOVE);
    breaks(Flaw::MarkBeforeDrain, ACKNOWLEDGED, MOVE);
}

#[test]
fn a_seam_not_waited_for_is_found() {
    breaks(Flaw::OneSeamNotWaitedFor, SOUND_FLIP, MOVE);
}

#[test]
fn a_fence_checked_at_the_statement_but_effective_at_the_commit_is_found() {
    breaks(Flaw::FenceCheckedAtTheStatement, ONE_SIDE, MOVE);
    breaks(Flaw::FenceCheckedAtTheStatement, ACKNOWLEDGED, MOVE);
}

#[test]
fn a_fence_left_behind_by_a_dead_mover_is_found() {
    breaks(Flaw::FenceLeftBehind, ENDS_WELL, MOVE);
}

#[test]
fn a_hold_that_a_dead_mover_sent_late_is_found_where_it_counts() {
    breaks(Flaw::LateHoldCounts, ENDS_WELL, MOVE);
}

#[test]
fn a_fence_that_a_dead_mover_closed_late_is_found_where_it_counts() {
    breaks(Flaw::LateFenceCounts, ENDS_WELL, MOVE);
}
