//! A block of ids out of the legacy's own sequence.

use super::Sqlite;
use super::session::failed;
use crate::error::{Error, Result};
use crate::sql::ident;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use vocab::id::Name;
use vocab::row::{Table, TableNo};

impl Sqlite {
    pub async fn take_block(&self, table: TableNo, n: u32) -> Result<Vec<(i64, i64)>> {
        self.with(move |file, connection| take(connection, file.declared.table(table), n)).await
    }
}

/// Only AUTOINCREMENT remembers: elsewhere the next id is one above the largest row.
pub(super) fn has_sequence(connection: &Connection, table: &Table) -> Result<bool> {
    let sql = "select sql from sqlite_master where type = 'table' and name = ?1";
    let found = connection.query_row(sql, [&*table.name], |row| row.get::<_, String>(0)).optional();
    let text = found.map_err(failed("read the catalogue of"))?.unwrap_or_default();
    Ok(table.key.len() == 1 && text.to_ascii_uppercase().contains("AUTOINCREMENT"))
}

fn take(connection: &mut Connection, table: &Table, n: u32) -> Result<Vec<(i64, i64)>> {
    let taking = failed("take ids from");
    let none = |reason: &str| Error::NoSequence { table: Name::clone(&table.name), reason: reason.to_owned() };
    if !has_sequence(connection, table)? {
        return Err(none("its key is not AUTOINCREMENT"));
    }
    if n == 0 {
        return Ok(Vec::new());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(taking)?;
    let key = ident(&table.columns[table.key[0]].name);
    let largest = format!("select coalesce(max({key}), 0) from {}", ident(&table.name));
    let largest: i64 = transaction.query_row(&largest, [], |row| row.get(0)).map_err(taking)?;
    let sequence = "select seq from sqlite_sequence where name = ?1";
    let sequence: Option<i64> =
        transaction.query_row(sequence, [&*table.name], |row| row.get(0)).optional().map_err(taking)?;
    let before = sequence.unwrap_or(0).max(largest);
    let after = before.checked_add(i64::from(n)).ok_or_else(|| none("its ids are used up"))?;
    let write = if sequence.is_some() {
        "update sqlite_sequence set seq = ?2 where name = ?1"
    } else {
        "insert into sqlite_sequence (name, seq) values (?1, ?2)"
    };
    transaction.execute(write, params![&*table.name, after]).map_err(taking)?;
    transaction.commit().map_err(taking)?;
    Ok(vec![(before + 1, after)])
}
