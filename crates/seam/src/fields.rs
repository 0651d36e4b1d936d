//! What a header field means to a gateway, by its name alone.
//!
//! Invariant: hop-by-hop fields and `balik-*` are known here and nowhere else.

/// What is done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes on as it came.
    EndToEnd,
    Host,
    ContentLength,
    Connection,
    TransferEncoding,
    /// Ends here, like the two before it.
    HopByHop,
    /// `balik-*`: only this seam makes these, save the loop guard. Also whatever some owner could take for another kind.
    Ours,
    /// Frameworks let these turn a GET into something else, so whoever sends one is held like a writer.
    MethodOverride,
}

const HOP_BY_HOP: [&str; 8] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
];
pub const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
const OURS: &str = "balik-";

/// Names are compared without their case. Most names are told from all others by their length alone.
pub fn kind(name: &str) -> Kind {
    let kind = spelt(name);
    // Programs that make variables of fields take `_`, and some take every sign, for `-`: what would be one of ours or of
    // the framing there, and is neither here, goes no further.
    let is_sign = |byte: char| !byte.is_ascii_alphanumeric() && byte != '-';
    let is_mistaken = |name: &str| name.contains(is_sign) && spelt(&name.replace(is_sign, "-")) != Kind::EndToEnd;
    if kind == Kind::EndToEnd && is_mistaken(name) { Kind::Ours } else { kind }
}

/// What a name means as it is spelt.
fn spelt(name: &str) -> Kind {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if name.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS)) {
        Kind::Ours
    } else if is("host") {
        Kind::Host
    } else if is("content-length") {
        Kind::ContentLength
    } else if is("connection") {
        Kind::Connection
    } else if is("transfer-encoding") {
        Kind::TransferEncoding
    } else if HOP_BY_HOP.iter().any(|known| is(known)) {
        Kind::HopByHop
    } else if METHOD_OVERRIDES.iter().any(|known| is(known)) {
        Kind::MethodOverride
    } else {
        Kind::EndToEnd
    }
}

/// Adds one field to a head.
pub fn push(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// Adds one field with a number.
pub fn push_number(head: &mut Vec<u8>, name: &str, value: u64) {
    let mut digits = [0; 20];
    let (mut rest, mut at) = (value, digits.len());
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    push(head, name, &digits[at..]);
}

/// A length as RFC 9110 spells one, and no other way: digits.
pub fn length(value: &[u8]) -> Option<usize> {
    let digits = !value.is_empty() && value.len() < 19 && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_its_name_in_any_case() {
        for (name, expected) in [
            ("Host", Kind::Host),
            ("CONTENT-length", Kind::ContentLength),
            ("Connection", Kind::Connection),
            ("transfer-Encoding", Kind::TransferEncoding),
            ("TE", Kind::HopByHop),
            ("Proxy-Authorization", Kind::HopByHop),
            ("Balik-Epoch", Kind::Ours),
            ("balik-", Kind::Ours),
            ("X-HTTP-Method-Override", Kind::MethodOverride),
            ("balik", Kind::EndToEnd),
            ("Balik_Epoch", Kind::Ours),
            ("balik_epoch-", Kind::Ours),
            ("Content_Length", Kind::Ours),
            ("Content.Length", Kind::Ours),
            ("x!http!method!override", Kind::Ours),
            ("TRANSFER_encoding", Kind::Ours),
            ("x-http_method-override", Kind::Ours),
            ("order_id", Kind::EndToEnd),
            ("hosts", Kind::EndToEnd),
            ("idempotency-key", Kind::EndToEnd),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        assert_eq!([length(b"0"), length(b"240"), length(b"007")], [Some(0), Some(240), Some(7)]);
        for no in ["", "+1", "-1", " 1", "1 ", "1,1", "0x1", "1.0", "99999999999999999999"] {
            assert_eq!(length(no.as_bytes()), None, "{no}");
        }
    }

    #[test]
    fn a_number_is_written_in_digits() {
        let mut head = Vec::new();
        for number in [0, 7, 240, u64::MAX] {
            push_number(&mut head, "n", number);
        }
        assert_eq!(head, b"n: 0\r\nn: 7\r\nn: 240\r\nn: 18446744073709551615\r\n");
    }
}
