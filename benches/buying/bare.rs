//! The ceiling: a bare loop with the driver that writes the rows which a measured run has written, once more, into an empty
//! store of the same form, durably.
//!
//! It takes the run's facts in their order: each is one commit, and names every document as it stood after it. So a
//! checkout is the same inserts and updates as before, in the same number of commits. Nothing is read, decided, encoded or
//! answered. Commits are grouped as large as they could have been in the run. When it is done both stores must have the
//! same rows, column by column.

use crate::place::{Cell, Engine, Place};
use crate::shops::Market;
use crate::stage::{Cost, Meter};
use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;

/// The store groups no more commits than that.
const GROUP_MAX: u32 = 64;
/// Connections that write to PostgreSQL, as the store has.
const WRITERS: usize = 4;

/// As the store says it.
const DOCUMENT: &str =
    "insert into document (shop, kind, id, class, why, version, source_tx, origin, state, title, number, changed_at,
                           body, serial, parent)
     values (?1, ?2, ?3, 'live', null, ?4, null, null, ?5, null, 9223372036854775807, ?6, ?7, ?8, null)
     on conflict (shop, kind, id) do update set class = excluded.class, why = excluded.why, version = excluded.version,
         source_tx = excluded.source_tx, origin = excluded.origin, state = excluded.state, title = excluded.title,
         changed_at = excluded.changed_at, body = excluded.body, serial = excluded.serial,
         parent = excluded.parent";
const STOCK: &str = "update stock set on_hand = on_hand + ?3 where shop = ?1 and variant = ?2";
const LEDGER: &str = "insert into ledger (shop, order_id, n, account, currency, amount, at, seq)
                      values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const FACT: &str = "insert into fact (shop, seq, epoch, at, body) values (?1, ?2, ?3, ?4, ?5)";
const HEAD: &str = "update shop_head set seq = ?2 where shop = ?1";
/// As the store's connections are.
const QUICKLY_COMPRESSED: &str = "select set_config(name, 'lz4', false) from pg_settings
                                  where name = 'default_toast_compression' and 'lz4' = any(enumvals)";
const STATEMENTS: [&str; 5] = [DOCUMENT, STOCK, LEDGER, FACT, HEAD];

/// All that a checkout touches.
const TABLES: [&str; 5] = [
    "select shop, kind, id, class, why, version, source_tx, origin, state, title, number, changed_at, body, serial,
            parent
     from document order by shop, kind, id",
    "select shop, variant, product, on_hand from stock order by shop, variant",
    "select shop, order_id, n, account, currency, amount, at, seq from ledger order by shop, order_id, n",
    "select shop, seq, epoch, at, body from fact order by shop, seq",
    "select shop, owner, epoch, seq from shop_head order by shop",
];

/// What the loop needed for so many of what was counted.
pub struct Bare {
    pub count: u64,
    pub took: Duration,
    pub cost: Cost,
}

