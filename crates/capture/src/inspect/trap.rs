//! What a move would trip over: a code, where, why it matters, and the statement that mends it.

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    pub code: Code,
    /// None where it is the whole database's.
    pub table: Option<String>,
    /// Empty where it is the whole table's.
    pub columns: Vec<String>,
    /// What was seen: names and counts, never a value.
    pub detail: String,
    /// A statement for the legacy's own administrator; none where no statement mends it.
    pub mend: Option<String>,
}

/// The kinds of traps. Those that a preflight knows too have the same name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Version,
    WalLevel,
    SlotsFull,
    SendersFull,
    NoReplication,
    SessionsHidden,
    JournalMode,
    Unread,
    RowsHidden,
    NoPrimaryKey,
    ReplicaIdentity,
    Unlogged,
    RowsElsewhere,
    Inherited,
    ReplaceUnseen,
    SequenceBehind,
    Orphans,
    Affinity,
    FloatMoney,
    ZonelessTime,
    LegacyTrigger,
    Cascade,
    Generated,
    OutOfLine,
    Partitioned,
    RowSecurity,
    WithoutRowid,
    ReplaceFollowed,
    NoSequence,
}

impl Code {
    pub const ALL: [Self; 29] = [
        Self::Version,
        Self::WalLevel,
        Self::SlotsFull,
        Self::SendersFull,
        Self::NoReplication,
        Self::SessionsHidden,
        Self::JournalMode,
        Self::Unread,
        Self::RowsHidden,
        Self::NoPrimaryKey,
        Self::ReplicaIdentity,
        Self::Unlogged,
        Self::RowsElsewhere,
        Self::Inherited,
        Self::ReplaceUnseen,
        Self::SequenceBehind,
        Self::Orphans,
        Self::Affinity,
        Self::FloatMoney,
        Self::ZonelessTime,
        Self::LegacyTrigger,
        Self::Cascade,
        Self::Generated,
        Self::OutOfLine,
        Self::Partitioned,
        Self::RowSecurity,
        Self::WithoutRowid,
        Self::ReplaceFollowed,
        Self::NoSequence,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::WalLevel => "wal_level",
            Self::SlotsFull => "slots_full",
            Self::SendersFull => "senders_full",
            Self::NoReplication => "no_replication",
            Self::SessionsHidden => "sessions_hidden",
            Self::JournalMode => "journal_mode",
            Self::Unread => "unread",
            Self::RowsHidden => "rows_hidden",
            Self::NoPrimaryKey => "no_primary_key",
            Self::ReplicaIdentity => "replica_identity",
            Self::Unlogged => "unlogged",
            Self::RowsElsewhere => "rows_elsewhere",
            Self::Inherited => "inherited",
            Self::ReplaceUnseen => "replace_unseen",
            Self::SequenceBehind => "sequence_behind",
            Self::Orphans => "orphans",
            Self::Affinity => "affinity",
            Self::FloatMoney => "float_money",
            Self::ZonelessTime => "zoneless_time",
            Self::LegacyTrigger => "legacy_trigger",
            Self::Cascade => "cascade",
            Self::Generated => "generated",
            Self::OutOfLine => "out_of_line",
            Self::Partitioned => "partitioned",
            Self::RowSecurity => "row_security",
            Self::WithoutRowid => "without_rowid",
            Self::ReplaceFollowed => "replace_followed",
            Self::NoSequence => "no_sequence",
        }
    }

    /// Whether what needs this database, or this table, cannot move before it is mended. The others are to be known.
    pub const fn stops(self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::WalLevel
                | Self::SlotsFull
                | Self::SendersFull
                | Self::NoReplication
                | Self::SessionsHidden
                | Self::JournalMode
                | Self::Unread
                | Self::RowsHidden
                | Self::NoPrimaryKey
                | Self::ReplicaIdentity
                | Self::Unlogged
                | Self::RowsElsewhere
                | Self::Inherited
                | Self::ReplaceUnseen
                | Self::SequenceBehind
        )
    }

    /// Why it matters for a move.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Version => {
                "Older servers cannot leave columns out of a publication, so secrets would leave the source."
            }
            Self::WalLevel => "Without logical decoding there is no stream of changes to follow.",
            Self::SlotsFull => "The stream needs a replication slot of its own.",
            Self::SendersFull => "The stream needs a sender process of the server.",
            Self::NoReplication => "Our role may not make a replication slot, so it cannot follow changes.",
            Self::SessionsHidden => {
                "Our role cannot see when others began their transactions, so a hold cannot wait for them."
            }
            Self::JournalMode => "Without a write-ahead log our reads would hold up the legacy's writes.",
            Self::Unread => "It was not looked at, so nothing is known about it.",
            Self::RowsHidden => {
                "Row level security hides rows from our role: they would not move, and nobody would see it."
            }
            Self::NoPrimaryKey => "A row is copied, followed and written back by its key.",
            Self::ReplicaIdentity => {
                "The stream would not say which row was changed; where nothing identifies it, the legacy's own updates \
                 and deletes fail once the table is published."
            }
            Self::Unlogged => "Changes of it are in no log, so there is nothing to follow; a publication refuses it.",
            Self::RowsElsewhere => "Its rows are not in this database: no trigger and no stream sees them change.",
            Self::Inherited => {
                "A read of it also gives the rows of its children, which the stream tells under other names."
            }
            Self::ReplaceUnseen => {
                "REPLACE deletes rows through this index without firing a trigger, and capture cannot follow it."
            }
            Self::SequenceBehind => {
                "Ids that the sequence gives next are taken already: a block of them would collide."
            }
            Self::Orphans => "A row whose parent is gone finds no shop, and is not moved with any.",
            Self::Affinity => {
                "SQLite keeps what was written, whatever the column says: a codec for the declared type cannot read it."
            }
            Self::FloatMoney => {
                "A float is not the amount that was meant; sums of it differ from sums of what people paid."
            }
            Self::ZonelessTime => {
                "The instant depends on a zone that is written nowhere, and on its daylight-saving time."
            }
            Self::LegacyTrigger => {
                "It also acts on what we write back, so its effect must be declared, or stopped for our writer."
            }
            Self::Cascade => "The database changes rows that nobody wrote: the mapping must expect it on the way back.",
            Self::Generated => "The database fills it itself: the stream does not carry it, and nobody can write it.",
            Self::OutOfLine => {
                "An update does not carry wide values that it leaves as they are: they come from the copied row, or \
                 the row is read again."
            }
            Self::Partitioned => {
                "Rows are in its partitions: declare the root alone, which speaks for them in the stream."
            }
            Self::RowSecurity => {
                "Policies decide who sees which rows; another role of ours may see fewer than this one."
            }
            Self::WithoutRowid => {
                "It has no rowid: its ids come from the program, so no block of ids can be taken here."
            }
            Self::ReplaceFollowed => {
                "REPLACE through this index deletes another row than the one it writes; capture follows it."
            }
            Self::NoSequence => "No block of ids can be taken, so no such row can be born at the backend.",
        }
    }
}

/// The traps of one database, as they are found.
#[derive(Debug, Default)]
pub(crate) struct Traps {
    found: Vec<Trap>,
}

impl Traps {
    pub fn server(&mut self, code: Code, detail: String, mend: Option<String>) {
        self.found.push(Trap { code, table: None, columns: Vec::new(), detail, mend });
    }

    pub fn table(&mut self, code: Code, table: &str, detail: impl Into<String>, mend: Option<String>) {
        self.columns(code, table, Vec::new(), detail, mend);
    }

    pub fn columns(
        &mut self,
        code: Code,
        table: &str,
        columns: Vec<String>,
        detail: impl Into<String>,
        mend: Option<String>,
    ) {
        self.found.push(Trap { code, table: Some(table.to_owned()), columns, detail: detail.into(), mend });
    }

    pub fn take(self) -> Vec<Trap> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let names: BTreeMap<&str, Code> = Code::ALL.iter().map(|code| (code.name(), *code)).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
