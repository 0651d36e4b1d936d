//! Fields of one document or element, read from their cells; what cannot be read is a fault.

use crate::Mapping;
use crate::api::{Fault, Loser, Report, Rows};
use crate::codec::shown;
use crate::expr::{Scope, Value};
use crate::get::{Keyed, Notes};
use crate::program::{Binding, Case, FieldForm, Form, OneForm, Program};
use crate::{origin, pick};
use vocab::document::{Node, Record};
use vocab::id::Name;
use vocab::row::{Cell, ColumnNo, Row, RowKey, TableNo};

/// The row at hand.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub table: TableNo,
    pub key: &'a RowKey,
    pub row: &'a Row,
}

pub(crate) struct Reader<'a> {
    mapping: &'a Mapping,
    program: &'a Program,
    notes: &'a mut Notes,
}

impl<'a> Reader<'a> {
    pub fn new(mapping: &'a Mapping, program: &'a Program, notes: &'a mut Notes) -> Self {
        Self { mapping, program, notes }
    }

    pub fn fault(&mut self, spot: Spot<'_>, column: Option<ColumnNo>, code: &'static str, what: String) {
        let table = &self.mapping.tables[spot.table];
        let key = match self.program.group {
            Some(group) if spot.table == self.program.table => origin::raw(&spot.row.0[group]),
            _ => spot.key.0.iter().map(shown).collect::<Vec<_>>().join(", "),
        };
        let column = column.map(|column| table.columns[column].name.clone());
        self.notes.faults.push(Fault { code, table: table.name.clone(), key, column, what });
    }

    /// Reads fields into a record that is blank but for what was read before. Values see what is in it already.
    pub fn fields(
        &mut self,
        fields: &[FieldForm],
        spot: Spot<'_>,
        group: &[Keyed<'_>],
        scope: Scope<'_>,
        record: &mut Record,
    ) {
        for field in fields {
            let node = match &field.form {
                Form::Part => continue,
                Form::Column(binding) => self.column(field, binding, spot),
                Form::Const(node) | Form::Forgotten(node) => Some(node.clone()),
                Form::Currency(currency) => Some(Node::from(&**currency)),
                Form::Count(column) => self.count(*column, spot),
                Form::Decide(cases) => self.decide(cases, spot, scope),
                Form::Pick(pick) => self.pick(field, pick, spot, group),
                Form::Value(expr) => {
                    let value = node_of(expr.eval(Scope { record: Some(&*record), ..scope }));
                    // After a fault, what is computed from the unread field is no news.
                    if self.notes.faults.is_empty() { self.not_null(field, value, spot, None) } else { None }
                }
            };
            record.0.put(field.place, node.unwrap_or(Node::Null));
        }
    }

    fn not_null(&mut self, field: &FieldForm, node: Node, spot: Spot<'_>, column: Option<ColumnNo>) -> Option<Node> {
        if node == Node::Null && !field.nullable {
            self.fault(spot, column, "null", format!("`{}` may not be null", field.name));
            return None;
        }
        Some(node)
    }

    fn column(&mut self, field: &FieldForm, binding: &Binding, spot: Spot<'_>) -> Option<Node> {
        let column = &self.mapping.tables[spot.table].columns[binding.column];
        match binding.codec.read(&spot.row.0[binding.column], column) {
            Ok(node) => self.not_null(field, node, spot, Some(binding.column)),
            Err((code, what)) => {
                self.fault(spot, Some(binding.column), code, what);
                None
            }
        }
    }

    fn count(&mut self, column: ColumnNo, spot: Spot<'_>) -> Option<Node> {
        let cell = &spot.row.0[column];
        if let Cell::Int(value) = cell {
            return Some(Node::Int(*value));
        }
        self.fault(spot, Some(column), "int", format!("{} is not an integer", shown(cell)));
        None
    }

    fn decide(&mut self, cases: &[Case], spot: Spot<'_>, scope: Scope<'_>) -> Option<Node> {
        let scope = Scope { row: Some(spot.row), ..scope };
        let found = cases.iter().find(|case| case.when.holds(scope));
        if found.is_none() {
            self.fault(spot, None, "decide", "no condition holds".to_owned());
        }
        found.map(|case| Node::from(&*case.class))
    }

    fn pick(&mut self, field: &FieldForm, pick: &pick::Pick, spot: Spot<'_>, group: &[Keyed<'_>]) -> Option<Node> {
        let table = &self.mapping.tables[spot.table];
        match pick::choose(pick, table, spot.row, group) {
            Ok(picked) => {
                if picked.several && pick.report {
                    self.notes.reports.push(Report { code: "differs", what: field.name.to_string() });
                }
                if pick.losers {
                    let name = &field.name;
                    let losers = picked.losers.into_iter().map(|(value, votes)| loser(name, &value, votes));
                    self.notes.losers.extend(losers);
                }
                self.not_null(field, picked.value, spot, None)
            }
            Err((code, what)) => {
                self.fault(spot, None, code, what);
                None
            }
        }
    }

    /// The element of a `one`, null where the link stands for nobody.
    pub fn one(&mut self, one: &OneForm, spot: Spot<'_>, rows: &Rows) -> Node {
        let column = &self.mapping.tables[spot.table].columns[one.anchor_column];
        let cell = &spot.row.0[one.anchor_column];
        match one.link.read(cell, column) {
            Ok(Node::Null) if one.nullable => return Node::Null,
            Ok(Node::Null) => {
                self.fault(spot, Some(one.anchor_column), "null", format!("`{}` may not be null", one.name));
                return Node::Null;
            }
            Ok(_) => {}
            Err((code, what)) => {
                self.fault(spot, Some(one.anchor_column), code, what);
                return Node::Null;
            }
        }
        let key = RowKey(vec![cell.clone()]);
        let Some(row) = rows.get(one.table, &key) else {
            let what = format!("{} has no row {}", self.mapping.tables[one.table].name, shown(cell));
            self.fault(spot, Some(one.anchor_column), "orphan", what);
            return Node::Null;
        };
        let mut record = one.fields.blank(origin::print(&self.mapping.tables[one.table], &key));
        let joined = Spot { table: one.table, key: &key, row };
        let scope = Scope { row: Some(row), ..Scope::default() };
        self.fields(&one.fields, joined, &[], scope, &mut record);
        Node::Record(record)
    }
}

fn loser(field: &Name, value: &Node, votes: u64) -> Loser {
    let value = match value {
        Node::Text(text) => text.clone(),
        Node::Int(value) => value.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::Null | Node::List(_) | Node::Record(_) => String::new(),
    };
    Loser { field: field.clone(), value, votes }
}

/// A value as part of a document; a decimal becomes its text.
pub(crate) fn node_of(value: Value<'_>) -> Node {
    match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(value),
        Value::Int(value) => Node::Int(value),
        Value::Decimal(value) => Node::Text(value.print('.')),
        Value::Text(text) => Node::Text(text.into_owned()),
    }
}
