//! The plain request: the strict subset of HTTP/1.1 that is forwarded as bytes.
//!
//! Invariant: whatever two programs could read in two ways is not plain: it goes to the general way, which refuses it or
//! understands all of it. Plain is a known method, a path of harmless bytes, exactly one host, at most one length in
//! digits, no other framing, nothing hop-by-hop but `Connection: keep-alive`, and no field of ours. The head is written
//! anew from its parts, not copied; a line that ended with LF alone, as RFC 9112 allows, goes on with CRLF.
//! Absent on purpose: connections, owners, whether the path means anything.

use std::mem::MaybeUninit;
use std::ops::Range;

use http::Method;

use crate::fields::{self, Kind};
use crate::headers::Via;

/// Fields of a plain request at most.
const FIELDS_MAX: usize = 64;

/// Bytes of a plain request's head at most.
pub const HEAD_MAX: usize = 16 << 10;

/// A request whose head is here.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain {
    pub method: Method,
    /// Where its path stands in the bytes, without the query.
    pub path: Range<usize>,
    /// Where its body begins.
    pub head_len: usize,
    pub body_len: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// The head is not all here.
    Incomplete,
    Plain(Plain),
    /// For the general way.
    Other,
}

/// Reads a head; of a plain one it writes the head for the owner into `out`, without its last line.
pub fn read(bytes: &[u8], via: &Via, out: &mut Vec<u8>) -> Seen {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let head_len = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete(head_len)) if head_len <= HEAD_MAX => head_len,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Seen::Incomplete,
        Ok(_) | Err(_) => return Seen::Other,
    };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return Seen::Other;
    };
    out.clear();
    let Some(known) = known(method) else { return Seen::Other };
    // One space lies between method and target: then this is where the target stands.
    let start = method.len() + 1;
    if bytes.get(start..start + target.len()) != Some(target.as_bytes()) || !is_harmless(target) {
        return Seen::Other;
    }
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let Some(body_len) = write_fields(request.headers, out) else { return Seen::Other };
    via.push(out);
    let path_len = target.find('?').unwrap_or(target.len());
    Seen::Plain(Plain { method: known, path: start..start + path_len, head_len, body_len })
}

