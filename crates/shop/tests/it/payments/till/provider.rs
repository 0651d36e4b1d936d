//! What the provider is told by whoever plays bank and bad luck, and what it says of itself.

use super::{API_KEY, Till};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use serde_json::{Value, json};

impl Till {
    pub async fn book(&self) -> Value {
        let request = Request::get(format!("{}/book", self.control));
        self.send(request, String::new()).await.1
    }

    /// What the provider says at its API of a day, `YYYY-MM-DD`.
    pub async fn statement(&self, date: &str) -> Value {
        let (status, said) = self.send(Request::get(format!("{}/v1/statements/{date}", self.api)), String::new()).await;
        assert_eq!(status, 200, "{said}");
        said
    }

    /// How often an operation was asked for since faults were last planned.
    pub async fn asked(&self, operation: &str) -> u64 {
        let book = self.book().await;
        let rows = book["asked"].as_array().unwrap();
        rows.iter().find(|row| row["operation"] == operation).map_or(0, |row| row["times"].as_u64().unwrap())
    }

    pub async fn control(&self, act: &str, asked: &Value) -> (u16, Value) {
        self.send(Request::post(format!("{}/{act}", self.control)), asked.to_string()).await
    }

    async fn send(&self, request: hyper::http::request::Builder, body: String) -> (u16, Value) {
        let request = request.header("authorization", format!("Bearer {API_KEY}")).body(Full::new(body.into()));
        let answer = self.client.request(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The next call of an operation goes wrong so.
    pub async fn plan(&self, operation: &str, what: &str) {
        self.plan_with(operation, &json!({ "what": what })).await;
    }

    pub async fn plan_with(&self, operation: &str, fault: &Value) {
        let mut planned = fault.clone();
        planned["operation"] = operation.into();
        planned["nth"] = 1.into();
        let (status, said) = self.control("faults", &json!({ "seed": 1, "plan": [planned] })).await;
        assert_eq!(status, 200, "{said}");
    }
}
