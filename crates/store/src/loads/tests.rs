//! Loads that wait at the same time, and so are asked for together.

use super::*;
use crate::sql::{sale, shop_with_stock};
use testkit::postgres::fresh_database;

async fn on_a_server() -> (testkit::postgres::Database, tempfile::TempDir, Store, ShopId) {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().unwrap());
    let store = Store::open_at(folder.path(), &database.url).unwrap();
    let shop = shop_with_stock(&store).await;
    for nth in 1..=3 {
        store.commit(sale(&shop, nth)).await.unwrap();
    }
    (database, folder, store, shop)
}

fn trips(store: &Store) -> usize {
    store.inner.loads.as_ref().unwrap().trips.load(Ordering::SeqCst)
}

fn cart(id: &str) -> (Kind, PublicId) {
    (Kind::Cart, PublicId::new(id))
}

#[tokio::test]
async fn all_who_wait_are_answered_by_one_question_each_with_what_is_its_own() {
    let (_database, _folder, store, shop) = on_a_server().await;
    let nowhere = ShopId::parse("nowhere").unwrap();
    let product = (Kind::Product, PublicId::new("p"));
    let ids = [vec![cart("cart1"), product], vec![cart("cart2"), cart("none"), cart("cart2")]];
    // All of them are handed over before the thread has had its first answer: it is woken by the first, and the others wait.
    let all = async || {
        tokio::join!(
            store.load(&shop, &ids[0]),
            store.load(&shop, &ids[1]),
            store.load(&nowhere, &ids[0]),
            store.load(&shop, &ids[1])
        )
    };
    let _ = all().await;
    let before = trips(&store);
    let (first, second, third, fourth) = all().await;
    assert!(trips(&store) - before <= 2, "{}", trips(&store) - before);
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.head.as_ref().map(|head| head.seq.0), Some(3));
    assert_eq!(first.documents.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true]);
    assert_eq!(first.stock, BTreeMap::from([(PublicId::new("v"), 97)]));
    assert_eq!(second.documents.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!((second.stock.len(), &second), (0, &fourth.unwrap()));
    assert_eq!(third.unwrap(), Loaded { head: None, documents: vec![None, None], stock: BTreeMap::new() });
}

#[tokio::test]
async fn what_two_want_is_asked_for_and_read_once_and_each_has_its_own() {
    let (database, _folder, _store, shop) = on_a_server().await;
    let (url, product) = (database.url.clone(), (Kind::Product, PublicId::new("p")));
    let look = move || {
        let connection = Connection::Postgres(Box::new(sql::Postgres::connect(&url, sql::Plans::Once).unwrap()));
        let wanted = |ids: Vec<(Kind, PublicId)>| Wanted { shop: shop.clone(), ids, answer: oneshot::channel().0 };
        let two = [wanted(vec![product.clone(), cart("cart1")]), wanted(vec![cart("cart2"), product.clone()])];
        let found = find_all(&connection, &two).unwrap().into_iter().map(|found| gathered(found).unwrap());
        found.collect::<Vec<_>>()
    };
    let found = std::thread::spawn(look).join().unwrap();
    let [first, second] = found.as_slice() else { panic!("two were asked for") };
    let document = |loaded: &Loaded, at: usize| loaded.documents[at].clone().unwrap();
    assert!(Arc::ptr_eq(&document(first, 0), &document(second, 1)), "the product is read once");
    assert!(!Arc::ptr_eq(&document(first, 1), &document(second, 0)));
    assert_eq!(first.stock, second.stock);
}

#[tokio::test]
async fn a_key_that_the_server_does_not_take_is_nobody_elses_failure() {
    let (_database, _folder, store, shop) = on_a_server().await;
    let (good, bad) = ([cart("cart1")], [cart("ca\0rt")]);
    for _ in 0..4 {
        let (first, wrong, second) =
            tokio::join!(store.load(&shop, &good), store.load(&shop, &bad), store.load(&shop, &good));
        assert!(wrong.is_err());
        assert!(first.unwrap().documents[0].is_some() && second.unwrap().documents[0].is_some());
    }
}

#[tokio::test]
async fn more_keys_than_a_request_has_are_found_as_well() {
    let (_database, _folder, store, shop) = on_a_server().await;
    let mut ids: Vec<_> = (0..KEYS_MAX).map(|nth| cart(&format!("none{nth}"))).collect();
    ids.push(cart("cart3"));
    let before = trips(&store);
    let loaded = store.load(&shop, &ids).await.unwrap();
    assert_eq!(loaded.documents.iter().flatten().count(), 1);
    assert!(loaded.documents.last().is_some_and(Option::is_some));
    assert_eq!(trips(&store), before, "another connection was asked");
}

#[test]
fn in_a_file_everything_is_found_by_its_key() {
    let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
    crate::schema::migrate(&connection).unwrap();
    let explained = format!("explain query plan {LOAD}");
    let plan: Vec<String> =
        sql::all(&connection, "test", &explained, ["1", "product", "1"], |row| sql::cell(row, 3)).unwrap();
    let expected = [
        "SEARCH h USING PRIMARY KEY (shop=?)",
        "SEARCH d USING INDEX sqlite_autoindex_document_1 (shop=? AND kind=? AND id=?) LEFT-JOIN",
        "SEARCH s USING INDEX stock_by_product (shop=? AND product=?) LEFT-JOIN",
    ];
    assert_eq!(plan, expected);
}
