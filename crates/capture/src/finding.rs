//! What preflight has to say about a source.

use std::fmt;
use vocab::id::Name;

/// One thing that preflight found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub table: Option<Name>,
    pub detail: String,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    TableMissing,
    ColumnMissing,
    ColumnUnknown,
    TypeDiffers,
    NullDiffers,
    KeyDiffers,
    /// PostgreSQL: the stream would not carry the key of a changed row.
    ReplicaIdentity,
    WalLevel,
    SlotsFull,
    SendersFull,
    Version,
    /// PostgreSQL: our role cannot see when others began their transactions, so drain would see nothing.
    SessionsHidden,
    /// SQLite: not in WAL mode, so our reads would block the legacy's writes.
    JournalMode,
    /// A trigger of the legacy's own: its effect must be declared.
    LegacyTrigger,
    /// A foreign key that deletes or changes rows by itself.
    Cascade,
    /// The table's key has no sequence from which a block of ids could be taken.
    NoSequence,
    /// The sequence of the key stands below the largest key.
    SequenceBehind,
    /// SQLite: REPLACE deletes rows without firing a trigger, through an index that capture cannot follow.
    ReplaceUnseen,
}

impl Code {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TableMissing => "table_missing",
            Self::ColumnMissing => "column_missing",
            Self::ColumnUnknown => "column_unknown",
            Self::TypeDiffers => "type_differs",
            Self::NullDiffers => "null_differs",
            Self::KeyDiffers => "key_differs",
            Self::ReplicaIdentity => "replica_identity",
            Self::WalLevel => "wal_level",
            Self::SlotsFull => "slots_full",
            Self::SendersFull => "senders_full",
            Self::Version => "version",
            Self::SessionsHidden => "sessions_hidden",
            Self::JournalMode => "journal_mode",
            Self::LegacyTrigger => "legacy_trigger",
            Self::Cascade => "cascade",
            Self::NoSequence => "no_sequence",
            Self::SequenceBehind => "sequence_behind",
            Self::ReplaceUnseen => "replace_unseen",
        }
    }

    /// Whether a declared table is not as declared: a copy that goes by the declaration cannot be right.
    pub const fn is_shape(self) -> bool {
        matches!(
            self,
            Self::TableMissing | Self::ColumnMissing | Self::TypeDiffers | Self::NullDiffers | Self::KeyDiffers
        )
    }

    /// Whether a move must not begin with it. The others are told, and declared in the mapping where they matter.
    pub const fn blocks(self) -> bool {
        !matches!(self, Self::LegacyTrigger | Self::Cascade | Self::NoSequence)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.table {
            Some(table) => write!(f, "{}: table `{table}`: {}", self.code.name(), self.detail),
            None => write!(f, "{}: {}", self.code.name(), self.detail),
        }
    }
}
