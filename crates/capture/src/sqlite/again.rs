//! Whether a stream can go on where it stood, and how it begins anew where it cannot.

use super::Sqlite;
use super::catalogue::exists;
use super::session::failed;
use super::stream::range;
use crate::cut::Position;
use crate::error::{Error, Result};

impl Sqlite {
    /// Whether what lies behind `from` is still there to be read.
    pub async fn follows(&self, from: Option<Position>) -> Result<bool> {
        match self.with(|file, connection| range(file, connection)).await {
            Ok(range) => Ok(from.is_none_or(|Position(wanted)| (range.first..=range.last).contains(&wanted))),
            Err(Error::NotInstalled(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where the stream begins; an error where none is installed.
    pub async fn begins(&self) -> Result<Position> {
        self.with(|file, connection| range(file, connection)).await.map(|range| Position(range.first))
    }

    /// Forgets where this capture began.
    pub async fn forget_stream(&self) -> Result<()> {
        self.with(|file, connection| {
            if !exists(connection, "table", "balik_origin")? {
                return Ok(());
            }
            let sql = "delete from balik_origin where name = ?1";
            connection.execute(sql, [&file.name]).map(drop).map_err(failed("forget the stream of"))
        })
        .await
    }
}
