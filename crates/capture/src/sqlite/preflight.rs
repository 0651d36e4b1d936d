//! Compares an SQLite source with the declared tables, and looks for what its triggers cannot follow.

use super::Sqlite;
use super::block::has_sequence;
use super::catalogue::{Found, columns, fits, uniques};
use super::session::failed;
use crate::error::Result;
use crate::finding::{Code, Finding};
use rusqlite::Connection;
use vocab::id::Name;
use vocab::row::Table;

impl Sqlite {
    pub async fn preflight(&self) -> Result<Vec<Finding>> {
        self.with(|file, connection| {
            let mut findings = journal(connection)?;
            for (_, of) in file.declared.each() {
                findings.extend(table(connection, of)?);
            }
            Ok(findings)
        })
        .await
    }
}

fn journal(connection: &Connection) -> Result<Vec<Finding>> {
    let mode: String =
        connection.query_row("pragma journal_mode", [], |row| row.get(0)).map_err(failed("read the settings of"))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(Vec::new());
    }
    let detail = format!("journal_mode is {mode}: reads would hold up the legacy's writes; it must be wal");
    Ok(vec![Finding { code: Code::JournalMode, table: None, detail }])
}

fn table(connection: &Connection, table: &Table) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut add = |code, detail| findings.push(Finding { code, table: Some(Name::clone(&table.name)), detail });
    let found = columns(connection, &table.name)?;
    if found.is_empty() {
        add(Code::TableMissing, "it does not exist".to_owned());
        return Ok(findings);
    }
    compare_columns(table, &found, &mut add);
    for unique in uniques(connection, &table.name)?.iter().filter(|unique| unique.opaque) {
        let detail = format!("a partial or computed unique index over ({})", unique.columns.join(", "));
        add(Code::ReplaceUnseen, detail);
    }
    for trigger in texts(connection, LEGACY_TRIGGERS, &table.name)? {
        add(Code::LegacyTrigger, trigger);
    }
    for cascade in texts(connection, CASCADES, &table.name)? {
        add(Code::Cascade, cascade);
    }
    if !has_sequence(connection, table)? {
        add(Code::NoSequence, "its key is not AUTOINCREMENT: no block of ids can be taken".to_owned());
    }
    Ok(findings)
}

const LEGACY_TRIGGERS: &str = "select sql from sqlite_master where type = 'trigger' and tbl_name = ?1 \
     and name not like 'balik\\_%' escape '\\' order by name";
const CASCADES: &str = "select 'on delete ' || on_delete || ' on update ' || on_update || ' with ' || \"table\" \
     from pragma_foreign_key_list(?1) where on_delete not in ('NO ACTION', 'RESTRICT') \
     or on_update not in ('NO ACTION', 'RESTRICT')";

fn texts(connection: &Connection, sql: &str, table: &str) -> Result<Vec<String>> {
    let reading = failed("read the catalogue of");
    let mut statement = connection.prepare(sql).map_err(reading)?;
    let texts = statement.query_map([table], |row| row.get(0)).map_err(reading)?;
    texts.collect::<rusqlite::Result<_>>().map_err(reading)
}

fn compare_columns(table: &Table, found: &[Found], add: &mut impl FnMut(Code, String)) {
    for declared in &table.columns {
        let Some(found) = found.iter().find(|found| *found.name == *declared.name) else {
            add(Code::ColumnMissing, format!("`{}` does not exist", declared.name));
            continue;
        };
        if !fits(&declared.ty, &found.declared_type) {
            let detail = format!("`{}` is {}, declared {:?}", declared.name, found.declared_type, declared.ty);
            add(Code::TypeDiffers, detail);
        }
        if declared.nullable == found.required {
            let word = if found.required { "never null" } else { "nullable" };
            add(Code::NullDiffers, format!("`{}` is {word}, declared otherwise", declared.name));
        }
    }
    for found in found.iter().filter(|found| table.column(&found.name).is_none()) {
        add(Code::ColumnUnknown, format!("`{}` is not declared", found.name));
    }
    let mut declared: Vec<&str> = table.key.iter().map(|&column| &*table.columns[column].name).collect();
    let mut key: Vec<&str> = found.iter().filter(|found| found.in_key).map(|found| found.name.as_str()).collect();
    declared.sort_unstable();
    key.sort_unstable();
    if declared != key {
        add(Code::KeyDiffers, format!("its primary key is ({})", key.join(", ")));
    }
}
