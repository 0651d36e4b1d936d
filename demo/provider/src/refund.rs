//! What goes back: refunds of a charge, payouts to an account. One for each key, and never more than there is.

use crate::book::Book;
use crate::charge::{Wrong, find, left};
use crate::fault::fault;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

/// What was accepted is done, or rejected, so much later.
const SETTLES_US: i64 = 2_000_000;

/// What a shop asks for. The account is somebody's: this type does not print itself.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub key: String,
    /// Whole rupiah.
    pub amount: i64,
    /// The reference of the charge whose money goes back.
    pub reference: Option<String>,
    /// Where a payout goes to.
    pub account: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Refund {
    pub key: String,
    pub amount: i64,
    pub status: String,
    pub at: i64,
    #[serde(skip)]
    settles_at: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Refund> {
    Ok(Refund { key: row.get(0)?, amount: row.get(1)?, status: row.get(2)?, at: row.get(3)?, settles_at: row.get(4)? })
}

fn by_key(book: &Connection, key: &str) -> anyhow::Result<Option<Refund>> {
    let sql = "select key, amount, status, at, settles_at from refund where key = ?1";
    Ok(book.query_row(sql, [key], read).optional()?)
}

/// What the shop may be paid out: what came, less fees, what went back, and what is on its way.
pub fn balance(book: &Connection) -> anyhow::Result<i64> {
    let came = "select coalesce(sum(case kind when 'captured' then amount - fee when 'remitted' then amount - fee when 'dispute_won' then amount
            when 'topped_up' then amount when 'reversed' then -amount when 'disputed' then -amount else 0 end), 0)
        from movement";
    let back = "select coalesce(sum(amount), 0) from refund where status <> 'rejected'";
    let sum = |sql: &str| book.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(sum(came)? - sum(back)?)
}

impl Book {
    /// The refund, or payout, of a key: the one that is there, or a new one.
    pub fn refund(&self, asked: &Asked) -> anyhow::Result<Result<Refund, Wrong>> {
        let now = self.now();
        self.write(|book| {
            if let Some(refund) = by_key(book, &asked.key)? {
                return Ok(Ok(refund));
            }
            let charge = match &asked.reference {
                Some(reference) => match find(book, "reference", reference)? {
                    Some(charge) => Some(charge),
                    None => return Ok(Err(Wrong("not_found", "no such charge".to_owned()))),
                },
                None => None,
            };
            let there = charge.as_ref().map_or_else(|| balance(book), |charge| left(book, &charge.id))?;
            let way_back =
                charge.as_ref().is_none_or(|it| !matches!(it.method.as_str(), "virtual_account" | "cash_on_delivery"));
            if asked.amount <= 0 || charge.is_none() && asked.account.is_none() {
                return Ok(Err(Wrong("amount", "an amount is needed, and a charge or an account".to_owned())));
            }
            let status = if asked.amount <= there && way_back { "accepted" } else { "rejected" };
            let sql = "insert into refund (key, charge, account, amount, status, at, settles_at)
                       values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (charge, account) = (charge.map(|charge| charge.id), &asked.account);
            let settles_at = now.saturating_add(SETTLES_US);
            book.execute(sql, rusqlite::params![asked.key, charge, account, asked.amount, status, now, settles_at])?;
            let (key, status) = (asked.key.clone(), status.to_owned());
            Ok(Ok(Refund { key, amount: asked.amount, status, at: now, settles_at }))
        })
    }

    /// What a question finds. What was accepted long enough ago is done by then, unless it was planned to be rejected.
    pub fn ask_refund(&self, key: &str) -> anyhow::Result<Option<Refund>> {
        let now = self.now();
        self.write(|book| {
            let Some(mut refund) = by_key(book, key)? else { return Ok(None) };
            if refund.status == "accepted" && refund.settles_at <= now {
                let status = if fault(book, "refund_settle")?.is_some() { "rejected" } else { "confirmed" };
                book.execute("update refund set status = ?2 where key = ?1", [key, status])?;
                refund.status = status.to_owned();
            }
            Ok(Some(refund))
        })
    }

    pub fn balance(&self) -> anyhow::Result<i64> {
        self.read(balance)
    }
}
