//! What is paid later: how far a checkout has come whose buyer pays in their own time, step by step, as the journal has it.
//!
//! Between a step that may change the checkout and the answer that tells, nobody can say how the checkout looks.

use serde::{Deserialize, Serialize};

/// What a buyer is about to do, or was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// How to pay is about to be chosen, on the page of this link.
    Chooses { link: String },
    /// The page shows what to pay with, and perhaps which order it will be.
    Code { order: Option<String> },
    /// The shop keeps the units for whoever pays.
    Waits,
    /// It is about to be paid.
    Pays,
    /// The provider has the money.
    Paid,
    /// There is an order.
    Completed,
    /// Nothing is to be paid any more, and the units are on the shelf.
    LetGo,
}

/// One checkout that is, or was, to be paid later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    pub link: String,
    /// The order that the page promised before it was paid.
    pub order: Option<String>,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Choosing,
    Waiting,
    Paying,
    Paid,
    Completed,
    LetGo,
}

impl Later {
    pub fn new(link: String) -> Self {
        Self { link, order: None, stage: Stage::Choosing }
    }

    /// Takes a step; says whether nobody can say from now on how the checkout looks, where that changes.
    pub fn take(&mut self, step: &Step) -> Option<bool> {
        let (stage, busy) = match step {
            Step::Chooses { .. } => (Stage::Choosing, true),
            Step::Code { order } => {
                self.order = self.order.take().or_else(|| order.clone());
                return None;
            }
            Step::Waits => (Stage::Waiting, false),
            Step::Pays => (Stage::Paying, true),
            Step::Paid => (Stage::Paid, true),
            Step::Completed => (Stage::Completed, false),
            Step::LetGo => (Stage::LetGo, false),
        };
        self.stage = stage;
        Some(busy)
    }

    /// Whether somebody has to look after it, or may.
    pub fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Completed | Stage::LetGo)
    }
}

/// Of all checkouts that were to be paid later: those that showed what to pay with, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub begun: u64,
    pub paid: u64,
    pub completed: u64,
    pub open: u64,
}

impl Figures {
    pub fn add(&mut self, later: &Later) {
        let (begun, paid) = match later.stage {
            Stage::Choosing | Stage::LetGo => return,
            Stage::Waiting | Stage::Paying => (1, 0),
            Stage::Paid | Stage::Completed => (1, 1),
        };
        self.begun += begun;
        self.paid += paid;
        self.completed += u64::from(later.stage == Stage::Completed);
        self.open += begun - paid;
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Later, Step};

    #[test]
    fn what_is_paid_later_is_counted_by_how_far_it_came() {
        let chooses = || Step::Chooses { link: "l".into() };
        let ways = [
            vec![chooses()],
            vec![chooses(), Step::LetGo],
            vec![chooses(), Step::Waits],
            vec![chooses(), Step::Waits, Step::Pays],
            vec![chooses(), Step::Waits, Step::Pays, Step::Paid],
            vec![chooses(), Step::Waits, Step::Pays, Step::Paid, Step::Completed],
        ];
        let mut figures = Figures::default();
        for steps in ways {
            let mut later = Later::new("l".into());
            for step in &steps {
                later.take(step);
            }
            figures.add(&later);
        }
        assert_eq!(figures, Figures { begun: 4, paid: 2, completed: 1, open: 2 });
    }

    #[test]
    fn the_order_that_was_promised_first_stays_promised() {
        let mut later = Later::new("l".into());
        for order in [None, Some("TRX-1"), None, Some("TRX-2")] {
            later.take(&Step::Code { order: order.map(str::to_owned) });
        }
        assert_eq!(later.order.as_deref(), Some("TRX-1"));
    }
}
