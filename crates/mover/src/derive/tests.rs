//! Derivation while others go on changing things.

use super::*;
use crate::fixture::{FILE, TABLE, mover, plan};
use std::sync::atomic::{AtomicBool, Ordering};
use vocab::row::RowKey;

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_where_shoppers_go_on_changing_things_for_ever() {
    let shop = ShopId::parse("7").unwrap();
    let shops = std::slice::from_ref(&shop);
    let (_folder, cx) = mover(TABLE, shops, |source| plan(source, FILE, shops)).await;
    let (staged, changing, ended) = (cx.staged.clone(), shop.clone(), Arc::new(AtomicBool::new(false)));
    let change = move |first: i64| {
        let some: Vec<_> = (first..first + 64).map(|id| (0, Anchor::Row(RowKey(vec![Cell::Int(id)])))).collect();
        staged.list(Ledger::Derive, &changing, &some).unwrap();
    };
    change(0);
    let go_on = Arc::clone(&ended);
    let shoppers = std::thread::spawn(move || {
        (64..).step_by(64).take_while(|_| !go_on.load(Ordering::Acquire)).for_each(change);
    });
    let derived = tokio::time::timeout(Duration::from_secs(30), derive(&cx, &shop, Epoch(1))).await;
    ended.store(true, Ordering::Release);
    tokio::task::spawn_blocking(move || shoppers.join().unwrap()).await.unwrap();
    let worked = derived.expect("whoever waits for derivation waits for ever").unwrap();
    assert!(worked.everything && worked.imported >= 64, "{worked:?}");
}
