//! What only a file has: its log, and somebody who wrote into it with another program.

use crate::on_sqlite::bench::Bench;
use crate::on_sqlite::imports::{cart_at, order};
use store::{Import, ImportError, Outcome};
use vocab::id::{Epoch, Kind};

/// Entries of one order go in by one statement, which leaves what it had done when the second of them cannot stand.
#[tokio::test]
async fn nothing_is_left_of_an_order_whose_entries_cannot_all_stand() {
    let bench = Bench::new().await;
    let planted = rusqlite::Connection::open(bench.dir.path().join("store.sqlite")).unwrap();
    let sql = "insert into ledger (shop, order_id, n, account, currency, amount) values ('s1', 'o1', 2, 'a', 'IDR', 5)";
    planted.execute(sql, []).unwrap();
    let import =
        Import { shop: bench.shop.clone(), epoch: Epoch(1), items: vec![cart_at("c", 1), order(1, &[1, 2, 3])] };
    assert!(matches!(bench.store.import(import).await, Err(ImportError::Store(_))));
    assert!(bench.store.counts(&bench.shop).await.unwrap().is_empty());
    let left: (i64, i64) = planted
        .query_row("select count(*), sum(amount) from ledger", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(left, (1, 5));
}

#[tokio::test]
async fn a_light_import_is_in_the_log_when_that_is_asked_for() {
    let bench = Bench::new().await;
    let log = bench.dir.path().join("store.sqlite-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let import = |items| Import { shop: bench.shop.clone(), epoch: Epoch(1), items };
    let outcomes = bench.store.import_lightly(import(vec![cart_at("c", 5), cart_at("c", 4)])).await.unwrap();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Stale]);
    assert_eq!(bench.version(Kind::Cart, "c").await, Some(1));
    // SQLite syncs its log with what is appended to it, and appends nothing where nothing has changed.
    for _ in 0..3 {
        let before = length();
        bench.store.sync_imports().await.unwrap();
        assert!(length() > before);
    }
}
