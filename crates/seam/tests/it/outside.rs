//! Bytes on a socket that mean harm, in lists and by chance: whatever arrives, an owner reads requests that this seam has made,
//! and no other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::Authority;
use testkit::outside::{Bends, Inputs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Raw;
use crate::world::{World, authority};

/// Connections without `BALIK_LONG`.
const FEW: u64 = 2_000;
/// Each waits for the silence after its answers.
const AT_ONCE: usize = 64;
const SILENCE: Duration = Duration::from_millis(15);

/// What an owner has read that takes every byte as it is: the heads of requests, and whatever was no request.
#[derive(Clone, Default)]
struct Read(Arc<Mutex<Vec<String>>>);

impl Read {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn owner() -> (Authority, Read) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, read) = (authority(listener.local_addr().unwrap()), Read::default());
    let noted = read.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, noted.clone()));
        }
    });
    (address, read)
}

/// A head, as many bytes as it says, and the next one.
async fn serve(mut stream: TcpStream, read: Read) {
    let (mut bytes, mut some) = (Vec::new(), [0; 8_192]);
    loop {
        while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
            let says = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
            let whole = end + 4 + head.split("\r\n").find_map(says).unwrap_or(0);
            while bytes.len() < whole {
                match stream.read(&mut some).await {
                    Ok(count) if count > 0 => bytes.extend_from_slice(&some[..count]),
                    Ok(_) | Err(_) => return,
                }
            }
            bytes.drain(..whole);
            read.0.lock().unwrap().push(head);
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-owner: 1\r\n\r\nok").await.is_err() {
                return;
            }
        }
        match stream.read(&mut some).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&some[..count]),
            Ok(_) | Err(_) => return,
        }
    }
}

/// The seam's own token, which no client knows: only the seam ends a head with it.
async fn token(world: &World, read: &Read) -> String {
    assert_eq!(world.call("GET", "/shops/a/carts/1", "").await.status.as_u16(), 200);
    let head = read.take().remove(0);
    head.split("\r\n").find_map(|line| line.strip_prefix("balik-via: ")).unwrap().to_owned()
}

/// What is wrong with a head that an owner has read, if anything is.
fn wrong(head: &str, token: &str) -> Option<&'static str> {
    let fields: Vec<(String, &str)> = head
        .split("\r\n")
        .skip(1)
        .map(|line| {
            line.split_once(": ").map_or((String::new(), line), |(name, value)| (name.to_ascii_lowercase(), value))
        })
        .collect();
    let of = |name: &str| fields.iter().filter(|(given, _)| given == name).map(|(_, value)| *value).collect::<Vec<_>>();
    let plain = |name: &str| name.replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
    let known = ["balik-via", "balik-epoch"];
    let looks_known = |name: &str| plain(name).starts_with("balik-") && !known.contains(&name);
    let frames = ["transfer-encoding", "connection", "te", "upgrade", "expect", "keep-alive", "trailer"];
    match () {
        () if head.contains(['\n', '\r', '\0']) && head.split("\r\n").any(|line| line.contains(['\n', '\r', '\0'])) => {
            Some("a line that ends in the middle")
        }
        () if of("balik-via").last() != Some(&token) => Some("it is not the seam's"),
        () if of("balik-epoch") != ["1"] => Some("an epoch that is not the seam's"),
        () if of("host").len() != 1 => Some("not one host"),
        () if of("content-length").len() > 1 => Some("two lengths"),
        () if fields.iter().any(|(name, _)| looks_known(name)) => Some("a field that is the seam's to make"),
        () if fields.iter().any(|(name, _)| frames.contains(&plain(name).as_str())) => {
            Some("a field of one connection")
        }
        () if !head.contains(" /shops/a/") && !head.contains(" /notices/") => Some("of no shop that was asked for"),
        () => None,
    }
}

