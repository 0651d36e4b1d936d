//! The steps of a move, as data.
//!
//! Whoever performs a step keeps this order, so that every crash point means what it says:
//! `reach(Before)` → record the intent → `reach(During)` → the effect → `reach(After)` → record done or failed.
//! Where the effect is a change of our own head (flip, abort, the fence on the way back), the change and the
//! record of its completion are one transaction, and `reach(After)` comes after it. Inside a hold the record done may
//! be stored together with the intent that follows it: until then nothing else is done, and a crash in between leaves
//! an intent without an outcome, as a crash right after the effect does.
//!
//! Records and changes of the head are refused to a process without the lease, so a mover that was thought dead can
//! late only do what happens outside our store: close or open the legacy's fence, speak to seams. Those carry epochs.
//!
//! Every effect may be repeated under its (shop, epoch, direction, step): a step whose outcome is unknown is either
//! performed again or undone by an abort.

use crate::ready::Condition;
use crate::record::{Reason, StepName};
use crash::Act;
use std::fmt;
use vocab::id::{Direction, Epoch, Name, Side};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Install our objects in the legacy's database, the fence open, and test them.
    Install,
    /// Copy the shop's rows. Repeatable from any point.
    Copy,
    /// Begin to derive the way there, after the copy or after a rollback; the verification starts from nothing.
    Track,
    /// One complete verification of the shop, with the rehearsal of the way back. Long; tracking goes on beside it.
    Verify,
    /// Tell every seam to hold this shop's writes and questions. Done when told; who acknowledged is observed.
    Hold { epoch: Epoch, deadline_ms: u32 },
    /// Returned once every seam was seen holding, with nothing in flight, and nothing open at the source. The effect
    /// is one more look at all three: failed if one of them does not hold.
    Drain,
    /// Close the source's fence at `epoch`, waiting for locks at most so long. There: in the legacy's database,
    /// refused if the fence has seen a later epoch, or was opened at this one. Back: `fenced` on our head.
    Fence { epoch: Epoch, lock_ms_max: u32 },
    /// Find the position below which everything of the source is: there by a marker written now, back the shop's
    /// `seq`. The done record carries it.
    Mark,
    /// Returned once the target was seen at `until` or beyond. The effect makes that durable and looks once more.
    CatchUp { until: u64 },
    /// Compare everything that changed since the last verification pass. Failed with
    /// [`Reason::Mismatch`] if something differs.
    Prove,
    /// One commit on the head, only if it still has the source as owner and the epoch before this one: the owner,
    /// the epoch, `fenced` off. There the done record carries the head's `seq` as the reverse start.
    Flip { owner: Side, epoch: Epoch },
    /// Push the route to every seam; when each has acknowledged it (or has been silent for longer than
    /// [`ROUTE_STALE_MS`](crate::bounds::ROUTE_STALE_MS)), release: the held requests go to the owner in their order.
    /// Done when each has acknowledged that too.
    Release { owner: Side, epoch: Epoch },
    /// One commit on the head, only if it still has the epoch before this one: the epoch, `fenced` off; the owner
    /// stays.
    Abort { epoch: Epoch, reason: Reason },
    /// Open the fence in the legacy's database at `epoch`, also where it is open, so that closing it at this epoch is
    /// refused from then on; itself refused (failed) if the fence has seen a later epoch. With a reason: an abort of
    /// the way there. Without: the end of the way back, the legacy owns the shop.
    Unfence { epoch: Epoch, reason: Option<Reason> },
    /// After a stop whose cause is mended: install again, see that the stream goes on, and forget what was copied. The
    /// copy follows, from nothing.
    Reread,
    /// Begin to carry facts back to the legacy.
    Soak,
    /// Close the way back: revoke the legacy's tables, drop what is ours there, delete the staged rows.
    Seal,
    /// Nothing to do until this has changed; observe it and ask again.
    Wait(For),
}

/// What a wait is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum For {
    /// Every seam to acknowledge the hold.
    Acknowledgements,
    /// The writes that the seams forwarded before the hold.
    InFlight,
    /// Open work at the source: any transaction of the legacy's role, or our own open payment attempts.
    OpenWork,
    /// The target to stand at this position.
    Applied(u64),
    /// The first condition that is not met, for what is wished.
    Condition(Condition),
    /// A wish.
    Wish,
    /// The end of a pause.
    Resume,
    /// [`REST_MS`](crate::bounds::REST_MS) after a failure.
    Rest,
    /// A person: the code says what is wrong.
    Help(Name),
    /// Nothing: the move is over.
    Nothing,
}

