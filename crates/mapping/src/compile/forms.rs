//! The form of each field: a column with its codec, a constant, an expression, a count, a decision, a pick.

use super::codecs::{self, Declared};
use super::{Declarations, Draft, Role, decisions, groups};
use crate::codec::Codec;
use crate::diagnostics::{Problem, Sink, Span};
use crate::expr::{Expr, Function, Ty};
use crate::file::{Entries, Item, Text};
use crate::program::{Binding, FieldForm, Form, Forms};
use crate::syntax::{self, FieldText};
use crate::typing::{self, Names};
use std::collections::BTreeMap;
use vocab::document::Node;
use vocab::id::Name;
use vocab::row::{ColumnNo, ColumnType, TableNo, Use};
use vocab::shape::{Field, Type};

/// Where forms stand: whose cells they read, and what else decides those cells.
pub(crate) struct Place<'p> {
    pub table: TableNo,
    /// The list or `one`; none for the aggregate itself.
    pub part: Option<Name>,
    /// The grouping column, if one value stands for all rows of a group.
    pub group: Option<ColumnNo>,
    /// Columns that are set by structure.
    pub structural: &'p [ColumnNo],
    pub writes: bool,
    /// Fields made by a list or `one` of their own.
    pub parts: &'p [Name],
    pub losers: &'p [String],
    pub declarations: &'p Declarations,
}

