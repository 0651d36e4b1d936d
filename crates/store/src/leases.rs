//! Leases: who does the work that only one may do, until when. The clock is the caller's.

use crate::sql::{Connection, params};
use crate::writer::Door;
use crate::{Error, Result, Store, sql};
use std::sync::Arc;
use vocab::id::Timestamp;

const WRITE: &str = "write of a lease";

/// A lease that writes are made under.
pub struct Held {
    name: String,
    holder: String,
}

/// Refuses a write whose lease another has taken; judged in the transaction that writes.
pub fn check(connection: &Connection, lease: Option<&Held>) -> Result<()> {
    let Some(held) = lease else { return Ok(()) };
    let sql = "select 1 from lease where name = ?1 and holder = ?2";
    let found = sql::first(connection, "read of a lease", sql, params![held.name, held.holder], |_| Ok(()))?;
    found.ok_or_else(|| Error::LeaseLost(held.name.clone()))
}

impl Store {
    /// The same store for one holder of a lease: its step records and changes of a head are refused once another has
    /// taken the lease, however late they arrive.
    #[must_use]
    pub fn under_lease(&self, name: &str, holder: &str) -> Self {
        let held = Held { name: name.to_owned(), holder: holder.to_owned() };
        Self { inner: Arc::clone(&self.inner), lease: Some(Arc::new(held)) }
    }

    /// Takes or renews the lease for `holder`; false while another holds it at `now`. One that is said to last for longer
    /// than twice the time asked for is of a clock that was set back since: a holder that lived would have renewed it by
    /// the clock as it is.
    pub async fn take_lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(Door::Control, move |connection| {
            let sql = "insert into lease (name, holder, until_at) values (?1, ?2, ?4)
                       on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at
                           where lease.holder = excluded.holder or lease.until_at <= ?3 or lease.until_at > 2 * ?4 - ?3";
            let taken = sql::execute(connection, WRITE, sql, params![name, holder, now.0, until.0])?;
            Ok(taken > 0)
        })
        .await
    }

    /// Takes the lease from whoever has it: what that one still records is refused from now on.
    pub async fn seize_lease(&self, name: &str, holder: &str, until: Timestamp) -> Result<()> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(Door::Control, move |connection| {
            let sql = "insert into lease (name, holder, until_at) values (?1, ?2, ?3)
                       on conflict (name) do update set holder = excluded.holder, until_at = excluded.until_at";
            sql::execute(connection, WRITE, sql, params![name, holder, until.0]).map(drop)
        })
        .await
    }

    /// Renews the lease if `holder` has it still; false where another took it since, even if it let go again: what
    /// the first holder knows may be old.
    pub async fn renew_lease(&self, name: &str, holder: &str, until: Timestamp) -> Result<bool> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.write(Door::Control, move |connection| {
            let sql = "update lease set until_at = ?3 where name = ?1 and holder = ?2";
            Ok(sql::execute(connection, WRITE, sql, params![name, holder, until.0])? > 0)
        })
        .await
    }

    /// Drops the lease if `holder` has it.
    pub async fn drop_lease(&self, name: &str, holder: &str) -> Result<()> {
        let key = [name.to_owned(), holder.to_owned()];
        self.write(Door::Control, move |connection| {
            let sql = "delete from lease where name = ?1 and holder = ?2";
            sql::execute(connection, WRITE, sql, key).map(drop)
        })
        .await
    }
}
