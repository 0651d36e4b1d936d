//! What the provider tells by itself: `t=SECONDS,v1=HEX`, HMAC-SHA256 over the time, a point and the raw body.
//!
//! How old one is nobody looks at here: whoever stands in front hands them on late. A notice is a reason to ask, no fact.

use ring::hmac;
use serde::Deserialize;

/// The header with the signature.
pub const HEADER: &str = "loket-signature";

const REFERENCE_MAX: usize = 80;

#[derive(Deserialize)]
struct Event {
    data: Subject,
}

#[derive(Deserialize)]
struct Subject {
    reference: String,
}

/// The reference that a notice is about; none where it does not say.
pub fn reference(body: &[u8]) -> Option<String> {
    let event: Event = serde_json::from_slice(body).ok()?;
    Some(event.data.reference).filter(|it| !it.is_empty() && it.len() <= REFERENCE_MAX)
}

pub fn is_signed(keys: &[hmac::Key], header: &str, body: &[u8]) -> bool {
    let mut parts = header.split(',').map(str::trim);
    let Some(seconds) = parts.clone().find_map(|part| part.strip_prefix("t=")) else { return false };
    if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let signed = [seconds.as_bytes(), b".", body].concat();
    let Some(tag) = parts.find_map(|part| part.strip_prefix("v1=")).and_then(bytes) else { return false };
    keys.iter().any(|key| hmac::verify(key, &signed, &tag).is_ok())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|it| it.len() == 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of the provider.
    const BODY: &[u8] = br#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;
    const SIGNED: &str = "t=1764000000,v1=16162012540def0c0a2e63f0b82aff7711dd4edda508d03a5419cc0c4f5bb94b";

    #[test]
    fn a_notice_is_signed_with_one_of_the_keys_or_not_at_all() {
        let key = |text: &str| hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let keys = [key("another"), key("whsec_test_baliklayar")];
        assert!(is_signed(&keys, SIGNED, BODY));
        assert!(!is_signed(&keys[..1], SIGNED, BODY) && !is_signed(&keys, SIGNED, &BODY[1..]));
        for wrong in ["", "t=1764000000", "v1=00", "t=,v1=", &SIGNED.replace("94b", "94a"), &SIGNED.replace('4', "é")]
        {
            assert!(!is_signed(&keys, wrong, BODY), "{wrong}");
        }
    }

    #[test]
    fn a_notice_says_what_it_is_about() {
        assert_eq!(reference(br#"{"data":{"reference":"57-2"}}"#).as_deref(), Some("57-2"));
        for other in [&b"{}"[..], b"", br#"{"data":{"reference":""}}"#] {
            assert_eq!(reference(other), None);
        }
    }
}
