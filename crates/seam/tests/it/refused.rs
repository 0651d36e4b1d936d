//! Requests that the seam does not let through: malformed, ambiguous, too large, too slow, in a circle.

use std::time::Duration;

use seam::Config;
use vocab::id::{Epoch, ShopId, Side};

use crate::client::{Client, Raw};
use crate::world::{World, authority};

/// Sends bytes, expects the status, and that no owner got anything.
async fn check(world: &World, bytes: &str, status: &str) {
    let mut raw = Raw::connect(world.address()).await;
    raw.write(bytes).await;
    let answer = raw.read_until("\r\n\r\n").await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes} → {answer}");
    assert_eq!(world.legacy.count(), 0, "{bytes}");
}

#[tokio::test]
async fn a_request_with_two_readings_is_refused() {
    let world = World::start().await;
    let post = |fields: &str, body: &str| format!("POST /shops/a/carts HTTP/1.1\r\n{fields}\r\n{body}");
    for (fields, body) in [
        ("host: h\r\ncontent-length: 3\r\ncontent-length: 5\r\n", "01234"),
        ("host: h\r\ncontent-length: 3, 5\r\n", "01234"),
        ("host: h\r\ncontent-length: +3\r\n", "012"),
        ("host: h\r\ntransfer-encoding: identity\r\n", "012"),
        ("host: h\r\ntransfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("host: h\r\ntransfer-encoding: chunked\r\n", "zz\r\n\r\n"),
        ("host : h\r\ncontent-length: 0\r\n", ""),
        ("content-length: 0\r\n", ""),
        ("host: h\r\nhost: i\r\ncontent-length: 0\r\n", ""),
    ] {
        check(&world, &post(fields, body), "400").await;
    }
    check(&world, "POST /shops/b/../a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n", "400").await;
    check(&world, "POST http://other/shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n", "400").await;
}

#[tokio::test]
async fn a_length_beside_chunks_hides_no_second_request() {
    let hidden = "0\r\n\r\nPOST /shops/a/carts/hidden HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
    let (length, chunked) = (format!("content-length: {}\r\n", hidden.len()), "transfer-encoding: chunked\r\n");
    for fields in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
        let world = World::start().await;
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&format!("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\n{fields}\r\n{hidden}")).await;
        let answers = raw.read_to_end().await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        let seen = world.legacy.seen();
        assert_eq!(seen.iter().map(crate::owner::Seen::line).collect::<Vec<_>>(), ["POST /shops/a/carts "]);
        assert_eq!(seen[0].headers["content-length"], "0");
        assert!(!seen[0].headers.contains_key("transfer-encoding"));
    }
}

#[tokio::test]
async fn a_chunked_body_goes_on_with_its_length() {
    let world = World::start().await;
    let mut raw = Raw::connect(world.address()).await;
    raw.write(
        "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    .await;
    raw.read_until("legacy abcde").await;
    assert_eq!(world.legacy.seen()[0].headers["content-length"], "5");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let world = World::with(|config| config.limits.body_max = 10).await;
    assert_eq!(world.call("POST", "/shops/a/carts", "0123456789").await.body, "legacy 0123456789");
    assert_eq!(world.call("POST", "/shops/a/carts", "0123456789a").await.by_seam(), "413 request_too_large");
    let mut raw = Raw::connect(world.address()).await;
    raw.write(
        "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
    )
    .await;
    assert!(raw.read_to_end().await.starts_with("HTTP/1.1 413"));
    assert_eq!(world.legacy.count(), 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::with(|config| config.limits.body_within = Duration::from_millis(50)).await;
    let mut raw = Raw::connect(world.address()).await;
    raw.write("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n01234").await;
    assert!(raw.read_to_end().await.starts_with("HTTP/1.1 408"));
    assert_eq!(world.legacy.count(), 0);
}

#[tokio::test]
async fn a_request_that_comes_back_to_the_same_seam_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let itself = authority(listener.local_addr().unwrap());
    let seam = seam::start(listener, Config::new(itself.clone(), itself)).unwrap();
    let shop = ShopId::parse("a").unwrap();
    seam.handle().publish(&seam::Route { shop, owner: Side::Legacy, epoch: Epoch(1) }).unwrap();
    seam.handle().heartbeat();
    let reply = Client::connect(seam.address()).await.call("POST", "/shops/a/carts", "").await;
    assert_eq!(reply.status.as_u16(), 508);
}
