//! The names of where a move stands, for people and for `move status`.
//!
//! Nothing decides by a [`State`]; it is made from [`Progress`](crate::progress::Progress) for showing.

use vocab::id::Direction;

/// Where a shop's move stands. `stopped` is no state: it is a code beside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Planned,
    Installed,
    Copying,
    Tracking,
    Ready(Direction),
    Held(Direction),
    Drained(Direction),
    Fenced(Direction),
    Marked(Direction),
    CaughtUp(Direction),
    Proven(Direction),
    Flipped(Direction),
    Released(Direction),
    Soaking,
    Sealed,
}

impl State {
    /// The name in `move status`; the way back carries `⁻¹`.
    pub const fn name(self) -> &'static str {
        use Direction::{ToBackend, ToLegacy};
        match self {
            Self::Planned => "planned",
            Self::Installed => "installed",
            Self::Copying => "copying",
            Self::Tracking => "tracking",
            Self::Ready(ToBackend) => "ready",
            Self::Ready(ToLegacy) => "ready⁻¹",
            Self::Held(ToBackend) => "held",
            Self::Held(ToLegacy) => "held⁻¹",
            Self::Drained(ToBackend) => "drained",
            Self::Drained(ToLegacy) => "drained⁻¹",
            Self::Fenced(ToBackend) => "fenced",
            Self::Fenced(ToLegacy) => "fenced⁻¹",
            Self::Marked(ToBackend) => "marked",
            Self::Marked(ToLegacy) => "marked⁻¹",
            Self::CaughtUp(ToBackend) => "caught_up",
            Self::CaughtUp(ToLegacy) => "caught_up⁻¹",
            Self::Proven(ToBackend) => "proven",
            Self::Proven(ToLegacy) => "proven⁻¹",
            Self::Flipped(ToBackend) => "flipped",
            Self::Flipped(ToLegacy) => "flipped⁻¹",
            Self::Released(ToBackend) => "released",
            Self::Released(ToLegacy) => "released⁻¹",
            Self::Soaking => "soaking",
            Self::Sealed => "sealed",
        }
    }
}
