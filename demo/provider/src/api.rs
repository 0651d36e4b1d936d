//! The API that a shop calls.
//!
//! `POST /v1/charges`, `GET /v1/charges?reference=`, `POST /v1/charges/{id or reference}/capture|void|expire`, `POST /v1/refunds`,
//! `GET /v1/refunds?key=`, `GET /v1/balance`, `GET /v1/statements/{date}`. A payout is a refund with an account and
//! without a reference.

use crate::arguments::Keys;
use crate::book::Book;
use crate::charge::{self, Wrong, find};
use crate::door::{failed, json, may, unauthorized, wrong};
use crate::fault::{Fault, never};
use crate::refund;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const BODY_MAX: usize = 64 * 1024;
/// Somebody may put the clock forward while a call is on its way.
const ARRIVES_LOOK: Duration = Duration::from_millis(2);

#[derive(Clone)]
struct Api {
    book: Book,
    keys: Arc<Keys>,
}

pub fn router(book: Book, keys: Arc<Keys>) -> Router {
    Router::new()
        .route("/v1/charges", post(make_charge).get(ask_charge))
        .route("/v1/charges/{id}/{act}", post(change_charge))
        .route("/v1/refunds", post(make_refund).get(ask_refund))
        .route("/v1/balance", get(balance))
        .route("/v1/statements/{date}", get(statement))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(Api { book, keys })
}

type Answer = Response<Body>;

/// What an operation comes to, before something goes wrong with its answer.
type Outcome = anyhow::Result<Result<Option<Value>, Wrong>>;

impl Api {
    /// Does it, with what is planned to go wrong this time.
    async fn call(
        &self,
        operation: &str,
        headers: &HeaderMap,
        act: impl FnOnce(&Book) -> Outcome + Send + 'static,
    ) -> Answer {
        if !may(headers, &self.keys) {
            return unauthorized();
        }
        let fault = match self.book.fault(operation) {
            Ok(fault) => fault,
            Err(error) => return failed(&error),
        };
        match fault {
            Some(fault) => self.badly(&fault, act).await,
            None => answer(act(&self.book)),
        }
    }

    async fn badly(&self, fault: &Fault, act: impl FnOnce(&Book) -> Outcome + Send + 'static) -> Answer {
        match fault.what.as_str() {
            "lost_before" => {
                never().await;
                return json(StatusCode::GATEWAY_TIMEOUT, &json!({ "error": "timeout" }));
            }
            "error_before" => return json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "internal" })),
            "busy" => return json(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": "busy" })),
            "late" => {
                // It is on its way, and nobody finds it before it has arrived: by the provider's own clock.
                let (book, due) = (self.book.clone(), self.book.now().saturating_add(fault.delay_us()));
                tokio::spawn(async move {
                    while book.now() < due {
                        tokio::time::sleep(ARRIVES_LOOK).await;
                    }
                    drop(act(&book));
                });
                never().await;
                return json(StatusCode::GATEWAY_TIMEOUT, &json!({ "error": "timeout" }));
            }
            _ => {}
        }
        let done = answer(act(&self.book));
        match fault.what.as_str() {
            "delay" => tokio::time::sleep(fault.delay()).await,
            "lost_after" => never().await,
            "error_after" => return json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "internal" })),
            "in_progress" => return json(StatusCode::ACCEPTED, &json!({ "status": "in_progress" })),
            "garbage" => return Response::new(Body::from("<html>Service Unavailable</html>")),
            "cut" => return cut(),
            what => return altered(done, what).await,
        }
        done
    }
}

/// Half an answer, and the connection is gone.
fn cut() -> Answer {
    let halves = [Ok(Bytes::from_static(b"{\"id\":\"chg_")), Err(std::io::Error::other("cut"))];
    Response::new(Body::from_stream(Halves(halves.into_iter())))
}

struct Halves<I>(I);

