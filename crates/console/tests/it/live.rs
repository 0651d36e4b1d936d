//! What is sent while somebody looks: only what changed on the page, once.

use crate::Bench;
use bytes::Bytes;
use cutover::latency::note_of;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use vocab::document::Record;

/// Nothing is waited for longer.
const WAIT: Duration = Duration::from_secs(20);
/// Two beats and the pause between two looks.
const QUIET: Duration = Duration::from_millis(1_500);

struct Stream {
    body: Incoming,
    read: String,
    bytes: usize,
}

#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Stream {
    /// Follows what a page follows; with the id of the last event, where there was one.
    async fn of(bench: &Bench, page: &str, last: Option<&str>) -> Self {
        let html = bench.get(page).await.body;
        let (_, rest) = html.split_once("data-live=\"").unwrap();
        let address = rest.split_once('"').unwrap().0.replace("&amp;", "&");
        let mut request = Request::get(format!("http://{}{address}", bench.address));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = bench.client.request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), read: String::new(), bytes: 0 }
    }

    /// All that is sent up to this; a beat may fall between two changes.
    async fn until(&mut self, what: &str) -> String {
        let mut sent = String::new();
        while !sent.contains(what) {
            let event = self.next(WAIT).await.unwrap_or_else(|| panic!("`{what}` was not sent, only {sent}"));
            assert_eq!(event.name, "put");
            sent.push_str(&event.data);
        }
        sent
    }

    /// The next event; none if there is none for so long.
    async fn next(&mut self, within: Duration) -> Option<Event> {
        let until = Instant::now() + within;
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let line = |name: &str| {
                    let found = event.lines().find_map(|line| line.strip_prefix(name));
                    found.map(|value| value.trim_start().to_owned()).unwrap_or_default()
                };
                let event = Event { name: line("event:"), id: line("id:"), data: line("data:") };
                self.read = rest.to_owned();
                if event.name.is_empty() {
                    continue;
                }
                return Some(event);
            }
            let frame = timeout_at(until, self.body.frame()).await.ok()?.unwrap().unwrap();
            let data = frame.into_data().unwrap();
            self.bytes += data.len();
            self.read.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn a_flip_is_sent_to_who_looks_and_silence_while_nothing_changes() {
    let bench = Bench::start(3).await;
    let mut board = Stream::of(&bench, "/", None).await;
    let mut shop = Stream::of(&bench, "/shops/2", None).await;
    assert!(board.next(QUIET).await.is_none(), "the page has everything already");
    bench.flip(&bench.shop(2)).await;
    bench.look("tracking", 2_000).await;
    let sent = board.until("\"o-2\"").await;
    assert!(sent.contains("33.3 %"), "{sent}");
    assert!(!sent.contains("\"o-1\""), "shop 1 did not change: {sent}");
    let sent = shop.until("3 writes held").await;
    assert!(sent.contains("timeline"), "{sent}");
}

#[tokio::test]
async fn what_shoppers_wait_is_sent_to_who_looks() {
    let bench = Bench::start(2).await;
    let mut shop = Stream::of(&bench, "/shops/1", None).await;
    assert!(shop.next(QUIET).await.is_none());
    let note = Record::default().with("before", "50:7");
    bench.store.note(&note_of(&bench.shop(1)), note).await.unwrap();
    let sent = shop.until("data-when").await;
    assert!(sent.contains("waits"), "{sent}");
}

#[tokio::test]
async fn a_viewer_that_comes_back_gets_what_it_missed_and_nothing_it_has() {
    let bench = Bench::start(3).await;
    let mut board = Stream::of(&bench, "/", None).await;
    bench.look("ready", 2_000).await;
    let mut last = board.next(WAIT).await.unwrap().id;
    // A look between the beats may have come in two parts.
    while let Some(event) = board.next(QUIET).await {
        last = event.id;
    }
    drop(board);
    let mut same = Stream::of(&bench, "/?lang=en", Some(&last)).await;
    assert!(same.next(QUIET).await.is_none(), "it has everything");
    drop(same);
    bench.look("copying", 2_000).await;
    let mut back = Stream::of(&bench, "/", Some(&last)).await;
    assert!(back.until("\"s-3\"").await.contains("copying"));
}

#[tokio::test]
async fn a_filtered_list_is_not_redrawn_but_told_to_be_old() {
    let bench = Bench::start(3).await;
    let mut ready = Stream::of(&bench, "/?state=tracking", None).await;
    assert!(ready.next(QUIET).await.is_none());
    bench.look("ready", 2_000).await;
    let mut names = vec![ready.next(WAIT).await.unwrap().name];
    names.extend(ready.next(QUIET).await.map(|event| event.name));
    assert!(names.contains(&"moved".to_owned()), "{names:?}");
}

/// What a viewer is sent over some changes of every shop's lag.
async fn bytes_of_changes(shops: usize) -> usize {
    let bench = Bench::start(shops).await;
    let mut board = Stream::of(&bench, "/", None).await;
    assert!(board.next(QUIET).await.is_none());
    for lag_ms in [40, 70, 120] {
        bench.look("tracking", lag_ms * 1_000).await;
        board.next(WAIT).await.unwrap();
        while board.next(QUIET).await.is_some() {}
    }
    board.bytes
}

#[tokio::test]
async fn a_viewers_bytes_do_not_grow_with_the_shops() {
    let (few, many) = (bytes_of_changes(200).await, bytes_of_changes(20_000).await);
    eprintln!("bytes for three changes: {few} at 200 shops, {many} at 20,000");
    assert!(many * 10 <= few * 12, "{few} at 200 shops, {many} at 20,000");
}
