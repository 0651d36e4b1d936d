//! What can befall a source, where a move may stand when it does, and what must come of it.

use cutover::state::State;
use std::fmt;
use vocab::id::Direction;

/// Where the shop's move stands when the fault comes. Each stands for the states of [`State`] that [`Phase::of`] gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Copying,
    /// Copied, and not ready: a row of it cannot be read.
    Tracking,
    Ready,
    /// Inside the hold of the flip, drained by the seam, before the fence.
    Held,
    /// Inside the hold of the flip, behind the fence.
    Fenced,
    Soaking,
    /// Inside the hold of the way back, fenced at our head.
    HeldBack,
}

impl Phase {
    pub const ALL: [Self; 7] =
        [Self::Copying, Self::Tracking, Self::Ready, Self::Held, Self::Fenced, Self::Soaking, Self::HeldBack];

    /// Its place in [`ALL`](Self::ALL): whoever adds a phase is led here by the compiler.
    pub const fn number(self) -> usize {
        match self {
            Self::Copying => 0,
            Self::Tracking => 1,
            Self::Ready => 2,
            Self::Held => 3,
            Self::Fenced => 4,
            Self::Soaking => 5,
            Self::HeldBack => 6,
        }
    }

    /// Where a fault that comes in this state strikes; none where none can matter any more. A new state is led here by the
    /// compiler, so that the table leaves none out.
    pub const fn of(state: State) -> Option<Self> {
        use Direction::{ToBackend, ToLegacy};
        match state {
            // Of a shop that is not begun nothing is known yet: the copy meets what it finds.
            State::Planned | State::Installed | State::Copying => Some(Self::Copying),
            State::Tracking => Some(Self::Tracking),
            State::Ready(ToBackend) => Some(Self::Ready),
            State::Held(ToBackend) | State::Drained(ToBackend) => Some(Self::Held),
            State::Fenced(ToBackend)
            | State::Marked(ToBackend)
            | State::CaughtUp(ToBackend)
            | State::Proven(ToBackend) => Some(Self::Fenced),
            // The backend owns it, whatever the source does.
            State::Flipped(ToBackend) | State::Released(ToBackend) | State::Soaking | State::Ready(ToLegacy) => {
                Some(Self::Soaking)
            }
            State::Held(ToLegacy)
            | State::Drained(ToLegacy)
            | State::Fenced(ToLegacy)
            | State::Marked(ToLegacy)
            | State::CaughtUp(ToLegacy)
            | State::Proven(ToLegacy) => Some(Self::HeldBack),
            // The legacy owns it again, with copy and stream as before the flip.
            State::Flipped(ToLegacy) | State::Released(ToLegacy) => Some(Self::Ready),
            State::Sealed => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::Tracking => "tracking",
            Self::Ready => "ready",
            Self::Held => "held",
            Self::Fenced => "fenced",
            Self::Soaking => "soaking",
            Self::HeldBack => "fenced⁻¹",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Every session of ours is ended by the server, the stream's too.
    SessionsKilled,
    SlotDropped,
    /// The server throws away the log that the slot needs.
    SlotInvalidated,
    /// 200,000 rows in one transaction.
    LargeTransaction,
    /// A transaction that stays open, from before the phase until well into it.
    OpenTransaction,
    ColumnAdded,
    ColumnDropped,
    ColumnRenamed,
    ColumnRetyped,
    Truncated,
    /// Rows whose wide values are stored out of line change elsewhere, one of them its key.
    WideUnchanged,
    /// Somebody writes the shop's rows with SQL, in a session that fires no ordinary trigger.
    RogueWriter,
    /// The same, past our triggers.
    RogueBypass,
    ClockForward,
    ClockBack,
    /// The file of the staged rows can grow no more.
    StagedFull,
    /// The server is one that is behind where our stream has been.
    Failover,
}

impl Fault {
    pub const ALL: [Self; 17] = [
        Self::SessionsKilled,
        Self::SlotDropped,
        Self::SlotInvalidated,
        Self::LargeTransaction,
        Self::OpenTransaction,
        Self::ColumnAdded,
        Self::ColumnDropped,
        Self::ColumnRenamed,
        Self::ColumnRetyped,
        Self::Truncated,
        Self::WideUnchanged,
        Self::RogueWriter,
        Self::RogueBypass,
        Self::ClockForward,
        Self::ClockBack,
        Self::StagedFull,
        Self::Failover,
    ];

    pub const fn number(self) -> usize {
        match self {
            Self::SessionsKilled => 0,
            Self::SlotDropped => 1,
            Self::SlotInvalidated => 2,
            Self::LargeTransaction => 3,
            Self::OpenTransaction => 4,
            Self::ColumnAdded => 5,
            Self::ColumnDropped => 6,
            Self::ColumnRenamed => 7,
            Self::ColumnRetyped => 8,
            Self::Truncated => 9,
            Self::WideUnchanged => 10,
            Self::RogueWriter => 11,
            Self::RogueBypass => 12,
            Self::ClockForward => 13,
            Self::ClockBack => 14,
            Self::StagedFull => 15,
            Self::Failover => 16,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionsKilled => "sessions killed",
            Self::SlotDropped => "slot dropped",
            Self::SlotInvalidated => "slot invalidated",
            Self::LargeTransaction => "200,000 rows at once",
            Self::OpenTransaction => "transaction left open",
            Self::ColumnAdded => "column added",
            Self::ColumnDropped => "column dropped",
            Self::ColumnRenamed => "column renamed",
            Self::ColumnRetyped => "column of another type",
            Self::Truncated => "table truncated",
            Self::WideUnchanged => "wide value unchanged",
            Self::RogueWriter => "rogue writer",
            Self::RogueBypass => "rogue past the fence",
            Self::ClockForward => "clock 6 h ahead",
            Self::ClockBack => "clock 6 h back",
            Self::StagedFull => "staged rows full",
            Self::Failover => "failover behind us",
        }
    }

    /// It takes long.
    pub fn is_large(self) -> bool {
        matches!(self, Self::LargeTransaction | Self::StagedFull)
    }

    /// What must come of it.
    pub const fn due(self, phase: Phase) -> Outcome {
        match self {
            Self::SessionsKilled
            | Self::LargeTransaction
            | Self::OpenTransaction
            | Self::ColumnAdded
            | Self::Truncated
            | Self::WideUnchanged
            | Self::RogueWriter
            | Self::ClockForward
            | Self::ClockBack
            | Self::StagedFull => Outcome::Continued,
            Self::SlotDropped | Self::SlotInvalidated | Self::Failover => Outcome::Stopped(Whom::All, "stream.lost"),
            Self::ColumnDropped | Self::ColumnRenamed | Self::ColumnRetyped => {
                Outcome::Stopped(Whom::All, "schema.changed")
            }
            Self::RogueBypass => match phase {
                // It is the legacy's own data still, and is taken along.
                Phase::Copying | Phase::Tracking | Phase::Ready | Phase::Held | Phase::Fenced => Outcome::Continued,
                Phase::Soaking | Phase::HeldBack => Outcome::Stopped(Whom::One, "rogue_watch"),
            },
        }
    }
}

/// Whom a fault stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The shop that it befell.
    One,
    /// Every planned shop: what is broken is theirs together.
    All,
}

/// There is no third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Continued,
    Stopped(Whom, &'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continued => f.write_str("continued"),
            Self::Stopped(Whom::One, code) => write!(f, "stopped(this shop, {code})"),
            Self::Stopped(Whom::All, code) => write!(f, "stopped(all planned shops, {code})"),
        }
    }
}
