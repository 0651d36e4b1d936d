//! The shoppers and the oracle against a shop that is wrong on demand: each wrong is named by its detector, and by
//! nobody where that detector is taken away.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what is not as expected fails the test")]

mod fake;
mod later;
mod legacy;

use fake::Fault;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

/// Requests after which a run is told to finish; at 400/s it has made some 40 orders by then.
const ENOUGH: u64 = 600;

/// Lines as they are said.
struct Heard(mpsc::UnboundedSender<Value>);

impl Write for Heard {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.send(serde_json::from_slice(line).unwrap()).unwrap();
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One run in `folder` against the seam: each line is told after so many requests, and then the input ends. Gives
/// back everything that was said.
async fn run(folder: &Path, seam: &str, without: &[&str], tells: &[(u64, Value)]) -> Vec<Value> {
    run_over(folder, seam, folder.join("legacy.db").to_str().unwrap(), without, tells).await
}

/// The same over any legacy database.
async fn run_over(folder: &Path, seam: &str, legacy: &str, without: &[&str], tells: &[(u64, Value)]) -> Vec<Value> {
    let databases = json!({"legacy": legacy, "store": folder.join("store.db")});
    let addresses = json!({"seam": seam, "databases": databases, "keys": {"host": "h", "seller": "s"}});
    run_at(folder, &addresses, without, tells).await
}

/// The same at any addresses; where a provider's are among them, some people pay later.
async fn run_at(folder: &Path, addresses: &Value, without: &[&str], tells: &[(u64, Value)]) -> Vec<Value> {
    std::fs::write(folder.join("addresses.json"), addresses.to_string()).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut args: Vec<String> =
        ["--shops", "1", "--shoppers", "60", "--rate", "400", "--seed", "7", "--later", "8", "--later-ms", "400"]
            .map(str::to_owned)
            .to_vec();
    args.extend(["--addresses".into(), path("addresses.json"), "--journal".into(), path("journal")]);
    args.extend(without.iter().flat_map(|detector| ["--without".to_owned(), (*detector).to_owned()]));
    let (mut told, input) = tokio::io::duplex(4096);
    let (said, mut hearing) = mpsc::unbounded_channel::<Value>();
    let conversation = async {
        let mut heard = Vec::new();
        for (requests, tell) in tells {
            while reached(&heard) < *requests {
                heard.push(hearing.recv().await.unwrap());
            }
            if !tell.is_null() {
                told.write_all(format!("{tell}\n").as_bytes()).await.unwrap();
            }
        }
        told.shutdown().await.unwrap();
        while let Some(line) = hearing.recv().await {
            heard.push(line);
        }
        heard
    };
    let running = async {
        let mut heard = Heard(said);
        demo_shoppers::run_on(&args, BufReader::new(input), &mut heard).await.unwrap();
    };
    tokio::join!(running, conversation).1
}

/// Requests made, as the last tick says.
fn reached(heard: &[Value]) -> u64 {
    heard.iter().rev().find_map(|line| line.get("requests").and_then(Value::as_u64)).unwrap_or(0)
}

fn finish(requests: u64) -> (u64, Value) {
    (requests, json!({"tell": "finish"}))
}

fn report(said: &[Value]) -> &Value {
    let report = said.last().unwrap();
    assert_eq!(report["said"], "report", "{report}");
    report
}

/// The whole run of a shop with this fault.
async fn judged(fault: Fault, without: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (_shop, seam) = fake::start(folder.path(), fault).await;
    report(&run(folder.path(), &seam, without, &[finish(ENOUGH)]).await).clone()
}

async fn named(fault: Fault, detector: &str) -> Value {
    let report = judged(fault, &[]).await;
    assert_eq!(report["reasons"], json!([detector]), "{report:#}");
    let blind = judged(fault, &[detector]).await;
    assert_eq!(blind["reasons"], json!([]), "{blind:#}");
    report["oracle"].clone()
}

#[tokio::test]
async fn a_shop_that_is_right_is_found_right() {
    let returned = |report: &Value| report["oracle"]["stock"]["returned"].as_i64().unwrap() > 0;
    let mut report = judged(Fault::Nothing, &[]).await;
    // What people do depends on how fast they are answered. A run in which nobody gave anything back shows too little.
    for _ in 0..4 {
        assert_eq!(report["reasons"], json!([]), "{report:#}");
        if returned(&report) {
            break;
        }
        report = judged(Fault::Nothing, &[]).await;
    }
    let (before, oracle) = (&report["requests"]["before"], &report["oracle"]);
    assert!(before["ok"].as_u64().unwrap() > 400 && before["refused"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!((&before["failed"], &before["wrong"]), (&json!(0), &json!(0)));
    assert!(oracle["stock"]["sold"].as_i64().unwrap() > 0 && returned(&report), "{report:#}");
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    assert_eq!(oracle["acknowledged"], oracle["found"], "{report:#}");
}

#[tokio::test]
async fn an_acknowledged_order_that_is_gone_is_missing() {
    assert_eq!(named(Fault::LoseAcknowledged, "oracle").await["missing"], 1);
}

#[tokio::test]
async fn a_second_order_of_a_checkout_is_named() {
    assert_eq!(named(Fault::DoubleOrder, "oracle").await["twice"], 1);
}

#[tokio::test]
async fn an_order_with_another_total_is_different() {
    assert_eq!(named(Fault::ChangeTotal, "oracle").await["different"], 1);
}

#[tokio::test]
async fn stock_that_stays_although_it_was_sold_breaks_the_equation() {
    assert!(named(Fault::Oversell, "oracle.stock").await["stock"]["oversold"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn a_number_that_no_invoice_has_is_a_gap() {
    let oracle = named(Fault::SkipNumber, "oracle.invoices").await;
    assert_eq!((&oracle["invoices"]["gaps"], &oracle["invoices"]["twice"]), (&json!(1), &json!(0)));
    assert!(oracle["invoices"]["issued"].as_u64().unwrap() > 10, "{oracle:#}");
}

#[tokio::test]
async fn a_tax_of_no_rule_is_wrong() {
    named(Fault::WrongTax, "oracle").await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_nothing_counts_twice() {
    let report = judged(Fault::CutAnswers, &[]).await;
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    assert!(report["requests"]["before"]["retried"].as_u64().unwrap() > 10, "{report:#}");
}

#[tokio::test]
async fn a_write_without_an_answer_is_settled_by_the_next_run() {
    for (fault, settled) in [(Fault::HangAfter, "applied"), (Fault::HangBefore, "not_applied")] {
        let folder = tempfile::tempdir().unwrap();
        let (shop, seam) = fake::start(folder.path(), fault).await;
        // The first run ends with its input, as if it had been killed.
        let first = run(folder.path(), &seam, &[], &[(100, Value::Null)]).await;
        assert_ne!(first.last().unwrap()["said"], "report");
        shop.lock().unwrap().mend();
        let second = run(folder.path(), &seam, &[], &[finish(100)]).await;
        let report = report(&second);
        assert_eq!(report["reasons"], json!([]), "{report:#}");
        assert!(report["oracle"]["unanswered"][settled].as_u64().unwrap() >= 1, "{report:#}");
    }
}

#[tokio::test]
async fn a_surge_and_a_check_beside_it_count_for_their_phase() {
    let folder = tempfile::tempdir().unwrap();
    let (_shop, seam) = fake::start(folder.path(), Fault::Nothing).await;
    let at = |requests: u64, tell: Value| (requests, tell);
    let tells = [
        at(100, json!({"tell": "phase", "phase": "during"})),
        at(100, json!({"tell": "surge", "shop": "1", "rate": 100})),
        at(800, json!({"tell": "check", "shop": "1"})),
        at(800, json!({"tell": "surge", "shop": "1", "rate": 0})),
        at(800, json!({"tell": "hold", "shop": "2", "on": true})),
        at(1_200, json!({"tell": "hold", "shop": "2", "on": false})),
        at(1_200, json!({"tell": "phase", "phase": "after"})),
        finish(1_600),
    ];
    let said = run(folder.path(), &seam, &[], &tells).await;
    let checks: Vec<&Value> = said.iter().filter(|line| line["said"] == "checked").collect();
    assert_eq!(checks.len(), 2, "one asked for, one at the end");
    assert!(checks.iter().all(|check| check["missing"] == 0 && check["different"] == 0), "{checks:?}");
    let report = report(&said);
    assert_eq!((&report["reasons"], said[0]["said"].as_str()), (&json!([]), Some("ready")));
    let sent = |phase: &str| report["requests"][phase]["sent"].as_u64().unwrap();
    assert!(sent("before") > 0 && sent("during") > 600 && sent("after") > 100, "{report:#}");
    assert!(report["isolation"]["others_during_hold"]["n"].as_u64().unwrap() > 100, "{report:#}");
}
