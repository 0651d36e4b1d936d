//! The mapping: a file that says how rows of a legacy and our documents are the same thing, read both ways.
//!
//! `compile` checks files once and for all; `get` turns the rows of one aggregate into its document, `put` turns a
//! fact into edits of cells, or names the debt. Pure: no I/O, no clock, no database, no idea what an order is.

mod api;
mod edits;

pub use api::{
    Anchor, Block, ChangeOf, Context, Debt, Fault, Gather, Got, Join, Loser, Put, PutOutcome, Report, Rows, RuleNo, Touch,
};
use std::fmt;
use vocab::document::Record;
use vocab::id::{Element, Kind, Minted, Name, PublicId, ShopId};
use vocab::row::{Row, RowKey, Table, TableNo};
use vocab::shape::Shape;

/// A mapping file, as text.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// Why a file is refused; `Display` shows the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// As in `words/not_read_back`.
    pub code: &'static str,
    rendered: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

impl std::error::Error for Diagnostic {}

/// Compiled files.
#[derive(Debug, Clone)]
pub struct Mapping {
    tables: Vec<Table>,
    rules: Vec<Rule>,
    blocks: Vec<Block>,
}

/// How aggregates of one kind lie in the rows of one source.
#[derive(Debug, Clone)]
pub struct Rule {
    pub kind: Kind,
    /// The `source` of the file it stands in.
    pub source: Name,
    pub gather: Gather,
    /// False: `put` answers every change with debt.
    pub writes: bool,
}

/// Compiles files that together describe one database (their tables are disjoint).
pub fn compile(files: &[File<'_>], shapes: &[Shape]) -> Result<Mapping, Vec<Diagnostic>> {
    let _ = (files, shapes);
    Err(Vec::new())
}

impl Mapping {
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The table from whose block a new aggregate or element takes its key; none where no key is minted.
    pub fn birth_table(&self, _element: Element) -> Option<TableNo> {
        None
    }

    /// The public id and origin of key `n` of the element's table.
    pub fn minted(&self, _element: Element, n: u64) -> Minted {
        Minted { id: PublicId::new(n.to_string()), origin: None }
    }

    /// Where a document of this rule lives or would live: by its `origin`, else by the fields that are its key.
    pub fn anchor_of(&self, _rule: RuleNo, _shop: &ShopId, _document: &Record) -> Option<Anchor> {
        None
    }

    /// The row whose column counts the stock of a variant (to gather `Put::stock_rows`).
    pub fn stock_row(&self, _variant: &PublicId) -> Option<(TableNo, RowKey)> {
        None
    }

    /// The document of one aggregate.
    pub fn get(&self, _rule: RuleNo, _anchor: &Anchor, _rows: &Rows, _context: &Context<'_>) -> Got {
        Got::Absent
    }

    /// The edits that carry one fact back, or debts.
    pub fn put(&self, _fact: &Put<'_>) -> PutOutcome {
        PutOutcome::default()
    }
}

impl Rule {
    /// Which aggregates of this rule a changed row of `table` dirties.
    pub fn touched(&self, _table: TableNo, _row: &Row) -> Option<Touch> {
        None
    }
}
