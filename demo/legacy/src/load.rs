//! Making a database: tables, contents, then triggers and the index of the archive. All of it in one transaction, so
//! that a killed start leaves nothing that looks complete.

use crate::archive;
use crate::database::{Connection, Database, Error, Place, Transaction};
use crate::seed::{self, Table};
use crate::value::{Value, args};
use crate::wire::Stop;
use anyhow::{Context, anyhow};
use bytes::Bytes;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// Bytes sent to PostgreSQL at once.
const PART: usize = 1 << 20;

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub shops: Vec<i64>,
    pub archived_lines: i64,
    /// False where it was there already.
    pub made: bool,
}

/// Fills an empty database; one that has tables is left as it is.
///
/// # Errors
/// Where the history cannot be read or the database fails.
pub async fn init(database: &Database, seed: u64, shops: u32, data: Option<&Path>) -> anyhow::Result<Summary> {
    if let Some(summary) = summary(database).await? {
        return Ok(summary);
    }
    let history = match data {
        None => None,
        Some(data) => {
            let file = archive::file_in(data);
            eprintln!("kios: unpacking {}", file.display());
            let unpacked = tokio::task::spawn_blocking(move || archive::unpack(&file)).await??;
            Some(Arc::new(unpacked))
        }
    };
    let now = Timestamp::now();
    let made = database.write(move |tx| make(tx, seed, shops, history.as_deref().map(Vec::as_slice), now));
    made.await.map_err(stopped).context("make the database of kios")?;
    let summary = summary(database).await?.ok_or_else(|| anyhow!("the new database is empty"))?;
    Ok(Summary { made: true, ..summary })
}

fn stopped(stop: Stop) -> anyhow::Error {
    match stop {
        Stop::Database(error) => error.into(),
        Stop::Refused(refusal) => anyhow!("refused: {}", refusal.code),
        Stop::Bad { content, .. } => anyhow!(content),
    }
}

/// What is there; none in an empty database.
///
/// # Errors
/// What the database says.
pub async fn summary(database: &Database) -> anyhow::Result<Option<Summary>> {
    let catalogue = match database.place() {
        Place::Sqlite(_) => "select count(*) from sqlite_master where name = 'toko'",
        Place::Postgres(_) => "select count(*) from pg_class where relname = 'toko' and relkind = 'r'",
    };
    let read = database.read(move |tx| {
        let tables = tx.row(catalogue, args![])?.map_or(Ok(0), |row| row.int(0))?;
        if tables == 0 {
            return Ok(None);
        }
        let rows = tx.rows("select id from toko order by id", args![])?;
        let shops = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
        let archived_lines = tx.row("select count(*) from arsip", args![])?.map_or(Ok(0), |row| row.int(0))?;
        Ok(Some(Summary { shops, archived_lines, made: false }))
    });
    read.await.map_err(stopped)
}

/// Every shop with its name, in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn names(database: &Database) -> anyhow::Result<Vec<(i64, String)>> {
    let read = database.read(|tx| {
        let rows = tx.rows("select id, nama from toko order by id", args![])?;
        Ok(rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect::<Result<_, Error>>()?)
    });
    read.await.map_err(stopped)
}

fn make(tx: &mut Transaction<'_>, seed: u64, shops: u32, history: Option<&[u8]>, now: Timestamp) -> Result<(), Stop> {
    let (tables, after) = match tx.connection() {
        Connection::Sqlite(_) => (include_str!("../schema/sqlite.sql"), include_str!("../schema/sqlite_after.sql")),
        Connection::Postgres(_) => {
            (include_str!("../schema/postgres.sql"), include_str!("../schema/postgres_after.sql"))
        }
    };
    tx.script(tables)?;
    for table in seed::tables(seed, shops, history.is_some(), now) {
        fill(tx, &table)?;
    }
    if let Some(text) = history {
        eprintln!("kios: loading the history");
        let rows = match tx.connection() {
            Connection::Sqlite(connection) => archive_into_sqlite(connection, text)?,
            Connection::Postgres(connection) => {
                let parts = csv_parts(text);
                connection.copy_in("copy arsip from stdin with (format csv)", parts)?
            }
        };
        eprintln!("kios: {rows} lines of history");
    }
    tx.script(after)?;
    Ok(())
}

fn fill(tx: &mut Transaction<'_>, table: &Table) -> Result<(), Error> {
    let (name, columns) = (table.name, table.columns);
    match tx.connection() {
        Connection::Sqlite(connection) => {
            let places = vec!["?"; columns.split(',').count()].join(", ");
            let mut statement = connection.prepare(&format!("insert into {name} ({columns}) values ({places})"))?;
            for row in &table.rows {
                statement.execute(rusqlite::params_from_iter(row))?;
            }
        }
        Connection::Postgres(connection) => {
            let lines: String = table.rows.iter().map(|row| copy_line(row)).collect();
            connection.copy_in(&format!("copy {name} ({columns}) from stdin"), [Ok(Bytes::from(lines))].into_iter())?;
            if columns.starts_with("id,") {
                let sql = format!(
                    "select setval(pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 1), max(id) is not null) \
                     from {name}"
                );
                connection.script(&sql)?;
            }
        }
    }
    Ok(())
}

/// A row in the text form of `copy`.
fn copy_line(row: &[Value]) -> String {
    let cell = |value: &Value| match value {
        Value::Null => "\\N".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r"),
    };
    let mut line = row.iter().map(cell).collect::<Vec<_>>().join("\t");
    line.push('\n');
    line
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::new(format!("the history cannot be read: {error}"))
}

fn archive_into_sqlite(connection: &rusqlite::Connection, text: &[u8]) -> Result<u64, Error> {
    let mut statement = connection.prepare("insert into arsip values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let mut reader = csv::Reader::from_reader(text);
    let mut record = csv::StringRecord::new();
    let mut rowno = 0_i64;
    while reader.read_record(&mut record).map_err(|error| broken(&error))? {
        rowno += 1;
        let column = |index: usize| record.get(index).unwrap_or("");
        let or_null = |index: usize| Some(column(index)).filter(|text| !text.is_empty());
        let quantity: i64 = column(3).parse().map_err(|error| broken(&error))?;
        statement.execute(rusqlite::params![
            rowno,
            column(0),
            column(1),
            or_null(2),
            quantity,
            column(4),
            column(5),
            or_null(6),
            column(7),
        ])?;
    }
    u64::try_from(rowno).map_err(|error| broken(&error))
}

/// The lines of the history with their row numbers in front; an empty field is null.
fn csv_parts(text: &[u8]) -> impl Iterator<Item = Result<Bytes, Error>> {
    let mut reader = csv::Reader::from_reader(text);
    let mut record = csv::ByteRecord::new();
    let mut rowno = 0_u64;
    std::iter::from_fn(move || {
        let mut writer = csv::Writer::from_writer(Vec::with_capacity(PART));
        let mut bytes = 0;
        while bytes < PART {
            match reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => return Some(Err(broken(&error))),
            }
            rowno += 1;
            bytes += record.as_slice().len();
            let number = rowno.to_string();
            let fields = std::iter::once(number.as_bytes()).chain(record.iter());
            if let Err(error) = writer.write_record(fields) {
                return Some(Err(broken(&error)));
            }
        }
        if bytes == 0 {
            return None;
        }
        Some(writer.into_inner().map(Bytes::from).map_err(|error| broken(&error)))
    })
}
