//! History documents: `{id, invoice?, placed_at?, currency, total, lines: [{product, title, unit_price, quantity}]}`.
//!
//! A closed document as found: amounts are exact decimal text, nothing is repaired. What is no amount at all is a fault.

use crate::Mapping;
use crate::api::Fault;
use crate::codec::{Codec, CodecKind};
use crate::decimal::Decimal;
use crate::expr::Scope;
use crate::get::{Gathered, Keyed, Notes};
use crate::origin;
use crate::program::{FieldForm, Form, ListForm, Program};
use crate::read::{Reader, Spot, node_of};
use vocab::document::{Node, Record};
use vocab::row::{Cell, Column};

pub(crate) fn document(
    mapping: &Mapping,
    program: &Program,
    gathered: &Gathered<'_>,
    scope: Scope<'_>,
) -> Result<Record, Vec<Fault>> {
    let mut notes = Notes::default();
    let spot = mapping.spot(program, gathered);
    let table = &mapping.tables[program.table];
    let origin = match program.group {
        Some(column) => format!("{}:{}", table.name, origin::raw(&spot.row.0[column])),
        None => origin::print(table, spot.key),
    };
    let key = || origin.split_once(':').map_or_else(String::new, |(_, key)| key.to_owned());
    let id = field(mapping, program, "id", spot, gathered, scope);
    let id = if let Node::Text(id) = id { id } else { key() };
    let mut record =
        Record::default().with("origin", origin.as_str()).with("id", id).with("currency", &*program.currency);
    for name in ["invoice", "placed_at"] {
        if let found @ Node::Int(_) = field(mapping, program, name, spot, gathered, scope) {
            record.set(name, found);
        }
    }
    let list = program.lists.iter().position(|list| &*list.name == "lines");
    let mut sum = Decimal::ZERO;
    let mut lines = Vec::new();
    if let Some(no) = list {
        for &row in &gathered.lists[no] {
            let line = line(mapping, program, &program.lists[no], row);
            let amount = line.text("unit_price").and_then(|price| Decimal::parse(price, '.'));
            let product = amount.and_then(|price| price.times(Decimal::int(line.int("quantity")?)));
            match product.and_then(|product| sum.plus(product)) {
                Some(more) => sum = more,
                None => {
                    let spot = Spot { table: program.lists[no].table, key: row.0, row: row.1 };
                    let what = "a line without an amount".to_owned();
                    Reader::new(mapping, program, &mut notes).fault(spot, None, "history", what);
                }
            }
            lines.push(Node::Record(line));
        }
    }
    let total = program
        .history
        .total
        .as_ref()
        .map(|binding| amount(&spot.row.0[binding.column], &binding.codec, &table.columns[binding.column]));
    record.set("total", total.unwrap_or_else(|| sum.print('.')));
    record.set("lines", lines);
    if notes.faults.is_empty() { Ok(record) } else { Err(notes.faults) }
}

/// A field of the aggregate as far as it can be read.
fn field(
    mapping: &Mapping,
    program: &Program,
    name: &str,
    spot: Spot<'_>,
    gathered: &Gathered<'_>,
    scope: Scope<'_>,
) -> Node {
    let Some(form) = program.fields.iter().find(|field| &*field.name == name) else { return Node::Null };
    let mut notes = Notes::default();
    let mut record = program.fields.blank(String::new());
    let form = std::slice::from_ref(form);
    Reader::new(mapping, program, &mut notes).fields(form, spot, &gathered.group, scope, &mut record);
    record.get(name).cloned().unwrap_or(Node::Null)
}

fn line(mapping: &Mapping, program: &Program, list: &ListForm, (key, row): Keyed<'_>) -> Record {
    let part = |name: &str| {
        let replaced = program.history.lines.iter().find(|(field, _)| &**field == name).map(|(_, binding)| binding);
        let column = |no: usize| &mapping.tables[list.table].columns[no];
        if let Some(binding) = replaced {
            return part_of(&row.0[binding.column], &binding.codec, column(binding.column), program.minor);
        }
        let form = list.fields.iter().find(|field| &*field.name == name).map(|field: &FieldForm| &field.form);
        match form {
            Some(Form::Column(binding)) => {
                part_of(&row.0[binding.column], &binding.codec, column(binding.column), program.minor)
            }
            Some(Form::Const(node) | Form::Forgotten(node)) => node.clone(),
            Some(Form::Value(expr)) => node_of(expr.eval(Scope { row: Some(row), ..Scope::default() })),
            Some(Form::Count(_) | Form::Decide(_) | Form::Pick(_) | Form::Currency(_) | Form::Part) | None => {
                Node::Null
            }
        }
    };
    let text = |node: Node| match node {
        Node::Text(text) => text,
        Node::Int(value) => value.to_string(),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Record(_) => String::new(),
    };
    let quantity = Some(part("quantity")).filter(|node| matches!(node, Node::Int(_)));
    let product = text(part("product"));
    Record::default()
        .with("origin", origin::print(&mapping.tables[list.table], key))
        .with("product", (!product.is_empty()).then_some(product))
        .with("title", text(part("title")))
        .with("unit_price", text(part("unit_price")))
        .with("quantity", quantity)
}

/// A cell as it belongs into history: amounts as decimal text, unreadable cells as they are.
fn part_of(cell: &Cell, codec: &Codec, column: &Column, minor: u32) -> Node {
    match (&codec.kind, cell) {
        (CodecKind::Minor, Cell::Int(value)) => Node::Text(Decimal::minor(*value, minor).print('.')),
        (CodecKind::Money(_) | CodecKind::Exact { .. }, _) => Node::Text(amount(cell, codec, column)),
        (_, cell) => codec.read(cell, column).unwrap_or_else(|_| Node::Text(origin::raw(cell))),
    }
}

fn amount(cell: &Cell, codec: &Codec, column: &Column) -> String {
    let separator = codec.separator();
    let raw = origin::raw(cell);
    let text = if matches!(column.ty, vocab::row::ColumnType::Char(_)) { raw.trim_end_matches(' ') } else { &raw };
    Decimal::parse(text, separator).map_or_else(|| text.to_owned(), |value| value.print('.'))
}
