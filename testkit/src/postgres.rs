//! A PostgreSQL database of its own for each test, on the server that `BALIK_TEST_POSTGRES` names.
//!
//! The server must run with `wal_level = logical`. A dropped [`Database`] takes its sessions, replication slots and
//! itself with it, best effort: a test that was killed leaves a `balik_test_…` database behind and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio_postgres::{Client, Config, NoTls};

/// The environment variable that names the server, as a URL of a database in which others can be created.
pub const SERVER: &str = "BALIK_TEST_POSTGRES";

/// How often dropping is tried: a walsender needs a moment to let go of its slot.
const DROP_ATTEMPTS_MAX: u32 = 20;
const DROP_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// A database that exists as long as this value.
#[derive(Debug)]
pub struct Database {
    /// `postgres://…` of this database.
    pub url: String,
    pub name: String,
    server: String,
}

impl Database {
    /// A new connection to this database, its I/O driven by a task of its own.
    ///
    /// # Panics
    /// Where the server does not answer.
    pub async fn connect(&self) -> Client {
        connect(&self.url).await.expect("connect to the test database")
    }
}

impl Drop for Database {
    /// Blocks: it runs on a thread with a runtime of its own, because the test's runtime may be going down.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(remove(&server, &name));
            }
        });
        // A failure here must not hide the test's own.
        drop(dropping.join());
    }
}

/// Creates an empty database on the test server.
///
/// # Panics
/// Where `BALIK_TEST_POSTGRES` is not set (run `./test`, which starts a server) or the server does not answer.
pub async fn fresh_database() -> Database {
    let server = std::env::var(SERVER)
        .unwrap_or_else(|_| panic!("{SERVER} names no PostgreSQL server: run ./test, which starts one"));
    fresh_database_on(&server).await
}

/// The same on a server of the test's own.
///
/// # Panics
/// Where the server does not answer.
pub async fn fresh_database_on(server: &str) -> Database {
    copy_of("template0", server).await
}

/// A copy of a database of that server, to which nobody is connected.
///
/// # Panics
/// Where the server does not answer, or somebody is connected to it.
pub async fn copy_of(template: &str, server: &str) -> Database {
    let name = unique_name();
    let client = connect(server).await.expect("connect to the test server");
    client
        .batch_execute(&format!("create database {name} template {template} encoding 'UTF8'"))
        .await
        .expect("create a test database");
    Database { url: url_of(server, &name), name, server: server.to_owned() }
}

/// The URL of a database of this name, which stays; and whether it was made just now, empty. For measurements that
/// prepare much.
///
/// # Panics
/// As [`fresh_database`].
pub async fn kept_database(name: &str) -> (String, bool) {
    let server = std::env::var(SERVER)
        .unwrap_or_else(|_| panic!("{SERVER} names no PostgreSQL server: run ./test, which starts one"));
    let client = connect(&server).await.expect("connect to the test server");
    let found = client.query("select 1 from pg_database where datname = $1", &[&name]).await;
    let made = found.expect("look for the database").is_empty();
    if made {
        let create = format!("create database {name} template template0 encoding 'UTF8'");
        client.batch_execute(&create).await.expect("create the database");
    }
    (url_of(&server, name), made)
}

/// A connection to a database, its I/O driven by a task of its own.
///
/// # Errors
/// The server does not answer, or not as hoped.
pub async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let config: Config = url.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    // The task ends with the connection, which ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

/// Process id, time and a counter: no two tests of any two processes meet.
fn unique_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("balik_test_{}_{nanos:x}_{count}", std::process::id())
}

/// The server's URL with another database in its path; parameters are kept.
fn url_of(server: &str, name: &str) -> String {
    let (base, parameters) = server.split_once('?').map_or((server, None), |(base, rest)| (base, Some(rest)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let tail = parameters.map_or_else(String::new, |rest| format!("?{rest}"));
    format!("{}/{name}{tail}", &base[..end])
}

async fn remove(server: &str, name: &str) {
    let Ok(client) = connect(server).await else { return };
    for _ in 0..DROP_ATTEMPTS_MAX {
        let end_sessions = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1";
        drop(client.query(end_sessions, &[&name]).await);
        let drop_slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots \
                          where database = $1 and not active";
        drop(client.query(drop_slots, &[&name]).await);
        if client.batch_execute(&format!("drop database if exists {name} with (force)")).await.is_ok() {
            return;
        }
        tokio::time::sleep(DROP_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_changes() {
        assert_eq!(url_of("postgres://u@h:1/postgres", "x"), "postgres://u@h:1/x");
        assert_eq!(url_of("postgres://u@h:1", "x"), "postgres://u@h:1/x");
        assert_eq!(url_of("postgres://u@h:1/postgres?a=b", "x"), "postgres://u@h:1/x?a=b");
    }

    #[tokio::test]
    async fn a_database_lives_as_long_as_its_value() {
        let database = fresh_database().await;
        let client = database.connect().await;
        client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", &[&database.name]).await.unwrap();
        let (name, server) = (database.name.clone(), database.server.clone());
        drop(database);
        let admin = connect(&server).await.unwrap();
        let left = admin.query("select 1 from pg_database where datname = $1", &[&name]).await.unwrap();
        assert!(left.is_empty());
    }
}
