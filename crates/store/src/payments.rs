//! What stands beside an intent's document: the references under which its provider knows it, and when it has to be looked
//! at again. Both are written with the document, through both doors; the time also by whoever has looked and found nothing.

use crate::sql::{Connection, Row, params};
use crate::writer::Door;
use crate::{Error, Result, Store, Stored, documents, head, sql};
use std::collections::BTreeSet;
use vocab::document::{Node, Record};
use vocab::id::{PublicId, ShopId, Side, Timestamp};

/// Whose a provider's reference is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    pub shop: ShopId,
    pub intent: PublicId,
    /// Who has to hear of it.
    pub owner: Side,
}

/// An intent whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Woken {
    pub shop: ShopId,
    pub intent: PublicId,
    pub at: Timestamp,
}

impl Store {
    /// The intents of a checkout, the oldest first, so many at most.
    pub async fn intents_of_checkout(
        &self,
        shop: &ShopId,
        checkout: &PublicId,
        limit: usize,
    ) -> Result<Vec<(PublicId, Stored)>> {
        let (shop, checkout) = (shop.clone(), checkout.clone());
        self.read_briefly(move |connection| {
            let sql = "select body, version, class, why, origin, source_tx, id
                       from document indexed by document_of_checkout
                       where shop = ?1 and parent = ?2 and kind = 'intent'
                       order by json_extract(body, '$.created_at'), id limit ?3";
            let cells = params![shop.as_str(), checkout.as_str(), sql::limit(limit)];
            sql::all(connection, READ, sql, cells, documents::with_id)
        })
        .await
    }

    /// Whose this reference at a provider's account is; none: nobody's here, or not yet.
    pub async fn referred(&self, account: &str, reference: &str) -> Result<Option<Referred>> {
        let key = [account.to_owned(), reference.to_owned()];
        self.read_briefly(move |connection| {
            let sql = "select shop, intent, owner from payment_reference join shop_head using (shop)
                       where account = ?1 and reference = ?2";
            sql::first(connection, READ, sql, key, |row| {
                Ok(Referred { shop: sql::shop(row, 0)?, intent: sql::public_id(row, 1)?, owner: sql::side(row, 2)? })
            })
        })
        .await
    }

    /// The intents of a shop that are with an account at a provider which is none of these, so many at most.
    pub async fn intents_elsewhere(
        &self,
        shop: &ShopId,
        known: &BTreeSet<String>,
        limit: usize,
    ) -> Result<Vec<PublicId>> {
        let (shop, known) = (shop.clone(), known.clone());
        self.read(move |connection| {
            let (mut found, mut account) = (Vec::new(), String::new());
            loop {
                let sql = "select min(account) from payment_reference where shop = ?1 and account > ?2";
                let next = sql::first(connection, READ, sql, [shop.as_str(), &account], |row| sql::cell(row, 0))?;
                let Some(next) = next.flatten() else { return Ok(found) };
                account = next;
                if known.contains(&account) {
                    continue;
                }
                let sql = "select distinct intent from payment_reference where shop = ?1 and account = ?2 limit ?3";
                let cells = params![shop.as_str(), account, sql::limit(limit.saturating_sub(found.len()))];
                found.extend(sql::all(connection, READ, sql, cells, |row| sql::public_id(row, 0))?);
            }
        })
        .await
    }

    /// The intents of our own shops whose time has come, the longest waiting first. Where there are more than are asked for,
    /// some of each shop: one with a long past keeps no other waiting.
    pub async fn woken(&self, now: Timestamp, limit: usize) -> Result<Vec<Woken>> {
        let woken = self.longest_waiting(now, limit).await?;
        if woken.len() < limit {
            return Ok(woken);
        }
        self.read(move |connection| some_of_each(connection, now, limit)).await
    }

    async fn longest_waiting(&self, now: Timestamp, limit: usize) -> Result<Vec<Woken>> {
        self.read(move |connection| {
            let sql = "select shop, intent, at from wake join shop_head using (shop)
                       where at <= ?1 and owner = 'backend' and fenced = 0 order by at limit ?2";
            sql::all(connection, READ, sql, params![now.0, sql::limit(limit)], woken)
        })
        .await
    }

    /// Nothing was to be done for an intent that woke: it wakes again then, or when it is written. What was written since
    /// says itself when.
    pub async fn wake_later(&self, woken: &Woken, at: Option<Timestamp>) -> Result<()> {
        let woken = woken.clone();
        let shop = woken.shop.clone();
        self.write_of(&shop, Door::Control, move |connection| {
            // As a commit does: head first, then the wake.
            head::lock(connection, &woken.shop)?;
            let key = params![woken.shop.as_str(), woken.intent.as_str(), woken.at.0];
            let sql = "delete from wake where shop = ?1 and intent = ?2 and at = ?3";
            if sql::execute(connection, WRITE, sql, key)? == 0 {
                return Ok(());
            }
            at.map_or(Ok(()), |at| wake(connection, &woken.shop, &woken.intent, Some(at)))
        })
        .await
    }
}

