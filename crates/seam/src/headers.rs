//! Header hygiene between a client, this seam and an owner.
//!
//! Invariant: no `balik-*` header that a client or an owner made up passes, except the loop guard, which is only
//! ever extended; hop-by-hop fields end here in both directions.
//! Absent on purpose: any other rewriting. Authority, path and signatures reach the owner as they came.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use vocab::id::Epoch;

pub const ANSWERED_BY: HeaderName = HeaderName::from_static("balik-answered-by");
pub const EPOCH: HeaderName = HeaderName::from_static("balik-epoch");
pub const VIA: HeaderName = HeaderName::from_static("balik-via");
pub const SIDE: HeaderName = HeaderName::from_static("balik-side");
pub const HELD_US: HeaderName = HeaderName::from_static("balik-held-us");

const OURS: &str = "balik-";

/// Seams that a request may have passed before this one.
const VIA_MAX: usize = 8;

const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// This seam's own token in `balik-via`.
#[derive(Debug, Clone)]
pub struct Via(HeaderValue);

impl Via {
    /// A token that no other seam has: hex digits of `seed`.
    pub fn new(seed: u64) -> Self {
        let digits = format!("{seed:016x}");
        Self(HeaderValue::from_str(&digits).unwrap_or_else(|_| HeaderValue::from_static("seam")))
    }

    /// Whether a request has been here before, or has passed more seams than can be meant.
    pub fn is_loop(&self, headers: &HeaderMap) -> bool {
        headers.get_all(VIA).iter().count() > VIA_MAX || headers.get_all(VIA).iter().any(|token| *token == self.0)
    }
}

/// What a request carries on to its owner.
pub fn towards_owner(headers: &mut HeaderMap, via: &Via, epoch: Epoch, body_len: usize) {
    let has_body = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    strip_hop_by_hop(headers);
    strip_ours(headers, &[VIA]);
    // However it was framed, the body is whole here: it goes on with the length that was received, also when that
    // is 0, because some owners refuse a POST without.
    headers.remove(CONTENT_LENGTH);
    if has_body {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body_len));
    }
    headers.append(VIA, via.0.clone());
    headers.insert(EPOCH, HeaderValue::from(epoch.0));
}

/// What an answer carries on to its client.
pub fn towards_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    strip_ours(headers, &[]);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The fields that `Connection` declares hop-by-hop. `Host` cannot be: an owner without it answers for nobody.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    names.filter(|name| *name != HOST).collect()
}

fn strip_ours(headers: &mut HeaderMap, keep: &[HeaderName]) {
    let is_ours = |name: &&HeaderName| name.as_str().starts_with(OURS) && !keep.contains(name);
    let ours: Vec<HeaderName> = headers.keys().filter(is_ours).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn check(headers: &HeaderMap, expected: &str) {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn hop_by_hop_and_invented_headers_end_here() {
        let mut headers = map(&[
            ("host", "shop.example"),
            ("connection", "close, X-Private, host"),
            ("x-private", "1"),
            ("content-length", "3"),
            ("te", "trailers"),
            ("balik-epoch", "99"),
            ("balik-answered-by", "seam"),
            ("balik-via", "another"),
            ("idempotency-key", "k"),
        ]);
        towards_owner(&mut headers, &Via::new(10), Epoch(7), 5);
        check(
            &headers,
            "balik-epoch: 7\nbalik-via: 000000000000000a\nbalik-via: another\ncontent-length: 5\nhost: shop.example\n\
             idempotency-key: k",
        );
    }

    #[test]
    fn an_owner_cannot_speak_as_the_seam() {
        let mut headers = map(&[("balik-answered-by", "seam"), ("balik-via", "x"), ("etag", "1"), ("keep-alive", "5")]);
        towards_client(&mut headers);
        check(&headers, "etag: 1");
    }

    #[test]
    fn a_request_that_was_here_is_a_loop() {
        let via = Via::new(10);
        let mut headers = map(&[("balik-via", "another")]);
        assert!(!via.is_loop(&headers));
        towards_owner(&mut headers, &via, Epoch::FIRST, 0);
        assert!(via.is_loop(&headers) && !Via::new(11).is_loop(&headers));
    }
}
