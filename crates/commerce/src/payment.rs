//! Payment: an attempt, what the buyer chose, and the instant rail that answers.
//!
//! The rail is a pure function of the attempt and the choice, so that asking again after a crash answers the same and
//! charges nobody twice.

/// What the buyer chose among the instruments of the instant rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Approve,
    Decline,
}

impl Choice {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Decline => "decline",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Approve, Self::Decline].into_iter().find(|choice| choice.name() == name)
    }
}

/// One try to be paid; its id is the reference under which the rail knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    id: String,
    choice: Choice,
}

impl Attempt {
    /// None for an empty id.
    pub fn new(id: impl Into<String>, choice: Choice) -> Option<Self> {
        let id = id.into();
        (!id.is_empty()).then_some(Self { id, choice })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub const fn choice(&self) -> Choice {
        self.choice
    }
}

/// The name of the rail, as payments carry it.
pub const INSTANT: &str = "instant";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Approved,
    Declined,
}

/// The instant rail.
pub const fn ask(attempt: &Attempt) -> Outcome {
    match attempt.choice {
        Choice::Approve => Outcome::Approved,
        Choice::Decline => Outcome::Declined,
    }
}
