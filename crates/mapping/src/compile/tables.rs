//! `[table.…]` and `[ids]`: columns as in CREATE TABLE, keys, shop paths, blocks.

use super::codecs::{self, Declared};
use super::header::Header;
use super::{Draft, Role};
use crate::codec::{Codec, length_max};
use crate::diagnostics::{Problem, Sink, Span};
use crate::file::{Entries, Item, Text};
use crate::lexer::{Token, Tokens};
use crate::pattern::IdPattern;
use crate::syntax::{self, Lit};
use std::collections::BTreeMap;
use vocab::id::ShopId;
use vocab::row::{Cell, Column, ColumnType, ShopPath, Table, TableNo, Use};
use vocab::shape::Type;

/// A table and what only the compiler needs of it.
pub(crate) struct TableDraft {
    pub table: Table,
    pub span: Span,
    pub columns: Vec<ColumnDraft>,
    pub ids: Option<Ids>,
    /// `shop`, until all tables are known.
    shop: Option<Text>,
}

pub(crate) struct ColumnDraft {
    pub span: Span,
    /// `keep` or `ignored`.
    pub kept: bool,
    pub born: Option<Born>,
    pub touch: Option<Codec>,
}

#[derive(Debug, Clone)]
pub(crate) enum Born {
    Cell(Cell),
    Now(Codec),
}

pub(crate) struct Ids {
    pub block: u64,
    pub pattern: Option<IdPattern>,
    pub span: Span,
}

/// A block larger than this is a slip.
const BLOCK_MAX: i64 = 10_000_000;

pub(crate) fn compile(
    mut entries: Entries<'_>,
    _header: &Header,
    codecs: &BTreeMap<String, Declared>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) {
    for (name, span, item) in entries.rest() {
        if let Some(other) = draft.tables.iter().find(|other| *other.table.name == *name) {
            let problem = Problem::new("table/twice", format!("table {name} is declared twice"));
            sink.push(problem.at(span, "second").at(other.span, "first"));
            continue;
        }
        let Some(entries) = item.table(sink) else { continue };
        if let Some(table) = one(&name, span, entries, codecs, sink) {
            draft.uses.push(vec![Vec::new(); table.columns.len()]);
            draft.tables.push(table);
        }
    }
}

fn one(
    name: &str,
    span: Span,
    mut entries: Entries<'_>,
    codecs: &BTreeMap<String, Declared>,
    sink: &mut Sink<'_>,
) -> Option<TableDraft> {
    let text = entries.need_text("columns", sink)?;
    let (columns, drafts) = columns(&text, codecs, sink)?;
    let key_item = entries.take("key");
    if key_item.is_none() {
        sink.error("table/key", span, format!("table {name} has no `key`"), "here");
    }
    let key = key(key_item?, &columns, sink)?;
    let shared = entries.take("shared").and_then(|item| item.bool(sink)).unwrap_or(false);
    let shop = entries.take_text("shop", sink);
    let writes = entries.take_text("writes", sink);
    if let Some(writes) = writes.as_ref().filter(|writes| writes.text != "never") {
        sink.error("table/writes", writes.span, "`writes` can only be \"never\"", "here");
    }
    if shared == shop.is_some() {
        let title = format!("table {name} needs either `shop` or `shared = true`");
        sink.error("table/shop_path", span, title, "how is the shop of a row found?");
        return None;
    }
    entries.finish("a table", sink);
    let table = Table { name: name.into(), columns, key, shop: ShopPath::Shared, read_only: writes.is_some() };
    Some(TableDraft { table, span, columns: drafts, ids: None, shop })
}

