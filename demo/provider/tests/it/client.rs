//! A provider that runs in this process, and a client of its doors.

use bytes::Bytes;
use demo_provider::{Arguments, Doors, Keys};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Shorter than any answer that is lost, longer than any other.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Loket {
    key: String,
    doors: Doors,
    client: Client<HttpConnector, Full<Bytes>>,
    folder: Arc<TempDir>,
    serving: Arc<JoinHandle<()>>,
}

impl Loket {
    pub async fn start() -> Self {
        Self::in_folder(Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn in_folder(folder: Arc<TempDir>) -> Self {
        let keys = Keys { api: "key_test".to_owned(), webhook: "whsec_test".to_owned() };
        let arguments = Arguments { book: folder.path().join("book.sqlite"), ports: [0; 3], keys };
        let (doors, serving) = demo_provider::open(arguments).await.unwrap();
        let serving = Arc::new(tokio::spawn(async move { serving.await.unwrap() }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { key: "key_test".to_owned(), doors, client, folder, serving }
    }

    pub fn with_key(self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self }
    }

    /// The same book, opened anew.
    pub async fn restarted(self) -> Self {
        self.serving.abort();
        Self::in_folder(self.folder).await
    }

    pub async fn now(&self) -> i64 {
        self.control("clock", &serde_json::json!({})).await.1["now"].as_i64().unwrap()
    }

    pub async fn book(&self) -> Value {
        self.send("GET", &format!("http://{}/book", self.doors.control), None).await.unwrap().1
    }

    pub async fn control(&self, act: &str, body: &Value) -> (u16, Value) {
        self.send("POST", &format!("http://{}/{act}", self.doors.control), Some(body)).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", &format!("http://{}{path}", self.doors.api), None).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.try_post(path, body).await.unwrap()
    }

    /// None: no answer in time, or half of one.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send("POST", &format!("http://{}{path}", self.doors.api), Some(body)).await
    }

    pub async fn page(&self, method: &str, url: &str) -> String {
        let (_, body) = self.exchange(method, url, None).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// At the bank's counter, by hand and without a key.
    pub async fn transfer(&self, number: &str) -> (u16, String) {
        let request = Request::post(format!("http://{}/transfer", self.doors.page))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(format!("number={}", number.replace(' ', "+")))));
        let response = self.client.request(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub async fn counter(&self) -> String {
        self.page("GET", &format!("http://{}/transfer", self.doors.page)).await
    }

    async fn send(&self, method: &str, url: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let (status, body) = self.exchange(method, url, body).await?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn exchange(&self, method: &str, url: &str, body: Option<&Value>) -> Option<(u16, Bytes)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let bearer = format!("Bearer {}", self.key);
        let request = Request::builder().method(method).uri(url).header("authorization", bearer);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answered = async {
            let response = self.client.request(request).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, answered).await.ok()?
    }
}
