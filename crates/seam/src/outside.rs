//! Heads of requests and of answers, bent in every way: what goes on is one head that nobody could read in two ways.
//!
//! The reader here is the strictest there could be, and shares nothing with those that it judges.

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use testkit::outside::{Bends, Inputs};
use vocab::id::ShopId;

use crate::fields::{self, Kind};
use crate::headers::{Via, towards_owner};
use crate::operation::{Class, Operations};
use crate::{plain, reply};

/// Without `BALIK_LONG`.
const FEW: u64 = 20_000;
const TOKEN: &str = "000000000000000a";
const BODY_MAX: usize = 1 << 20;

const REQUESTS: [&str; 6] = [
    "GET /shops/a/carts/7?x=%2F HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n",
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\nidempotency-key: k\r\ncontent-length: 2\r\n\r\n{}",
    "PUT /shops/a/checkout-sessions/31 HTTP/1.1\r\nhost: h:80\r\nauthorization: Bearer t\r\ncontent-length: 03\r\n\r\nabc",
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nte: trailers\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "POST /notices/loket HTTP/1.1\nhost: h\nloket-signature: t=1,v1=00\ncontent-length: 0\n\n",
    "GET http://h/shops/a/orders/1 HTTP/1.1\r\nhost: h\r\nconnection: close, x-private\r\nx-private: 1\r\nbalik-via: b\r\n\r\n",
];
const LINES: [&str; 24] = [
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
    "\r\nbalik-answered-by: seam",
    "\r\nhost: i",
    "\r\nupgrade: h2c",
    "\r\nconnection: close",
    "\r\nconnection: host, content-length",
    "\r\nx-http-method-override: PUT",
    " HTTP/1.1",
    " HTTP/1.0",
    "\0",
    ": ",
    "http://h",
    "chunked, chunked",
    "GET / HTTP/1.1\r\n\r\n",
];

fn name_of(line: &str) -> &str {
    line.split_once(": ").map_or("", |(name, _)| name)
}

/// Lines that end as lines do, a name before each value, and no field that says where the body ends but the length, if it has
/// one. Answers the length.
fn is_one_head(head: &[u8]) -> Option<usize> {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let lines = text.strip_suffix("\r\n").unwrap_or_else(|| panic!("it does not end: {text:?}"));
    let mut lengths = Vec::new();
    for line in lines.split("\r\n").skip(1) {
        assert!(!line.contains(['\r', '\n', '\0']), "{text:?}");
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field {line:?} in {text:?}"));
        assert!(
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)),
            "{line:?}"
        );
        let plain = name.to_ascii_lowercase().replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
        assert!(
            !["transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive", "expect"].contains(&&*plain),
            "{line:?}"
        );
        if plain == "content-length" {
            assert_eq!(name.len(), plain.len());
            lengths.push(value.parse().unwrap());
            assert!(
                name.eq_ignore_ascii_case("content-length") && value.bytes().all(|byte| byte.is_ascii_digit()),
                "{line:?}"
            );
        }
    }
    assert!(lengths.len() <= 1, "{text:?}");
    lengths.pop()
}

/// The same of what goes to an owner: one authority, and of our own fields the one that says where it has been.
fn goes_to_an_owner(head: &[u8], vias: usize) -> Option<usize> {
    let length = is_one_head(head);
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut first = text.split("\r\n").next().unwrap().split(' ');
    let (method, target, version) = (first.next().unwrap(), first.next().unwrap(), first.next().unwrap());
    assert!(
        !method.is_empty() && target.starts_with('/') && version == "HTTP/1.1" && first.next().is_none(),
        "{text:?}"
    );
    let names: Vec<String> = text.split("\r\n").skip(1).map(|line| name_of(line).to_ascii_lowercase()).collect();
    assert_eq!(names.iter().filter(|name| *name == "host").count(), 1, "{text:?}");
    let ours =
        names.iter().filter(|name| name.replace(|sign: char| !sign.is_ascii_alphanumeric(), "-").starts_with("balik-"));
    assert!(ours.clone().all(|name| name == "balik-via") && ours.count() <= vias, "{text:?}");
    assert!(text.ends_with(&format!("\r\nbalik-via: {TOKEN}\r\n")), "{text:?}");
    length
}

