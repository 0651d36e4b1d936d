//! A connection to PostgreSQL that is open, and the statements that it knows.

use super::dialect;
use super::exchange::Form;
use super::failure::Failure;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Config, NoTls, Statement};

const CONNECT_MAX: Duration = Duration::from_secs(3);

/// A machine that vanishes in a transaction keeps its locks no longer than so; and a commit that was answered is on disk,
/// whatever the role or the database is set to.
const SESSION: &str = "set idle_in_transaction_session_timeout = '10s'; set tcp_keepalives_idle = 5;
    set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3; set client_connection_check_interval = '2s'; set lock_timeout = '8s';
    set synchronous_commit = on";
/// Long texts are compressed the quick way, where the server was built with it.
const QUICKLY_COMPRESSED: &str = "select set_config(name, 'lz4', false) from pg_settings
                                  where name = 'default_toast_compression' and 'lz4' = any(enumvals)";

/// How a server plans what a connection says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// As it thinks best, each time for the cells that are given.
    AsGiven,
    /// Once: all is found by its key, for which there is one way. Told of many at once the server would plan anew each time, because
    /// it takes those at hand for fewer than they may be.
    Once,
}

impl Plans {
    const fn said(self) -> &'static str {
        match self {
            Self::AsGiven => "set plan_cache_mode = auto",
            Self::Once => "set plan_cache_mode = force_generic_plan",
        }
    }
}

pub struct Open {
    pub client: Client,
    connection: AbortHandle,
    /// Given up, although the driver may not know yet.
    pub given_up: Cell<bool>,
    statements: RefCell<HashMap<String, Statement>>,
    /// The same for many rows or keys at once.
    of_each: RefCell<HashMap<String, Statement>>,
}

impl Open {
    /// # Errors
    /// Nobody answers, or not in time: then it is an error of the machine's, which is not the driver's.
    pub fn new(config: &Config, plans: Plans, runtime: &Runtime) -> Result<Self, Failure> {
        let connecting = async { tokio::time::timeout(CONNECT_MAX, config.connect(NoTls)).await };
        let (client, connection) = runtime.block_on(connecting).map_err(|_| Failure::Silent)??;
        let connection = runtime.spawn(async move {
            if let Err(error) = connection.await.map_err(Failure::from) {
                tracing::warn!(%error, "a connection to the store's server ended");
            }
        });
        let open = Self {
            client,
            connection: connection.abort_handle(),
            given_up: Cell::default(),
            statements: RefCell::default(),
            of_each: RefCell::default(),
        };
        let said = format!("{SESSION}; {QUICKLY_COMPRESSED}; {}", plans.said());
        let prepared = async { tokio::time::timeout(CONNECT_MAX, open.client.batch_execute(&said)).await };
        let prepared = runtime.block_on(prepared).map_err(|_| Failure::Silent).and_then(|done| Ok(done?));
        if prepared.is_err() {
            open.connection.abort();
        }
        prepared.map(|()| open)
    }

    /// A statement as it is prepared here, once.
    pub fn prepared(&self, runtime: &Runtime, form: Form<'_>, max: Duration) -> Result<Statement, Failure> {
        let (known, sql) = self.of_form(form);
        if let Some(statement) = known.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let said = match form {
            Form::One(sql) => dialect::of_postgres(sql),
            // Of which types the lists are, the statement for one of them tells.
            Form::Each(sql) => {
                let one = self.prepared(runtime, Form::One(sql), max)?;
                let types: Vec<&str> = one.params().iter().map(tokio_postgres::types::Type::name).collect();
                dialect::of_each(sql, &types)
            }
        };
        let statement = runtime.block_on(async {
            let mut work = std::pin::pin!(self.client.prepare(&said));
            if let Ok(done) = tokio::time::timeout(max, &mut work).await {
                return done;
            }
            self.give_up();
            work.await
        });
        let statement = statement.map_err(Failure::from);
        if matches!(&statement, Err(failure) if failure.is_a_farewell()) {
            self.give_up();
        }
        let statement = statement?;
        known.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// The statements of a form, and what it is known by there.
    const fn of_form<'a>(&self, form: Form<'a>) -> (&RefCell<HashMap<String, Statement>>, &'a str) {
        match form {
            Form::One(sql) => (&self.statements, sql),
            Form::Each(sql) => (&self.of_each, sql),
        }
    }

    pub fn knows(&self, form: Form<'_>) -> bool {
        let (known, sql) = self.of_form(form);
        known.borrow().contains_key(sql)
    }

    pub fn give_up(&self) {
        self.given_up.set(true);
        self.connection.abort();
    }
}
