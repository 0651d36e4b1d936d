//! What the doors have in common: who may come in, and how a no is said.

use crate::arguments::Keys;
use crate::charge::Wrong;
use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Value, json};

pub fn may(headers: &HeaderMap, keys: &Keys) -> bool {
    let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let right = format!("Bearer {}", keys.api);
    // Without telling, by the time it takes, how much of it was right.
    let same = given.iter().zip(right.as_bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    given.len() == right.len() && same == 0
}

pub fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

pub fn unauthorized() -> Response<Body> {
    json(StatusCode::UNAUTHORIZED, &json!({ "error": "unauthorized", "message": "this needs another key" }))
}

pub fn wrong(Wrong(code, message): &Wrong) -> Response<Body> {
    let status = match *code {
        "not_found" => StatusCode::NOT_FOUND,
        "not_payable" | "nothing_left" => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    json(status, &json!({ "error": code, "message": message }))
}

/// The world failed; what exactly is nobody's business but ours.
pub fn failed(error: &anyhow::Error) -> Response<Body> {
    eprintln!("loket: {error:#}");
    json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "internal", "message": "something failed here" }))
}
