//! A stranger's SQLite file: opened to be read and nothing else, and looked at in short statements.
//!
//! It is as it was afterwards, and so is its folder.
//!
//! Each statement is a read transaction of its own. Without a write-ahead log a reader keeps every writer from
//! committing, so there a look is shorter still. The file is never opened as if nobody wrote to it.

mod catalogue;
mod sample;
mod traps;

use super::session::failed;
use crate::error::{Error, Result};
use crate::inspect::{
    Budget, Code, Engine, Inspection, Kind, LOOK_MAX, ROWS_COUNTED_MAX, Rows, TABLES_MAX, Table, Traps, Unread,
};
use crate::sql::ident;
use catalogue::Relation;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One look where a reader keeps writers waiting.
const LOOK_BESIDE_WRITERS_MAX: Duration = Duration::from_millis(100);
/// How long a look waits for a writer.
const BUSY_MAX: Duration = Duration::from_millis(100);
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 2_000;

/// The file, and what is left of the time.
struct Eye {
    connection: Connection,
    budget: Budget,
    look_max: Duration,
    /// When the look under way has to end.
    end: Arc<Mutex<Option<Instant>>>,
}

pub(crate) async fn inspect(path: &str) -> Result<Inspection> {
    let path = Path::new(path).to_owned();
    let working = tokio::task::spawn_blocking(move || look(&path));
    working.await.unwrap_or(Err(Error::Interrupted("the SQLite thread")))
}

fn look(path: &Path) -> Result<Inspection> {
    let mut eye = Eye::open(path)?;
    let mut traps = Traps::default();
    let mode: String = eye.setting("pragma journal_mode")?;
    if mode.eq_ignore_ascii_case("wal") {
        eye.look_max = LOOK_MAX;
    } else {
        let mend = "pragma journal_mode = wal; -- once, when nobody else has the file open".to_owned();
        traps.server(Code::JournalMode, format!("journal_mode is {mode}"), Some(mend));
    }
    let count = catalogue::count(&eye.connection)?;
    if count > TABLES_MAX {
        traps.server(Code::Unread, format!("{} tables more than {TABLES_MAX}", count - TABLES_MAX), None);
    }
    let relations = catalogue::relations(&eye.connection)?;
    let mut tables = Vec::new();
    for relation in &relations {
        traps::of(relation, &mut traps);
        let (rows, bytes) = figures(&eye, relation, &mut traps);
        if rows.count().is_some() {
            sample::look(&eye, relation, &relations, &mut traps);
        }
        tables.push(Table {
            name: relation.name.clone(),
            kind: if relation.is_virtual { Kind::Elsewhere } else { Kind::Plain },
            rows,
            bytes,
            key: relation.key.clone(),
            columns: relation.columns.iter().map(|of| of.column.clone()).collect(),
            references: relation.references.clone(),
        });
    }
    let left_out = count.saturating_sub(u64::try_from(tables.len()).unwrap_or(u64::MAX));
    let version = rusqlite::version().to_owned();
    Ok(Inspection { engine: Engine::Sqlite, version, tables, left_out, traps: traps.take() })
}

impl Eye {
    fn open(path: &Path) -> Result<Self> {
        let opening = failed("open");
        let mode = if rests(path) { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let mut connection =
            Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(opening)?;
        connection.busy_timeout(BUSY_MAX).map_err(opening)?;
        connection.execute_batch("pragma query_only = on; pragma trusted_schema = off").map_err(opening)?;
        let end: Arc<Mutex<Option<Instant>>> = Arc::default();
        let watched = Arc::clone(&end);
        let is_over = move || {
            let end = *watched.lock().unwrap_or_else(PoisonError::into_inner);
            end.is_some_and(|end| Instant::now() > end)
        };
        connection.progress_handler(STEPS, Some(is_over)).map_err(opening)?;
        Ok(Self { connection, budget: Budget::new(), look_max: LOOK_BESIDE_WRITERS_MAX, end })
    }

    fn setting<T: rusqlite::types::FromSql>(&self, sql: &str) -> Result<T> {
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed("read the settings of"))
    }

