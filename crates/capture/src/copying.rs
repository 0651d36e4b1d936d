//! One long read of a source, whichever engine it runs on: many rows at one cut, handed out piece by piece.

use crate::cut::Cut;
use crate::error::Result;
use crate::postgres;
use crate::source::{Engine, Source};
use crate::sql::OfShop;
use crate::transaction::Marker;
use crate::write_back::{Chunk, Piece, SharedBy};
use vocab::id::ShopId;
use vocab::row::{RowKey, TableNo};

/// Rows of SQLite that are read at once.
const SQLITE_ROWS_MAX: u32 = 2_000;

/// A long read of one shop's rows of one table, at one cut.
pub struct Copying {
    engine: CopyingEngine,
}

enum CopyingEngine {
    Postgres(Box<postgres::Copying>),
    Sqlite(Chunk),
}

impl Copying {
    pub fn cut(&self) -> &Cut {
        match &self.engine {
            CopyingEngine::Postgres(copying) => copying.cut(),
            CopyingEngine::Sqlite(chunk) => &chunk.cut,
        }
    }

    /// Comes in the stream behind every transaction that the cut covers.
    pub fn marker(&self) -> &Marker {
        match &self.engine {
            CopyingEngine::Postgres(copying) => copying.marker(),
            CopyingEngine::Sqlite(chunk) => &chunk.marker,
        }
    }

    /// Ends the read before its end; the source does no more for it.
    pub async fn give_up(self) {
        match self.engine {
            CopyingEngine::Postgres(copying) => copying.give_up().await,
            CopyingEngine::Sqlite(_) => {}
        }
    }

    /// The next rows, at most `max`, in key order. After a piece that says `ended` there is no other.
    pub async fn next(&mut self, max: u32) -> Result<Piece> {
        match &mut self.engine {
            CopyingEngine::Postgres(copying) => copying.next(max).await,
            CopyingEngine::Sqlite(chunk) => {
                let count = usize::try_from(max).unwrap_or(usize::MAX).min(chunk.rows.len());
                let rows = chunk.rows.drain(..count).collect();
                let ended = chunk.rows.is_empty();
                Ok(Piece { rows, ended, last: ended && chunk.last })
            }
        }
    }
}

impl Source {
    /// Up to `limit` rows of one shop behind `after`, in key order, all at one cut, handed out piece by piece. The cut stays
    /// open in the source until the last piece is taken or the value is dropped. The marker is in the stream already.
    /// `shared` is read for tables declared [`Shared`](vocab::row::ShopPath::Shared) only.
    pub async fn begin_copy(
        &self,
        shop: &ShopId,
        table: TableNo,
        after: Option<&RowKey>,
        limit: u32,
        shared: &[SharedBy],
    ) -> Result<Copying> {
        let marker = self.fresh_marker();
        let engine = match &*self.engine {
            Engine::Postgres(postgres) => {
                let ask = OfShop { shop, table, after, limit, shared };
                CopyingEngine::Postgres(Box::new(postgres.begin_copy(&ask, marker).await?))
            }
            // One writer at a time: a long read would keep its log from being taken over into the file.
            Engine::Sqlite(sqlite) => {
                let ask = OfShop { shop, table, after, limit: limit.min(SQLITE_ROWS_MAX), shared };
                CopyingEngine::Sqlite(sqlite.read_chunk(&ask, marker).await?)
            }
        };
        Ok(Copying { engine })
    }
}
