//! Clients and owners that mean harm, or that were written badly: what they send must stay theirs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use vocab::id::Side;

use crate::client::{Client, PATIENCE, Raw};
use crate::world::{World, authority, eventually};

/// An owner that sends what `answer` says: of a request's number on its connection, from 0, and of its text.
async fn owner(
    answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static,
) -> (Authority, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = authority(listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (noted, answer) = (Arc::clone(&heard), Arc::new(answer));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut text = String::new();
                let (mut number, mut bytes) = (0, [0; 4_096]);
                while let Ok(count) = stream.read(&mut bytes).await
                    && count > 0
                {
                    text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
                    if text.contains("\r\n\r\n") {
                        let answer = answer(number, &text);
                        number += 1;
                        noted.lock().unwrap().push(std::mem::take(&mut text));
                        if stream.write_all(&answer).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, heard)
}

#[tokio::test]
async fn an_unchanged_answer_passes_the_general_way_too() {
    let (legacy, _) = owner(|_, _| b"HTTP/1.1 304 Not Modified\r\netag: 1\r\ncontent-length: 5\r\n\r\n".to_vec()).await;
    let world = World::with(|config| config.legacy = legacy).await;
    let mut raw = Raw::connect(world.address()).await;
    raw.write("GET /shops/a/carts/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    let got = raw.read_to_end().await;
    assert!(got.starts_with("HTTP/1.1 304 ") && got.contains("etag: 1") && got.ends_with("\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn an_owner_that_never_comes_to_the_point_is_not_listened_to_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = authority(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let early = "HTTP/1.1 103 Early\r\nlink: x\r\n\r\n".repeat(1_000);
        while stream.write_all(early.as_bytes()).await.is_ok() {}
    });
    let world = World::with(|config| {
        config.legacy = address;
        config.limits.answer_within = Duration::from_millis(300);
    })
    .await;
    let status = world.call("POST", "/shops/a/carts", "w").await.status.as_u16();
    assert!(status == 502 || status == 504, "{status}");
    assert_eq!(world.handle.in_flight(&world.shop), 0);
}

#[tokio::test]
async fn a_body_behind_an_answer_that_has_none_is_nobodys_answer() {
    // Its body comes when the next request does, if that comes on the same connection.
    let ok = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (legacy, heard) = owner(move |number, text| match (number, text.starts_with("PUT")) {
        (0, true) => format!("HTTP/1.1 204 No\r\ncontent-length: {}\r\n\r\n", ok("trap").len()).into_bytes(),
        (0, false) => ok("ok").into_bytes(),
        _ => format!("{}{}", ok("trap"), ok("ok")).into_bytes(),
    })
    .await;
    let world = World::with(|config| (config.legacy, config.threads) = (legacy, 1)).await;
    let mut client = Client::connect(world.address()).await;
    assert_eq!(client.call("PUT", "/shops/a/carts/1", "").await.status.as_u16(), 204);
    assert_eq!(client.call("GET", "/shops/a/carts/1", "").await.body, "ok");
    assert_eq!(heard.lock().unwrap().len(), 2);
}

/// However a second request is hidden in a first one, an owner gets what the seam has answered for, and nothing else.
#[tokio::test]
async fn no_request_is_hidden_in_another() {
    let hidden = "POST /shops/a/carts/hidden HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n";
    let size = hidden.len();
    for fields in [
        format!("content-length: {size}\r\nTransfer-Encoding:\u{b}chunked\r\n"),
        format!("content-length: {size}\r\nTransfer-Encoding : chunked\r\n"),
        format!("content-length: {size}\r\nTransfer-Encoding: chunked, chunked\r\n"),
        format!("content-length: {size}\r\nTransfer-Encoding: \"chunked\"\r\n"),
        format!("content-length: {size}\r\nTransfer-Encoding:\r\n"),
        format!("content-length: {size}\r\nTransfer-Encoding: x\r\n"),
        format!("content-length: {size}\r\n Transfer-Encoding: chunked\r\n"),
        format!("content-length: 0\r\ncontent-length: {size}\r\n"),
        format!("content-length: 0\r\nContent-Length : {size}\r\n"),
        format!("content-length: {size}, 0\r\n"),
        format!("content-length: 0{size}\u{0}\r\n"),
        format!("content-length: 0x{size:x}\r\n"),
        format!("content-length:\r\n {size}\r\n"),
        format!("x: y\rcontent-length: {size}\r\n"),
        format!("x: y\u{0}\r\ncontent-length: {size}\r\n"),
        "content-length: 99999999999999999999\r\n".to_owned(),
        "content-length: -1\r\n".to_owned(),
        format!("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\ncontent-length: {size}\r\n"),
    ] {
        let world = World::start().await;
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&format!("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\n{fields}\r\n{hidden}")).await;
        let answers = raw.read_until("\r\n\r\n").await;
        assert!(answers.starts_with("HTTP/1.1 4"), "{fields:?} → {answers}");
        raw.read_to_end().await;
        assert_eq!(world.legacy.count(), 0, "{fields:?}");
    }
}

#[tokio::test]
async fn chunks_that_two_programs_read_differently_reach_nobody() {
    for body in [
        "3\nabc\n0\n\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let world = World::start().await;
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&format!("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{body}"))
            .await;
        let answer = raw.read_to_end().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{body:?} → {answer}");
        assert_eq!(world.legacy.count(), 0, "{body:?}");
    }
}

#[tokio::test]
async fn a_client_cannot_take_away_what_says_where_and_how_much() {
    let world = World::start().await;
    let mut raw = Raw::connect(world.address()).await;
    raw.write(
        "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, content-length, host, balik-via\r\n\
         balik-via: other\r\nbalik-epoch: 9\r\nupgrade: h2c\r\nhttp2-settings: x\r\ncontent-length: 2\r\n\r\nab",
    )
    .await;
    raw.read_until("legacy ab").await;
    let seen = world.legacy.seen().remove(0);
    assert_eq!(
        (&seen.headers["host"], &seen.headers["content-length"]),
        (&"h".parse().unwrap(), &"2".parse().unwrap())
    );
    assert_eq!(seen.headers.get_all("balik-epoch").iter().collect::<Vec<_>>(), ["1"]);
    assert_eq!(seen.headers.get_all("balik-via").iter().next().unwrap(), "other");
    assert!(!seen.headers.contains_key("upgrade") && !seen.headers.contains_key("connection"));
}

/// Some owners make variables of fields, in which `Content_Length` and `Content-Length` are the same.
#[tokio::test]
async fn a_field_spelt_for_another_program_goes_no_further() {
    let world = World::start().await;
    for framing in ["content-length: 2\r\n\r\nab", "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"] {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&format!(
            "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\nbalik_epoch: 99\r\nContent_Length: 0\r\n\
             Transfer_Encoding: x\r\norder_id: 7\r\n{framing}"
        ))
        .await;
        raw.read_until("legacy ab").await;
    }
    for seen in world.legacy.seen() {
        assert_eq!(seen.headers["order_id"], "7");
        let spelt = |name: &&str| seen.headers.contains_key(*name);
        assert!(!["balik_epoch", "content_length", "transfer_encoding"].iter().any(spelt));
    }
}

