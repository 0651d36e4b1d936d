//! Connections to the source: few, kept warm, each given back only with no transaction open.
//!
//! All statements go over the simple protocol: several in one round trip, and every value as text.

use crate::error::{Error, Result};
use futures_util::StreamExt;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::{Client, Config, CopyOutStream, NoTls, SimpleQueryMessage, SimpleQueryRow};

/// How our sessions are known in `pg_stat_activity`: drain does not wait for them.
pub(super) const APPLICATION: &str = "baliklayar";

/// How values are printed, whatever the server's defaults: equal in reads and in the stream. And no time-outs but ours.
pub(super) const OPTIONS: &str = "-c bytea_output=hex -c TimeZone=UTC -c DateStyle=ISO,YMD \
     -c IntervalStyle=iso_8601 -c extra_float_digits=1 -c client_min_messages=warning \
     -c statement_timeout=0 -c idle_in_transaction_session_timeout=0";

/// A proof inside a hold reads rule by rule side by side, each in a session of its own.
const IDLE_MAX: usize = 8;

pub(super) struct Sessions {
    config: Config,
    idle: Mutex<Vec<Session>>,
}

/// One connection. Dropped, not given back, where a transaction may be open in it.
pub(super) struct Session {
    client: Client,
}

/// What one statement answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows changed or read.
    pub count: u64,
}

impl Sessions {
    pub fn new(mut config: Config) -> Self {
        config.application_name(APPLICATION);
        let options = config.get_options().map_or_else(|| OPTIONS.to_owned(), |given| format!("{given} {OPTIONS}"));
        config.options(options);
        Self { config, idle: Mutex::new(Vec::new()) }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub async fn take(&self) -> Result<Session> {
        while let Some(session) = self.pop() {
            if !session.client.is_closed() {
                return Ok(session);
            }
        }
        self.connect().await
    }

    pub fn give(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(session);
        }
    }

    fn pop(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub async fn connect(&self) -> Result<Session> {
        let failed = |source| Error::Postgres { act: "connect to", source };
        let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
        // Ends with the connection, which ends with the client; its error reaches the client's next call.
        tokio::spawn(connection);
        Ok(Session { client })
    }

    /// Runs statements that leave no transaction open.
    pub async fn run(&self, act: &'static str, sql: &str) -> Result<Vec<Answer>> {
        let session = self.take().await?;
        let answers = session.run(act, sql).await?;
        self.give(session);
        Ok(answers)
    }

    /// The rows of the last statement.
    pub async fn rows(&self, act: &'static str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        Ok(self.run(act, sql).await?.pop().unwrap_or_default().rows)
    }
}

impl Session {
    /// One answer per statement. After an error the connection must not be used again.
    pub async fn run(&self, act: &'static str, sql: &str) -> Result<Vec<Answer>> {
        self.attempt(sql).await.map_err(|source| Error::Postgres { act, source })
    }

    /// Ends what the server still does for this connection, which is not used again.
    pub async fn cancel(self) {
        // A server that cannot be told finds out when it writes.
        let _ = self.client.cancel_token().cancel_query(NoTls).await;
    }

    /// What a `COPY … TO STDOUT` gives, message by message.
    pub async fn copy_out(&self, sql: &str) -> Result<CopyOutStream> {
        self.client.copy_out(sql).await.map_err(|source| Error::Postgres { act: "copy rows of", source })
    }

    /// The rows of a query, each as `read` makes it of its texts.
    pub async fn each<T>(
        &self,
        act: &'static str,
        sql: &str,
        mut read: impl FnMut(&SimpleQueryRow) -> T,
    ) -> Result<Vec<T>> {
        let failed = |source| Error::Postgres { act, source };
        let messages = self.client.simple_query_raw(sql).await.map_err(failed)?;
        futures_util::pin_mut!(messages);
        let mut rows = Vec::new();
        while let Some(message) = messages.next().await {
            if let SimpleQueryMessage::Row(row) = message.map_err(failed)? {
                rows.push(read(&row));
            }
        }
        Ok(rows)
    }

    /// As [`run`](Self::run), for those who look into the error.
    pub async fn attempt(&self, sql: &str) -> std::result::Result<Vec<Answer>, tokio_postgres::Error> {
        let mut answers = Vec::new();
        let mut current = Answer::default();
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|cell| row.get(cell).map(str::to_owned));
                    current.rows.push(cells.collect());
                }
                SimpleQueryMessage::CommandComplete(count) => {
                    current.count = count;
                    answers.push(std::mem::take(&mut current));
                }
                SimpleQueryMessage::RowDescription(_) | _ => {}
            }
        }
        Ok(answers)
    }
}

/// The text in a place of an answer; an error where the source answers otherwise than SQL promises.
pub(super) fn cell_of(rows: &[Vec<Option<String>>], row: usize, column: usize) -> Result<&str> {
    rows.get(row)
        .and_then(|cells| cells.get(column))
        .and_then(Option::as_deref)
        .ok_or_else(|| Error::Decode(format!("no value in row {row}, column {column} of an answer")))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Decode(format!("`{text}` is no number")))
}
