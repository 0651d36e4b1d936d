//! Reads at a cut: one read transaction, and the number of the last change it sees.

use super::catalogue::last_change;
use super::fence::write_marker;
use super::session::{File, failed};
use super::{Sqlite, value};
use crate::cut::Cut;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::sql::{self, Dialect, OfShop};
use crate::transaction::Marker;
use crate::write_back::Chunk;
use rusqlite::{Connection, TransactionBehavior};
use std::sync::Arc;
use vocab::row::{Cell, ColumnNo, Row, RowKey, TableNo};

const DIALECT: Dialect = Dialect::Sqlite;

/// A read transaction that stays open as long as this value.
pub(crate) struct Reader {
    file: Arc<File>,
    /// Away while a read is under way; gone for good if that was dropped.
    connection: Option<Connection>,
    cut: Cut,
}

impl Sqlite {
    pub async fn read_chunk(&self, ask: &OfShop<'_>, marker: Marker) -> Result<Chunk> {
        let sql = sql::rows_of_shop(DIALECT, self.declared(), ask);
        let (table, limit) = (ask.table, ask.limit);
        self.with(move |file, connection| {
            let reading = failed("read rows of");
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(reading)?;
            let cut = Cut::Sqlite(last_change(&transaction)?);
            let rows = rows(&transaction, &file.declared, table, &sql)?;
            transaction.commit().map_err(reading)?;
            write_marker(connection, &marker)?;
            let last = u32::try_from(rows.len()).is_ok_and(|count| count < limit);
            Ok(Chunk { cut, rows, last, marker })
        })
        .await
    }

    pub async fn snapshot(&self) -> Result<Reader> {
        let (connection, cut) = self
            .away(|file| {
                // A new connection reads the whole schema, our triggers too: half a millisecond and more.
                let connection = file.take()?;
                connection.execute_batch("begin").map_err(failed("open a snapshot of"))?;
                let cut = Cut::Sqlite(last_change(&connection)?);
                Ok::<_, Error>((connection, cut))
            })
            .await?;
        Ok(Reader { file: Arc::clone(&self.file), connection: Some(connection), cut })
    }
}

/// Its connection serves the next snapshot. One that cannot end its transaction is closed.
impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.execute_batch("rollback").is_ok()
        {
            self.file.give(connection);
        }
    }
}

impl Reader {
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub async fn rows_where(
        &mut self,
        table: TableNo,
        column: ColumnNo,
        values: &[Cell],
    ) -> Result<Vec<(RowKey, Row)>> {
        let sql = sql::rows_where(DIALECT, &self.file.declared, table, &[(column, values.iter().collect())]);
        self.with(move |file, connection| rows(connection, &file.declared, table, &sql)).await
    }

    pub async fn rows_by_key(&mut self, table: TableNo, keys: &[RowKey]) -> Result<Vec<(RowKey, Row)>> {
        let sql = sql::rows_by_key(DIALECT, &self.file.declared, table, keys);
        self.with(move |file, connection| rows(connection, &file.declared, table, &sql)).await
    }

    pub async fn rows_of_shop(&mut self, ask: &OfShop<'_>) -> Result<Vec<(RowKey, Row)>> {
        let sql = sql::rows_of_shop(DIALECT, &self.file.declared, ask);
        let table = ask.table;
        self.with(move |file, connection| rows(connection, &file.declared, table, &sql)).await
    }

    pub async fn total(&mut self, sql: &str, texts: &[(&str, &str)]) -> Result<Vec<Vec<Option<String>>>> {
        let sql = sql::with_texts(DIALECT, sql, texts);
        self.with(move |_, connection| {
            let adding = failed("add up rows of");
            let mut statement = connection.prepare(&sql).map_err(adding)?;
            let count = statement.column_count();
            let texts =
                statement.query_map([], |row| (0..count).map(|column| row.get_ref(column).map(value::text)).collect());
            texts.map_err(adding)?.collect::<rusqlite::Result<_>>().map_err(adding)
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&File, &Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lost = Error::Interrupted("a read that was dropped");
        let connection = self.connection.take().ok_or(lost)?;
        let file = Arc::clone(&self.file);
        let working = tokio::task::spawn_blocking(move || {
            let result = work(&file, &connection);
            (connection, result)
        });
        let (connection, result) = working.await.map_err(|_| Error::Interrupted("the SQLite thread"))?;
        self.connection = Some(connection);
        result
    }
}

fn rows(connection: &Connection, declared: &Declared, table: TableNo, sql: &str) -> Result<Vec<(RowKey, Row)>> {
    let reading = failed("read rows of");
    let mut statement = connection.prepare(sql).map_err(reading)?;
    let count = declared.table(table).columns.len();
    let rows = statement.query_map([], |row| value::row(row, count)).map_err(reading)?;
    rows.map(|row| row.map(|row| declared.keyed(table, row)).map_err(reading)).collect()
}
