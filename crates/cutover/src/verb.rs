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
    /// What stopped a shop is mended, or what a finding says may have changed: the source is read again.
    Reread,
    /// So many findings of a class, looked at by a person, block no more. Of a class, not of a shop's move.
    Accept,
}

impl Verb {
    pub const ALL: [Self; 11] = [
        Self::Start,
        Self::Dial,
        Self::DialBack,
        Self::Flip,
        Self::Rollback,
        Self::Seal,
        Self::Abort,
        Self::Pause,
        Self::Resume,
        Self::Reread,
        Self::Accept,
    ];

    /// Those that say all there is to say with a shop: [`Self::Accept`] needs a class and a number too.
    pub const OF_SHOP: [Self; 10] = {
        let [start, dial, dial_back, flip, rollback, seal, abort, pause, resume, reread, _] = Self::ALL;
        [start, dial, dial_back, flip, rollback, seal, abort, pause, resume, reread]
    };

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
            Self::Reread => "reread",
            Self::Accept => "accept",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}
