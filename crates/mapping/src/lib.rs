//! The mapping: a file that says how rows of a legacy and our documents are the same thing, read both ways.
//!
//! `compile` checks files once and for all; `get` turns the rows of one aggregate into its document, `put` turns a
//! fact into edits of cells, or names the debt. Pure: no I/O, no clock, no database, no idea what an order is.

mod api;
mod codec;
mod compile;
mod conform;
mod decimal;
mod derive;
mod diagnostics;
mod edits;
mod effects;
mod eval;
mod expr;
mod file;
mod fits;
mod get;
mod history;
mod instant;
mod lexer;
mod origin;
#[cfg(test)]
mod outside;
mod pattern;
mod pick;
mod program;
mod put;
mod read;
mod syntax;
mod target;
mod typing;
mod write;

pub use api::{
    Anchor, Block, ChangeOf, Context, Debt, Fault, Foreseen, Gather, Got, Join, Loser, Put, PutOutcome, Report, Rows,
    RuleNo, Touch,
};
pub use diagnostics::Diagnostic;
pub use fits::Misfit;
use pattern::IdPattern;
use program::{Births, From, Program, Trigger};
use vocab::document::Record;
use vocab::id::{Element, Kind, Minted, Name, Origin, PublicId, ShopId};
use vocab::row::{ColumnNo, Row, RowKey, Table, TableNo};
use vocab::shape::Shape;

/// A mapping file, as text.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// Compiled files.
#[derive(Debug, Clone)]
pub struct Mapping {
    tables: Vec<Table>,
    rules: Vec<Rule>,
    blocks: Vec<Block>,
    /// By table.
    patterns: Vec<Option<IdPattern>>,
    births: Vec<Births>,
    triggers: Vec<Trigger>,
    /// By table: parents before children.
    ranks: Vec<usize>,
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
    /// The key columns of the anchor table.
    anchor_key: Vec<ColumnNo>,
    program: Program,
}

/// Compiles files that together describe one database (their tables are disjoint).
pub fn compile(files: &[File<'_>], shapes: &[Shape]) -> Result<Mapping, Vec<Diagnostic>> {
    compile::compile(files, shapes)
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
    pub fn birth_table(&self, element: Element) -> Option<TableNo> {
        let table_in = |rule: &Rule| {
            let program = &rule.program;
            match element.part {
                None => Some(program.table),
                Some(part) => {
                    let list = program.lists.iter().find(|list| &*list.name == part && list.from != From::Own);
                    let one = || program.ones.iter().find(|one| &*one.name == part).map(|one| one.table);
                    list.map(|list| list.table).or_else(one)
                }
            }
        };
        let writable = self.rules.iter().filter(|rule| rule.kind == element.kind && rule.writes);
        writable.filter_map(table_in).find(|table| self.block_of(*table).is_some())
    }

    /// The public id and origin of key `n` of the element's table.
    pub fn minted(&self, element: Element, n: u64) -> Minted {
        let table = self.birth_table(element);
        let pattern = table.and_then(|table| self.patterns[table].as_ref());
        let id = pattern.map_or_else(|| n.to_string(), |pattern| pattern.print(n));
        let origin = table.map(|table| Origin::new(format!("{}:{n}", self.tables[table].name)));
        Minted { id: PublicId::new(id), origin }
    }

    /// Which rule made or would make a document: by the table of its `origin`, else the one that is written.
    pub fn rule_of(&self, kind: Kind, document: &Record) -> Option<RuleNo> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.kind == kind);
        let table = document.text("origin").map(origin::table_name);
        let fits = |rule: &Rule| match table {
            Some(table) => *self.tables[rule.program.table].name == *table,
            None => rule.writes,
        };
        rules.into_iter().find(|(_, rule)| fits(rule)).map(|(no, _)| no)
    }

    /// Where a document of this rule lives or would live: by its `origin`, else by the fields that are its key.
    pub fn anchor_of(&self, rule: RuleNo, shop: &ShopId, document: &Record) -> Option<Anchor> {
        let program = &self.rules.get(rule)?.program;
        let table = &self.tables[program.table];
        match (program.group, document.text("origin")) {
            (Some(group), Some(text)) => {
                let key = origin::parse(table, &[group], text)?;
                key.0.into_iter().next().map(Anchor::Group)
            }
            (None, Some(text)) => origin::parse(table, &table.key, text).map(Anchor::Row),
            (_, None) => target::natural_key(program, table, shop, document).map(Anchor::Row),
        }
    }

    /// The name of an aggregate of this rule; what [`Mapping::anchor_of`] reads in a document's `origin`.
    pub fn origin(&self, rule: RuleNo, anchor: &Anchor) -> Origin {
        let table = &self.tables[self.rules[rule].program.table];
        Origin::new(match anchor {
            Anchor::Row(key) => origin::print(table, key),
            Anchor::Group(cell) => origin::print(table, &RowKey(vec![cell.clone()])),
        })
    }

    /// The path of the first field in which two documents of a rule differ beyond what the file declares equal
    /// (instants to a second, a buyer by who it is). Counts are not compared.
    pub fn difference(&self, rule: RuleNo, a: &Record, b: &Record) -> Option<String> {
        conform::difference(&self.rules[rule].program, a, b)
    }

    /// The row whose column counts the stock of a variant (to gather `Put::stock_rows`).
    pub fn stock_row(&self, variant: &PublicId) -> Option<(TableNo, RowKey)> {
        self.counter(variant).map(|(table, key, _)| (table, key))
    }

    /// The cell that counts the stock of a variant.
    fn counter(&self, variant: &PublicId) -> Option<(TableNo, RowKey, ColumnNo)> {
        self.rules.iter().filter(|rule| rule.writes).find_map(|rule| {
            let lists = rule.program.lists.iter().map(|list| (list.table, &list.fields));
            let mut all = std::iter::once((rule.program.table, &rule.program.fields)).chain(lists);
            all.find_map(|(table, fields)| {
                let counted = fields.iter().find_map(|field| field.form.counted())?;
                let [key] = self.tables[table].key[..] else { return None };
                let cell = codec::key_cell(variant.as_str(), &self.tables[table].columns[key]).ok()?;
                Some((table, RowKey(vec![cell]), counted))
            })
        })
    }

    fn block_of(&self, table: TableNo) -> Option<&Block> {
        self.blocks.iter().find(|block| block.table == table)
    }
}

impl Rule {
    /// Which aggregates of this rule a changed row of `table` dirties. A row that moved from one aggregate to
    /// another dirties both: ask for the row before and after.
    pub fn touched(&self, table: TableNo, row: &Row) -> Option<Touch> {
        match &self.gather {
            Gather::Grouped { table: of, column } => (*of == table).then(|| Touch::Group(row.0[*column].clone())),
            Gather::Anchored { table: of, .. } if *of == table => {
                Some(Touch::Anchor(RowKey(self.anchor_key.iter().map(|&column| row.0[column].clone()).collect())))
            }
            Gather::Anchored { joins, .. } => {
                let join = joins.iter().find(|join| join.table == table)?;
                let cell = row.0[join.column].clone();
                Some(match self.anchor_key[..] {
                    [only] if only == join.anchor_column => Touch::Anchor(RowKey(vec![cell])),
                    _ => Touch::AnchorsWhere(join.anchor_column, cell),
                })
            }
        }
    }
}
