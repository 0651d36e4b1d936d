//! `[[trigger]]`: the legacy's own triggers, as additions that `put` takes into account.

use super::{Draft, Role};
use crate::diagnostics::Sink;
use crate::expr::Ty;
use crate::file::{Entries, Text};
use crate::lexer::Tokens;
use crate::program::{FieldForm, Fires, Form, From, Trigger};
use crate::syntax;
use crate::typing::{self, Names};
use vocab::row::{ColumnNo, TableNo};

pub(crate) fn compile(root: &mut Entries<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) {
    let Some(item) = root.take("trigger") else { return };
    for item in item.list(sink) {
        let Some(entries) = item.table(sink) else { continue };
        if let Some(trigger) = one(entries, draft, sink) {
            draft.triggers.push(trigger);
        }
    }
}

fn one(mut entries: Entries<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) -> Option<Trigger> {
    let on_text = entries.need_text("on", sink)?;
    let fires = fires(&mut entries, sink);
    let adds = entries.take_table("adds", sink);
    if adds.is_none() {
        sink.error("file/missing", entries.span, "a trigger needs `adds`", "what does it add, and where?");
    }
    entries.finish("a trigger", sink);
    let mut adds = adds?;
    let place = adds.need_text("where", sink)?;
    let rest = adds.rest();
    let [(target, target_span, effect)] = rest.as_slice() else {
        sink.error(
            "trigger/adds",
            adds.span,
            "a trigger adds to one column",
            "as in { \"stock.count\" = …, where = … }",
        );
        return None;
    };
    let Some(on) = draft.table_named(&on_text.text) else {
        sink.error("entity/no_table", on_text.span, format!("there is no table {}", on_text.text), "not declared");
        return None;
    };
    let found = target.split_once('.').and_then(|(table, column)| {
        let no = draft.table_named(table)?;
        Some((no, draft.table(no).column(column)?))
    });
    let Some((table, column)) = found.filter(|(table, column)| is_counted(*table, *column, draft)) else {
        let label = "any other effect must be switched off for our writer";
        sink.error("trigger/target", *target_span, format!("`{target}` is not counted by a field"), label);
        return None;
    };
    let effect = effect.text(sink)?;
    let node = syntax::expression(&effect, sink)?;
    let (expr, ty) = typing::check(&node, Names { trigger: Some(draft.table(on)), ..Names::default() }, sink)?;
    if ty != Ty::Int {
        sink.error("expr/type", effect.span, "a trigger adds an integer", format!("this is of type {}", ty.name()));
        return None;
    }
    let key_from = key_from(&place, table, on, draft, sink)?;
    draft.mark_all(on, &expr.columns(), &Role::Read);
    draft.mark(on, key_from, Role::Read);
    Some(Trigger { on, target: table, column, key_from, adds: expr, fires })
}

/// `at = ["insert", "update", "delete"]`; all three where it is not said.
fn fires(entries: &mut Entries<'_>, sink: &mut Sink<'_>) -> Fires {
    let Some(item) = entries.take("at") else { return Fires { insert: true, update: true, delete: true } };
    let mut fires = Fires { insert: false, update: false, delete: false };
    for item in item.list(sink) {
        match item.as_text() {
            Some("insert") => fires.insert = true,
            Some("update") => fires.update = true,
            Some("delete") => fires.delete = true,
            _ => sink.error("trigger/at", item.span, "insert, update or delete", "none of these"),
        }
    }
    fires
}

fn is_counted(table: TableNo, column: ColumnNo, draft: &Draft<'_>) -> bool {
    let counts = |fields: &[FieldForm]| {
        fields.iter().any(|field| matches!(field.form, Form::Count(counted) if counted == column))
    };
    draft.rules.iter().any(|rule| {
        let own = rule.program.table == table && counts(&rule.program.fields);
        own || rule
            .program
            .lists
            .iter()
            .any(|list| list.table == table && list.from != From::Group && counts(&list.fields))
    })
}

/// `key = column`: which row is added to.
fn key_from(text: &Text, target: TableNo, on: TableNo, draft: &Draft<'_>, sink: &mut Sink<'_>) -> Option<ColumnNo> {
    let mut tokens = Tokens::new(text, "trigger/where", sink)?;
    let (key, key_span) = tokens.name("the key of the table that is added to", sink)?;
    tokens.need_symbol("=", sink)?;
    let (column, column_span) = tokens.name("a column of the row", sink)?;
    tokens.end(sink)?;
    let to = draft.table(target);
    if to.column(&key).is_none_or(|no| to.key != [no]) {
        sink.error("trigger/where", key_span, format!("`{key}` is not the key of {}", to.name), "one row is added to");
        return None;
    }
    let found = draft.table(on).column(&column);
    if found.is_none_or(|no| draft.table(on).columns[no].ty != to.columns[to.key[0]].ty) {
        let title = format!("{} has no column {column} of the key's type", draft.table(on).name);
        sink.error("trigger/where", column_span, title, "here");
        return None;
    }
    found
}
