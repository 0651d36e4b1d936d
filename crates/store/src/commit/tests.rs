//! Commits that wait at the same time, and so are made together: on a file and on a server.

use super::{Commit, CommitError, Committed, Write};
use crate::sql::{sale, shop_with_stock as shop, trips};
use crate::writer::Door;
use crate::{Result, Store};
use tempfile::TempDir;
use testkit::postgres::{Database, fresh_database};
use tokio::task::JoinSet;
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId, Seq, ShopId};

struct Open {
    store: Store,
    shop: ShopId,
    folder: TempDir,
    database: Option<Database>,
}

/// A store of each engine, with a shop that has 100 units on the shelf.
async fn stores() -> [Open; 2] {
    let (file, server, database) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), fresh_database().await);
    let in_file = Store::open(file.path()).unwrap();
    let on_server = Store::open_at(server.path(), &database.url).unwrap();
    let shops = [shop(&in_file).await, shop(&on_server).await];
    let [first, second] = shops;
    [
        Open { store: in_file, shop: first, folder: file, database: None },
        Open { store: on_server, shop: second, folder: server, database: Some(database) },
    ]
}

impl Open {
    /// Commits all of these while the writer has something else to do, so that they are one group.
    async fn at_once(&self, commits: Vec<Commit>) -> Vec<std::result::Result<Committed, CommitError>> {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (store, shop) = (self.store.clone(), self.shop.clone());
        let busy = tokio::spawn(async move {
            let act = move |_: &crate::sql::Connection| -> Result<()> {
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok(())
            };
            store.write_of(&shop, Door::Control, act).await
        });
        begins.await.unwrap();
        let mut all = JoinSet::new();
        for (nth, commit) in commits.into_iter().enumerate() {
            let store = self.store.clone();
            all.spawn(async move { (nth, store.commit(commit).await) });
            // On one thread: each is handed to the writer before the next.
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        let mut answers = all.join_all().await;
        answers.sort_by_key(|(nth, _)| *nth);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn cart(&self, id: &str, expected: Option<u64>) -> Commit {
        let document = Record::default().with("state", "open");
        let write =
            Write { kind: Kind::Cart, id: PublicId::new(id), expected, document, origin: None, numbered: false };
        Commit { writes: vec![write], stock: vec![], entries: vec![], ..sale(&self.shop, 1) }
    }

    async fn version(&self, id: &str) -> Option<u64> {
        let loaded = self.store.load(&self.shop, &[(Kind::Cart, PublicId::new(id))]).await.unwrap();
        loaded.documents[0].as_ref().map(|stored| stored.version)
    }
}

#[tokio::test]
async fn each_of_a_group_sees_what_those_before_it_left_and_a_refused_one_leaves_nothing() {
    for open in stores().await {
        let shop = &open.shop;
        let taking = |nth: i64, units: i64| {
            let mut commit = sale(shop, nth);
            commit.stock[0].delta = -units;
            commit
        };
        let twice = taking(6, 1);
        let commits =
            vec![taking(1, 60), taking(2, 60), taking(3, 30), taking(4, 11), taking(5, 10), twice.clone(), twice];
        let answers = open.at_once(commits).await;
        let told: Vec<String> = answers
            .iter()
            .map(|answer| match answer {
                Ok(Committed { seq, stock, serial }) => format!("{seq} {stock:?} {serial:?}"),
                Err(error) => error.to_string(),
            })
            .collect();
        let expected = [
            "1 [40] Some(1)",
            "40 of variant v left",
            "2 [10] Some(2)",
            "10 of variant v left",
            "3 [0] Some(3)",
            "0 of variant v left",
            "0 of variant v left",
        ];
        assert_eq!(told, expected);
        assert_eq!(open.store.stock(shop, &[PublicId::new("v")]).await.unwrap(), [Some(0)]);
        let carts = [open.version("cart1").await, open.version("cart2").await, open.version("cart5").await];
        assert_eq!(carts, [Some(1), None, Some(1)]);
        let facts = open.store.facts(shop, Seq::ZERO, 10).await.unwrap();
        assert_eq!(facts.iter().map(|fact| fact.seq.0).collect::<Vec<_>>(), [1, 2, 3]);
        let invoices = facts.iter().map(|fact| fact.writes[1].2.int("invoice"));
        assert_eq!(invoices.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
        assert_eq!(open.store.head(shop).await.unwrap().unwrap().seq, Seq(3));
        assert_eq!(open.store.unbalanced_orders(shop, 9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn of_a_group_one_changes_what_it_saw_and_the_others_are_told() {
    for open in stores().await {
        let commits = vec![
            open.cart("c", None),
            open.cart("c", None),
            open.cart("c", Some(1)),
            open.cart("c", Some(1)),
            open.cart("c", Some(2)),
        ];
        let answers = open.at_once(commits).await;
        let told: Vec<Option<u64>> =
            answers.iter().map(|answer| answer.as_ref().ok().map(|committed| committed.seq.0)).collect();
        assert_eq!(told, [Some(1), None, Some(2), None, Some(3)]);
        assert!(matches!(answers[1], Err(CommitError::Conflict { kind: Kind::Cart, .. })));
        assert_eq!(open.version("c").await, Some(3));
    }
}

#[tokio::test]
async fn an_origin_that_one_of_a_group_has_taken_is_no_others() {
    for open in stores().await {
        let named = |id: &str, origin: &str| {
            let mut commit = open.cart(id, None);
            commit.writes[0].origin = Some(Origin::new(origin));
            commit
        };
        let answers = open.at_once(vec![named("a", "carts:1"), named("b", "carts:1"), named("c", "carts:2")]).await;
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
        assert!(answers[1].as_ref().is_err_and(|error| error.to_string().contains("is held by a")), "{answers:?}");
        assert_eq!(
            [open.version("a").await, open.version("b").await, open.version("c").await],
            [Some(1), None, Some(1)]
        );
    }
}

/// The database fails for one of them, in the middle of what all of them write.
#[tokio::test]
async fn where_the_database_fails_a_group_it_is_made_one_by_one() {
    for open in stores().await {
        if open.database.is_none() {
            let file = rusqlite::Connection::open(open.folder.path().join("store.sqlite")).unwrap();
            let sql =
                "create trigger no before insert on document when new.id = 'bad' begin select raise(fail, 'no'); end";
            file.execute_batch(sql).unwrap();
        }
        // A server takes no character of code zero.
        let bad = if open.database.is_some() { "b\0ad" } else { "bad" };
        let commits = vec![open.cart("a", None), open.cart(bad, None), open.cart("c", None), open.cart("a", Some(1))];
        let answers = open.at_once(commits).await;
        assert!(matches!(answers[1], Err(CommitError::Store(_))), "{answers:?}");
        let seqs: Vec<u64> = answers.iter().filter_map(|answer| Some(answer.as_ref().ok()?.seq.0)).collect();
        assert_eq!(seqs, [1, 2, 3], "{answers:?}");
        assert_eq!([open.version("a").await, open.version("c").await], [Some(2), Some(1)]);
        assert_eq!(open.store.facts(&open.shop, Seq::ZERO, 10).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_group_of_commits_waits_twice_for_the_server_however_many_they_are() {
    let [_, open] = stores().await;
    let sales = |from: i64, count: i64| (from..from + count).map(|nth| sale(&open.shop, nth)).collect::<Vec<_>>();
    // Its connection gets to know the statements.
    open.at_once(sales(1, 2)).await;
    for (from, count) in [(10, 2), (20, 10), (40, 50)] {
        let before = open.store.write_of(&open.shop, Door::Control, trips).await.unwrap();
        assert!(open.at_once(sales(from, count)).await.iter().all(std::result::Result::is_ok));
        let waited = open.store.write_of(&open.shop, Door::Control, trips).await.unwrap() - before;
        assert_eq!(waited, 2, "{count} commits");
    }
}