/// Writes the fields that go on; answers the body's length, or none if a field makes the request no plain one.
fn write_fields(given: &[httparse::Header<'_>], out: &mut Vec<u8>) -> Option<usize> {
    let (mut hosts, mut body_len) = (0, None);
    for httparse::Header { name, value } in given {
        match fields::kind(name) {
            Kind::EndToEnd => fields::push(out, name, value),
            Kind::Host if !value.is_empty() => {
                hosts += 1;
                fields::push(out, name, value);
            }
            Kind::ContentLength if body_len.is_none() => {
                let length = fields::length(value)?;
                body_len = Some(length);
                // Not as it came: there are programs to which 010 is eight.
                fields::push_number(out, name, u64::try_from(length).unwrap_or(u64::MAX));
            }
            Kind::Connection if value.eq_ignore_ascii_case(b"keep-alive") => {}
            Kind::Host
            | Kind::ContentLength
            | Kind::Connection
            | Kind::TransferEncoding
            | Kind::HopByHop
            | Kind::Ours
            | Kind::MethodOverride => return None,
        }
    }
    (hosts == 1).then_some(body_len.unwrap_or(0))
}

fn known(method: &str) -> Option<Method> {
    Some(match method {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => return None,
    })
}

/// Origin form, of bytes that every parser takes for a path and a query.
fn is_harmless(target: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/?!$&'()*+,;=:@".contains(&byte);
    target.starts_with('/') && target.bytes().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (Seen, String) {
        let mut out = Vec::new();
        let seen = read(text.as_bytes(), &Via::new(10), &mut out);
        (seen, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_plain_head_is_written_anew() {
        let text = "PUT /shops/a/carts/7?x=%2F HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\nIdempotency-Key:k\r\n\
                    Content-Length: 03\r\n\r\nabc";
        let (seen, out) = seen(text);
        let plain = Plain { method: Method::PUT, path: 4..20, head_len: text.len() - 3, body_len: 3 };
        assert_eq!(&text[plain.path.clone()], "/shops/a/carts/7");
        assert_eq!(seen, Seen::Plain(plain));
        assert_eq!(
            out,
            "PUT /shops/a/carts/7?x=%2F HTTP/1.1\r\nHost: h\r\nIdempotency-Key: k\r\nContent-Length: 3\r\n\
             balik-via: 000000000000000a\r\n"
        );
    }

    #[test]
    fn half_a_head_is_waited_for() {
        let text = "GET /shops/a/carts/7 HTTP/1.1\r\nhost: h\r\n\r\n";
        for length in 0..text.len() {
            assert_eq!(seen(&text[..length]).0, Seen::Incomplete, "{length}");
        }
        assert!(matches!(seen(text).0, Seen::Plain(_)));
    }

    #[test]
    fn whatever_could_be_read_in_two_ways_is_not_plain() {
        let head = |line: &str, fields: &str| format!("{line}\r\n{fields}\r\n");
        let get = "GET /shops/a/carts/7 HTTP/1.1";
        for text in [
            head(get, ""),
            head(get, "host: \r\n"),
            head(get, "host: h\r\nhost: i\r\n"),
            head(get, "host: h\r\ncontent-length: 1\r\ncontent-length: 1\r\n"),
            head(get, "host: h\r\ncontent-length: 1, 1\r\n"),
            head(get, "host: h\r\ncontent-length: +1\r\n"),
            head(get, "host: h\r\ncontent-length: \r\n"),
            head(get, "host: h\r\ntransfer-encoding: chunked\r\n"),
            head(get, "host: h\r\nTransfer-Encoding: identity\r\n"),
            head(get, "host: h\r\nconnection: close\r\n"),
            head(get, "host: h\r\nconnection: keep-alive, x-private\r\n"),
            head(get, "host: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n"),
            head(get, "host: h\r\nexpect: 100-continue\r\n"),
            head(get, "host: h\r\nte: trailers\r\n"),
            head(get, "host: h\r\nbalik-via: 1\r\n"),
            head(get, "host: h\r\nBALIK-EPOCH: 1\r\n"),
            head(get, "host: h\r\nbalik_epoch: 1\r\n"),
            head(get, "host: h\r\ncontent_length: 1\r\n"),
            head(get, "host: h\r\nx-http-method-override: PUT\r\n"),
            head(get, "host : h\r\n"),
            head(get, "host: h\r\n folded\r\n"),
            head("GET /shops/a/carts/7 HTTP/1.0", "host: h\r\n"),
            head("GET  /shops/a/carts/7 HTTP/1.1", "host: h\r\n"),
            head("HEAD /shops/a/carts/7 HTTP/1.1", "host: h\r\n"),
            head("OPTIONS * HTTP/1.1", "host: h\r\n"),
            head("CONNECT a:1 HTTP/1.1", "host: h\r\n"),
            head("get /shops/a/carts/7 HTTP/1.1", "host: h\r\n"),
            head("GET http://h/shops/a/carts/7 HTTP/1.1", "host: h\r\n"),
            head("GET /shops/a/carts/7#f HTTP/1.1", "host: h\r\n"),
            head("GET /shops/a\\b/carts/7 HTTP/1.1", "host: h\r\n"),
            head("GET /shops/a/carts/\u{e4} HTTP/1.1", "host: h\r\n"),
            format!("\r\n{}", head(get, "host: h\r\n")),
            head(get, &format!("host: h\r\n{}", "x: y\r\n".repeat(FIELDS_MAX))),
            head(get, &format!("host: h\r\nx: {}\r\n", "y".repeat(HEAD_MAX))),
        ] {
            assert_eq!(seen(&text).0, Seen::Other, "{text}");
        }
    }
}
