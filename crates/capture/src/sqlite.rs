//! A legacy in an SQLite file: triggers write down what changes, and the one writer's lock makes the rest exact.
//!
//! The triggers run in the legacy's own process, so they use nothing that an old SQLite lacks.

mod again;
mod block;
mod catalogue;
mod fence;
mod group;
mod guards;
mod inspect;
mod install;
#[cfg(test)]
mod outside;
mod preflight;
mod read;
mod session;
mod stream;
mod value;
mod write_back;

pub(crate) use inspect::inspect;
pub(crate) use read::Reader;
pub(crate) use stream::Stream;

use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::sql::ident;
use session::{File, failed};
use std::path::Path;
use std::sync::Arc;
use vocab::id::{ShopId, Timestamp};
use vocab::row::{ColumnNo, TableNo};

pub(crate) struct Sqlite {
    file: Arc<File>,
}

impl Sqlite {
    pub async fn connect(path: &str, declared: Declared, name: &str) -> Result<Self> {
        let file = Arc::new(File::new(Path::new(path), declared, name));
        let sqlite = Self { file };
        sqlite.with(|_, connection| catalogue::check_readable(connection)).await?;
        Ok(sqlite)
    }

    pub fn declared(&self) -> &Declared {
        &self.file.declared
    }

    /// Runs work on a connection, on a thread that may block.
    async fn with<T, E>(
        &self,
        work: impl FnOnce(&File, &mut rusqlite::Connection) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.away(move |file| {
            let mut connection = file.take()?;
            let result = work(file, &mut connection);
            file.give(connection);
            result
        })
        .await
    }

    /// Runs work on a thread that may block.
    async fn away<T, E>(
        &self,
        work: impl FnOnce(&File) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let file = Arc::clone(&self.file);
        let working = tokio::task::spawn_blocking(move || work(&file));
        working.await.unwrap_or_else(|_| Err(Error::Interrupted("the SQLite thread").into()))
    }

    pub async fn shops(&self, table: TableNo, column: ColumnNo) -> Result<Vec<ShopId>> {
        self.with(move |file, connection| {
            let of = file.declared.table(table);
            let (column, name) = (ident(&of.columns[column].name), ident(&of.name));
            let sql =
                format!("select distinct cast({column} as text) from {name} where {column} is not null order by 1");
            let listing = failed("list the shops of");
            let mut statement = connection.prepare(&sql).map_err(listing)?;
            let shops = statement.query_map([], |row| row.get::<_, String>(0)).map_err(listing)?;
            shops
                .map(|shop| {
                    let shop = shop.map_err(listing)?;
                    ShopId::parse(&shop).map_err(|error| Error::Decode(error.to_string()))
                })
                .collect()
        })
        .await
    }

    pub async fn clock(&self) -> Result<Timestamp> {
        self.with(|_, connection| {
            let sql = format!("select {}", install::NOW);
            connection.query_row(&sql, [], |row| row.get(0)).map(Timestamp).map_err(failed("read the clock of"))
        })
        .await
    }
}
