//! What a copy costs that does nothing but keep what ours has kept: a plain loop that writes the same rows into empty files of
//! the same form, and a server that reads the tables twice, once for the copy and once for the verification.
//!
//! Nothing is mapped, checked or compared, and no row is made: all are in memory before the clock starts. It is what our way of
//! keeping things costs, not the least that is possible: each row is an insert of its own.

use crate::rows::TABLES;
use crate::serving;
use anyhow::{Context, Result};
use futures_util::{TryStreamExt, pin_mut};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use std::time::Duration;

/// The tables with nearly all rows, in the files that hold them, each with an order in which most rows are appended.
const KEPT: [(&str, &[(&str, &str)]); 2] = [
    ("staged.sqlite", &[("staged", "tbl, key"), ("link", "tbl, col, value, key")]),
    ("store.sqlite", &[("document", "rowid"), ("ledger", "shop, order_id, n")]),
];
/// Rows of one transaction, about as many as ours has in one.
const TOGETHER: usize = 2_000;
/// Transactions whose rows are in memory at once.
const AHEAD: usize = 50;

/// What it needs of processor time.
pub struct Bare {
    pub rows: u64,
    /// The loop that writes them, and SQLite in it.
    pub writing: Duration,
    /// The server, for reading all tables once.
    pub reading: Duration,
}

impl Bare {
    /// How long the writing and two such readings take on so many processors, all of them busy to the end.
    pub fn takes(&self, processors: u32) -> Duration {
        (self.writing + 2 * self.reading) / processors
    }
}

/// Writes the rows of our large tables into files of another folder.
pub fn write(work: &Path) -> Result<(u64, Duration)> {
    let folder = tempfile::tempdir()?;
    let (mut rows, mut used) = (0, Duration::ZERO);
    for (file, tables) in KEPT {
        let kept = serving::open(&work.join(file))?;
        let fresh = Connection::open(folder.path().join(file))?;
        // As ours has them while it copies; the log goes into the file at the end.
        let pragmas = "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -65536;
                       pragma wal_autocheckpoint = 0";
        fresh.execute_batch(pragmas)?;
        make(&kept, &fresh, tables)?;
        for (table, order) in tables {
            let (written, took) = fill(&kept, &fresh, table, order)?;
            (rows, used) = (rows + written, used + took);
        }
        let before = my_processor_time()?;
        fresh.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        used += my_processor_time()?.saturating_sub(before);
    }
    Ok((rows, used))
}

/// The tables and their indexes, empty.
fn make(kept: &Connection, fresh: &Connection, tables: &[(&str, &str)]) -> Result<()> {
    for (table, _) in tables {
        let sql = "select sql from sqlite_schema where tbl_name = ?1 and sql is not null order by type desc";
        let mut select = kept.prepare(sql)?;
        let statements: Vec<String> = select.query_map([table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        statements.iter().try_for_each(|statement| fresh.execute_batch(statement))?;
    }
    Ok(())
}

fn fill(kept: &Connection, fresh: &Connection, table: &str, order: &str) -> Result<(u64, Duration)> {
    let mut select = kept.prepare(&format!("select * from {table} order by {order}"))?;
    let names = select.column_names().collect::<Vec<_>>().join(", ");
    let places = vec!["?"; select.column_count()].join(", ");
    let mut insert = fresh.prepare(&format!("insert into {table} ({names}) values ({places})"))?;
    let columns = select.column_count();
    let mut rows = select.query([])?;
    let (mut written, mut used) = (0, Duration::ZERO);
    loop {
        let mut ahead: Vec<Vec<Value>> = Vec::with_capacity(TOGETHER * AHEAD);
        while ahead.len() < TOGETHER * AHEAD {
            let Some(row) = rows.next()? else { break };
            ahead.push((0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?);
        }
        if ahead.is_empty() {
            return Ok((written, used));
        }
        let before = my_processor_time()?;
        for some in ahead.chunks(TOGETHER) {
            fresh.execute_batch("begin")?;
            for row in some {
                insert.execute(params_from_iter(row))?;
            }
            fresh.execute_batch("commit")?;
        }
        used += my_processor_time()?.saturating_sub(before);
        written += u64::try_from(ahead.len())?;
    }
}

/// What this thread has used: the first figure of its `schedstat`, in nanoseconds.
fn my_processor_time() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let figure = text.split_whitespace().next().context("no processor time in schedstat")?;
    Ok(Duration::from_nanos(figure.parse()?))
}

/// Reads every table once, as text, and throws it away.
pub async fn read(source: &tokio_postgres::Client) -> Result<()> {
    for table in TABLES {
        let rows = source.copy_out(&format!("copy {table} to stdout")).await?;
        pin_mut!(rows);
        while rows.try_next().await?.is_some() {}
    }
    Ok(())
}
