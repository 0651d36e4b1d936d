//! A plan over one small table, and a mover that nobody drives, for tests.

use crate::context::Context;
use crate::run::{Setup, context};
use crate::throttle::Pace;
use crate::{copy, derive, stream};
use std::sync::Arc;
use std::time::Duration;
use store::{Plan, PlanFile, PlannedShop, Store};
use tokio::task::JoinHandle;
use vocab::id::{Epoch, Part, ShopId, Timestamp};

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
const SOURCE: &str = "legacy.sqlite";

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
        accounts: None,
        without: crate::Without::default(),
        fault: None,
        holder: "a test".to_owned(),
        folder: "test".into(),
    };
    let cx = context(&setup, plan(&format!("sqlite:{}", source.display()))).await.unwrap();
    (folder, cx)
}

/// Shop 7, copied, derived and followed; what changes is derived where a test says so.
pub(crate) struct Followed {
    pub(crate) cx: Context,
    pub(crate) shop: ShopId,
    folder: tempfile::TempDir,
    following: JoinHandle<()>,
}

impl Followed {
    /// Of a source with these tables, by this mapping and these totals.
    pub(crate) async fn new(tables: &str, mapping: &str, totals: Option<&str>) -> Self {
        let shop = ShopId::parse("7").unwrap();
        let shops = std::slice::from_ref(&shop);
        let totals = totals.map(|text| PlanFile { name: "small.totals.toml".into(), text: text.into() });
        let with_totals = |source: &str| Plan { totals: totals.into_iter().collect(), ..plan(source, mapping, shops) };
        let (folder, cx) = mover(tables, shops, with_totals).await;
        cx.source.install(shops).await.unwrap();
        let of = cx.clone();
        let following = tokio::spawn(async move { stream::stage(&of).await.unwrap() });
        let pace = Pace::at_once(&cx, &shop);
        assert!(copy::copy(&cx, &shop, &pace).await.unwrap());
        assert!(derive::derive_in_turns(&cx, &shop, Epoch(1), &pace).await.unwrap().everything);
        Self { folder, cx, shop, following }
    }

    /// What the legacy's own program does, in one transaction.
    pub(crate) fn legacy(&self, sql: &str) {
        let db = rusqlite::Connection::open(self.folder.path().join(SOURCE)).unwrap();
        db.busy_timeout(Duration::from_secs(20)).unwrap();
        db.execute_batch(&format!("begin immediate; {sql}; commit")).unwrap();
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.following.abort();
    }
}