/// Fields that an owner could take for the seam's, or for framing.
const FIELDS: [&str; 38] = [
    "balik-epoch: 987654321",
    "Balik-Epoch: 987654321",
    "BALIK-EPOCH:987654321",
    "balik_epoch: 987654321",
    "balik.epoch: 987654321",
    "Balik-Epoch : 987654321",
    " balik-epoch: 987654321",
    "balik-epoch\t: 987654321",
    "balik-epoch: 1\r\nbalik-epoch: 987654321",
    "x: y\r\n balik-epoch: 987654321",
    "x: y\rbalik-epoch: 987654321",
    "x: y\nbalik-epoch: 987654321",
    "balik-via: 0",
    "balik-via: 0\r\nbalik-via: 1",
    "Balik_Via: 0",
    "balik-answered-by: seam",
    "Balik_Answered_By: backend",
    "balik-side: backend",
    "balik-held-us: 1",
    "balik-anything: 1",
    "connection: balik-epoch",
    "connection: balik-via, host, content-length",
    "connection: x-secret\r\nx-secret: 1",
    "connection: close\r\nproxy-connection: keep-alive",
    "keep-alive: timeout=5",
    "te: trailers",
    "trailer: balik-epoch",
    "upgrade: h2c\r\nhttp2-settings: x",
    "x y: 1",
    "x\u{b}y: 1",
    ": 1",
    "x",
    "x\u{0}: 1",
    "x: \u{0}",
    "x: a\rb",
    "host: other",
    "Host : other",
    "x-http-method-override: DELETE",
];

#[tokio::test]
async fn no_field_that_is_the_seams_reaches_an_owner_however_it_is_spelt() {
    let (legacy, read) = owner().await;
    let world = World::with(|config| config.legacy = legacy).await;
    let token = token(&world, &read).await;
    let (mut passed, mut refused) = (0, 0);
    for field in FIELDS {
        for body in [
            "content-length: 2\r\n\r\nab",
            "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nbalik-epoch: 987654321\r\n\r\n",
        ] {
            let mut raw = Raw::connect(world.address()).await;
            raw.try_write(&format!("POST /shops/a/carts HTTP/1.1\r\nhost: h\r\n{field}\r\n{body}")).await;
            let answer = raw.read_head().await;
            let heads = read.take();
            assert!(heads.len() <= 1, "{field:?}: {heads:?}");
            for head in &heads {
                assert_eq!(wrong(head, &token), None, "{field:?}: {head}");
                assert!(!head.contains("secret") && !head.contains("987654321"), "{field:?}: {head}");
            }
            match heads.len() {
                0 => assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{field:?}: {answer}"),
                _ => assert!(
                    answer.is_empty() || answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 100 "),
                    "{field:?}: {answer}"
                ),
            }
            passed += heads.len();
            refused += 1 - heads.len();
        }
    }
    assert!(passed > 20 && refused > 15, "{passed} passed, {refused} refused");
}