/// The rows of one commit.
struct Commit {
    shop: String,
    seq: i64,
    /// A statement and its cells.
    rows: Vec<(&'static str, Vec<Cell>)>,
}

/// How many facts each shop has.
pub type Heads = BTreeMap<String, i64>;

pub async fn heads(place: &Place) -> Result<Heads> {
    let rows = place.rows("select shop, seq from shop_head").await?;
    rows.into_iter().map(|row| Ok((text(&row[0])?.to_owned(), int(&row[1])?))).collect()
}

/// The most commits that can have waited together where so many buy at once: SQLite's are of all shops, PostgreSQL's of one.
pub fn group(engine: Engine, buyers: u32, shops: u32) -> usize {
    let together = match engine {
        Engine::Sqlite => buyers,
        Engine::Postgres => buyers.div_ceil(shops),
    };
    usize::try_from(together.clamp(1, GROUP_MAX)).unwrap_or(1)
}

/// Every commit of a store: each shop's in the order in which they were made, which their times need not be in.
async fn commits(place: &Place) -> Result<Vec<Commit>> {
    let facts = place.rows("select shop, seq, epoch, at, body from fact order by seq, shop").await?;
    let mut past = Past::default();
    facts.into_iter().map(|fact| past.commit(fact)).collect()
}

/// How often each document was written, and how many entries each order has, so far.
#[derive(Default)]
struct Past {
    versions: BTreeMap<String, i64>,
    entries: BTreeMap<String, i64>,
}

type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

impl Past {
    fn commit(&mut self, fact: Vec<Cell>) -> Result<Commit> {
        let (shop, seq, at) = (text(&fact[0])?.to_owned(), int(&fact[1])?, fact[3].clone());
        let body: Members<'_> = serde_json::from_str(text(&fact[4])?)?;
        let list = |name: &str| -> Result<Vec<Members<'_>>> { Ok(serde_json::from_str(body[name].get())?) };
        let mut rows = Vec::new();
        for write in list("writes")? {
            rows.push((DOCUMENT, self.document(&shop, &at, &write)?));
        }
        for moved in list("stock")? {
            rows.push((STOCK, vec![Cell::Text(shop.clone()), quoted(&moved, "variant")?, number(&moved, "delta")?]));
        }
        for entry in list("entries")? {
            let order = quoted(&entry, "order")?;
            let n = next(&mut self.entries, format!("{shop} {order:?}"));
            let [account, currency] = [quoted(&entry, "account")?, quoted(&entry, "currency")?];
            let shop = Cell::Text(shop.clone());
            let amount = number(&entry, "amount")?;
            rows.push((LEDGER, vec![shop, order, n, account, currency, amount, at.clone(), Cell::Int(seq)]));
        }
        rows.push((FACT, fact));
        rows.push((HEAD, vec![Cell::Text(shop.clone()), Cell::Int(seq)]));
        Ok(Commit { shop, seq, rows })
    }

    fn document(&mut self, shop: &str, at: &Cell, write: &Members<'_>) -> Result<Vec<Cell>> {
        let (kind, id) = (quoted(write, "kind")?, quoted(write, "id")?);
        let version = next(&mut self.versions, format!("{shop} {kind:?} {id:?}"));
        let body = write["document"].get();
        let members: Members<'_> = serde_json::from_str(body)?;
        let state = if members.contains_key("state") { quoted(&members, "state")? } else { Cell::Null };
        let serial = if members.contains_key("invoice") { number(&members, "invoice")? } else { Cell::Null };
        Ok(vec![Cell::Text(shop.to_owned()), kind, id, version, state, at.clone(), Cell::Text(body.to_owned()), serial])
    }
}

fn next(counts: &mut BTreeMap<String, i64>, of: String) -> Cell {
    let count = counts.entry(of).or_default();
    *count += 1;
    Cell::Int(*count)
}

fn quoted(members: &Members<'_>, name: &str) -> Result<Cell> {
    let value = members.get(name).with_context(|| format!("a fact without `{name}`"))?;
    Ok(Cell::Text(serde_json::from_str(value.get())?))
}

fn number(members: &Members<'_>, name: &str) -> Result<Cell> {
    let value = members.get(name).with_context(|| format!("a fact without `{name}`"))?;
    Ok(Cell::Int(serde_json::from_str(value.get())?))
}

fn text(cell: &Cell) -> Result<&str> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Null | Cell::Int(_) => anyhow::bail!("no text: {cell:?}"),
    }
}

fn int(cell: &Cell) -> Result<i64> {
    match cell {
        Cell::Int(number) => Ok(*number),
        Cell::Null | Cell::Text(_) => anyhow::bail!("no number: {cell:?}"),
    }
}

/// Writes what a run has written into a fresh store with the same market, and counts what came after the mark.
pub async fn run(
    engine: Engine,
    market: Market,
    mark: &Heads,
    group: usize,
    written: &Place,
    count: usize,
) -> Result<Bare> {
    let commits = commits(written).await?;
    let place = Place::new(engine).await?;
    market.open(&place.open()?).await?;
    let (before, counted): (Vec<_>, Vec<_>) =
        commits.into_iter().partition(|commit| mark.get(&commit.shop).is_some_and(|seq| commit.seq <= *seq));
    let mut writers = Writers::open(&place).await?;
    writers.write(before, group).await?;
    let meter = Meter::of(std::process::id(), &place).await?;
    let (begun, used) = (Instant::now(), meter.now());
    writers.write(counted, group).await?;
    let bare = Bare { count: u64::try_from(count)?, took: begun.elapsed(), cost: meter.now().since(used) };
    drop(writers);
    for table in TABLES {
        let same = written.rows(table).await? == place.rows(table).await?;
        ensure!(same, "the bare loop has not left the rows that the run had: {table}");
    }
    Ok(bare)
}

