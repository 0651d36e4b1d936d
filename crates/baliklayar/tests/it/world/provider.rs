//! A payment provider of a test's own, and what buyers and bad luck do there.

use crate::client::exchange;
use demo_provider::{Arguments, Keys};
use serde_json::Value;
use shop::rails::{Config, Loket};
use std::net::SocketAddr;
use std::path::Path;

/// Its control door; it serves as long as the test's runtime.
#[derive(Clone)]
pub struct Provider {
    /// `http://host:port` of its API.
    pub api: String,
    control: SocketAddr,
}

impl Provider {
    pub const API_KEY: &str = "provider-key";
    pub const NOTICE_KEY: &str = "whsec_test";

    /// Opens one with its book in a folder; and how a backend behind this seam pays through it.
    pub async fn open(folder: &Path, seam: SocketAddr) -> (Self, Loket) {
        let keys = Keys { api: Self::API_KEY.to_owned(), webhook: Self::NOTICE_KEY.to_owned() };
        let arguments = Arguments { book: folder.join("provider.sqlite"), ports: [0; 3], keys };
        let (doors, serving) = demo_provider::open(arguments).await.unwrap();
        tokio::spawn(serving);
        let rail = Loket::new(Config {
            account: "loket".to_owned(),
            api: format!("http://{}", doors.api),
            key: Self::API_KEY.to_owned(),
            notice_keys: vec![Self::NOTICE_KEY.to_owned()],
            notices_at: format!("http://{seam}/notices/loket"),
            cards_at: Some(format!("http://{}", doors.page)),
            cash: true,
        });
        (Self { api: format!("http://{}", doors.api), control: doors.control }, rail)
    }

    /// How kios pays through it, as a backend behind this seam does.
    pub fn of_kios(&self, seam: SocketAddr, host_origins: &[String]) -> demo_legacy::Provider {
        demo_legacy::Provider {
            api: self.api.clone(),
            key: Self::API_KEY.to_owned(),
            notice_keys: vec![Self::NOTICE_KEY.to_owned()],
            page_key: super::PAGES.to_owned(),
            host_origins: host_origins.to_owned(),
            notices_at: format!("http://{seam}/notices/loket"),
            grace_s: demo_legacy::Provider::GRACE_S,
        }
    }

    pub async fn control(&self, act: &str, asked: &Value) -> Value {
        let (status, said) = self.call("POST", act, &asked.to_string()).await;
        assert_eq!(status, 200, "{act} {asked}: {said}");
        said
    }

    /// The truth about money.
    pub async fn book(&self) -> Value {
        self.call("GET", "book", "").await.1
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (length, key) = (body.len(), Self::API_KEY);
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: loket\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let (status, body) = exchange(self.control, request.as_bytes()).await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }
}