#[test]
fn what_is_plain_goes_on_as_one_head_that_nobody_reads_in_two_ways() {
    let bends = Bends::of(REQUESTS).knowing(LINES);
    let (via, operations) = (Via::new(10), Operations::new(&[]).unwrap());
    let mut out = Vec::new();
    let tried = Inputs::of("seam: heads of plain requests", FEW).each(&bends, |input| {
        match plain::read(input, &via, &mut out) {
            plain::Seen::Incomplete => "incomplete",
            plain::Seen::Other => "not plain",
            plain::Seen::Plain(plain) => {
                assert_eq!(goes_to_an_owner(&out, 1).unwrap_or(0), plain.body_len);
                assert_eq!(plain::read(&input[..plain.head_len - 1], &via, &mut Vec::new()), plain::Seen::Incomplete);
                let path = std::str::from_utf8(&input[plain.path.clone()]).unwrap();
                let line = format!("{} {path}", plain.method);
                assert!(out.starts_with(line.as_bytes()), "{line}");
                match operations.target(&plain.method, path, false) {
                    Ok(target) if target.class == Class::Notice => "a notice",
                    Ok(target) => {
                        assert!(ShopId::fits(target.shop) && path.starts_with(&format!("/shops/{}/", target.shop)));
                        "plain"
                    }
                    Err(_) => "plain, of nobody",
                }
            }
        }
    });
    tried.reached(&["incomplete", "not plain", "plain", "plain, of nobody", "a notice"]);
}

/// As hyper hands them over: names and values that `http` lets through, whatever they are.
#[test]
fn what_comes_the_general_way_goes_on_as_one_head_too() {
    let names = Bends::of([
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "balik-epoch",
        "balik_epoch",
        "x-private",
        "te",
    ])
    .knowing(["balik-", "Balik", "_", "-", "."]);
    let values = Bends::of(["h", "5", "chunked", "close, x-private, host", "keep-alive", "9"]).knowing([
        ", ",
        "host",
        "\t",
        "balik-via",
    ]);
    let targets = Bends::of(["/shops/a/carts?b=%2F", "http://h/shops/a/carts", "h:443", "*"])
        .knowing(["http://", "//", "?", "#"]);
    let (via, operations) = (Via::new(10), Operations::new(&[]).unwrap());
    let mut inputs = Inputs::of("seam: heads that came the general way", FEW);
    while let Some(mut chance) = inputs.another() {
        let target = targets.next(&mut chance);
        inputs.tries(&target);
        let Ok(uri) = Uri::try_from(&target[..]) else {
            inputs.came_to("no address");
            continue;
        };
        if operations.target(&Method::POST, uri.path(), false).is_err() {
            inputs.came_to("of nobody");
            continue;
        }
        let mut request = Request::builder().method(Method::POST).uri(uri).header("host", "h");
        let mut given = 0;
        for _ in 0..chance.below(6) {
            let (name, value) = (names.next(&mut chance), values.next(&mut chance));
            inputs.tries(&[&name[..], b": ", &value].concat());
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&name), HeaderValue::from_bytes(&value))
                && name != "host"
            {
                request = request.header(name, value);
                given += 1;
            }
        }
        let head = towards_owner(&request.body(()).unwrap().into_parts().0, &via, 5);
        let length = goes_to_an_owner(&head, 1 + given);
        assert!(length.is_none_or(|length| length == 5));
        inputs.came_to(if length.is_some() { "with a length" } else { "without" });
    }
    inputs.reached(&["no address", "of nobody", "with a length", "without"]);
}

