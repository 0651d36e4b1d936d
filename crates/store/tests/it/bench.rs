//! What the behaviour tests begin with: a store of one engine, in a folder of its own, with one shop.

use store::{Commit, Head, HeadChange, Import, Imported, Step, StockChange, Store, What, Write};
use tempfile::TempDir;
use testkit::postgres::{Database, fresh_database};
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

/// A store in a folder of its own, with one shop.
pub struct Bench {
    pub dir: TempDir,
    pub store: Store,
    pub shop: ShopId,
    /// Where the store is, if it is on PostgreSQL.
    database: Option<Database>,
}

/// Which of the two modules of these tests this is.
fn is_on_postgres() -> bool {
    module_path!().contains("::on_postgres::")
}

impl Bench {
    /// The shop is Legacy's, at epoch 1.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, database) = match is_on_postgres() {
            false => (Store::open(dir.path()).unwrap(), None),
            true => {
                let database = fresh_database().await;
                (Store::open_at(dir.path(), &database.url).unwrap(), Some(database))
            }
        };
        let shop = ShopId::parse("s1").unwrap();
        store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
        Self { dir, store, shop, database }
    }

    /// The shop is Backend's, at epoch 2.
    pub async fn flipped() -> Self {
        let bench = Self::new().await;
        bench.flip(Side::Backend, 1, 2).await;
        bench
    }

    pub async fn flip(&self, owner: Side, from: u64, to: u64) {
        let change = self.change(owner, from, to);
        self.store.move_head(change, self.step("flip", to)).await.unwrap();
    }

    pub fn change(&self, owner: Side, from: u64, to: u64) -> HeadChange {
        HeadChange { shop: self.shop.clone(), expect_epoch: Epoch(from), owner, epoch: Epoch(to), fenced: false }
    }

    pub fn step(&self, step: &str, epoch: u64) -> Step {
        Step {
            shop: self.shop.clone(),
            epoch: Epoch(epoch),
            direction: Direction::ToBackend,
            step: step.into(),
            phase: "done".into(),
            at: Timestamp(7),
            detail: Record::default().with("n", 1),
        }
    }

    pub fn commit(&self, writes: Vec<Write>) -> Commit {
        Commit {
            shop: self.shop.clone(),
            epoch: Epoch(2),
            at: Timestamp(1_000),
            writes,
            stock: vec![],
            entries: vec![],
            wakes: vec![],
        }
    }

    /// A product of one variant `v<id>`.
    pub async fn stocked(&self, product: &str, on_hand: i64) {
        let variant = id(&format!("v{product}"));
        let document = self::product(product, "Thing");
        let outcomes = self.import(vec![live(Kind::Product, product, 1, document, vec![(variant, on_hand)])]).await;
        assert_eq!(outcomes, [store::Outcome::Applied]);
    }

    pub async fn import(&self, items: Vec<Imported>) -> Vec<store::Outcome> {
        let import = Import { shop: self.shop.clone(), epoch: Epoch(1), items };
        self.store.import(import).await.unwrap()
    }

    /// Whether these bytes stand anywhere in the inbox.
    pub async fn holds(&self, bytes: &str) -> bool {
        let sql = "select count(*) from inbox where cast(body as text) like ";
        match &self.database {
            None => {
                let file = rusqlite::Connection::open(self.dir.path().join("store.sqlite")).unwrap();
                file.query_row(&format!("{sql} '%{bytes}%'"), [], |row| row.get::<_, i64>(0)).unwrap() > 0
            }
            Some(database) => {
                let sql = format!("select count(*) from inbox where encode(body, 'escape') like '%{bytes}%'");
                database.connect().await.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) > 0
            }
        }
    }

    /// Each table with the first column of its primary key; none where it has no key.
    pub async fn primary_keys(&self) -> Vec<(String, Option<String>)> {
        match &self.database {
            None => {
                let file = rusqlite::Connection::open(self.dir.path().join("store.sqlite")).unwrap();
                let sql = "select name, (select key.name from pragma_table_info(t.name) key where key.pk = 1)
                           from sqlite_schema t where type = 'table' and name not like 'sqlite!_%' escape '!'";
                let mut found = file.prepare(sql).unwrap();
                found.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
            }
            Some(database) => {
                let sql =
                    "select relname::text, (select attname::text from pg_index join pg_attribute on attrelid = indrelid
                                                  where indrelid = t.oid and indisprimary and attnum = indkey[0])
                           from pg_class t where relkind = 'r' and relnamespace = 'public'::regnamespace";
                let found = database.connect().await.query(sql, &[]).await.unwrap();
                found.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        }
    }

    pub async fn head(&self) -> Head {
        self.store.head(&self.shop).await.unwrap().unwrap()
    }

    pub async fn version(&self, kind: Kind, text: &str) -> Option<u64> {
        let loaded = self.store.load(&self.shop, &[(kind, id(text))]).await.unwrap();
        loaded.documents[0].as_ref().map(|stored| stored.version)
    }
}

pub fn id(text: &str) -> PublicId {
    PublicId::new(text)
}

pub fn cart(text: &str) -> Record {
    Record::default().with("id", text).with("state", "open")
}

pub fn product(text: &str, title: &str) -> Record {
    Record::default().with("id", text).with("title", title).with("state", "active")
}

pub fn new_cart(text: &str) -> Write {
    Write { kind: Kind::Cart, id: id(text), expected: None, document: cart(text), origin: None, numbered: false }
}

pub fn taken(variant: &str, delta: i64) -> StockChange {
    StockChange { variant: id(variant), delta }
}

/// An item whose origin is `<kind>:<id>`.
pub fn live(kind: Kind, text: &str, tx: u64, document: Record, stock: Vec<(PublicId, i64)>) -> Imported {
    let origin = Origin::new(format!("{}:{text}", kind.name()));
    Imported {
        kind,
        origin,
        tx,
        what: What::Live { id: id(text), document, stock, entries: vec![], wake: None },
        made: None,
    }
}
