//! Derivation while others go on changing things.

use super::*;
use crate::run::{Setup, context};
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Plan, PlanFile, PlannedShop, Store};
use vocab::id::{Part, Timestamp};
use vocab::row::RowKey;

const FILE: &str = r#"
mapping = 1
source = "small"
currency = "IDR"
zone = "+07:00"
[table.toko]
key = "id"
shop = "id"
columns = 'id int, nama text(80), ongkir text(14), pajak_bp int'
[entity.shop]
from = "toko"
remove = "debt"
fields = { id = "id", name = "nama", tax_bp = "pajak_bp", shipping_flat = "ongkir as rupiah" }
[codec]
rupiah = { is = "money", decimal = ".", read = [0, 2], print = 2 }
"#;

/// A mover of one shop, whose source has nothing.
async fn mover(shop: &ShopId) -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("legacy.sqlite");
    let legacy = rusqlite::Connection::open(&source).unwrap();
    legacy.execute_batch("create table toko (id integer primary key, nama text, ongkir text, pajak_bp int)").unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.create_heads(std::slice::from_ref(shop)).await.unwrap();
    let plan = Plan {
        source: format!("sqlite:{}", source.display()),
        mappings: vec![PlanFile { name: "small.toml".into(), text: FILE.into() }],
        totals: Vec::new(),
        policy: String::new(),
        weights: Vec::new(),
        shops: vec![PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }],
        deadline: None,
        created_at: Timestamp(0),
    };
    let setup = Setup {
        store,
        work: folder.path().to_owned(),
        links: crate::Links::default(),
        clock: Arc::new(|| Timestamp(0)),
        without: crate::Without::default(),
        fault: None,
        holder: "a test".to_owned(),
    };
    let cx = context(&setup, plan).await.unwrap();
    (folder, cx)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_where_shoppers_go_on_changing_things_for_ever() {
    let shop = ShopId::parse("7").unwrap();
    let (_folder, cx) = mover(&shop).await;
    let (staged, changing, ended) = (cx.staged.clone(), shop.clone(), Arc::new(AtomicBool::new(false)));
    let (go_on, listed) = (Arc::clone(&ended), Arc::new(AtomicBool::new(false)));
    let begun = Arc::clone(&listed);
    let shoppers = std::thread::spawn(move || {
        for first in (0..).step_by(64) {
            let some: Vec<_> = (first..first + 64).map(|id| (0, Anchor::Row(RowKey(vec![Cell::Int(id)])))).collect();
            staged.list(Ledger::Derive, &changing, &some).unwrap();
            begun.store(true, Ordering::Release);
            if go_on.load(Ordering::Acquire) {
                return;
            }
        }
    });
    while !listed.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    let derived = tokio::time::timeout(Duration::from_secs(30), derive(&cx, &shop, Epoch(1))).await;
    ended.store(true, Ordering::Release);
    tokio::task::spawn_blocking(move || shoppers.join().unwrap()).await.unwrap();
    let worked = derived.expect("whoever waits for derivation waits for ever").unwrap();
    assert!(worked.everything && worked.imported >= 64, "{worked:?}");
}
