//! Copy, map and verify, against `pgcopydb` and a COPY pipe of the same tables.

use crate::bare::{self, Bare};
use crate::resources::{self, Server, Used};
use crate::serving::{self, Serving, Steps};
use crate::table::{grouped, per_second, ratio, seconds, table};
use crate::{Args, print, rivals, rows};
use anyhow::{Context, Result};
use clap::ValueEnum;
use cutover::record::StepName;
use mover::Verb;
use std::time::{Duration, Instant};
use testkit::postgres::{self, Database};
use tokio_postgres::Client;

/// From the wish to the end of the verification.
const VERIFIED_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rival {
    Pgcopydb,
    Pipe,
    Ours,
}

/// What one way of copying took and used.
#[derive(Clone, Copy)]
struct Case {
    rival: Rival,
    took: Duration,
    server: Used,
    own: Used,
}

/// What ours has besides.
struct Ours {
    case: Case,
    steps: Steps,
    memory_kb: u64,
    kept: serving::Kept,
    /// Its files are there until it is dropped.
    serving: Serving,
}

/// The tables that are copied.
struct Source {
    url: String,
    client: Client,
    server: Server,
    rows: u64,
    bytes: (u64, u64),
    /// Dropped with this, where nobody prepared it.
    _own: Option<Database>,
}

pub async fn measure(args: &Args) -> Result<()> {
    for orders in &args.orders {
        let source = Source::of(*orders, args.prepared.as_deref()).await?;
        print(&format!(
            "copy: {} orders, {} rows, tables {} MB, indexes {} MB, load {}",
            grouped(u64::from(*orders)),
            grouped(source.rows),
            source.bytes.0 >> 20,
            source.bytes.1 >> 20,
            crate::children::load_average()
        ));
        let mut cases = Vec::new();
        for rival in args.only.iter().filter(|rival| **rival != Rival::Ours) {
            cases.push(of_rival(*rival, &source).await?);
        }
        if args.only.contains(&Rival::Ours) {
            let ours = ours(&source).await?;
            cases.push(ours.case);
            print(&tell(&ours, &source, *orders));
            print(&compare(&cases, *orders, &source));
            let bare = bare_of(&source, &ours).await.context("writing the same rows in a plain loop")?;
            print(&tell_bare(&bare, &cases, *orders)?);
        } else {
            print(&compare(&cases, *orders, &source));
        }
    }
    Ok(())
}

impl Source {
    async fn of(orders: u32, prepared: Option<&str>) -> Result<Self> {
        let (url, own, made) = match prepared {
            Some(name) => {
                let (url, made) = postgres::kept_database(name).await;
                (url, None, made)
            }
            None => {
                let database = postgres::fresh_database().await;
                (database.url.clone(), Some(database), true)
            }
        };
        let client = postgres::connect(&url).await?;
        if made {
            serving::make_legacy(&url).await?;
            rows::fill(&client, orders).await?;
        }
        let server = Server::of(&client).await?;
        let (rows, bytes) = (rows::count(&client).await?, rows::bytes(&client).await?);
        Ok(Self { url, client, server, rows, bytes, _own: own })
    }
}

async fn of_rival(rival: Rival, source: &Source) -> Result<Case> {
    let target = postgres::fresh_database().await;
    source.client.batch_execute("checkpoint").await?;
    let (server, own) = (source.server.used(), own_cpu(rival));
    let took = match rival {
        Rival::Pipe => rivals::pipe(&source.client, &target).await?,
        Rival::Pgcopydb | Rival::Ours => rivals::pgcopydb(&source.url, &target).await?,
    };
    let own = Used { cpu: own_cpu(rival).saturating_sub(own), written: 0 };
    let case = Case { rival, took, server: source.server.used().since(server), own };
    let copied = rows::count(&target.connect().await).await?;
    anyhow::ensure!(copied == source.rows, "{rival:?} has copied {copied} of {} rows", source.rows);
    Ok(case)
}

/// pgcopydb is a child of ours, the pipe is this process.
fn own_cpu(rival: Rival) -> Duration {
    match rival {
        Rival::Pipe => resources::of_process(std::process::id()).cpu,
        Rival::Pgcopydb | Rival::Ours => resources::of_my_children(),
    }
}

