//! Lists and `one`s: which rows hang on an anchor row, in which order, and how they go.

use super::{Declarations, Draft, Role, forms};
use crate::codec::Codec;
use crate::diagnostics::{Problem, Sink, Span};
use crate::file::{Entries, Text};
use crate::lexer::Tokens;
use crate::program::{From, Remove};
use crate::syntax;
use vocab::id::Name;
use vocab::row::{ColumnNo, ShopPath, TableNo};
use vocab::shape::{Field, Type};

/// A list or `one` whose structure is known and whose fields are still text.
pub(crate) struct PartDraft<'t> {
    pub name: Name,
    pub field: &'static Field,
    pub fields_shape: &'static [Field],
    pub table: TableNo,
    pub from: From,
    /// For a `one`: how the link is read.
    pub link: Option<Codec>,
    pub order: Option<ColumnNo>,
    pub remove: Remove,
    pub fields: Option<Entries<'t>>,
    pub history: Option<Entries<'t>>,
    pub span: Span,
}

/// Where a part hangs.
pub(crate) struct Trunk<'a> {
    pub table: TableNo,
    pub group: Option<ColumnNo>,
    pub shape: &'static [Field],
    pub declarations: &'a Declarations,
}

pub(crate) fn lists<'t>(
    entries: Option<Entries<'t>>,
    trunk: &Trunk<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<PartDraft<'t>> {
    let mut parts: Vec<PartDraft<'t>> = Vec::new();
    for (name, span, item) in entries.map(|mut entries| entries.rest()).unwrap_or_default() {
        let field = trunk.shape.iter().find(|field| field.name == name);
        let Some((field, Type::List(shape))) = field.map(|field| (field, field.ty)) else {
            sink.error("entity/no_such_field", span, format!("the document has no list `{name}`"), "not in the shape");
            continue;
        };
        let Some(entries) = item.table(sink) else { continue };
        let Some(part) = list(field, shape, span, entries, trunk, draft, sink) else { continue };
        if let Some(other) = parts.iter().find(|other| other.table == part.table) {
            let problem = Problem::new("list/same_table", "two lists from one table");
            sink.push(problem.at(span, "second").at(other.span, "first"));
            continue;
        }
        parts.push(part);
    }
    parts
}

fn list<'t>(
    field: &'static Field,
    fields_shape: &'static [Field],
    span: Span,
    mut entries: Entries<'t>,
    trunk: &Trunk<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<PartDraft<'t>> {
    let from = entries.need_text("from", sink)?;
    let on = entries.take_text("on", sink);
    let (table, source) = match from.text.as_str() {
        "self" => (trunk.table, From::Own),
        "group" if trunk.group.is_some() => (trunk.table, From::Group),
        _ => join_list(&from, on.as_ref(), trunk, draft, sink)?,
    };
    if let Some(on) = on.filter(|_| !matches!(source, From::Join { .. })) {
        sink.error("join/needless", on.span, "these rows need no `on`", "here");
    }
    let order = match entries.take_text("order", sink) {
        Some(text) => Some(order_column(&text, table, source, draft, sink)?),
        None if source == From::Own => None,
        None => {
            sink.error("list/order", span, "a list needs `order`", "a column, or the key");
            None
        }
    };
    // A list in the order of its key has no order of its own: a key says only who came first.
    let order = order.filter(|order| draft.table(table).key != [*order] || source == From::Group);
    let remove = remove(&mut entries, span, source, draft.table(table).read_only, sink)?;
    let fields = entries.take_table("fields", sink);
    let history = entries.take_table("history", sink);
    entries.finish("a list", sink);
    if let From::Join { column, anchor_column } = source {
        draft.mark(table, column, Role::Link);
        draft.mark(trunk.table, anchor_column, Role::Read);
    }
    if let Some(order) = order {
        draft.mark(table, order, Role::Order);
    }
    let name = field.name.into();
    Some(PartDraft { name, field, fields_shape, table, from: source, link: None, order, remove, fields, history, span })
}

fn remove(entries: &mut Entries<'_>, span: Span, source: From, read_only: bool, sink: &mut Sink<'_>) -> Option<Remove> {
    let text = entries.take_text("remove", sink);
    match (text, source) {
        (None, From::Own | From::Group) => Some(Remove::Debt),
        (None, From::Join { .. }) if read_only => Some(Remove::Debt),
        (None, From::Join { .. }) => {
            sink.error("list/remove", span, "a list needs `remove`", "\"debt\" or \"delete\"");
            None
        }
        (Some(text), From::Join { .. }) if text.text == "delete" => Some(Remove::Delete),
        (Some(text), _) if text.text == "debt" => Some(Remove::Debt),
        (Some(text), _) => {
            sink.error("list/remove", text.span, "rows of a list are deleted, or it is debt", "\"debt\" or \"delete\"");
            None
        }
    }
}