enum Writers {
    Sqlite(rusqlite::Connection),
    Postgres(Vec<tokio_postgres::Client>),
}

impl Writers {
    async fn open(place: &Place) -> Result<Self> {
        let Some(database) = &place.database else { return Ok(Self::Sqlite(sqlite(place)?)) };
        let mut clients = Vec::new();
        for _ in 0..WRITERS {
            let client = database.connect().await;
            client.batch_execute(QUICKLY_COMPRESSED).await?;
            clients.push(client);
        }
        Ok(Self::Postgres(clients))
    }

    async fn write(&mut self, commits: Vec<Commit>, group: usize) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                // It blocks, and nothing else is to be done here.
                for together in commits.chunks(group) {
                    write_group(connection, together)?;
                }
                Ok(())
            }
            Self::Postgres(clients) => {
                let mut tasks = JoinSet::new();
                let shares = shared_out(commits, clients.len());
                for (client, shops) in std::mem::take(clients).into_iter().zip(shares) {
                    tasks.spawn(write_shops(client, shops, group));
                }
                while let Some(done) = tasks.join_next().await {
                    clients.push(done??);
                }
                Ok(())
            }
        }
    }
}

/// As the store opens its file, with its checkpoints beside.
fn sqlite(place: &Place) -> Result<rusqlite::Connection> {
    let open = || -> Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(place.file())?;
        connection.execute_batch("pragma synchronous = full; pragma cache_size = -65536")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS.len());
        Ok(connection)
    };
    let mut connection = open()?;
    store::checkpoint_beside(&mut connection, open()?)?;
    Ok(connection)
}

fn write_group(connection: &rusqlite::Connection, commits: &[Commit]) -> Result<()> {
    connection.execute_batch("begin immediate")?;
    for (sql, cells) in commits.iter().flat_map(|commit| &commit.rows) {
        connection.prepare_cached(sql)?.execute(rusqlite::params_from_iter(cells))?;
    }
    Ok(connection.execute_batch("commit")?)
}

/// The commits of each shop, and each shop at one writer.
fn shared_out(commits: Vec<Commit>, writers: usize) -> Vec<Vec<Vec<Commit>>> {
    let mut shops: BTreeMap<String, Vec<Commit>> = BTreeMap::new();
    for commit in commits {
        shops.entry(commit.shop.clone()).or_default().push(commit);
    }
    let mut shares: Vec<Vec<Vec<Commit>>> = std::iter::repeat_with(Vec::new).take(writers).collect();
    for (nth, commits) in shops.into_values().enumerate() {
        shares[nth % writers].push(commits);
    }
    shares
}

/// A group of each shop in turn; the statements of a group are sent one behind the other and then waited for.
async fn write_shops(
    client: tokio_postgres::Client,
    shops: Vec<Vec<Commit>>,
    group: usize,
) -> Result<tokio_postgres::Client> {
    let mut prepared = BTreeMap::new();
    for sql in STATEMENTS {
        prepared.insert(sql, client.prepare(&sql.replace('?', "$")).await?);
    }
    let mut turns: Vec<_> = shops.iter().map(|commits| commits.chunks(group)).collect();
    while !turns.is_empty() {
        for together in turns.iter_mut().filter_map(Iterator::next) {
            send_group(&client, &prepared, together).await?;
        }
        turns.retain(|left| left.len() > 0);
    }
    Ok(client)
}

async fn send_group(
    client: &tokio_postgres::Client,
    prepared: &BTreeMap<&str, tokio_postgres::Statement>,
    commits: &[Commit],
) -> Result<()> {
    let rows = commits.iter().flat_map(|commit| &commit.rows);
    let writes = rows.map(|(sql, cells)| async move {
        let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| -> &(dyn ToSql + Sync) { cell }).collect();
        client.execute(&prepared[sql], &cells).await
    });
    // Polled in this order, and so sent.
    let all = tokio::join!(biased; client.batch_execute("begin"), try_join_all(writes), client.batch_execute("commit"));
    all.0?;
    all.1?;
    Ok(all.2?)
}