async fn ours(source: &Source) -> Result<Ours> {
    source.client.batch_execute("checkpoint").await?;
    let mut serving = Serving::plan(&source.url).await?;
    let pid = serving.start().await?;
    let (server, own) = (source.server.used(), resources::of_process(pid));
    let begun = Instant::now();
    serving.wish(Verb::Start).await?;
    let steps = serving.wait_verified(VERIFIED_MAX).await?;
    let took = begun.elapsed();
    let (server, own) = (source.server.used().since(server), resources::of_process(pid).since(own));
    let memory_kb = resources::memory_kb(pid);
    serving.end().await;
    let kept = serving.kept().context("looking at our files")?;
    uninstall(source).await?;
    Ok(Ours { case: Case { rival: Rival::Ours, took, server, own }, steps, memory_kb, kept, serving })
}

async fn bare_of(source: &Source, ours: &Ours) -> Result<Bare> {
    let before = source.server.used();
    bare::read(&source.client).await?;
    let reading = source.server.used().since(before).cpu;
    let (rows, writing) = tokio::task::block_in_place(|| bare::write(ours.serving.folder()))?;
    Ok(Bare { rows, writing, reading })
}

/// What we left in the legacy's database; the next case finds it as this one did.
async fn uninstall(source: &Source) -> Result<()> {
    let plan = serving::tables()?;
    capture::Source::connect(&source.url, plan, "balik").await?.uninstall().await?;
    Ok(())
}

fn tell(ours: &Ours, source: &Source, orders: u32) -> String {
    let step = |name| ours.steps.get(&name).copied().unwrap_or_default();
    let per_row = |figure: u64| ratio(figure, source.rows);
    format!(
        "ours: copy {} s, map and import {} s, verify {} s; memory at most {} MB\n\
         ours, per source row: {} rows kept, {} bytes kept, {} bytes written; per order: {} µs of our processor time\n",
        seconds(step(StepName::Copy)),
        seconds(step(StepName::Track)),
        seconds(step(StepName::Verify)),
        ours.memory_kb >> 10,
        per_row(ours.kept.rows),
        per_row(ours.kept.bytes),
        per_row(ours.case.own.written),
        ours.case.own.cpu.as_micros() / u128::from(orders),
    )
}

/// What of it is the keeping itself.
fn tell_bare(bare: &Bare, cases: &[Case], orders: u32) -> Result<String> {
    let processors = u32::try_from(std::thread::available_parallelism()?.get())?;
    let takes = bare.takes(processors);
    let yardstick = cases.iter().find(|case| case.rival == Rival::Pgcopydb);
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let of_yardstick = yardstick.map_or_else(|| "–".to_owned(), |case| ratio(millis(case.took), millis(takes)));
    Ok(format!(
        "a plain loop, one insert a row, writes the {} rows of our four large tables in {} s of processor time, {} µs per order; \
         the server reads the tables in {} s of its own. The writing and two such readings, on {processors} processors that are \
         always busy: {} s, {of_yardstick} × pgcopydb",
        grouped(bare.rows),
        seconds(bare.writing),
        bare.writing.as_micros() / u128::from(orders),
        seconds(bare.reading),
        seconds(takes),
    ))
}

fn compare(cases: &[Case], orders: u32, source: &Source) -> String {
    let speed = |case: &Case| per_second(source.rows, case.took);
    let yardstick = cases.iter().find(|case| case.rival == Rival::Pgcopydb).map(speed);
    let row = |case: &Case| {
        vec![
            format!("{:?}", case.rival).to_lowercase(),
            seconds(case.took),
            grouped(per_second(u64::from(orders), case.took)),
            grouped(speed(case)),
            yardstick.map_or_else(|| "–".to_owned(), |yardstick| ratio(speed(case), yardstick)),
            seconds(case.own.cpu),
            seconds(case.server.cpu),
            ratio(case.server.written + case.own.written, source.rows),
        ]
    };
    let heading = ["", "s", "orders/s", "rows/s", "× pgcopydb", "its CPU s", "server's CPU s", "bytes written per row"];
    table(&heading, &cases.iter().map(row).collect::<Vec<_>>())
}
