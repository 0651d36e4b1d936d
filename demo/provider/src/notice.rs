//! What a shop is told by itself: kept until it was heard, signed with a time, repeated ever more slowly.

use crate::arguments::Keys;
use crate::book::{Book, next};
use crate::charge::Charge;
use crate::fault::{Fault, fault};
use crate::sign::{HEADER, signature};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SECOND_US: i64 = 1_000_000;
/// Pauses before a notice that was not heard is sent again; then it is given up.
const AGAIN_S: [i64; 6] = [1, 5, 30, 120, 600, 3_600];
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);
const AT_ONCE: i64 = 16;
const UNDER_WAY_MAX: usize = 64;
/// Longer than an answer is waited for: a letter of a process that died is sent again after it.
const UNDER_WAY_US: i64 = 20 * SECOND_US;
const OVERSIZE: usize = 100_000;
/// The key before this one, as somebody might have stolen it.
const OLD_KEY: &str = "whsec_of_last_year";

/// Owes the shop a notice of what money did. What is planned to go wrong with it is decided here.
pub fn owe(book: &Connection, charge: &Charge, movement: &Value, now: i64) -> anyhow::Result<()> {
    let Some(url) = &charge.notice_url else { return Ok(()) };
    let wrong = fault(book, "notice")?;
    let event = format!("evt_{}", next(book, "events")?);
    let mut data =
        json!({ "charge": charge.id, "reference": charge.reference, "currency": "IDR", "merchant": "loket" });
    if let (Some(all), Some(fields)) = (data.as_object_mut(), movement.as_object()) {
        all.extend(fields.clone());
    }
    let wrong = wrong.as_ref();
    let is = |what: &str| wrong.is_some_and(|fault| fault.is(what));
    match wrong.map(|fault| fault.what.as_str()) {
        Some("never") => return Ok(()),
        Some("altered") => data["kind"] = "reversed".into(),
        Some("unknown_reference") => data["reference"] = "nobody-1".into(),
        Some("other_merchant") => data["merchant"] = "another".into(),
        Some("oversize") => data["padding"] = "x".repeat(OVERSIZE).into(),
        _ => {}
    }
    let kind = data["kind"].as_str().unwrap_or_default().to_owned();
    let body = json!({ "id": event, "type": format!("charge.{kind}"), "created": now / SECOND_US, "data": data });
    let due = if is("late") { now.saturating_add(wrong.map_or(0, Fault::delay_us)) } else { now };
    let signed = match () {
        () if is("forged") => "badly",
        () if is("old_key") => "old",
        () => "well",
    };
    let copies = wrong.filter(|fault| fault.is("times")).map_or(1, |fault| fault.times);
    for _ in 0..copies {
        let sql = "insert into notice (event, url, body, due_at, signed) values (?1, ?2, ?3, ?4, ?5)";
        book.execute(sql, rusqlite::params![event, url, body.to_string(), due, signed])?;
    }
    Ok(())
}

struct Due {
    n: i64,
    url: String,
    body: String,
    tries: i64,
    signed: String,
    /// Of a replay: as it was sent first.
    header: Option<String>,
}

/// What is due, and nobody else's from now on until its next turn.
fn take_due(book: &Connection, now: i64) -> anyhow::Result<Vec<Due>> {
    let sql = "select n, url, body, tries, signed, case when replayed = 1 then header end from notice
               where done_at is null and due_at <= ?1 order by due_at, n limit ?2";
    let mut statement = book.prepare_cached(sql)?;
    let rows = statement.query_map([now, AT_ONCE], |row| {
        let (n, url, body) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Due { n, url, body, tries: row.get(3)?, signed: row.get(4)?, header: row.get(5)? })
    })?;
    let due: Vec<Due> = rows.collect::<Result<_, _>>()?;
    for letter in &due {
        let again = now.saturating_add(UNDER_WAY_US);
        book.execute("update notice set due_at = ?2 where n = ?1", [letter.n, again])?;
    }
    Ok(due)
}

type Caller = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

/// Sends what is due, for ever. A shop that is silent keeps nobody else waiting.
pub async fn tell_all(book: Book, keys: Arc<Keys>) -> anyhow::Result<()> {
    let caller: Caller = Client::builder(TokioExecutor::new()).build_http();
    let mut under_way = tokio::task::JoinSet::new();
    loop {
        while let Some(told) = under_way.try_join_next() {
            told??;
        }
        let now = book.now();
        let room = under_way.len() < UNDER_WAY_MAX;
        let letters = if room { book.write(|book| take_due(book, now))? } else { Vec::new() };
        if letters.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        for letter in letters {
            let (book, caller, keys) = (book.clone(), caller.clone(), Arc::clone(&keys));
            under_way.spawn(async move {
                let header = header(&keys, &letter, book.now());
                let answered = tell(&caller, &letter, &header).await;
                book.write(|it| note(it, &letter, &header, answered, book.now()))
            });
        }
    }
}

fn header(keys: &Keys, letter: &Due, now: i64) -> String {
    let key = match letter.signed.as_str() {
        "well" => keys.webhook.as_str(),
        "old" => OLD_KEY,
        _ => "whsec_of_nobody",
    };
    letter.header.clone().unwrap_or_else(|| signature(key, now / SECOND_US, letter.body.as_bytes()))
}

/// The status that the shop answered with; none where it did not.
async fn tell(caller: &Caller, letter: &Due, header: &str) -> Option<u16> {
    let request = Request::post(&letter.url)
        .header("content-type", "application/json")
        .header(HEADER, header)
        .body(Full::new(Bytes::from(letter.body.clone())))
        .ok()?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, caller.request(request)).await.ok()?.ok()?;
    Some(answer.status().as_u16())
}

fn note(book: &Connection, letter: &Due, header: &str, answered: Option<u16>, now: i64) -> anyhow::Result<()> {
    let heard = answered.is_some_and(|status| (200..300).contains(&status));
    let again = usize::try_from(letter.tries).ok().and_then(|tries| AGAIN_S.get(tries));
    let done = (heard || again.is_none()).then_some(now);
    let due = again.map_or(now, |seconds| now.saturating_add(seconds * SECOND_US));
    let sql = "update notice set tries = tries + 1, answered = ?2, done_at = ?3, due_at = ?4, header = ?5 where n = ?1";
    book.execute(sql, rusqlite::params![letter.n, answered, done, due, header])?;
    Ok(())
}

impl Book {
    /// Sends a notice once more, byte for byte with the header it had, as a thief who had listened would.
    pub fn replay(&self, event: &str) -> anyhow::Result<usize> {
        let now = self.now();
        self.write(|book| {
            let sql = "insert into notice (event, url, body, due_at, signed, header, replayed)
                       select event, url, body, ?2, signed, header, 1 from notice
                       where event = ?1 and header is not null order by n limit 1";
            Ok(book.execute(sql, rusqlite::params![event, now])?)
        })
    }
}
