//! The tables, brought up to date: migrations go forward only, each applied once and kept with its checksum.
//!
//! Both engines have the same ones: PostgreSQL reads them in its own words. A released migration never changes; what the file says was applied must be what this program holds.

use crate::error::Error;
use crate::sql::{self, Begin, Connection, params};
use ring::digest;

const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_shops_and_control.sql"),
    include_str!("../migrations/0002_checkouts_by_cart.sql"),
    include_str!("../migrations/0003_flips_and_holds.sql"),
    include_str!("../migrations/0004_dials.sql"),
    include_str!("../migrations/0005_serials.sql"),
    include_str!("../migrations/0006_findings_since.sql"),
    include_str!("../migrations/0007_fingerprints.sql"),
    include_str!("../migrations/0008_payments.sql"),
    include_str!("../migrations/0009_letters.sql"),
    include_str!("../migrations/0010_parents.sql"),
];

/// Applies what is missing. Several processes may do this to one store at the same time.
pub fn migrate(connection: &Connection) -> Result<(), Error> {
    connection.begin(Begin::Write, "begin of a migration")?;
    connection.end(in_transaction(connection), "end of a migration")
}

/// Whether the tables are those of this version; nothing is changed.
pub fn must_be_known(connection: &Connection) -> Result<(), Error> {
    let applied = applied(connection)?;
    check(&applied)?;
    if applied.len() < MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        return Err(Error::Schema(format!(
            "it has {} migrations, this version knows {known}: the version that serves it copies it",
            applied.len()
        )));
    }
    Ok(())
}

/// Whether no migration was ever applied to a file.
pub fn is_empty(sqlite: &Connection) -> Result<bool, Error> {
    let sql = "select 1 from sqlite_schema where type = 'table' and name = 'migration'";
    Ok(sql::first(sqlite, "read of the migrations", sql, sql::NOTHING, |_| Ok(()))?.is_none())
}

fn in_transaction(connection: &Connection) -> Result<(), Error> {
    if connection.is_postgres() {
        // Held until the end of the transaction: whoever comes second finds it done.
        connection.batch("begin of a migration", "select pg_advisory_xact_lock(7203110)")?;
    }
    let table = "create table if not exists migration (
                     n integer not null primary key, checksum text not null) strict, without rowid;";
    create(connection, table)?;
    let applied = applied(connection)?;
    check(&applied)?;
    for (n, migration) in (1_i64..).zip(MIGRATIONS).skip(applied.len()) {
        create(connection, migration)?;
        let sql = "insert into migration values (?1, ?2)";
        sql::execute(connection, "record of a migration", sql, params![n, checksum(migration)])?;
    }
    Ok(())
}

fn create(connection: &Connection, sql: &str) -> Result<(), Error> {
    if connection.is_postgres() {
        return connection.batch("migration", &sql::tables_of_postgres(sql));
    }
    connection.batch("migration", sql)
}

fn applied(connection: &Connection) -> Result<Vec<String>, Error> {
    let sql = "select checksum from migration order by n";
    sql::all(connection, "read of the migrations", sql, sql::NOTHING, |row| sql::cell(row, 0))
}

fn check(applied: &[String]) -> Result<(), Error> {
    if applied.len() > MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        return Err(Error::Schema(format!("it has {} migrations, this version knows {known}", applied.len())));
    }
    let changed = applied.iter().zip(MIGRATIONS).position(|(was, sql)| *was != checksum(sql));
    changed.map_or(Ok(()), |n| Err(Error::Schema(format!("migration {} is not the one that was applied", n + 1))))
}

