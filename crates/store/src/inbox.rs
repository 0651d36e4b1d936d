//! The inbox: what a provider says by itself, durable before it is answered with 200, whoever owns the shop that it is about.
//!
//! This door has no head and no epoch. A notice is kept once for its rail and bytes, and looked at until something has become
//! of it. Then its bytes go: what stays is a digest, so that it is known again, and what it was about.

use crate::sql::params;
use crate::writer::Door;
use crate::{Result, Store, sql};
use crash::{Act, Phase, reach};
use vocab::id::{Name, Timestamp};

/// A notice whose signature was found to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub rail: Name,
    /// SHA-256 of the body in lower-case hex: what came before is not kept again.
    pub digest: String,
    /// Under which the provider knows what it is about.
    pub reference: String,
    pub received_at: Timestamp,
    pub letter: Letter,
}

/// A notice as it came, for whoever has to read it in the provider's own words. It may be personal: this type does not print
/// itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    pub signature: String,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({} bytes)", self.body.len())
    }
}

/// A notice whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub notice: Notice,
    /// How often it was looked at before.
    pub tries: u32,
}

/// What a notice is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeKey {
    pub rail: Name,
    pub digest: String,
}

impl Notice {
    pub fn key(&self) -> NoticeKey {
        NoticeKey { rail: self.rail.clone(), digest: self.digest.clone() }
    }
}

const READ: &str = "read of the inbox";
const WRITE: &str = "write of the inbox";

impl Store {
    /// Keeps a notice; false where it had come before.
    pub async fn keep_notice(&self, notice: Notice) -> Result<bool> {
        reach(Act::InboxInsert, Phase::Before);
        let kept = self.write(Door::Inbox, move |connection| {
            let sql = "insert into inbox (rail, digest, reference, received_at, look_at, signature, body)
                       values (?1, ?2, ?3, ?4, ?4, ?5, ?6) on conflict do nothing";
            let Notice { rail, digest, reference, received_at, letter: Letter { signature, body } } = notice;
            let cells = params![rail, digest, reference, received_at.0, signature, body];
            let new = sql::execute(connection, WRITE, sql, cells)? > 0;
            reach(Act::InboxInsert, Phase::During);
            Ok(new)
        });
        let kept = kept.await?;
        reach(Act::InboxInsert, Phase::After);
        Ok(kept)
    }

    /// The notices that have to be looked at now, the longest waiting first: those of shops that are ours, or all others.
    pub async fn notices_due(&self, now: Timestamp, ours: bool, limit: usize) -> Result<Vec<Due>> {
        self.read(move |connection| {
            let sql = "select rail, digest, inbox.reference, received_at, tries, coalesce(signature, ''),
                           coalesce(body, x'')
                       from inbox
                       left join payment_reference known on known.account = rail and known.reference = inbox.reference
                       left join shop_head on shop_head.shop = known.shop
                       where look_at <= ?1 and (coalesce(owner, '') = 'backend') = ?2 order by look_at limit ?3";
            sql::all(connection, READ, sql, params![now.0, ours, sql::limit(limit)], |row| {
                let notice = Notice {
                    rail: sql::name(row, 0)?,
                    digest: sql::cell(row, 1)?,
                    reference: sql::cell(row, 2)?,
                    received_at: sql::timestamp(row, 3)?,
                    letter: Letter { signature: sql::cell(row, 5)?, body: sql::cell(row, 6)? },
                };
                Ok(Due { notice, tries: sql::cell(row, 4)? })
            })
        })
        .await
    }

    /// Nothing has become of it yet: it is looked at again then.
    pub async fn notice_waits(&self, key: &NoticeKey, until: Timestamp) -> Result<()> {
        let NoticeKey { rail, digest } = key.clone();
        self.write(Door::Inbox, move |connection| {
            let sql = "update inbox set tries = tries + 1, look_at = ?3
                       where rail = ?1 and digest = ?2 and look_at is not null";
            sql::execute(connection, WRITE, sql, params![rail, digest, until.0]).map(drop)
        })
        .await
    }

    /// This became of it.
    pub async fn notice_done(&self, key: &NoticeKey, outcome: &'static str) -> Result<()> {
        let NoticeKey { rail, digest } = key.clone();
        self.write(Door::Inbox, move |connection| {
            let sql = "update inbox set look_at = null, outcome = ?3, signature = null, body = null
                       where rail = ?1 and digest = ?2 and look_at is not null";
            sql::execute(connection, WRITE, sql, params![rail, digest, outcome]).map(drop)
        })
        .await
    }

    /// Forgets what is done and came before then, some of it; how many.
    pub async fn forget_notices(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.write(Door::Inbox, move |connection| {
            let sql = "delete from inbox where (rail, digest) in (
                           select rail, digest from inbox where look_at is null and received_at < ?1 limit ?2)";
            sql::execute(connection, WRITE, sql, params![before.0, sql::limit(limit)])
        })
        .await
    }

    /// How many notices came to each outcome; none: not done yet. For people who look after it.
    pub async fn notice_outcomes(&self) -> Result<Vec<(Name, Option<Name>, u64)>> {
        self.read(|connection| {
            let sql = "select rail, outcome, count(*) from inbox group by rail, outcome order by rail, outcome";
            sql::all(connection, READ, sql, sql::NOTHING, |row| {
                Ok((sql::name(row, 0)?, sql::cell(row, 1)?, sql::natural(row, 2)?))
            })
        })
        .await
    }
}
