//! What a client asks a world for, through the seam.

use super::{WISH_MAX, World};
use crate::client::{Answer, Request, exchange, send};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use vocab::id::ShopId;

impl World {
    /// Sends it to the seam, as every host app does.
    pub async fn send(&self, request: &Request) -> Answer {
        send(self.seam, request).await
    }

    /// Sends it to the seam and hangs up, without having read a byte, as soon as `committed` says so.
    pub async fn cut(&self, request: &Request, committed: impl AsyncFn() -> bool) {
        let mut stream = TcpStream::connect(self.seam).await.unwrap();
        stream.write_all(&request.bytes()).await.unwrap();
        let deadline = Instant::now() + WISH_MAX;
        while !committed().await {
            assert!(Instant::now() < deadline, "never done: {request:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What a person's browser gets under a link: status and page. It bears nobody's key.
    pub async fn open(&self, link: &str) -> (u16, String) {
        let request = format!("GET {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\r\n");
        exchange(self.seam, request.as_bytes()).await
    }

    /// A write under a key of its own.
    pub fn write(&self, method: &'static str, shop: &ShopId, path: &str, body: &Value) -> Request {
        let key = format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        Request { method, path: format!("/shops/{shop}/{path}"), key: Some(key), body: body.to_string() }
    }

    pub async fn post(&self, shop: &ShopId, path: &str, body: Value) -> Value {
        self.send(&self.write("POST", shop, path, &body)).await.ok()
    }

    pub async fn put(&self, shop: &ShopId, path: &str, body: Value) -> Value {
        self.send(&self.write("PUT", shop, path, &body)).await.ok()
    }

    /// A read, whatever it answers.
    pub async fn get(&self, shop: &ShopId, path: &str) -> Answer {
        let path = format!("/shops/{shop}/{path}");
        self.send(&Request { method: "GET", path, key: None, body: String::new() }).await
    }

    /// Products as shown; asking does not count as a view.
    pub async fn look_up(&self, shop: &ShopId, ids: &[String]) -> Answer {
        let path = format!("/shops/{shop}/catalog/lookup");
        self.send(&Request { method: "POST", path, key: None, body: json!({"ids": ids}).to_string() }).await
    }
}
