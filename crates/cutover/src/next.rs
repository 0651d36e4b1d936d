//! The next step of a move. The one function that decides.
//!
//! Before the flip everything leads back: a failure, a wish, the deadline, a hold that this process does not have.
//! After it everything leads on. There is no third state.

use crate::bounds::{FENCE_LOCK_MS_MAX, HOLD_GIVE_UP_MS, HOLD_MS_MAX};
use crate::progress::{Cutover, Ended, Progress, Stage};
use crate::ready::{Back, Condition, There};
use crate::record::{Reason, StepName};
use crate::state::State;
use crate::step::{For, Step};
use vocab::id::{Direction, Name};

/// What somebody wants of this shop now. A wish that is fulfilled is closed by the mover: `flip` when the backend
/// owns the shop, `rollback` when the legacy does, `abort` when no hold is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wishes {
    pub flip: bool,
    pub rollback: bool,
    /// End the hold under way, if the owner has not changed yet.
    pub abort: bool,
    pub seal: bool,
    /// Begin nothing; a hold under way goes on to its end.
    pub pause: bool,
    /// What stopped the shop is mended: copy it again, in place.
    pub reread: bool,
    /// Begin nothing, and end what is between hold and release: before the flip back, after it on.
    pub release_all: bool,
}

/// What the performer sees now. Volatile: a new process begins with the default, of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The hold that this process asked for; none after a restart, and in `release-all`.
    pub hold: Option<Holding>,
    /// Open work at the source: there, transactions of the legacy's role (of any kind), back, our own open payment
    /// attempts. None: not looked at since every seam was seen holding.
    pub open_work: Option<u64>,
    /// The legacy's fence is closed at the cutover's epoch. On the way back the head answers instead.
    pub fence_closed: bool,
    /// How far the target durably is: there a position of the source's log, back the `seq` applied in the legacy.
    pub applied: Option<u64>,
    /// [`REST_MS`](crate::bounds::REST_MS) have passed since the last failed step or aborted hold of this shop that
    /// this process saw.
    pub rested: bool,
    /// The code of what stopped this shop; looked at only outside a cutover.
    pub stopped: Option<Name>,
    pub there: There,
    pub back: Back,
}

/// A hold as the process that asked for it sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Holding {
    /// Since the first seam was told.
    pub elapsed_ms: u32,
    /// Every seam that serves holds now, at this cutover's epoch. A seam that is not connected counts as not holding,
    /// until it has been silent for longer than [`ROUTE_STALE_MS`](crate::bounds::ROUTE_STALE_MS).
    pub acknowledged: bool,
    /// Writes that seams forwarded and that are not answered, over all seams; true only when `acknowledged`.
    pub in_flight_zero: bool,
    /// A seam said that its queue is nearly full.
    pub overflow: bool,
}

/// Says what to do next. Perform it in the order that [`crate::step`] gives, record its outcome whatever it is, then ask
/// again with fresh records and a fresh look. On `Wait`, observe what it names and ask again.
///
/// An intent without an outcome is read as the death of its performer; never ask between the two.
pub fn next(progress: &Progress, wishes: &Wishes, observed: &Observed) -> Step {
    let step = match &progress.stage {
        Stage::Cutover(cutover) => in_cutover(cutover, progress, wishes, observed),
        _ if wishes.release_all => Step::Wait(For::Wish),
        // What is half done goes on, whatever was wished since.
        Stage::Released(Direction::ToBackend) => Step::Soak,
        Stage::Released(Direction::ToLegacy) => Step::Track,
        Stage::Sealing => Step::Seal,
        Stage::Sealed => Step::Wait(For::Nothing),
        Stage::Planned | Stage::Installed | Stage::Copying | Stage::Copied | Stage::Tracking | Stage::Soaking => {
            begin(progress, wishes, observed)
        }
    };
    let failed_before = step.name().is_some() && step.name() == progress.last_failed;
    if failed_before && !observed.rested { Step::Wait(For::Rest) } else { step }
}

/// The state to show: tracking that could hold now is ready, and so is soaking that is asked to go back and could.
pub fn state_now(progress: &Progress, wishes: &Wishes, observed: &Observed) -> State {
    let tracking = matches!(progress.stage, Stage::Tracking);
    let soaking = matches!(progress.stage, Stage::Soaking);
    if tracking && unmet_there(progress, observed).is_none() {
        State::Ready(Direction::ToBackend)
    } else if soaking && wishes.rollback && observed.back.unmet().is_none() {
        State::Ready(Direction::ToLegacy)
    } else {
        progress.state()
    }
}

/// The next step of a shop at which nothing is half done: only now a pause or a stop counts.
fn begin(progress: &Progress, wishes: &Wishes, observed: &Observed) -> Step {
    if wishes.pause {
        return Step::Wait(For::Resume);
    }
    if let Some(code) = &observed.stopped {
        // A copy that is no longer to be trusted is made again; what the backend owns is not copied from anywhere.
        let again = wishes.reread && !matches!(progress.stage, Stage::Planned | Stage::Soaking);
        return if again { Step::Reread } else { Step::Wait(For::Help(code.clone())) };
    }
    match (&progress.stage, progress.verified) {
        (Stage::Planned, _) => Step::Install,
        (Stage::Installed | Stage::Copying, _) => Step::Copy,
        (Stage::Copied, _) => Step::Track,
        (Stage::Tracking, false) => Step::Verify,
        (Stage::Tracking, true) if wishes.flip => hold_if(observed.there.unmet(), progress, observed),
        (Stage::Soaking, _) if wishes.rollback => hold_if(observed.back.unmet(), progress, observed),
        (Stage::Soaking, _) if wishes.seal => {
            observed.back.unmet_for_seal().map_or(Step::Seal, |condition| Step::Wait(For::Condition(condition)))
        }
        _ => Step::Wait(For::Wish),
    }
}

