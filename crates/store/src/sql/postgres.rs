//! A connection to PostgreSQL for a thread that may wait: statements are prepared once, and a server that went away is
//! looked for again when the next transaction begins.

use super::dialect;
use super::value::Value;
use bytes::BytesMut;
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

const CONNECT_MAX: Duration = Duration::from_secs(3);
/// A server that says nothing for so long is taken for one that went away.
///
/// With the two others it is less than the fifteen seconds that clients wait: they are told to come back.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// For what looks at a whole shop, and for new tables.
const LONG_MAX: Duration = Duration::from_secs(3_600);
/// To the first word of a transaction an answer is simple.
const BEGIN_MAX: Duration = Duration::from_secs(3);
const FAILS_FOR: Duration = Duration::from_secs(1);

/// A machine that vanishes in a transaction keeps its locks no longer than so; and a commit that was answered is on disk,
/// whatever the role or the database is set to.
const SESSION: &str = "set idle_in_transaction_session_timeout = '10s'; set tcp_keepalives_idle = 5;
    set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3; set client_connection_check_interval = '2s'; set lock_timeout = '8s';
    set synchronous_commit = on";

/// How a server failed us. Of what it says only code and message are kept: a detail quotes rows.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the server says {code}: {message}")]
    Said { code: String, message: String },
    #[error("{0}")]
    Connection(String),
    #[error("the server does not answer")]
    Silent,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // What is wrong with a value is said by quoting it.
            Some(said) if said.code().code().starts_with("22") => {
                Self::Said { code: said.code().code().to_owned(), message: "a value is not taken".to_owned() }
            }
            Some(said) => Self::Said { code: said.code().code().to_owned(), message: said.message().to_owned() },
            None => match error.source() {
                Some(cause) => Self::Connection(format!("{error}: {cause}")),
                None => Self::Connection(error.to_string()),
            },
        }
    }
}

pub struct Postgres {
    config: Config,
    /// Of this connection alone; taken when it is dropped.
    runtime: Option<Runtime>,
    open: RefCell<Open>,
    /// Nobody answered then: whoever comes in the second after it is told so, and does not wait for as long again.
    failed_at: Cell<Option<Instant>>,
    /// In this transaction.
    answer_max: Cell<Duration>,
}

struct Open {
    client: Client,
    connection: AbortHandle,
    statements: RefCell<HashMap<String, Statement>>,
}

impl Postgres {
    /// # Errors
    /// The address is none, or nobody answers there.
    pub fn connect(url: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        // What a parser says of an address may have its password in it.
        let config = is_url.then(|| url.parse::<Config>().ok()).flatten();
        let config = config.ok_or("it is no address of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let open = RefCell::new(Open::new(&config, &runtime)?);
        Ok(Self { config, runtime: Some(runtime), open, failed_at: Cell::default(), answer_max: Cell::new(ANSWER_MAX) })
    }

    fn wait<T>(
        &self,
        open: &Open,
        max: Duration,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let Some(runtime) = &self.runtime else { unreachable!("the runtime is taken by the drop only") };
        runtime.block_on(async {
            let mut work = pin!(work);
            if let Ok(done) = tokio::time::timeout(max, &mut work).await {
                return Ok(done?);
            }
            // Whoever waits for a connection that has ended is told so.
            open.connection.abort();
            Ok(work.await?)
        })
    }

    pub fn is_gone(&self) -> bool {
        self.open.borrow().client.is_closed()
    }

    /// Begins a transaction. A server that went away since the last one is found out here, and looked for again.
    pub fn begin(&self, sql: &str) -> Result<(), Failure> {
        self.answer_max.set(ANSWER_MAX);
        self.renew()?;
        let begun = self.run(sql, BEGIN_MAX);
        if begun.is_ok() || !self.is_gone() {
            return begun;
        }
        self.renew()?;
        self.run(sql, BEGIN_MAX)
    }

    /// Connects again where the server went away.
    fn renew(&self) -> Result<(), Failure> {
        if !self.is_gone() {
            return Ok(());
        }
        let Some(runtime) = &self.runtime else { return Ok(()) };
        if self.failed_at.get().is_some_and(|at| at.elapsed() < FAILS_FOR) {
            return Err(Failure::Silent);
        }
        match Open::new(&self.config, runtime) {
            Ok(open) => {
                *self.open.borrow_mut() = open;
                Ok(())
            }
            Err(failure) => {
                self.failed_at.set(Some(Instant::now()));
                Err(failure)
            }
        }
    }

    pub fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let open = self.open.borrow();
        let statement = self.prepared(&open, sql)?;
        self.wait(&open, self.answer_max.get(), open.client.query(&statement, &cells(values)))
    }

