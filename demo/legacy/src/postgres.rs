//! kios on PostgreSQL: a connection whose answers are waited for on the request's own thread.

use crate::database::Error;
use crate::value::{Row, Value};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use tokio::runtime::Handle;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement};

/// A lock, a statement and a forgotten transaction all end long before a client gives up.
const OPTIONS: &str = "-c lock_timeout=5000 -c statement_timeout=60000 -c idle_in_transaction_session_timeout=10000";

pub struct Connection {
    client: Client,
    runtime: Handle,
    statements: HashMap<&'static str, Statement>,
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let again = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::UNIQUE_VIOLATION];
        let again = error.code().is_some_and(|code| again.contains(code));
        let said = error.as_db_error();
        // `PL/pgSQL function … line 5 at RAISE`
        let is_guard = said.and_then(DbError::where_).is_some_and(|place| place.contains("RAISE"));
        let what = said.map_or_else(|| error.to_string(), ToString::to_string);
        Self { what, again, is_guard }
    }
}

/// # Errors
/// Where the URL is no server's or it does not let us in.
pub async fn connect(url: &str) -> Result<Connection, Error> {
    let mut config: Config = url.parse()?;
    config.application_name("kios").options(OPTIONS);
    let (client, connection) = config.connect(NoTls).await?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(Connection { client, runtime: Handle::current(), statements: HashMap::new() })
}

impl Connection {
    pub fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    pub fn script(&self, sql: &str) -> Result<(), Error> {
        Ok(self.runtime.block_on(self.client.batch_execute(sql))?)
    }

    pub fn rows(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql)?;
        let args: Vec<&(dyn ToSql + Sync)> = args.iter().map(|value| -> &(dyn ToSql + Sync) { value }).collect();
        let rows = self.runtime.block_on(self.client.query(&statement, &args))?;
        rows.iter().map(row).collect()
    }

    fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let ours = sql.replace('?', "$").replace("/*lock*/", "for update");
        let statement = self.runtime.block_on(self.client.prepare(&ours))?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Sends `parts` to a `copy … from stdin`; the number of rows.
    pub fn copy_in(&self, sql: &str, parts: impl Iterator<Item = Result<Bytes, Error>>) -> Result<u64, Error> {
        use futures_util::SinkExt;
        self.runtime.block_on(async {
            let sink = self.client.copy_in(sql).await?;
            let mut sink = std::pin::pin!(sink);
            for part in parts {
                sink.send(part?).await?;
            }
            Ok(sink.finish().await?)
        })
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let cells = row.columns().iter().enumerate().map(|(index, column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
            Type::VOID => Value::Null,
            _ => row.try_get::<_, Option<String>>(index)?.into(),
        })
    });
    cells.collect::<Result<_, Error>>().map(Row)
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql_checked(ty, out),
            Self::Text(text) => text.to_sql_checked(ty, out),
        }
    }

    /// What does not fit is found for each value.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
