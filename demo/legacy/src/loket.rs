//! The payment provider `loket`: where it is, by what we know each other, and what it is asked.
//!
//! Its amounts are whole rupiah, its times microseconds. Invariant: what it says is believed only where all of it is as it
//! should be; anything else is nothing, and is asked again. Absent on purpose: tables, and any line of a log.

mod http;
pub mod notice;
mod wire;

pub use wire::{Answer, RefundAnswer, Said};

use crate::money::RUPIAH;
use crate::pesanan::{Method, Pesanan, Refund, Try};
use anyhow::{Context, bail};
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;

/// What the rows call this provider.
pub const ACCOUNT: &str = "loket";

/// The most that a QRIS is for, in hundredths.
const QRIS_MAX: i64 = 10_000_000 * RUPIAH;

/// How long after its end the provider may still learn of money that came in time: 95 seconds, and one because the tables
/// keep no fractions.
const GRACE_S: i64 = 96;

/// Where the provider is and what belongs to it. Keys are in it: it does not print itself.
#[derive(Clone)]
pub struct Provider {
    /// `http://host:port`.
    pub api: String,
    /// Bearer of its API.
    pub key: String,
    /// What its notices are signed with, the newest first.
    pub notice_keys: Vec<String>,
    /// What the links of pages where buyers pay are made with.
    pub page_key: String,
    /// Host apps that may show such a page in a frame, each as `http://host:port`; none: nobody.
    pub host_origins: Vec<String>,
    /// Where it is told to send notices to.
    pub notices_at: String,
    /// Seconds after the end of a code before it is surely over; [`Provider::GRACE_S`] but in tests.
    pub grace_s: i64,
}

impl Provider {
    pub const GRACE_S: i64 = GRACE_S;
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("api", &self.api).finish_non_exhaustive()
    }
}

/// The provider, ready to be called.
pub struct Loket {
    caller: http::Caller,
    notice_keys: Vec<hmac::Key>,
    notices_at: String,
    pub grace_s: i64,
}

impl Loket {
    /// # Errors
    /// An address that is none, or a key that is empty.
    pub fn new(provider: &Provider) -> anyhow::Result<Self> {
        let host = provider.api.strip_prefix("http://").context("the provider's address begins with http://")?;
        if provider.key.is_empty() || provider.page_key.is_empty() || provider.notice_keys.iter().all(String::is_empty)
        {
            bail!("a provider needs its key, the keys of its notices and the key of pages");
        }
        let keys = provider.notice_keys.iter().filter(|key| !key.is_empty());
        Ok(Self {
            caller: http::Caller::new(host.trim_end_matches('/'), &provider.key),
            notice_keys: keys.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect(),
            notices_at: provider.notices_at.clone(),
            grace_s: provider.grace_s,
        })
    }

    /// Whether a notice was signed with one of its keys.
    pub fn signed(&self, header: &str, body: &[u8]) -> bool {
        notice::is_signed(&self.notice_keys, header, body)
    }

    /// Asks for money under the reference of a try; asked again, it is the same charge.
    pub async fn charge(&self, of: &Pesanan, it: &Try) -> Said {
        let body = json!({
            "reference": it.reference, "amount": it.amount / RUPIAH, "currency": "IDR", "method": it.method.name(),
            "expires_at": of.until.as_microsecond(), "notice_url": self.notices_at,
        });
        let reply = self.caller.call("POST", "/v1/charges", &body.to_string()).await;
        wire::said(reply, it)
    }

    /// What became of a try.
    pub async fn query(&self, it: &Try) -> Said {
        let path = format!("/v1/charges?reference={}", it.reference);
        wire::said(self.caller.call("GET", &path, "").await, it)
    }

    /// Nobody is to pay it any more.
    pub async fn expire(&self, it: &Try) -> Said {
        let path = format!("/v1/charges/{}/expire", it.reference);
        match wire::said(self.caller.call("POST", &path, "{}").await, it) {
            // That it is not there is believed of a question only.
            Said { answer: Answer::NotFound, .. } => Said::nothing(),
            said => said,
        }
    }

    /// Sends money back under the key of a refund: on the rail that it came by, or to an account.
    pub async fn refund(&self, of: &Pesanan, it: &Refund) -> RefundAnswer {
        let rail = it.of_try.and_then(|number| of.try_of(number)).map(|it| it.reference.as_str());
        let body =
            json!({ "key": it.key, "amount": it.amount / RUPIAH, "reference": rail, "account": it.account.as_deref() });
        let reply = self.caller.call("POST", "/v1/refunds", &body.to_string()).await;
        match wire::said_of_refund(reply, it) {
            RefundAnswer::NotFound | RefundAnswer::Nothing => RefundAnswer::Nothing,
            answer @ (RefundAnswer::Accepted | RefundAnswer::Confirmed | RefundAnswer::Rejected) => answer,
        }
    }

    /// What became of a refund.
    pub async fn query_refund(&self, it: &Refund) -> RefundAnswer {
        let path = format!("/v1/refunds?key={}", it.key);
        wire::said_of_refund(self.caller.call("GET", &path, "").await, it)
    }
}

/// How so much can be paid here: whole rupiah and more than nothing, and a QRIS up to its limit.
pub fn ways(due: i64) -> Vec<Method> {
    if due <= 0 || due % RUPIAH != 0 {
        return Vec::new();
    }
    Method::ALL.into_iter().filter(|method| *method != Method::Qr || due <= QRIS_MAX).collect()
}

/// Until when a buyer has time, from now on.
pub fn until(method: Method, now: Timestamp) -> Timestamp {
    let minutes = match method {
        Method::VirtualAccount => 24 * 60,
        Method::Qr | Method::Wallet => 15,
    };
    now + jiff::SignedDuration::from_mins(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qris_has_a_limit_and_nothing_is_paid_in_parts_of_a_rupiah() {
        assert_eq!(ways(QRIS_MAX).len(), 3);
        assert_eq!(ways(QRIS_MAX + RUPIAH), [Method::VirtualAccount, Method::Wallet]);
        assert!(ways(0).is_empty() && ways(150).is_empty() && ways(-100).is_empty());
    }

    #[test]
    fn a_provider_is_printed_without_its_keys() {
        let provider = Provider {
            api: "http://127.0.0.1:1".into(),
            key: "s1".into(),
            notice_keys: vec!["s2".into()],
            page_key: "s3".into(),
            host_origins: Vec::new(),
            notices_at: String::new(),
            grace_s: GRACE_S,
        };
        assert_eq!(format!("{provider:?}"), "Provider { api: \"http://127.0.0.1:1\", .. }");
        assert!(Loket::new(&Provider { notice_keys: vec![String::new()], ..provider.clone() }).is_err());
        assert!(Loket::new(&Provider { api: "127.0.0.1:1".into(), ..provider }).is_err());
    }
}
