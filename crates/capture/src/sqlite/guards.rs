//! Whether our triggers still stand in an SQLite source as they were made: a rebuilt table has lost them, and nobody
//! is told.

use super::Sqlite;
use super::install;
use super::session::failed;
use crate::error::Result;
use rusqlite::Connection;
use std::collections::BTreeSet;

const PREFIX: &str = "create trigger ";

impl Sqlite {
    /// The names of our triggers that are not there, or not as they were made.
    pub async fn missing_guards(&self) -> Result<Vec<String>> {
        self.with(|file, connection| {
            let found = found(connection)?;
            let wanted = install::statements(file, connection, &[])?;
            let missing = wanted.iter().filter_map(|statement| statement.strip_prefix(PREFIX));
            let missing = missing.filter(|trigger| !found.contains(*trigger));
            Ok(missing.map(|trigger| trigger.split(' ').next().unwrap_or(trigger).to_owned()).collect())
        })
        .await
    }
}

/// Every trigger of ours as SQLite keeps it: the statement behind `CREATE TRIGGER`.
fn found(connection: &Connection) -> Result<BTreeSet<String>> {
    let reading = failed("read the triggers of");
    let sql = "select sql from sqlite_master where type = 'trigger' and name like 'balik\\_%' escape '\\'";
    let mut statement = connection.prepare(sql).map_err(reading)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(reading)?;
    rows.map(|sql| Ok(sql.map_err(reading)?.get(PREFIX.len()..).unwrap_or_default().to_owned())).collect()
}
