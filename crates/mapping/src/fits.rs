//! Whether the legacy's columns can hold what a document says, asked before anybody is told that it was done.
//!
//! What does not fit would be debt, and debt closes the way back: nobody should be able to make some by a long name.

use crate::Mapping;
use crate::codec::length_max;
use crate::program::{FieldForm, Form};
use vocab::document::{Node, Record};
use vocab::id::Kind;
use vocab::row::Table;

/// A field whose value no cell of its column can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// As in `lines[2].title`.
    pub path: String,
    /// What would fit.
    pub why: String,
}

impl Mapping {
    /// The first field of a document born or changed here that is too long for its column or has a character that no
    /// text there may have; none where everything fits. What else cannot go back is not asked here.
    pub fn misfit(&self, kind: Kind, document: &Record) -> Option<Misfit> {
        let rule = self.rules.get(self.rule_of(kind, document)?).filter(|rule| rule.writes)?;
        let program = &rule.program;
        let own = first(&program.fields, &self.tables[program.table], document, "");
        let in_one = || {
            program.ones.iter().find_map(|one| {
                let record = document.record(&one.name)?;
                first(&one.fields, &self.tables[one.table], record, &format!("{}.", one.name))
            })
        };
        let in_lists = || {
            program.lists.iter().find_map(|list| {
                let table = &self.tables[list.table];
                document.list(&list.name).iter().enumerate().find_map(|(place, node)| {
                    let Node::Record(element) = node else { return None };
                    first(&list.fields, table, element, &format!("{}[{place}].", list.name))
                })
            })
        };
        own.or_else(in_one).or_else(in_lists)
    }

    /// Whether the legacy has a way to write this value of a field of a list's elements. False where no rule writes the kind.
    pub fn prints(&self, kind: Kind, [list, field]: [&str; 2], value: &Node) -> bool {
        let of_kind = self.rules.iter().filter(|rule| rule.kind == kind && rule.writes);
        let lists = of_kind.flat_map(|rule| rule.program.lists.iter().filter(|it| *it.name == *list));
        lists.flat_map(|list| list.fields.iter().map(|it| (it, &self.tables[list.table]))).any(|(form, table)| {
            let Form::Column(binding) = &form.form else { return false };
            *form.name == *field && binding.codec.print(value, &table.columns[binding.column]).is_ok()
        })
    }
}

fn first(fields: &[FieldForm], table: &Table, record: &Record, under: &str) -> Option<Misfit> {
    fields.iter().find_map(|field| {
        let Form::Column(binding) = &field.form else { return None };
        let value = record.get(&field.name).filter(|value| !binding.structural && **value != Node::Null)?;
        let column = &table.columns[binding.column];
        let (code, _) = binding.codec.print(value, column).err()?;
        let why = match (code, length_max(&column.ty)) {
            ("too_long", Some(most)) => format!("at most {most} characters fit the seller's records"),
            ("bad_text", _) => "a zero character does not fit the seller's records".to_owned(),
            _ => return None,
        };
        Some(Misfit { path: format!("{under}{}", field.name), why })
    })
}
