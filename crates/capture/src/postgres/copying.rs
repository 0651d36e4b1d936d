//! A long read: one snapshot, its marker, and one COPY of a shop's rows of one table, handed out piece by piece.
//!
//! The marker is written as soon as the snapshot is taken, in a transaction of its own, so it comes behind everything
//! that the snapshot sees and need not wait for the last row. Rows come as the server's own text form of COPY: no
//! statement has to be answered as a whole, and what is not yet asked for waits in the server.

use super::Postgres;
use super::cell::cell;
use super::session::{Session, Sessions};
use crate::cut::Cut;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::sql::{self, Dialect, OfShop};
use crate::transaction::Marker;
use crate::write_back::Piece;
use futures_util::StreamExt;
use std::pin::Pin;
use std::sync::Arc;
use tokio_postgres::CopyOutStream;
use vocab::row::{Cell, Row, Table, TableNo};

/// The planner counts on the whole table; what is asked for comes in the order of its key, and piece by piece.
const IN_ORDER: &str = "set local enable_sort = off; set local enable_hashjoin = off; set local jit = off";
/// Which rows of a shared table are a shop's is asked of other tables, mostly by columns without an index: once for all of
/// them, and not for each.
const SHARED: &str = "set local jit = off";

pub(crate) struct Copying {
    declared: Declared,
    table: TableNo,
    rows: Pin<Box<CopyOutStream>>,
    /// None once it went back.
    session: Option<Session>,
    sessions: Arc<Sessions>,
    cut: Cut,
    marker: Marker,
    left: u32,
}

impl Postgres {
    pub async fn begin_copy(&self, ask: &OfShop<'_>, marker: Marker) -> Result<Copying> {
        let (session, cut) = self.at_a_cut().await?;
        self.mark(&marker).await?;
        let sql = sql::rows_of_shop(Dialect::Postgres, &self.declared, ask);
        let settings = if ask.shared.is_empty() { IN_ORDER } else { SHARED };
        session.run("prepare a read of", settings).await?;
        let rows = session.copy_out(&format!("copy ({sql}) to stdout")).await?;
        Ok(Copying {
            declared: self.declared.clone(),
            table: ask.table,
            rows: Box::pin(rows),
            session: Some(session),
            sessions: Arc::clone(&self.sessions),
            cut,
            marker,
            left: ask.limit,
        })
    }
}

impl Copying {
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    pub async fn next(&mut self, max: u32) -> Result<Piece> {
        let table = self.declared.table(self.table);
        let mut rows = Vec::new();
        while !u32::try_from(rows.len()).is_ok_and(|count| count >= max) {
            match self.rows.next().await {
                Some(line) => {
                    let line = line.map_err(|source| Error::Postgres { act: "copy rows of", source })?;
                    rows.push(self.declared.keyed(self.table, read(table, &line)?));
                }
                None => {
                    self.give_back().await?;
                    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                    return Ok(Piece { rows, ended: true, last: count < self.left });
                }
            }
        }
        self.left = self.left.saturating_sub(max);
        Ok(Piece { rows, ended: false, last: false })
    }

    /// Ends the read before its end. The server would go on with it otherwise, for nobody.
    pub async fn give_up(mut self) {
        if let Some(session) = self.session.take() {
            session.cancel().await;
        }
    }

    async fn give_back(&mut self) -> Result<()> {
        if let Some(session) = self.session.take() {
            session.run("end a snapshot of", "rollback").await?;
            self.sessions.give(session);
        }
        Ok(())
    }
}

/// One line of COPY's text form: cells between tabs, `\N` for null, what would be mistaken behind a backslash.
fn read(table: &Table, line: &[u8]) -> Result<Row> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| Error::Decode("text that is no UTF-8".to_owned()))?;
    let escaped = line.contains('\\');
    let mut texts = line.split('\t');
    let cells = table.columns.iter().map(|column| {
        let text = texts.next().ok_or_else(|| Error::Decode("a row with too few columns".to_owned()))?;
        Ok(match text {
            "\\N" => Cell::Null,
            text if escaped && text.contains('\\') => cell(column, Some(&plain(text))),
            text => cell(column, Some(text)),
        })
    });
    let mut row = Vec::with_capacity(table.columns.len());
    for cell in cells {
        row.push(cell?);
    }
    Ok(Row(row))
}

/// Without the backslashes that COPY puts before characters of its own.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\u{b}',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::row::{Column, ColumnType, ShopPath, Use};

    #[test]
    fn a_line_of_copy_is_read_as_the_row_it_was_made_of() {
        let column = |ty| Column { name: "c".into(), ty, nullable: true, usage: Use::Moved };
        let text = ColumnType::Text(None);
        let columns = [ColumnType::Int, text.clone(), text.clone(), text, ColumnType::Bytes].map(column).to_vec();
        let shop = ShopPath::Column(0);
        let table = Table { name: "t".into(), columns, key: vec![0], shop, read_only: false };
        let row = read(&table, b"-7\ta\\tb\\\\N\\nc\t\t\\N\t\\\\x00ff\n").unwrap();
        let texts = ["a\tb\\N\nc", ""].map(|text| Cell::Text(text.to_owned()));
        let [first, second] = texts;
        assert_eq!(row, Row(vec![Cell::Int(-7), first, second, Cell::Null, Cell::Bytes(vec![0, 255])]));
        assert!(read(&table, b"-7\ta\n").is_err());
    }
}
