//! An owner for tests: writes down each request completely received, and answers when it is let.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// One request as the owner got it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn line(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.body)
    }
}

#[derive(Clone)]
pub struct Owner {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    seen: Mutex<Vec<Seen>>,
    active: AtomicUsize,
    /// How many requests, counted from the first, may be answered.
    answers: watch::Sender<usize>,
}

impl Owner {
    pub async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers = watch::Sender::new(usize::MAX);
        let inner = Inner { name, seen: Mutex::default(), active: AtomicUsize::new(0), answers };
        let owner = Self { address, inner: Arc::new(inner) };
        let accepting = owner.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let owner = accepting.clone();
                let respond = service_fn(move |request| {
                    let owner = owner.clone();
                    async move { Ok::<_, Infallible>(owner.respond(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), respond));
            }
        });
        owner
    }

    /// From now on only the first `count` requests are answered; the others wait.
    pub fn answer_first(&self, count: usize) {
        self.inner.answers.send_replace(count);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub fn count(&self) -> usize {
        self.inner.seen.lock().unwrap().len()
    }

    /// Requests received and not yet answered.
    pub fn active(&self) -> usize {
        self.inner.active.load(Ordering::SeqCst)
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.inner.active.fetch_add(1, Ordering::SeqCst);
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let number = {
            let mut seen = self.inner.seen.lock().unwrap();
            seen.push(Seen { method: method.to_string(), path: uri.to_string(), headers, body: body.clone() });
            seen.len()
        };
        self.inner.answers.subscribe().wait_for(|count| *count >= number).await.unwrap();
        self.inner.active.fetch_sub(1, Ordering::SeqCst);
        let answer = format!("{} {}", self.inner.name, body);
        Response::builder().header("x-owner", self.inner.name).header("balik-epoch", "777").body(answer.into()).unwrap()
    }
}
