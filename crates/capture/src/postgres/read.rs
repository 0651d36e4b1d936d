//! Reads at a cut: one REPEATABLE READ transaction whose snapshot is read inside it.
//!
//! A reader takes a warm session and gives it back: a new one costs a process of the server and all its caches, which
//! inside a hold is more than the read itself.

use super::Postgres;
use super::cell::cell;
use super::session::{Answer, Session, Sessions, cell_of};
use crate::cut::Cut;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::sql::{self, Dialect, OfShop};
use std::sync::Arc;
use tokio_postgres::SimpleQueryRow;
use vocab::row::{Cell, ColumnNo, Row, RowKey, Table, TableNo};

/// Never a text cast of the column's own: every value is compared as what the column is.
const DIALECT: Dialect = Dialect::Postgres;

/// A transaction that reads and stays open as long as this value.
pub(crate) struct Reader {
    declared: Declared,
    /// None once it is dropped.
    session: Option<Session>,
    sessions: Arc<Sessions>,
    cut: Cut,
}

impl Drop for Reader {
    /// The session goes back when its transaction has ended; one that cannot end it is closed.
    fn drop(&mut self) {
        let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current()) else { return };
        let sessions = Arc::clone(&self.sessions);
        runtime.spawn(async move {
            if session.run("end a snapshot of", "rollback").await.is_ok() {
                sessions.give(session);
            }
        });
    }
}

impl Postgres {
    pub async fn snapshot(&self) -> Result<Reader> {
        let (session, cut) = self.at_a_cut().await?;
        Ok(Reader {
            declared: self.declared.clone(),
            session: Some(session),
            sessions: Arc::clone(&self.sessions),
            cut,
        })
    }
}

impl Postgres {
    /// A session with a transaction open, and what that sees.
    pub(super) async fn at_a_cut(&self) -> Result<(Session, Cut)> {
        let session = self.sessions.take().await?;
        let begin = "begin isolation level repeatable read, read only; select pg_current_snapshot()";
        let cut = snapshot_of(&session.run("open a snapshot of", begin).await?)?;
        Ok((session, cut))
    }
}

impl Reader {
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub async fn rows_where(&self, table: TableNo, column: ColumnNo, values: &[Cell]) -> Result<Vec<(RowKey, Row)>> {
        let sql = sql::rows_where(DIALECT, &self.declared, table, &[(column, values.iter().collect())]);
        self.rows(table, &sql).await
    }

    pub async fn rows_by_key(&self, table: TableNo, keys: &[RowKey]) -> Result<Vec<(RowKey, Row)>> {
        // What is estimated of a few hundred keys makes the reading of a whole table look cheap. What hangs on these rows is
        // read by columns that may have no index.
        let sql = sql::rows_by_key(DIALECT, &self.declared, table, keys);
        self.rows(table, &format!("set local enable_seqscan = off; {sql}; set local enable_seqscan to default")).await
    }

    pub async fn rows_of_shop(&self, ask: &OfShop<'_>) -> Result<Vec<(RowKey, Row)>> {
        let sql = sql::rows_of_shop(DIALECT, &self.declared, ask);
        self.rows(ask.table, &sql).await
    }

    pub async fn total(&self, sql: &str, texts: &[(&str, &str)]) -> Result<Vec<Vec<Option<String>>>> {
        // Conditions on what a text column says are estimated to leave one row, and one row is joined by a loop: over a
        // whole shop that is a loop within a loop. And to compile a query takes longer than it does.
        let sql = sql::with_texts(DIALECT, sql, texts);
        Ok(self
            .answer("add up rows of", &format!("set local enable_nestloop = off; set local jit = off; {sql}"))
            .await?
            .rows)
    }

    async fn rows(&self, table: TableNo, sql: &str) -> Result<Vec<(RowKey, Row)>> {
        let Some(session) = &self.session else { return Err(Error::Interrupted("a read after its end")) };
        let columns = &self.declared.table(table).columns;
        let row = |row: &SimpleQueryRow| {
            let cells = columns.iter().enumerate().map(|(place, column)| cell(column, row.get(place)));
            self.declared.keyed(table, Row(cells.collect()))
        };
        session.each("read rows of", sql, row).await
    }

    async fn answer(&self, act: &'static str, sql: &str) -> Result<Answer> {
        let Some(session) = &self.session else { return Err(Error::Interrupted("a read after its end")) };
        Ok(session.run(act, sql).await?.pop().unwrap_or_default())
    }
}

/// What a snapshot that was opened last says of itself.
fn snapshot_of(answers: &[Answer]) -> Result<Cut> {
    let rows = answers.last().map(|answer| answer.rows.as_slice()).unwrap_or_default();
    let text = cell_of(rows, 0, 0)?;
    Cut::from_snapshot(text).ok_or_else(|| Error::Decode(format!("`{text}` is no snapshot")))
}

pub(super) fn row(table: &Table, cells: &[Option<String>]) -> Row {
    Row(table.columns.iter().zip(cells).map(|(column, text)| cell(column, text.as_deref())).collect())
}
