//! A client of the legacy that began before the hold and writes during it. Its commit fails, or its row is in the
//! stream before the mark, or the hold aborts; never is a row committed behind the mark of a hold that went on.

use crate::world::{Client, Engine, LONG, NAMA, PRODUK, World, drain, read_to, shop, shops};
use capture::{FenceOutcome, FenceRead, Stream, Transaction};
use std::time::Duration;
use vocab::id::Epoch;
use vocab::row::Cell;

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
    ends: Ends,
}

const FENCE_WAIT: Duration = Duration::from_millis(200);
const WRITE: &str = "insert into produk (toko_id, nama, harga, kode, stok) values (1, 'sesat', '1', 'S', 1)";

const WAITED: &str = "the hold aborts: the fence waits for it, and its row is there";
const FAILED: &str = "its commit fails";
const BELOW: &str = "its row is below the mark";
const LOST: &str = "ITS ROW IS LOST: committed behind the mark";

/// One source, on which one hold after the other is tried.
struct Stage {
    world: World,
    stream: Stream,
    epoch: Epoch,
}

impl Stage {
    async fn new(engine: Engine, read: FenceRead) -> Self {
        let world = World::bare(engine).await;
        world.source.install_reading(&shops(), read).await.unwrap();
        let stream = world.source.stream(None).await.unwrap();
        Self { world, stream, epoch: Epoch::FIRST }
    }

    /// A straggler's whole story, in one line. Drain does not watch its role: a drain that does would have stopped
    /// the hold, which is checked on the way.
    async fn story(&mut self, case: Case) -> &'static str {
        let mut client = self.world.client().await;
        client.exec(case.begin).await;
        match case.before {
            Before::Wrote => client.exec("update produk set stok = stok - 1 where id = 1").await,
            Before::OnlyRead => drop(client.ask("select stok from produk where id = 1").await),
        }
        if matches!(client, Client::Postgres(_)) {
            assert!(self.world.source.open_transactions(Some("postgres"), None).await.unwrap() > 0, "drain sees it");
        }
        assert_eq!(self.world.source.open_transactions(Some("nobody"), None).await.unwrap(), 0);
        self.epoch = self.epoch.next();
        let outcome = match case.ends {
            Ends::AfterTheFence => self.after_the_fence(client).await,
            Ends::WhileFencing => self.while_fencing(client).await,
        };
        self.world.source.unfence(&shop("1"), self.epoch, FENCE_WAIT).await.unwrap();
        drain(&self.world, &mut self.stream).await;
        outcome
    }

    async fn after_the_fence(&mut self, mut client: Client) -> &'static str {
        let (source, marker) = (&self.world.source, self.world.source.fresh_marker());
        match source.fence(&shop("1"), self.epoch, FENCE_WAIT).await.unwrap() {
            FenceOutcome::Waited => return self.given_up(client).await,
            FenceOutcome::Closed => source.mark(&marker).await.unwrap(),
        }
        read_to(&mut self.stream, &marker).await;
        if client.run(WRITE).await.is_err() || client.run("commit").await.is_err() {
            return FAILED;
        }
        let behind = drain(&self.world, &mut self.stream).await;
        assert!(wrote(&behind), "it was committed, so it comes");
        LOST
    }

    /// The legacy keeps the shop, and the straggler its row: it writes, commits, and comes in the stream.
    async fn given_up(&mut self, mut client: Client) -> &'static str {
        assert!(self.world.source.fences().await.unwrap().iter().all(|fence| !fence.closed), "the fence stands open");
        client.exec(WRITE).await;
        client.exec("commit").await;
        let committed = drain(&self.world, &mut self.stream).await;
        assert!(wrote(&committed), "the row of a straggler that was waited for comes");
        assert!(self.world.source.fences().await.unwrap().iter().all(|fence| !fence.closed), "and still does");
        WAITED
    }

    async fn while_fencing(&mut self, mut client: Client) -> &'static str {
        let (source, epoch, marker) = (self.world.source.clone(), self.epoch, self.world.source.fresh_marker());
        let mark = marker.clone();
        let fencing = tokio::spawn(async move { source.fence_and_mark(&shop("1"), epoch, &mark, LONG).await.unwrap() });
        // Whichever comes first, the outcome must be right.
        let committed = client.run(WRITE).await.is_ok() && client.run("commit").await.is_ok();
        drop(client);
        assert_eq!(fencing.await.unwrap(), FenceOutcome::Closed);
        let found = wrote(&read_to(&mut self.stream, &marker).await);
        match (committed, found) {
            (false, _) => FAILED,
            (true, true) => BELOW,
            (true, false) => LOST,
        }
    }
}

/// The straggler's last write is among these, and not only what it wrote before.
fn wrote(transactions: &[Transaction]) -> bool {
    let its_name = Some(Cell::Text("sesat".into()));
    let mut changes = transactions.iter().flat_map(|transaction| &transaction.changes);
    changes.any(|change| change.table == PRODUK && change.row.as_ref().is_some_and(|row| row[NAMA] == its_name))
}

const COMMITTED: &str = "begin isolation level read committed";
const REPEATABLE: &str = "begin isolation level repeatable read";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_straggler_commits_behind_the_mark_on_postgres() {
    let mut stage = Stage::new(Engine::Postgres, FenceRead::Locking).await;
    for begin in [COMMITTED, REPEATABLE] {
        for before in [Before::Wrote, Before::OnlyRead] {
            for ends in [Ends::AfterTheFence, Ends::WhileFencing] {
                let right: &[&str] = match (before, ends) {
                    (Before::Wrote, Ends::AfterTheFence) => &[WAITED],
                    (Before::OnlyRead, Ends::AfterTheFence) => &[FAILED],
                    (_, Ends::WhileFencing) => &[BELOW, FAILED],
                };
                let outcome = stage.story(Case { begin, before, ends }).await;
                assert!(right.contains(&outcome), "{begin} {before:?} {ends:?}: {outcome}");
            }
        }
    }
}

/// The same stories with a fence that is read without a lock: what the lock is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_does_not_lock_loses_rows() {
    let mut stage = Stage::new(Engine::Postgres, FenceRead::Plain).await;
    for before in [Before::Wrote, Before::OnlyRead] {
        let case = Case { begin: REPEATABLE, before, ends: Ends::AfterTheFence };
        assert_eq!(stage.story(case).await, LOST, "{before:?}");
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
    let mut stage = Stage::new(Engine::Sqlite, FenceRead::Locking).await;
    for (begin, before, ends, right) in [
        ("begin immediate", Before::Wrote, Ends::AfterTheFence, &[WAITED][..]),
        ("begin immediate", Before::OnlyRead, Ends::AfterTheFence, &[WAITED]),
        ("begin", Before::Wrote, Ends::AfterTheFence, &[WAITED]),
        ("begin", Before::OnlyRead, Ends::AfterTheFence, &[FAILED]),
        ("begin immediate", Before::Wrote, Ends::WhileFencing, &[BELOW]),
        ("begin", Before::OnlyRead, Ends::WhileFencing, &[BELOW, FAILED]),
    ] {
        let outcome = stage.story(Case { begin, before, ends }).await;
        assert!(right.contains(&outcome), "{begin} {before:?} {ends:?}: {outcome}");
    }
}
