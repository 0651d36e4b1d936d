//! Notes: small state of the mover, by key.

use crate::writer::Door;
use crate::{Result, Store, json, sql};
use vocab::document::Record;

impl Store {
    /// Writes or replaces a note.
    pub async fn note(&self, key: &str, record: Record) -> Result<()> {
        let cells = [key.to_owned(), json::encode(&record)?];
        self.write(Door::Control, move |connection| {
            let sql = "insert into note (key, body) values (?1, ?2)
                       on conflict (key) do update set body = excluded.body";
            sql::execute(connection, "write of a note", sql, cells).map(drop)
        })
        .await
    }

    pub async fn noted(&self, key: &str) -> Result<Option<Record>> {
        let key = key.to_owned();
        self.read(move |connection| {
            let sql = "select body from note where key = ?1";
            sql::first(connection, "read of a note", sql, [key], |row| sql::record(row, 0))
        })
        .await
    }
}
