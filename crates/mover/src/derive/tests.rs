//! Derivation while others go on changing things.

use super::*;
use crate::fixture::{FILE, Followed, TABLE, mover, plan};
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

/// The demo's own legacy, in which one customer buys at many shops.
const KIOS: &str = include_str!("../../../../demo/legacy/mapping/kios.toml");
const KIOS_TABLES: &str = include_str!("../../../../demo/legacy/schema/sqlite.sql");

/// An order of a customer, paid.
fn order(id: i64, customer: i64) -> String {
    let when = "'2020-01-02 03:04:05'";
    format!(
        "insert into jual (id, toko_id, nomor, faktur, transaksi_id, pelanggan_id, tgl, status, batal_pada, jalan, kota, prov,
           kodepos, negara, subtotal, pajak, ongkir, total, jml_item, kdx, diubah) values ({id}, 7, 'K-{id}', {id}, null,
           {customer}, {when}, 'LUNAS', '0000-00-00 00:00:00', 'Jalan 1', 'Bandung', 'Jabar', '40111', 'ID', '5.00', '0.00',
           '0.00', '5.00', 1, '-', {when});
         insert into jual_detil (id, jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, pajak, total, tanda)
           values ({id}, {id}, 1, 3, 'kopi', '5.00', 1, 0, 0, '0.00', '5.00', '-');
         insert into bayar (id, jual_id, cara, jumlah, tgl, lunas, gagal) values ({id}, {id}, 'INSTAN', '5.00', {when}, 'Y', 'T')"
    )
}

async fn derived(followed: &Followed) -> (usize, Vec<String>) {
    let cut = followed.cx.source.snapshot().await.unwrap().cut().clone();
    assert!(followed.cx.wait_until_staged(&cut).await.unwrap());
    derive_all(&followed.cx, &followed.shop, Epoch(1)).await.unwrap();
    assert_eq!(followed.cx.staged.count(Ledger::Derive, &followed.shop).unwrap(), 0);
    let orders = followed.cx.store.documents(&followed.shop, Kind::Order, None::<&PublicId>, 10).await.unwrap();
    let found = followed.cx.store.findings(&followed.shop).await.unwrap();
    (orders.len(), found.into_iter().map(|found| found.finding.class.to_string()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_was_there_before_the_shop_was_copied_buys_there_for_the_first_time() {
    let customers = "insert into pelanggan values (9, 'Ana', null, null, '-', 0), (10, 'Budi', null, null, '-', 0)";
    let tables = format!("pragma journal_mode = wal; {KIOS_TABLES}; {customers}");
    let followed = Followed::new(&tables, KIOS, None).await;
    assert_eq!(derived(&followed).await, (0, vec![]));
    followed.legacy(&order(1, 9));
    assert_eq!(derived(&followed).await, (1, vec![]));
    // One whom nobody knows is found, again and again, until somebody does.
    followed.legacy(&order(2, 99));
    assert_eq!(derived(&followed).await, (1, vec!["mapping.orphan".to_owned()]));
    followed.legacy("update jual set jalan = 'Jalan 2' where id = 2");
    assert_eq!(derived(&followed).await, (1, vec!["mapping.orphan".to_owned()]));
    followed.legacy("update jual set pelanggan_id = 10 where id = 2");
    assert_eq!(derived(&followed).await, (2, vec![]));
}
