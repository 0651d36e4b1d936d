//! A client of the legacy that began before the hold and writes during it. Its commit fails, or its row is in the
//! stream before the mark, or the hold aborts; never is a row committed behind the mark of a hold that went on.

use crate::world::{Client, Engine, LONG, PRODUK, World, drain, read_to, shop, shops};
use capture::{FenceOutcome, FenceRead, Stream};
use std::time::Duration;
use vocab::id::Epoch;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    Wrote,
    OnlyRead,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// The straggler goes on only when the fence had its chance.
    AfterTheFence,
    /// It goes on while the fence waits.
    WhileFencing,
}

#[derive(Clone, Copy)]
struct Case {
    begin: &'static str,
    before: Before,
    watched: bool,
    ends: Ends,
    read: FenceRead,
}

const FENCE_WAIT: Duration = Duration::from_millis(300);

/// The straggler's whole story, in one line.
async fn story(engine: Engine, case: Case) -> &'static str {
    let world = World::bare(engine).await;
    world.source.install_reading(&shops(), case.read).await.unwrap();
    let mut stream = world.source.stream(None).await.unwrap();
    let mut client = world.client().await;
    client.exec(case.begin).await;
    match case.before {
        Before::Wrote => client.exec("update produk set stok = stok - 1 where id = 1").await,
        Before::OnlyRead => drop(client.ask("select stok from produk where id = 1").await),
    }
    // Drain: the straggler's role, or one that is not there.
    let role = if case.watched { "postgres" } else { "nobody" };
    if world.source.open_transactions(Some(role), None).await.unwrap() > 0 {
        return "the hold aborts: drain sees it";
    }
    match case.ends {
        Ends::AfterTheFence => after_the_fence(&world, &mut stream, client).await,
        Ends::WhileFencing => while_fencing(&world, &mut stream, client).await,
    }
}

async fn after_the_fence(world: &World, stream: &mut Stream, mut client: Client) -> &'static str {
    let marker = world.source.fresh_marker();
    match world.source.fence(&shop("1"), Epoch(2), FENCE_WAIT).await.unwrap() {
        FenceOutcome::Waited => return "the hold aborts: the fence waits for it",
        FenceOutcome::Closed => world.source.mark(&marker).await.unwrap(),
    }
    read_to(stream, &marker).await;
    let written =
        client.run("insert into produk (toko_id, nama, harga, kode, stok) values (1, 'sesat', '1', 'S', 1)").await;
    if written.is_err() || client.run("commit").await.is_err() {
        return "its commit fails";
    }
    let behind = drain(world, stream).await;
    match behind.iter().flat_map(|transaction| &transaction.changes).find(|change| change.table == PRODUK) {
        Some(_) => "ITS ROW IS LOST: committed behind the mark",
        None => "nothing happened",
    }
}

async fn while_fencing(world: &World, stream: &mut Stream, mut client: Client) -> &'static str {
    let (source, marker) = (world.source.clone(), world.source.fresh_marker());
    let (fencing_source, fencing_marker) = (source.clone(), marker.clone());
    let fencing = tokio::spawn(async move {
        fencing_source.fence_and_mark(&shop("1"), Epoch(2), &fencing_marker, LONG).await.unwrap()
    });
    // Whichever comes first, the outcome must be right; where the straggler wrote before, the fence waits for it.
    let written =
        client.run("insert into produk (toko_id, nama, harga, kode, stok) values (1, 'sesat', '1', 'S', 1)").await;
    let committed = written.is_ok() && client.run("commit").await.is_ok();
    drop(client);
    assert_eq!(fencing.await.unwrap(), FenceOutcome::Closed);
    let before = read_to(stream, &marker).await;
    let found = before.iter().flat_map(|transaction| &transaction.changes).any(|change| change.table == PRODUK);
    match (committed, found) {
        (false, _) => "its commit fails",
        (true, true) => "its row is below the mark",
        (true, false) => "ITS ROW IS LOST: committed behind the mark",
    }
}

