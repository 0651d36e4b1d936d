//! A host app's own side: requests as bytes, answers, and the bodies that a purchase takes.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const HOST: &str = "host-key";
pub const SELLER: &str = "seller-key";
/// How often a request is repeated that the seam would not route.
const STALE_MAX: u32 = 20;

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The body of an answer that is no refusal.
    #[track_caller]
    pub fn ok(self) -> Value {
        let said = (self.status / 100, self.body["ucp"]["status"].as_str());
        assert_eq!(said, (2, Some("success")), "{} {}", self.status, self.body);
        self.body
    }
}

/// A request as bytes, so that the very same can be sent again.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    pub body: String,
}

impl Request {
    pub fn bytes(&self) -> Vec<u8> {
        let bearer = if self.path.contains("/seller/") { SELLER } else { HOST };
        let key = self.key.as_ref().map_or_else(String::new, |key| format!("idempotency-key: {key}\r\n"));
        let Self { method, path, body, .. } = self;
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: host\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\
             {key}content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// A form of a page, sent by the browser of whoever looks at it.
pub fn form(link: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub async fn send(to: SocketAddr, request: &Request) -> Answer {
    let (status, body) = exchange(to, &request.bytes()).await;
    Answer { status, body: serde_json::from_str(&body).unwrap_or(Value::Null) }
}

/// Status and body of an answer. On a machine so busy that the seam did not hear for a second that its routes are right,
/// it executes nothing and says when to repeat; this client does, as a host app does.
pub async fn exchange(to: SocketAddr, request: &[u8]) -> (u16, String) {
    for _ in 0..STALE_MAX {
        match exchange_once(to, request).await {
            (503, body) if body.contains("\"routes_stale\"") => tokio::time::sleep(Duration::from_secs(1)).await,
            answer => return answer,
        }
    }
    exchange_once(to, request).await
}

async fn exchange_once(to: SocketAddr, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let asked = String::from_utf8_lossy(request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{asked}: `{answer}`"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub fn line_items(lines: &[(&str, i64)]) -> Value {
    lines.iter().map(|(id, quantity)| json!({"item": {"id": id}, "quantity": quantity})).collect()
}

pub fn payment(choice: &str) -> Value {
    let instrument = json!({"id": choice, "handler_id": "instant", "type": "instant", "selected": true});
    json!({"payment": {"instruments": [instrument]}})
}

/// A checkout's body with buyer, address, option and these lines.
pub fn filled_in(lines: &[(&str, i64)]) -> Value {
    let destination = json!({"street_address": "Jl. Braga 5", "address_locality": "Bandung",
        "postal_code": "40111", "address_country": "ID"});
    json!({
        "line_items": line_items(lines),
        "buyer": {"full_name": "Rina Halim", "phone_number": "+628119999999"},
        "fulfillment": {"methods": [{"destinations": [destination], "groups": [{"selected_option_id": "flat"}]}]},
    })
}

#[track_caller]
pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// The amount of this type among `totals`.
#[track_caller]
pub fn amount(value: &Value, of: &str) -> i64 {
    let totals = value["totals"].as_array().unwrap_or_else(|| panic!("no totals in {value}"));
    totals.iter().find(|total| total["type"] == of).and_then(|total| total["amount"].as_i64()).unwrap()
}
