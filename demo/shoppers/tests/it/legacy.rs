//! The oracle against the legacy itself, on both its databases: a real shop that is right must be found right.

use super::{finish, report, run_over};
use demo_legacy::{Database, Keys};
use serde_json::json;

async fn check(url: &str) {
    let database = Database::open(url).await.unwrap();
    demo_legacy::init(&database, 3, 2, None).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seam = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(demo_legacy::serve(listener, database, Keys { host: "h".into(), seller: "s".into() }));
    let folder = tempfile::tempdir().unwrap();
    let said = run_over(folder.path(), &seam, url, &[], &[finish(600)]).await;
    serving.abort();
    let report = report(&said);
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    let (before, oracle) = (&report["requests"]["before"], &report["oracle"]);
    assert_eq!((&before["failed"], &before["wrong"]), (&json!(0), &json!(0)), "{report:#}");
    assert!(oracle["stock"]["sold"].as_i64().unwrap() > 0 && oracle["acknowledged"] == oracle["found"], "{report:#}");
}

#[tokio::test]
async fn the_legacy_on_sqlite_is_found_right() {
    let folder = tempfile::tempdir().unwrap();
    check(&format!("sqlite:{}", folder.path().join("legacy.db").display())).await;
}

#[tokio::test]
async fn the_legacy_on_postgresql_is_found_right() {
    let database = testkit::postgres::fresh_database().await;
    check(&database.url).await;
}