fn key(item: Item<'_>, columns: &[Column], sink: &mut Sink<'_>) -> Option<Vec<usize>> {
    let items = if item.is_list() { item.list(sink) } else { vec![item] };
    let mut key = Vec::new();
    for item in &items {
        let text = item.text(sink)?;
        let found = columns.iter().position(|column| *column.name == *text.text);
        let fits = |no: &usize| !columns[*no].nullable && columns[*no].usage == Use::Moved && !key.contains(no);
        match found.filter(fits) {
            Some(no) => key.push(no),
            None => {
                sink.error("table/key", text.span, "a key column is a column, not null, named once", "here");
                return None;
            }
        }
    }
    if key.is_empty() {
        sink.error("table/key", item.span, "a key has a column", "here");
        return None;
    }
    Some(key)
}

fn columns(
    text: &Text,
    codecs: &BTreeMap<String, Declared>,
    sink: &mut Sink<'_>,
) -> Option<(Vec<Column>, Vec<ColumnDraft>)> {
    let mut tokens = Tokens::new(text, "columns/syntax", sink)?;
    let (mut columns, mut drafts): (Vec<Column>, Vec<ColumnDraft>) = (Vec::new(), Vec::new());
    loop {
        let (column, draft) = column(&mut tokens, codecs, sink)?;
        if columns.iter().any(|other| other.name == column.name) {
            sink.error("columns/twice", draft.span, format!("column {} is declared twice", column.name), "again");
        }
        columns.push(column);
        drafts.push(draft);
        if !tokens.take_symbol(",") {
            tokens.end(sink)?;
            return Some((columns, drafts));
        }
    }
}

/// `name type ["null"] [use] ["as" codec] ["born" (lit | "now as" codec)]`.
fn column(
    tokens: &mut Tokens<'_>,
    codecs: &BTreeMap<String, Declared>,
    sink: &mut Sink<'_>,
) -> Option<(Column, ColumnDraft)> {
    let start = tokens.span();
    let (name, _) = tokens.name("a column", sink)?;
    let ty = column_type(tokens, sink)?;
    let nullable = tokens.take_word("null");
    let mut column = Column { name: name.into(), ty, nullable, usage: Use::Moved };
    let mut draft = ColumnDraft { span: start, kept: false, born: None, touch: None };
    let use_span = tokens.span();
    if tokens.take_word("keep") || tokens.take_word("ignored") {
        draft.kept = true;
    } else if tokens.take_word("unmoved") {
        column.usage = Use::Unmoved;
    } else if tokens.take_word("secret") {
        column.usage = Use::Secret;
    } else if tokens.take_word("touch") {
        column.usage = Use::Touch;
        if !tokens.take_word("as") {
            sink.error("columns/touch", use_span, "`touch` needs a codec", "as in `touch as time`");
            return None;
        }
        draft.touch = Some(now_codec(tokens, &column, codecs, sink)?);
    }
    if tokens.take_word("born") {
        draft.born = Some(born(tokens, &column, codecs, sink)?);
    }
    draft.span = tokens.since(start);
    Some((column, draft))
}

fn column_type(tokens: &mut Tokens<'_>, sink: &mut Sink<'_>) -> Option<ColumnType> {
    let (name, span) = tokens.name("a type", sink)?;
    let mut lengths = Vec::new();
    if tokens.take_symbol("(") {
        loop {
            match tokens.next() {
                Some(Token::Int(length)) => lengths.push(u32::try_from(length).ok().filter(|length| *length > 0)?),
                _ => {
                    sink.error("columns/syntax", span, "a length is an integer", "of this type");
                    return None;
                }
            }
            if !tokens.take_symbol(",") {
                break;
            }
        }
        tokens.need_symbol(")", sink)?;
    }
    let ty = match (name.as_str(), lengths.as_slice()) {
        ("int", []) => ColumnType::Int,
        ("text", []) => ColumnType::Text(None),
        ("text", [length]) => ColumnType::Text(Some(*length)),
        ("char", [length]) => ColumnType::Char(*length),
        ("bytes", []) => ColumnType::Bytes,
        // Numbers that are no integers arrive as their text.
        ("decimal", [] | [_, _]) | ("real", []) => ColumnType::Text(None),
        _ => {
            let known = "int, text, text(n), char(n), bytes, decimal, real";
            sink.push(
                Problem::new("columns/type", format!("there is no column type `{name}` of this form"))
                    .at(span, "not known")
                    .help(format!("one of: {known}")),
            );
            return None;
        }
    };
    Some(ty)
}

