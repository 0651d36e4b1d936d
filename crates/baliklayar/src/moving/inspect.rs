//! `move inspect`: what is in a stranger's database and what a move would trip over, in words or as JSON.
//!
//! The only thing under `move` that needs no work folder: nothing is planned yet, and nothing is written anywhere.

use crate::exit::Exit;
use crate::print;
use anyhow::{Context, Result};
use capture::inspect::{Column, Engine, Inspection, Reference, Rows, Table, Trap, inspect};
use serde_json::{Value, json};
use std::fmt::Write;

/// Prints it in the shape that the contracts fix. Not clean: something found stops a move.
pub(super) async fn run(source: &str, json: bool) -> Result<Exit> {
    let inspection = inspect(source).await.context("looking at the source")?;
    print(&if json { report(&inspection).to_string() } else { words(&inspection) });
    let stopped = inspection.traps.iter().any(|trap| trap.code.stops());
    Ok(if stopped { Exit::NotClean } else { Exit::Clean })
}

fn report(inspection: &Inspection) -> Value {
    json!({
        "schema": "baliklayar.move-inspect/1",
        "engine": inspection.engine.name(),
        "version": inspection.version,
        "tables": inspection.tables.iter().map(table).collect::<Vec<_>>(),
        "left_out": inspection.left_out,
        "traps": inspection.traps.iter().map(trap).collect::<Vec<_>>(),
    })
}

fn table(table: &Table) -> Value {
    let column =
        |column: &Column| json!({"column": column.name, "type": column.type_name, "nullable": column.nullable});
    let reference = |reference: &Reference| {
        json!({
            "columns": reference.columns, "table": reference.table, "to": reference.to,
            "on_delete": reference.on_delete, "on_update": reference.on_update,
        })
    };
    let why = if let Rows::Unread(unread) = table.rows { Some(unread.reason()) } else { None };
    json!({
        "table": table.name,
        "kind": table.kind.name(),
        "rows": {"count": table.rows.count(), "is": table.rows.name(), "why": why},
        "bytes": table.bytes,
        "key": table.key,
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "references": table.references.iter().map(reference).collect::<Vec<_>>(),
    })
}

fn trap(trap: &Trap) -> Value {
    json!({
        "code": trap.code.name(),
        "stops": trap.code.stops(),
        "table": trap.table,
        "columns": trap.columns,
        "detail": trap.detail,
        "why": trap.code.why(),
        "mend": trap.mend,
    })
}

fn words(inspection: &Inspection) -> String {
    let engine = match inspection.engine {
        Engine::Postgres => "PostgreSQL",
        Engine::Sqlite => "SQLite",
    };
    let (stopping, told): (Vec<&Trap>, Vec<&Trap>) = inspection.traps.iter().partition(|trap| trap.code.stops());
    let mut text = format!("{engine} {}: {}", inspection.version, counted(inspection.tables.len(), "table"));
    // Writing to a string does not fail.
    let _ = write!(text, ", {} that stop a move, {} to know of", counted(stopping.len(), "trap"), told.len());
    for table in &inspection.tables {
        text.push_str("\n\n");
        text.push_str(&table_words(table));
    }
    if inspection.left_out > 0 {
        let _ = write!(text, "\n\n{} tables more, not looked at", grouped(inspection.left_out));
    }
    for (title, traps) in [("STOPS A MOVE", stopping), ("TO KNOW", told)] {
        if !traps.is_empty() {
            let _ = write!(text, "\n\n{title}{}", trap_words(&traps));
        }
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One line about the table, then one for each column and each foreign key.
fn table_words(table: &Table) -> String {
    let rows = match table.rows {
        Rows::Exact(1) => "1 row".to_owned(),
        Rows::Exact(count) => format!("{} rows", grouped(count)),
        Rows::Estimate(count) => format!("about {} rows", grouped(count)),
        Rows::AtLeast(count) => format!("at least {} rows", grouped(count)),
        Rows::Unread(unread) => format!("rows not read ({})", unread.reason()),
    };
    let bytes = table.bytes.map_or_else(String::new, |bytes| format!(", {}", sized(bytes)));
    let key =
        if table.key.is_empty() { "no primary key".to_owned() } else { format!("key ({})", table.key.join(", ")) };
    let mut text = format!("{}: {rows}{bytes}, {key}", table.name);
    let width = table.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    for column in &table.columns {
        let null = if column.nullable { ", null" } else { "" };
        let type_name = if column.type_name.is_empty() { "of no type" } else { &column.type_name };
        let _ = write!(text, "\n  {:width$}  {type_name}{null}", column.name);
    }
    for reference in &table.references {
        let to = if reference.to.is_empty() { String::new() } else { format!(" ({})", reference.to.join(", ")) };
        let _ = write!(text, "\n  ({}) → {}{to}", reference.columns.join(", "), reference.table);
        for (when, effect) in [("delete", &reference.on_delete), ("update", &reference.on_update)] {
            if let Some(effect) = effect {
                let _ = write!(text, ", on {when} {effect}");
            }
        }
    }
    text
}

/// Code by code: why it matters once, then every place with its statement.
fn trap_words(traps: &[&Trap]) -> String {
    let mut text = String::new();
    let mut last = None;
    for trap in traps {
        if last != Some(trap.code) {
            let _ = write!(text, "\n\n{}: {}", trap.code.name(), trap.code.why());
            last = Some(trap.code);
        }
        let place = trap.table.as_deref().unwrap_or("the database");
        let columns = if trap.columns.is_empty() { String::new() } else { format!(" ({})", trap.columns.join(", ")) };
        let _ = write!(text, "\n  {place}{columns}: {}", trap.detail);
        if let Some(mend) = &trap.mend {
            let _ = write!(text, "\n    {mend}");
        }
    }
    text
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In the unit that leaves a number below ten thousand, rounded up.
fn sized(bytes: u64) -> String {
    const UNIT_MAX: u64 = 10_000;
    let mut size = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < UNIT_MAX {
            return format!("{} {unit}", grouped(size));
        }
        size = size.div_ceil(1_024);
    }
    format!("{} TiB", grouped(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        let written = |numbers: [u64; 4]| numbers.map(grouped).join(" ");
        assert_eq!(written([7, 999, 1_000, 1_234_567]), "7 999 1,000 1,234,567");
        assert_eq!([0, 9_999, 10_000, 98_304, 98_304_000].map(sized).join(" "), "0 B 9,999 B 10 KiB 96 KiB 94 MiB");
    }
}
