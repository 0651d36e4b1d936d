//! loket, the provider of the demo, as a rail: its calls, and its words in ours.
//!
//! Amounts are whole rupiah there. Every answer is held against what is on record: another reference, amount or currency says
//! nothing. What our refunds move is never told among a charge's movements.

#[cfg(test)]
mod outside;
mod wire;

use super::signed::{self, NotAdmitted};
use super::{CardToken, Said, rupiah};
use bytes::Bytes;
use commerce::decision::Aggregate;
use commerce::intent::{Attempt, Intent, Method, Patience, Refund, RefundAnswer, Settling};
use commerce::money::Money;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ring::hmac;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Notice;
use vocab::id::Timestamp;

const ANSWER_BYTES_MAX: usize = 64 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Of one transaction, since 1 March 2022 (Bank Indonesia).
const QRIS_MAX_RUPIAH: i64 = 10_000_000;
/// As a buyer sees them, one above the other.
const OFFERED: [Method; 5] =
    [Method::VirtualAccount, Method::Qr, Method::Wallet, Method::CardToken, Method::CashOnDelivery];
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Where the provider is, and by what we know each other. Secrets: this type does not print itself.
#[derive(Clone)]
pub struct Config {
    /// What payments and notices call the account: it stays in their records for ever.
    pub account: String,
    /// `http://host:port` of its API.
    pub api: String,
    /// The bearer key of its API.
    pub key: String,
    /// What notices are signed with: the key, and while it is being replaced the one before.
    pub notice_keys: Vec<String>,
    /// Where it is to send notices.
    pub notices_at: String,
    /// `http://host:port` of the page on which it takes the number of a card; none: cards are not taken.
    pub cards_at: Option<String>,
    /// Whether its couriers take money at the door.
    pub cash: bool,
}

pub struct Loket {
    config: Config,
    notice_keys: Vec<hmac::Key>,
    patience: Patience,
    client: Client<HttpConnector, Full<Bytes>>,
    /// It did not answer when it was called last.
    is_silent: AtomicBool,
}

/// What came back of a call.
struct Reply {
    status: StatusCode,
    body: Bytes,
}