/// SHA-256 in lower-case hex.
fn checksum(sql: &str) -> String {
    let hash = digest::digest(&digest::SHA256, sql.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Released migrations; a line is added, none is ever changed.
    const RELEASED: &[&str] = &[
        "113778c4e12aeaea2379aec85572705c1a5007183c663c5c7579fcec809cd669",
        "061b385eae800c2eddd4031d9cfdfb4c93293cabc7f07cf709adb2d41ae97e2b",
        "58125c87734848b5b7e4308ab3e491212f9de6f0dd74ba23e7ca29ac80cd3470",
        "7e034b497614d1ed36488e695773dae161e295250e6b896bab6b9a569e65ab74",
        "beb29c2bce0045985dcfde48dcd7ca91abc4d65536a7f0ad97047c50bc1745d9",
        "3f061a5e1a5b3a2397a94d00f037f2cc0b0524992bd79b813cf40d74b23cc707",
        "d42684ace8faaf5e2910bc494ceacd72562f8605073f102ace51b6e87ee29919",
        "b23cfc3b7d21ee1265fbf4be5d24eaa749e9590c4a7b6cd522994091742ce150",
        "6648cb64015683e5c0eeb23528da917d6101ad7f47b441797a6c4bb289baa672",
        "d0352030c8f715b4ed2a73ac7ed297c4dba621c0be9a22e5cec5b720d363f23a",
    ];

    #[test]
    fn released_migrations_are_unchanged() {
        let sums: Vec<String> = MIGRATIONS.iter().map(|sql| checksum(sql)).collect();
        assert_eq!(sums, RELEASED);
    }

    #[test]
    fn a_second_run_changes_nothing() {
        let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        migrate(&connection).unwrap();
        migrate(&connection).unwrap();
        assert_eq!(applied(&connection).unwrap().len(), MIGRATIONS.len());
    }

    /// A store of the ninth migration, with documents of its time.
    fn aged(connection: &Connection) {
        for migration in &MIGRATIONS[..9] {
            create(connection, migration).unwrap();
        }
        create(connection, "create table migration (n integer not null primary key, checksum text not null) strict;")
            .unwrap();
        for (n, migration) in (1_i64..).zip(&MIGRATIONS[..9]) {
            sql::execute(connection, "test", "insert into migration values (?1, ?2)", params![n, checksum(migration)])
                .unwrap();
        }
        let document = "insert into document (shop, kind, id, class, version, state, number, body)
                        values ('s1', ?1, ?2, 'live', 1, ?3, 1, ?4)";
        for (kind, id, state, body) in [
            ("checkout", "1", "open", r#"{"cart":"c1"}"#),
            ("checkout", "2", "open", r#"{"cart":null}"#),
            ("intent", "3", "open", r#"{"checkout":"1","cart":"c9"}"#),
            ("order", "4", "paid", r#"{"checkout":"1","cart":"c1"}"#),
            ("checkout", "5", "completed", r#"{"cart":"c2"}"#),
            ("checkout", "6", "awaiting", r#"{}"#),
        ] {
            sql::execute(connection, "test", document, params![kind, id, state, body]).unwrap();
        }
    }

    fn parents(connection: &Connection) -> Vec<Option<String>> {
        let sql = "select parent from document order by id";
        sql::all(connection, "test", sql, sql::NOTHING, |row| sql::cell(row, 0)).unwrap()
    }

    fn comes_of_age(connection: &Connection) {
        connection.begin(Begin::Write, "test").unwrap();
        aged(connection);
        connection.commit("test").unwrap();
        migrate(connection).unwrap();
        connection.begin(Begin::Read, "test").unwrap();
        assert_eq!(parents(connection), [Some("c1".to_owned()), None, Some("1".to_owned()), None, None, None]);
        connection.rollback("test").unwrap();
    }

    #[test]
    fn what_stood_there_has_the_new_column_on_sqlite() {
        comes_of_age(&Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap()));
    }

    #[tokio::test]
    async fn what_stood_there_has_the_new_column_on_postgres() {
        let database = testkit::postgres::fresh_database().await;
        let url = database.url.clone();
        let compare = move || {
            let opened = sql::Postgres::connect(&url, sql::Plans::AsGiven).unwrap();
            comes_of_age(&Connection::Postgres(Box::new(opened)));
        };
        std::thread::spawn(compare).join().unwrap();
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
        migrate(&connection).unwrap();
        connection.batch("test", "insert into migration values (999, 'later')").unwrap();
        assert!(migrate(&connection).unwrap_err().to_string().contains("this version knows"));
        connection.batch("test", "delete from migration where n = 999").unwrap();
        connection.batch("test", "update migration set checksum = 'other' where n = 1").unwrap();
        assert!(migrate(&connection).unwrap_err().to_string().contains("migration 1 is not"));
    }
}
