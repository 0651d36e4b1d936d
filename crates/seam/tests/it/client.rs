//! Clients for tests: one that speaks HTTP well, and one that sends the bytes it is told to.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine; a test that reaches it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code of an answer that the seam itself gave.
    pub fn by_seam(&self) -> String {
        assert_eq!(self.header("balik-answered-by"), Some("seam"), "{self:?}");
        let code = self.body.split('"').nth(3).unwrap();
        let retry = self.header("retry-after").map_or(String::new(), |after| format!(", again after {after} s"));
        format!("{} {code}{retry}", self.status.as_u16())
    }
}

/// A client with one connection that it keeps.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { sender }
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Reply {
        let sent = async {
            self.sender.ready().await.unwrap();
            let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Reply { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
        };
        timeout(PATIENCE, sent).await.expect("an answer")
    }

    pub async fn call(&mut self, method: &str, path: &str, body: &str) -> Reply {
        self.send(request(method, path, body)).await
    }
}

pub fn request(method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "shop.example");
    request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

/// A connection on which a test writes bytes.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    pub async fn write(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// The same where the seam may not listen to the end.
    pub async fn try_write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more comes; the answer may.
    pub async fn close_half(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Everything until the head of an answer has ended, or the seam closes the connection.
    pub async fn read_head(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !bytes.windows(4).any(|window| window == b"\r\n\r\n")
                && self.stream.read_buf(&mut bytes).await.is_ok_and(|count| count > 0)
            {}
        };
        timeout(PATIENCE, read).await.expect("an answer");
        String::from_utf8(bytes).unwrap()
    }

    /// What comes until nothing has come for so long.
    pub async fn read_until_silence(&mut self, silence: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Ok(Ok(count)) = timeout(silence, self.stream.read_buf(&mut bytes)).await
            && count > 0
        {}
        bytes
    }

    /// Everything until the seam closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset after the answer is an end as well.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await.expect("an end");
        String::from_utf8(bytes).unwrap()
    }

    /// Everything until `end` has been read.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let read = async {
            while !text.contains(end) {
                let mut bytes = [0; 1_024];
                let count = self.stream.read(&mut bytes).await.unwrap();
                assert!(count > 0, "closed after {text}");
                text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        };
        timeout(PATIENCE, read).await.expect("an answer");
        text
    }
}
