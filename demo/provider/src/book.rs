//! The book: one file, one connection, every change one transaction that is on the disk before anybody is answered.

use crate::clock::Clock;
use crate::schema::TABLES;
use anyhow::Context;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A clone is the same book.
#[derive(Clone)]
pub struct Book {
    connection: Arc<Mutex<Connection>>,
    clock: Arc<Clock>,
    /// Where buyers pay.
    pub page: Arc<str>,
}

impl Book {
    /// # Errors
    /// A file that is no book, or cannot be made.
    pub fn open(file: &Path, page: String) -> anyhow::Result<Self> {
        let connection = Connection::open(file).with_context(|| format!("the book {}", file.display()))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.execute_batch(TABLES)?;
        let ahead = setting(&connection, "clock_ahead_us")?.and_then(|text| text.parse().ok()).unwrap_or(0);
        let clock = Arc::new(Clock::new(ahead));
        Ok(Self { connection: Arc::new(Mutex::new(connection)), clock, page: page.into() })
    }

    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Puts the clock forward, or back; a restart keeps it.
    pub fn advance(&self, us: i64) -> anyhow::Result<()> {
        let ahead = self.clock.advance(us);
        self.write(|book| set(book, "clock_ahead_us", &ahead.to_string()))
    }

    /// All of it is done, or nothing.
    pub fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub fn setting(book: &Connection, name: &str) -> anyhow::Result<Option<String>> {
    let sql = "select value from setting where name = ?1";
    Ok(book.query_row(sql, [name], |row| row.get(0)).optional()?)
}

pub fn set(book: &Connection, name: &str, value: &str) -> anyhow::Result<()> {
    let sql = "insert into setting (name, value) values (?1, ?2) on conflict do update set value = excluded.value";
    book.execute(sql, [name, value])?;
    Ok(())
}

/// The next number of a series, from 1.
pub fn next(book: &Connection, series: &str) -> anyhow::Result<i64> {
    let number = setting(book, series)?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0) + 1;
    set(book, series, &number.to_string())?;
    Ok(number)
}
