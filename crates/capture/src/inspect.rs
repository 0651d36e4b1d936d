//! Looks at a stranger's database before anybody has written a mapping: what is in it, and what would be in a move's
//! way.
//!
//! Invariants: it only reads, in short read-only transactions; each look is bounded in rows and in time, and waits for
//! nobody's lock; what could not be looked at is said, never guessed. No value of a cell leaves the database: only
//! names and counts.
//! Absent on purpose: a mapping, the meaning of a table, and any repair. A statement that mends is text.

mod trap;
mod words;

pub(crate) use trap::Traps;
pub use trap::{Code, Trap};
pub(crate) use words::is_money;

use crate::error::{Error, Result};
use crate::{postgres, sqlite};
use std::time::{Duration, Instant};

/// Tables that are looked at; of the others only the number is told.
pub const TABLES_MAX: u64 = 2_000;
/// Rows up to which they are counted one by one.
pub const ROWS_COUNTED_MAX: u64 = 100_000;
/// Rows of one table whose values are looked at, where only values tell.
pub const ROWS_SAMPLED_MAX: u64 = 10_000;
/// One statement, in a source whose readers hold up nobody.
pub const LOOK_MAX: Duration = Duration::from_secs(2);
/// All of it. What is left then stays unread.
pub const INSPECTION_MAX: Duration = Duration::from_secs(60);

const _: () = assert!(ROWS_SAMPLED_MAX <= ROWS_COUNTED_MAX && LOOK_MAX.as_secs() < INSPECTION_MAX.as_secs());

/// What is in a database, and what a move would trip over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    pub engine: Engine,
    /// As the engine says it.
    pub version: String,
    /// In the order of their names.
    pub tables: Vec<Table>,
    /// How many tables were not looked at, because there are more than [`TABLES_MAX`].
    pub left_out: u64,
    /// In the order of codes, then of tables.
    pub traps: Vec<Trap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    Sqlite,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// As a mapping would name it.
    pub name: String,
    pub kind: Kind,
    pub rows: Rows,
    /// With indexes and what is stored out of line; none where it is not known.
    pub bytes: Option<u64>,
    /// The primary key's columns in its order; empty where there is none.
    pub key: Vec<String>,
    pub columns: Vec<Column>,
    pub references: Vec<Reference>,
}

/// Where a table's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// In its partitions.
    Partitioned,
    Partition,
    /// Some of them in tables that inherit from it.
    Inherited,
    /// Somewhere else: a foreign or a virtual table.
    Elsewhere,
}

/// How many rows, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Exact(u64),
    /// What the engine's own statistics say.
    Estimate(u64),
    AtLeast(u64),
    Unread(Unread),
}

/// Why something was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    Right,
    /// Row level security would have left rows out.
    RowsHidden,
    Lock,
    Time,
    Elsewhere,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As it was declared.
    pub type_name: String,
    pub nullable: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub columns: Vec<String>,
    pub table: String,
    pub to: Vec<String>,
    /// What happens here by itself, as SQL says it: `cascade`, `set null`; none where nothing does.
    pub on_delete: Option<String>,
    pub on_update: Option<String>,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Partitioned => "partitioned",
            Self::Partition => "partition",
            Self::Inherited => "inherited",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl Rows {
    /// How the number is meant.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Estimate(_) => "estimate",
            Self::AtLeast(_) => "at_least",
            Self::Unread(_) => "unread",
        }
    }

    pub const fn count(self) -> Option<u64> {
        match self {
            Self::Exact(count) | Self::Estimate(count) | Self::AtLeast(count) => Some(count),
            Self::Unread(_) => None,
        }
    }
}

impl Unread {
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Right => "our role may not read it",
            Self::RowsHidden => "row level security hides rows from our role",
            Self::Lock => "somebody held a lock on it",
            Self::Time => "it took too long",
            Self::Elsewhere => "its rows are somewhere else",
            Self::Failed => "the source refused",
        }
    }
}

/// How much of [`INSPECTION_MAX`] is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    end: Instant,
}

impl Budget {
    pub fn new() -> Self {
        Self { end: Instant::now() + INSPECTION_MAX }
    }

    /// How long one look may take that would take `most`; none where nothing is left.
    pub fn of(self, most: Duration) -> Option<Duration> {
        let left = self.end.saturating_duration_since(Instant::now()).min(most);
        (left.as_millis() > 0).then_some(left)
    }
}

/// Looks at `postgres://…` or `sqlite:PATH`. What is not there or does not answer is an error; what may not be read is
/// a trap.
pub async fn inspect(url: &str) -> Result<Inspection> {
    let mut inspection = if let Some(path) = url.strip_prefix("sqlite:") {
        sqlite::inspect(path).await?
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres::inspect(url).await?
    } else {
        return Err(Error::Url("it begins with neither".to_owned()));
    };
    inspection.traps.sort_by(|a, b| (a.code, &a.table, &a.columns).cmp(&(b.code, &b.table, &b.columns)));
    Ok(inspection)
}
