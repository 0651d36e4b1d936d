//! Comparing while shoppers change things.

use super::*;
use crate::derive;
use crate::fixture::{Followed, plan};
use mapping::Anchor;
use rusqlite::Connection;
use serde_json::json;
use vocab::id::Epoch;
use vocab::row::{Cell, RowKey};

const FILE: &str = include_str!("../../tests/small.toml");

const TABLES: &str = include_str!("../../tests/small.sql");

const BASKETS: &str = "
insert into basket values (1, 7, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05'),
  (2, 7, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05');
insert into inside values (10, 1, 5, 2), (20, 2, 5, 3);
";

const TOTALS: &str = "
[keys.cart]
sqlite = 'and b.id in (select cast(value as integer) from json_each($2))'
postgres = 'and b.id in (select value::int from json_array_elements_text($2::text::json) as k(value))'
[[total]]
entity = 'cart'
class = 'any'
measures = ['count', 'sum lines.quantity']
sqlite = 'select count(distinct b.id), sum(n) from basket b join inside on basket_id = b.id where shop_id = $1 {keys}'
postgres = 'the tests have SQLite'
";

async fn followed(totals: &str) -> Followed {
    Followed::new(&format!("{TABLES}{BASKETS}"), FILE, Some(totals)).await
}

/// Of each measure: what the source has, what we have, and how many aggregates are in neither.
async fn compared(followed: &Followed) -> Vec<(Option<i128>, Option<i128>, usize)> {
    let compared = compare(&followed.cx, &followed.shop, &Rounds::default()).await.unwrap().unwrap();
    compared.figures.iter().map(|figure| (figure.source, figure.ours, figure.changing)).collect()
}

const fn both(value: i128, changing: usize) -> (Option<i128>, Option<i128>, usize) {
    (Some(value), Some(value), changing)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shoppers_change_meanwhile_is_in_neither_figure() {
    let followed = followed(TOTALS).await;
    assert_eq!(compared(&followed).await, [both(2, 0), both(5, 0)]);
    followed.legacy("update inside set n = 9 where id = 10");
    assert_eq!(compared(&followed).await, [both(1, 1), both(3, 1)]);
    // One that is gone, and a new one.
    followed.legacy("delete from inside where id = 10; delete from basket where id = 1");
    followed.legacy("insert into basket values (3, 7, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05')");
    followed.legacy("insert into inside values (30, 3, 5, 1)");
    assert_eq!(compared(&followed).await, [both(1, 2), both(3, 2)]);
    derive::derive(&followed.cx, &followed.shop, Epoch(1)).await.unwrap();
    assert_eq!(compared(&followed).await, [both(2, 0), both(4, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_told_differs_whatever_else_is_left_out() {
    let followed = followed(TOTALS).await;
    // Forgotten before anybody reads it, and then a change as any other.
    followed.legacy("update inside set n = 4 where id = 20; delete from balik_changes where tbl = 'inside'");
    followed.legacy("update inside set n = 9 where id = 10");
    assert_eq!(compared(&followed).await, [both(1, 1), (Some(4), Some(3), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_out_where_the_totals_do_not_say_how() {
    let (_, total) = TOTALS.split_once("[[total]]").unwrap();
    let followed = followed(&format!("[[total]]{total}")).await;
    followed.legacy("update inside set n = 9 where id = 10");
    assert_eq!(compared(&followed).await, [both(2, 0), (Some(12), Some(5), 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_of_which_nothing_would_be_left_is_compared_as_a_whole() {
    let followed = followed(TOTALS).await;
    followed.legacy("update inside set n = 9");
    assert_eq!(compared(&followed).await, [both(2, 0), (Some(18), Some(5), 0)]);
}

/// The demo's file says of a key of three columns what its origin says, whatever stands in it.
#[test]
fn a_key_of_several_columns_is_the_text_of_its_origin() {
    const KIOS: &str = include_str!("../../../../demo/legacy/mapping/kios.toml");
    const FIGURES: &str = include_str!("../../../../demo/legacy/mapping/kios.totals.toml");
    let mapping = crate::compile(&plan("sqlite:nowhere", KIOS, &[])).unwrap();
    let rule = mapping.rules().iter().position(|rule| rule.kind == Kind::Idempotency).unwrap();
    let totals = Totals::parse(&[("kios.totals.toml", FIGURES)]).unwrap();
    let only = totals.keys[&("kios".to_owned(), Kind::Idempotency)].of(false).to_owned();
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("create table idem (toko_id int, op text, kunci text)").unwrap();
    let keys = ["plain", "a,b", r"a\b", r"a\,b", r"\\,,'"];
    for key in keys {
        db.execute("insert into idem values (7, 'cart', ?1)", [key]).unwrap();
    }
    for key in keys {
        let cells = [Cell::Int(7), Cell::Text("cart".into()), Cell::Text(key.into())];
        let origin = mapping.origin(rule, &Anchor::Row(RowKey(cells.to_vec())));
        let (_, told) = origin.as_str().split_once(':').unwrap();
        let sql = format!("select group_concat(i.kunci, ' and ') from idem i where true {}", only.replace("$2", "?1"));
        let found: Option<String> = db.query_row(&sql, [json!([told]).to_string()], |row| row.get(0)).unwrap();
        assert_eq!(found.as_deref(), Some(key));
    }
}
