//! A provider that writes down what it is asked for, and says that it waits for the buyer.

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use ring::hmac;
use serde_json::{Value, json};
use shop::rails::{Config, Loket};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const NOTICE_KEY: &str = "whsec_test";

type Charges = Arc<Mutex<Vec<Value>>>;

pub struct Provider {
    address: SocketAddr,
    charges: Charges,
}

impl Provider {
    pub async fn start() -> Self {
        let charges = Charges::default();
        let router = Router::new()
            .route("/v1/charges", post(charge).get(look))
            .route("/health", get(|| async {}))
            .with_state(Arc::clone(&charges));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { address, charges }
    }

    pub fn rail(&self) -> Loket {
        Loket::new(Config {
            account: "loket".to_owned(),
            api: format!("http://{}", self.address),
            key: "provider-key".to_owned(),
            notice_keys: vec![NOTICE_KEY.to_owned()],
            notices_at: "http://127.0.0.1:9/notices/loket".to_owned(),
            cards_at: None,
            cash: false,
        })
    }

    /// What it was asked to charge, in whole rupiah.
    pub fn amounts(&self) -> Vec<i64> {
        self.charges.lock().unwrap().iter().map(|charge| charge["amount"].as_i64().unwrap()).collect()
    }
}

/// The header of a notice with this body.
pub fn signature(at_s: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, NOTICE_KEY.as_bytes());
    let tag = hmac::sign(&key, &[format!("{at_s}.").as_bytes(), body].concat());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

async fn charge(State(charges): State<Charges>, Json(asked): Json<Value>) -> Json<Value> {
    let charge = json!({
        "reference": asked["reference"], "amount": asked["amount"], "currency": asked["currency"], "status": "pending",
        "expires_at": asked["expires_at"], "code": "8808000000000001", "movements": [],
    });
    charges.lock().unwrap().push(charge.clone());
    Json(charge)
}

async fn look(State(charges): State<Charges>, Query(asked): Query<HashMap<String, String>>) -> Json<Value> {
    let charges = charges.lock().unwrap();
    let found = charges.iter().find(|charge| charge["reference"] == asked["reference"].as_str());
    Json(found.cloned().unwrap_or_else(|| json!({ "error": "not_found" })))
}
