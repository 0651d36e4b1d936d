//! Checkpoints beside the writer: what is in SQLite's log goes into the file on a thread of its own, so that no commit
//! waits for the sync of the file as well. Only where that thread does not keep up does the writer help.

use crate::error::{Error, during};
use rusqlite::Connection;
use std::sync::mpsc::{Receiver, sync_channel};

/// Pages in the log from which on they are taken over into the file.
const PAGES: i32 = 4_096;
/// And from which on the writer does it itself: the log grows no further as long as no reader keeps it.
const PAGES_MAX: i32 = 32_768;

/// Leaves the checkpoints of `writer` to a thread that has `beside`, another connection to the same file. The thread ends
/// with the writer. No `wal_autocheckpoint` may be set afterwards: it would take the place of this.
///
/// # Errors
/// There is no thread to be had.
pub fn checkpoint_beside(writer: &mut Connection, beside: Connection) -> Result<(), Error> {
    between(writer, beside, PAGES, PAGES_MAX)
}

fn between(writer: &mut Connection, beside: Connection, pages_due: i32, pages_max: i32) -> Result<(), Error> {
    // One that waits is enough: it takes over everything that is there when it begins.
    let (due, dues) = sync_channel::<()>(1);
    std::thread::Builder::new().name("checkpoints".to_owned()).spawn(move || run(&beside, &dues)).map_err(
        |source| Error::Open { path: "the thread of checkpoints".to_owned(), source: std::sync::Arc::new(source) },
    )?;
    let hook = move |log: &mut rusqlite::hooks::Wal, pages: i32| {
        // Neither may fail: what this returned would be the answer to a commit that stands.
        if pages >= pages_max {
            let _ = log.checkpoint();
        } else if pages >= pages_due {
            let _ = due.try_send(());
        }
        Ok(())
    };
    writer.wal_hook(Some(hook)).map_err(during("open"))
}

fn run(beside: &Connection, dues: &Receiver<()>) {
    while dues.recv().is_ok() {
        // Passive: it waits for nobody, and what it cannot take over it leaves for the next.
        if let Err(error) = beside.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(())) {
            tracing::warn!(%error, "a checkpoint failed; the next one takes its place");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    struct World {
        path: std::path::PathBuf,
        _folder: tempfile::TempDir,
    }

    impl World {
        /// A file with a log and a table.
        fn new() -> (Self, Connection) {
            let folder = tempfile::tempdir().unwrap();
            let world = Self { path: folder.path().join("f.sqlite"), _folder: folder };
            let writer = world.open();
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.execute_batch("create table t (n integer primary key, b blob)").unwrap();
            (world, writer)
        }

        fn open(&self) -> Connection {
            Connection::open(&self.path).unwrap()
        }

        fn count(&self) -> i64 {
            self.open().query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
        }
    }

    #[test]
    fn the_log_goes_into_the_file_while_the_writer_goes_on() {
        let (world, mut writer) = World::new();
        let length = || std::fs::metadata(&world.path).unwrap().len();
        let empty = length();
        checkpoint_beside(&mut writer, world.open()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut written = 0;
        // Only the thread writes into the file before the log is as long as the writer lets it be.
        while length() == empty {
            assert!(Instant::now() < deadline, "nothing was taken over");
            writer.execute("insert into t (b) values (randomblob(100000))", []).unwrap();
            written += 1;
            assert!(written * 100_000 < i64::from(PAGES_MAX) * 4_096, "the writer had to help");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(world.count(), written);
    }

    #[test]
    fn a_commit_stands_and_is_told_so_while_somebody_else_takes_the_log_over() {
        let (world, mut writer) = World::new();
        between(&mut writer, world.open(), 1, 2).unwrap();
        let (reader, other) = (world.open(), world.open());
        reader.execute_batch("begin; select count(*) from t").unwrap();
        reader.query_row("select count(*) from t", [], |_| Ok(())).unwrap();
        writer.execute("insert into t (b) values (randomblob(100000))", []).unwrap();
        // It has the lock of checkpoints for as long as it waits for the reader.
        let waits = std::thread::spawn(move || {
            other.busy_timeout(Duration::from_secs(2)).unwrap();
            other.query_row("pragma wal_checkpoint(restart)", [], |row| row.get::<_, i64>(0)).unwrap()
        });
        let begun = Instant::now();
        let mut commits = 1;
        while begun.elapsed() < Duration::from_millis(500) {
            writer.execute("insert into t (b) values (randomblob(10000))", []).unwrap();
            commits += 1;
        }
        drop(reader);
        waits.join().unwrap();
        assert_eq!(world.count(), commits);
    }
}
