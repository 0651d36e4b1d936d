//! The change stream of an SQLite file: a thread that looks whether the file changed, and reads what is new.
//!
//! One read transaction gives the numbers of the changes and the rows as they stand. A row may so be told newer than
//! its change: then the later change is told too, later.

use super::catalogue::{difference, exists, last_change, unsigned};
use super::group::{Group, Noted, Touched, groups};
use super::session::{File, failed, is_busy};
use super::{Sqlite, install, value};
use crate::cut::{Position, Tx};
use crate::error::{Error, Lost, Result};
use crate::sql::ident;
use crate::transaction::{SchemaChange, Transaction};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params, params_from_iter};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use vocab::id::Timestamp;
use vocab::row::{Cell, Change, RowKey, TableNo, Use};

/// How long a change may lie unseen in a quiet file.
const LOOK_EVERY: Duration = Duration::from_millis(3);
/// Changes read in one transaction.
const BATCH: i64 = 2_000;
/// Transactions that wait for whoever follows.
const WAITING_MAX: usize = 1_024;
/// Forgetting what was acknowledged takes the write lock: rarely, and for a millisecond.
const PRUNE_EVERY: Duration = Duration::from_millis(500);
const PRUNE_BATCH: i64 = 512;
const PRUNE_WAIT: Duration = Duration::from_millis(5);

pub(crate) struct Stream {
    receiver: mpsc::Receiver<Result<Transaction>>,
    /// Why there is no more, when all that came before has been handed out.
    broken: Option<Error>,
    acknowledged: Arc<AtomicU64>,
}

impl Sqlite {
    pub async fn stream(&self, from: Option<Position>) -> Result<Stream> {
        let Range { first, last } = self.with(|file, connection| range(file, connection)).await?;
        let Position(wanted) = from.unwrap_or(Position(first));
        if wanted < first || wanted > last {
            return Err(Error::PositionLost { wanted, why: Lost::Begins(first) });
        }
        let acknowledged = Arc::new(AtomicU64::new(first));
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let follower = Follower {
            reader: self.file.open()?,
            writer: self.file.open()?,
            file: Arc::clone(&self.file),
            last: wanted,
            version: None,
            schema: None,
            told: HashMap::new(),
            acknowledged: Arc::clone(&acknowledged),
            pruned: first,
            pruned_at: Instant::now(),
        };
        let spawned = std::thread::Builder::new().name("capture".to_owned()).spawn(move || follower.run(&sender));
        // The thread ends with the receiver.
        spawned.map_err(|_| Error::Interrupted("no thread for the change stream"))?;
        Ok(Stream { receiver, broken: None, acknowledged })
    }
}

impl Stream {
    pub async fn next(&mut self, max: usize) -> Result<Vec<Transaction>> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let ended = Error::Interrupted("the change stream has ended");
        let mut transactions = vec![self.receiver.recv().await.ok_or(ended)??];
        while transactions.len() < max {
            match self.receiver.try_recv() {
                Ok(Ok(transaction)) => transactions.push(transaction),
                Ok(Err(error)) => {
                    self.broken = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(transactions)
    }

    pub fn acknowledge(&mut self, Position(position): Position) {
        self.acknowledged.fetch_max(position, Ordering::Relaxed);
    }
}

/// From where the stream can be read, and how far it goes.
pub(super) struct Range {
    pub first: u64,
    pub last: u64,
}

pub(super) fn range(file: &File, connection: &Connection) -> Result<Range> {
    if !exists(connection, "table", install::CHANGES)? {
        return Err(Error::NotInstalled("no table balik_changes".to_owned()));
    }
    let sql = "select acknowledged from balik_origin where name = ?1";
    let first = connection.query_row(sql, [&file.name], |row| row.get::<_, i64>(0)).optional();
    let first = first.map_err(failed("read the beginning of"))?;
    let first = first.ok_or_else(|| Error::NotInstalled(format!("no capture {}", file.name)))?;
    Ok(Range { first: unsigned(first)?, last: last_change(connection)? })
}

struct Follower {
    reader: Connection,
    writer: Connection,
    file: Arc<File>,
    last: u64,
    /// `data_version` at which nothing was left to read.
    version: Option<i64>,
    schema: Option<i64>,
    told: HashMap<TableNo, SchemaChange>,
    acknowledged: Arc<AtomicU64>,
    pruned: u64,
    pruned_at: Instant,
}

impl Follower {
    fn run(mut self, sender: &mpsc::Sender<Result<Transaction>>) {
        while !sender.is_closed() {
            let batch = self.look().and_then(|batch| self.prune().map(|()| batch));
            match batch {
                Ok(batch) if batch.is_empty() => std::thread::sleep(LOOK_EVERY),
                Ok(batch) => {
                    for transaction in batch {
                        if sender.blocking_send(Ok(transaction)).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    // Nobody listening is the other way to end.
                    drop(sender.blocking_send(Err(error)));
                    return;
                }
            }
        }
    }

    fn look(&mut self) -> Result<Vec<Transaction>> {
        let looking = failed("look for changes in");
        let version = self.reader.query_row("pragma data_version", [], |row| row.get::<_, i64>(0)).map_err(looking)?;
        if self.version == Some(version) {
            return Ok(Vec::new());
        }
        let transaction = self.reader.transaction_with_behavior(TransactionBehavior::Deferred).map_err(looking)?;
        let noted = noted(&transaction, self.last)?;
        let full = noted.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        let mut transactions = Vec::new();
        let schema: i64 = transaction.query_row("pragma schema_version", [], |row| row.get(0)).map_err(looking)?;
        if self.schema != Some(schema) {
            let changes = schema_changes(&self.file, &transaction, &mut self.told)?;
            if !changes.is_empty() {
                transactions.push(Transaction { schema: changes, ..bare(self.last) });
            }
            self.schema = Some(schema);
        }
        for group in groups(&self.file.declared, noted)? {
            self.last = group.last;
            transactions.push(read(&self.file, &transaction, &self.told, group)?);
        }
        transaction.commit().map_err(looking)?;
        self.version = (!full).then_some(version);
        Ok(transactions)
    }

    /// Forgets a bounded piece of what every capture of the file has acknowledged. A busy file is left alone.
    fn prune(&mut self) -> Result<()> {
        let acknowledged = self.acknowledged.load(Ordering::Relaxed);
        if acknowledged <= self.pruned || self.pruned_at.elapsed() < PRUNE_EVERY {
            return Ok(());
        }
        self.pruned_at = Instant::now();
        match prune(&mut self.writer, &self.file.name, acknowledged) {
            Ok(forgotten) if forgotten < usize::try_from(PRUNE_BATCH).unwrap_or(usize::MAX) => {
                self.pruned = acknowledged;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) if is_busy(&error) => Ok(()),
            Err(source) => Err(Error::Sqlite { act: "forget changes in", source }),
        }
    }
}

fn prune(writer: &mut Connection, name: &str, acknowledged: u64) -> rusqlite::Result<usize> {
    writer.busy_timeout(PRUNE_WAIT)?;
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mine = "update balik_origin set acknowledged = ?2 where name = ?1 and acknowledged < ?2";
    transaction.execute(mine, params![name, i64::try_from(acknowledged).unwrap_or(i64::MAX)])?;
    let forget = "delete from balik_changes where seq in (select seq from balik_changes \
         where seq <= (select min(acknowledged) from balik_origin) order by seq limit ?1)";
    let forgotten = transaction.execute(forget, [PRUNE_BATCH])?;
    transaction.commit()?;
    Ok(forgotten)
}

fn noted(connection: &Connection, last: u64) -> Result<Vec<Noted>> {
    let reading = failed("read the changes of");
    let sql = "select seq, tbl, key, ours, moved, at from balik_changes where seq > ?1 order by seq limit ?2";
    let mut statement = connection.prepare_cached(sql).map_err(reading)?;
    let from = i64::try_from(last).unwrap_or(i64::MAX);
    let rows = statement.query_map([from, BATCH], |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?, row.get(5)?))
    });
    let rows = rows.map_err(reading)?.map(|row| {
        let (seq, tbl, key, ours, moved, at) = row.map_err(reading)?;
        Ok(Noted { seq: unsigned(seq)?, tbl, key, ours: ours != 0, moved: moved != 0, at })
    });
    rows.collect()
}

