//! kios on SQLite: one file, one writer, a few readers, every commit on the disk before it is answered.

use crate::database::Error;
use crate::value::{Row, Value};
use rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use std::path::Path;
use std::time::Duration;

/// How long a transaction waits for another program's to end; then its request is answered with 503.
const BUSY: Duration = Duration::from_secs(4);
const STATEMENTS: usize = 128;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let is_guard = error.sqlite_error().is_some_and(|it| it.extended_code == SQLITE_CONSTRAINT_TRIGGER);
        // Who waited for the write lock has waited long enough.
        Self { is_guard, ..Self::new(error.to_string()) }
    }
}

pub fn connect(path: &Path, readonly: bool) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if readonly {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

pub fn rows(connection: &Connection, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut found = statement.query(rusqlite::params_from_iter(args))?;
    let mut answer = Vec::new();
    while let Some(row) = found.next()? {
        let cells = (0..columns).map(|index| cell(row.get_ref(index)?)).collect::<Result<_, Error>>()?;
        answer.push(Row(cells));
    }
    Ok(answer)
}

fn cell(value: ValueRef<'_>) -> Result<Value, Error> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|error| Error::new(error.to_string()))?;
            Ok(Value::from(text))
        }
        ValueRef::Real(_) | ValueRef::Blob(_) => Err(Error::new("a cell is neither an integer nor text")),
    }
}
