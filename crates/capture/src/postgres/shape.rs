//! A relation as the stream announces it, laid over the declared table.

use super::cell;
use super::pgoutput::{Relation, Tuple, Value};
use crate::declared::Declared;
use crate::transaction::SchemaChange;
use vocab::id::Name;
use vocab::row::{Cell, ColumnNo, RowKey, TableNo, Use};

/// What a relation of the stream is to us.
#[derive(Debug)]
pub(super) enum Shape {
    Table(Layout),
    /// `balik_applied`, with the places of shop and number.
    Applied {
        shop: usize,
        seq: usize,
    },
    Foreign,
}

/// Which declared column stands at each place of a tuple.
#[derive(Debug)]
pub(super) struct Layout {
    pub table: TableNo,
    places: Vec<Option<ColumnNo>>,
}

impl Shape {
    pub fn of(declared: &Declared, relation: &Relation) -> Self {
        let place = |name: &str| relation.columns.iter().position(|column| column.name == name);
        if relation.name == super::install::APPLIED
            && let (Some(shop), Some(seq)) = (place("shop"), place("seq"))
        {
            return Self::Applied { shop, seq };
        }
        let qualified = format!("{}.{}", relation.schema, relation.name);
        let number = declared.number_of(&qualified).or_else(|| declared.number_of(&relation.name));
        number.map_or(Self::Foreign, |table| Self::Table(Layout::over(declared, table, relation)))
    }
}

impl Layout {
    pub fn over(declared: &Declared, table: TableNo, relation: &Relation) -> Self {
        let columns = relation.columns.iter();
        let places = columns.map(|column| declared.table(table).column(&column.name)).collect();
        Self { table, places }
    }

    /// How the relation differs from the declared table; none where it does not.
    pub fn difference(&self, declared: &Declared, relation: &Relation) -> SchemaChange {
        let table = declared.table(self.table);
        let mut change =
            SchemaChange { table: self.table, missing: Vec::new(), unknown: Vec::new(), retyped: Vec::new() };
        for (no, column) in table.columns.iter().enumerate() {
            if column.usage != Use::Secret && !self.places.contains(&Some(no)) {
                change.missing.push(Name::clone(&column.name));
            }
        }
        for (place, found) in self.places.iter().zip(&relation.columns) {
            match place {
                None => change.unknown.push(found.name.as_str().into()),
                Some(no) => {
                    let column = &table.columns[*no];
                    if column.usage != Use::Secret && !cell::fits(&column.ty, found.oid, found.modifier) {
                        change.retyped.push(Name::clone(&column.name));
                    }
                }
            }
        }
        change
    }

    /// The declared cells of a tuple; none where one is not told.
    pub fn cells(&self, declared: &Declared, tuple: &Tuple) -> Vec<Option<Cell>> {
        let columns = &declared.table(self.table).columns;
        let mut cells: Vec<Option<Cell>> =
            columns.iter().map(|column| (column.usage == Use::Secret).then_some(Cell::Null)).collect();
        for (place, value) in self.places.iter().zip(tuple) {
            let Some(no) = place else { continue };
            cells[*no] = match value {
                Value::Null => Some(Cell::Null),
                Value::Unchanged => None,
                Value::Text(text) => Some(cell::cell(&columns[*no], Some(text))),
            };
        }
        cells
    }

    /// The key among the cells; none where a part of it is not told.
    pub fn key(&self, declared: &Declared, cells: &[Option<Cell>]) -> Option<RowKey> {
        let key = declared.table(self.table).key.iter();
        key.map(|&column| cells[column].clone()).collect::<Option<_>>().map(RowKey)
    }
}

impl SchemaChange {
    pub(crate) fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.retyped.is_empty()
    }

    /// Nothing that was declared is gone or of another type: what is new is nobody's.
    pub const fn is_harmless(&self) -> bool {
        self.missing.is_empty() && self.retyped.is_empty()
    }
}
