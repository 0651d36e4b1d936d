//! One connection, and a row that it answers, of either engine.

use super::exchange::{Asked, Said};
use super::failure::Failed;
use super::postgres::{Postgres, SNAPSHOT};
use super::value::{Cell, Owned, Value};
use super::wire;
use crate::error::{Error, during};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

const SAVEPOINT: &str = "savepoint command";

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
    /// The same for one question, or several that are asked together, and nothing behind them.
    ReadOnce,
    /// Durable when it has committed.
    Write,
    /// Durable with the next one that is; on PostgreSQL at once.
    WriteLightly,
}

/// Reads one row.
type Each<'a> = Box<dyn FnMut(&Row<'_>) -> Result<(), Error> + 'a>;

/// A question of several that are asked together; `each` reads a row of its answer.
pub struct Ask<'a> {
    pub what: &'static str,
    pub sql: &'a str,
    pub values: Vec<Value<'a>>,
    each: Each<'a>,
}

impl<'a> Ask<'a> {
    /// The first row goes to this place.
    pub fn first<T>(
        what: &'static str,
        sql: &'a str,
        values: Vec<Value<'a>>,
        place: &'a mut Option<T>,
        read: impl Fn(&Row<'_>) -> Result<T, Error> + 'a,
    ) -> Self {
        let each = move |row: &Row<'_>| {
            if place.is_none() {
                *place = Some(read(row)?);
            }
            Ok(())
        };
        Self { what, sql, values, each: Box::new(each) }
    }
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
                let asked = Asked { what, said: Said::Query(sql, values.to_vec()) };
                for row in connection.query(vec![asked]).map_err(failed)?.iter().flatten() {
                    if !each(&Row::Postgres(row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Asks all of it, and reads the answers when all of them are there.
    pub fn together(&self, asks: Vec<Ask<'_>>) -> Result<(), Error> {
        let connection = match self {
            Self::Postgres(connection) => connection,
            Self::Sqlite(_) => {
                let read = |mut ask: Ask<'_>| {
                    self.rows(ask.what, ask.sql, &ask.values, &mut |row| (ask.each)(row).map(|()| true))
                };
                return asks.into_iter().try_for_each(read);
            }
        };
        if asks.is_empty() {
            return Ok(());
        }
        let (mut asked, mut readers) = (Vec::with_capacity(asks.len()), Vec::with_capacity(asks.len()));
        for Ask { what, sql, values, each } in asks {
            asked.push(Asked { what, said: Said::Query(sql, values) });
            readers.push(each);
        }
        let answers = connection.query(asked).map_err(failed)?;
        for (rows, mut each) in answers.iter().zip(readers) {
            rows.iter().try_for_each(|row| each(&Row::Postgres(row)))?;
        }
        Ok(())
    }

    /// Nobody minds how many rows it changes: PostgreSQL hears it with the next statement that is waited for, in their order. Its
    /// failure is the answer to that one, or to [`Connection::settle`].
    pub(super) fn defer(&self, what: &'static str, sql: &'static str, values: &[Value<'_>]) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.execute(what, sql, values).map(drop),
            Self::Postgres(connection) => {
                let cells = values.iter().copied().filter_map(Owned::of).collect();
                connection.defer(what, sql, Some(cells)).map_err(failed)
            }
        }
    }

    /// Waits for what was deferred.
    pub fn settle(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => connection.settle().map_err(failed),
        }
    }

    pub(super) fn execute(&self, what: &'static str, sql: &str, values: &[Value<'_>]) -> Result<usize, Error> {
        match self {
            Self::Sqlite(connection) => {
                let run = || connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(values));
                run().map_err(during(what))
            }
            Self::Postgres(connection) => connection.execute(what, sql, values).map_err(failed),
        }
    }

    /// Statements without cells and rows, one behind the other.
    pub fn batch(&self, what: &'static str, sql: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).map_err(during(what)),
            Self::Postgres(connection) => connection.batch(what, sql).map_err(failed),
        }
    }

    pub fn begin(&self, begin: Begin, what: &'static str) -> Result<(), Error> {
        match (self, begin) {
            (Self::Sqlite(_), Begin::Read | Begin::ReadOnce) => self.run("begin", what),
            (Self::Sqlite(_), Begin::Write | Begin::WriteLightly) => self.run("begin immediate", what),
            (Self::Postgres(connection), Begin::Read) => connection.begin(what, SNAPSHOT).map_err(failed),
            (Self::Postgres(connection), Begin::ReadOnce) => connection.begin_once(what).map_err(failed),
            // Also lightly: a server that dies takes with it what it had not written yet, and this process lives on.
            (Self::Postgres(connection), Begin::Write | Begin::WriteLightly) => {
                connection.begin(what, "begin isolation level read committed, read write").map_err(failed)
            }
        }
    }

    /// Until this has answered, nothing is said of a commit that could not be repeated.
    pub fn settle_begin(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => connection.settle_begin().map_err(failed),
        }
    }

    /// A server that goes away just then may have committed or not.
    pub fn commit(&self, what: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.run("commit", what),
            Self::Postgres(connection) => connection.commit(what).map_err(failed),
        }
    }

    pub fn rollback(&self, what: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.run("rollback", what),
            Self::Postgres(connection) => connection.rollback(what).map_err(failed),
        }
    }

    /// Commits what was done, or undoes what failed, whose failure stays the answer.
    pub fn end<T>(&self, done: Result<T, Error>, what: &'static str) -> Result<T, Error> {
        match done {
            Ok(done) => self.commit(what).map(|()| done),
            Err(error) => {
                // A connection that cannot even undo has no transaction any more, or none that is ever committed.
                let _ = self.rollback(what);
                Err(error)
            }
        }
    }

    /// Begins what can be undone by itself.
    pub fn savepoint(&self, what: &'static str) -> Result<(), Error> {
        self.run_later(SAVEPOINT, what)
    }

    pub fn release(&self, what: &'static str) -> Result<(), Error> {
        self.run_later("release command", what)
    }

    /// Undoes what was done since the savepoint, and ends it.
    pub fn undo(&self, what: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => {
                self.run("rollback to command", what)?;
                self.run("release command", what)
            }
            Self::Postgres(connection) => {
                connection.undo(what, SAVEPOINT, "rollback to command; release command").map_err(failed)
            }
        }
    }

    /// A statement that is no query, without cells. PostgreSQL hears it with the next.
    pub fn run_later(&self, sql: &'static str, what: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => self.run(sql, what),
            Self::Postgres(connection) => connection.defer(what, sql, None).map_err(failed),
        }
    }

    /// The same, waited for.
    fn run(&self, sql: &str, what: &'static str) -> Result<(), Error> {
        self.execute(what, sql, &[]).map(drop)
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
            Self::Postgres(connection) => connection.is_in_transaction(),
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
            Self::Postgres(row) => wire::value(row, at).map_err(during("read of a cell")),
        }
    }
}

fn failed(failed: Failed) -> Error {
    during(failed.what)(failed.failure)
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
