//! `serve` as a process, and a host app's calls at whatever it opened.

use crate::client::{exchange, filled_in, id, payment};
use crate::demo::executable;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub const READY_MAX: Duration = Duration::from_secs(30);
const END_MAX: Duration = Duration::from_secs(15);

/// A `serve` that runs, and all that it says.
pub struct Served {
    child: Child,
    log: PathBuf,
    ended: bool,
}

impl Served {
    /// Starts it and waits until it is ready.
    pub fn start(args: &[&str], log: &Path) -> Self {
        let said = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let from = said.metadata().unwrap().len();
        let child = Command::new(executable())
            .arg("serve")
            .args(args)
            .envs([("BALIK_LOG", "trace"), ("BALIK_LOG_FORMAT", "json"), ("BALIK_PROVIDER_KEY", "provider-key-canary")])
            .env("BALIK_PROVIDER_NOTICE_KEYS", "notice-key-canary")
            .env_remove("BALIK_STORE")
            .env_remove("BALIK_WORK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut served = Self { child, log: log.to_owned(), ended: false };
        let begun = Instant::now();
        while !served.said()[usize::try_from(from).unwrap()..].contains("ready: ") {
            assert!(begun.elapsed() < READY_MAX, "not ready: {}", served.said());
            assert!(served.child.try_wait().unwrap().is_none(), "it ended: {}", served.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal by name, and waits for the end.
    pub fn end(mut self, signal: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.ended = true;
                return status;
            }
            assert!(begun.elapsed() < END_MAX, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn at(addresses: &Value, name: &str) -> SocketAddr {
    addresses[name].as_str().unwrap().trim_start_matches("http://").parse().unwrap()
}

pub async fn call(to: SocketAddr, bearer: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let key = uuid::Uuid::now_v7();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, body) = exchange(to, request.as_bytes()).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// Buys one of a product by the instant rail; the order.
pub async fn buy(to: SocketAddr, bearer: &str, shop: &str, product: &str) -> Value {
    let at = format!("/shops/{shop}/checkout-sessions");
    let (_, created) = call(to, bearer, "POST", &at, &filled_in(&[(product, 1)])).await;
    let complete = format!("{at}/{}/complete", id(&created));
    let (status, completed) = call(to, bearer, "POST", &complete, &payment("approve")).await;
    assert_eq!((status, completed["status"].as_str()), (200, Some("completed")), "{completed}");
    completed["order"].clone()
}

/// Seam, shop and host key of the sandbox in a folder.
pub fn of_sandbox(work: &str) -> (SocketAddr, String, String) {
    let addresses: Value =
        serde_json::from_slice(&std::fs::read(Path::new(work).join("addresses.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (at(&addresses, "seam"), text(&addresses["sandbox"]["shop"]), text(&addresses["keys"]["host"]))
}
