//! What of a source is not as it was installed and declared.

use crate::transaction::SchemaChange;

/// Nothing in it: all stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards {
    /// Tables or triggers of ours that are not there as they were made.
    pub missing: Vec<String>,
    /// Tables in which something that was declared is gone or of another type.
    pub changed: Vec<SchemaChange>,
}

impl Guards {
    pub const fn stand(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty()
    }
}
