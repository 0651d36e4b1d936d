//! Seen from the kernel: whoever is told yes is told after the sync that covers it.
//!
//! The whole demo runs under `strace`. Each probe is a write whose key is found again in the pages that the store's
//! writer wrote, and whose id is found in the answer that left the process: between the last write of that group and
//! the answer there must be an `fdatasync` of the same file.

use crate::demo::{Demo, How, alone, ask, say, steps};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

const DEMO_MAX: Duration = Duration::from_secs(180);
/// Writers at once, so that groups have more than one member, and the probes of each.
const WRITERS: usize = 4;
const PROBES: usize = 6;

/// Whole pages and whole answers: a frame of the log is 4,096 bytes.
const STRACE: [&str; 9] = [
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-y",
    "-s",
    "8192",
    "-e",
    "trace=pwrite64,fdatasync,fsync,write,writev,sendto",
];

/// A call that has returned: the process, its name with the arguments, and what it returned. Its place in the list is
/// where it ended; `begun` is the line on which it began.
struct Call {
    begun: usize,
    ended: usize,
    thread: String,
    text: String,
}

/// Joins the two halves of calls that another thread's line stands between.
fn calls(log: &str) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in log.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (at, begun));
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            if let Some((begun, start)) = unfinished.remove(thread) {
                calls.push(Call { begun, ended: at, thread: thread.to_owned(), text: format!("{start}{end}") });
            }
        } else {
            calls.push(Call { begun: at, ended: at, thread: thread.to_owned(), text: rest.to_owned() });
        }
    }
    calls
}

/// What is wrong with how one probe was answered: under this key, with these ids (a cart's, its line's).
fn fault(calls: &[Call], key: &str, ids: &[String; 2]) -> Option<String> {
    let log = |call: &&Call| call.text.contains("store.sqlite-wal>");
    let written = calls.iter().find(|call| log(call) && call.text.starts_with("pwrite64(") && call.text.contains(key));
    let Some(written) = written else { return Some(format!("{key} is in no page that was written")) };
    let same = || calls.iter().filter(log).filter(|call| call.thread == written.thread);
    let sync = same().find(|call| call.text.starts_with("fdatasync(") && call.begun > written.ended);
    let Some(sync) = sync else { return Some(format!("nothing was synced after the page of {key}")) };
    let last =
        same().filter(|call| call.text.starts_with("pwrite64(") && call.ended < sync.begun).map(|call| call.ended);
    let last = last.max().unwrap_or(written.ended);
    // The seam passes the request on: no answer of before that is its.
    let asked = calls.iter().find(|call| !call.text.starts_with("pwrite64(") && call.text.contains(key));
    let Some(asked) = asked else { return Some(format!("nobody sent {key} on")) };
    let answer = calls.iter().find(|call| {
        let shows = |id: &String| call.text.contains(&format!(r#"\"id\":\"{id}\""#));
        call.begun > asked.begun && call.text.contains("HTTP/1.1 201 Created") && ids.iter().all(shows)
    });
    let Some(answer) = answer else { return Some(format!("the answer to {key} left no process")) };
    let right = sync.text.ends_with("= 0") && last < sync.begun && sync.ended < answer.begun;
    (!right).then(|| {
        let (synced, told) = (sync.ended, answer.begun);
        format!("{key}: last write on line {last}, synced on {synced} ({}), told on {told}", sync.text)
    })
}

/// The backend owns the shop for the second time, and soaks.
fn has_moved(work: &Path) -> bool {
    let steps = steps(work);
    let back = steps.iter().any(|step| step.direction == "to_legacy" && step.step == "release" && step.phase == "done");
    back && steps.last().is_some_and(|step| step.step == "soak" && step.phase == "done")
}

#[test]
fn between_the_last_write_of_a_group_and_its_first_answer_there_is_an_fdatasync() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("strace");
    let mut inside: Vec<String> = STRACE.map(str::to_owned).to_vec();
    inside.extend(["-o".to_owned(), log.display().to_string()]);
    let mut demo = Demo::start(&How { shops: 1, rate: 10, surge: 20, seconds: 8, inside, ..How::on("sqlite") });
    let seam = demo.addresses().seam();
    demo.until("the shop has moved twice", DEMO_MAX, |demo| has_moved(&demo.work));
    let (_, shelf) = ask(&seam, "POST", "/shops/1/catalog/search", None, "{}").unwrap();
    let product = shelf["products"][0]["variants"][0]["id"].as_str().unwrap();
    let body = format!(r#"{{"line_items":[{{"item":{{"id":"{product}"}},"quantity":1}}]}}"#);
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (seam, body, told) = (&seam, &body, &told);
            scope.spawn(move || {
                for probe in 0..PROBES {
                    let key = format!("synced-{writer}-{probe}-{}", std::process::id());
                    let (status, cart) = ask(seam, "POST", "/shops/1/carts", Some(&key), body).unwrap();
                    assert_eq!(status, 201, "{cart}");
                    let ids = [&cart["id"], &cart["line_items"][0]["id"]].map(|id| id.as_str().unwrap().to_owned());
                    told.lock().unwrap().push((key, ids));
                }
            });
        }
    });
    let ended = demo.end(DEMO_MAX);
    assert_eq!(ended.fault(), None, "{}", ended.said);
    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let (calls, told) = (calls(&text), told.into_inner().unwrap());
    let faults: Vec<String> = told.iter().filter_map(|(key, ids)| fault(&calls, key, ids)).collect();
    let syncs =
        calls.iter().filter(|call| call.text.starts_with("fdatasync(") && call.text.contains("store.sqlite-wal>"));
    say(&format!(
        "{} writes, each answered after its fdatasync ({} of the store's log in all)",
        told.len(),
        syncs.count()
    ));
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), told.len(), faults.join("\n"));
}

#[test]
fn an_answer_before_its_sync_would_be_noticed() {
    let wal = "3</w/store.sqlite-wal>";
    let page = format!(r#"7 pwrite64({wal}, "..key-1..", 4096, 0) = 4096"#);
    let (sync, other) = (format!("7 fdatasync({wal}) = 0"), format!(r#"7 pwrite64({wal}, "..", 4096, 9) = 4096"#));
    let answer = r#"8 writev(9<socket>, [{iov_base="HTTP/1.1 201 Created..{\"id\":\"5\",\"line_items\":[{\"id\":\"6\"}]}"}], 1) = 20"#.to_owned();
    let told = |lines: &[&String]| {
        let asked = std::iter::once(r#"8 writev(9<socket>, "POST .. key-1") = 9"#);
        let log: Vec<&str> = asked.chain(lines.iter().map(|line| line.as_str())).collect();
        fault(&calls(&log.join("\n")), "key-1", &["5".to_owned(), "6".to_owned()])
    };
    assert_eq!(told(&[&page, &other, &sync, &answer]), None);
    assert!(told(&[&page, &answer, &sync]).is_some(), "before the sync");
    assert!(told(&[&page, &other, &answer]).is_some(), "without one");
    let (begun, resumed) = (format!("7 fdatasync({wal} <unfinished ...>"), "7 <... fdatasync resumed>) = 0".to_owned());
    assert!(told(&[&page, &begun, &answer, &resumed]).is_some(), "while it was under way");
    assert_eq!(told(&[&page, &begun, &resumed, &answer]), None);
}
