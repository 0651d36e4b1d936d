//! The classes of findings that stop a move until a person has looked. All others block a flip, a rollback and the seal,
//! and go away with their cause.

/// Nothing takes one of these away by itself, and nobody can accept it: what was copied is not to be trusted, or what was
/// carried back was not taken. Each has a page in docs/runbook/. Where two are open, the earlier one explains the later.
pub const STOPPING: [&str; 4] = ["schema.changed", "stream.lost", "guards.missing", "reverse.mismatch"];

/// Whether an open finding of this class stops its shop.
pub fn stops(class: &str) -> bool {
    STOPPING.contains(&class)
}
