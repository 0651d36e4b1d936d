//! Every column has a use, and no two forms write one cell.

use super::{Draft, Role};
use crate::diagnostics::{Problem, Sink, Span};
use vocab::row::{ColumnNo, TableNo, Use};

pub(crate) fn check(draft: &Draft<'_>, sink: &mut Sink<'_>) {
    for table in 0..draft.tables.len() {
        let used =
            draft.uses[table].iter().any(|column| column.iter().any(|role| !matches!(role, Role::Key | Role::Shop)));
        let anchors = draft.rules.iter().any(|rule| rule.program.table == table);
        if !used && !anchors {
            let draft = &draft.tables[table];
            let title = format!("no entity reads table {}", draft.table.name);
            sink.error("coverage/no_entity", draft.span, title, "declared for nothing");
            continue;
        }
        for column in 0..draft.table(table).columns.len() {
            one(table, column, draft, sink);
        }
    }
}

fn one(table: TableNo, column: ColumnNo, draft: &Draft<'_>, sink: &mut Sink<'_>) {
    let of = draft.table(table);
    let name = format!("{}.{}", of.name, of.columns[column].name);
    let details = &draft.tables[table].columns[column];
    let roles = &draft.uses[table][column];
    let declared = details.kept || of.columns[column].usage != Use::Moved;
    let mut written: Vec<Span> = Vec::new();
    for role in roles {
        if let Role::Written(span) = role {
            written.push(*span);
        }
    }
    let structural = roles.iter().any(|role| matches!(role, Role::Key | Role::Shop | Role::Link | Role::Order));
    if let [first, second, ..] = written[..] {
        let problem = Problem::new("footprint/overlap", format!("two fields write {name}"));
        sink.push(problem.at(first, "first").at(second, "second"));
    }
    if let Some(first) = written.first().filter(|_| structural) {
        let problem = Problem::new("footprint/structure", format!("{name} is set by structure"));
        sink.push(problem.at(*first, "and written here").at(details.span, "key, shop, link or order"));
    }
    let shown = !written.is_empty() || roles.iter().any(|role| matches!(role, Role::Shown));
    if declared && (shown || structural) {
        let problem = Problem::new("coverage/two_uses", format!("column {name} has two uses"));
        sink.push(problem.at(details.span, "declared with one, and a field or structure uses it"));
    }
    if roles.is_empty() && !declared {
        sink.push(
            Problem::new("coverage/no_use", format!("column {name} has no use"))
                .at(details.span, "no field, no keep …")
                .help("a field · keep · unmoved · secret · touch · ignored"),
        );
    }
}
