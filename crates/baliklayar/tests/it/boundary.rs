//! The boundary, in a whole run of the demo: every byte that the shops answered to whoever asks as a host app, shoppers and the
//! host page, is looked through for every value that the provider issued and for every key; there is none.
//!
//! What is looked through is what came over the host's connections, head and body, as it came. A buyer's own browser has
//! connections of its own: there the values are, and the same look finds them there.

pub mod scan;

use crate::demo::{Demo, How, alone, long, say, seed};
use crate::host::{AT_REST, LANGUAGE, PURCHASE, Tap};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use scan::Scan;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use testkit::browser::Browser;

const STORY_MAX: Duration = Duration::from_secs(240);

/// Of the provider's book: what it gave out, what it was told by, and what it signed.
const ISSUED: [(&str, &str); 12] = [
    ("charge", "id"),
    ("charge", "reference"),
    ("charge", "code"),
    ("movement", "id"),
    ("movement", "charge"),
    ("movement", "payout"),
    ("refund", "key"),
    ("refund", "account"),
    ("notice", "event"),
    ("notice", "body"),
    ("notice", "url"),
    ("notice", "header"),
];

/// One answer of the shops.
struct Answer<'a> {
    status: u16,
    body: &'a [u8],
}

#[test]
fn no_byte_that_the_host_is_answered_in_a_whole_run_has_a_value_of_the_provider_or_a_key() {
    let _alone = alone();
    for source in ["sqlite", "postgres"].into_iter().take(if long() { 2 } else { 1 }) {
        whole_run(source);
    }
}

fn whole_run(source: &'static str) {
    let heard = tempfile::tempdir().unwrap();
    let how = How { shops: 3, keep: true, heard: Some(heard.path().to_owned()), ..How::on(source) };
    let mut demo = Demo::start(&how);
    let addresses = demo.addresses().0;
    demo.until("everything is kept running", STORY_MAX, |demo| demo.said().contains("everything keeps running"));
    let seen = in_front_of_the_host_page(addresses["host"].as_str().unwrap());
    demo.interrupt();
    let ended = demo.end(STORY_MAX);
    assert_eq!((ended.status.code(), ended.report["clean"].as_bool()), (Some(0), Some(true)), "{}", ended.said);
    let count = |path: &str| ended.report.pointer(path).and_then(serde_json::Value::as_u64).unwrap();
    let (later, at_once) = (count("/oracle/later/completed"), count("/oracle/acknowledged"));
    assert!(later > 0 && at_once > 0, "not both ways of paying: {}", ended.report["oracle"]);

    let values = values(&ended.folder.path().join("work/provider.sqlite"), &addresses);
    let scan = Scan::of(&values);
    let connections = connections(heard.path());
    let (mut answers, mut bytes, mut links) = (0, 0, 0);
    for (name, heard) in &connections {
        let found = scan.find(heard);
        assert_eq!(found, Vec::<String>::new(), "the host was told, in {name}");
        let all = self::answers(heard);
        links += all.iter().filter(|it| it.status == 200 && contains(it.body, b"\"continue_url\":\"/shops/")).count();
        (answers, bytes) = (answers + all.len(), bytes + heard.len());
    }
    say(&format!(
        "boundary, {source}: {bytes} bytes of {answers} answers over {} connections of the host, {links} with a link to pay; \
         {} values and keys looked for: none",
        connections.len(),
        scan.values
    ));
    // Not nothing, and not only a part of it, was looked through.
    let sent: u64 = ["before", "during", "after"].map(|phase| count(&format!("/requests/{phase}/sent"))).iter().sum();
    assert!(u64::try_from(answers).unwrap() >= sent && sent > 0, "{answers} answers, {sent} were asked for");
    for who in ["host-", "shoppers-"] {
        assert!(connections.iter().any(|(name, heard)| name.starts_with(who) && !heard.is_empty()), "nothing of {who}");
    }
    for way in ["8808", "0002", "http"] {
        let is_way = |(value, what): (&String, &String)| what == "charge.code" && value.starts_with(way);
        assert!(values.iter().any(is_way), "nobody was given a code that begins with {way}");
    }
    assert!(links > 0 && values.len() > 50, "{links} links, {} values", values.len());
    the_look_can_fail(&scan, &values, &connections, &seen);
}

