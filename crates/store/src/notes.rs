//! Notes: small state of the mover, by key.

use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
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

    /// Writes it where there is none under this key; answers what stands there now.
    pub async fn note_first(&self, key: &str, record: Record) -> Result<Record> {
        let cells = [key.to_owned(), json::encode(&record)?];
        self.write(Door::Control, move |connection| {
            let sql = "insert into note (key, body) values (?1, ?2) on conflict (key) do nothing";
            let [key, _] = &cells;
            sql::execute(connection, "write of a note", sql, cells.clone())?;
            let sql = "select body from note where key = ?1";
            let found = sql::first(connection, "read of a note", sql, [key.as_str()], |row| sql::record(row, 0))?;
            found.ok_or(Error::Corrupt { what: "note", why: "it is gone as soon as it is written".to_owned() })
        })
        .await
    }

    pub async fn noted(&self, key: &str) -> Result<Option<Record>> {
        let key = key.to_owned();
        self.read_briefly(move |connection| {
            let sql = "select body from note where key = ?1";
            sql::first(connection, "read of a note", sql, [key], |row| sql::record(row, 0))
        })
        .await
    }
}
