//! Asking a rail what became of something, a try or a refund: how often, when again, and when "not found" is believed.

use super::Patience;
use crate::fault::{Fault, Reader};
use vocab::document::{Node, Record};
use vocab::id::Timestamp;

const SECOND_US: i64 = 1_000_000;
/// Where an answer is due, questions follow each other fast for so long.
pub(super) const OFTEN_FOR_US: i64 = 600 * SECOND_US;
pub(super) const HOUR_US: i64 = 3_600 * SECOND_US;

/// When a rail is asked again what became of something, after it was put on record; then every hour, for ever: what
/// nobody knows does not become known by waiting.
pub(super) const ASK_AFTER_US: [i64; 5] = [5 * SECOND_US, 30 * SECOND_US, 120 * SECOND_US, 600 * SECOND_US, HOUR_US];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// How often the rail was asked about it, or spoke of it, and when last.
    pub(super) times: u32,
    pub(super) last: Option<Timestamp>,
    /// When the rail first said that it does not know it.
    pub(super) absent_since: Option<Timestamp>,
}

impl Asked {
    pub(super) fn note(&mut self, at: Timestamp) {
        self.times += 1;
        self.last = Some(at);
    }

    /// It has begun something just now, as it may have done at the first call: what becomes of that is asked as often as then, however
    /// late it is. What follows an answer that came at once follows it as before.
    pub(super) fn begin_again(&mut self) {
        self.times = self.times.min(1);
    }

    /// The rail does not know it. Believed where it said so twice, the second time when it had to know: what was sent may
    /// still be on its way.
    pub(super) fn not_found(&mut self, at: Timestamp, patience: &Patience) -> bool {
        let since = *self.absent_since.get_or_insert(at);
        since < at && at.0.saturating_sub(since.0) >= patience.visible_us
    }

    /// From when on "not found" is believed, once the rail has said it; asked about soon after a question that was not answered, and
    /// not for long.
    pub(super) fn believed_from(&self, patience: &Patience) -> Option<i64> {
        let from = self.absent_since?.0.saturating_add(patience.visible_us);
        let again = self.last.map_or(from, |last| last.0.saturating_add(ASK_AFTER_US[0]).max(from));
        (again.saturating_sub(from) < OFTEN_FOR_US).then_some(again)
    }

    /// The n-th question goes out so long after the record; late ones do not follow each other at once.
    pub(super) fn next(&self, recorded: Timestamp) -> i64 {
        let nth = usize::try_from(self.times).unwrap_or(usize::MAX);
        let after = self.last.map_or(0, |last| last.0.saturating_add(ASK_AFTER_US[0]));
        match ASK_AFTER_US.get(nth) {
            Some(delay) => recorded.0.saturating_add(*delay).max(after),
            None => self.last.unwrap_or(recorded).0.saturating_add(HOUR_US),
        }
    }

    pub(super) fn read(from: &Reader<'_>) -> Result<Self, Fault> {
        Ok(Self {
            times: from.count("asked")?,
            last: from.optional_instant("asked_at")?,
            absent_since: from.optional_instant("absent_since")?,
        })
    }

    pub(super) fn write(self, record: Record) -> Record {
        record
            .with("asked", i64::from(self.times))
            .with("asked_at", instant(self.last))
            .with("absent_since", instant(self.absent_since))
    }
}

pub(super) fn instant(at: Option<Timestamp>) -> Node {
    at.map_or(Node::Null, |at| Node::Int(at.0))
}
