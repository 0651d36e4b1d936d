//! What can be wished of a move: the words that a wish carries, a command line takes and a page shows.

/// What can be wished of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Flip,
    Rollback,
    Seal,
    Abort,
    Pause,
    Resume,
    /// Reads of the catalogue are answered by the copy, while it is fresh.
    Dial,
    /// And by the owner again.
    DialBack,
}

impl Verb {
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Dial,
        Self::DialBack,
        Self::Flip,
        Self::Rollback,
        Self::Seal,
        Self::Abort,
        Self::Pause,
        Self::Resume,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Flip => "flip",
            Self::Rollback => "rollback",
            Self::Seal => "seal",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Dial => "dial",
            Self::DialBack => "dial_back",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}