#[test]
fn an_address_is_of_one_shop_or_of_none() {
    let paths =
        ["/shops/a/carts/7", "/shops/a/catalog/search", "/shops/toko-2/orders/1/invoice", "/notices/loket", "/health"];
    let bends = Bends::of(paths).knowing(["/", "//", "/..", "/.", "%2e", "%2F", "\\", "/shops/", "/carts", "?", ";"]);
    let operations = Operations::new(&[]).unwrap();
    let mut inputs = Inputs::of("seam: paths", FEW);
    while let Some(mut chance) = inputs.another() {
        let input = bends.next(&mut chance);
        inputs.tries(&input);
        let path = String::from_utf8_lossy(&input);
        let method = chance.of(&["GET", "POST", "PUT", "DELETE", "HEAD"]).parse().unwrap();
        let overridden = chance.one_in(8);
        let Ok(target) = operations.target(&method, &path, overridden) else {
            inputs.came_to("of nobody");
            continue;
        };
        let parts: Vec<&str> = path.split('/').collect();
        assert!(
            parts.iter().all(|part| ![".", ".."].contains(part)) && !path.contains("//") && !path.contains('\\'),
            "{path}"
        );
        if target.class != Class::Notice {
            assert!(parts[1] == "shops" && parts[2] == target.shop && ShopId::fits(target.shop), "{path}");
            assert!(!overridden || (target.class == Class::Write && target.dial.is_none()), "{path}");
        }
        inputs.came_to(match target.class {
            Class::Read => "read",
            Class::Write => "write",
            Class::Notice => "notice",
        });
    }
    inputs.reached(&["read", "write", "notice", "of nobody"]);
}

#[test]
fn a_name_that_some_program_takes_for_ours_is_none_of_the_clients() {
    let names = [
        "balik-epoch",
        "balik-via",
        "content-length",
        "transfer-encoding",
        "x-http-method-override",
        "idempotency-key",
        "host",
    ];
    let bends = Bends::of(names).knowing(["-", "_", ".", "BALIK", "Length"]);
    let tried = Inputs::of("seam: names and lengths", FEW).each(&bends, |input| {
        let length = fields::length(input);
        assert!(length.is_none() || input.iter().all(u8::is_ascii_digit));
        let name = String::from_utf8_lossy(input);
        let plain = name.to_ascii_lowercase().replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
        let kind = fields::kind(&name);
        let is_known = plain.starts_with("balik-") || names[2..5].contains(&&*plain) || plain == "host";
        assert!(!is_known || kind != Kind::EndToEnd, "{name}");
        if kind == Kind::EndToEnd { "theirs" } else { "known" }
    });
    tried.reached(&["theirs", "known"]);
}

#[test]
fn an_answer_of_an_owner_goes_on_as_one_head_and_its_chunks_are_no_longer_than_they_may_be() {
    let answers = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nbalik-answered-by: seam\r\nx-owner: legacy\r\n\r\nab",
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nconnection: x-private\r\nx-private: 1\r\n\r\n2\r\nab\r\n0\r\nt: u\r\n\r\n",
        "HTTP/1.0 404 Not Found\r\nconnection: close\r\n\r\n{}",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        "2\r\nab\r\nffffffffffffffff\r\nab\r\n0\r\n\r\n",
    ];
    let bends = Bends::of(answers).knowing(LINES);
    let mut out = Vec::new();
    let tried = Inputs::of("seam: answers of owners", FEW).each(&bends, |input| {
        let mut body = Vec::new();
        if let Ok(reply::Chunks::End(at) | reply::Chunks::More(at)) = reply::chunks(input, &mut body, 16) {
            assert!(at <= input.len() && body.len() <= 16);
        }
        match reply::read(input, false, &mut out) {
            Err(_) => "malformed",
            Ok(reply::Seen::Incomplete) => "incomplete",
            Ok(reply::Seen::Interim(at)) => {
                assert!((1..=input.len()).contains(&at));
                "interim"
            }
            Ok(reply::Seen::Final(head)) => {
                assert_eq!(is_one_head(&out), None);
                let text: String = out.iter().map(|byte| char::from(*byte).to_ascii_lowercase()).collect();
                assert!(
                    !text.contains("\r\nbalik-") && (200..=999).contains(&head.status) && head.head_len <= input.len()
                );
                let _ = reply::chunks(&input[head.head_len..], &mut Vec::new(), BODY_MAX);
                "an answer"
            }
        }
    });
    tried.reached(&["malformed", "incomplete", "interim", "an answer"]);
}