impl<I: Iterator<Item = std::io::Result<Bytes>> + Unpin> futures_util::Stream for Halves<I> {
    type Item = std::io::Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// The answer with one thing in it that is not so.
async fn altered(done: Answer, what: &str) -> Answer {
    let (parts, body) = done.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_MAX).await.unwrap_or_default();
    let Ok(mut value) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, bytes.into());
    };
    match what {
        "unknown_word" => value["status"] = "frobnicated".into(),
        "other_amount" => {
            more(&mut value["amount"]);
            value["movements"].as_array_mut().into_iter().flatten().for_each(|movement| more(&mut movement["amount"]));
        }
        "other_currency" => value["currency"] = "USD".into(),
        "other_reference" => value["reference"] = "nobody-1".into(),
        _ => {}
    }
    Response::from_parts(parts, value.to_string().into())
}

fn more(amount: &mut Value) {
    *amount = amount.as_i64().map_or(Value::Null, |rupiah| (rupiah + 1_000).into());
}

fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Ok(Ok(Some(value))) => json(StatusCode::OK, &value),
        Ok(Ok(None)) => wrong(&Wrong("not_found", "nothing has this reference".to_owned())),
        Ok(Err(no)) => wrong(&no),
        Err(error) => failed(&error),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| Wrong("body", error.to_string()))
}

async fn make_charge(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Answer {
    api.call("charge", &headers, move |book| {
        let asked = match parse::<charge::Asked>(&body).and_then(|asked| asked.check().map(|()| asked)) {
            Ok(asked) => asked,
            Err(no) => return Ok(Err(no)),
        };
        let made = book.charge(&asked)?;
        if (made.amount, made.method.as_str()) != (asked.amount, asked.method.as_str()) {
            let content = "the reference was used for another charge".to_owned();
            return Ok(Err(Wrong("not_payable", content)));
        }
        Ok(Ok(book.ask(&asked.reference)?))
    })
    .await
}

async fn ask_charge(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    let reference = query.get("reference").cloned().unwrap_or_default();
    api.call("query", &headers, move |book| Ok(Ok(book.ask(&reference)?))).await
}

async fn change_charge(
    State(api): State<Api>,
    headers: HeaderMap,
    Path((id, act)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let operation = act.clone();
    api.call(&operation, &headers, move |book| {
        let id = book.read(|book| Ok(find(book, "reference", &id)?.map_or(id, |charge| charge.id)))?;
        let changed = match act.as_str() {
            "capture" => match parse::<Value>(&body) {
                Ok(body) => book.settle(&id, Some(body["amount"].as_i64().unwrap_or(0)))?,
                Err(no) => Err(no),
            },
            "void" => book.settle(&id, None)?,
            "expire" => book.expire(&id)?,
            _ => Err(Wrong("not_found", format!("nobody can {act} a charge"))),
        };
        Ok(changed.map(Some))
    })
    .await
}

async fn make_refund(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Answer {
    api.call("refund", &headers, move |book| {
        let asked = match parse::<refund::Asked>(&body) {
            Ok(asked) => asked,
            Err(no) => return Ok(Err(no)),
        };
        Ok(match book.refund(&asked)? {
            Ok(refund) => Ok(Some(serde_json::to_value(refund)?)),
            Err(no) => Err(no),
        })
    })
    .await
}

async fn ask_refund(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    let key = query.get("key").cloned().unwrap_or_default();
    api.call("refund_query", &headers, move |book| {
        let found = book.ask_refund(&key)?;
        Ok(Ok(found.map(serde_json::to_value).transpose()?))
    })
    .await
}

async fn balance(State(api): State<Api>, headers: HeaderMap) -> Answer {
    api.call("balance", &headers, |book| Ok(Ok(Some(json!({ "balance": book.balance()?, "currency": "IDR" }))))).await
}

async fn statement(State(api): State<Api>, headers: HeaderMap, Path(date): Path<String>) -> Answer {
    api.call("statement", &headers, move |book| match book.statement(&date)? {
        Some(lines) => Ok(Ok(Some(lines))),
        None => Ok(Err(Wrong("date", "a date is YYYY-MM-DD".to_owned()))),
    })
    .await
}
