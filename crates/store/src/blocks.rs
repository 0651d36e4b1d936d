//! Blocks of ids taken in the legacy before the hold, from which Backend mints what the outside will see.

use crate::sql::{Connection, Row, params};
use crate::writer::Door;
use crate::{Error, Result, Store, sql};
use vocab::id::Epoch;

/// Ids `from..=to` of a legacy table; `next..=to` are free, none if `next > to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub from: i64,
    pub to: i64,
    pub next: i64,
    pub epoch: Epoch,
}

const READ: &str = "read of id blocks";
const WRITE: &str = "write of id blocks";

impl Store {
    /// Records the block `from..=to`. Recording the same block again changes nothing.
    ///
    /// # Errors
    /// `Invalid` if it is empty or overlaps another block of the table.
    pub async fn add_block(&self, table: &str, from: i64, to: i64, epoch: Epoch) -> Result<()> {
        if from > to || to == i64::MAX {
            return Err(Error::Invalid(format!("a block of ids from {from} to {to}")));
        }
        let table = table.to_owned();
        self.write(Door::Control, move |connection| add(connection, &table, from, to, epoch)).await
    }

    /// Takes `n` ids in a row from one block: the first and the last of them; none if no block has so many left.
    /// They are durably taken before the answer and never given back.
    pub async fn take_ids(&self, table: &str, n: u64) -> Result<Option<(i64, i64)>> {
        let (table, n) = (table.to_owned(), sql::int(n)?);
        if n == 0 {
            return Err(Error::Invalid("ids were asked for, but none of them".to_owned()));
        }
        self.write(Door::Control, move |connection| take(connection, &table, n)).await
    }

    /// The blocks of a table, in the order of their ids.
    pub async fn blocks(&self, table: &str) -> Result<Vec<Block>> {
        let table = table.to_owned();
        self.read(move |connection| {
            let sql = "select first_id, last_id, next_id, epoch from id_block
                       where table_name = ?1 order by first_id";
            sql::all(connection, READ, sql, [table], block)
        })
        .await
    }
}

fn add(connection: &Connection, table: &str, from: i64, to: i64, epoch: Epoch) -> Result<()> {
    let sql = "select first_id, last_id, next_id, epoch from id_block
               where table_name = ?1 and first_id <= ?3 and last_id >= ?2 limit 1";
    let other = sql::first(connection, READ, sql, params![table, from, to], block)?;
    match other {
        Some(other) if (other.from, other.to) == (from, to) => Ok(()),
        Some(other) => Err(Error::Invalid(format!(
            "ids {from} to {to} of {table} overlap the block {} to {}",
            other.from, other.to
        ))),
        None => {
            let sql = "insert into id_block (table_name, first_id, last_id, next_id, epoch)
                       values (?1, ?2, ?3, ?2, ?4)";
            sql::execute(connection, WRITE, sql, params![table, from, to, sql::int(epoch.0)?]).map(drop)
        }
    }
}

fn take(connection: &Connection, table: &str, n: i64) -> Result<Option<(i64, i64)>> {
    // Written so that no sum can overflow: both sides of each difference are ids of one block.
    let sql = "update id_block set next_id = next_id + ?2
               where table_name = ?1 and first_id = (
                   select first_id from id_block where table_name = ?1 and last_id - next_id >= ?2 - 1
                   order by first_id limit 1)
               returning next_id";
    let next = sql::first(connection, WRITE, sql, params![table, n], |row| sql::cell::<i64>(row, 0))?;
    Ok(next.map(|next| (next - n, next - 1)))
}

fn block(row: &Row<'_>) -> Result<Block> {
    Ok(Block { from: sql::cell(row, 0)?, to: sql::cell(row, 1)?, next: sql::cell(row, 2)?, epoch: sql::epoch(row, 3)? })
}
