//! An owner's answer: read from its bytes, and written anew for the client.
//!
//! Invariant: what a client gets is whole and framed by its length, however the owner framed it; hop-by-hop fields and
//! made-up `balik-*` fields end here.
//! Absent on purpose: connections; what an answer says.

use std::mem::MaybeUninit;

use crate::fields::{self, Kind};

/// Fields of an answer at most.
const FIELDS_MAX: usize = 96;

/// Bytes of an answer's head at most.
pub const HEAD_MAX: usize = 64 << 10;

/// Bytes of a line between chunks, and of all trailers, at most.
const CHUNK_LINE_MAX: usize = 4 << 10;

/// What is wrong with an owner's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the owner's answer is not HTTP: {0}")]
pub struct Malformed(pub &'static str);

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// An answer whose head is here and has been written for the client.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Where the body begins.
    pub head_len: usize,
    pub framing: Framing,
    /// Whether the owner takes another request on this connection.
    pub keeps: bool,
    /// The length that the owner says an answer without a body would have had.
    pub told_len: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Incomplete,
    /// Something in between, so long: the answer comes after it.
    Interim(usize),
    Final(Head),
}

/// Reads an answer's head and writes the client's into `out`: all but its length and its last line.
///
/// # Errors
/// The bytes are no answer, or could be read as two different ones.
pub fn read(bytes: &[u8], to_head: bool, out: &mut Vec<u8>) -> Result<Seen, Malformed> {
    let mut given = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, bytes, &mut given);
    let head_len = match parsed {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX => return Ok(Seen::Incomplete),
        Ok(httparse::Status::Partial) => return Err(Malformed("its head is too long")),
        Err(_) => return Err(Malformed("its head cannot be read")),
    };
    let (Some(status), Some(version)) = (answer.code, answer.version) else { return Err(Malformed("no status")) };
    match status {
        101 => return Err(Malformed("it switches to another protocol")),
        100..=199 => return Ok(Seen::Interim(head_len)),
        200..=999 => {}
        _ => return Err(Malformed("a status that there is not")),
    }
    out.clear();
    write_status(status, answer.reason.unwrap_or_default(), out);
    let told = write_fields(answer.headers, out)?;
    let framing = if to_head || matches!(status, 204 | 304) {
        Framing::Length(0)
    } else if told.chunked {
        Framing::Chunked
    } else {
        told.length.map_or(Framing::UntilClose, Framing::Length)
    };
    // An owner that says two things of its body, or that a 204 has one, may send what nobody here waits for; so may one
    // that takes HEAD for GET.
    let says_one_thing = match (told.chunked, told.length) {
        (true, length) => length.is_none() && !matches!(status, 204 | 304),
        (false, length) => status != 204 || length.is_none_or(|length| length == 0),
    };
    let keeps = version == 1 && !told.closes && !to_head && says_one_thing;
    let told_len = told.length.filter(|_| !told.chunked && status != 204);
    Ok(Seen::Final(Head { status, head_len, framing, keeps: keeps && framing != Framing::UntilClose, told_len }))
}

fn write_status(status: u16, reason: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    for divisor in [100, 10, 1] {
        out.push(b'0' + u8::try_from(status / divisor % 10).unwrap_or(0));
    }
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[derive(Default)]
struct Told {
    length: Option<usize>,
    chunked: bool,
    closes: bool,
}

fn write_fields(given: &[httparse::Header<'_>], out: &mut Vec<u8>) -> Result<Told, Malformed> {
    let mut told = Told::default();
    let private = Private::of(given);
    for httparse::Header { name, value } in given {
        match fields::kind(name) {
            Kind::EndToEnd | Kind::Host | Kind::MethodOverride if !private.names(name) => {
                fields::push(out, name, value);
            }
            Kind::ContentLength => {
                let length = fields::length(value).ok_or(Malformed("a length that is none"))?;
                if told.length.is_some_and(|other| other != length) {
                    return Err(Malformed("two lengths"));
                }
                told.length = Some(length);
            }
            Kind::TransferEncoding if value.eq_ignore_ascii_case(b"chunked") && !told.chunked => told.chunked = true,
            Kind::TransferEncoding => return Err(Malformed("a transfer encoding that nobody asked for")),
            Kind::Connection => told.closes |= !value.eq_ignore_ascii_case(b"keep-alive"),
            Kind::EndToEnd | Kind::Host | Kind::MethodOverride | Kind::HopByHop | Kind::Ours => {}
        }
    }
    Ok(told)
}

/// The fields that `Connection` declares hop-by-hop; mostly none.
struct Private<'a>(Option<&'a [httparse::Header<'a>]>);

impl<'a> Private<'a> {
    fn of(given: &'a [httparse::Header<'a>]) -> Self {
        let declares = |field: &httparse::Header<'_>| {
            fields::kind(field.name) == Kind::Connection
                && !field.value.eq_ignore_ascii_case(b"close")
                && !field.value.eq_ignore_ascii_case(b"keep-alive")
        };
        Self(given.iter().any(declares).then_some(given))
    }

    fn names(&self, name: &str) -> bool {
        let declares = |field: &httparse::Header<'_>| {
            fields::kind(field.name) == Kind::Connection
                && field
                    .value
                    .split(|byte| *byte == b',')
                    .any(|one| one.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        self.0.is_some_and(|given| given.iter().any(declares))
    }
}

/// How far a chunked body is.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunks {
    /// Read that much; more has to come.
    More(usize),
    /// The end, after so many bytes.
    End(usize),
    TooLarge,
}

/// Takes the whole chunks at the beginning of `bytes`, and their data into `body`, which may have `max` bytes.
///
/// # Errors
/// These are no chunks.
pub fn chunks(bytes: &[u8], body: &mut Vec<u8>, max: usize) -> Result<Chunks, Malformed> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let (line_len, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((line_len, size))) => (line_len, size),
            Ok(httparse::Status::Partial) if rest.len() < CHUNK_LINE_MAX => return Ok(Chunks::More(at)),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed("a chunk's size cannot be read")),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            return Ok(
                trailers_len(&rest[line_len..])?.map_or(Chunks::More(at), |end| Chunks::End(at + line_len + end))
            );
        }
        if size > max - body.len() {
            return Ok(Chunks::TooLarge);
        }
        let Some(data) = rest.get(line_len..line_len + size + 2) else { return Ok(Chunks::More(at)) };
        let Some(data) = data.strip_suffix(b"\r\n") else { return Err(Malformed("a chunk does not end")) };
        body.extend_from_slice(data);
        at += line_len + size + 2;
    }
}