fn unmet_there(progress: &Progress, observed: &Observed) -> Option<Condition> {
    if progress.verified { observed.there.unmet() } else { Some(Condition::Verified) }
}

fn hold_if(unmet: Option<Condition>, progress: &Progress, observed: &Observed) -> Step {
    match unmet {
        Some(condition) => Step::Wait(For::Condition(condition)),
        None if !observed.rested => Step::Wait(For::Rest),
        None => Step::Hold { epoch: progress.head.epoch.next(), deadline_ms: HOLD_MS_MAX },
    }
}

fn in_cutover(cutover: &Cutover, progress: &Progress, wishes: &Wishes, observed: &Observed) -> Step {
    let Cutover { direction, epoch, .. } = *cutover;
    match cutover.ended {
        // The legacy's fence is closed while the backend owns the shop: open it before anybody is sent there.
        Some(Ended::Flipped) if direction == Direction::ToLegacy && !cutover.unfenced => {
            Step::Unfence { epoch, reason: None }
        }
        Some(Ended::Flipped) => Step::Release { owner: direction.target(), epoch },
        Some(Ended::Aborted) => Step::Release { owner: direction.source(), epoch },
        None => match holding(cutover, progress, wishes, observed) {
            Ok((reached, holding)) => forward(cutover, reached, holding, observed),
            Err(reason) => back(cutover, reason),
        },
    }
}

/// The last step done and the hold, if the cutover may go on towards its flip; else why not.
fn holding(
    cutover: &Cutover,
    progress: &Progress,
    wishes: &Wishes,
    observed: &Observed,
) -> Result<(StepName, Holding), Reason> {
    if let Some(reason) = &cutover.given_up {
        return Err(reason.clone());
    }
    let (None, Some(reached), Some(holding)) = (cutover.intended, cutover.reached, observed.hold) else {
        return Err(Reason::Lost);
    };
    let fence_closed = match cutover.direction {
        Direction::ToBackend => observed.fence_closed,
        Direction::ToLegacy => progress.head.fenced,
    };
    let quiet = holding.acknowledged && holding.in_flight_zero;
    let lost = [
        (wishes.release_all, Reason::ReleaseAll),
        (wishes.abort, Reason::Wished),
        (holding.elapsed_ms >= HOLD_GIVE_UP_MS, Reason::Deadline),
        (holding.overflow, Reason::Overflow),
        (reached >= StepName::Drain && !quiet, Reason::SeamLost),
        (reached >= StepName::Fence && !fence_closed, Reason::FenceOpen),
    ];
    match lost.into_iter().find(|(lost, _)| *lost) {
        Some((_, reason)) => Err(reason),
        None => Ok((reached, holding)),
    }
}

fn forward(cutover: &Cutover, reached: StepName, holding: Holding, observed: &Observed) -> Step {
    let epoch = cutover.epoch;
    match reached {
        StepName::Hold if !holding.acknowledged => Step::Wait(For::Acknowledgements),
        StepName::Hold if !holding.in_flight_zero => Step::Wait(For::InFlight),
        StepName::Hold if observed.open_work != Some(0) => Step::Wait(For::OpenWork),
        StepName::Hold => Step::Drain,
        StepName::Drain => {
            let left_ms = HOLD_GIVE_UP_MS.saturating_sub(holding.elapsed_ms);
            Step::Fence { epoch, lock_ms_max: FENCE_LOCK_MS_MAX.min(left_ms) }
        }
        StepName::Fence => Step::Mark,
        StepName::Mark => at_mark(cutover, observed, |until| Step::CatchUp { until }),
        StepName::CatchUp => Step::Prove,
        StepName::Prove => at_mark(cutover, observed, |_| Step::Flip { owner: cutover.direction.target(), epoch }),
        StepName::Flip
        | StepName::Release
        | StepName::Abort
        | StepName::Unfence
        | StepName::Install
        | StepName::Copy
        | StepName::Track
        | StepName::Verify
        | StepName::Reread
        | StepName::Soak
        | StepName::Seal => back(cutover, Reason::Lost),
    }
}

/// The step, if the target stands at the mark.
fn at_mark(cutover: &Cutover, observed: &Observed, step: impl FnOnce(u64) -> Step) -> Step {
    let Some(mark) = cutover.mark else {
        return back(cutover, Reason::Failed("mark_without_position".into()));
    };
    if observed.applied.is_some_and(|applied| applied >= mark) { step(mark) } else { Step::Wait(For::Applied(mark)) }
}

/// Towards the source. The legacy's fence is opened only where the legacy is the source: it stays the owner.
fn back(cutover: &Cutover, reason: Reason) -> Step {
    let Cutover { direction, epoch, .. } = *cutover;
    if direction == Direction::ToBackend && cutover.fence_touched && !cutover.unfenced {
        return Step::Unfence { epoch, reason: Some(reason) };
    }
    Step::Abort { epoch, reason }
}