/// Compiles the forms of all fields of a shape.
pub(crate) fn compile(
    entries: Option<Entries<'_>>,
    span: Span,
    fields: &'static [Field],
    place: &Place<'_>,
    places: &mut BTreeMap<(Option<Name>, Name), Span>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Forms {
    let mut given = entries.map(|mut entries| entries.rest()).unwrap_or_default();
    let mut forms = Vec::new();
    for field in fields {
        let at = given.iter().position(|(name, _, _)| name == field.name);
        let entry = at.map(|at| given.remove(at));
        let form = match &entry {
            Some((_, at, _)) if place.parts.iter().any(|part| &**part == field.name) => {
                sink.error("footprint/overlap", *at, format!("`{}` has two forms", field.name), "it is also a part");
                None
            }
            Some((_, at, _)) if field.ty == Type::Currency => {
                sink.error("entity/currency", *at, "the currency stands in the header of the file", "not here");
                None
            }
            Some((_, at, item)) => {
                places.insert((place.part.clone(), field.name.into()), *at);
                form(*item, field, place, fields, draft, sink)
            }
            None if place.parts.iter().any(|part| &**part == field.name) => Some(Form::Part),
            None if field.ty == Type::Currency => Some(Form::Currency(place.declarations.header.currency.clone())),
            None => {
                missing(field, span, sink);
                None
            }
        };
        if let Some(form) = form {
            forms.push(FieldForm { name: field.name.into(), place: 0, ty: field.ty, nullable: field.nullable, form });
        }
    }
    for (name, span, _) in given {
        let known: Vec<_> = fields.iter().map(|field| field.name).collect();
        sink.push(
            Problem::new("entity/no_such_field", format!("the document has no field `{name}`"))
                .at(span, "not in the shape")
                .help(format!("one of: {}", known.join(", "))),
        );
    }
    Forms::new(in_order(forms, places, place.part.as_ref(), sink))
}

fn missing(field: &Field, span: Span, sink: &mut Sink<'_>) {
    let help =
        if field.nullable { "without a column: `{ value = \"null\" }`" } else { "without a column: `{ const = … }`" };
    let problem = Problem::new("coverage/no_form", format!("`{}` has no form", field.name));
    sink.push(problem.at(span, "a field of this document").help(help));
}

/// Values last, each after those it reads.
fn in_order(
    forms: Vec<FieldForm>,
    places: &BTreeMap<(Option<Name>, Name), Span>,
    part: Option<&Name>,
    sink: &mut Sink<'_>,
) -> Vec<FieldForm> {
    let (mut values, mut sorted): (Vec<_>, Vec<_>) =
        forms.into_iter().partition(|field| matches!(field.form, Form::Value(_)));
    while !values.is_empty() {
        let names: Vec<Name> = values.iter().map(|field| field.name.clone()).collect();
        let ready = values.iter().position(|field| {
            let Form::Value(expr) = &field.form else { return true };
            let mut reads = Vec::new();
            expr.reads(None, &mut reads);
            !reads.iter().any(|(list, name)| list.is_none() && names.contains(name))
        });
        let Some(ready) = ready else {
            let span = places.get(&(part.cloned(), values[0].name.clone())).copied().unwrap_or_default();
            sink.error("value/cycle", span, "this value needs itself", "through the fields that it reads");
            return sorted;
        };
        sorted.push(values.remove(ready));
    }
    sorted
}

fn form(
    item: Item<'_>,
    field: &Field,
    place: &Place<'_>,
    fields: &'static [Field],
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Form> {
    if !item.is_table() {
        let text = item.text(sink)?;
        let parsed = syntax::field(&text, sink)?;
        return binding(&parsed, text.span, field, place, draft, sink).map(Form::Column);
    }
    let mut entries = item.table(sink)?;
    let form = if let Some(item) = entries.take("const") {
        constant(item, field, sink).map(Form::Const)
    } else if let Some(item) = entries.take("forgotten") {
        forgotten(item, field, sink)
    } else if let Some(text) = entries.take_text("value", sink) {
        value(&text, field, place, fields, draft, sink)
    } else if let Some(text) = entries.take_text("count", sink) {
        count(&text, field, place, draft, sink)
    } else if let Some(item) = entries.take("decide") {
        decisions::decide(item, field, place, draft, sink)
    } else if entries.take("pick").is_some() {
        groups::pick(item.table(sink)?, &mut entries, field, place, draft, sink)
    } else {
        let before = sink.count();
        entries.finish("a form", sink);
        if sink.count() == before {
            sink.error("field/syntax", item.span, "this is no form", "const, forgotten, value, count, decide or pick");
        }
        return None;
    };
    entries.finish("a form", sink);
    form
}

/// The column of that name, if a field may read it.
pub(crate) fn column_of(
    (name, span): &(String, Span),
    table: TableNo,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<ColumnNo> {
    let of = draft.table(table);
    let Some(no) = of.column(name) else {
        sink.error("field/unknown_column", *span, format!("{} has no column {name}", of.name), "not declared");
        return None;
    };
    match of.columns[no].usage {
        Use::Moved => Some(no),
        Use::Unmoved | Use::Touch | Use::Secret => {
            let label = "unmoved, touch or secret";
            sink.error("field/not_moved", *span, format!("{}.{name} does not take part in a move", of.name), label);
            None
        }
    }
}

/// The codec that a text names, or the one that column and type need.
pub(crate) fn codec_of(
    parsed: &FieldText,
    column: ColumnNo,
    ty: Option<Type>,
    table: TableNo,
    declarations: &Declarations,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Codec> {
    let column = &draft.table(table).columns[column];
    match (&parsed.codec, ty) {
        (Some((name, span)), ty) => {
            let declared = declared(name, *span, declarations, sink)?;
            codecs::fit(declared, column, ty, *span, sink)
        }
        (None, Some(ty)) => codecs::by_type(column, ty, parsed.column.1, sink),
        (None, None) => codecs::by_type(column, Type::Id, parsed.column.1, sink),
    }
}

pub(crate) fn declared<'d>(
    name: &str,
    span: Span,
    declarations: &'d Declarations,
    sink: &mut Sink<'_>,
) -> Option<&'d Declared> {
    let found = declarations.codecs.get(name);
    if found.is_none() {
        let known: Vec<_> = declarations.codecs.keys().map(String::as_str).collect();
        sink.push(
            Problem::new("codec/unknown", format!("there is no codec `{name}`"))
                .at(span, "not declared")
                .help(format!("declared are: {}", known.join(", "))),
        );
    }
    found
}

pub(crate) fn binding(
    parsed: &FieldText,
    span: Span,
    field: &Field,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Binding> {
    if matches!(field.ty, Type::List(_) | Type::One(_) | Type::Count) {
        let title = format!("`{}` is no single cell", field.name);
        sink.error("field/type", span, title, "a list, a `one`, or `{ count = … }`");
        return None;
    }
    let column = column_of(&parsed.column, place.table, draft, sink)?;
    if place.group.is_some_and(|group| group != column) {
        let title = format!("{} may differ between the rows of a group", parsed.column.0);
        sink.error("group/not_constant", span, title, "choose one with `{ pick = … }`");
        return None;
    }
    let codec = codec_of(parsed, column, Some(field.ty), place.table, place.declarations, draft, sink)?;
    let structural = place.structural.contains(&column);
    let role = if structural || !place.writes { Role::Shown } else { Role::Written(span) };
    draft.mark(place.table, column, role);
    Some(Binding { column, codec, once: parsed.once, structural })
}

/// `"null"`, or a constant.
fn forgotten(item: Item<'_>, field: &Field, sink: &mut Sink<'_>) -> Option<Form> {
    if field.nullable && item.as_text() == Some("null") {
        return Some(Form::Forgotten(Node::Null));
    }
    constant(item, field, sink).map(Form::Forgotten)
}

fn constant(item: Item<'_>, field: &Field, sink: &mut Sink<'_>) -> Option<Node> {
    let node = match field.ty {
        Type::Int | Type::Money | Type::Count | Type::Instant => item.as_int().map(Node::Int),
        Type::Text | Type::Id | Type::Currency => item.as_text().map(Node::from),
        Type::Word(words) => item.as_text().filter(|text| words.contains(text)).map(Node::from),
        Type::Bool => item.bool(sink).map(Node::Bool),
        Type::List(_) => (item.is_list() && item.list(sink).is_empty()).then(|| Node::List(Vec::new())),
        Type::One(_) => None,
    };
    if node.is_none() {
        let title = format!("this constant is no value of `{}`", field.name);
        sink.error("const/type", item.span, title, "of another type, or no word of this field");
    }
    node
}

fn value(
    text: &Text,
    field: &Field,
    place: &Place<'_>,
    fields: &'static [Field],
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Form> {
    let node = syntax::expression(text, sink)?;
    let table = place.group.is_none().then(|| draft.table(place.table));
    let names = Names { table, fields, ..Names::default() };
    let (expr, ty) = typing::check(&node, names, sink)?;
    let wanted = typing::type_of_field(field.ty);
    let fits = if ty == Ty::Null { field.nullable } else { wanted == Some(ty) };
    if !fits {
        let title = format!("this value is of type {}, `{}` is not", ty.name(), field.name);
        sink.error("value/type", text.span, title, if ty == Ty::Null { "it may not be null" } else { "here" });
        return None;
    }
    if let Type::Word(words) = field.ty
        && let Some(wrong) = results(&expr).into_iter().find(|word| !words.contains(word))
    {
        let title = format!("`{wrong}` is no word of `{}`", field.name);
        sink.error("value/word", text.span, title, format!("one of: {}", words.join(", ")));
    }
    let columns = expr.columns();
    draft.mark_all(place.table, &columns, &Role::Read);
    Some(if matches!(expr, Expr::Null) { Form::Const(Node::Null) } else { Form::Value(expr) })
}

/// The texts that an expression may give, as far as they stand in it.
fn results(expr: &Expr) -> Vec<&str> {
    if let Expr::Text(text) = expr {
        return vec![text];
    }
    let Expr::Call(function @ (Function::If | Function::Coalesce), arguments) = expr else { return Vec::new() };
    arguments.iter().skip(usize::from(*function == Function::If)).flat_map(results).collect()
}

fn count(text: &Text, field: &Field, place: &Place<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) -> Option<Form> {
    let parsed = syntax::field(text, sink)?;
    let column = column_of(&parsed.column, place.table, draft, sink)?;
    let of = &draft.table(place.table).columns[column];
    let plain = parsed.codec.is_none() && !parsed.once && of.ty == ColumnType::Int && !of.nullable;
    if field.ty != Type::Count || !plain || place.group.is_some() {
        let title = format!("`{}` cannot be counted by this column", field.name);
        sink.error("count/column", text.span, title, "a count is an integer column, not null, of a single row");
        return None;
    }
    draft.mark(place.table, column, Role::Written(text.span));
    Some(Form::Count(column))
}