#[tokio::test]
async fn an_address_with_an_authority_is_that_of_its_host_or_is_refused() {
    let (legacy, read) = owner().await;
    let world = World::with(|config| config.legacy = legacy).await;
    let token = token(&world, &read).await;
    for (target, host, goes) in [
        ("http://h/shops/a/carts/1", "h", Some("/shops/a/carts/1")),
        ("http://h/shops/a/carts/1?x=http://i/", "h", Some("/shops/a/carts/1?x=http://i/")),
        ("HTTP://H/shops/a/carts/1", "h", Some("/shops/a/carts/1")),
        ("https://h/shops/a/carts/1", "h", Some("/shops/a/carts/1")),
        ("http://i/shops/a/carts/1", "h", None),
        ("http://h@i/shops/a/carts/1", "h", None),
        ("http://h:1/shops/a/carts/1", "h", None),
        ("http://h/shops/b/../a/carts/1", "h", None),
        ("http://h//shops/a/carts/1", "h", None),
        ("http://h", "h", None),
        ("http:///shops/a/carts/1", "", None),
        ("//h/shops/a/carts/1", "h", None),
        ("h:80", "h", None),
        ("shops/a/carts/1", "h", None),
        ("/shops/a/carts/1 HTTP/1.1\r\nhost: i", "h", None),
        ("/shops/a/carts/1\u{b}", "h", None),
        ("/shops/a/carts/\u{0}", "h", None),
        ("/shops/a/carts/1#x", "h", None),
    ] {
        let mut raw = Raw::connect(world.address()).await;
        raw.try_write(&format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        let answer = raw.read_to_end().await;
        let heads = read.take();
        if let Some(path) = goes {
            assert!(answer.starts_with("HTTP/1.1 200 ") && heads.len() == 1, "{target}: {answer}");
            assert!(heads[0].starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{target}: {}", heads[0]);
            assert_eq!(wrong(&heads[0], &token), None, "{target}");
        } else if !heads.is_empty() {
            // A fragment ends a path, as everybody has it.
            assert!(
                target.ends_with("#x") && heads[0].starts_with("GET /shops/a/carts/1 HTTP/1.1\r\n"),
                "{target}: {heads:?}"
            );
        } else {
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
        }
    }
}

/// What is bent: one request behind another, hidden ones, bodies of every kind.
const REQUESTS: [&str; 6] = [
    "GET /shops/a/carts/7?x=%2F HTTP/1.1\r\nHost: h\r\n\r\nGET /shops/a/carts/8 HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}GET /shops/a/carts/8 HTTP/1.1\r\nhost: h\r\n\r\n",
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 47\r\nconnection: close\r\n\r\n0\r\n\r\nPOST /shops/a/hidden HTTP/1.1\r\nhost: h\r\n\r\n",
    "GET http://h/shops/a/orders/1 HTTP/1.1\r\nhost: h\r\nconnection: x-private\r\nx-private: 1\r\nbalik-via: b\r\n\r\n",
    "POST /notices/loket HTTP/1.1\nhost: h\nloket-signature: t=1,v1=00\ncontent-length: 0\n\n",
];

const LINES: [&str; 18] = [
    "\r\ncontent-length: 0",
    "\r\nContent-Length : 5",
    "\r\nContent_Length: 5",
    "\r\ntransfer-encoding: chunked",
    "\r\nTransfer-Encoding:\x0bchunked",
    "\r\n folded",
    "\rx: y",
    "\nx: y",
    "\r\n\r\n",
    "\r\nbalik-epoch: 9",
    "\r\nBALIK_VIA: 1",
    "\r\nhost: i",
    "\r\nconnection: close",
    "\r\nconnection: host, content-length",
    "\r\nupgrade: h2c",
    "\r\nexpect: 100-continue",
    "0\r\n\r\n",
    "POST /shops/a/hidden HTTP/1.1\r\nhost: h\r\n\r\n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_bytes_arrive_an_owner_reads_only_requests_that_the_seam_has_made() {
    let bends = Bends::of(REQUESTS).knowing(LINES);
    let (legacy, read) = owner().await;
    // Notices are the backend's.
    let world = World::with(|config| (config.legacy, config.backend) = (legacy.clone(), legacy)).await;
    let token = token(&world, &read).await;
    let mut inputs = Inputs::of("seam: bytes on a socket", FEW);
    loop {
        let some: Vec<Vec<u8>> =
            (0..AT_ONCE).map_while(|_| inputs.another()).map(|mut chance| bends.next(&mut chance)).collect();
        if some.is_empty() {
            break;
        }
        // Each of them may be the one: the number is that of the last.
        inputs.tries(&some.join(&b"\n----\n"[..]));
        world.handle.heartbeat();
        let mut sent = JoinSet::new();
        for input in some {
            let address = world.address();
            sent.spawn(async move {
                let mut raw = Raw::connect(address).await;
                raw.try_write(&input).await;
                (String::from_utf8_lossy(&input).to_lowercase(), raw.read_until_silence(SILENCE).await)
            });
        }
        while let Some(answer) = sent.join_next().await {
            let (input, answer) = answer.unwrap();
            let answers: String = answer.iter().map(|byte| char::from(*byte)).collect();
            // Whoever says so often that it was at a seam goes in a circle.
            let is_loop = answers.contains("HTTP/1.1 508 ") && input.matches("balik-via").count() > 8;
            assert!(is_loop || !answers.contains("HTTP/1.1 50"), "{input}: {answers}");
            inputs.came_to(answers.get(9..12).unwrap_or("nothing"));
        }
        for head in read.take() {
            let is_notice = head.starts_with("POST /notices/");
            let faulty = wrong(&head, &token).filter(|fault| !(is_notice && fault.contains("epoch")));
            assert_eq!(faulty, None, "{head}");
            inputs.came_to("read by an owner");
        }
    }
    inputs.reached(&["200", "400", "404", "nothing"]);
    // And it still serves.
    assert_eq!(
        timeout(Duration::from_secs(5), world.call("GET", "/shops/a/carts/1", "")).await.unwrap().status.as_u16(),
        200
    );
}