#[tokio::test]
async fn no_tunnel_and_no_other_protocol_is_opened() {
    let world = World::start().await;
    for text in ["CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\n\r\n", "OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n"] {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(text).await;
        let answer = raw.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{text:?} → {answer}");
    }
    // HTTP/2 and TLS.
    for text in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n"] {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(text).await;
        let answer = raw.read_to_end().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{text:?} → {answer}");
    }
    assert_eq!(world.legacy.count(), 0);
    let mut raw = Raw::connect(world.address()).await;
    raw.write(
        "GET /shops/a/carts/1 HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    )
    .await;
    assert!(raw.read_until("legacy ").await.starts_with("HTTP/1.1 200 "));
    assert!(!world.legacy.seen()[0].headers.contains_key("upgrade"));
}

#[tokio::test]
async fn a_head_without_measure_is_refused() {
    let world = World::start().await;
    let post = |fields: &str| format!("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n{fields}\r\n");
    // More than is plain, and still a request.
    for fields in ["a: b\r\n".repeat(80), format!("a: {}\r\n", "b".repeat(20_000))] {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&post(&fields)).await;
        raw.read_until("legacy ").await;
    }
    assert_eq!(world.legacy.count(), 2);
    for fields in ["a: b\r\n".repeat(200), format!("a: {}\r\n", "b".repeat(1 << 20))] {
        let mut raw = Raw::connect(world.address()).await;
        raw.try_write(&post(&fields)).await;
        let answer = raw.read_to_end().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(world.legacy.count(), 2);
}

