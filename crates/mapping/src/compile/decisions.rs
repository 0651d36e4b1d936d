//! `decide`: a word from several cells, and back; and the assignments that it shares with `remove`.
//!
//! What is proved here, with every other column unknown: the assignments of a class make its own condition true and
//! all earlier ones false, and no condition takes every row.

use super::forms::{Place, column_of};
use super::{Draft, Role, tables};
use crate::diagnostics::{Problem, Sink, Span};
use crate::file::{Item, Text};
use crate::program::{Case, Form};
use crate::syntax;
use crate::typing::{self, Names};
use vocab::row::{ColumnNo, TableNo};
use vocab::shape::{Field, Type};

pub(crate) fn decide(
    item: Item<'_>,
    field: &Field,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Form> {
    let Type::Word(words) = field.ty else {
        sink.error("decide/type", item.span, format!("`{}` is no word", field.name), "only words are decided");
        return None;
    };
    let mut cases: Vec<(Case, Span)> = Vec::new();
    for entry in item.list(sink) {
        let parts = entry.list(sink);
        let [class, when, cells] = parts.as_slice() else {
            sink.error("decide/syntax", entry.span, "a class, a condition, assignments", "three texts");
            return None;
        };
        let (class, when, cells) = (class.text(sink)?, when.text(sink)?, cells.text(sink)?);
        if !words.contains(&class.text.as_str()) {
            let title = format!("`{}` is no word of this field", class.text);
            sink.error("decide/unknown_class", class.span, title, format!("one of: {}", words.join(", ")));
        }
        let node = syntax::expression(&when, sink)?;
        let names = Names { table: Some(draft.table(place.table)), ..Names::default() };
        let expr = typing::boolean(&node, names, sink)?;
        draft.mark_all(place.table, &expr.columns(), &Role::Read);
        let cells = assigned(&cells, place.table, draft, sink)?;
        let role = if place.writes { Role::Written(item.span) } else { Role::Shown };
        let columns: Vec<_> = cells.iter().map(|(column, _)| *column).collect();
        draft.mark_all(place.table, &columns, &role);
        cases.push((Case { class: class.text.as_str().into(), when: expr, cells }, when.span));
    }
    establish(&cases, sink);
    complete(&cases, item.span, sink);
    Some(Form::Decide(cases.into_iter().map(|(case, _)| case).collect()))
}

/// Each class must make its own condition true and all earlier ones false, whatever else is in the row.
fn establish(cases: &[(Case, Span)], sink: &mut Sink<'_>) {
    for (nth, (case, span)) in cases.iter().enumerate() {
        let known = |column: ColumnNo| case.cells.iter().find(|(no, _)| *no == column).map(|(_, cell)| cell.clone());
        if case.when.settled(&|_| None) == Some(true) {
            sink.error("decide/catch_all", *span, "this condition takes every row", "it would swallow what is unknown");
            continue;
        }
        if case.when.settled(&known) != Some(true) {
            let title = format!("class `{}` does not make its own condition true", case.class);
            sink.error("decide/not_established", *span, title, "not settled by its assignments");
        }
        for (earlier, earlier_span) in cases.iter().take(nth) {
            if earlier.when.settled(&known) != Some(false) {
                let title = format!("class `{}` could be taken for `{}`", case.class, earlier.class);
                let problem = Problem::new("decide/shadowed", title).at(*span, "its assignments");
                sink.push(problem.at(*earlier_span, "do not make this earlier condition false"));
            }
        }
    }
}

/// Every class sets the same columns, so that a born row has them all.
fn complete(cases: &[(Case, Span)], span: Span, sink: &mut Sink<'_>) {
    let columns = |case: &Case| {
        let mut columns: Vec<ColumnNo> = case.cells.iter().map(|(column, _)| *column).collect();
        columns.sort_unstable();
        columns
    };
    if cases.iter().any(|(case, _)| columns(case) != columns(&cases[0].0)) {
        sink.error("decide/incomplete", span, "the classes do not set the same columns", "a born row needs them all");
    }
    if cases.is_empty() {
        sink.error("decide/syntax", span, "nothing is decided", "no class");
    }
}

/// The cells that assignments set.
pub(crate) fn assigned(
    text: &Text,
    table: TableNo,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Vec<(ColumnNo, vocab::row::Cell)>> {
    let mut cells = Vec::new();
    for assignment in syntax::assignments(text, sink)? {
        let column = column_of(&assignment.column, table, draft, sink)?;
        if cells.iter().any(|(other, _)| *other == column) {
            sink.error("assign/twice", assignment.span, "a column is set twice", "again");
            return None;
        }
        let of = &draft.table(table).columns[column];
        cells.push((column, tables::cell_of(&assignment.value, of, assignment.span, sink)?));
    }
    Some(cells)
}