    pub fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, Failure> {
        let open = self.open.borrow();
        let statement = self.prepared(&open, sql)?;
        let changed = self.wait(&open, self.answer_max.get(), open.client.execute(&statement, &cells(values)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub fn batch(&self, sql: &str) -> Result<(), Failure> {
        self.run(sql, LONG_MAX)
    }

    /// A statement without cells and rows.
    pub fn command(&self, sql: &str) -> Result<(), Failure> {
        self.run(sql, self.answer_max.get())
    }

    /// What follows in this transaction looks at much.
    pub fn takes_long(&self) {
        self.answer_max.set(LONG_MAX);
    }

    fn run(&self, sql: &str, max: Duration) -> Result<(), Failure> {
        let open = self.open.borrow();
        self.wait(&open, max, open.client.batch_execute(sql))
    }

    fn prepared(&self, open: &Ref<'_, Open>, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = open.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(open, ANSWER_MAX, open.client.prepare(&dialect::of_postgres(sql)))?;
        open.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// A cell of a row.
    pub fn value(row: &Row, at: usize) -> Result<Value<'_>, Failure> {
        Ok(match *row.columns()[at].type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at)?.map_or(Value::Null, Value::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map_or(Value::Null, |it| Value::Int(it.into())),
            Type::BOOL => row.try_get::<_, Option<bool>>(at)?.map_or(Value::Null, |it| Value::Int(it.into())),
            Type::BYTEA => row.try_get::<_, Option<&[u8]>>(at)?.map_or(Value::Null, Value::Bytes),
            _ => row.try_get::<_, Option<&str>>(at)?.map_or(Value::Null, Value::Text),
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Whoever drops it may be a task of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Open {
    /// # Errors
    /// Nobody answers, or not in time: then it is an error of the machine's, which is not the driver's.
    fn new(config: &Config, runtime: &Runtime) -> Result<Self, Failure> {
        let connecting = async { tokio::time::timeout(CONNECT_MAX, config.connect(NoTls)).await };
        let (client, connection) = runtime.block_on(connecting).map_err(|_| Failure::Silent)??;
        let connection = runtime.spawn(async move {
            if let Err(error) = connection.await.map_err(Failure::from) {
                tracing::warn!(%error, "a connection to the store's server ended");
            }
        });
        let open = Self { client, connection: connection.abort_handle(), statements: RefCell::default() };
        let prepared = async { tokio::time::timeout(CONNECT_MAX, open.client.batch_execute(SESSION)).await };
        let prepared = runtime.block_on(prepared).map_err(|_| Failure::Silent).and_then(|done| Ok(done?));
        if prepared.is_err() {
            open.connection.abort();
        }
        prepared.map(|()| open)
    }
}

fn cells<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    let cell = |value: &'a Value<'_>| -> &'a (dyn ToSql + Sync) { value };
    values.iter().map(cell).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(ty, out),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Value::Int(number), _) => number.to_sql(ty, out),
            (Value::Text(text), _) => text.to_sql(ty, out),
            (Value::Bytes(bytes), _) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT4 | Type::INT8 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }

    to_sql_checked!();
}
