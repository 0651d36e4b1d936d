//! Reads in the middle of writes: each contains exactly the transactions that its cut names.
//!
//! A log watermark in the place of the cut is shown to be wrong: PostgreSQL streams a commit before new snapshots see
//! it, so a read behind a watermark may miss what the log showed in front of it.

use crate::world::{Chunk, Client, Engine, PRODUK, STOK, World, chunk_of, drain, shop};
use capture::{Cut, Marker, Transaction};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use vocab::row::{Cell, Row, RowKey};

const WRITERS: u64 = 6;
const READS: usize = 1_000;
/// Each takes the write lock for its marker, as every writer does: reads go on until enough was written between them.
const SQLITE_READS: usize = 5_000;
const CHANGES_MIN: i64 = 200;
/// The stock of the shop's three products at the start.
const SEED: i64 = 15;
const LIMIT: u32 = 12;
/// Rounds of reads in which the window rule must fail once.
const ROUNDS_MAX: usize = 4;

type Rows = BTreeMap<RowKey, Row>;

/// A read, between two marks.
struct Read {
    low: Marker,
    after: Option<RowKey>,
    chunk: Chunk,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_contains_what_its_cut_names_and_a_watermark_would_not_do() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    client.exec("insert into produk (toko_id, nama, harga, kode, stok) select 1, 'p', '1', 'P', 0 from generate_series(1, 30)").await;
    let mut stream = world.source.stream(None).await.unwrap();
    drain(&world, &mut stream).await;
    let mut rows = rows_now(&world).await;
    let mut stale = 0;
    for round in 0..ROUNDS_MAX {
        let writing = Writing::begin(&world, write_postgres).await;
        let reads = reads(&world).await;
        writing.end().await;
        let log = drain(&world, &mut stream).await;
        assert!(log.len() > 3 * READS, "the writers wrote: {} transactions", log.len());
        assert_each_read_is_its_replay(rows.clone(), &log, &reads, round);
        stale += stale_under_the_window_rule(rows.clone(), &log, &reads);
        log.iter().for_each(|transaction| apply(&mut rows, transaction));
        assert_eq!(rows, rows_now(&world).await, "the log is the whole truth");
        if stale > 0 {
            break;
        }
    }
    println!("under the window rule {stale} of {READS} reads a round would have put a stale row over a newer one");
    assert!(stale > 0, "the window rule never failed: did the writers write?");
}

/// Each read equals the replay of exactly the transactions that its cut covers.
fn assert_each_read_is_its_replay(mut rows: Rows, log: &[Transaction], reads: &[Read], round: usize) {
    let places = marks(log);
    let mut done = 0;
    for (number, read) in reads.iter().enumerate() {
        // Later cuts cover what this one covers.
        while read.chunk.cut.covers(&log[done].tx) {
            apply(&mut rows, &log[done]);
            done += 1;
        }
        let behind = places[&read.chunk.marker];
        assert!(
            log[behind..].iter().skip(1).all(|transaction| !read.chunk.cut.covers(&transaction.tx)),
            "a covered transaction behind the marker"
        );
        let mut replayed = rows.clone();
        log[done..behind]
            .iter()
            .filter(|transaction| read.chunk.cut.covers(&transaction.tx))
            .for_each(|transaction| apply(&mut replayed, transaction));
        let expected: Vec<_> = replayed
            .into_iter()
            .filter(|(key, _)| read.after.as_ref().is_none_or(|after| key > after))
            .take(usize::try_from(LIMIT).unwrap())
            .collect();
        assert_eq!(expected, read.chunk.rows, "round {round}, read {number}");
    }
}

/// The rule of log watermarks: a row of the read counts, unless its key came in the log between the marks. How many
/// reads hold a row that counts and is not what the log says.
fn stale_under_the_window_rule(mut rows: Rows, log: &[Transaction], reads: &[Read]) -> usize {
    let places = marks(log);
    let mut done = 0;
    let mut stale = 0;
    for read in reads {
        let (low, high) = (places[&read.low], places[&read.chunk.marker]);
        log[done..=low].iter().for_each(|transaction| apply(&mut rows, transaction));
        done = low + 1;
        let between: HashSet<_> =
            log[done..high].iter().flat_map(|transaction| &transaction.changes).map(|change| &change.key).collect();
        let wrong = read.chunk.rows.iter().any(|(key, row)| !between.contains(key) && rows.get(key) != Some(row));
        stale += usize::from(wrong);
    }
    stale
}

fn marks(log: &[Transaction]) -> HashMap<Marker, usize> {
    let places = log.iter().enumerate();
    places
        .flat_map(|(place, transaction)| transaction.markers.iter().map(move |marker| (marker.clone(), place)))
        .collect()
}

fn apply(rows: &mut Rows, transaction: &Transaction) {
    for change in transaction.changes.iter().filter(|change| change.table == PRODUK) {
        match &change.row {
            None => drop(rows.remove(&change.key)),
            Some(cells) => {
                let row = Row(cells.iter().map(|cell| cell.clone().unwrap()).collect());
                // The other shop's rows are written too, and not read.
                if row.0[1] == Cell::Int(1) {
                    rows.insert(change.key.clone(), row);
                }
            }
        }
    }
}

async fn rows_now(world: &World) -> Rows {
    let mut reader = world.source.snapshot().await.unwrap();
    reader.rows_of_shop(&shop("1"), PRODUK, None, 10_000, &[]).await.unwrap().into_iter().collect()
}