const COMMITTED: &str = "begin isolation level read committed";
const REPEATABLE: &str = "begin isolation level repeatable read";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_straggler_commits_behind_the_mark_on_postgres() {
    for begin in [COMMITTED, REPEATABLE] {
        for before in [Before::Wrote, Before::OnlyRead] {
            for ends in [Ends::AfterTheFence, Ends::WhileFencing] {
                let case = Case { begin, before, watched: false, ends, read: FenceRead::Locking };
                let watched = story(Engine::Postgres, Case { watched: true, ..case }).await;
                assert_eq!(watched, "the hold aborts: drain sees it", "{begin} {before:?} {ends:?}");
                let unwatched = story(Engine::Postgres, case).await;
                let right: &[&str] = match (before, ends) {
                    (Before::Wrote, Ends::AfterTheFence) => &["the hold aborts: the fence waits for it"],
                    (Before::OnlyRead, Ends::AfterTheFence) => &["its commit fails"],
                    (_, Ends::WhileFencing) => &["its row is below the mark", "its commit fails"],
                };
                assert!(right.contains(&unwatched), "{begin} {before:?} {ends:?}: {unwatched}");
            }
        }
    }
}

/// The same stories with a fence that is read without a lock: what the lock is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_does_not_lock_loses_rows() {
    for (begin, before, outcome) in [
        (COMMITTED, Before::Wrote, "its commit fails"),
        (REPEATABLE, Before::Wrote, "ITS ROW IS LOST: committed behind the mark"),
        (REPEATABLE, Before::OnlyRead, "ITS ROW IS LOST: committed behind the mark"),
    ] {
        let ends = Ends::AfterTheFence;
        let case = Case { begin, before, watched: false, ends, read: FenceRead::Plain };
        assert_eq!(story(Engine::Postgres, case).await, outcome, "{begin} {before:?}");
    }
}

/// At READ COMMITTED it is the write before the fence that is lost: it commits behind the mark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_does_not_lock_loses_what_was_written_before_it() {
    for (read, fenced) in [(FenceRead::Plain, FenceOutcome::Closed), (FenceRead::Locking, FenceOutcome::Waited)] {
        let world = World::bare(Engine::Postgres).await;
        world.source.install_reading(&shops(), read).await.unwrap();
        let mut stream = world.source.stream(None).await.unwrap();
        let mut client = world.client().await;
        client.exec("begin; update produk set stok = stok - 1 where id = 1").await;
        let marker = world.source.fresh_marker();
        let outcome = world.source.fence_and_mark(&shop("1"), Epoch(2), &marker, FENCE_WAIT).await.unwrap();
        assert_eq!(outcome, fenced);
        if outcome == FenceOutcome::Waited {
            assert!(world.source.fences().await.unwrap().iter().all(|fence| !fence.closed));
            continue;
        }
        let before = read_to(&mut stream, &marker).await;
        assert!(before.iter().all(|transaction| transaction.changes.is_empty()));
        client.exec("commit").await;
        let behind = drain(&world, &mut stream).await;
        assert!(behind.iter().any(|transaction| !transaction.changes.is_empty()), "the row that the plain fence loses");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_straggler_commits_behind_the_mark_on_sqlite() {
    for (begin, before, ends, right) in [
        ("begin immediate", Before::Wrote, Ends::AfterTheFence, &["the hold aborts: the fence waits for it"][..]),
        ("begin immediate", Before::OnlyRead, Ends::AfterTheFence, &["the hold aborts: the fence waits for it"]),
        ("begin", Before::Wrote, Ends::AfterTheFence, &["the hold aborts: the fence waits for it"]),
        ("begin", Before::OnlyRead, Ends::AfterTheFence, &["its commit fails"]),
        ("begin immediate", Before::Wrote, Ends::WhileFencing, &["its row is below the mark"]),
        ("begin", Before::OnlyRead, Ends::WhileFencing, &["its row is below the mark", "its commit fails"]),
    ] {
        let case = Case { begin, before, watched: true, ends, read: FenceRead::Locking };
        let outcome = story(Engine::Sqlite, case).await;
        assert!(right.contains(&outcome), "{begin} {before:?} {ends:?}: {outcome}");
    }
}