/// Those of each shop that wait longest, as many of each as there is room for.
fn some_of_each(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Woken>> {
    let (mut shops, mut shop) = (Vec::new(), String::new());
    loop {
        let sql = "select min(shop) from wake where shop > ?1";
        let next = sql::first(connection, READ, sql, [&shop], |row| sql::cell::<Option<String>>(row, 0))?;
        let Some(next) = next.flatten() else { break };
        shop = next;
        shops.push(shop.clone());
    }
    let each = (limit / shops.len().max(1)).max(1);
    let mut woken = Vec::new();
    for shop in shops {
        let sql = "select shop, intent, at from wake join shop_head using (shop)
                   where shop = ?1 and at <= ?2 and owner = 'backend' and fenced = 0 order by at limit ?3";
        woken.extend(sql::all(connection, READ, sql, params![shop, now.0, sql::limit(each)], self::woken)?);
    }
    Ok(woken)
}

fn woken(row: &Row<'_>) -> Result<Woken> {
    Ok(Woken { shop: sql::shop(row, 0)?, intent: sql::public_id(row, 1)?, at: sql::timestamp(row, 2)? })
}

const READ: &str = "read beside an intent";
const WRITE: &str = "write beside an intent";

/// Makes what stands beside an intent what its document says, and wakes it then, or never.
pub fn set(
    connection: &Connection,
    shop: &ShopId,
    intent: &PublicId,
    document: &Record,
    at: Option<Timestamp>,
) -> Result<()> {
    let (account, references) = named(document);
    for reference in references {
        refer(connection, shop, account, reference, intent)?;
    }
    wake(connection, shop, intent, at)
}

/// The provider's account of an intent, and the references of its tries.
fn named(document: &Record) -> (&str, impl Iterator<Item = &str>) {
    let references = document.list("attempts").iter().filter_map(|attempt| {
        let Node::Record(attempt) = attempt else { return None };
        attempt.text("reference")
    });
    (document.text("account").unwrap_or_default(), references)
}

/// The first reference of a document that is another intent's.
pub fn taken(connection: &Connection, shop: &ShopId, intent: &PublicId, document: &Record) -> Result<Option<String>> {
    let sql = "select 1 from payment_reference
               where account = ?1 and reference = ?2 and (shop <> ?3 or intent <> ?4)";
    let (account, references) = named(document);
    for reference in references {
        let key = [account, reference, shop.as_str(), intent.as_str()];
        if sql::first(connection, READ, sql, key, |_| Ok(()))?.is_some() {
            return Ok(Some(reference.to_owned()));
        }
    }
    Ok(None)
}

/// Two intents with one reference would each take the other's money: our bug, or a source whose references are not unique.
fn refer(connection: &Connection, shop: &ShopId, account: &str, reference: &str, intent: &PublicId) -> Result<()> {
    let sql = "insert into payment_reference (shop, account, reference, intent) values (?1, ?2, ?3, ?4)
               on conflict do nothing";
    let key = [shop.as_str(), account, reference, intent.as_str()];
    if sql::execute(connection, WRITE, sql, key)? == 1 {
        return Ok(());
    }
    let sql = "select 1 from payment_reference where shop = ?1 and account = ?2 and reference = ?3 and intent = ?4";
    let own = sql::first(connection, READ, sql, key, |_| Ok(()))?;
    own.ok_or_else(|| Error::Invalid(format!("reference {reference} of intent {intent} is another intent's")))
}

fn wake(connection: &Connection, shop: &ShopId, intent: &PublicId, at: Option<Timestamp>) -> Result<()> {
    match at {
        Some(at) => {
            let sql = "insert into wake (shop, intent, at) values (?1, ?2, ?3)
                       on conflict (shop, intent) do update set at = excluded.at";
            sql::defer(connection, WRITE, sql, params![shop.as_str(), intent.as_str(), at.0])
        }
        None => {
            let sql = "delete from wake where shop = ?1 and intent = ?2";
            sql::defer(connection, WRITE, sql, [shop.as_str(), intent.as_str()])
        }
    }
}

/// The same of an imported one, or of one that is gone. Nobody looks at it before the shop is ours.
pub fn import(
    connection: &Connection,
    shop: &ShopId,
    intent: &PublicId,
    incoming: Option<(&Record, Option<Timestamp>)>,
) -> Result<()> {
    let sql = "delete from payment_reference where shop = ?1 and intent = ?2";
    sql::defer(connection, WRITE, sql, [shop.as_str(), intent.as_str()])?;
    match incoming {
        Some((document, at)) => set(connection, shop, intent, document, at),
        None => wake(connection, shop, intent, None),
    }
}
