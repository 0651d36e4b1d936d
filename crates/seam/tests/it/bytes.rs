//! Plain requests as bytes on connections: cut anywhere, one behind the other, and owners that frame as they like.

use std::sync::{Arc, Mutex};

use http::uri::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vocab::id::Side;

use crate::client::{Client, Raw};
use crate::world::{World, authority, eventually};

const GET: &str = "GET /shops/a/carts/1 HTTP/1.1\r\nHost: h\r\n\r\n";

fn post(body: &str) -> String {
    format!("POST /shops/a/carts HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An owner that reads until an empty line and sends these bytes, as often as it is asked; if they are to be ended by
/// closing, it closes. Notes what it read.
async fn scripted(answer: &'static str, closes: bool) -> (Authority, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = authority(listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                let mut text = String::new();
                let mut bytes = [0; 4_096];
                while let Ok(count) = stream.read(&mut bytes).await
                    && count > 0
                {
                    text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
                    if text.contains("\r\n\r\n") {
                        noted.lock().unwrap().push(std::mem::take(&mut text));
                        // Piece by piece, so that nothing depends on where a read ends.
                        for piece in answer.as_bytes().chunks(7) {
                            if stream.write_all(piece).await.is_err() {
                                return;
                            }
                            tokio::task::yield_now().await;
                        }
                        if closes {
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, heard)
}

/// What a client gets for a read, twice on one connection; `expected` is all of it.
async fn check(answer: &'static str, closes: bool, expected: &str) {
    let end = if expected.ends_with('!') { "!" } else { "\r\n\r\n" };
    let (owner, _) = scripted(answer, closes).await;
    let world = World::with(|config| config.legacy = owner).await;
    let mut raw = Raw::connect(world.address()).await;
    for _ in 0..2 {
        raw.write(GET).await;
        let got = raw.read_until(end).await;
        assert_eq!(got, expected, "{answer}");
    }
}

#[tokio::test]
async fn however_an_owner_frames_its_answer_the_client_gets_it_whole_with_its_length() {
    let expected = "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 6\r\n\r\nhello!";
    for (answer, closes) in [
        ("HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 6\r\n\r\nhello!", false),
        ("HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello!", true),
        ("HTTP/1.0 200 OK\r\nx: y\r\nContent-Length: 6\r\n\r\nhello!", true),
        ("HTTP/1.1 200 OK\r\nx: y\r\n\r\nhello!", true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx: y\r\n\r\n3\r\nhel\r\n3;e\r\nlo!\r\n0\r\nt: 1\r\n\r\n",
            false,
        ),
        ("HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 6\r\n\r\nhello!", false),
        // More than its answer: the next request goes to a new connection, not behind it.
        ("HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 6\r\n\r\nhello!HTTP/1.1 500 Trap\r\n\r\n", false),
    ] {
        check(answer, closes, expected).await;
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_no_answer() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n!!",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n!",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "hello\r\n\r\n",
    ] {
        let (owner, heard) = scripted(answer, false).await;
        let world = World::with(|config| config.legacy = owner).await;
        assert_eq!(world.call("POST", "/shops/a/carts", "w").await.by_seam(), "502 owner_closed", "{answer}");
        assert_eq!(heard.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_without_a_body_has_none() {
    check("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", false, "HTTP/1.1 204 No\r\n\r\n").await;
    let not_modified = "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n";
    check(not_modified, false, not_modified).await;
}

#[tokio::test]
async fn a_plain_head_is_written_anew_and_says_which_epoch() {
    let (owner, heard) = scripted("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n!", false).await;
    let world = World::with(|config| config.backend = owner).await;
    world.handle.publish(&world.route(Side::Backend, 7)).unwrap();
    let mut raw = Raw::connect(world.address()).await;
    raw.write("PUT /shops/a/carts/x%20y?a=1 HTTP/1.1\nHost: h\nX-A:   b \nContent-Length: 02\n\nab").await;
    raw.read_until("!").await;
    let text = heard.lock().unwrap()[0].clone();
    let (fields, via) = text.split_once("balik-via: ").unwrap();
    assert_eq!(fields, "PUT /shops/a/carts/x%20y?a=1 HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 2\r\n");
    assert_eq!(&via[16..], "\r\nbalik-epoch: 7\r\n\r\nab");
}

#[tokio::test]
async fn requests_cut_anywhere_and_sent_ahead_are_answered_one_after_the_other() {
    let world = World::start().await;
    let text = format!("{}{GET}{}", post("one"), post("two"));
    for at in 0..text.len() {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(&text[..at]).await;
        tokio::task::yield_now().await;
        raw.write(&text[at..]).await;
        let got = raw.read_until("legacy two").await;
        assert_eq!(got.matches("HTTP/1.1 200 OK").count(), 3, "cut at {at}: {got}");
        let lines: Vec<String> = world.legacy.lines().into_iter().rev().take(3).collect();
        assert_eq!(lines, ["POST /shops/a/carts two", "GET /shops/a/carts/1 ", "POST /shops/a/carts one"], "{at}");
    }
}

#[tokio::test]
async fn what_is_not_plain_follows_on_the_same_connection() {
    let world = World::start().await;
    let mut raw = Raw::connect(world.address()).await;
    let chunked = "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n";
    raw.write(&format!("{}{chunked}{}", post("one"), post("three"))).await;
    raw.read_until("legacy three").await;
    assert_eq!(world.legacy.lines(), ["one", "two", "three"].map(|body| format!("POST /shops/a/carts {body}")));
}

#[tokio::test]
async fn what_a_client_sends_while_its_write_is_parked_is_not_lost() {
    let world = World::start().await;
    world.hold(2);
    let mut raw = Raw::connect(world.address()).await;
    raw.write(&post("one")).await;
    eventually("parked", || world.stats().parked == 1).await;
    raw.write(&post("two")).await;
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    raw.read_until("backend two").await;
    assert_eq!(world.backend.lines(), ["POST /shops/a/carts one", "POST /shops/a/carts two"]);
}

#[tokio::test]
async fn a_parked_client_of_either_kind_that_leaves_is_taken_out() {
    let world = World::start().await;
    world.hold(2);
    let chunked = "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (number, text) in [post("plain"), chunked.to_owned()].iter().enumerate() {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(text).await;
        eventually("parked", || world.stats().parked == 1).await;
        drop(raw);
        eventually("taken out", || world.stats().left_total == u64::try_from(number + 1).unwrap()).await;
    }
    assert_eq!(world.handle.release(&world.route(Side::Backend, 2)).unwrap().held, 0);
    assert_eq!((world.legacy.count(), world.backend.count()), (0, 0));
}

#[tokio::test]
async fn bodies_of_every_size_pass_both_ways() {
    let world = World::start().await;
    let mut client = Client::connect(world.address()).await;
    for size in [0, 1, 4_095, 4_096, 8_192, 60_000, 65_536, 200_000, 262_144] {
        let body = "x".repeat(size);
        let reply = client.call("POST", "/shops/a/carts", &body).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, size + "legacy ".len()), "{size}");
    }
}

#[tokio::test]
async fn a_hold_is_in_force_on_every_thread_when_it_returns() {
    let world = World::with(|config| config.threads = 4).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::connect(world.address()).await;
        raw.write(GET).await;
        raw.read_until("legacy ").await;
        clients.push(raw);
    }
    world.hold(2);
    for raw in &mut clients {
        raw.write(&post("w")).await;
    }
    eventually("parked", || world.stats().parked == 8).await;
    assert_eq!((world.handle.in_flight(&world.shop), world.legacy.count()), (0, 8));
    assert_eq!(world.handle.release(&world.route(Side::Backend, 2)).unwrap().held, 8);
    for raw in &mut clients {
        raw.read_until("backend w").await;
    }
    world.handle.drained(&world.shop).await;
    assert_eq!(world.backend.count(), 8);
}
