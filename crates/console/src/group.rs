//! The states of a move as a person sorts shops: fewer than there are states, and one for what needs a look.

use cutover::state::State;
use vocab::id::Direction;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Stopped, or with open findings, wherever it stands; such a shop is in the group of its state as well.
    Attention,
    Planned,
    Copying,
    Tracking,
    Ready,
    Moving,
    Soaking,
    Sealed,
}

impl Group {
    pub const ALL: [Self; 8] = [
        Self::Attention,
        Self::Planned,
        Self::Copying,
        Self::Tracking,
        Self::Ready,
        Self::Moving,
        Self::Soaking,
        Self::Sealed,
    ];

    /// In addresses and style sheets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Planned => "planned",
            Self::Copying => "copying",
            Self::Tracking => "tracking",
            Self::Ready => "ready",
            Self::Moving => "moving",
            Self::Soaking => "soaking",
            Self::Sealed => "sealed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    pub const fn of(state: State) -> Self {
        match state {
            State::Planned => Self::Planned,
            State::Installed | State::Copying => Self::Copying,
            State::Tracking => Self::Tracking,
            State::Ready(Direction::ToBackend) => Self::Ready,
            State::Held(_)
            | State::Drained(_)
            | State::Fenced(_)
            | State::Marked(_)
            | State::CaughtUp(_)
            | State::Proven(_)
            | State::Flipped(_)
            | State::Released(_) => Self::Moving,
            State::Ready(Direction::ToLegacy) | State::Soaking => Self::Soaking,
            State::Sealed => Self::Sealed,
        }
    }
}
