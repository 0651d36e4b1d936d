//! Notices for shops that the legacy owns: what our inbox has, handed on as the provider wrote it.
//!
//! Only a 2xx means that the legacy has put on record what follows; whatever else comes, the notice stays in the inbox.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use shop::HandOn;
use std::sync::Arc;
use std::time::Duration;
use store::Notice;

/// The legacy asks its provider before it answers.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const IDLE_MAX: Duration = Duration::from_secs(30);

type Caller = Client<HttpConnector, Full<Bytes>>;

/// Hands notices on to `host:port`, where the rail's signature stands in this header.
pub fn to(legacy: &str, signature_header: &'static str) -> HandOn {
    let client: Caller =
        Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE_MAX).pool_timer(TokioTimer::new()).build_http();
    let legacy: Arc<str> = legacy.into();
    Arc::new(move |notice| {
        let (client, legacy) = (client.clone(), Arc::clone(&legacy));
        Box::pin(async move { tell(&client, &legacy, signature_header, notice).await })
    })
}

async fn tell(client: &Caller, legacy: &str, signature_header: &str, notice: Notice) -> bool {
    let request = Request::post(format!("http://{legacy}/notices/{}", notice.rail))
        .header("content-type", "application/json")
        .header(signature_header, notice.letter.signature)
        .body(Full::new(Bytes::from(notice.letter.body)));
    let Ok(request) = request else { return false };
    let told = tokio::time::timeout(ANSWER_MAX, client.request(request)).await;
    matches!(told, Ok(Ok(answer)) if answer.status().is_success())
}
