//! Fields of one document or element, written into the cells of one row.
//!
//! A value that is still the flip's keeps the flip's cell, byte for byte; everything else is printed anew.

use crate::program::{Binding, Births, Case, FieldForm, Form};
use std::collections::BTreeMap;
use vocab::document::{Node, Record};
use vocab::id::Timestamp;
use vocab::row::{Cell, ColumnNo, Row, Table};

/// Why something cannot be expressed: a name and a sentence.
pub(crate) type Owed = (&'static str, String);

/// What a row was, and what it said then.
#[derive(Clone, Copy)]
pub(crate) struct Was<'a> {
    pub row: &'a Row,
    pub record: &'a Record,
}

/// Writes fields into cells. `base`: the row at the flip; `current`: the row now, where there was none at the flip.
pub(crate) fn fields(
    fields: &[FieldForm],
    table: &Table,
    base: Option<Was<'_>>,
    current: Option<&Row>,
    after: &Record,
    cells: &mut BTreeMap<ColumnNo, Cell>,
) -> Result<(), Owed> {
    for field in fields {
        let value = after.get(&field.name).unwrap_or(&Node::Null);
        match &field.form {
            Form::Column(binding) if !binding.structural => {
                let cell = column(field, binding, table, base, current, value)?;
                cells.insert(binding.column, cell);
            }
            Form::Decide(cases) => decide(field, cases, base, value, cells)?,
            // Nothing is written: the check tells whether `after` differs.
            Form::Column(_)
            | Form::Const(_)
            | Form::Forgotten(_)
            | Form::Value(_)
            | Form::Count(_)
            | Form::Pick(_)
            | Form::Currency(_)
            | Form::Part => {}
        }
    }
    Ok(())
}

fn column(
    field: &FieldForm,
    binding: &Binding,
    table: &Table,
    base: Option<Was<'_>>,
    current: Option<&Row>,
    value: &Node,
) -> Result<Cell, Owed> {
    let column = &table.columns[binding.column];
    if let Some(base) = base {
        let was = base.record.get(&field.name).unwrap_or(&Node::Null);
        if binding.codec.same(was, value) {
            return Ok(base.row.0[binding.column].clone());
        }
        if binding.once {
            return Err(("once", format!("`{}` is written at birth only", field.name)));
        }
    } else if let Some(current) = current.filter(|_| binding.once) {
        // Born since the flip: what its birth wrote stays.
        let cell = &current.0[binding.column];
        return match binding.codec.read(cell, column) {
            Ok(is) if binding.codec.same(&is, value) => Ok(cell.clone()),
            _ => Err(("once", format!("`{}` is written at birth only", field.name))),
        };
    }
    binding.codec.print(value, column)
}

fn decide(
    field: &FieldForm,
    cases: &[Case],
    base: Option<Was<'_>>,
    value: &Node,
    cells: &mut BTreeMap<ColumnNo, Cell>,
) -> Result<(), Owed> {
    let columns = cases.iter().flat_map(|case| case.cells.iter().map(|(column, _)| *column));
    if let Some(base) = base {
        if base.record.get(&field.name) == Some(value) {
            cells.extend(columns.map(|column| (column, base.row.0[column].clone())));
            return Ok(());
        }
        cells.extend(columns.map(|column| (column, base.row.0[column].clone())));
    }
    let case = cases.iter().find(|case| *value == Node::from(&*case.class));
    let Some(case) = case else {
        return Err(("no_word", format!("no class of `{}` for this value", field.name)));
    };
    cells.extend(case.cells.iter().cloned());
    Ok(())
}

/// The cells of a born row that no form writes. `at`: when the fact was made.
pub(crate) fn defaults(births: &Births, table: &Table, at: Timestamp) -> Result<Vec<(ColumnNo, Cell)>, Owed> {
    let mut cells = births.cells.clone();
    for (column, codec) in births.now.iter().chain(&births.touch) {
        cells.push((*column, codec.print(&Node::Int(at.0), &table.columns[*column])?));
    }
    Ok(cells)
}

/// The cells that every edit of a row sets to the fact's time.
pub(crate) fn touched(births: &Births, table: &Table, at: Timestamp) -> Vec<(ColumnNo, Cell)> {
    let print = |(column, codec): &(ColumnNo, crate::codec::Codec)| {
        codec.print(&Node::Int(at.0), &table.columns[*column]).ok().map(|cell| (*column, cell))
    };
    births.touch.iter().filter_map(print).collect()
}
