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
    /// Every state, in the order of a move: the way there, then the way back.
    pub const ALL: [Self; 24] = {
        use Direction::{ToBackend, ToLegacy};
        [
            Self::Planned,
            Self::Installed,
            Self::Copying,
            Self::Tracking,
            Self::Ready(ToBackend),
            Self::Held(ToBackend),
            Self::Drained(ToBackend),
            Self::Fenced(ToBackend),
            Self::Marked(ToBackend),
            Self::CaughtUp(ToBackend),
            Self::Proven(ToBackend),
            Self::Flipped(ToBackend),
            Self::Released(ToBackend),
            Self::Soaking,
            Self::Ready(ToLegacy),
            Self::Held(ToLegacy),
            Self::Drained(ToLegacy),
            Self::Fenced(ToLegacy),
            Self::Marked(ToLegacy),
            Self::CaughtUp(ToLegacy),
            Self::Proven(ToLegacy),
            Self::Flipped(ToLegacy),
            Self::Released(ToLegacy),
            Self::Sealed,
        ]
    };

    /// Reads [`State::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_name_of_its_own_and_reads_back() {
        assert!(State::ALL.into_iter().all(|state| State::from_name(state.name()) == Some(state)));
        assert_eq!(State::from_name("nowhere"), None);
    }
}