/// A person buys on the host page, at once and in a wallet's own time. What the frame showed, which is the buyer's alone.
fn in_front_of_the_host_page(at: &str) -> String {
    let browser = Browser::start();
    let tap = |on: &str, there: &str| {
        browser.until(AT_REST);
        browser.click(on);
        browser.until(there);
    };
    let mut seen = String::new();
    for in_frame in [false, true] {
        browser.open(&format!("{at}/?lang=en"));
        browser.until("document.readyState === 'complete' && document.getElementById('stage')?.dataset.live");
        for Tap { on, there, .. } in PURCHASE.iter().filter(|it| it.on != LANGUAGE && (it.on != "#pay" || !in_frame)) {
            tap(on, there);
        }
        if !in_frame {
            continue;
        }
        browser.enter_frame("#pay-page");
        browser.until("document.querySelector('button[value=qr]')");
        browser.click("button[value=qr]");
        browser.until("document.querySelector('svg')");
        browser.click("button[value=virtual_account]");
        browser.until("document.querySelector('.number')");
        seen += &browser.text();
        browser.click("button[value=wallet]");
        browser.until("document.querySelector('a.button')");
        browser.click("a.button");
        browser.leave_frame();
        browser.in_the_other_window(|browser| {
            browser.until("document.querySelector('form button')");
            browser.click("form button");
            browser.until("document.querySelector('[role=status]')");
        });
        browser.until("location.pathname.includes('/orders/') && document.getElementById('status')");
    }
    seen
}

/// Every value that the provider issued, and every key of the run, with what each is.
fn values(book: &Path, addresses: &serde_json::Value) -> BTreeMap<String, String> {
    let book = Connection::open_with_flags(book, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut values = BTreeMap::new();
    for (table, column) in ISSUED {
        let sql = format!("select {column} from {table} where {column} is not null");
        let mut statement = book.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, Cell>(0)).unwrap();
        for cell in rows.map(Result::unwrap) {
            let Cell::Text(text) = cell else { panic!("{table}.{column} is no text: {cell:?}") };
            // Of a signature's header what is behind its time is the signature.
            let value = text.rsplit_once("v1=").map_or(text.as_str(), |(_, signature)| signature);
            values.insert(value.to_owned(), format!("{table}.{column}"));
        }
    }
    let of = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for name in ["host", "seller", "provider", "notices", "pages"] {
        let key = key(name);
        // Those that are told are told as the rule says, so the others are as well.
        let told = &addresses["keys"][name];
        assert!(told.is_null() || *told == *key, "the key `{name}` is made by another rule");
        values.insert(key, format!("the key `{name}`"));
    }
    for door in ["provider", "provider_page", "provider_control"] {
        values.insert(of(&addresses[door]).trim_start_matches("http://").to_owned(), door.to_owned());
    }
    values.insert("loket".to_owned(), "the provider's name".to_owned());
    values
}

/// How the demo makes the keys of a run.
fn key(what: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("baliklayar-demo/{what}/{}", seed()).as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What came over each connection.
fn connections(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

/// The whole answers; one that was cut off is behind them, and was looked through too. None may come in pieces, between whose
/// lengths a value could stand torn in two.
#[track_caller]
fn answers(mut heard: &[u8]) -> Vec<Answer<'_>> {
    let mut answers = Vec::new();
    while let Some(end) = heard.windows(4).position(|it| it == b"\r\n\r\n") {
        let head = str::from_utf8(&heard[..end]).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 ") && !head.contains("transfer-encoding"), "no answer in one piece: {head}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |it| it.parse().unwrap());
        let Some(body) = heard.get(end + 4..end + 4 + length) else { break };
        answers.push(Answer { status: head[9..12].parse().unwrap(), body });
        heard = &heard[end + 4 + length..];
    }
    answers
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The same look at what the buyer saw finds what they paid with; and one value more in what the host heard is found, whichever
/// it is and however it is written.
fn the_look_can_fail(scan: &Scan, values: &BTreeMap<String, String>, connections: &[(String, Vec<u8>)], seen: &str) {
    let number = scan.find(seen.as_bytes());
    assert!(number.iter().any(|found| found.starts_with("charge.code")), "the number is not found where it is: {seen}");
    let (_, longest) = connections.iter().max_by_key(|(_, heard)| heard.len()).unwrap();
    for (value, what) in values {
        let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for planted in [value, &escaped].map(|planted| format!(" {planted} ")) {
            let (before, behind) = longest.split_at(longest.len() / 2);
            let leaked = [before, planted.as_bytes(), behind].concat();
            let around = before.len() - 100..(before.len() + planted.len() + 100).min(leaked.len());
            assert!(!scan.find(&leaked[around]).is_empty(), "{what} `{planted}` is not found");
        }
    }
}