fn now_codec(
    tokens: &mut Tokens<'_>,
    column: &Column,
    codecs: &BTreeMap<String, Declared>,
    sink: &mut Sink<'_>,
) -> Option<Codec> {
    let (name, span) = tokens.name("a codec", sink)?;
    let Some(declared) = codecs.get(&name) else {
        sink.error("codec/unknown", span, format!("there is no codec `{name}`"), "not declared");
        return None;
    };
    codecs::fit(declared, column, Some(Type::Instant), span, sink)
}

fn born(
    tokens: &mut Tokens<'_>,
    column: &Column,
    codecs: &BTreeMap<String, Declared>,
    sink: &mut Sink<'_>,
) -> Option<Born> {
    if tokens.take_word("now") {
        if !tokens.take_word("as") {
            tokens.fail("`as` and a codec", sink);
            return None;
        }
        return now_codec(tokens, column, codecs, sink).map(Born::Now);
    }
    let span = tokens.span();
    let lit = syntax::literal(tokens, sink)?;
    cell_of(&lit, column, span, sink).map(Born::Cell)
}

/// A literal as a cell of a column.
pub(crate) fn cell_of(lit: &Lit, column: &Column, span: Span, sink: &mut Sink<'_>) -> Option<Cell> {
    let cell = match (lit, &column.ty) {
        (Lit::Null, _) if column.nullable => Some(Cell::Null),
        (Lit::Int(value), ColumnType::Int) => Some(Cell::Int(*value)),
        (Lit::Text(text), ColumnType::Text(_) | ColumnType::Char(_)) => {
            let most = length_max(&column.ty).unwrap_or(usize::MAX);
            (text.chars().count() <= most).then(|| Cell::Text(text.clone()))
        }
        (Lit::Decimal(text), ColumnType::Text(None)) => Some(Cell::Text(text.clone())),
        _ => None,
    };
    if cell.is_none() {
        sink.error("columns/value", span, format!("this value does not fit column {}", column.name), "here");
    }
    cell
}

/// Resolves `shop` of every table, now that all tables are known.
pub(crate) fn link_shops(draft: &mut Draft<'_>, sink: &mut Sink<'_>) {
    for no in 0..draft.tables.len() {
        let Some(text) = draft.tables[no].shop.take() else { continue };
        if let Some(path) = shop_path(&text, no, draft, sink) {
            match path {
                ShopPath::Column(column) | ShopPath::Through { column, .. } => draft.mark(no, column, Role::Shop),
                ShopPath::Fixed(_) | ShopPath::Shared => {}
            }
            draft.tables[no].table.shop = path;
        }
    }
    for no in 0..draft.tables.len() {
        let table = draft.table(no).clone();
        draft.mark_all(no, &table.key, &Role::Key);
        let mut at = no;
        for _ in 0..draft.tables.len() {
            match draft.table(at).shop {
                ShopPath::Through { table, .. } => at = table,
                ShopPath::Column(_) | ShopPath::Fixed(_) | ShopPath::Shared => break,
            }
        }
        if matches!(draft.table(at).shop, ShopPath::Through { .. }) {
            let span = draft.tables[no].span;
            sink.error("table/shop_path", span, "this shop path runs in a circle", "here");
        }
    }
}

