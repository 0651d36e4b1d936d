//! A plan over one small table, and a mover that nobody drives, for tests.

use crate::context::Context;
use crate::run::{Setup, context};
use std::sync::Arc;
use store::{Plan, PlanFile, PlannedShop, Store};
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

/// The source in the folder of such a mover.
pub(crate) const SOURCE: &str = "legacy.sqlite";

/// A mover of shops that nobody drives, over a source with these tables.
pub(crate) async fn mover(
    tables: &str,
    shops: &[ShopId],
    plan: impl FnOnce(&str) -> Plan,
) -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(SOURCE);
    rusqlite::Connection::open(&source).unwrap().execute_batch(tables).unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.create_heads(shops).await.unwrap();
    let setup = Setup {
        store,
        work: folder.path().to_owned(),
        links: crate::Links::default(),
        clock: Arc::new(|| Timestamp(0)),
        without: crate::Without::default(),
        fault: None,
        holder: "a test".to_owned(),
    };
    let cx = context(&setup, plan(&format!("sqlite:{}", source.display()))).await.unwrap();
    (folder, cx)
}
