//! Whether a stream can go on where it stood, and how it begins anew where it cannot.

use super::Postgres;
use super::install::{ATTEMPTS_MAX, PAUSE, Range, quoted, slot_range};
use crate::cut::Position;
use crate::error::{Error, Result};
use tokio_postgres::error::{DbError, SqlState};

impl Postgres {
    /// Whether what lies behind `from` is still there to be read.
    pub async fn follows(&self, from: Option<Position>) -> Result<bool> {
        let Some(range) = self.range().await? else { return Ok(false) };
        Ok(!range.thrown && from.is_none_or(|Position(wanted)| (range.begins..=range.ends).contains(&wanted)))
    }

    /// Where the stream begins; an error where none is installed.
    pub async fn begins(&self) -> Result<Position> {
        let range = self.range().await?;
        range.map(|range| Position(range.begins)).ok_or_else(|| Error::NotInstalled("no slot".to_owned()))
    }

    /// Drops this capture's slot, whoever reads it, and the record of where it began.
    pub async fn forget_stream(&self) -> Result<()> {
        let slot = self.name();
        let end = format!(
            "select pg_terminate_backend(active_pid) from pg_replication_slots \
             where slot_name = {slot} and active_pid is not null"
        );
        let gone =
            format!("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = {slot}");
        for _ in 0..ATTEMPTS_MAX {
            self.sessions.run("end the stream of", &end).await?;
            match self.sessions.run("drop the slot of", &gone).await {
                Ok(_) => {
                    let origin = format!(
                        "do $balik$ begin if to_regclass('balik_origin') is not null then \
                         delete from balik_origin where slot = {slot}; end if; end $balik$"
                    );
                    return self.sessions.run("forget the slot of", &origin).await.map(drop);
                }
                Err(error) if error.refusal().map(DbError::code) == Some(&SqlState::OBJECT_IN_USE) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Interrupted("a slot stays in use"))
    }

    fn name(&self) -> String {
        quoted(&self.slot)
    }

    /// None where slot or record is missing.
    async fn range(&self) -> Result<Option<Range>> {
        let there = self
            .sessions
            .rows("look for the slot of", "select 1 where to_regclass('balik_origin') is not null")
            .await?;
        if there.is_empty() {
            return Ok(None);
        }
        let rows = self.sessions.rows("look for the slot of", &slot_range(&self.slot)).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(Range::read(&rows)?))
    }
}
