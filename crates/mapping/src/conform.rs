//! Documents against their shape and against each other: the checks on both sides of `put`.

use crate::codec::Codec;
use crate::program::{FieldForm, Form, Program};
use vocab::document::{Node, Record};
use vocab::id::Name;
use vocab::shape::{Field, Type};

/// The path of the first value that is not of its field's type; counts may be absent.
pub(crate) fn misfit(fields: &[Field], record: &Record) -> Option<String> {
    let unknown =
        record.0.keys().find(|name| &***name != "origin" && !fields.iter().any(|field| *field.name == ***name));
    if let Some(name) = unknown {
        return Some(name.to_string());
    }
    fields.iter().find_map(|field| {
        let node = record.get(field.name).unwrap_or(&Node::Null);
        misfit_of(field, node)
            .map(|inner| if inner.is_empty() { field.name.to_owned() } else { format!("{}.{inner}", field.name) })
    })
}

/// The path inside the field; empty if it is the field itself.
fn misfit_of(field: &Field, node: &Node) -> Option<String> {
    let here = |fits: bool| if fits { None } else { Some(String::new()) };
    match (field.ty, node) {
        (Type::Count, Node::Null | Node::Int(_)) => None,
        (_, Node::Null) => here(field.nullable),
        (Type::Id | Type::Text | Type::Currency, node) => here(matches!(node, Node::Text(_))),
        (Type::Int | Type::Money | Type::Instant, node) => here(matches!(node, Node::Int(_))),
        (Type::Bool, node) => here(matches!(node, Node::Bool(_))),
        (Type::Word(words), Node::Text(word)) => here(words.contains(&word.as_str())),
        (Type::One(inner), Node::Record(record)) => misfit(inner, record),
        (Type::List(inner), Node::List(nodes)) => nodes.iter().find_map(|node| match record_in(node) {
            Some(record) => misfit(inner, record),
            None => Some(String::new()),
        }),
        (Type::Word(_) | Type::One(_) | Type::List(_) | Type::Count, _) => Some(String::new()),
    }
}

/// The path of the first field in which two documents of a rule differ beyond what the file declares equal. Counts
/// are not compared; of a `one` from shared rows only who it is.
pub(crate) fn difference(program: &Program, a: &Record, b: &Record) -> Option<String> {
    if let Some(path) = in_fields(&program.fields, a, b) {
        return Some(path);
    }
    for one in &program.ones {
        if who(a.get(&one.name)) != who(b.get(&one.name)) {
            return Some(one.name.to_string());
        }
    }
    for list in &program.lists {
        let (mut left, mut right) = (records(a, &list.name), records(b, &list.name));
        if list.order.is_none() {
            left.sort_by_key(|record| record.text("origin"));
            right.sort_by_key(|record| record.text("origin"));
        }
        if left.len() != right.len() {
            return Some(list.name.to_string());
        }
        for (left, right) in left.into_iter().zip(right) {
            let origins = (left.text("origin"), right.text("origin"));
            if matches!(origins, (Some(a), Some(b)) if a != b) {
                return Some(format!("{}: another order", list.name));
            }
            if let Some(path) = in_fields(&list.fields, left, right) {
                return Some(format!("{}.{path}", list.name));
            }
        }
    }
    None
}

fn in_fields(fields: &[FieldForm], a: &Record, b: &Record) -> Option<String> {
    let differs = |field: &&FieldForm| {
        let (a, b) = (a.get(&field.name).unwrap_or(&Node::Null), b.get(&field.name).unwrap_or(&Node::Null));
        match &field.form {
            Form::Part | Form::Count(_) | Form::Forgotten(_) => false,
            Form::Column(binding) => !same(&binding.codec, a, b),
            Form::Const(_) if field.ty == Type::Count => false,
            Form::Const(_) | Form::Value(_) | Form::Decide(_) | Form::Pick(_) | Form::Currency(_) => a != b,
        }
    };
    fields.iter().find(differs).map(|field| field.name.to_string())
}

fn same(codec: &Codec, a: &Node, b: &Node) -> bool {
    codec.same(a, b)
}

/// Who an element of a `one` is.
pub(crate) fn who(node: Option<&Node>) -> Option<&str> {
    let record = record_in(node?)?;
    record.text("id").or_else(|| record.text("origin"))
}

/// The elements of a list.
pub(crate) fn records<'a>(record: &'a Record, list: &Name) -> Vec<&'a Record> {
    record.list(list).iter().filter_map(record_in).collect()
}

pub(crate) fn record_in(node: &Node) -> Option<&Record> {
    if let Node::Record(record) = node { Some(record) } else { None }
}
