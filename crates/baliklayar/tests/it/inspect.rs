//! `move inspect` as anybody would run it: the page that shows it is what it says, its JSON has the documented fields,
//! and it leaves nothing behind, neither in the database nor in the folder.

use crate::contracts::{document, run, same_fields};
use expect_test::expect_file;
use serde_json::Value;
use std::path::Path;
use testkit::postgres::{Database, fresh_database};

const SHOP: &str = include_str!("inspect/sylius.sql");
/// What stands around the output on the page.
const FENCE: [&str; 2] = ["\n```text output\n", "\n```\n"];

async fn shop() -> Database {
    let database = fresh_database().await;
    database.connect().await.batch_execute(SHOP).await.unwrap();
    database
}

/// The page with another output.
fn page_with(output: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(FENCE[0]).unwrap();
    let (_, after) = rest.split_once(FENCE[1]).unwrap();
    format!("{before}{}{output}{}{after}", FENCE[0], FENCE[1])
}

/// Without what another minor version would say.
fn of_any_minor_version(output: &str) -> String {
    let (first, rest) = output.split_once(':').unwrap();
    format!("{}:{rest}", first.split('.').next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_is_printed_today() {
    let database = shop().await;
    let output = run(&["move", "inspect", "--source", &database.url]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    expect_file!["../../../../docs/inspect.md"].assert_eq(&page_with(&of_any_minor_version(printed.trim_end())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_json_has_the_fields_of_the_document() {
    let database = shop().await;
    let output = run(&["move", "inspect", "--json", "--source", &database.url]);
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Fields are compared by the first element of a list.
    let tables = report["tables"].as_array_mut().unwrap();
    tables.sort_by_key(|table| table["references"].as_array().unwrap().is_empty());
    same_fields(&document(), "json inspect", &report);
    assert_eq!(report["tables"].as_array().unwrap().len(), 17);
}

#[test]
fn nothing_that_stops_is_exit_0_and_no_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "pragma journal_mode = wal; create table goods (id integer primary key autoincrement, price text not null)",
        )
        .unwrap();
    let work = folder.path().join("work");
    let source = format!("sqlite:{}", path.display());
    let inspect = |source: &str| run(&["move", "inspect", "--source", source, "--work", work.to_str().unwrap()]);
    let output = inspect(&source);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!work.exists());
    let missing = inspect(&format!("{source}.none"));
    assert_eq!(missing.status.code(), Some(3), "a file is never made");
    assert!(!folder.path().join("shop.db.none").exists());
}
