//! A shop that only hears.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Letter {
    pub signature: String,
    pub body: String,
}

type Heard = Arc<Mutex<Vec<Letter>>>;

pub struct Shop {
    pub url: String,
    heard: Heard,
}

impl Shop {
    /// Answers with these statuses in turn, then with the last for ever.
    pub async fn start(statuses: &'static [u16]) -> Self {
        let heard = Heard::default();
        let hear = move |State(heard): State<Heard>, headers: HeaderMap, body: String| async move {
            let signature = headers["loket-signature"].to_str().unwrap().to_owned();
            let mut heard = heard.lock().unwrap();
            heard.push(Letter { signature, body });
            StatusCode::from_u16(statuses[(heard.len() - 1).min(statuses.len() - 1)]).unwrap()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notices/loket", listener.local_addr().unwrap());
        let router = Router::new().fallback(hear).with_state(Arc::clone(&heard));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, heard }
    }

    /// All letters, once there are so many.
    pub async fn letters(&self, count: usize) -> Vec<Letter> {
        for _ in 0..1_000 {
            let heard = self.heard.lock().unwrap().clone();
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} letters of {count}", self.heard.lock().unwrap().len());
    }
}
