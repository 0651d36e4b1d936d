//! Reads of the catalogue: a page of ten products, a search, a lookup of ten, one product.
//!
//! The ceiling reads the rows that an answer is made of by the statements that the store has for them, all of one answer
//! in one snapshot, on as many connections as the store reads by. Nothing of them is parsed, made or sent.

use crate::bare::Bare;
use crate::buyers::{Asked, Turns, crowd};
use crate::figures::{Figures, Round};
use crate::place::{Cell, Place};
use crate::shops::Market;
use crate::stage::{Meter, Stage};
use crate::{Args, children, print, table};
use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;

const MARKET: Market = Market { shops: 1, products: 1_000, stock: 100 };
/// At one time.
const READERS: usize = 32;
/// Connections that the store reads by.
const CONNECTIONS: usize = 4;
/// Products of a page, and of a lookup.
const SEVERAL: i64 = 10;
/// Reads of a warm-up.
const WARM_UP: u64 = 500;

const HEAD: &str = "select shop, owner, epoch, fenced, seq from shop_head where shop = ?1";
const SEARCH: &str = "select body, version, class, why, origin, source_tx, id from document indexed by shelf
    where shop = ?1 and kind = 'product' and class = 'live' and state = 'active'
      and (number, id) > (?2, ?3) and instr(title, ?4) > 0
    order by number, id limit ?5";
const FIND: &str = "select body, version, class, why, origin, source_tx from document
    where shop = ?1 and kind = ?2 and id = ?3";
const STOCK: &str = "select on_hand from stock where shop = ?1 and variant = ?2";
const STATEMENTS: [&str; 4] = [HEAD, SEARCH, FIND, STOCK];

#[derive(Debug, Clone, Copy)]
enum Call {
    Page,
    Search,
    Lookup,
    Product,
}

impl Call {
    const ALL: [Self; 4] = [Self::Page, Self::Search, Self::Lookup, Self::Product];

    const fn name(self) -> &'static str {
        match self {
            Self::Page => "search, a page of 10",
            Self::Search => "search, 1 of 1,000 found",
            Self::Lookup => "lookup of 10",
            Self::Product => "product",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Page | Self::Search => "search",
            Self::Lookup => "lookup",
            Self::Product => "product",
        }
    }

    /// How many products the answer has.
    const fn found(self) -> i64 {
        match self {
            Self::Page | Self::Lookup => SEVERAL,
            Self::Search | Self::Product => 1,
        }
    }

    /// The last product that is not wanted: each time another one, and enough behind it.
    fn before(number: u64) -> i64 {
        let room = u64::from(MARKET.products) - SEVERAL.unsigned_abs();
        i64::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % room).unwrap_or(0)
    }

    fn wanted(self, number: u64) -> Vec<String> {
        let before = Self::before(number);
        (before + 1..=before + self.found()).map(|id| id.to_string()).collect()
    }

    fn body(self, number: u64) -> Value {
        let wanted = self.wanted(number);
        match self {
            Self::Page => json!({"pagination": {"cursor": Self::before(number).to_string(), "limit": SEVERAL}}),
            Self::Search => json!({"query": title_part(&wanted[0])}),
            Self::Lookup => json!({"ids": wanted}),
            Self::Product => json!({"id": wanted[0]}),
        }
    }

    /// What has to be read for it.
    fn rows(self, number: u64) -> Vec<(&'static str, Vec<Cell>)> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let shop = Market::shop(0);
        let wanted = self.wanted(number);
        let mut rows = vec![(HEAD, vec![text(&shop)])];
        let find = |id: &String| (FIND, vec![text(&shop), text("product"), text(id)]);
        let search = |before: Cell, id: &str, part: &str, limit| {
            (SEARCH, vec![text(&shop), before, text(id), text(part), Cell::Int(limit)])
        };
        match self {
            Self::Page => {
                let before = Self::before(number);
                rows.push(search(Cell::Int(before), &before.to_string(), "", SEVERAL + 1));
            }
            Self::Search => rows.push(search(Cell::Int(-1), "", &title_part(&wanted[0]), SEVERAL + 1)),
            Self::Lookup | Self::Product => rows.extend(wanted.iter().map(find)),
        }
        rows.extend(wanted.iter().map(|id| (STOCK, vec![text(&shop), text(id)])));
        rows
    }
}

/// What only one title has in it.
fn title_part(id: &str) -> String {
    format!("gayo {id},")
}

pub async fn measure(args: &Args) -> Result<()> {
    let mut rows = Vec::new();
    for &engine in &args.stores {
        let stage = Stage::set(engine, MARKET).await?;
        let mut figures = Call::ALL.map(|_| Figures::default());
        for round in 0..args.rounds {
            for (call, figures) in Call::ALL.into_iter().zip(&mut figures) {
                figures.add(round_of(args, &stage, call).await?);
            }
            let load = children::load_average();
            eprintln!("{}: round {} of {}, load {load}", engine.name(), round + 1, args.rounds);
        }
        stage.end().await;
        for (call, figures) in Call::ALL.into_iter().zip(figures) {
            rows.push([vec![engine.name().to_owned(), call.name().to_owned()], figures.cells()].concat());
        }
    }
    print(&table::table(&[&["store", "read"], &Figures::heading("reads/s")[..]].concat(), &rows));
    Ok(())
}

