//! What an SQLite file says about its own tables.

use super::session::failed;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::transaction::SchemaChange;
use rusqlite::{Connection, OptionalExtension};
use vocab::id::Name;
use vocab::row::{ColumnType, TableNo, Use};

pub(super) struct Found {
    pub name: String,
    pub declared_type: String,
    pub required: bool,
    pub in_key: bool,
}

/// Columns that together must differ, beside the primary key.
pub(super) struct Unique {
    pub columns: Vec<String>,
    /// Not all rows take part, or an expression does: capture cannot follow what REPLACE deletes through it.
    pub opaque: bool,
}

/// Fails where the file is no database.
pub(super) fn check_readable(connection: &Connection) -> Result<()> {
    let count = "select count(*) from sqlite_master";
    connection.query_row(count, [], |row| row.get::<_, i64>(0)).map(|_| ()).map_err(failed("open"))
}

/// The columns of a table; none where it does not exist.
pub(super) fn columns(connection: &Connection, table: &str) -> Result<Vec<Found>> {
    let reading = failed("read the catalogue of");
    let sql = "select name, type, \"notnull\", pk from pragma_table_info(?1)";
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    let found = statement.query_map([table], |row| {
        let in_key = row.get::<_, i64>(3)? > 0;
        let required = row.get::<_, i64>(2)? != 0 || in_key;
        Ok(Found { name: row.get(0)?, declared_type: row.get(1)?, required, in_key })
    });
    found.map_err(reading)?.collect::<rusqlite::Result<_>>().map_err(reading)
}

pub(super) fn uniques(connection: &Connection, table: &str) -> Result<Vec<Unique>> {
    let reading = failed("read the catalogue of");
    let sql = "select name, partial from pragma_index_list(?1) where \"unique\" = 1 and origin <> 'pk'";
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    let indexes = statement.query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
    let indexes: Vec<_> = indexes.map_err(reading)?.collect::<rusqlite::Result<_>>().map_err(reading)?;
    let mut uniques = Vec::new();
    for (index, partial) in indexes {
        let sql = "select name from pragma_index_info(?1) order by seqno";
        let mut statement = connection.prepare_cached(sql).map_err(reading)?;
        let names = statement.query_map([&index], |row| row.get::<_, Option<String>>(0)).map_err(reading)?;
        let names: Vec<Option<String>> = names.collect::<rusqlite::Result<_>>().map_err(reading)?;
        let opaque = partial != 0 || names.iter().any(Option::is_none);
        uniques.push(Unique { columns: names.into_iter().flatten().collect(), opaque });
    }
    Ok(uniques)
}

pub(super) fn exists(connection: &Connection, kind: &str, name: &str) -> Result<bool> {
    let sql = "select 1 from sqlite_master where type = ?1 and name = ?2";
    let found = connection.query_row(sql, [kind, name], |_| Ok(())).optional();
    found.map(|found| found.is_some()).map_err(failed("read the catalogue of"))
}

/// The last number that `balik_changes` gave, as this connection's transaction sees it.
pub(super) fn last_change(connection: &Connection) -> Result<u64> {
    if !exists(connection, "table", super::install::CHANGES)? {
        return Ok(0);
    }
    let sql = "select seq from sqlite_sequence where name = 'balik_changes'";
    let last = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
    unsigned(last.map_err(failed("read the change number of"))?.unwrap_or(0))
}

pub(super) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| Error::Decode(format!("a change number below zero: {number}")))
}

/// How a table differs from the declared one. Empty lists: it does not.
pub(super) fn difference(connection: &Connection, declared: &Declared, no: TableNo) -> Result<SchemaChange> {
    let table = declared.table(no);
    let found = columns(connection, &table.name)?;
    let mut change = SchemaChange { table: no, missing: Vec::new(), unknown: Vec::new(), retyped: Vec::new() };
    for column in &table.columns {
        match found.iter().find(|found| *found.name == *column.name) {
            None => change.missing.push(Name::clone(&column.name)),
            Some(found) if column.usage != Use::Secret && !fits(&column.ty, &found.declared_type) => {
                change.retyped.push(Name::clone(&column.name));
            }
            Some(_) => {}
        }
    }
    let unknown = found.iter().filter(|found| table.column(&found.name).is_none());
    change.unknown.extend(unknown.map(|found| Name::from(found.name.as_str())));
    Ok(change)
}

/// By SQLite's rule of affinity (datatype3.html §3.1): types are free text there, so only a contradiction counts.
pub(super) fn fits(ty: &ColumnType, declared_type: &str) -> bool {
    let word = declared_type.to_ascii_uppercase();
    let integer = word.contains("INT");
    match ty {
        ColumnType::Int => {
            let textual = ["CHAR", "CLOB", "TEXT", "BLOB"].iter().any(|part| word.contains(part));
            integer || !textual
        }
        ColumnType::Bytes => word.is_empty() || word.contains("BLOB"),
        ColumnType::Text(_) | ColumnType::Char(_) => !integer && !word.contains("BLOB"),
    }
}
