//! The law of the way back through everything that really lies between: rows of a seeded legacy, copied, derived, imported
//! and stored, then loaded and put: no cell changes (L1), and what is shown is what the rows say.

use crate::world::{Engine, World};
use capture::{Reader, Source};
use mapping::{Anchor, ChangeOf, Context, Gather, Got, Mapping, Put, PutOutcome, Rows, RuleNo};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Class, Stored};
use vocab::document::{Node, Record};
use vocab::id::{Kind, ShopId, Timestamp};

const SHOPS: u32 = 10;
const KINDS: [Kind; 6] = [Kind::Shop, Kind::Product, Kind::Cart, Kind::Checkout, Kind::Order, Kind::Idempotency];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_stored_puts_nothing_into_the_rows_it_came_from_on_sqlite() {
    restored(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_stored_puts_nothing_into_the_rows_it_came_from_on_postgres() {
    restored(Engine::Postgres).await;
}

async fn restored(engine: Engine) {
    let world = World::start(engine, 21, SHOPS).await;
    world.start_moving().await;
    let mapping = &world.mapping;
    let source = Source::connect(&world.source_url(), Arc::new(mapping.tables().to_vec()), "laws").await.unwrap();
    let mut reader = source.snapshot().await.unwrap();
    let mut live = BTreeMap::new();
    for shop in &world.shops {
        for kind in KINDS {
            for Stored { document: stored, origin, .. } in documents(&world, shop, kind).await {
                let rule = mapping.rule_of(kind, &stored).unwrap();
                let anchor = mapping.anchor_of(rule, shop, &stored).unwrap();
                assert_eq!(Some(mapping.origin(rule, &anchor)), origin, "{stored:?}");
                let rows = rows(&mut reader, mapping, rule, &anchor).await;
                let is = Aggregate { mapping, shop, rule, anchor: &anchor, rows: &rows };
                is.says(&stored);
                is.is_restored(&stored);
                *live.entry(kind.name()).or_insert(0) += 1;
            }
        }
    }
    let counted: Vec<(&str, i32)> = live.into_iter().collect();
    // Of each shop: itself, its products but the deleted one, its carts and drafts, its sound orders, its remembered keys.
    assert_eq!(
        counted,
        [("cart", 170), ("checkout", 230), ("idempotency", 50), ("order", 560), ("product", 240), ("shop", 10)]
    );
}

async fn documents(world: &World, shop: &ShopId, kind: Kind) -> Vec<Stored> {
    let all = world.store.documents(shop, kind, None, 1_000).await.unwrap();
    assert!(all.len() < 1_000);
    let live = all.into_iter().filter(|(_, stored)| stored.class == Class::Live);
    live.map(|(_, stored)| stored).collect()
}

/// The rows of an aggregate, read from the source.
async fn rows(reader: &mut Reader, mapping: &Mapping, rule: RuleNo, anchor: &Anchor) -> Rows {
    let (Gather::Anchored { table, joins }, Anchor::Row(key)) = (&mapping.rules()[rule].gather, anchor) else {
        panic!("no rule of this legacy groups rows")
    };
    let column = *mapping.tables()[*table].key.last().unwrap();
    let found = reader.rows_where(*table, column, &key.0[key.0.len() - 1..]).await.unwrap();
    let (key, row) = found.into_iter().find(|(found, _)| found == key).unwrap();
    let mut rows = Rows::default();
    for join in joins {
        let wanted = row.0[join.anchor_column].clone();
        for (key, child) in reader.rows_where(join.table, join.column, &[wanted]).await.unwrap() {
            rows.insert(join.table, key, child);
        }
    }
    rows.insert(*table, key, row);
    rows
}

struct Aggregate<'a> {
    mapping: &'a Mapping,
    shop: &'a ShopId,
    rule: RuleNo,
    anchor: &'a Anchor,
    rows: &'a Rows,
}

impl Aggregate<'_> {
    fn says(&self, stored: &Record) {
        let got = self.mapping.get(self.rule, self.anchor, self.rows, &Context::ALONE);
        let Got::Live { document, .. } = got else { panic!("{stored:?} is stored and the rows say {got:?}") };
        assert_eq!(self.mapping.difference(self.rule, stored, &document), None, "{stored:?}");
    }

    fn is_restored(&self, stored: &Record) {
        let none = PutOutcome::default();
        assert_eq!(self.put(stored), none, "{stored:?}");
        // A document that does say something else puts that, or owes it.
        let other = otherwise(stored);
        assert_ne!(self.put(&other), none, "{other:?}");
    }

    fn put(&self, after: &Record) -> PutOutcome {
        let nothing = Rows::default();
        let change = ChangeOf {
            rule: self.rule,
            anchor: self.anchor.clone(),
            base: self.rows,
            rows: self.rows,
            before: Some(after),
            after: Some(after),
        };
        let at = Timestamp(1_800_000_000_000_000);
        self.mapping.put(&Put { shop: self.shop, at, changes: vec![change], stock: Vec::new(), stock_rows: &nothing })
    }
}

/// The same document with one of its words or numbers changed.
fn otherwise(document: &Record) -> Record {
    for field in ["total", "tax_bp", "status"] {
        if let Some(value) = document.int(field) {
            return document.clone().with(field, value + 100);
        }
    }
    let state = match document.text("state") {
        Some("active") => "withdrawn",
        Some("withdrawn") => "active",
        Some("open") => "expired",
        Some(_) => "open",
        None => panic!("{document:?}"),
    };
    document.clone().with("state", Node::Text(state.to_owned()))
}
