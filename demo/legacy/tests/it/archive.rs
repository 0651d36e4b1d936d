//! The real history, where `BALIK_DATA` names its folder: counted and summed class by class.
//!
//! Without that variable the test checks nothing, and cannot say so to whoever counts it as passed: `./test` says it.

use crate::kios::{amount, on_both_with};
use std::path::Path;

/// Class, documents, lines, GBP in thousandths.
const CLASSES: [(&str, i64, i64, i64); 6] = [
    ("adjustment", 3, 3, -11_062_060),
    ("credit", 3_836, 9_288, -896_812_490),
    ("sale", 19_955, 530_381, 10_652_941_210),
    ("stock_correction", 1_336, 1_336, 0),
    ("sub_minor", 4, 122, 2_681_274),
    ("zero", 766, 779, 0),
];

/// By hand, apart from the mapping and from the program's own rules.
const BY_CLASS: &str = r#"
    select class || ' ' || count(*) || ' ' || sum(n) || ' ' || sum(thousandths) from (
      select "InvoiceNo", count(*) as n,
        sum("Quantity" * cast(round(cast("UnitPrice" as NUMBER) * 1000) as INTEGER8)) as thousandths,
        case when "InvoiceNo" like 'C%' then 'credit' when "InvoiceNo" like 'A%' then 'adjustment'
          when min("Quantity") < 0 then 'stock_correction'
          when sum(case when "UnitPrice" = '0.001' then 1 else 0 end) > 0 then 'sub_minor'
          when sum(case when "UnitPrice" <> '0.0' then 1 else 0 end) = 0 then 'zero'
          else 'sale' end as class
      from arsip group by "InvoiceNo") as invoices
    group by class order by class"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_is_all_there_and_shown_by_class() {
    let Some(data) = std::env::var_os("BALIK_DATA") else {
        println!("not run: BALIK_DATA names no folder with the real history");
        return;
    };
    assert!(Path::new(&data).is_dir(), "BALIK_DATA names no folder: {}", data.display());
    on_both_with(Path::new(&data), async |kios| {
        let (number, integer) = if kios.is_sqlite() { ("real", "integer") } else { ("numeric", "bigint") };
        let rows = kios.column(&BY_CLASS.replace("NUMBER", number).replace("INTEGER8", integer)).await;
        let expected: Vec<String> =
            CLASSES.iter().map(|(name, n, lines, sum)| format!("{name} {n} {lines} {sum}")).collect();
        assert_eq!(rows, expected);
        let totals = crate::files::archive_totals(kios).await;
        for (class, documents, lines, sum) in CLASSES {
            let (class, sum) = match class {
                "sale" => ("live".to_owned(), sum / 10),
                other => (format!("history:{other}"), sum),
            };
            for (measure, expected) in [("count", documents), ("count lines", lines), ("sum total", sum)] {
                assert_eq!(totals[&format!("order {class} {measure}")], expected.to_string(), "{class} {measure}");
            }
        }
        assert_eq!(totals["product any count"], "4070");
        assert_eq!(totals["product any sum variants.price"], "1772779");
        // 2010-12-01 08:26 and 2011-12-09 12:50.
        assert_eq!(totals["order live min placed_at"], "1291191960000000");
        assert_eq!(totals["order live max placed_at"], "1323435000000000");

        assert_eq!(kios.one("select count(*) from arsip where \"Description\" is null").await, "1454");
        assert_eq!(kios.one("select count(*) from arsip where \"CustomerID\" is null").await, "135080");
        assert_eq!(kios.one("select count(*) from toko").await, "3");

        let sale = kios.get("900/orders/536365").await.ok(200);
        assert_eq!((sale["status"].as_str(), sale["currency"].as_str()), (Some("done"), Some("GBP")));
        assert_eq!((amount(&sale, "total"), sale["line_items"][0]["id"].as_str()), (13_912, Some("1")));
        let credit = kios.get("900/orders/C536379").await.ok(200);
        assert_eq!((credit["status"].as_str(), credit["recorded_total"].as_str()), (Some("history"), Some("-27.5")));
        let small = kios.get("900/orders/550193").await.ok(200);
        let total = small["recorded_total"].as_str().unwrap();
        assert!(small["status"] == "history" && total.split('.').nth(1).map(str::len) == Some(3), "{total}");
        kios.post("900/orders/536365/refund", serde_json::json!({})).await.refused("order_not_cancellable");
        kios.get("1/orders/536365").await.refused("not_found");
        let product = kios.on_sale(900).await.remove(0);
        assert_eq!(kios.paid_order(900, &[(&product, 1)]).await["status"], "paid");
    })
    .await;
}
