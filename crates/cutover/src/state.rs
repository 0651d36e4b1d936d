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

/// When something happened, as a shop's move goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// The copy has not begun.
    Before,
    /// From the copy to the release, there or back.
    During,
    /// The backend owns the shop, and nothing is under way.
    After,
}

impl When {
    pub const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

impl State {
    /// Before, during or after the shop's move.
    pub const fn when(self) -> When {
        match self {
            Self::Planned | Self::Installed => When::Before,
            Self::Soaking | Self::Ready(Direction::ToLegacy) | Self::Sealed => When::After,
            Self::Copying
            | Self::Tracking
            | Self::Ready(Direction::ToBackend)
            | Self::Held(_)
            | Self::Drained(_)
            | Self::Fenced(_)
            | Self::Marked(_)
            | Self::CaughtUp(_)
            | Self::Proven(_)
            | Self::Flipped(_)
            | Self::Released(_) => When::During,
        }
    }

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
