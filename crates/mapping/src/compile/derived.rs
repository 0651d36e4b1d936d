//! Columns that are no field: recomputed from the document when what they depend on changes.

use super::forms::{self, Place};
use super::{Draft, Role, codecs};
use crate::codec::{Codec, CodecKind};
use crate::diagnostics::{Problem, Sink, Span};
use crate::expr::Ty;
use crate::file::{Entries, Text};
use crate::program::{Derived, DerivedHow, From, ListForm};
use crate::syntax;
use crate::typing::{self, Names};
use vocab::id::Name;
use vocab::row::{ColumnNo, TableNo};
use vocab::shape::{Field, Type};

/// `column = { value = … }` and `"list.column" = { spread = … }`.
pub(crate) fn compile(
    entries: Option<Entries<'_>>,
    fields: &'static [Field],
    lists: &[ListForm],
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<Derived> {
    let mut all = Vec::new();
    for (name, span, item) in entries.map(|mut entries| entries.rest()).unwrap_or_default() {
        let Some(entries) = item.table(sink) else { continue };
        let Some((list, table, column)) = target(&name, span, lists, place, draft, sink) else { continue };
        if place.structural.contains(&column) && table == place.table {
            sink.error("derived/structural", span, "this column is set by structure", "key, shop, link or order");
        }
        let derived = one(entries, (list, table, column), span, fields, lists, place, draft, sink);
        if let Some(derived) = derived {
            let role = if place.writes { Role::Written(span) } else { Role::Shown };
            draft.mark(table, column, role);
            all.push(derived);
        }
    }
    all
}

fn target(
    name: &str,
    span: Span,
    lists: &[ListForm],
    place: &Place<'_>,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<(Option<usize>, TableNo, ColumnNo)> {
    let Some((list, column)) = name.split_once('.') else {
        let column = forms::column_of(&(name.to_owned(), span), place.table, draft, sink)?;
        return Some((None, place.table, column));
    };
    let no = lists.iter().position(|form| *form.name == *list && matches!(form.from, From::Join { .. }));
    let Some(no) = no else {
        sink.error("derived/list", span, format!("there is no list `{list}` with rows of its own"), "here");
        return None;
    };
    let column = forms::column_of(&(column.to_owned(), span), lists[no].table, draft, sink)?;
    Some((Some(no), lists[no].table, column))
}

#[expect(clippy::too_many_arguments, reason = "one form of the file, in its surroundings")]
fn one(
    mut entries: Entries<'_>,
    (list, table, column): (Option<usize>, TableNo, ColumnNo),
    span: Span,
    fields: &'static [Field],
    lists: &[ListForm],
    place: &Place<'_>,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Derived> {
    let codec = entries.take_text("codec", sink);
    let inside = match list.and_then(|no| fields.iter().find(|field| *field.name == *lists[no].name)) {
        Some(Field { ty: Type::List(inside), .. }) => *inside,
        _ => fields,
    };
    let spread = entries.take_text("spread", sink);
    let (how, ty) = match (&spread, list) {
        (Some(field), Some(_)) => (spread_of(field, &mut entries, fields, inside, sink)?, Ty::Money),
        (Some(field), None) => {
            sink.error(
                "derived/spread",
                field.span,
                "a sum is spread over the rows of a list",
                "as in \"list.column\"",
            );
            return None;
        }
        (None, _) => {
            let text = entries.need_text("value", sink)?;
            let node = syntax::expression(&text, sink)?;
            let (expr, ty) = typing::check(&node, Names { fields: inside, ..Names::default() }, sink)?;
            (DerivedHow::Value(expr), ty)
        }
    };
    entries.finish("a derived column", sink);
    let codec = derived_codec(codec.as_ref(), ty, table, column, span, place, draft, sink)?;
    let list_name = list.map(|no| lists[no].name.clone());
    let inputs = inputs(&how, list_name.as_ref());
    Some(Derived { list, column, codec, how, inputs })
}

fn spread_of(
    field: &Text,
    entries: &mut Entries<'_>,
    fields: &'static [Field],
    inside: &'static [Field],
    sink: &mut Sink<'_>,
) -> Option<DerivedHow> {
    let weight = entries.need_text("weight", sink)?;
    let rest = entries.need_text("rest", sink)?;
    let unit = entries.take("unit");
    let named = |name: &Text, of: &'static [Field], types: &[Type]| {
        of.iter().find(|field| field.name == name.text && types.contains(&field.ty))
    };
    let Some(source) = named(field, fields, &[Type::Money]) else {
        sink.error("derived/spread", field.span, "only an amount of the document is spread", "no such amount");
        return None;
    };
    let Some(by) = named(&weight, inside, &[Type::Money, Type::Int]) else {
        sink.error("derived/weight", weight.span, "a weight is an amount or a number of the element", "no such field");
        return None;
    };
    let rest_last = match rest.text.as_str() {
        "last" => true,
        "first" => false,
        _ => {
            sink.error("derived/rest", rest.span, "the rest goes to the first or the last element", "here");
            return None;
        }
    };
    let unit = match unit {
        Some(item) => item.int(sink).filter(|unit| *unit > 0)?,
        None => 1,
    };
    Some(DerivedHow::Spread { field: source.name.into(), weight: by.name.into(), unit, rest_last })
}

#[expect(clippy::too_many_arguments, reason = "one form of the file, in its surroundings")]
fn derived_codec(
    named: Option<&Text>,
    ty: Ty,
    table: TableNo,
    column: ColumnNo,
    span: Span,
    place: &Place<'_>,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Codec> {
    let of = &draft.table(table).columns[column];
    let wanted = match ty {
        Ty::Money => Type::Money,
        Ty::Int => Type::Int,
        Ty::Text => Type::Text,
        Ty::Bool => Type::Bool,
        Ty::Instant => Type::Instant,
        Ty::Decimal | Ty::Null => {
            let problem = Problem::new("derived/type", "a derived column needs a value of a field's type");
            sink.push(problem.at(span, format!("this is of type {}", ty.name())));
            return None;
        }
    };
    match named {
        Some(name) => {
            let declared = forms::declared(&name.text, name.span, place.declarations, sink)?;
            codecs::fit(declared, of, Some(wanted), name.span, sink)
        }
        None if wanted == Type::Int => Some(Codec::plain(CodecKind::Int)),
        None => codecs::by_type(of, wanted, span, sink),
    }
}

/// What the column depends on.
fn inputs(how: &DerivedHow, list: Option<&Name>) -> Vec<(Option<Name>, Name)> {
    let mut inputs = Vec::new();
    match how {
        DerivedHow::Value(expr) => expr.reads(list, &mut inputs),
        DerivedHow::Spread { field, weight, .. } => {
            inputs.push((None, field.clone()));
            inputs.push((list.cloned(), weight.clone()));
        }
    }
    inputs
}