/// Trailers end at an empty line. They are not passed on.
fn trailers_len(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() < CHUNK_LINE_MAX => Ok(None),
        None => Err(Malformed("trailers are too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        let seen = match read(text.as_bytes(), false, &mut out) {
            Ok(Seen::Final(head)) => format!(
                "{:?}{} after {}\n{}",
                head.framing,
                if head.keeps { ", keeps" } else { "" },
                head.head_len,
                String::from_utf8(out).unwrap()
            ),
            Ok(seen) => format!("{seen:?}"),
            Err(Malformed(why)) => why.to_owned(),
        };
        assert_eq!(seen.trim_end(), expected, "{text}");
    }

    #[test]
    fn an_answer_is_framed_as_its_head_says() {
        let ok = "HTTP/1.1 200 OK";
        check(&format!("{ok}\r\nContent-Length: 2\r\n\r\nab"), "Length(2), keeps after 38\nHTTP/1.1 200 OK");
        check(&format!("{ok}\r\nTransfer-Encoding: Chunked\r\n\r\n"), "Chunked, keeps after 47\nHTTP/1.1 200 OK");
        check(&format!("{ok}\r\n\r\nab"), "UntilClose after 19\nHTTP/1.1 200 OK");
        check("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "Length(2) after 38\nHTTP/1.1 200 OK");
        check(
            &format!("{ok}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"),
            "Length(2) after 57\nHTTP/1.1 200 OK",
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", "Length(0), keeps after 27\nHTTP/1.1 204 No Content");
        check("HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n", "Length(0) after 46\nHTTP/1.1 204 No Content");
        check(
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
            "Length(0) after 57\nHTTP/1.1 304 Not Modified",
        );
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "Interim(25)");
        check("HTTP/1.1 200 OK\r\ncontent-le", "Incomplete");
        // Chunks win, as RFC 9112 has it; and nothing more is sent to an owner that says both.
        check(
            &format!("{ok}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"),
            "Chunked after 66\nHTTP/1.1 200 OK",
        );
    }

    #[test]
    fn an_answer_that_could_be_two_is_none() {
        let ok = "HTTP/1.1 200 OK";
        check(&format!("{ok}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n"), "two lengths");
        check(&format!("{ok}\r\ncontent-length: 2, 2\r\n\r\n"), "a length that is none");
        let coded = "a transfer encoding that nobody asked for";
        check(&format!("{ok}\r\ntransfer-encoding: gzip, chunked\r\n\r\n"), coded);
        check(&format!("{ok}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"), coded);
        check("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", "it switches to another protocol");
        check("SMTP ready\r\n\r\n", "its head cannot be read");
    }

    #[test]
    fn an_owner_cannot_speak_as_the_seam() {
        check(
            "HTTP/1.1 200 OK\r\nETag: 1\r\nBalik-Answered-By: seam\r\nbalik-via: x\r\nkeep-alive: 5\r\nx-private: 1\r\n\
             connection: keep-alive, X-Private\r\ncontent-length: 0\r\n\r\n",
            "Length(0) after 150\nHTTP/1.1 200 OK\r\nETag: 1",
        );
    }

    #[test]
    fn chunks_are_taken_as_they_come() {
        let text = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\nrest";
        let (mut body, mut at) = (Vec::new(), 0);
        for length in 0..text.len() - 4 {
            match chunks(&text[at..length], &mut body, 5).unwrap() {
                Chunks::More(taken) => at += taken,
                Chunks::End(_) | Chunks::TooLarge => panic!("an end at {length}"),
            }
        }
        assert_eq!(chunks(&text[at..], &mut body, 5), Ok(Chunks::End(text.len() - 4 - at)));
        assert_eq!(body, b"abcde");
        assert_eq!(chunks(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", &mut Vec::new(), 4), Ok(Chunks::TooLarge));
        assert_eq!(chunks(b"ffffffffffffffff\r\n", &mut Vec::new(), 4), Ok(Chunks::TooLarge));
        assert!(
            chunks(b"3\r\nabcd\r\n", &mut Vec::new(), 9).is_err() && chunks(b"zz\r\n", &mut Vec::new(), 9).is_err()
        );
    }
}