impl StepName {
    /// The step's crash points; none where the long work has points of its own, or nothing can be half done.
    pub const fn point(self) -> Option<crash::Step> {
        match self {
            Self::Install | Self::Copy | Self::Track | Self::Verify | Self::Reread | Self::Soak => None,
            Self::Hold => Some(crash::Step::Hold),
            Self::Drain => Some(crash::Step::Drain),
            Self::Fence => Some(crash::Step::Fence),
            Self::Mark => Some(crash::Step::Mark),
            Self::CatchUp => Some(crash::Step::CatchUp),
            Self::Prove => Some(crash::Step::Prove),
            Self::Flip => Some(crash::Step::Flip),
            Self::Release => Some(crash::Step::Release),
            Self::Abort => Some(crash::Step::Abort),
            Self::Unfence => Some(crash::Step::Unfence),
            Self::Seal => Some(crash::Step::Seal),
        }
    }
}

impl Step {
    /// What the step is called; none for a wait, which is never recorded.
    pub const fn name(&self) -> Option<StepName> {
        Some(match self {
            Self::Install => StepName::Install,
            Self::Copy => StepName::Copy,
            Self::Track => StepName::Track,
            Self::Verify => StepName::Verify,
            Self::Hold { .. } => StepName::Hold,
            Self::Drain => StepName::Drain,
            Self::Fence { .. } => StepName::Fence,
            Self::Mark => StepName::Mark,
            Self::CatchUp { .. } => StepName::CatchUp,
            Self::Prove => StepName::Prove,
            Self::Flip { .. } => StepName::Flip,
            Self::Release { .. } => StepName::Release,
            Self::Abort { .. } => StepName::Abort,
            Self::Unfence { .. } => StepName::Unfence,
            Self::Reread => StepName::Reread,
            Self::Soak => StepName::Soak,
            Self::Seal => StepName::Seal,
            Self::Wait(_) => return None,
        })
    }

    /// The act whose crash points surround the step.
    pub fn act(&self, direction: Direction) -> Option<Act> {
        let step = self.name()?.point()?;
        Some(match direction {
            Direction::ToBackend => Act::Move(step),
            Direction::ToLegacy => Act::Back(step),
        })
    }

    /// Why, where the step is part of an abort.
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Abort { reason, .. } => Some(reason),
            Self::Unfence { reason, .. } => reason.as_ref(),
            Self::Install
            | Self::Copy
            | Self::Track
            | Self::Verify
            | Self::Hold { .. }
            | Self::Drain
            | Self::Fence { .. }
            | Self::Mark
            | Self::CatchUp { .. }
            | Self::Prove
            | Self::Flip { .. }
            | Self::Release { .. }
            | Self::Reread
            | Self::Soak
            | Self::Seal
            | Self::Wait(_) => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install => f.write_str("install"),
            Self::Copy => f.write_str("copy"),
            Self::Track => f.write_str("track"),
            Self::Verify => f.write_str("verify"),
            Self::Hold { epoch, deadline_ms } => write!(f, "hold at epoch {epoch}, at most {deadline_ms} ms"),
            Self::Drain => f.write_str("drain"),
            Self::Fence { epoch, lock_ms_max } => {
                write!(f, "fence at epoch {epoch}, waiting at most {lock_ms_max} ms")
            }
            Self::Mark => f.write_str("mark"),
            Self::CatchUp { until } => write!(f, "catch up until {until}"),
            Self::Prove => f.write_str("prove"),
            Self::Flip { owner, epoch } => write!(f, "flip to {} at epoch {epoch}", owner.name()),
            Self::Release { owner, epoch } => write!(f, "release to {} at epoch {epoch}", owner.name()),
            Self::Abort { epoch, reason } => write!(f, "abort at epoch {epoch}: {reason}"),
            Self::Unfence { epoch, reason: Some(reason) } => write!(f, "unfence at epoch {epoch}: {reason}"),
            Self::Unfence { epoch, reason: None } => write!(f, "unfence at epoch {epoch}"),
            Self::Reread => f.write_str("reread"),
            Self::Soak => f.write_str("soak"),
            Self::Seal => f.write_str("seal"),
            Self::Wait(what) => write!(f, "wait for {what}"),
        }
    }
}

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledgements => f.write_str("every seam to hold"),
            Self::InFlight => f.write_str("what is in flight"),
            Self::OpenWork => f.write_str("open work at the source"),
            Self::Applied(until) => write!(f, "the target to stand at {until}"),
            Self::Condition(condition) => write!(f, "condition {}", condition.name()),
            Self::Wish => f.write_str("a wish"),
            Self::Resume => f.write_str("the end of the pause"),
            Self::Rest => f.write_str("a rest after a failure"),
            Self::Help(code) => write!(f, "help: {code}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}
