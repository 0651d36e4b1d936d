//! Rails: the ways to be paid, each through a provider that holds the licence and the money.
//!
//! A rail is asked and told under references that are on record before the first byte goes out, and what it says is put into
//! the few words that an intent knows: a word that nobody here knows says nothing, and a no is believed only where it is one.
//! Absent on purpose: when to ask, and what follows (`commerce::intent` decides, `payment` performs).

mod card;
mod loket;
pub mod rupiah;
mod signed;

pub use card::CardToken;
pub use loket::{Config, Loket};
pub use signed::{Admitted, NotAdmitted};

use commerce::intent::{Answer, Receipt};
use vocab::id::Timestamp;

/// What a rail said of a try. What the buyer is to be shown is payment data: this type does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    pub answer: Answer,
    pub shown: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub receipts: Vec<Receipt>,
    /// Why an answer that came says nothing: somebody may have to look.
    pub odd: Option<&'static str>,
}

impl Said {
    /// No answer, or none that says anything.
    pub(crate) fn nothing(odd: Option<&'static str>) -> Self {
        Self::only(Answer::Nothing, odd)
    }

    pub(crate) fn only(answer: Answer, odd: Option<&'static str>) -> Self {
        Self { answer, shown: None, expires_at: None, receipts: Vec::new(), odd }
    }
}