fn bare(last: u64) -> Transaction {
    Transaction {
        tx: Tx { order: last, xid: last },
        position: Position(last),
        emptied: Vec::new(),
        changes: Vec::new(),
        more: false,
        markers: Vec::new(),
        ours: false,
        applied: None,
        committed_at: None,
        schema: Vec::new(),
    }
}

/// The tables whose columns are not as they were last told.
fn schema_changes(
    file: &File,
    connection: &Connection,
    told: &mut HashMap<TableNo, SchemaChange>,
) -> Result<Vec<SchemaChange>> {
    let mut changes = Vec::new();
    for (no, _) in file.declared.each() {
        let change = difference(connection, &file.declared, no)?;
        let news = told.get(&no).map_or(!change.is_none(), |before| *before != change);
        if news {
            told.insert(no, change.clone());
            changes.push(change);
        }
    }
    Ok(changes)
}

fn read(
    file: &File,
    connection: &Connection,
    told: &HashMap<TableNo, SchemaChange>,
    group: Group,
) -> Result<Transaction> {
    let mut changes = Vec::with_capacity(group.keys.len());
    for Touched { table, key, moved } in group.keys {
        let row = row(file, connection, told.get(&table), table, &key)?;
        changes.push(Change { table, key, row, moved: Some(moved) });
    }
    Ok(Transaction {
        ours: group.ours,
        changes,
        more: false,
        markers: group.markers,
        applied: group.applied,
        committed_at: Some(Timestamp(group.at)),
        ..bare(group.last)
    })
}

/// The row as it stands; none where there is none. A column that is gone is not told.
fn row(
    file: &File,
    connection: &Connection,
    schema: Option<&SchemaChange>,
    table: TableNo,
    key: &RowKey,
) -> Result<Option<Vec<Option<Cell>>>> {
    let of = file.declared.table(table);
    let gone: Vec<bool> =
        of.columns.iter().map(|column| schema.is_some_and(|schema| schema.missing.contains(&column.name))).collect();
    if gone.iter().all(|gone| *gone) {
        return Ok(None);
    }
    let reading = failed("read a changed row of");
    let columns = of.columns.iter().zip(&gone).map(|(column, gone)| {
        if *gone || column.usage == Use::Secret { "null".to_owned() } else { ident(&column.name) }
    });
    let keys =
        of.key.iter().zip(1..).map(|(&column, place)| format!("{} is ?{place}", ident(&of.columns[column].name)));
    let sql = format!(
        "select {} from {} where {}",
        columns.collect::<Vec<_>>().join(", "),
        ident(&of.name),
        keys.collect::<Vec<_>>().join(" and ")
    );
    let mut statement = connection.prepare_cached(&sql).map_err(reading)?;
    let found =
        statement.query_row(params_from_iter(key.0.iter().map(value::bound)), |row| value::row(row, of.columns.len()));
    let found = found.optional().map_err(reading)?;
    let told = |(cell, gone): (Cell, &bool)| if *gone { None } else { Some(cell) };
    Ok(found.map(|row| row.0.into_iter().zip(&gone).map(told).collect()))
}
