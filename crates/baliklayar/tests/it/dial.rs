//! The read dial: while the copy is fresh it answers the catalogue's reads, and nobody is told a price that was not true
//! within a second; when it is not, the owner does.

use crate::world::{Engine, World};
use cutover::bounds::{COPY_AGE_MS_MAX, HEARTBEAT_MS, ROUTE_PUSH_MS};
use mover::Verb;
use serde_json::json;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use vocab::id::{Epoch, ShopId};

/// The dial is turned so often, there and back counted apart.
const TURNS: usize = 100;
const READERS: usize = 4;
const BEFORE: Duration = Duration::from_millis(COPY_AGE_MS_MAX);
const LOOK: Duration = Duration::from_millis(5);
const WAIT_MAX: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turned_a_hundred_times_under_load_nothing_fails_and_nothing_is_wrong_on_sqlite() {
    turned_under_load(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turned_a_hundred_times_under_load_nothing_fails_and_nothing_is_wrong_on_postgres() {
    turned_under_load(Engine::Postgres).await;
}

async fn turned_under_load(engine: Engine) {
    let people = People::at(World::start(engine, 7, 2).await).await;
    let crowd = people.clone().buy_and_look();
    for turn in 0..TURNS {
        let verb = if turn % 2 == 0 { Verb::Dial } else { Verb::DialBack };
        people.world.wish(verb, Some(&people.shop)).await;
        // On for a while each time, so that the copy is asked.
        tokio::time::sleep(Duration::from_millis(if turn % 2 == 0 { 60 } else { 20 })).await;
    }
    let stats = people.world.gateway.stats(&people.shop).unwrap();
    let said = crowd.end().await;
    eprintln!(
        "dial, {engine:?}: {TURNS} turns, {} reads, {} of them by the copy, {} edits of a price, {} failed, {} wrong",
        said.reads, stats.copied_total, said.edits, said.failed, said.wrong
    );
    assert_eq!((said.failed, said.wrong), (0, 0));
    assert!(stats.copied_total > 50, "the copy was hardly asked: {stats:?}");
    assert!(said.reads > stats.copied_total + 50, "the owner was hardly asked: {stats:?}");
}

/// Capture stops: the process in the source's server that sends the changes is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_falls_behind_answers_no_more_and_answers_again_when_it_has_caught_up() {
    let people = People::at(World::start(Engine::Postgres, 8, 1).await).await;
    let crowd = people.clone().buy_and_look();
    people.world.wish(Verb::Dial, None).await;
    people.until(true).await;

    let sender = Sender::of(&people.world).await;
    sender.signal("STOP");
    let stopped = Instant::now();
    people.until(false).await;
    let fell_back = stopped.elapsed();
    let bound = BEFORE + Duration::from_millis(HEARTBEAT_MS + u64::from(ROUTE_PUSH_MS));
    eprintln!("dial: capture stopped, the owner answered after {} ms", fell_back.as_millis());
    assert!(fell_back < bound, "{fell_back:?}");
    tokio::time::sleep(BEFORE).await;
    let during = people.world.gateway.stats(&people.shop).unwrap();
    sender.signal("CONT");
    people.until(true).await;
    let said = crowd.end().await;
    assert_eq!((said.failed, said.wrong), (0, 0));
    assert!(during.copy_until.is_none_or(|until| until < Instant::now()), "{during:?}");
}

/// The check that finds a wrong price does: somebody says of a copy that stands still that it is fresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_taken_for_fresh_and_is_not_is_found_out() {
    let people = People::at(World::start(Engine::Postgres, 9, 1).await).await;
    let sender = Sender::of(&people.world).await;
    sender.signal("STOP");
    let crowd = people.clone().buy_and_look();
    tokio::time::sleep(BEFORE).await;
    let lie = Some(Instant::now() + 2 * BEFORE);
    people.world.gateway.dial(&people.shop, Epoch(1), lie).unwrap();
    tokio::time::sleep(BEFORE).await;
    let said = crowd.end().await;
    sender.signal("CONT");
    assert!(said.failed == 0 && said.wrong > 0, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flip_ends_the_dial_and_the_way_back_begins_at_the_owner() {
    let people = People::at(World::start(Engine::Sqlite, 10, 1).await).await;
    let world = &people.world;
    world.wish(Verb::Dial, None).await;
    people.until(true).await;
    world.wish(Verb::Flip, None).await;
    let refused = world.put_down(Verb::Dial, None).await;
    world.come_true(Verb::Dial, refused).await;
    let outcome = world.store.wish_outcome(refused).await.unwrap().unwrap();
    assert_eq!(outcome.text("refused"), Some("owned_by_backend"));
    world.wish(Verb::Rollback, None).await;
    world.start_moving().await;
    let before = world.gateway.stats(&people.shop).unwrap().copied_total;
    people.look().await.unwrap();
    let after = world.gateway.stats(&people.shop).unwrap();
    assert_eq!((after.copied_total, after.copy_until), (before, None), "nobody has turned it on again");
}

/// The process of the server that sends the changes of this database.
struct Sender(i32);

impl Sender {
    async fn of(world: &World) -> Self {
        let sql = "select active_pid from pg_replication_slots where database = current_database()";
        Self(world.one(sql).await.parse().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.0.to_string()).status().unwrap();
        assert!(sent.success(), "kill -{name} {}", self.0);
    }
}

impl Drop for Sender {
    /// A test that failed in between must not leave a stopped process in everybody's server.
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-CONT").arg(self.0.to_string()).status();
    }
}

/// A price that was asked for: it may be true as soon as it is here, until the next one was answered at the latest.
struct Price {
    amount: i64,
    until: Option<Instant>,
}

struct People {
    world: World,
    shop: ShopId,
    product: String,
    prices: Mutex<Vec<Price>>,
}

#[derive(Debug, Default)]
struct Said {
    reads: u64,
    edits: usize,
    failed: usize,
    wrong: usize,
}

/// People who look at one product while its seller changes the price again and again.
struct Crowd {
    people: Arc<People>,
    over: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    wrong: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl People {
    async fn at(world: World) -> Arc<Self> {
        world.start_moving().await;
        let shop = world.shops[0].clone();
        let product = world.one(&format!("select min(id) from produk where toko_id = {shop} and aktif = 'Y'")).await;
        let people = Self { world, shop, product, prices: Mutex::default() };
        let amount = people.look().await.unwrap();
        people.prices.lock().await.push(Price { amount, until: None });
        Arc::new(people)
    }

    /// The price that is shown now; none where no answer came.
    async fn look(&self) -> Option<i64> {
        let shown = self.world.look_up(&self.shop, std::slice::from_ref(&self.product)).await;
        shown.body["products"][0]["variants"][0]["price"]["amount"].as_i64()
    }

    async fn edit(&self, amount: i64) -> bool {
        // Known before it is sent: a reader may see it before its answer is here.
        self.prices.lock().await.push(Price { amount, until: None });
        let path = format!("seller/products/{}", self.product);
        let request = self.world.write("PUT", &self.shop, &path, &json!({"price": amount}));
        let answer = self.world.send(&request).await;
        let now = Instant::now();
        let mut prices = self.prices.lock().await;
        let before = prices.len() - 2;
        prices[before].until = Some(now);
        answer.status == 200
    }

    /// Whether the price was true at some instant since a second before it was asked for.
    async fn was_true(&self, amount: i64, asked: Instant) -> bool {
        let since = asked - BEFORE;
        let prices = self.prices.lock().await;
        prices.iter().any(|price| price.amount == amount && price.until.is_none_or(|until| until >= since))
    }

    /// Waits until the copy answers, or does not.
    async fn until(&self, answers: bool) {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let until = self.world.gateway.stats(&self.shop).unwrap().copy_until;
            if until.is_some_and(|until| Instant::now() < until) == answers {
                return;
            }
            assert!(Instant::now() < deadline, "the copy does not come to answer: {answers}");
            tokio::time::sleep(LOOK).await;
        }
    }

    fn buy_and_look(self: Arc<Self>) -> Crowd {
        let mut crowd = Crowd {
            people: self,
            over: Arc::default(),
            reads: Arc::default(),
            failed: Arc::default(),
            wrong: Arc::default(),
            tasks: JoinSet::new(),
        };
        for _ in 0..READERS {
            let (people, over) = (crowd.people.clone(), crowd.over.clone());
            let (reads, failed, wrong) = (crowd.reads.clone(), crowd.failed.clone(), crowd.wrong.clone());
            crowd.tasks.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    match people.look().await {
                        None => _ = failed.fetch_add(1, Ordering::Relaxed),
                        Some(amount) if people.was_true(amount, asked).await => {}
                        Some(_) => _ = wrong.fetch_add(1, Ordering::Relaxed),
                    }
                    reads.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(LOOK).await;
                }
            });
        }
        let (people, over, failed) = (crowd.people.clone(), crowd.over.clone(), crowd.failed.clone());
        crowd.tasks.spawn(async move {
            let mut amount = 1_000_000;
            while !over.load(Ordering::Relaxed) {
                amount += 10_000;
                if !people.edit(amount).await {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                tokio::time::sleep(4 * LOOK).await;
            }
        });
        crowd
    }
}

impl Crowd {
    async fn end(mut self) -> Said {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let edits = self.people.prices.lock().await.len() - 1;
        let reads = u64::try_from(count(&self.reads)).unwrap();
        Said { reads, edits, failed: count(&self.failed), wrong: count(&self.wrong) }
    }
}
