//! Facts go back: one transaction of the legacy, exactly once, checked before it commits.

use super::Postgres;
use super::cell::cell;
use super::install::quoted;
use super::session::{Answer, Session, cell_of, number};
use crate::error::{Error, Result, WriteBackError};
use crate::sql::{self, Dialect, ident};
use crate::write_back::{Expect, WriteBack, last_to_write};
use tokio_postgres::error::SqlState;
use vocab::id::{Seq, ShopId};
use vocab::row::{Cell, Table};

/// A row that the legacy keeps locked is tried again later; nobody waits for it without bound.
const LOCK_MS_MAX: u32 = 200;

impl Postgres {
    pub async fn applied(&self, shop: &ShopId) -> Result<Seq> {
        let sql = format!("select seq from balik_applied where shop = {}", quoted(shop.as_str()));
        let rows = self.sessions.rows("read the last fact in", &sql).await?;
        last_applied(shop, &rows)
    }

    pub async fn write_back(&self, shop: &ShopId, facts: &[WriteBack]) -> Result<Seq, WriteBackError> {
        let session = self.sessions.take().await?;
        let shop_is = quoted(shop.as_str());
        let begin = format!(
            "begin; set local lock_timeout = '{LOCK_MS_MAX}ms'; set local balik.writer = 'on'; select seq from balik_applied where shop = {shop_is} for update"
        );
        let answers = session.run("write back to", &begin).await?;
        let rows = answers.last().map(|answer| answer.rows.as_slice()).unwrap_or_default();
        let before = last_applied(shop, rows)?;
        let new: Vec<_> = facts.iter().filter(|fact| fact.seq > before).collect();
        let Some(last) = last_to_write(&new, before) else {
            session.run("write back to", "rollback").await?;
            self.sessions.give(session);
            return Ok(before);
        };
        let count = format!("update balik_applied set seq = {last} where shop = {shop_is}");
        session.run("write back to", &count).await?;
        for fact in new {
            self.apply(&session, fact).await?;
        }
        session.run("write back to", "commit").await.map_err(|error| refused(None, error))?;
        self.sessions.give(session);
        Ok(last)
    }

    /// All edits and reads of a fact in one round trip.
    async fn apply(&self, session: &Session, fact: &WriteBack) -> Result<(), WriteBackError> {
        let edits = fact.edits.iter().map(|edit| sql::edit(Dialect::Postgres, &self.declared, edit));
        let reads = fact.expect.iter().map(|expect| self.read_again(expect));
        let statements: Vec<_> = edits.chain(reads).collect();
        if statements.is_empty() {
            return Ok(());
        }
        let answers = session.run("write back to", &statements.join("; ")).await;
        let answers = answers.map_err(|error| refused(Some(fact.seq), error))?;
        let (edited, reread) = answers.split_at_checked(fact.edits.len()).unwrap_or((&answers, &[]));
        for (edit, answer) in edited.iter().enumerate() {
            if answer.count != 1 {
                let reason = format!("it met {} rows", answer.count);
                return Err(WriteBackError::Conflict { seq: Some(fact.seq), edit: Some(edit), reason });
            }
        }
        for (place, expect) in fact.expect.iter().enumerate() {
            let table = self.declared.table(expect.table);
            compare(fact.seq, table, expect, reread.get(place))?;
        }
        Ok(())
    }

    fn read_again(&self, expect: &Expect) -> String {
        let table = self.declared.table(expect.table);
        let columns = expect.cells.iter().map(|(column, _)| ident(&table.columns[*column].name));
        let mut columns: Vec<_> = columns.collect();
        columns.push("1".to_owned());
        format!(
            "select {} from {} where {}",
            columns.join(", "),
            sql::table_name(Dialect::Postgres, &table.name),
            sql::key_is(Dialect::Postgres, table, &expect.key)
        )
    }
}

fn compare(seq: Seq, table: &Table, expect: &Expect, answer: Option<&Answer>) -> Result<(), WriteBackError> {
    let row = answer.and_then(|answer| answer.rows.first());
    for (place, (column, expected)) in expect.cells.iter().enumerate() {
        let found: Option<Cell> =
            row.map(|cells| cell(&table.columns[*column], cells.get(place).and_then(Option::as_deref)));
        if found.as_ref() != Some(expected) {
            return Err(WriteBackError::Mismatch {
                seq,
                table: expect.table,
                key: expect.key.clone(),
                column: *column,
                expected: expected.clone(),
                found,
            });
        }
    }
    Ok(())
}

fn last_applied(shop: &ShopId, rows: &[Vec<Option<String>>]) -> Result<Seq> {
    if rows.is_empty() {
        return Err(Error::NotInstalled(format!("shop `{shop}` has no row in balik_applied")));
    }
    number(cell_of(rows, 0, 0)?).map(Seq)
}

/// A constraint or a value that the legacy does not take is a conflict; the rest is the world failing.
fn refused(seq: Option<Seq>, error: Error) -> WriteBackError {
    match error.refusal() {
        Some(refusal) if is_refusal(refusal.code()) => {
            WriteBackError::Conflict { seq, edit: None, reason: refusal.to_string() }
        }
        _ => WriteBackError::Source(error),
    }
}

/// Classes 22 (data), 23 (constraints) and P0 (raised by a trigger), and 42 (a column that is gone).
fn is_refusal(state: &SqlState) -> bool {
    ["22", "23", "42", "P0"].iter().any(|class| state.code().starts_with(class))
}
