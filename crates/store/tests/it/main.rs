//! The store: what its doors let in, what is left after a crash, and what several handles of one store may do at the same time.
//! The same tests on a real file and on a real server of PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]
#![expect(clippy::duplicate_mod, reason = "each engine has a module of the same tests")]

mod file;
#[path = "doors.rs"]
mod on_postgres;
#[path = "doors.rs"]
mod on_sqlite;