impl Loket {
    pub fn new(config: Config) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let notice_keys =
            config.notice_keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect();
        Self { config, notice_keys, patience: Patience::USUAL, client, is_silent: AtomicBool::new(false) }
    }

    /// The same, with another patience: a provider whose clock a test moves.
    #[must_use]
    pub fn patient(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    pub fn account(&self) -> &str {
        &self.config.account
    }

    pub const fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The header of a notice that has its signature.
    pub const fn signature_header(&self) -> &'static str {
        "loket-signature"
    }

    /// How a buyer can pay so much here: nothing but whole rupiah, and a QRIS no more than its limit.
    pub fn ways_to_pay(&self, due: Money) -> Vec<Method> {
        let Some(rupiah) = rupiah::from_money(due) else { return Vec::new() };
        let takes = |method: &Method| match method {
            Method::VirtualAccount | Method::Wallet => true,
            Method::Qr => rupiah <= QRIS_MAX_RUPIAH,
            Method::CardToken => self.config.cards_at.is_some(),
            Method::CashOnDelivery => self.config.cash,
        };
        OFFERED.into_iter().filter(takes).collect()
    }

    /// Where a buyer types in a card, for the frame on the page where they pay.
    pub fn cards_at(&self) -> Option<&str> {
        self.config.cards_at.as_deref()
    }

    pub(crate) fn admit(&self, signature: &str, body: &[u8], now: Timestamp) -> Result<Notice, NotAdmitted> {
        signed::admit(self.account(), &self.notice_keys, signature, body, now)
    }

    /// Asks for money, under the reference that is on record; asked again, it is the same charge.
    pub(crate) async fn charge(&self, intent: &Intent, attempt: &Attempt, card: Option<&CardToken>) -> Said {
        let Some(amount) = rupiah::from_money(attempt.amount()) else { return Said::nothing(Some("amount")) };
        let mut asked = json!({
            "reference": attempt.reference(),
            "amount": amount,
            "currency": "IDR",
            "method": attempt.method().name(),
            "expires_at": intent.pays_until(attempt).0,
            "notice_url": self.config.notices_at,
        });
        if let Some(card) = card {
            asked["token"] = card.as_str().into();
        }
        self.about(self.post("/v1/charges", &asked).await, attempt)
    }

    /// What became of a try.
    pub(crate) async fn query(&self, attempt: &Attempt) -> Said {
        self.about(self.get(&format!("/v1/charges?reference={}", attempt.reference())).await, attempt)
    }

    /// Nobody is to pay it any more.
    pub(crate) async fn expire(&self, attempt: &Attempt) -> Said {
        let path = format!("/v1/charges/{}/expire", attempt.reference());
        self.about(self.post(&path, &json!({})).await, attempt)
    }

    /// Held money is taken, or let go.
    pub(crate) async fn settle(&self, attempt: &Attempt, what: Settling, amount: Money) -> Said {
        let Some(amount) = rupiah::from_money(amount) else { return Said::nothing(Some("amount")) };
        let (act, asked) = match what {
            Settling::Capture => ("capture", json!({ "amount": amount })),
            Settling::Void => ("void", json!({})),
        };
        let path = format!("/v1/charges/{}/{act}", attempt.reference());
        self.about(self.post(&path, &asked).await, attempt)
    }

    fn about(&self, reply: Option<Reply>, attempt: &Attempt) -> Said {
        let Some(reply) = reply else { return Said::nothing(None) };
        let said = wire::said(reply.status.as_u16(), &reply.body, attempt);
        if let Some(odd) = said.odd {
            let (reference, status) = (attempt.reference(), reply.status.as_u16());
            tracing::warn!(
                account = self.account(),
                reference,
                status,
                odd,
                "an answer of the provider is not as it should be"
            );
        }
        said
    }

    /// Sends money back, under the key that is on record.
    pub(crate) async fn refund(&self, intent: &Intent, refund: &Refund) -> RefundAnswer {
        let Some(amount) = rupiah::from_money(refund.amount()) else { return RefundAnswer::Nothing };
        let of = refund.attempt().and_then(|number| intent.attempts().iter().find(|it| it.number() == number));
        let asked = json!({
            "key": refund.key(),
            "amount": amount,
            "reference": of.map(Attempt::reference),
            "account": refund.account(),
        });
        self.of_refund(self.post("/v1/refunds", &asked).await, intent, refund)
    }

    /// What became of a refund.
    pub(crate) async fn query_refund(&self, intent: &Intent, refund: &Refund) -> RefundAnswer {
        self.of_refund(self.get(&format!("/v1/refunds?key={}", refund.key())).await, intent, refund)
    }

    fn of_refund(&self, reply: Option<Reply>, intent: &Intent, refund: &Refund) -> RefundAnswer {
        let Some(reply) = reply else { return RefundAnswer::Nothing };
        let (answer, odd) = wire::said_of_refund(reply.status.as_u16(), &reply.body, refund.key(), refund.amount());
        if let Some(odd) = odd {
            let (key, status) = (refund.key(), reply.status.as_u16());
            tracing::warn!(account = self.account(), intent = %intent.id(), key, status, odd, "an answer of the provider says nothing");
        }
        answer
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Reply> {
        self.call("POST", path, Bytes::from(body.to_string())).await
    }

    async fn get(&self, path: &str) -> Option<Reply> {
        self.call("GET", path, Bytes::new()).await
    }

    /// None: no whole answer in time. It may have been done all the same.
    async fn call(&self, method: &str, path: &str, body: Bytes) -> Option<Reply> {
        let within = Duration::from_micros(u64::try_from(self.patience.answer_us).unwrap_or(0));
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.config.api))
            .header("authorization", format!("Bearer {}", self.config.key))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .ok()?;
        let exchange = async {
            let response = self.client.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
            Some(Reply { status: parts.status, body })
        };
        let reply = tokio::time::timeout(within, exchange).await.ok().flatten();
        let was_silent = self.is_silent.swap(reply.is_none(), Ordering::Relaxed);
        match (&reply, was_silent) {
            (None, false) => tracing::error!(account = self.account(), "the payment provider does not answer"),
            (Some(_), true) => tracing::warn!(account = self.account(), "the payment provider answers again"),
            (None, true) | (Some(_), false) => {}
        }
        reply
    }
}
