//! What is durable about a move: its step records, and the head of the shop.
//!
//! A step record is written before its step's effect (`Intent`) and after it (`Done`, `Failed`). It is the mover's
//! own: it is not among the shop's facts and never raises `seq`.

use std::fmt;
use vocab::id::{Direction, Epoch, Name, Seq, Side};

/// What a step is called, in records, crash points and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepName {
    Install,
    Copy,
    Track,
    Verify,
    Hold,
    Drain,
    Fence,
    Mark,
    CatchUp,
    Prove,
    Flip,
    Release,
    Abort,
    Unfence,
    Reread,
    Soak,
    Seal,
}

impl StepName {
    pub const ALL: [Self; 17] = [
        Self::Install,
        Self::Copy,
        Self::Track,
        Self::Verify,
        Self::Hold,
        Self::Drain,
        Self::Fence,
        Self::Mark,
        Self::CatchUp,
        Self::Prove,
        Self::Flip,
        Self::Release,
        Self::Abort,
        Self::Unfence,
        Self::Reread,
        Self::Soak,
        Self::Seal,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Copy => "copy",
            Self::Track => "track",
            Self::Verify => "verify",
            Self::Hold => "hold",
            Self::Drain => "drain",
            Self::Fence => "fence",
            Self::Mark => "mark",
            Self::CatchUp => "catch_up",
            Self::Prove => "prove",
            Self::Flip => "flip",
            Self::Release => "release",
            Self::Abort => "abort",
            Self::Unfence => "unfence",
            Self::Reread => "reread",
            Self::Soak => "soak",
            Self::Seal => "seal",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Written before the effect. Without an outcome after it: the performer died, and the effect is unknown.
    Intent,
    Done,
    /// The effect did not happen, or it is not known whether it did.
    Failed,
}

impl Phase {
    pub const ALL: [Self; 3] = [Self::Intent, Self::Done, Self::Failed];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

/// Why a step failed, or a hold was given up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The hold was about to reach its deadline.
    Deadline,
    /// The process that held the shop is gone, or the step's outcome is unknown.
    Lost,
    /// Somebody wished the abort.
    Wished,
    /// `release-all`.
    ReleaseAll,
    /// A seam could not hold any more: count or bytes.
    Overflow,
    /// A seam that had acknowledged the hold does not hold any more, or forwarded a write.
    SeamLost,
    /// The fence was closed and is open.
    FenceOpen,
    /// So many aggregates differ.
    Mismatch(u64),
    /// The performer's code for what failed in the world: `source.lock_timeout`, `store.busy`.
    Failed(Name),
}

impl Reason {
    /// The text kept in the record; [`Reason::parse`] reads it back.
    pub fn code(&self) -> String {
        self.to_string()
    }

    /// Reads [`Reason::code`]; any other text is a [`Reason::Failed`] with that code.
    pub fn parse(code: &str) -> Self {
        let mismatch = code.strip_prefix("mismatch:").and_then(|count| count.parse().ok());
        match code {
            "deadline" => Self::Deadline,
            "lost" => Self::Lost,
            "wished" => Self::Wished,
            "release_all" => Self::ReleaseAll,
            "overflow" => Self::Overflow,
            "seam_lost" => Self::SeamLost,
            "fence_open" => Self::FenceOpen,
            _ => mismatch.map_or_else(|| Self::Failed(code.into()), Self::Mismatch),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("deadline"),
            Self::Lost => f.write_str("lost"),
            Self::Wished => f.write_str("wished"),
            Self::ReleaseAll => f.write_str("release_all"),
            Self::Overflow => f.write_str("overflow"),
            Self::SeamLost => f.write_str("seam_lost"),
            Self::FenceOpen => f.write_str("fence_open"),
            Self::Mismatch(count) => write!(f, "mismatch:{count}"),
            Self::Failed(code) => f.write_str(code),
        }
    }
}

/// One durable step record of a shop. The order of a shop's records is the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Of a cutover step: the epoch that the hold took (the head's + 1). Of a long step: the head's.
    pub epoch: Epoch,
    pub direction: Direction,
    pub step: StepName,
    pub phase: Phase,
    /// On `Mark` `Done`: the position up to which the source's changes count. There: a position of the source's
    /// log. Back: the shop's `seq`.
    pub mark: Option<u64>,
    /// On `Flip` `Done` there: the shop's `seq` at the flip; the way back carries the facts above it.
    pub reverse_start: Option<Seq>,
    /// On `Failed`; and on the intent of what an abort does.
    pub reason: Option<Reason>,
}

impl Record {
    /// The record that says this intent was fulfilled.
    #[must_use]
    pub fn done(&self) -> Self {
        Self { phase: Phase::Done, ..self.clone() }
    }

    /// The record that says it was not, or that nobody knows.
    #[must_use]
    pub fn failed(&self, reason: Reason) -> Self {
        Self { phase: Phase::Failed, reason: Some(reason), ..self.clone() }
    }

    /// With the position that `Mark` found.
    #[must_use]
    pub fn with_mark(self, mark: u64) -> Self {
        Self { mark: Some(mark), ..self }
    }

    /// With the `seq` that the flip there found in the head.
    #[must_use]
    pub fn with_reverse_start(self, seq: Seq) -> Self {
        Self { reverse_start: Some(seq), ..self }
    }
}

/// What of the shop's head a cutover needs. Read in the same transaction as the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    pub owner: Side,
    pub epoch: Epoch,
    /// Our own fence: the backend's commits are refused. Only the way back closes it.
    pub fenced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_as_text_reads_back() {
        assert!(StepName::ALL.into_iter().all(|step| StepName::from_name(step.name()) == Some(step)));
        assert!(Phase::ALL.into_iter().all(|phase| Phase::from_name(phase.name()) == Some(phase)));
        let codes = [
            Reason::Deadline,
            Reason::Lost,
            Reason::Wished,
            Reason::ReleaseAll,
            Reason::Overflow,
            Reason::SeamLost,
            Reason::FenceOpen,
            Reason::Mismatch(12),
            Reason::Failed("source.lock_timeout".into()),
        ];
        assert!(codes.iter().all(|reason| Reason::parse(&reason.code()) == *reason));
        assert_eq!(Reason::parse("mismatch:x"), Reason::Failed("mismatch:x".into()));
    }

    #[test]
    fn a_step_with_crash_points_has_their_name() {
        for step in StepName::ALL {
            assert!(step.point().is_none_or(|point| point.name() == step.name()), "{step:?}");
        }
        let pointed = StepName::ALL.into_iter().filter_map(StepName::point).count();
        assert_eq!(pointed, crash::Step::ALL.len());
    }
}
