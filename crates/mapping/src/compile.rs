//! From files to a mapping: declarations first, then entities, then what only the whole can tell.

mod births;
mod codecs;
mod coverage;
mod decisions;
mod derived;
mod elements;
mod entities;
mod forms;
mod groups;
mod header;
mod parts;
mod tables;
mod triggers;

use crate::api::{Block, Gather, Join};
use crate::diagnostics::{Diagnostic, Sink, Span};
use crate::file::{self, Entries};
use crate::program::{Births, From, Program, Trigger};
use crate::{File, Mapping, Rule};
use codecs::Declared;
use header::Header;
use std::collections::BTreeMap;
use tables::TableDraft;
use vocab::id::{Kind, Name};
use vocab::row::{ColumnNo, Table, TableNo};
use vocab::shape::Shape;

/// What uses a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    Key,
    Shop,
    Link,
    Order,
    /// Read by a condition, a derived document field, a trigger.
    Read,
    /// Read and set by `where` and `remove`.
    Where,
    /// Part of a field, which only reads it.
    Shown,
    /// Written for the form at this place; forms of one `decide` share a place.
    Written(Span),
}

/// What is known while entities are compiled.
pub(crate) struct Draft<'s> {
    pub shapes: &'s [Shape],
    pub tables: Vec<TableDraft>,
    /// By table and column.
    pub uses: Vec<Vec<Vec<Role>>>,
    pub rules: Vec<RuleDraft>,
    pub triggers: Vec<Trigger>,
}

/// A rule and where it stands.
pub(crate) struct RuleDraft {
    pub kind: Kind,
    pub source: Name,
    pub program: Program,
    pub span: Span,
}

/// What one file declares for its entities.
pub(crate) struct Declarations {
    pub header: Header,
    pub codecs: BTreeMap<String, Declared>,
}

impl Draft<'_> {
    pub fn table_named(&self, name: &str) -> Option<TableNo> {
        self.tables.iter().position(|draft| &*draft.table.name == name)
    }

    pub fn table(&self, no: TableNo) -> &Table {
        &self.tables[no].table
    }

    pub fn mark(&mut self, table: TableNo, column: ColumnNo, role: Role) {
        let uses = &mut self.uses[table][column];
        if !uses.contains(&role) {
            uses.push(role);
        }
    }

    pub fn mark_all(&mut self, table: TableNo, columns: &[ColumnNo], role: &Role) {
        for &column in columns {
            self.mark(table, column, role.clone());
        }
    }
}

/// More tables than a legacy has.
const TABLES_MAX: usize = 400;

/// Compiles files that together describe one database; their tables are disjoint.
pub(crate) fn compile(files: &[File<'_>], shapes: &[Shape]) -> Result<Mapping, Vec<Diagnostic>> {
    let mut sink = Sink::new(files);
    let parsed: Vec<_> =
        files.iter().enumerate().filter_map(|(no, file)| Some((no, file::parse(no, file.text, &mut sink)?))).collect();
    let mut draft = Draft { shapes, tables: Vec::new(), uses: Vec::new(), rules: Vec::new(), triggers: Vec::new() };
    let mut open = Vec::new();
    for (no, table) in &parsed {
        let mut root = file::root(*no, files[*no].text, table);
        if let Some(declarations) = declare(&mut root, &mut draft, &mut sink) {
            open.push((root, declarations));
        }
    }
    tables::link_shops(&mut draft, &mut sink);
    if sink.count() > 0 || draft.tables.len() > TABLES_MAX {
        return Err(sink.into_found());
    }
    for (mut root, declarations) in open {
        entities::compile(&mut root, &declarations, &mut draft, &mut sink);
        triggers::compile(&mut root, &mut draft, &mut sink);
        root.finish("the file", &mut sink);
    }
    coverage::check(&draft, &mut sink);
    let births = births::check(&draft, &mut sink);
    if sink.count() > 0 {
        return Err(sink.into_found());
    }
    Ok(assemble(draft, births))
}

/// Header, codecs, tables and ids of one file.
fn declare(root: &mut Entries<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) -> Option<Declarations> {
    let header = header::compile(root, sink)?;
    let codecs = match root.take_table("codec", sink) {
        Some(entries) => codecs::compile(entries, &header, sink),
        None => BTreeMap::new(),
    };
    let first = draft.tables.len();
    match root.take_table("table", sink) {
        Some(entries) => tables::compile(entries, &header, &codecs, draft, sink),
        None => sink.error("file/missing", root.span, "no table is declared", "`[table.…]` is missing"),
    }
    if let Some(entries) = root.take_table("ids", sink) {
        tables::ids(entries, first, draft, sink);
    }
    Some(Declarations { header, codecs })
}

fn assemble(draft: Draft<'_>, births: Vec<Births>) -> Mapping {
    let blocks: Vec<Block> = draft
        .tables
        .iter()
        .enumerate()
        .filter_map(|(table, draft)| {
            let ids = draft.ids.as_ref()?;
            Some(Block { table, size: ids.block, pattern: ids.pattern.as_ref().map(|pattern| pattern.text.clone()) })
        })
        .collect();
    let patterns = draft.tables.iter().map(|draft| draft.ids.as_ref().and_then(|ids| ids.pattern.clone())).collect();
    let rules = draft
        .rules
        .into_iter()
        .map(|rule| Rule {
            kind: rule.kind,
            source: rule.source,
            gather: gather(&rule.program, &draft.tables),
            writes: rule.program.group.is_none() && !draft.tables[rule.program.table].table.read_only,
            anchor_key: draft.tables[rule.program.table].table.key.clone(),
            program: rule.program,
        })
        .collect();
    let ranks = ranks(&draft.tables);
    let tables = draft.tables.into_iter().map(|draft| draft.table).collect();
    Mapping { tables, rules, blocks, patterns, births, triggers: draft.triggers, ranks }
}

fn gather(program: &Program, tables: &[TableDraft]) -> Gather {
    if let Some(column) = program.group {
        return Gather::Grouped { table: program.table, column };
    }
    let lists = program.lists.iter().filter_map(|list| match list.from {
        From::Join { column, anchor_column } => Some(Join { table: list.table, column, anchor_column, shared: false }),
        From::Own | From::Group => None,
    });
    let ones = program.ones.iter().map(|one| Join {
        table: one.table,
        column: one.column,
        anchor_column: one.anchor_column,
        shared: tables[one.table].table.shop == vocab::row::ShopPath::Shared,
    });
    Gather::Anchored { table: program.table, joins: ones.chain(lists).collect() }
}

/// How deep a table hangs: rows that others hang on have a lower number. Shared rows come first.
fn ranks(tables: &[TableDraft]) -> Vec<usize> {
    let depth = |mut table: TableNo| {
        let mut depth = 1;
        while let vocab::row::ShopPath::Through { table: parent, .. } = tables[table].table.shop {
            depth += 1;
            table = parent;
            if depth > tables.len() {
                break;
            }
        }
        if tables[table].table.shop == vocab::row::ShopPath::Shared { 0 } else { depth }
    };
    (0..tables.len()).map(depth).collect()
}
