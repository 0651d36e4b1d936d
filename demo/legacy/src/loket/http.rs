//! A call over HTTP/1.1: one connection each, one answer, all of it or none.
//!
//! Whatever is not a whole answer with a length is no answer: no connection, silence, half of it, too much of it.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const BODY_MAX: usize = 64 * 1024;
const HEAD_MAX: usize = 8 * 1024;

/// What came back.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Knows the provider's host and the key of its API.
pub struct Caller {
    host: String,
    key: String,
}

impl Caller {
    pub fn new(host: &str, key: &str) -> Self {
        Self { host: host.to_owned(), key: key.to_owned() }
    }

    /// None: no whole answer in time. It may have been done all the same.
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Option<Reply> {
        tokio::time::timeout(ANSWER_WITHIN, self.exchange(method, path, body)).await.ok().flatten()
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> Option<Reply> {
        let (host, key, length) = (&self.host, &self.key, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(host.as_str()).await.ok()?;
        stream.set_nodelay(true).ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        let most = u64::try_from(HEAD_MAX + BODY_MAX).ok()?;
        stream.take(most).read_to_end(&mut answer).await.ok()?;
        read(&answer)
    }
}

fn read(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").filter(|end| *end <= HEAD_MAX)?;
    let (head, body) = (std::str::from_utf8(answer.get(..end)?).ok()?, answer.get(end + 4..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut lengths = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = lengths.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    let whole = length.trim().parse() == Ok(body.len()) && body.len() <= BODY_MAX;
    whole.then(|| Reply { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: &str) -> Option<(u16, String)> {
        read(answer.as_bytes()).map(|reply| (reply.status, String::from_utf8(reply.body).unwrap()))
    }

    #[test]
    fn a_whole_answer_is_read_and_half_of_one_is_none() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(said(whole), Some((200, "{}".to_owned())));
        for at in 0..whole.len() {
            assert_eq!(said(&whole[..at]), None);
        }
        for other in
            ["HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
        {
            assert_eq!(said(other), None);
        }
        assert_eq!(said(&format!("{whole}x")), None);
    }
}
