//! A plan over one small table, for tests.

use store::{Plan, PlanFile, PlannedShop};
use vocab::id::{Part, ShopId, Timestamp};

pub(crate) const FILE: &str = r#"
mapping = 1
source = "small"
currency = "IDR"
zone = "+07:00"
[table.toko]
key = "id"
shop = "id"
columns = 'id int, nama text(80), ongkir text(14), pajak_bp int, sandi text(9) secret, dilihat int unmoved'
[entity.shop]
from = "toko"
remove = "debt"
fields = { id = "id", name = "nama", tax_bp = "pajak_bp", shipping_flat = "ongkir as rupiah" }
[codec]
rupiah = { is = "money", decimal = ".", read = [0, 2], print = 2 }
"#;

/// The table in SQLite.
pub(crate) const TABLE: &str =
    "create table toko (id integer primary key, nama text, ongkir text, pajak_bp int, sandi text, dilihat int)";

/// A plan for these shops by this mapping.
pub(crate) fn plan(source: &str, text: &str, shops: &[ShopId]) -> Plan {
    let planned = shops.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() });
    Plan {
        source: source.to_owned(),
        mappings: vec![PlanFile { name: "small.toml".into(), text: text.into() }],
        totals: Vec::new(),
        policy: String::new(),
        weights: Vec::new(),
        shops: planned.collect(),
        deadline: None,
        created_at: Timestamp(0),
    }
}
