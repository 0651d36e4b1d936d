//! A stranger's PostgreSQL: one look at the catalogue, then a short one at each table.
//!
//! A look is a read-only transaction of its own, so that no lock of ours outlives it: even a reader's lock, held long,
//! would queue up everybody behind a waiting `alter table`. For the same reason nothing waits for a lock longer than
//! [`LOCK_WAIT_MS`], and statistics answer where counting would take long.

mod catalogue;
mod server;
mod table;

use super::reason;
use super::session::{Answer, Session, Sessions};
use crate::error::{Error, Result};
use crate::inspect::{Budget, Engine, Inspection, LOOK_MAX, Traps, Unread};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

const LOCK_WAIT_MS: u32 = 100;
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The catalogue of a database with thousands of tables takes longer than one table.
const CATALOGUE_MAX: Duration = Duration::from_secs(20);

type Row = Vec<Option<String>>;

/// A session and what is left of the time.
struct Eye {
    session: Session,
    budget: Budget,
}

pub(crate) async fn inspect(url: &str) -> Result<Inspection> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| Error::Url(reason(&error)))?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    let eye = Eye { session: Sessions::new(config).take().await?, budget: Budget::new() };
    let mut traps = Traps::default();
    let server = server::look(&eye, &mut traps).await?;
    let mut tables = Vec::new();
    let relations = if server.is_too_old() { Vec::new() } else { catalogue::relations(&eye).await? };
    for relation in relations {
        tables.push(table::look(&eye, relation, &server.role, &mut traps).await?);
    }
    let left_out = server.tables.saturating_sub(u64::try_from(tables.len()).unwrap_or(u64::MAX));
    Ok(Inspection { engine: Engine::Postgres, version: server.version, tables, left_out, traps: traps.take() })
}

impl Eye {
    /// The rows of one statement that reads the catalogue.
    async fn catalogue(&self, sql: &str) -> Result<Vec<Row>> {
        let act = "read the catalogue of";
        match self.attempt(sql, CATALOGUE_MAX).await {
            Ok(Some(answer)) => Ok(answer.rows),
            Ok(None) => Err(Error::Interrupted("the inspection's time is over")),
            Err(source) => Err(Error::Postgres { act, source }),
        }
    }

    /// The first row of one statement that reads a table; or why there is none. Only a lost connection is an error.
    async fn table(&self, sql: &str) -> Result<std::result::Result<Row, Unread>> {
        match self.attempt(sql, LOOK_MAX).await {
            Ok(Some(answer)) => Ok(answer.rows.into_iter().next().ok_or(Unread::Failed)),
            Ok(None) => Ok(Err(Unread::Time)),
            Err(source) => match unread(&source) {
                Some(unread) => Ok(Err(unread)),
                None => Err(Error::Postgres { act: "look into a table of", source }),
            },
        }
    }

    /// None where no time is left.
    async fn attempt(&self, sql: &str, most: Duration) -> std::result::Result<Option<Answer>, tokio_postgres::Error> {
        let Some(time) = self.budget.of(most) else { return Ok(None) };
        let begin = format!(
            "begin transaction isolation level repeatable read read only; \
             set local statement_timeout = {}; set local lock_timeout = {LOCK_WAIT_MS}; set local row_security = off; \
             set local max_parallel_workers_per_gather = 0",
            time.as_millis()
        );
        self.session.attempt(&begin).await?;
        let answers = self.session.attempt(sql).await;
        self.session.attempt("rollback").await?;
        Ok(Some(answers?.pop().unwrap_or_default()))
    }
}

/// Why a statement was refused; none where nobody answers any more. With `row_security` off, a policy refuses instead
/// of leaving rows out.
fn unread(error: &tokio_postgres::Error) -> Option<Unread> {
    let refusal = error.as_db_error()?;
    Some(match refusal.code() {
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => Unread::Right,
        code if *code == SqlState::LOCK_NOT_AVAILABLE => Unread::Lock,
        code if *code == SqlState::QUERY_CANCELED => Unread::Time,
        _ => Unread::Failed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::postgres::{Database, fresh_database};

    async fn eye(database: &Database) -> Eye {
        let config: Config = database.url.parse().unwrap();
        Eye { session: Sessions::new(config).take().await.unwrap(), budget: Budget::new() }
    }

    /// As a superuser, whom no right stops.
    #[tokio::test]
    async fn nothing_can_be_written_and_the_next_look_goes_on() {
        let database = fresh_database().await;
        let eye = eye(&database).await;
        database.connect().await.batch_execute("create sequence s; create table t (a int)").await.unwrap();
        for write in ["create table u (a int)", "select nextval('s')", "insert into t values (1)", "delete from t"] {
            let refused = eye.attempt(write, LOOK_MAX).await.err().unwrap();
            assert_eq!(refused.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION), "{write}");
        }
        assert_eq!(eye.table("select 1").await.unwrap(), Ok(vec![Some("1".to_owned())]));
    }

    #[tokio::test]
    async fn a_look_ends_when_its_time_is_over() {
        let database = fresh_database().await;
        let eye = eye(&database).await;
        let slow = eye.attempt("select pg_sleep(60)", Duration::from_millis(50)).await.err().unwrap();
        assert_eq!(unread(&slow), Some(Unread::Time));
    }
}