/// Goes over the shop's rows again and again, one read behind the other.
async fn reads(world: &World) -> Vec<Read> {
    let mut reads = Vec::with_capacity(READS);
    let mut after = None;
    for _ in 0..READS {
        let low = world.source.fresh_marker();
        world.source.mark(&low).await.unwrap();
        let chunk = chunk_of(&world.source, "1", PRODUK, after.as_ref(), LIMIT, &[]).await;
        let next = chunk.rows.last().map(|(key, _)| key.clone()).filter(|_| !chunk.last);
        reads.push(Read { low, after, chunk });
        after = next;
    }
    reads
}

/// Writers of the legacy, until they are told to end.
struct Writing {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Writing {
    async fn begin<F>(world: &World, write: fn(Client, u64, Arc<AtomicBool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for seed in 1..=WRITERS {
            writers.push(tokio::spawn(write(world.client().await, seed, Arc::clone(&stop))));
        }
        Self { stop, writers }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
    }
}

/// Numbers that look random and are the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

async fn write_postgres(mut client: Client, seed: u64, stop: Arc<AtomicBool>) {
    let mut state = seed;
    while !stop.load(Ordering::Relaxed) {
        let id = next(&mut state) % 40 + 1;
        let sql = match next(&mut state) % 10 {
            0 => "insert into produk (toko_id, nama, harga, kode, stok) values (1, 'baru', '1', 'N', 0)".to_owned(),
            1 => "delete from produk where id = (select max(id) from produk where toko_id = 1 and id > 40)".to_owned(),
            2 => format!(
                "begin; update produk set stok = stok + 1 where id = {id}; update produk set dilihat = dilihat + 1 where id = {id}; commit"
            ),
            _ => format!("update produk set stok = stok + 1 where id = {id} and toko_id = 1"),
        };
        client.exec(&sql).await;
    }
}

async fn write_sqlite(mut client: Client, seed: u64, stop: Arc<AtomicBool>) {
    let mut state = seed;
    while !stop.load(Ordering::Relaxed) {
        let id = next(&mut state) % 3 + 1;
        client.exec(&format!("update produk set stok = stok + 1 where id = {id}")).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// One writer at a time makes the number of the last change the cut: every update adds one to the stock and is one
/// change, so the sum of a read is the number of changes up to its cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_of_sqlite_contains_every_change_up_to_its_cut() {
    let world = World::new(Engine::Sqlite).await;
    let writing = Writing::begin(&world, write_sqlite).await;
    let mut chunks: Vec<Chunk> = Vec::new();
    while chunks.len() < SQLITE_READS && chunks.last().is_none_or(|chunk| stock(chunk) < SEED + CHANGES_MIN) {
        chunks.push(chunk_of(&world.source, "1", PRODUK, None, 100, &[]).await);
    }
    writing.end().await;
    let mut client = world.client().await;
    for chunk in &chunks {
        let Cut::Sqlite(cut) = chunk.cut else { panic!("a cut of SQLite") };
        let changes = format!("select count(*) from balik_changes where tbl = 'produk' and seq <= {cut}");
        assert_eq!((stock(chunk) - SEED).to_string(), client.ask(&changes).await);
    }
    assert!(chunks.last().is_some_and(|chunk| stock(chunk) >= SEED + CHANGES_MIN), "the writers wrote");
}

fn stock(chunk: &Chunk) -> i64 {
    let stocks =
        chunk.rows.iter().map(|(_, row)| if let Cell::Int(stok) = row.0[STOK] { stok } else { panic!("a stock") });
    stocks.sum()
}

/// The rule for copied rows: a row of a read counts unless the last transaction that wrote its key is not covered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copied_and_streamed_rows_end_as_the_source_on_both() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let world = World::new(engine).await;
        let mut stream = world.source.stream(None).await.unwrap();
        let writing = match engine {
            Engine::Postgres => Writing::begin(&world, write_postgres).await,
            Engine::Sqlite => Writing::begin(&world, write_sqlite).await,
        };
        let mut chunks = HashMap::new();
        let mut after = None;
        let mut passes = 0;
        while passes < 40 {
            let chunk = chunk_of(&world.source, "1", PRODUK, after.as_ref(), LIMIT, &[]).await;
            after = chunk.rows.last().map(|(key, _)| key.clone()).filter(|_| !chunk.last);
            passes += usize::from(chunk.last);
            chunks.insert(chunk.marker.clone(), chunk);
        }
        writing.end().await;
        let log = drain(&world, &mut stream).await;
        assert_eq!(staged(&log, &mut chunks), rows_now(&world).await, "{engine:?}");
    }
}

fn staged(log: &[Transaction], chunks: &mut HashMap<Marker, Chunk>) -> Rows {
    let mut rows = Rows::new();
    let mut written = HashMap::new();
    for transaction in log {
        apply(&mut rows, transaction);
        written.extend(transaction.changes.iter().map(|change| (change.key.clone(), transaction.tx)));
        for marker in &transaction.markers {
            let Some(chunk) = chunks.remove(marker) else { continue };
            let counts = |key: &RowKey| written.get(key).is_none_or(|tx| chunk.cut.covers(tx));
            rows.extend(chunk.rows.iter().filter(|(key, _)| counts(key)).cloned());
        }
    }
    assert!(chunks.is_empty(), "every marker came");
    rows
}
