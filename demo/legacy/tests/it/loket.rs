//! The provider of the demo in this process, with its control: every buyer, the bank, and bad luck.

use crate::kios::exchange;
use demo_legacy::Provider;
use demo_provider::{Arguments, Keys};
use serde_json::{Value, json};
use std::net::SocketAddr;

const API_KEY: &str = "provider-key";
const NOTICE_KEY: &str = "whsec_test";

pub struct Loket {
    control: SocketAddr,
    /// As kios is told of it.
    pub provider: Provider,
    /// Keeps the book.
    _folder: tempfile::TempDir,
}

impl Loket {
    /// Its notices go to this kios.
    pub async fn start(kios: SocketAddr, grace_s: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys { api: API_KEY.to_owned(), webhook: NOTICE_KEY.to_owned() };
        let arguments = Arguments { book: folder.path().join("book.sqlite"), ports: [0; 3], keys };
        let (doors, serving) = demo_provider::open(arguments).await.unwrap();
        tokio::spawn(serving);
        let provider = Provider {
            api: format!("http://{}", doors.api),
            key: API_KEY.to_owned(),
            notice_keys: vec!["whsec_next".to_owned(), NOTICE_KEY.to_owned()],
            page_key: "page-key".to_owned(),
            host_origins: Vec::new(),
            notices_at: format!("http://{kios}/notices/loket"),
            grace_s,
        };
        Self { control: doors.control, provider, _folder: folder }
    }

    pub async fn control(&self, act: &str, asked: &Value) -> Value {
        let answer = self.call("POST", act, &asked.to_string()).await;
        assert_eq!(answer.0, 200, "{act} {asked}: {}", answer.1);
        answer.1
    }

    /// One thing goes wrong, the n-th time.
    pub async fn fault(&self, operation: &str, nth: i64, what: &str) {
        self.control("faults", &json!({"plan": [{"operation": operation, "nth": nth, "what": what}]})).await;
    }

    pub async fn pay(&self, reference: &str) {
        self.control("pay", &json!({"reference": reference, "late": true})).await;
    }

    /// The rows of a table of its book.
    pub async fn book(&self, table: &str) -> Vec<Value> {
        let book = self.call("GET", "book", "").await.1;
        book[table].as_array().unwrap().clone()
    }

    /// How often it was asked for something since faults were planned last.
    pub async fn asked(&self, operation: &str) -> i64 {
        let rows = self.book("asked").await;
        let row = rows.iter().find(|row| row["operation"] == operation);
        row.and_then(|row| row["times"].as_i64()).unwrap_or(0)
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: loket\r\nconnection: close\r\nauthorization: Bearer {API_KEY}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let answer = exchange(self.control, &request).await;
        (answer.status, answer.body)
    }

    /// A notice about this reference, signed as the provider signs.
    pub fn signed(&self, reference: &str) -> (String, String) {
        let body = json!({"id": "evt_x", "type": "charge.captured", "data": {"reference": reference}}).to_string();
        // Long ago: who stands in front may hand it on late.
        (demo_provider::signature(NOTICE_KEY, 1_764_000_000, body.as_bytes()), body)
    }
}
