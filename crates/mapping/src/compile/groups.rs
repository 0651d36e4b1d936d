//! What only grouped rules have: values picked among rows, rows that do not vote, losers.

use super::forms::{self, Place};
use super::{Declarations, Draft, Role};
use crate::diagnostics::Sink;
use crate::file::{Entries, Item, Text};
use crate::lexer::Tokens;
use crate::program::Form;
use crate::program::{Of, Otherwise, Pick, PickHow, Voters};
use crate::syntax::{self, Comparison, Lit, NodeKind};
use crate::typing::{self, Names};
use vocab::document::Node;
use vocab::id::Kind;
use vocab::row::TableNo;
use vocab::shape::{Field, Type};

/// `{ pick = "most", of = …, where = …, not = …, by = …, tie = …, else = …, differs = "report" }`. `all` holds
/// the form again, with the key `pick` that was taken from `entries`.
pub(crate) fn pick(
    mut all: Entries<'_>,
    entries: &mut Entries<'_>,
    field: &Field,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Form> {
    let how = all.take_text("pick", sink)?;
    if place.group.is_none() {
        sink.error("pick/not_grouped", how.span, "one row has nothing to pick from", "only in a grouped entity");
        return None;
    }
    let kind = match how.text.as_str() {
        "only" => PickHow::Only,
        "min" => PickHow::Min,
        "max" => PickHow::Max,
        "first" => PickHow::First,
        "last" => PickHow::Last,
        "most" => PickHow::Most,
        _ => {
            sink.error("pick/unknown", how.span, "only, min, max, first, last or most", "none of these");
            return None;
        }
    };
    let of = entries.need_text("of", sink)?;
    let of = of_row(&of, Some(field), place, draft, sink)?;
    let filter = match entries.take_text("where", sink) {
        Some(text) => Some(condition(&text, place.table, draft, sink)?),
        None => None,
    };
    let not = entries.take("not").map(|item| node_of(item, sink));
    let by = columns(entries.take_text("by", sink), place, draft, sink)?;
    let tie = columns(entries.take_text("tie", sink), place, draft, sink)?;
    if matches!(kind, PickHow::First | PickHow::Last) && by.is_empty() {
        sink.error("pick/by", how.span, "first and last need `by`", "in which order?");
    }
    let otherwise = match entries.take("else") {
        Some(item) => Some(otherwise(item, field, place, draft, sink)?),
        None => None,
    };
    let report = match entries.take_text("differs", sink) {
        Some(text) if text.text == "report" => true,
        Some(text) => {
            sink.error("pick/differs", text.span, "`differs` can only be \"report\"", "here");
            false
        }
        None => false,
    };
    let losers = place.losers.iter().any(|loser| loser == field.name);
    Some(Form::Pick(Box::new(Pick { how: kind, of, filter, not, by, tie, otherwise, report, losers })))
}

fn node_of(item: Item<'_>, sink: &mut Sink<'_>) -> Node {
    match item.as_int() {
        Some(int) => Node::Int(int),
        None => item.text(sink).map_or(Node::Null, |text| Node::Text(text.text)),
    }
}

pub(crate) fn condition(
    text: &Text,
    table: TableNo,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<crate::expr::Expr> {
    let node = syntax::expression(text, sink)?;
    let names = Names { table: Some(draft.table(table)), ..Names::default() };
    let expr = typing::boolean(&node, names, sink)?;
    draft.mark_all(table, &expr.columns(), &Role::Read);
    Some(expr)
}

/// A column with its codec, or an expression over one row.
fn of_row(
    text: &Text,
    field: Option<&Field>,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Of> {
    let node = syntax::expression(text, &mut Sink::new(&[]));
    if let Some(node) = node.filter(|node| !matches!(node.kind, NodeKind::Path(_))) {
        let names = Names { table: Some(draft.table(place.table)), ..Names::default() };
        let (expr, ty) = typing::check(&node, names, sink)?;
        if let Some(field) = field.filter(|field| typing::type_of_field(field.ty) != Some(ty)) {
            sink.error("pick/type", text.span, format!("`{}` is not of type {}", field.name, ty.name()), "here");
            return None;
        }
        draft.mark_all(place.table, &expr.columns(), &Role::Read);
        return Some(Of::Expr(expr));
    }
    let parsed = syntax::field(text, sink)?;
    let column = forms::column_of(&parsed.column, place.table, draft, sink)?;
    let ty = field.map(|field| field.ty);
    let codec = forms::codec_of(&parsed, column, ty, place.table, place.declarations, draft, sink)?;
    draft.mark(place.table, column, Role::Read);
    Some(Of::Cell(column, codec))
}

/// `a, b as codec`; `text` stands for the value itself and needs no column.
fn columns(text: Option<Text>, place: &Place<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) -> Option<Vec<Of>> {
    let Some(text) = text else { return Some(Vec::new()) };
    let mut tokens = Tokens::new(&text, "pick/syntax", sink)?;
    let mut all = Vec::new();
    loop {
        let parsed = syntax::field_of(&mut tokens, sink)?;
        if parsed.column.0 != "text" {
            let column = forms::column_of(&parsed.column, place.table, draft, sink)?;
            let names = Names { table: Some(draft.table(place.table)), ..Names::default() };
            all.push(match &parsed.codec {
                Some(_) => {
                    let codec = forms::codec_of(&parsed, column, None, place.table, place.declarations, draft, sink)?;
                    Of::Cell(column, codec)
                }
                None => {
                    let kind = NodeKind::Path(vec![parsed.column.0.clone()]);
                    let node = syntax::Node { kind, span: parsed.column.1 };
                    Of::Expr(typing::check(&node, names, sink)?.0)
                }
            });
            draft.mark(place.table, column, Role::Read);
        }
        if !tokens.take_symbol(",") {
            tokens.end(sink)?;
            return Some(all);
        }
    }
}

/// A constant, or `{Column}`: the text of the grouping column.
fn otherwise(
    item: Item<'_>,
    field: &Field,
    place: &Place<'_>,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Otherwise> {
    let fits_text = matches!(field.ty, Type::Text | Type::Id);
    if let Some(text) = item.as_text().filter(|_| fits_text) {
        let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return Some(Otherwise::Const(text.into()));
        };
        let column = draft.table(place.table).column(name).filter(|column| place.group == Some(*column));
        if column.is_none() {
            sink.error("pick/else", item.span, "only the grouping column is the same in all rows", "another column");
        }
        return column.map(Otherwise::Column);
    }
    let word = match field.ty {
        Type::Word(words) => item.as_text().filter(|text| words.contains(text)).map(Node::from),
        Type::Int | Type::Money | Type::Instant | Type::Count => item.as_int().map(Node::Int),
        Type::Id | Type::Text | Type::Bool | Type::Currency | Type::List(_) | Type::One(_) => None,
    };
    if word.is_none() {
        sink.error("pick/else", item.span, format!("this is no value of `{}`", field.name), "here");
    }
    word.map(Otherwise::Const)
}

/// `use = "order.class = 'live'"`: only rows whose other aggregate is of that class vote.
pub(crate) fn voters(
    text: &Text,
    table: TableNo,
    declarations: &Declarations,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Voters> {
    let node = syntax::expression(text, sink)?;
    let parsed = if let NodeKind::Compare(how @ (Comparison::Equal | Comparison::NotEqual), path, class) = &node.kind
        && let NodeKind::Path(path) = &path.kind
        && let NodeKind::Lit(Lit::Text(class)) = &class.kind
        && let [kind, of] = &path[..]
    {
        Kind::from_name(kind).filter(|_| of == "class").map(|kind| (kind, class, *how == Comparison::Equal))
    } else {
        None
    };
    let Some((kind, class, positive)) = parsed else {
        sink.error(
            "use/syntax",
            text.span,
            "`use` says which class the rows' other aggregate has",
            "as in \"order.class = 'live'\"",
        );
        return None;
    };
    let column = draft
        .rules
        .iter()
        .find(|rule| rule.kind == kind && rule.program.table == table && rule.source == declarations.header.source)
        .and_then(|rule| rule.program.group);
    let Some(column) = column else {
        let title = format!("no {} is grouped from the same table above", kind.name());
        sink.error("use/no_group", text.span, title, "whose class is meant?");
        return None;
    };
    Some(Voters { kind, column, class: class.as_str().into(), positive })
}
