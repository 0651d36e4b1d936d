//! One connection, and a row that it answers, of either engine.

use super::postgres::Postgres;
use super::value::Value;
use crate::error::{Error, during};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// Used by one thread at a time.
pub enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Postgres>),
}

pub enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// One snapshot, and nothing is written.
    Read,
    /// Durable when it has committed.
    Write,
    /// Durable with the next one that is; on PostgreSQL at once.
    WriteLightly,
}

impl Connection {
    pub(super) fn rows(
        &self,
        what: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql).map_err(during(what))?;
                let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(during(what))?;
                while let Some(row) = rows.next().map_err(during(what))? {
                    if !each(&Row::Sqlite(row))? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Postgres(connection) => {
                for row in connection.query(sql, values).map_err(during(what))? {
                    if !each(&Row::Postgres(&row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn execute(&self, what: &'static str, sql: &str, values: &[Value<'_>]) -> Result<usize, Error> {
        match self {
            Self::Sqlite(connection) => {
                let run = || connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values));
                run().map_err(during(what))
            }
            Self::Postgres(connection) => connection.execute(sql, values).map_err(during(what)),
        }
    }

    /// Statements without cells and rows, one behind the other.
    pub fn batch(&self, what: &'static str, sql: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).map_err(during(what)),
            Self::Postgres(connection) => connection.batch(sql).map_err(during(what)),
        }
    }

    pub fn begin(&self, begin: Begin, what: &'static str) -> Result<(), Error> {
        match (self, begin) {
            (Self::Sqlite(_), Begin::Read) => self.run("begin", what),
            (Self::Sqlite(_), Begin::Write | Begin::WriteLightly) => self.run("begin immediate", what),
            (Self::Postgres(connection), Begin::Read) => {
                connection.begin("begin isolation level repeatable read, read only").map_err(during(what))
            }
            // Also lightly: a server that dies takes with it what it had not written yet, and this process lives on.
            (Self::Postgres(connection), Begin::Write | Begin::WriteLightly) => {
                connection.begin("begin isolation level read committed, read write").map_err(during(what))
            }
        }
    }

    /// A statement that is no query, prepared once.
    pub fn run(&self, sql: &str, what: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.execute(what, sql, &[]).map(drop),
            Self::Postgres(connection) => connection.command(sql).map_err(during(what)),
        }
    }

    /// What follows in this transaction looks at a whole shop, or at all of them.
    pub fn takes_long(&self) {
        if let Self::Postgres(connection) = self {
            connection.takes_long();
        }
    }

    /// Whether a transaction is open. A connection that is gone has none.
    pub fn is_in_transaction(&self) -> bool {
        match self {
            Self::Sqlite(connection) => !connection.is_autocommit(),
            Self::Postgres(connection) => !connection.is_gone(),
        }
    }

    /// Whether its server is not there any more: what became of a commit that was under way nobody here knows.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(connection) => connection.is_gone(),
        }
    }

    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl<'a> Row<'a> {
    pub(super) fn value(&self, at: usize) -> Result<Value<'_>, Error> {
        match self {
            Self::Sqlite(row) => match row.get_ref(at).map_err(during("read of a cell"))? {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Integer(number) => Ok(Value::Int(number)),
                ValueRef::Text(text) => std::str::from_utf8(text).map(Value::Text).map_err(not_read),
                ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes)),
                ValueRef::Real(_) => Err(not_read("a number that is not whole")),
            },
            Self::Postgres(row) => Postgres::value(row, at).map_err(during("read of a cell")),
        }
    }
}

fn not_read(why: impl ToString) -> Error {
    Error::Corrupt { what: "cell", why: why.to_string() }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
