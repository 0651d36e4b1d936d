//! Facts go back: one transaction of the legacy, exactly once, checked before it commits.

use super::install::{APPLIED, NOW};
use super::session::{File, failed};
use super::{Sqlite, value};
use crate::error::{Error, Result, WriteBackError};
use crate::sql::{self, Dialect, ident};
use crate::write_back::{Expect, WriteBack, last_to_write};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use vocab::id::{Seq, ShopId};
use vocab::row::Cell;

const ACT: &str = "write back to";

impl Sqlite {
    pub async fn applied(&self, shop: &ShopId) -> Result<Seq> {
        let shop = shop.clone();
        self.with(move |_, connection| last_applied(connection, &shop)).await
    }

    pub async fn write_back(&self, shop: &ShopId, facts: &[WriteBack]) -> Result<Seq, WriteBackError> {
        let (shop, facts) = (shop.clone(), facts.to_vec());
        self.with(move |file, connection| write(file, connection, &shop, &facts)).await
    }
}

fn write(file: &File, connection: &mut Connection, shop: &ShopId, facts: &[WriteBack]) -> Result<Seq, WriteBackError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(ACT))?;
    let before = last_applied(&transaction, shop)?;
    let new: Vec<_> = facts.iter().filter(|fact| fact.seq > before).collect();
    let Some(last) = last_to_write(&new, before) else { return Ok(before) };
    note(&transaction, shop, last)?;
    transaction.execute("insert into balik_writer values (1)", []).map_err(failed(ACT))?;
    for fact in new {
        apply(file, &transaction, fact)?;
    }
    transaction.execute("delete from balik_writer", []).map_err(failed(ACT))?;
    transaction.commit().map_err(|error| refused(None, None, error))?;
    Ok(last)
}

/// Raises the shop's number and says so in the stream, before the changes that follow.
fn note(connection: &Connection, shop: &ShopId, last: Seq) -> Result<()> {
    let number = i64::try_from(last.0).map_err(|_| Error::Decode(format!("fact number {last} is too large")))?;
    let update = "update balik_applied set seq = ?2 where shop = ?1";
    connection.execute(update, params![shop.as_str(), number]).map_err(failed(ACT))?;
    let note = format!(
        "insert into balik_changes (tbl, key, ours, moved, at) \
         values ('{APPLIED}', quote(?1) || ',' || quote(?2), 1, 0, {NOW})"
    );
    connection.execute(&note, params![shop.as_str(), number]).map(|_| ()).map_err(failed(ACT))
}

fn apply(file: &File, connection: &Connection, fact: &WriteBack) -> Result<(), WriteBackError> {
    for (place, edit) in fact.edits.iter().enumerate() {
        let sql = sql::edit(Dialect::Sqlite, &file.declared, edit);
        let met = connection.execute(&sql, []).map_err(|error| refused(Some(fact.seq), Some(place), error))?;
        if met != 1 {
            let reason = format!("it met {met} rows");
            return Err(WriteBackError::Conflict { seq: Some(fact.seq), edit: Some(place), reason });
        }
    }
    fact.expect.iter().try_for_each(|expect| compare(file, connection, fact.seq, expect))
}

fn compare(file: &File, connection: &Connection, seq: Seq, expect: &Expect) -> Result<(), WriteBackError> {
    let table = file.declared.table(expect.table);
    for (column, expected) in &expect.cells {
        let name = ident(&table.columns[*column].name);
        let key = sql::key_is(Dialect::Sqlite, table, &expect.key);
        let sql = format!("select {name} from {} where {key}", ident(&table.name));
        let found = connection.query_row(&sql, [], |row| row.get_ref(0).map(value::cell)).optional();
        let found: Option<Cell> = found.map_err(failed(ACT))?;
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

fn last_applied(connection: &Connection, shop: &ShopId) -> Result<Seq> {
    let sql = "select seq from balik_applied where shop = ?1";
    let found = connection.query_row(sql, [shop.as_str()], |row| row.get::<_, i64>(0)).optional();
    let seq = found.map_err(failed("read the last fact in"))?;
    let seq = seq.ok_or_else(|| Error::NotInstalled(format!("shop `{shop}` has no row in balik_applied")))?;
    super::catalogue::unsigned(seq).map(Seq)
}

/// What the legacy does not take is a conflict; the rest is the world failing.
fn refused(seq: Option<Seq>, edit: Option<usize>, error: rusqlite::Error) -> WriteBackError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::Unknown) => {
            WriteBackError::Conflict { seq, edit, reason: error.to_string() }
        }
        _ => WriteBackError::Source(Error::Sqlite { act: ACT, source: error }),
    }
}
