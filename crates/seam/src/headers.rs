//! The seam's own fields, and the head of a request that came the general way, written for its owner.
//!
//! Invariant: no `balik-*` header that a client or an owner made up passes, except the loop guard, which is only
//! ever extended; hop-by-hop fields end here in both directions.
//! Absent on purpose: any other rewriting. Authority, path and signatures reach the owner as they came.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;

use crate::fields::{self, Kind};

pub const ANSWERED_BY: &str = "balik-answered-by";
pub const EPOCH: &str = "balik-epoch";
pub const VIA: HeaderName = HeaderName::from_static("balik-via");
pub const SIDE: &str = "balik-side";
pub const HELD_US: &str = "balik-held-us";

/// Seams that a request may have passed before this one.
const VIA_MAX: usize = 8;

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

    /// Adds it to a head.
    pub fn push(&self, head: &mut Vec<u8>) {
        fields::push(head, VIA.as_str(), self.0.as_bytes());
    }
}

/// The head that a request carries on to its owner, without its last line. However its body was framed, it is whole
/// here: it goes on with the length that was received, also when that is 0, because some owners refuse a POST without.
pub fn towards_owner(request: &Parts, via: &Via, body_len: usize) -> Vec<u8> {
    let Parts { method, uri, headers, .. } = request;
    // Origin form: an absolute one has been found to name the same authority as `Host`.
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    let private = named_by_connection(headers);
    for (name, value) in headers {
        let goes_on = match fields::kind(name.as_str()) {
            Kind::EndToEnd | Kind::Host | Kind::MethodOverride => !private.contains(name),
            Kind::Ours => *name == VIA,
            Kind::ContentLength | Kind::Connection | Kind::TransferEncoding | Kind::HopByHop => false,
        };
        if goes_on {
            fields::push(&mut head, name.as_str(), value.as_bytes());
        }
    }
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        fields::push_number(&mut head, CONTENT_LENGTH.as_str(), u64::try_from(body_len).unwrap_or(u64::MAX));
    }
    via.push(&mut head);
    head
}

/// The fields that `Connection` declares hop-by-hop. `Host` cannot be: an owner without it answers for nobody.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok());
    names.filter(|name| *name != HOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn request(fields: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::builder().method("POST").uri("http://shop.example/shops/a/carts?b=%2F");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn hop_by_hop_and_invented_headers_end_here() {
        let request = request(&[
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
        assert_eq!(
            String::from_utf8(towards_owner(&request, &Via::new(10), 5)).unwrap(),
            "POST /shops/a/carts?b=%2F HTTP/1.1\r\nhost: shop.example\r\nbalik-via: another\r\nidempotency-key: k\r\n\
             content-length: 5\r\nbalik-via: 000000000000000a\r\n"
        );
    }

    #[test]
    fn a_request_that_was_here_is_a_loop() {
        let via = Via::new(10);
        let other = request(&[("balik-via", "another")]);
        let was_here = request(&[("balik-via", "another"), ("balik-via", "000000000000000a")]);
        let wanders = request(&[("balik-via", "another"); VIA_MAX + 1]);
        assert!(!via.is_loop(&other.headers) && via.is_loop(&was_here.headers) && via.is_loop(&wanders.headers));
    }
}
