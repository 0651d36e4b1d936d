//! The one file of an embedded store: how its connections are opened.

use crate::Result;
use crate::error::during;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How often and how many times a connection asks again for a lock that another process holds: 5 s in all. SQLite's
/// own time-out sleeps up to 100 ms at a time, a fifth of what a hold may last.
const BUSY_PAUSE: Duration = Duration::from_micros(500);
const BUSY_TRIES_MAX: i32 = 10_000;

/// Prepared statements per connection; the crate has fewer.
const STATEMENTS: usize = 128;

/// A connection that waits for locks and syncs each commit.
///
/// A new file is its owner's alone, and so is its log: buyers and the secrets of links are in it.
pub fn connect(path: &Path) -> Result<Connection> {
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|source| crate::cannot_open(path.display(), source))?;
    // Without a mutex of SQLite's own: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(during("open"))?;
    connection.busy_handler(Some(wait_for_lock)).map_err(during("open"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan that may depend on a bound value is made anew at each bind, and our partial index makes it depend.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(during("open"))?;
    to_wal(&connection).map_err(during("switch to WAL"))?;
    connection.execute_batch("pragma synchronous = full; pragma cache_size = -65536").map_err(during("open"))?;
    Ok(connection)
}

pub fn reader(path: &Path) -> Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true).map_err(during("open"))?;
    Ok(connection)
}

/// The busy handler is not asked when two processes switch the same new file, so this asks again itself.
fn to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.execute_batch("pragma page_size = 4096; pragma journal_mode = wal") {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && wait_for_lock(tries) =>
            {
                tries += 1;
            }
            result => return result,
        }
    }
}

fn wait_for_lock(tries: i32) -> bool {
    std::thread::sleep(BUSY_PAUSE);
    tries < BUSY_TRIES_MAX
}

/// The folder of a store; a new one is its owner's alone.
pub fn make_folder(dir: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| crate::cannot_open(dir.display(), source))
}

/// A file that nobody else reads: the address has a password in it.
pub fn write_privately(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
