//! What a driver puts on the board for others to see. Nothing is decided by it.

use super::{Driver, Seen};
use cutover::next::{Observed, Wishes, state_now};
use cutover::progress::{Progress, progress};
use cutover::ready::Condition;
use cutover::step::Step;
use std::sync::PoisonError;
use vocab::id::Side;

impl Driver {
    /// A long step is begun: nothing is looked at before its end.
    pub(crate) fn show_begun(&self, before: &Progress) {
        if let Some(seen) = self.board.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.shop) {
            seen.state = progress(&self.records, before.head).state();
        }
    }

    /// What was seen at the last look, and the step that follows.
    pub(super) fn show(&self, progress: &Progress, wishes: &Wishes, observed: &Observed, step: &Step) {
        let waits_for = if let Step::Wait(what) = step { Some(what.to_string()) } else { None };
        let findings_open = observed.there.findings_open.max(observed.back.findings_open);
        let seen = Seen {
            state: state_now(progress, wishes, observed),
            owner: progress.head.owner,
            epoch: progress.head.epoch,
            stopped: observed.stopped.clone(),
            waits_for,
            dirty: observed.there.dirty,
            lag_ms: self.cx.stream.lag().0,
            catalog_dial: self.cx.dials.is_on(&self.shop),
            catalog_reads: if self.copy_answers() { Side::Backend } else { progress.head.owner },
            findings_open,
            facts_left: observed.back.facts_left,
            debt: observed.back.debt,
            back_waits_for: observed.back.unmet().map(Condition::name),
        };
        self.board.lock().unwrap_or_else(PoisonError::into_inner).insert(self.shop.clone(), seen);
    }
}