#[tokio::test]
async fn an_owner_that_takes_head_for_get_leaves_nothing_for_the_next() {
    let (legacy, heard) = owner(|_, text| {
        let body = if text.starts_with("HEAD") { "trap" } else { "real" };
        format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{body}").into_bytes()
    })
    .await;
    let world = World::with(|config| (config.legacy, config.threads) = (legacy, 1)).await;
    let mut raw = Raw::connect(world.address()).await;
    for _ in 0..2 {
        let two = ["HEAD", "GET"].map(|method| format!("{method} /shops/a/carts/1 HTTP/1.1\r\nhost: h\r\n\r\n"));
        raw.write(&two.concat()).await;
        let got = raw.read_until("real").await;
        assert_eq!((got.matches("content-length: 4").count(), got.matches("trap").count()), (2, 0), "{got}");
    }
    assert_eq!(heard.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn who_asks_first_whether_to_send_a_body_is_told_to() {
    let world = World::start().await;
    let mut raw = Raw::connect(world.address()).await;
    raw.write("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(raw.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.write("ab").await;
    raw.read_until("legacy ab").await;
    assert!(!world.legacy.seen()[0].headers.contains_key("expect"));
}

#[tokio::test]
async fn an_old_client_is_answered_in_its_way() {
    let world = World::start().await;
    for (fields, stays) in [("", false), ("connection: keep-alive\r\n", true)] {
        let mut raw = Raw::connect(world.address()).await;
        let text = format!("POST /shops/a/carts HTTP/1.0\r\nhost: h\r\n{fields}content-length: 1\r\n\r\nx");
        raw.write(&text).await;
        let got = raw.read_until("legacy x").await;
        assert!(got.contains("content-length: 8"), "{got}");
        if stays {
            raw.write(&text).await;
            raw.read_until("legacy x").await;
        } else {
            assert_eq!(raw.read_to_end().await, "");
        }
    }
}

#[tokio::test]
async fn half_a_head_does_not_keep_a_seam_from_ending() {
    let world = World::start().await;
    let mut raw = Raw::connect(world.address()).await;
    // In one piece: when the first is answered, the half has been read.
    raw.write("GET /health HTTP/1.1\r\nhost: h\r\n\r\nPOST /shops/a/carts HTTP/1.1\r\nho").await;
    raw.read_until("}").await;
    let ended = timeout(PATIENCE / 2, world.seam.shutdown(PATIENCE)).await;
    assert_eq!(ended, Ok(true));
}

#[tokio::test]
async fn an_answer_read_slowly_keeps_no_write_in_flight_and_no_other_client_waiting() {
    let world = World::with(|config| config.threads = 1).await;
    let mut slow = Raw::connect(world.address()).await;
    let body = "x".repeat(262_144);
    let text = format!("PUT /shops/a/carts/1 HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for _ in 0..8 {
        slow.write(&text).await;
    }
    eventually("answered", || world.legacy.count() > 0 && world.handle.in_flight(&world.shop) == 0).await;
    world.hold(2);
    timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("drained");
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    assert_eq!(world.call("POST", "/shops/a/carts", "w").await.body, "backend w");
}
