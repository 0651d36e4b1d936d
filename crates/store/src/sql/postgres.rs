//! A connection to PostgreSQL for a thread that may wait: statements are prepared once, and a server that went away is
//! looked for again when the next transaction begins.

use super::dialect;
use super::value::Value;
use bytes::BytesMut;
use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::pin::pin;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, Error, NoTls, Row, Statement};

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A server that says nothing for so long is taken for one that went away.
const ANSWER_MAX: Duration = Duration::from_secs(30);

pub struct Postgres {
    config: Config,
    /// Of this connection alone; taken when it is dropped.
    runtime: Option<Runtime>,
    open: RefCell<Open>,
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
        let mut config: Config = url.parse()?;
        config.connect_timeout(CONNECT_MAX);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let open = RefCell::new(Open::new(&config, &runtime)?);
        Ok(Self { config, runtime: Some(runtime), open })
    }

    fn wait<T>(&self, open: &Open, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(runtime) = &self.runtime else { unreachable!("the runtime is taken by the drop only") };
        runtime.block_on(async {
            let mut work = pin!(work);
            if let Ok(done) = tokio::time::timeout(ANSWER_MAX, &mut work).await {
                return done;
            }
            // Whoever waits for a connection that has ended is told so.
            open.connection.abort();
            work.await
        })
    }

    pub fn is_gone(&self) -> bool {
        self.open.borrow().client.is_closed()
    }

    /// Begins a transaction. A server that went away since the last one is found out here, and looked for again.
    pub fn begin(&self, sql: &str) -> Result<(), Error> {
        self.renew()?;
        let begun = self.batch(sql);
        if begun.is_ok() || !self.is_gone() {
            return begun;
        }
        self.renew()?;
        self.batch(sql)
    }

    /// Connects again where the server went away.
    fn renew(&self) -> Result<(), Error> {
        if !self.is_gone() {
            return Ok(());
        }
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let open = Open::new(&self.config, runtime)?;
        *self.open.borrow_mut() = open;
        Ok(())
    }

    pub fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let open = self.open.borrow();
        let statement = self.prepared(&open, sql)?;
        self.wait(&open, open.client.query(&statement, &cells(values)))
    }

    pub fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, Error> {
        let open = self.open.borrow();
        let statement = self.prepared(&open, sql)?;
        let changed = self.wait(&open, open.client.execute(&statement, &cells(values)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub fn batch(&self, sql: &str) -> Result<(), Error> {
        let open = self.open.borrow();
        self.wait(&open, open.client.batch_execute(sql))
    }

    fn prepared(&self, open: &Ref<'_, Open>, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = open.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(open, open.client.prepare(&dialect::of_postgres(sql)))?;
        open.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// A cell of a row.
    pub fn value(row: &Row, at: usize) -> Result<Value<'_>, Error> {
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
    fn new(config: &Config, runtime: &Runtime) -> Result<Self, Error> {
        let (client, connection) = runtime.block_on(config.connect(NoTls))?;
        let connection = runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "a connection to the store's server ended");
            }
        });
        Ok(Self { client, connection: connection.abort_handle(), statements: RefCell::default() })
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
