//! Stock, prices and tax.

use crate::kios::{amount, id, on_both};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_buyers_of_ten_pieces_get_ten() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        kios.script(&format!("update produk set stok = 10 where id = {product}")).await;
        let mut checkouts = Vec::new();
        for _ in 0..50 {
            checkouts.push(id(&kios.ready_checkout(1, &[(&product, 1)]).await));
        }
        let buying = checkouts.iter().map(|checkout| kios.complete(1, checkout, "approve"));
        let answers = futures_util::future::join_all(buying).await;
        let sold = answers.iter().filter(|answer| answer.body["status"] == "completed").count();
        for answer in answers.into_iter().filter(|answer| answer.body["status"] != "completed") {
            let refused = answer.refused("out_of_stock");
            assert_eq!(refused["messages"][0]["path"], "$.line_items[0]");
        }
        assert_eq!((sold, kios.stock(&product).await), (10, 0));
        let units = "select sum(jml) from jual_detil where produk_id";
        let last_ten = format!("{units} = {product} and jual_id > (select max(id) - 10 from jual)");
        assert_eq!(kios.one(&last_ten).await, "10");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn buyers_who_want_the_same_two_things_in_either_order_all_get_them() {
    on_both(async |kios| {
        let products = kios.on_sale(1).await;
        let (a, b) = (products[0].as_str(), products[1].as_str());
        let stock = (kios.stock(a).await, kios.stock(b).await);
        let mut checkouts = Vec::new();
        for turn in 0..24 {
            let lines = if turn % 2 == 0 { [(a, 1), (b, 1)] } else { [(b, 1), (a, 1)] };
            checkouts.push(id(&kios.ready_checkout(1, &lines).await));
        }
        let buying = checkouts.iter().map(|checkout| kios.complete(1, checkout, "approve"));
        for answer in futures_util::future::join_all(buying).await {
            answer.ok(200);
        }
        assert_eq!((kios.stock(a).await, kios.stock(b).await), (stock.0 - 24, stock.1 - 24));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trigger_follows_every_change_of_a_line() {
    on_both(async |kios| {
        let product = kios.on_sale(2).await.remove(0);
        let start = kios.stock(&product).await;
        let insert = "insert into jual_detil (id, jual_id, urut, produk_id, nama, harga, jml, batal_jml, retur_jml, \
                      pajak, total, tanda) values (900001, 1, 9";
        kios.script(&format!("{insert}, {product}, 'x', '1.00', 5, 1, 0, '0.00', '5.00', 'N')")).await;
        assert_eq!(kios.stock(&product).await, start - 4);
        kios.script("update jual_detil set batal_jml = 3 where id = 900001").await;
        assert_eq!(kios.stock(&product).await, start - 2);
        kios.script("update jual_detil set jml = 8, retur_jml = 1 where id = 900001").await;
        assert_eq!(kios.stock(&product).await, start - 5);
        kios.script("update jual_detil set retur_jml = 2, tanda = 'Y' where id = 900001").await;
        assert_eq!(kios.stock(&product).await, start - 5);
        kios.script("delete from jual_detil where id = 900001").await;
        assert_eq!(kios.stock(&product).await, start);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tax_is_rounded_on_every_line() {
    on_both(async |kios| {
        kios.script("update toko set pajak_bp = 1100 where id = 1").await;
        let products = kios.on_sale(1).await;
        let lines: Vec<(&str, i64)> = products.iter().take(3).map(|product| (product.as_str(), 1)).collect();
        for (product, _) in &lines {
            kios.edit(&format!("1/seller/products/{product}"), json!({"price": 5_000})).await.ok(200);
        }
        let checkout = kios.ready_checkout(1, &lines).await;
        // 11 % of 50 rupiah is 5.5, so 6 on each of three lines; of all 150 together it is 16.5, so 17.
        assert_eq!((amount(&checkout, "subtotal"), amount(&checkout, "tax")), (15_000, 1_800));
        let done = kios.complete(1, &id(&checkout), "approve").await.ok(200);
        let nomor = id(&done["order"]);
        let taxes = "select d.pajak from jual_detil d join jual j on j.id = d.jual_id where j.nomor";
        assert_eq!(kios.column(&format!("{taxes} = '{nomor}'")).await, ["6.00", "6.00", "6.00"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_changes_price_and_stock_within_reason() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(1);
        let path = format!("1/seller/products/{product}");
        let stock = kios.stock(&product).await;
        let edited = kios.edit(&path, json!({"price": 1_234_500, "stock_delta": 7})).await.ok(200);
        let variant = &edited["product"]["variants"][0];
        assert_eq!(
            (variant["price"]["amount"].as_i64(), variant["stock"].as_i64()),
            (Some(1_234_500), Some(stock + 7))
        );
        assert_eq!(kios.one(&format!("select harga from produk where id = {product}")).await, "12345.00");
        let refused = kios.edit(&path, json!({"stock_delta": -stock - 8})).await.refused("stock_below_zero");
        assert_eq!(refused["product"]["variants"][0]["stock"], stock + 7);
        for price in [0, -100, 150] {
            kios.edit(&path, json!({"price": price})).await.refused("price_invalid");
        }
        kios.edit("1/seller/products/999999", json!({"price": 100})).await.refused("not_found");
        assert_eq!(kios.stock(&product).await, stock + 7);
    })
    .await;
}
