//! The tables, brought up to date: migrations go forward only, each applied once and kept with its checksum.
//!
//! A released migration never changes; what the file says was applied must be what this program holds.

use crate::error::{Error, during};
use ring::digest;
use rusqlite::{Connection, TransactionBehavior, params};

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
];

/// Applies what is missing. Several processes may do this to one file at the same time.
pub fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(during("begin of a migration"))?;
    transaction
        .execute_batch(
            "create table if not exists migration (
                n integer not null primary key, checksum text not null) strict, without rowid",
        )
        .map_err(during("read of the migrations"))?;
    let applied = applied(&transaction)?;
    check(&applied)?;
    for (n, sql) in (1_i64..).zip(MIGRATIONS).skip(applied.len()) {
        transaction.execute_batch(sql).map_err(during("migration"))?;
        transaction
            .execute("insert into migration values (?1, ?2)", params![n, checksum(sql)])
            .map_err(during("record of a migration"))?;
    }
    transaction.commit().map_err(during("commit of a migration"))
}

fn applied(connection: &Connection) -> Result<Vec<String>, Error> {
    let read = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    read("select checksum from migration order by n").map_err(during("read of the migrations"))
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
        "00b4efe208270b3a11e489804cbeb44e896ada25e368d24e5fc44856aaf6e905",
    ];

    #[test]
    fn released_migrations_are_unchanged() {
        let sums: Vec<String> = MIGRATIONS.iter().map(|sql| checksum(sql)).collect();
        assert_eq!(sums, RELEASED);
    }

    #[test]
    fn a_second_run_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(applied(&connection).unwrap().len(), MIGRATIONS.len());
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("insert into migration values (999, 'later')", []).unwrap();
        assert!(migrate(&mut connection).unwrap_err().to_string().contains("this version knows"));
        connection.execute("delete from migration where n = 999", []).unwrap();
        connection.execute("update migration set checksum = 'other' where n = 1", []).unwrap();
        assert!(migrate(&mut connection).unwrap_err().to_string().contains("migration 1 is not"));
    }
}
