//! Cancel and refund: units, money, stock and state.

use crate::kios::{Kios, amount, id, on_both};
use serde_json::{Value, json};

/// A paid order of three units of one thing at 50 rupiah and one of another at 150, with 11 % tax and 9,000 to ship.
async fn order_of(kios: &Kios) -> (Value, [String; 2]) {
    kios.script("update toko set pajak_bp = 1100, ongkir = '9000' where id = 1").await;
    let products = kios.on_sale(1).await;
    let (a, b) = (products[0].clone(), products[1].clone());
    for (product, price) in [(&a, 5_000), (&b, 15_000)] {
        kios.edit(&format!("1/seller/products/{product}"), json!({"price": price})).await.ok(200);
    }
    let order = kios.paid_order(1, &[(&a, 3), (&b, 1)]).await;
    // Each line comes to 150 rupiah and 17 of tax.
    assert_eq!((amount(&order, "subtotal"), amount(&order, "tax"), amount(&order, "total")), (30_000, 3_400, 933_400));
    (order, [a, b])
}

fn part(order: &Value, lines: &[(usize, i64)]) -> Value {
    let line = |(index, quantity): &(usize, i64)| json!({"id": id(&order["line_items"][*index]), "quantity": quantity});
    json!({"lines": lines.iter().map(line).collect::<Vec<_>>()})
}

fn given(order: &Value) -> Vec<(&str, i64, i64)> {
    let adjustments = order["adjustments"].as_array().unwrap();
    let row =
        |it: &'_ Value| -> (i64, i64) { (it["line_items"][0]["quantity"].as_i64().unwrap_or(0), amount(it, "total")) };
    adjustments.iter().map(|it| (it["type"].as_str().unwrap(), row(it).0, row(it).1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_carries_its_tax_rounded_down_and_the_last_takes_the_rest() {
    on_both(async |kios| {
        let (order, [a, b]) = order_of(kios).await;
        let stock = (kios.stock(&a).await, kios.stock(&b).await);
        let path = format!("1/orders/{}/cancel", id(&order));
        let one = kios.post(&path, part(&order, &[(0, 1)])).await.ok(200);
        // 34 rupiah of tax on 300: 5.66 on 50, so 5.
        assert_eq!(given(&one), [("cancellation", -1, -5_500)]);
        assert_eq!(
            (one["status"].as_str(), one["line_items"][0]["quantity"]["total"].as_i64()),
            (Some("paid"), Some(2))
        );
        assert_eq!(kios.stock(&a).await, stock.0 + 1);
        let last = kios.post(&path, part(&order, &[(1, 1), (0, 2)])).await.ok(200);
        // 150 and 17; then everything that is left, shipping included.
        assert_eq!(given(&last)[1..], [("cancellation", -1, -16_700), ("cancellation", -2, -911_200)]);
        assert_eq!(given(&last).iter().map(|it| it.2).sum::<i64>(), -933_400);
        assert_eq!(
            (last["status"].as_str(), last["line_items"][1]["status"].as_str()),
            (Some("cancelled"), Some("removed"))
        );
        assert_eq!((kios.stock(&a).await, kios.stock(&b).await), (stock.0 + 3, stock.1 + 1));
        let nomor = id(&order);
        let ended = kios.one(&format!("select batal_pada from jual where nomor = '{nomor}'")).await;
        assert!(!ended.starts_with("0000"), "{ended}");
        kios.post(&path, json!({})).await.refused("order_not_cancellable");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_of_what_is_left_is_one_adjustment() {
    on_both(async |kios| {
        let (order, [a, b]) = order_of(kios).await;
        let stock = (kios.stock(&a).await, kios.stock(&b).await);
        kios.post(&format!("1/orders/{}/refund", id(&order)), part(&order, &[(0, 1)])).await.ok(200);
        let cancelled = kios.post(&format!("1/orders/{}/cancel", id(&order)), json!({})).await.ok(200);
        assert_eq!(given(&cancelled), [("refund", -1, -5_500), ("cancellation", 0, -927_900)]);
        assert_eq!(cancelled["status"], "cancelled");
        // What was refunded does not come back to the shelf.
        assert_eq!((kios.stock(&a).await, kios.stock(&b).await), (stock.0 + 2, stock.1 + 1));
        assert_eq!(cancelled["line_items"][0]["quantity"], json!({"original": 3, "total": 1, "fulfilled": 0}));
        let nomor = id(&order);
        let rows = "select k.jml from kembali k join jual j on j.id = k.jual_id where k.detil_id is null and j.nomor";
        assert_eq!(kios.column(&format!("{rows} = '{nomor}'")).await, ["3"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_leaves_state_and_stock_and_knows_its_bounds() {
    on_both(async |kios| {
        let (order, [a, _]) = order_of(kios).await;
        let stock = kios.stock(&a).await;
        let (nomor, path) = (id(&order), format!("1/orders/{}/refund", id(&order)));
        kios.script(&format!("update jual set status = 'SELESAI' where nomor = '{nomor}'")).await;
        kios.post(&format!("1/orders/{nomor}/cancel"), json!({})).await.refused("order_not_cancellable");
        let refused = kios.post(&path, part(&order, &[(0, 1), (0, 3)])).await.refused("quantity_exceeds_remaining");
        assert_eq!((given(&refused).len(), refused["messages"][0]["path"].as_str()), (0, Some("$.lines[1]")));
        kios.post(&path, json!({"lines": [{"id": "1", "quantity": 1}]})).await.refused("not_found");
        let refunded = kios.post(&path, json!({})).await.ok(200);
        assert_eq!((given(&refunded), refunded["status"].as_str()), (vec![("refund", 0, -933_400)], Some("done")));
        assert_eq!(kios.stock(&a).await, stock);
        kios.post(&path, json!({})).await.refused("quantity_exceeds_remaining");
        for word in ["BARU", "PROSES", "BATAL", "TOLAK"] {
            kios.script(&format!("update jual set status = '{word}' where nomor = '{nomor}'")).await;
            kios.post(&path, json!({})).await.refused("order_not_cancellable");
        }
    })
    .await;
}
