//! The conditions under which a hold may begin, or a shop be sealed, and the first of them that is not met.
//!
//! What the mover measures comes in as data; the thresholds are this crate's.

use crate::bounds::{READY_DIRTY, READY_FACTS_LEFT, READY_LAG_MS};

/// A condition of READY, of READY on the way back, or of the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A full verification is complete: there, recorded by the step `Verify`; for the seal, one since the flip.
    Verified,
    /// The copy is less than [`READY_LAG_MS`] behind, and not falling further behind.
    Lag,
    /// Fewer than [`READY_DIRTY`] aggregates changed since the last verification pass.
    Dirty,
    /// No open findings.
    Findings,
    /// The way back was rehearsed on this shop's data.
    Rehearsed,
    /// The legacy's fence is installed and tested.
    FenceTested,
    /// No payment attempt in a state that the new owner could not ask for.
    Payments,
    /// Fewer than [`READY_FACTS_LEFT`] facts are not yet in the legacy.
    FactsLeft,
    /// No fact that the legacy cannot express, save those that a policy accepted.
    Debt,
}

impl Condition {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Lag => "lag",
            Self::Dirty => "dirty",
            Self::Findings => "findings",
            Self::Rehearsed => "rehearsed",
            Self::FenceTested => "fence_tested",
            Self::Payments => "payments",
            Self::FactsLeft => "facts_left",
            Self::Debt => "debt",
        }
    }
}

/// What is measured on the way there, beside the full verification, which is a step record.
/// The default is a shop of which nothing is known: not ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct There {
    /// How old the newest applied source transaction's view is; none before it is known.
    pub lag_ms: Option<u32>,
    pub lag_rising: bool,
    /// Aggregates changed since the last verification pass.
    pub dirty: u64,
    pub findings_open: u64,
    pub rehearsed: bool,
    pub fence_tested: bool,
    pub payments_unknown: u64,
}

impl There {
    /// The first condition of READY that is not met.
    pub fn unmet(&self) -> Option<Condition> {
        let lag_fits = self.lag_ms.is_some_and(|lag_ms| lag_ms < READY_LAG_MS) && !self.lag_rising;
        first_false(&[
            (self.findings_open == 0, Condition::Findings),
            (self.rehearsed, Condition::Rehearsed),
            (self.fence_tested, Condition::FenceTested),
            (self.payments_unknown == 0, Condition::Payments),
            (self.dirty < READY_DIRTY, Condition::Dirty),
            (lag_fits, Condition::Lag),
        ])
    }
}

/// What is measured while a shop soaks. The default is a shop of which nothing is known: not ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Back {
    /// Facts that are not yet in the legacy; none before it is known.
    pub facts_left: Option<u64>,
    /// Facts that the legacy cannot express and nobody accepted.
    pub debt: u64,
    pub findings_open: u64,
    pub payments_unknown: u64,
    /// A full verification at a cut is complete since the flip.
    pub verified: bool,
}

impl Back {
    /// The first condition of a rollback that is not met.
    pub fn unmet(&self) -> Option<Condition> {
        first_false(&[
            (self.debt == 0, Condition::Debt),
            (self.findings_open == 0, Condition::Findings),
            (self.payments_unknown == 0, Condition::Payments),
            (self.facts_left.is_some_and(|left| left < READY_FACTS_LEFT), Condition::FactsLeft),
        ])
    }

    /// The first condition of the seal that is not met. Debt is none: behind the seal nothing goes back.
    pub fn unmet_for_seal(&self) -> Option<Condition> {
        first_false(&[(self.findings_open == 0, Condition::Findings), (self.verified, Condition::Verified)])
    }
}

fn first_false(conditions: &[(bool, Condition)]) -> Option<Condition> {
    conditions.iter().find(|(met, _)| !met).map(|(_, condition)| *condition)
}
