//! One connection, and a row that it answers, of either engine.

use super::exchange::{Asked, Cells, Said};
use super::failure::Failed;
use super::postgres::{Postgres, SNAPSHOT};
use super::value::{Bind, Cell, Owned, Value};
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

/// Reads one row, of which of the keys.
type Each<'a> = Box<dyn FnMut(usize, &Row<'_>) -> Result<(), Error> + 'a>;

/// A question of several that are asked together, for one key or for many; `each` reads a row of its answer.
pub struct Ask<'a> {
    what: &'static str,
    sql: &'a str,
    keys: Vec<Vec<Value<'a>>>,
    each: Each<'a>,
}

impl<'a> Ask<'a> {
    /// The first row goes to this place.
    pub fn first<T>(
        what: &'static str,
        sql: &'a str,
        key: Vec<Value<'a>>,
        place: &'a mut Option<T>,
        read: impl Fn(&Row<'_>) -> Result<T, Error> + 'a,
    ) -> Self {
        Self::first_of_each(what, sql, vec![key], vec![place], read)
    }

    /// The first row of each key goes to the place of that key.
    pub fn first_of_each<T>(
        what: &'static str,
        sql: &'a str,
        keys: Vec<Vec<Value<'a>>>,
        mut places: Vec<&'a mut Option<T>>,
        read: impl Fn(&Row<'_>) -> Result<T, Error> + 'a,
    ) -> Self {
        Self::rows_of_each(what, sql, keys, move |nth, row| {
            if let Some(place) = places.get_mut(nth).filter(|place| place.is_none()) {
                **place = Some(read(row)?);
            }
            Ok(())
        })
    }

    /// Every row of each key, with which of the keys it is of.
    pub fn rows_of_each(
        what: &'static str,
        sql: &'a str,
        keys: Vec<Vec<Value<'a>>>,
        each: impl FnMut(usize, &Row<'_>) -> Result<(), Error> + 'a,
    ) -> Self {
        Self { what, sql, keys, each: Box::new(each) }
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
                let asked = Asked { what, said: Said::Query(sql, Cells::One(values.to_vec())) };
                for row in connection.query(vec![asked]).map_err(failed)?.iter().flatten() {
                    if !each(&Row::Postgres(row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Asks all of it, and reads the answers when all of them are there. PostgreSQL is asked once for all keys of a question.
    pub fn together(&self, mut asks: Vec<Ask<'_>>) -> Result<(), Error> {
        asks.retain(|ask| !ask.keys.is_empty());
        let connection = match self {
            Self::Postgres(connection) => connection,
            Self::Sqlite(_) => return asks.into_iter().try_for_each(|ask| self.one_by_one(ask)),
        };
        if asks.is_empty() {
            return Ok(());
        }
        let (mut asked, mut readers) = (Vec::with_capacity(asks.len()), Vec::with_capacity(asks.len()));
        for Ask { what, sql, keys, each } in asks {
            readers.push((keys.len() > 1, each));
            asked.push(Asked { what, said: Said::Query(sql, Cells::of(keys)) });
        }
        let answers = connection.query(asked).map_err(failed)?;
        for (rows, (many, mut each)) in answers.iter().zip(readers) {
            for row in rows {
                let nth = if many { wire::nth(row).map_err(during("read of a cell"))? } else { 0 };
                each(nth, &Row::Postgres(row))?;
            }
        }
        Ok(())
    }

    fn one_by_one(&self, mut ask: Ask<'_>) -> Result<(), Error> {
        let (what, sql) = (ask.what, ask.sql);
        for (nth, key) in ask.keys.iter().enumerate() {
            self.rows(what, sql, key, &mut |row| (ask.each)(nth, row).map(|()| true))?;
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
                connection.defer(what, sql, Some(vec![cells])).map_err(failed)
            }
        }
    }

    /// The same of each of these rows; PostgreSQL hears it once.
    pub(super) fn defer_each(&self, what: &'static str, sql: &'static str, rows: Vec<Vec<Owned>>) -> Result<(), Error> {
        match self {
            Self::Sqlite(_) => rows.iter().try_for_each(|row| {
                let values: Vec<Value<'_>> = row.iter().map(Bind::value).collect();
                self.execute(what, sql, &values).map(drop)
            }),
            Self::Postgres(_) if rows.is_empty() => Ok(()),
            Self::Postgres(connection) => connection.defer(what, sql, Some(rows)).map_err(failed),
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
