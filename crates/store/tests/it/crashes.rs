//! What is left after a kill: a child of this very binary commits until a crash point ends it, then its file is read.

use super::bench::{Bench, new_cart};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use store::{Commit, Store};
use vocab::id::{Epoch, Kind, Seq, ShopId, Side, Timestamp};

const CHILD: &str = "STORE_TEST_CRASH";
const COMMITS: u64 = 6;

/// Does nothing but in a child: there it commits until it is killed, and journals each answer.
#[tokio::test]
async fn child_that_commits_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let dir = Path::new(&dir);
    let store = Store::open(dir).unwrap();
    crash::arm(&std::env::var("BALIK_CRASH").unwrap()).unwrap();
    let mut answered = String::new();
    for n in 1..=COMMITS {
        let write = new_cart(&format!("c{n}"));
        let shop = ShopId::parse("s1").unwrap();
        let commit = Commit {
            shop,
            epoch: Epoch(2),
            at: Timestamp(0),
            writes: vec![write],
            stock: vec![],
            entries: vec![],
            wakes: vec![],
        };
        let seq = store.commit(commit).await.unwrap().seq;
        writeln!(answered, "{seq}").unwrap();
        std::fs::write(dir.join("answered"), &answered).unwrap();
    }
    unreachable!("the crash point was never reached");
}

/// How many commits were answered and how many stand after the fourth is killed at `point`.
async fn killed_at(point: &str) -> (usize, u64) {
    let bench = Bench::new().await;
    bench.flip(Side::Backend, 1, 2).await;
    let (_, module) = module_path!().split_once("::").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::child_that_commits_until_it_is_killed")])
        .env(CHILD, bench.dir.path())
        .env("BALIK_CRASH", format!("{point}:4"))
        .output()
        .unwrap();
    assert_eq!(child.status.code(), None, "killed by a signal: {}", String::from_utf8_lossy(&child.stdout));

    let store = Store::open(bench.dir.path()).unwrap();
    let seq = store.head(&bench.shop).await.unwrap().unwrap().seq.0;
    let facts = store.facts(&bench.shop, Seq::ZERO, 100).await.unwrap();
    assert_eq!(facts.iter().map(|fact| fact.seq.0).collect::<Vec<_>>(), (1..=seq).collect::<Vec<_>>());
    let carts = store.documents(&bench.shop, Kind::Cart, None, 100).await.unwrap();
    assert_eq!(carts.len(), facts.len());
    // The file takes commits again, and the number that was not used is used now.
    bench.flip(Side::Backend, 2, 3).await;
    let commit = Commit { epoch: Epoch(3), ..bench.commit(vec![new_cart("again")]) };
    assert_eq!(store.commit(commit).await.unwrap().seq, Seq(seq + 1));
    let answered = std::fs::read_to_string(bench.dir.path().join("answered")).unwrap();
    (answered.lines().count(), seq)
}

#[tokio::test]
async fn a_kill_before_or_during_a_commit_leaves_nothing_of_it() {
    assert_eq!(killed_at("shop.commit.before").await, (3, 3));
    assert_eq!(killed_at("shop.commit.during").await, (3, 3));
}

#[tokio::test]
async fn a_kill_after_a_commit_leaves_all_of_it_though_nobody_was_told() {
    assert_eq!(killed_at("shop.commit.after").await, (3, 4));
}
