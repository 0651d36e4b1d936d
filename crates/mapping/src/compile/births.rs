//! Rows that `put` may insert: every column that may not be null must come from somewhere, and `where` must hold.

use super::tables::Born;
use super::{Draft, Role, RuleDraft};
use crate::codec::length_max;
use crate::diagnostics::{Problem, Sink};
use crate::expr::Expr;
use crate::program::{Births, FieldForm, Form, From};
use vocab::row::{ColumnNo, ColumnType, TableNo, Use};

/// The births of every table.
pub(crate) fn check(draft: &Draft<'_>, sink: &mut Sink<'_>) -> Vec<Births> {
    let born: Vec<TableNo> = (0..draft.tables.len()).filter(|&no| is_born(no, draft)).collect();
    for &no in &born {
        columns(no, draft, sink);
    }
    for rule in &draft.rules {
        filter_holds(rule, draft, sink);
        public_id(rule, draft, sink);
    }
    draft.tables.iter().map(|draft| births_of(&draft.columns)).collect()
}

fn births_of(columns: &[super::tables::ColumnDraft]) -> Births {
    let mut births = Births::default();
    for (no, column) in columns.iter().enumerate() {
        match &column.born {
            Some(Born::Cell(cell)) => births.cells.push((no, cell.clone())),
            Some(Born::Now(codec)) => births.now.push((no, codec.clone())),
            None => {}
        }
        if let Some(codec) = &column.touch {
            births.touch.push((no, codec.clone()));
        }
    }
    births
}

/// Whether rows of this table are ever inserted: keys are minted for it, or its key is made of fields or of a place.
fn is_born(no: TableNo, draft: &Draft<'_>) -> bool {
    if draft.table(no).read_only {
        return false;
    }
    draft.tables[no].ids.is_some()
        || draft.rules.iter().any(|rule| {
            let placed = rule.program.lists.iter().any(|list| list.table == no && list.placed);
            placed || (rule.program.table == no && has_natural_key(rule, draft))
        })
}

/// Whether every key column is the shop or a field of the document that is no minted id.
pub(crate) fn has_natural_key(rule: &RuleDraft, draft: &Draft<'_>) -> bool {
    let table = draft.table(rule.program.table);
    let written = |column: ColumnNo| {
        rule.program.fields.iter().any(|field| matches!(&field.form, Form::Column(binding) if binding.column == column))
    };
    table.key.len() > 1
        && table.key.iter().all(|&column| {
            written(column) || matches!(table.shop, vocab::row::ShopPath::Column(shop) if shop == column)
        })
}

fn columns(no: TableNo, draft: &Draft<'_>, sink: &mut Sink<'_>) {
    let table = draft.table(no);
    for (column, of) in table.columns.iter().enumerate() {
        let details = &draft.tables[no].columns[column];
        let given = draft.uses[no][column].iter().any(|role| match role {
            Role::Key | Role::Shop | Role::Link | Role::Order | Role::Written(_) => true,
            Role::Read | Role::Where | Role::Shown => false,
        });
        // A column without any use is told of already.
        let used = !draft.uses[no][column].is_empty() || details.kept || of.usage != Use::Moved;
        if used && !given && !of.nullable && details.born.is_none() && details.touch.is_none() {
            sink.push(
                Problem::new("birth/no_default", format!("a born row of {} has no {}", table.name, of.name))
                    .at(details.span, "may not be null, and no field writes it")
                    .help("add `born …`, or `null` if it may be null"),
            );
        }
    }
}

/// `where` is true of a born row, whatever the document says.
fn filter_holds(rule: &RuleDraft, draft: &Draft<'_>, sink: &mut Sink<'_>) {
    let Some(filter) = &rule.program.filter else { return };
    let table = rule.program.table;
    if draft.table(table).read_only {
        return;
    }
    let columns = &draft.tables[table].columns;
    let known = |column: ColumnNo| match columns.get(column).map(|draft| &draft.born) {
        Some(Some(Born::Cell(cell))) => Some(cell.clone()),
        _ => None,
    };
    if filter.settled(&known) != Some(true) {
        let title = "a born row is not there: `where` does not hold for what is born";
        sink.error("where/not_born", rule.span, title, "give the columns of `where` a `born` that fits");
    }
    for column in Expr::columns(filter) {
        if draft.uses[table][column].iter().any(|role| matches!(role, Role::Written(_))) {
            let span = columns.get(column).map(|draft| draft.span).unwrap_or_default();
            sink.error(
                "where/field",
                span,
                "`where` is decided by birth and removal, not by a field",
                "a field writes it",
            );
        }
    }
}

/// A pattern of public ids needs a text field to hold what it makes; without pattern the id is the key.
fn public_id(rule: &RuleDraft, draft: &Draft<'_>, sink: &mut Sink<'_>) {
    let program = &rule.program;
    let parts = program.lists.iter().filter(|list| matches!(list.from, From::Join { .. }));
    let all = std::iter::once((program.table, &program.fields))
        .chain(parts.map(|list| (list.table, &list.fields)))
        .chain(program.ones.iter().map(|one| (one.table, &one.fields)));
    for (table, fields) in all {
        id_fits(table, fields, draft, sink);
    }
}

fn id_fits(table: TableNo, fields: &[FieldForm], draft: &Draft<'_>, sink: &mut Sink<'_>) {
    let Some(ids) = &draft.tables[table].ids else { return };
    let id = fields.iter().find(|field| &*field.name == "id");
    let Some(FieldForm { form: Form::Column(binding), .. }) = id else {
        sink.error("ids/no_field", ids.span, "ids are minted for a document or element without an `id` column", "here");
        return;
    };
    let column = &draft.table(table).columns[binding.column];
    match &ids.pattern {
        None if column.ty == ColumnType::Int && draft.table(table).key != [binding.column] => {
            let title = format!("the minted id is the key, but `id` is {}", column.name);
            sink.error("ids/not_the_key", ids.span, title, "here");
        }
        Some(_) if column.ty == ColumnType::Int => {
            sink.error("ids/public", ids.span, format!("{} is an integer, the public id is text", column.name), "here");
        }
        Some(pattern) if length_max(&column.ty).is_some_and(|most| pattern.length_min() > most) => {
            sink.error("ids/too_long", ids.span, format!("the public id does not fit {}", column.name), "too long");
        }
        None | Some(_) => {}
    }
}