/// The table and link of a joined list.
fn join_list(
    from: &Text,
    on: Option<&Text>,
    trunk: &Trunk<'_>,
    draft: &Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<(TableNo, From)> {
    let Some(table) = draft.table_named(&from.text) else {
        sink.error("entity/no_table", from.span, format!("there is no table {}", from.text), "not declared");
        return None;
    };
    let Some(on) = on else {
        sink.error("join/missing", from.span, "joined rows need `on`", "as in \"order_id = id\"");
        return None;
    };
    let link = on_clause(on, table, trunk, draft, sink)?;
    if link.codec.is_some() {
        sink.error("join/codec", on.span, "a list is joined by equal cells", "no codec here");
    }
    let shape = &draft.table(table).shop;
    if *shape == ShopPath::Shared {
        sink.error("join/shared_list", from.span, "rows of many shops cannot be a list", "only a `one` may be shared");
        return None;
    }
    if let ShopPath::Through { column, table: parent } = shape
        && (*parent != trunk.table || *column != link.column)
    {
        let title = format!("the shop of {} is not found through this anchor", from.text);
        sink.error("join/shop_path", on.span, title, "`shop` of the table says otherwise");
    }
    Some((table, From::Join { column: link.column, anchor_column: link.anchor_column }))
}

struct Link {
    column: ColumnNo,
    anchor_column: ColumnNo,
    codec: Option<(String, Span)>,
    span: Span,
}

/// `joined_column = anchor_column [as codec]`.
fn on_clause(on: &Text, table: TableNo, trunk: &Trunk<'_>, draft: &Draft<'_>, sink: &mut Sink<'_>) -> Option<Link> {
    if trunk.group.is_some() || table == trunk.table {
        sink.error("join/grouped", on.span, "this table cannot be joined here", "here");
        return None;
    }
    let mut tokens = Tokens::new(on, "join/syntax", sink)?;
    let joined = tokens.name("a column of the joined table", sink)?;
    tokens.need_symbol("=", sink)?;
    let anchor = syntax::field_of(&mut tokens, sink)?;
    tokens.end(sink)?;
    let column = forms::column_of(&joined, table, draft, sink);
    let anchor_column = forms::column_of(&anchor.column, trunk.table, draft, sink);
    let (column, anchor_column) = (column?, anchor_column?);
    if draft.table(table).columns[column].ty != draft.table(trunk.table).columns[anchor_column].ty {
        sink.error("join/type", on.span, "the two columns are not of one type", "they would never be equal");
        return None;
    }
    Some(Link { column, anchor_column, codec: anchor.codec, span: anchor.column.1 })
}

fn order_column(text: &Text, table: TableNo, source: From, draft: &Draft<'_>, sink: &mut Sink<'_>) -> Option<ColumnNo> {
    let column = forms::column_of(&(text.text.clone(), text.span), table, draft, sink)?;
    let of = &draft.table(table).columns[column];
    if of.ty != vocab::row::ColumnType::Int || of.nullable || source == From::Own {
        sink.error("list/order", text.span, "rows are ordered by an integer column that is not null", "not this one");
        return None;
    }
    Some(column)
}

pub(crate) fn ones<'t>(
    entries: Option<Entries<'t>>,
    trunk: &Trunk<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<PartDraft<'t>> {
    let mut parts = Vec::new();
    for (name, span, item) in entries.map(|mut entries| entries.rest()).unwrap_or_default() {
        let field = trunk.shape.iter().find(|field| field.name == name);
        let Some((field, Type::One(shape))) = field.map(|field| (field, field.ty)) else {
            sink.error("entity/no_such_field", span, format!("the document has no `one` {name}"), "not in the shape");
            continue;
        };
        let Some(entries) = item.table(sink) else { continue };
        parts.extend(one(field, shape, span, entries, trunk, draft, sink));
    }
    parts
}

fn one<'t>(
    field: &'static Field,
    fields_shape: &'static [Field],
    span: Span,
    mut entries: Entries<'t>,
    trunk: &Trunk<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<PartDraft<'t>> {
    let from = entries.need_text("from", sink)?;
    let on = entries.need_text("on", sink)?;
    let fields = entries.take_table("fields", sink);
    entries.finish("a `one`", sink);
    let Some(table) = draft.table_named(&from.text) else {
        sink.error("entity/no_table", from.span, format!("there is no table {}", from.text), "not declared");
        return None;
    };
    let link = on_clause(&on, table, trunk, draft, sink)?;
    if draft.table(table).key != [link.column] {
        sink.error("join/not_a_key", on.span, "a `one` is joined by its key", "not the key of the table");
        return None;
    }
    if !matches!(draft.table(table).shop, ShopPath::Shared) {
        sink.error("form/not_built", from.span, "a `one` from a table that is not shared is not built", "not shared");
        return None;
    }
    let parsed = syntax::FieldText { column: (String::new(), link.span), codec: link.codec.clone(), once: false };
    let ty = Some(Type::Id);
    let codec = forms::codec_of(&parsed, link.anchor_column, ty, trunk.table, trunk.declarations, draft, sink)?;
    draft.mark(table, link.column, Role::Read);
    draft.mark(trunk.table, link.anchor_column, Role::Link);
    Some(PartDraft {
        name: field.name.into(),
        field,
        fields_shape,
        table,
        from: From::Join { column: link.column, anchor_column: link.anchor_column },
        link: Some(codec),
        order: None,
        remove: Remove::Debt,
        fields,
        history: None,
        span,
    })
}
