//! The oracle against the legacy itself, on both its databases: a real shop that is right must be found right, also where
//! people pay later, at a real provider.

use super::{finish, report, run_at};
use demo_legacy::{Database, Keys, Provider};
use serde_json::json;
use std::path::Path;

const PROVIDER_KEY: &str = "provider-key";
const NOTICE_KEY: &str = "whsec_test";

/// A provider with its book in this folder; gives back where buyers pay and its control, and itself as kios is told of it.
async fn provider(folder: &Path, kios: &str) -> (String, String, Provider) {
    let keys = demo_provider::Keys { api: PROVIDER_KEY.into(), webhook: NOTICE_KEY.into() };
    let arguments = demo_provider::Arguments { book: folder.join("provider.db"), ports: [0; 3], keys };
    let (doors, serving) = demo_provider::open(arguments).await.unwrap();
    tokio::spawn(serving);
    let provider = Provider {
        api: format!("http://{}", doors.api),
        key: PROVIDER_KEY.into(),
        notice_keys: vec![NOTICE_KEY.into()],
        page_key: "page-key".into(),
        host_origins: Vec::new(),
        notices_at: format!("{kios}/notices/loket"),
        grace_s: Provider::GRACE_S,
    };
    (format!("http://{}", doors.page), format!("http://{}", doors.control), provider)
}

async fn check(url: &str) {
    let database = Database::open(url).await.unwrap();
    demo_legacy::init(&database, 3, 2, None).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let seam = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (page, control, provider) = provider(folder.path(), &seam).await;
    let keys = Keys { host: "h".into(), seller: "s".into() };
    let serving =
        tokio::spawn(async move { demo_legacy::serve_with(listener, database, keys, &provider).await.unwrap() });
    let databases = json!({"legacy": url, "store": folder.path().join("store.db")});
    let addresses = json!({"seam": seam, "provider_page": page, "provider_control": control, "databases": databases,
        "keys": {"host": "h", "seller": "s", "provider": PROVIDER_KEY}});
    let said = run_at(folder.path(), &addresses, &[], &[finish(1_600)]).await;
    serving.abort();
    let report = report(&said);
    assert_eq!(report["reasons"], json!([]), "{report:#}");
    let (before, oracle) = (&report["requests"]["before"], &report["oracle"]);
    assert_eq!((&before["failed"], &before["wrong"]), (&json!(0), &json!(0)), "{report:#}");
    assert!(oracle["stock"]["sold"].as_i64().unwrap() > 0 && oracle["acknowledged"] == oracle["found"], "{report:#}");
    let later = &oracle["later"];
    assert!(later["completed"].as_u64().unwrap() > 0 && later["paid"] == later["completed"], "{report:#}");
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
