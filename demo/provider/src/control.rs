//! The control: whoever holds it is every buyer, the bank, the clock and bad luck. And it reads the book.
//!
//! `POST /pay {code|reference, amount?, late?}` · `POST /remit {reference}` · `POST /refuse {reference}` ·
//! `POST /take-back {reference, kind}` · `POST /clock {advance_s}` ·
//! `POST /faults {seed, plan}` · `POST /replay {event}` · `POST /top-up {amount}` · `GET /book`.

use crate::arguments::Keys;
use crate::book::{Book, next};
use crate::charge::{Wrong, find};
use crate::door::{failed, json, may, unauthorized, wrong};
use crate::fault::Plan;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const KINDS: [&str; 5] = ["reversed", "disputed", "dispute_won", "dispute_lost", "lapsed"];

#[derive(Clone)]
struct Control {
    book: Book,
    keys: Arc<Keys>,
}

pub fn router(book: Book, keys: Arc<Keys>) -> Router {
    Router::new().route("/book", get(whole_book)).route("/{act}", post(act)).with_state(Control { book, keys })
}

async fn act(
    State(control): State<Control>,
    Path(act): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if !may(&headers, &control.keys) {
        return unauthorized();
    }
    let asked: Value = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return wrong(&Wrong("body", error.to_string())),
    };
    match perform(&control.book, &act, &asked) {
        Ok(Ok(value)) => json(StatusCode::OK, &value),
        Ok(Err(no)) => wrong(&no),
        Err(error) => failed(&error),
    }
}

fn perform(book: &Book, act: &str, asked: &Value) -> anyhow::Result<Result<Value, Wrong>> {
    let charge = || -> anyhow::Result<Option<String>> {
        let by = if asked["code"].is_string() { "code" } else { "reference" };
        let value = asked[by].as_str().unwrap_or_default();
        Ok(book.read(|book| find(book, by, value))?.map(|charge| charge.id))
    };
    let none = || Err(Wrong("not_found", "no such charge".to_owned()));
    match act {
        "pay" => match charge()? {
            Some(id) => book.pay(&id, asked["amount"].as_i64(), asked["late"] == true),
            None => Ok(none()),
        },
        "take-back" => {
            let kind = asked["kind"].as_str().unwrap_or_default();
            if !KINDS.contains(&kind) {
                return Ok(Err(Wrong("kind", format!("kind is one of {}", KINDS.join(", ")))));
            }
            match charge()? {
                Some(id) => book.take_back(&id, kind),
                None => Ok(none()),
            }
        }
        // The goods are refused at the door, or do not arrive: nobody takes the money.
        "refuse" => match charge()? {
            Some(id) => book.expire(&id),
            None => Ok(none()),
        },
        "remit" => match charge()? {
            Some(id) => book.remit(&id),
            None => Ok(none()),
        },
        "clock" => {
            let seconds = asked["advance_s"].as_i64().unwrap_or(0);
            book.advance(seconds.saturating_mul(1_000_000))?;
            Ok(Ok(json!({ "now": book.now() })))
        }
        "faults" => match serde_json::from_value::<Plan>(asked.clone()) {
            Ok(plan) => Ok(book.plan(&plan).map(|()| json!({})).map_err(|error| Wrong("plan", error.to_string()))),
            Err(error) => Ok(Err(Wrong("plan", error.to_string()))),
        },
        "replay" => {
            let sent = book.replay(asked["event"].as_str().unwrap_or_default())?;
            Ok(Ok(json!({ "sent": sent })))
        }
        "top-up" => {
            let (amount, now) = (asked["amount"].as_i64().unwrap_or(0), book.now());
            book.write(|book| {
                let id = format!("txn_{}", next(book, "movements")?);
                let sql = "insert into movement (id, kind, amount, at) values (?1, 'topped_up', ?2, ?3)";
                book.execute(sql, rusqlite::params![id, amount, now])?;
                Ok(())
            })?;
            Ok(Ok(json!({ "balance": book.balance()? })))
        }
        _ => Ok(Err(Wrong("not_found", format!("nobody can {act}")))),
    }
}

/// The whole book, for the oracle.
async fn whole_book(State(control): State<Control>, headers: HeaderMap) -> Response<Body> {
    if !may(&headers, &control.keys) {
        return unauthorized();
    }
    let tables = ["charge", "movement", "refund", "notice", "fault", "asked"];
    let read = control.book.read(|book| {
        let mut whole = Map::new();
        for table in tables {
            whole.insert(table.to_owned(), rows(book, &format!("select * from {table}"))?.into());
        }
        Ok(Value::Object(whole))
    });
    match read {
        Ok(book) => json(StatusCode::OK, &book),
        Err(error) => failed(&error),
    }
}

fn rows(book: &Connection, sql: &str) -> anyhow::Result<Vec<Value>> {
    let mut statement = book.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut fields = Map::new();
        for (at, name) in names.iter().enumerate() {
            let value = match row.get_ref(at)? {
                ValueRef::Integer(value) => value.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
            };
            fields.insert(name.clone(), value);
        }
        rows.push(Value::Object(fields));
    }
    Ok(rows)
}
