//! A legacy on PostgreSQL: logical decoding for the stream, snapshots for the cut, a locked row for the fence.

mod again;
mod assemble;
mod block;
mod cell;
mod copying;
mod fence;
mod guards;
mod inspect;
mod install;
#[cfg(test)]
mod outside;
mod pgoutput;
mod preflight;
mod read;
mod session;
mod shape;
mod stream;
mod write_back;

pub(crate) use copying::Copying;
pub(crate) use inspect::inspect;
pub(crate) use read::Reader;
pub(crate) use stream::Stream;

use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::sql::{Dialect, ident, table_name};
use install::quoted;
use session::{APPLICATION, Sessions, cell_of, number};
use std::sync::Arc;
use tokio_postgres::Config;
use vocab::id::{ShopId, Timestamp};
use vocab::row::{ColumnNo, TableNo};

pub(crate) struct Postgres {
    declared: Declared,
    /// Which capture a marker is for.
    name: String,
    /// Slots are the server's, not the database's: the database's number keeps two of them apart.
    slot: String,
    sessions: Arc<Sessions>,
}

/// Why an address cannot be read, without the address.
fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

impl Postgres {
    pub async fn connect(url: &str, declared: Declared, name: &str) -> Result<Self> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| Error::Url(reason(&error)))?;
        let sessions = Arc::new(Sessions::new(config));
        let number = "select oid from pg_database where datname = current_database()";
        let rows = sessions.rows("connect to", number).await?;
        let slot = format!("balik_{name}_{}", cell_of(&rows, 0, 0)?);
        Ok(Self { declared, name: name.to_owned(), slot, sessions })
    }

    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    pub async fn shops(&self, table: TableNo, column: ColumnNo) -> Result<Vec<ShopId>> {
        let of = self.declared.table(table);
        let column = ident(&of.columns[column].name);
        let name = table_name(Dialect::Postgres, &of.name);
        let sql = format!("select distinct cast({column} as text) from {name} where {column} is not null order by 1");
        let rows = self.sessions.rows("list the shops of", &sql).await?;
        let shop = |row| ShopId::parse(cell_of(&rows, row, 0)?).map_err(|error| Error::Decode(error.to_string()));
        (0..rows.len()).map(shop).collect()
    }

    pub async fn clock(&self) -> Result<Timestamp> {
        let sql = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";
        let rows = self.sessions.rows("read the clock of", sql).await?;
        number(cell_of(&rows, 0, 0)?).map(Timestamp)
    }

    /// Every open transaction counts, also one that only read: at REPEATABLE READ it may still write.
    pub async fn open_transactions(&self, role: Option<&str>, before: Option<Timestamp>) -> Result<u64> {
        let of_role = role.map_or_else(String::new, |role| format!(" and role = {}", quoted(role)));
        let begun = before.map_or_else(String::new, |Timestamp(micros)| {
            format!(" and (extract(epoch from begun) * 1000000)::bigint <= {micros}")
        });
        let sql = format!(
            "select count(*) from (select usename as role, xact_start as begun from pg_stat_activity \
             where datname = current_database() and backend_type = 'client backend' \
             and application_name <> '{APPLICATION}' \
             union all select owner, prepared from pg_prepared_xacts where database = current_database()) open \
             where begun is not null{of_role}{begun}"
        );
        let rows = self.sessions.rows("count the transactions of", &sql).await?;
        number(cell_of(&rows, 0, 0)?)
    }

    /// Whoever makes a slot waits for all that has written on the server, in whatever database.
    pub async fn keeps_from_installing(&self) -> Result<u64> {
        let sql = "select (select count(*) from pg_stat_activity where backend_xid is not null \
                   and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '1 second') \
                   + (select count(*) from pg_prepared_xacts)";
        let rows = self.sessions.rows("count the transactions of", sql).await?;
        number(cell_of(&rows, 0, 0)?)
    }
}