fn shop_path(text: &Text, no: TableNo, draft: &Draft<'_>, sink: &mut Sink<'_>) -> Option<ShopPath> {
    let table = draft.table(no);
    if let Some(shop) = text.text.strip_prefix("fixed ") {
        return match ShopId::parse(shop) {
            Ok(shop) => Some(ShopPath::Fixed(shop)),
            Err(error) => {
                sink.error("table/shop_path", text.span, error.to_string(), "here");
                None
            }
        };
    }
    let mut tokens = Tokens::new(text, "table/shop_path", sink)?;
    let (name, span) = tokens.name("a column", sink)?;
    let column = table.column(&name).filter(|&column| {
        let column = &table.columns[column];
        column.usage == Use::Moved && !column.nullable && column.ty != ColumnType::Bytes
    });
    let Some(column) = column else {
        sink.error("table/shop_path", span, "the shop is found by a column that is not null", "no such column");
        return None;
    };
    if tokens.is_done() {
        return Some(ShopPath::Column(column));
    }
    tokens.need_symbol("->", sink)?;
    let (parent_name, parent_span) = tokens.name("a table", sink)?;
    tokens.need_symbol(".", sink)?;
    let (shop_column, shop_span) = tokens.name("a column", sink)?;
    tokens.end(sink)?;
    let Some(parent) = draft.table_named(&parent_name) else {
        sink.error("table/shop_path", parent_span, format!("there is no table {parent_name}"), "not declared");
        return None;
    };
    let to = draft.table(parent);
    let key_fits = matches!(to.key[..], [key] if to.columns[key].ty == table.columns[column].ty);
    if to.column(&shop_column).is_none() || !key_fits || parent == no {
        let title = format!("{name} does not lead to a row of {parent_name} that has a shop");
        sink.error("table/shop_path", shop_span, title, "here");
        return None;
    }
    if !leads_to_shop(draft, parent, &shop_column) {
        let title = format!("{parent_name}.{shop_column} is not what `shop` of {parent_name} says");
        sink.error("table/shop_path", shop_span, title, "here");
        return None;
    }
    Some(ShopPath::Through { column, table: parent })
}

/// Whether `column` is the one by which the parent's shop is found.
fn leads_to_shop(draft: &Draft<'_>, parent: TableNo, column: &str) -> bool {
    let draft = &draft.tables[parent];
    match (&draft.shop, &draft.table.shop) {
        // Not resolved yet: the text begins with the column's name.
        (Some(text), _) => text.text.split_whitespace().next() == Some(column),
        (None, ShopPath::Column(no) | ShopPath::Through { column: no, .. }) => {
            draft.table.columns.get(*no).is_some_and(|found| *found.name == *column)
        }
        (None, ShopPath::Fixed(_) | ShopPath::Shared) => false,
    }
}

/// `[ids]`: which tables the backend may mint keys for. `first`: the first table of this file.
pub(crate) fn ids(mut entries: Entries<'_>, first: TableNo, draft: &mut Draft<'_>, sink: &mut Sink<'_>) {
    for (name, span, item) in entries.rest() {
        let Some(mut entries) = item.table(sink) else { continue };
        let block = entries.take("block").and_then(|item| item.int(sink));
        let public = entries.take_text("public", sink);
        entries.finish("ids", sink);
        let Some(no) = draft.table_named(&name).filter(|no| *no >= first) else {
            sink.error("ids/no_table", span, format!("there is no table {name} in this file"), "not declared");
            continue;
        };
        let table = draft.table(no);
        let int_key = matches!(table.key[..], [key] if table.columns[key].ty == ColumnType::Int);
        if !int_key || table.read_only {
            sink.error("ids/key", span, "keys are minted for one integer key of a table that is written", "not here");
            continue;
        }
        let Some(block) = block.filter(|block| (1..=BLOCK_MAX).contains(block)).and_then(|n| u64::try_from(n).ok())
        else {
            sink.error("ids/block", item.span, format!("`block` is 1 to {BLOCK_MAX}"), "here");
            continue;
        };
        let pattern = match public {
            None => None,
            Some(text) => match IdPattern::parse(&text.text) {
                Some(pattern) => Some(pattern),
                None => {
                    let title = "a public id is text with one `{id}` or `{id:07}`";
                    sink.error("ids/public", text.span, title, "here");
                    continue;
                }
            },
        };
        draft.tables[no].ids = Some(Ids { block, pattern, span });
    }
}
