//! `backup` and `restore`: of a store that sells, into one of either engine that sells on.

use crate::demo::executable;
use crate::served::{Served, buy, call, of_sandbox};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use store::Store;
use vocab::id::ShopId;

/// What a sandbox sold is backed up while it sells, and sells on elsewhere, on either engine.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_elsewhere_and_sells_on() {
    let folder = tempfile::tempdir().unwrap();
    let at_folder = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (first, out) = (at_folder("first"), at_folder("out"));
    let sandbox = |work: &str| ["--sandbox", "--port", "0", "--work", work].map(str::to_owned);
    let log = folder.path().join("said.log");
    let served = Served::start(&sandbox(&first).each_ref().map(String::as_str), &log);
    let (seam, shop, key) = of_sandbox(&first);
    let order = buy(seam, &key, &shop, "1").await;
    let said = run(&["backup", "--work", &first, "--out", &out, "--json"], 0);
    let list: Value = serde_json::from_str(&said).unwrap();
    assert!(list["tables"]["document"].as_u64().unwrap() > 7 && list["moving"] == json!([]), "{said}");
    // It goes on meanwhile; what is sold now is not in it.
    let later = buy(seam, &key, &shop, "1").await;
    drop(served);
    let database = testkit::postgres::fresh_database().await;
    for (name, url) in [("file", None), ("server", Some(database.url.as_str()))] {
        let work = at_folder(name);
        let mut restore = vec!["restore", "--from", &out, "--work", &work];
        restore.extend(url.iter().flat_map(|url| ["--store", url]));
        run(&restore, 0);
        run(&restore, 3);
        let served = Served::start(&sandbox(&work).each_ref().map(String::as_str), &log);
        let (seam, shop, key) = of_sandbox(&work);
        for (order, status) in [(&order, 200), (&later, 404)] {
            let path = format!("/shops/{shop}/orders/{}", order["id"].as_str().unwrap());
            let (got, body) = call(seam, &key, "GET", &path, &Value::Null).await;
            let known = if body["ucp"]["status"] == "error" { 404 } else { got };
            assert_eq!(known, status, "{name}: {body}");
        }
        let again = buy(seam, &key, &shop, "1").await;
        let path = format!("/shops/{shop}/orders/{}", again["id"].as_str().unwrap());
        assert_eq!(call(seam, &key, "GET", &path, &Value::Null).await.0, 200);
        // The seeded 120, one before the backup, one here.
        let store = Store::open(Path::new(&work)).unwrap();
        let left = store.stock(&ShopId::parse(&shop).unwrap(), &[vocab::id::PublicId::new("1")]).await.unwrap();
        assert_eq!(left, [Some(118)], "{name}");
        assert_eq!(served.end("-TERM").code(), Some(0));
    }
    // One bit of it, and it is none.
    let file = Path::new(&out).join("store.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(run(&["restore", "--from", &out, "--work", &at_folder("damaged")], 4), "backup_damaged\n");
    run(&["backup", "--work", &at_folder("nothing"), "--out", &at_folder("out2")], 3);
}

/// Runs a command to its end, which must be this; what it printed.
fn run(args: &[&str], code: i32) -> String {
    let mut command = Command::new(executable());
    let output = command.args(args).env_remove("BALIK_STORE").env_remove("BALIK_WORK").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
