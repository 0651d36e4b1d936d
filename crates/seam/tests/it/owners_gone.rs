//! Owners that refuse, close, stall or say too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{World, authority};

/// An owner that answers each connection's first request with `first` and closes on every other; counts requests.
async fn closing_owner(first: &'static str) -> (Authority, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = authority(listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut bytes = [0; 4_096];
                for answer in [first, ""] {
                    if stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    if answer.is_empty() {
                        return;
                    }
                }
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn an_owner_that_is_not_there_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = authority(listener.local_addr().unwrap());
    drop(listener);
    let world = World::with(|config| config.legacy = nobody).await;
    for (method, path) in [("POST", "/shops/a/carts"), ("GET", "/shops/a/carts/1")] {
        assert_eq!(world.call(method, path, "").await.by_seam(), "502 owner_unreachable, again after 1 s");
    }
    assert_eq!(world.handle.in_flight(&world.shop), 0);
}

#[tokio::test]
async fn a_write_that_may_have_been_executed_is_never_sent_again() {
    let (owner, requests) = closing_owner("").await;
    let world = World::with(|config| config.legacy = owner).await;
    assert_eq!(world.call("POST", "/shops/a/carts", "w").await.by_seam(), "502 owner_closed");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn on_a_kept_connection_that_ends_a_read_is_repeated_and_a_write_is_not() {
    let (owner, requests) = closing_owner("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let one_pool = |config: &mut seam::Config| (config.legacy, config.threads) = (owner, 1);
    let world = World::with(one_pool).await;
    let read = async || world.call("GET", "/shops/a/carts/1", "").await;
    assert_eq!(read().await.body, "ok");
    assert_eq!(read().await.body, "ok");
    assert_eq!(requests.load(Ordering::SeqCst), 3, "the second went out twice");
    assert_eq!(world.call("POST", "/shops/a/carts", "w").await.by_seam(), "502 owner_closed");
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_answer_cut_off_is_no_answer() {
    let (owner, _) = closing_owner("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf").await;
    let world = World::with(|config| {
        config.legacy = owner;
        config.limits.answer_within = Duration::from_millis(200);
    })
    .await;
    assert_eq!(world.call("POST", "/shops/a/carts", "w").await.by_seam(), "504 owner_timeout");
    assert_eq!(world.handle.in_flight(&world.shop), 0);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_kept_in_memory() {
    let world = World::with(|config| config.limits.answer_max = 100).await;
    assert_eq!(world.call("POST", "/shops/a/carts", &"x".repeat(200)).await.by_seam(), "502 answer_too_large");
}
