//! The signature of a notice: HMAC-SHA256 over the time and the raw body, with the time beside it.

use ring::hmac;
use std::fmt::Write;

/// The header's name.
pub const HEADER: &str = "loket-signature";

/// `t=1764000000,v1=…` in lower-case hex.
pub fn signature(key: &str, seconds: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("t={seconds},v1={}", hex(context.sign().as_ref()))
}

/// Whether a header was made with this key for this body. How old it is, the caller judges.
pub fn verify(key: &str, header: &str, body: &[u8]) -> bool {
    let field = |name: &str| header.split(',').find_map(|part| part.strip_prefix(name));
    let Some(seconds) = field("t=").and_then(|seconds| seconds.parse::<i64>().ok()) else { return false };
    signature(key, seconds, body) == header
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{signature, verify};

    #[test]
    fn a_body_is_signed_as_the_published_example_is() {
        let body = br#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;
        let header = signature("whsec_test_baliklayar", 1_764_000_000, body);
        let expected = "t=1764000000,v1=16162012540def0c0a2e63f0b82aff7711dd4edda508d03a5419cc0c4f5bb94b";
        assert_eq!(header, expected);
        assert!(verify("whsec_test_baliklayar", &header, body));
        assert!(!verify("whsec_test_baliklayar", &header, b"{}"));
        assert!(!verify("another", &header, body));
    }
}
