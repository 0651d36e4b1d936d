//! The general way: everything that HTTP/1.1 allows and a plain request is not, read by hyper.
//!
//! Invariant: what is ambiguous is refused here, and what is left goes the same way as a plain request.
//! Absent on purpose: speed.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::{Sleep, sleep, timeout};

use crate::answer::{self, Reason};
use crate::connection::HEAD_WITHIN;
use crate::cores::Ending;
use crate::operation::Class;
use crate::server::Service;
use crate::upstream::Question;
use crate::{fields, headers};

/// Serves the rest of a connection of which `read` was received already.
pub async fn serve(stream: TcpStream, read: Vec<u8>, service: Rc<Service>, mut ending: Ending) {
    let respond = service_fn(move |request| {
        let service = Rc::clone(&service);
        async move { Ok::<_, Infallible>(respond(&service, request).await) }
    });
    let stream = Rewound::new(read, stream, HEAD_WITHIN);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), respond);
    let mut connection = pin!(connection);
    // How a client's connection ends is its own affair; what it asked for is accounted for in the gate.
    tokio::select! {
        // First what is here: a request that was received is answered, also when the end has begun.
        biased;
        _ = &mut connection => {}
        () = ending.begun() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Whether the seam itself is asked.
pub fn is_own(method: &Method, path: &str) -> bool {
    method == Method::GET && matches!(path, "/health" | "/ready")
}

/// Writes the seam's answer about itself.
pub fn write_own(service: &Service, path: &str, answer: &mut Vec<u8>) {
    answer::write_state(path == "/health" || service.is_fresh(), answer);
}

async fn respond(service: &Rc<Service>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut answer = Vec::new();
    if is_own(request.method(), request.uri().path()) {
        write_own(service, request.uri().path(), &mut answer);
    } else {
        match pass(service, request).await {
            Ok(passed) => answer = passed,
            Err(reason) => drop(reason.write(&[], &mut answer)),
        }
    }
    parsed(answer)
}

async fn pass(service: &Rc<Service>, request: Request<Incoming>) -> Result<Vec<u8>, Reason> {
    let overridden = fields::METHOD_OVERRIDES.iter().any(|name| request.headers().contains_key(*name));
    let class = service.target(request.method(), request.uri().path(), overridden)?.class;
    check_host(request.uri(), request.headers())?;
    if service.via().is_loop(request.headers()) {
        return Err(Reason::Loop);
    }
    if class != Class::Notice {
        service.check_fresh()?;
    }
    let (parts, body) = request.into_parts();
    let body = receive(service, &parts.headers, body).await?;
    let head = headers::towards_owner(&parts, service.via(), body.len());
    // While a write is parked it hears that its client has left by `here` being dropped with this future.
    let (here, left) = oneshot::channel::<Infallible>();
    let service = Rc::clone(service);
    let passing = async move {
        let target = service.target(&parts.method, parts.uri.path(), overridden)?;
        let question = Question { head: &head, body: &body, to_head: parts.method == Method::HEAD };
        let mut answer = Vec::new();
        let gone = async { drop(left.await) };
        service.pass(target, question, gone, &mut answer).await.map(|()| answer)
    };
    let passed = match class {
        // Nobody needs its answer when its client has left.
        Class::Read => passing.await,
        // A task of its own: once it is with its owner it goes on, whether its client stays or not.
        Class::Write | Class::Notice => spawn_local(passing).await.unwrap_or(Err(Reason::OwnerClosed)),
    };
    drop(here);
    passed
}

async fn receive(service: &Service, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Reason> {
    let max = service.limits().body_max;
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > max) {
        return Err(Reason::BodyTooLarge);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match timeout(service.limits().body_within, Limited::new(body, max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reason::BodyTooLarge),
        Ok(Err(_)) => Err(Reason::InvalidBody),
        Err(_) => Err(Reason::BodyTooSlow),
    }
}

/// Exactly one authority: two would let this seam and the owner think of two shops' hosts.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Reason> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Reason::InvalidHost) };
    match uri.authority() {
        Some(authority) if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            Err(Reason::InvalidHost)
        }
        Some(_) | None => Ok(()),
    }
}

/// An answer that was written here, as hyper wants it.
fn parsed(bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let mut given = vec![httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut given);
    let head_len = match head.parse(&bytes) {
        Ok(httparse::Status::Complete(head_len)) => head_len,
        Ok(httparse::Status::Partial) | Err(_) => return broken(),
    };
    let mut response = Response::builder().status(head.code.unwrap_or_default());
    for httparse::Header { name, value } in head.headers.iter() {
        response = response.header(*name, *value);
    }
    response.body(Full::new(Bytes::from(bytes).slice(head_len..))).unwrap_or_else(|_| broken())
}

/// A field of an owner's that one parser takes and the other does not.
fn broken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

/// A connection whose first bytes were read already, and which ends when its client takes nothing for too long.
struct Rewound {
    first: Bytes,
    stream: TcpStream,
    within: Duration,
    /// Runs while the client takes nothing.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Rewound {
    fn new(first: Vec<u8>, stream: TcpStream, within: Duration) -> Self {
        Self { first: Bytes::from(first), stream, within, patience: None }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.first.len().min(buffer.remaining());
        buffer.put_slice(&self.first.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, within, patience, .. } = &mut *self;
        if let Poll::Ready(written) = Pin::new(stream).poll_write(cx, bytes) {
            *patience = None;
            return Poll::Ready(written);
        }
        let patience = patience.get_or_insert_with(|| Box::pin(sleep(*within)));
        patience.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut rewound = Rewound::new(Vec::new(), stream, Duration::from_millis(20));
        // More than the kernel takes for it.
        let error = rewound.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