async fn round_of(args: &Args, stage: &Stage, call: Call) -> Result<Round> {
    let lasting = Duration::from_secs(args.seconds);
    read(stage, call, Turns::new(WARM_UP, lasting)).await?;
    let before = stage.meter.now();
    let (waits, took) = read(stage, call, Turns::new(u64::MAX, lasting)).await?;
    let cost = stage.meter.now().since(before);
    let bare = bare(&stage.place, call, lasting).await?;
    Ok(Round::new(waits, took, cost, bare))
}

async fn read(stage: &Stage, call: Call, turns: Arc<Turns>) -> Result<(Vec<Duration>, Duration)> {
    let path = format!("/shops/{}/catalog/{}", Market::shop(0), call.path());
    crowd(stage.backend, READERS, |mut reader| {
        let (turns, path) = (turns.clone(), path.clone());
        async move {
            let mut waits = Vec::new();
            while let Some(number) = turns.next() {
                let body = Bytes::from(call.body(number).to_string());
                let (answer, took) = reader.ask(Asked { method: "POST", path: path.clone(), key: None, body }).await?;
                // One of each reader's answers is looked at: to read them all would cost more than to make them.
                if waits.is_empty() {
                    check(call, number, &serde_json::from_slice(&answer)?)?;
                }
                waits.push(took);
            }
            Ok(waits)
        }
    })
    .await
}

fn check(call: Call, number: u64, answer: &Value) -> Result<()> {
    let one = std::slice::from_ref(&answer["product"]);
    let products = answer["products"].as_array().map_or(one, Vec::as_slice);
    let found: Vec<&str> = products.iter().filter_map(|product| product["id"].as_str()).collect();
    ensure!(found == call.wanted(number), "{}: {answer}", call.name());
    Ok(())
}

async fn bare(place: &Place, call: Call, lasting: Duration) -> Result<Bare> {
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        readers.push(Reader::open(place).await?);
    }
    let meter = Meter::of(std::process::id(), place).await?;
    let (turns, begun, used) = (Turns::new(u64::MAX, lasting), Instant::now(), meter.now());
    let mut tasks = JoinSet::new();
    for reader in readers {
        let turns = turns.clone();
        match reader {
            Reader::Sqlite(connection) => tasks.spawn_blocking(move || read_file(&connection, call, &turns)),
            Reader::Postgres(client, prepared) => {
                tasks.spawn(async move { read_server(&client, &prepared, call, &turns).await })
            }
        };
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(Bare { count, took: begun.elapsed(), cost: meter.now().since(used) })
}

enum Reader {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client, BTreeMap<&'static str, tokio_postgres::Statement>),
}

impl Reader {
    async fn open(place: &Place) -> Result<Self> {
        let Some(database) = &place.database else {
            let connection = rusqlite::Connection::open(place.file())?;
            connection.execute_batch("pragma query_only = true; pragma cache_size = -65536")?;
            return Ok(Self::Sqlite(connection));
        };
        let (client, mut prepared) = (database.connect().await, BTreeMap::new());
        for sql in STATEMENTS {
            // The same in the server's words.
            let text = sql.replace('?', "$").replace("instr(", "strpos(").replace(" indexed by shelf", "");
            prepared.insert(sql, client.prepare(&text).await?);
        }
        Ok(Self::Postgres(client, prepared))
    }
}

fn read_file(connection: &rusqlite::Connection, call: Call, turns: &Turns) -> Result<u64> {
    let mut count = 0;
    while let Some(number) = turns.next() {
        connection.execute_batch("begin")?;
        for (sql, cells) in call.rows(number) {
            let mut select = connection.prepare_cached(sql)?;
            let columns = select.column_count();
            let read = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
            let found: Vec<Vec<Cell>> =
                select.query_map(rusqlite::params_from_iter(&cells), read)?.collect::<rusqlite::Result<_>>()?;
            ensure!(!found.is_empty(), "{sql} finds nothing");
        }
        connection.execute_batch("rollback")?;
        count += 1;
    }
    Ok(count)
}

/// The statements of an answer are sent one behind the other and then waited for.
async fn read_server(
    client: &tokio_postgres::Client,
    prepared: &BTreeMap<&str, tokio_postgres::Statement>,
    call: Call,
    turns: &Turns,
) -> Result<u64> {
    let mut count = 0;
    while let Some(number) = turns.next() {
        let selects = call.rows(number).into_iter().map(|(sql, cells)| async move {
            let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| -> &(dyn ToSql + Sync) { cell }).collect();
            client.query(&prepared[sql], &cells).await
        });
        let begin = client.batch_execute("begin isolation level repeatable read, read only");
        let (begun, found, ended) =
            tokio::join!(biased; begin, try_join_all(selects), client.batch_execute("rollback"));
        begun?;
        ended?;
        ensure!(found?.iter().all(|rows| !rows.is_empty()), "a statement finds nothing");
        count += 1;
    }
    Ok(count)
}