    /// The whole numbers of the one row that a statement answers with; or why there is none.
    fn numbers(&self, sql: &str) -> std::result::Result<Vec<u64>, Unread> {
        let time = self.budget.of(self.look_max).ok_or(Unread::Time)?;
        let set = |end| *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        set(Some(Instant::now() + time));
        let answer = self.connection.query_row(sql, [], |row| {
            let count = row.as_ref().column_count();
            (0..count).map(|column| row.get::<_, Option<i64>>(column)).collect::<rusqlite::Result<Vec<_>>>()
        });
        set(None);
        let numbers = answer.map_err(|error| unread(&error))?;
        Ok(numbers.into_iter().map(|number| u64::try_from(number.unwrap_or(0)).unwrap_or(0)).collect())
    }

    fn number(&self, sql: &str) -> std::result::Result<u64, Unread> {
        self.numbers(sql)?.first().copied().ok_or(Unread::Failed)
    }
}

/// Whether the file has a write-ahead log and nobody has it open. Then SQLite makes files beside it even for a reader,
/// owned by us, and only a connection that could write takes them away again; `query_only` keeps it from writing.
fn rests(path: &Path) -> bool {
    // fileformat2.html §1.3: the read version, 2 for a write-ahead log.
    const READ_VERSION: usize = 19;
    const WITH_LOG: u8 = 2;
    let mut header = [0; READ_VERSION + 1];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    read.is_ok() && header[READ_VERSION] == WITH_LOG && !Path::new(&log).exists()
}

fn unread(error: &rusqlite::Error) -> Unread {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Unread::Time,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Unread::Lock,
        _ => Unread::Failed,
    }
}

/// Rows, counted one by one as far as time allows, and the bytes of a table and its indexes.
fn figures(eye: &Eye, relation: &Relation, traps: &mut Traps) -> (Rows, Option<u64>) {
    if relation.is_virtual {
        return (Rows::Unread(Unread::Elsewhere), None);
    }
    let table = ident(&relation.name);
    let most = ROWS_COUNTED_MAX + 1;
    let rows = match eye.number(&format!("select count(*) from (select 1 from {table} limit {most})")) {
        Ok(rows) if rows < most => Rows::Exact(rows),
        Ok(_) => {
            eye.number(&format!("select count(*) from {table}")).map_or(Rows::AtLeast(ROWS_COUNTED_MAX), Rows::Exact)
        }
        Err(why) => {
            traps.table(Code::Unread, &relation.name, format!("not read: {}", why.reason()), None);
            Rows::Unread(why)
        }
    };
    let parts: Vec<String> = [&relation.name].into_iter().chain(&relation.indexes).map(|name| text(name)).collect();
    let bytes = format!("select sum(pgsize) from dbstat where aggregate = true and name in ({})", parts.join(", "));
    (rows, eye.number(&bytes).ok())
}

/// A literal.
fn text(name: &str) -> String {
    crate::sql::text(crate::sql::Dialect::Sqlite, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eye(folder: &tempfile::TempDir, mode: &str) -> Eye {
        let path = folder.path().join("legacy.db");
        let legacy = Connection::open(&path).unwrap();
        legacy.execute_batch(&format!("pragma journal_mode = {mode}; create table t (a integer)")).unwrap();
        drop(legacy);
        Eye::open(&path).unwrap()
    }

    #[test]
    fn nothing_can_be_written() {
        for mode in ["delete", "wal"] {
            let folder = tempfile::tempdir().unwrap();
            let eye = eye(&folder, mode);
            for write in ["insert into t values (1)", "create table u (a)", "pragma user_version = 1"] {
                let refused = eye.connection.execute(write, []).unwrap_err();
                assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly), "{mode}: {write}");
            }
        }
    }

    #[test]
    fn a_look_ends_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let endless = "with recursive n (n) as (select 1 union all select n + 1 from n) select count(*) from n";
        assert_eq!(eye(&folder, "delete").number(endless), Err(Unread::Time));
    }
}
