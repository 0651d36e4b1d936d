//! Backups: all of it, of one moment, and a store of either engine again.

use super::bench::{Bench, cart, id, live, new_cart, product, taken};
use super::imports::order;
use std::collections::BTreeMap;
use std::path::Path;
use store::{Commit, Letter, Notice, Rows, Store, Write};
use testkit::postgres::fresh_database;
use vocab::document::Record;
use vocab::id::{Kind, Seq, Side, Timestamp};

/// More than are copied at one time.
const CARTS: usize = 450;

/// A shop with something in every kind of table.
async fn filled() -> Bench {
    let bench = Bench::new().await;
    let title = "Teh \u{1F375} «manis»";
    let items = vec![live(Kind::Product, "p", 1, product("p", title), vec![(id("vp"), 7)]), order(1, &[1, 2, 3])];
    bench.import(items).await;
    bench.flip(Side::Backend, 1, 2).await;
    let writes = (0..CARTS).map(|nth| new_cart(&format!("c{nth}"))).collect();
    bench.store.commit(Commit { stock: vec![taken("vp", -2)], ..bench.commit(writes) }).await.unwrap();
    let letter = Letter { signature: "t=1,v1=ab".to_owned(), body: b"\x00\xff{}".to_vec() };
    let (rail, digest, reference) = ("loket".into(), "d".repeat(64), "i1-1".to_owned());
    bench.store.keep_notice(Notice { rail, digest, reference, received_at: Timestamp(5), letter }).await.unwrap();
    bench.store.note("n", Record::default().with("why", "\"quoted\"\n")).await.unwrap();
    assert!(bench.store.take_lease("mover", "me", Timestamp(0), Timestamp(9)).await.unwrap());
    bench
}

/// Every row of every table, as text.
fn contents(file: &Path) -> BTreeMap<String, Vec<String>> {
    let file = rusqlite::Connection::open(file).unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let tables = list("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'");
    let rows_of = |table: String| {
        let columns = list(&format!("select name from pragma_table_info('{table}') order by cid"));
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        (table.clone(), list(&format!("select {} from {table} order by 1", quoted.join(" || ',' || "))))
    };
    tables.into_iter().map(rows_of).collect()
}

fn counted(rows: &Rows) -> u64 {
    rows.values().sum()
}

#[tokio::test]
async fn a_backup_is_all_of_a_store_and_becomes_one_of_either_engine() {
    let bench = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first");
    let rows = bench.store.back_up(&file).await.unwrap();
    let first = contents(&file);
    assert!(counted(&rows) > 450 && rows["document"] == 452 && rows["inbox"] == 1, "{rows:?}");
    assert!(first["lease"].is_empty(), "who holds a lease here is not there");
    let database = fresh_database().await;
    for (name, url) in [("file", None), ("server", Some(database.url.as_str()))] {
        let work = folder.path().join(name);
        assert_eq!(Store::restore(&work, url, &file).unwrap(), rows, "{name}");
        let store = Store::open(&work).unwrap();
        assert_eq!(store.is_shared(), url.is_some());
        // It goes on where the first one was.
        let again = folder.path().join(format!("{name}.again"));
        store.back_up(&again).await.unwrap();
        assert_eq!(contents(&again), first, "{name}");
        let write = Write { expected: Some(1), ..new_cart("c7") };
        let committed = store.commit(bench.commit(vec![Write { document: cart("c7").with("n", 1), ..write }])).await;
        assert_eq!(committed.unwrap().seq, Seq(2), "{name}");
        assert_eq!(store.stock(&bench.shop, &[id("vp")]).await.unwrap(), [Some(5)], "{name}");
    }
}

#[tokio::test]
async fn what_is_there_is_never_overwritten_and_what_is_no_backup_makes_no_store() {
    let bench = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    bench.store.back_up(&file).await.unwrap();
    assert!(bench.store.back_up(&file).await.unwrap_err().to_string().contains("there already"));
    let refused = |dir: &Path, url: Option<&str>, file: &Path| Store::restore(dir, url, file).unwrap_err().to_string();
    assert!(refused(bench.dir.path(), None, &file).contains("has a store already"));
    let (work, database) = (folder.path().join("work"), fresh_database().await);
    Store::restore(&folder.path().join("one"), Some(&database.url), &file).unwrap();
    assert!(refused(&work, Some(&database.url), &file).contains("is not empty"));
    let (text, empty) = (folder.path().join("text"), folder.path().join("empty"));
    std::fs::write(&text, "no database, but longer than nothing").unwrap();
    rusqlite::Connection::open(&empty).unwrap().execute_batch("create table t (a)").unwrap();
    for wrong in [&text, &empty, &folder.path().join("nowhere")] {
        assert!(!refused(&work, None, wrong).is_empty(), "{}", wrong.display());
    }
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0, "something is left");
    Store::restore(&work, None, &file).unwrap();
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 1, "something is left beside the store");
}

/// Somebody makes a store in the same folder while one is restored: it is never removed, and never written into.
#[tokio::test]
async fn a_store_that_is_made_meanwhile_stays_as_it_is() {
    let bench = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    bench.store.back_up(&file).await.unwrap();
    let mut met = 0;
    for nth in 0..40_u64 {
        let work = folder.path().join(format!("work{nth}"));
        let (dir, backup) = (work.clone(), file.clone());
        let restoring = std::thread::spawn(move || Store::restore(&dir, None, &backup));
        std::thread::sleep(std::time::Duration::from_millis(nth));
        let made = Store::open(&work).unwrap();
        let restored = restoring.join().unwrap();
        met += usize::from(restored.is_err());
        // Whoever was first has it, whole: the new and empty one, or the restored one.
        let heads = made.heads().await.unwrap().len();
        assert_eq!(heads, usize::from(restored.is_ok()), "{restored:?}");
        made.note("n", Record::default()).await.unwrap();
        drop(made);
        assert!(Store::open(&work).unwrap().noted("n").await.unwrap().is_some());
        assert!(
            std::fs::read_dir(&work).unwrap().all(|entry| !entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("restore"))
        );
    }
    assert!(met > 0, "no restore met another store");
}

/// Sales go on while it is made: what is in it is one moment of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment() {
    let bench = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let (store, going) = (bench.store.clone(), bench.commit(vec![]));
    let selling = tokio::spawn(async move {
        for nth in 0..400 {
            let commit = Commit { writes: vec![new_cart(&format!("d{nth}"))], ..going.clone() };
            store.commit(commit).await.unwrap();
        }
    });
    let mut seen = Vec::new();
    for nth in 0..4 {
        let file = folder.path().join(format!("{nth}"));
        bench.store.back_up(&file).await.unwrap();
        let file = rusqlite::Connection::open(&file).unwrap();
        let sql = "select (select seq from shop_head), (select max(seq) from fact), (select count(*) from fact),
                          (select count(*) from document where id like 'd%')";
        let (seq, newest, facts, sold): (i64, i64, i64, i64) =
            file.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        assert_eq!((newest, facts, sold), (seq, seq, seq - 1));
        seen.push(seq);
    }
    selling.await.unwrap();
    assert!(seen.is_sorted() && seen[0] < 401, "nothing was sold meanwhile: {seen:?}");
}
