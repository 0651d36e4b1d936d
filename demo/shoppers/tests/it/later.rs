//! People who pay later, at a shop and a provider that are wrong on demand.

use super::fake::{self, Fault};
use super::{finish, report, run_at};
use serde_json::{Value, json};
use std::path::Path;

/// By then every payer has paid some.
const ENOUGH: u64 = 1_200;
/// By then some have come across what is wrong.
const SOME: u64 = 400;

async fn run(folder: &Path, seam: &str, without: &[&str], tells: &[(u64, Value)]) -> Vec<Value> {
    let databases = json!({"legacy": folder.join("legacy.db"), "store": folder.join("store.db")});
    let addresses = json!({"seam": seam, "provider_page": seam, "provider_control": seam, "databases": databases,
        "keys": {"host": "h", "seller": "s", "provider": "p"}});
    run_at(folder, &addresses, without, tells).await
}

async fn judged(fault: Fault, without: &[&str], requests: u64) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (_shop, seam) = fake::start(folder.path(), fault).await;
    report(&run(folder.path(), &seam, without, &[finish(requests)]).await).clone()
}

fn later(report: &Value, figure: &str) -> u64 {
    report["oracle"]["later"][figure].as_u64().unwrap()
}

#[tokio::test]
async fn what_is_paid_later_is_one_order_and_what_is_not_paid_stays_open() {
    let report = judged(Fault::Nothing, &[], ENOUGH).await;
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    assert!(later(&report, "completed") > 8 && later(&report, "open") > 0, "{report:#}");
    assert_eq!(later(&report, "paid"), later(&report, "completed"), "{report:#}");
    assert_eq!(later(&report, "begun"), later(&report, "paid") + later(&report, "open"), "{report:#}");
    assert_eq!(report["oracle"]["acknowledged"], report["oracle"]["found"], "{report:#}");
}

#[tokio::test]
async fn a_shop_that_is_wrong_about_what_is_paid_later_is_named() {
    for fault in [Fault::KeepNothing, Fault::OtherOrder, Fault::ChargeTwice, Fault::RefundsPaid] {
        let report = judged(fault, &[], SOME).await;
        assert_eq!(report["reasons"], json!(["oracle"]), "{fault:?}: {report:#}");
        let blind = judged(fault, &["oracle"], SOME).await;
        assert_eq!(blind["reasons"], json!([]), "{fault:?}: {blind:#}");
    }
    let report = judged(Fault::CompleteUnpaid, &[], SOME).await;
    assert_eq!(report["reasons"][0], "oracle", "{report:#}");
}

#[tokio::test]
async fn what_one_run_left_open_the_next_one_pays() {
    let folder = tempfile::tempdir().unwrap();
    let (_shop, seam) = fake::start(folder.path(), Fault::Nothing).await;
    // The first run ends with its input, as if it had been killed: some have a number, some are just paying.
    for _ in 0..2 {
        let said = run(folder.path(), &seam, &[], &[(ENOUGH / 2, Value::Null)]).await;
        assert_ne!(said.last().unwrap()["said"], "report");
    }
    let report = report(&run(folder.path(), &seam, &[], &[finish(ENOUGH)]).await).clone();
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    assert!(later(&report, "completed") > 16, "{report:#}");
    assert_eq!(later(&report, "begun"), later(&report, "completed") + later(&report, "open"), "{report:#}");
}
