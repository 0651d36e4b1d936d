//! How long a flip holds a shop's writes: `cargo bench -p benches -- hold`.
//!
//! A legacy, the serving process and writers, each a process or a thread pool of its own; PostgreSQL is the server
//! that `BALIK_TEST_POSTGRES` names. A shop is moved there and back again and again while it is written to; the
//! figures are read from the step records, and beside them stands what the writers themselves saw.
//! Exit 1 if in some case no hold of a direction ended with a flip, or a writer went without its answer: then there is
//! nothing to print figures of. Absent on purpose: a verdict on the figures. They depend on the machine and on what else
//! it does; whoever prints them says so.

#[path = "../children.rs"]
mod children;
mod figures;
#[path = "../kios.rs"]
mod kios;
mod lean;
mod load;
#[path = "../people.rs"]
#[expect(dead_code, reason = "writers come at a pace of their own")]
mod people;
mod rows;
mod stage;
#[path = "../which.rs"]
mod which;

use anyhow::{Context, Result};
use children::load_average;
use clap::Parser;
use figures::{Case, Hold};
use load::Load;
use mover::Verb;
use stage::Stage;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the write hold of a flip, on PostgreSQL.
#[derive(Parser)]
struct Args {
    /// Which measurement
    #[arg(default_value = "hold", value_parser = ["hold"])]
    what: String,
    /// Holds in each direction, per case
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    flips: u32,
    /// Writes per second on the shop
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000])]
    rates: Vec<u32>,
    /// Rows of the shop in the legacy
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000])]
    rows: Vec<u32>,
    /// 1,000 and 100,000 rows, five holds in each direction
    #[arg(long)]
    quick: bool,
    /// No case begins another hold after so many seconds
    #[arg(long, default_value_t = 900)]
    seconds: u64,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// From this rate on the legacy is a lean one: the demo's would be what is measured.
const LEAN_FROM: u32 = 500;
/// From the first copy to READY; a large shop is verified for minutes.
const READY_MAX: Duration = Duration::from_secs(1_800);
/// Written before each wish: what the hold before it delayed is over by then.
const SETTLE: Duration = Duration::from_millis(1_500);

fn main() -> ExitCode {
    // The children of the measurement are this very program.
    let given: Vec<String> = std::env::args().skip(1).collect();
    if which::is_other(&given, "hold") {
        return ExitCode::SUCCESS;
    }
    match given.first().map(String::as_str) {
        Some("serving" | "legacy") => return baliklayar::run(),
        Some("lean") => return ended(lean::run(&given[1..])),
        // `cargo bench` runs every bench of the package; each takes what is its own.
        Some(name) if name != "hold" && !name.starts_with('-') => return ExitCode::SUCCESS,
        Some(_) | None => {}
    }
    let mut args = Args::parse();
    if args.quick {
        (args.flips, args.rows) = (5, vec![1_000, 100_000]);
    }
    ended(measure(&args))
}

fn ended(how: Result<()>) -> ExitCode {
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    kios::server_is_named()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        print(&figures::heading());
        let mut wrong = Vec::new();
        for rows in &args.rows {
            for rate in &args.rates {
                let case = case(args, *rows, *rate).await.with_context(|| format!("{rows} rows, {rate} writes/s"))?;
                print(&case.to_text());
                wrong.extend(case.wrong());
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    })
}

/// One shop of so many rows, written to at one rate, moved there and back.
async fn case(args: &Args, rows: u32, rate: u32) -> Result<Case> {
    let begun = Instant::now();
    let lean = rate >= LEAN_FROM;
    let stage = Stage::set(rows, lean).await?;
    stage.start().await?;
    stage.wait_ready(READY_MAX).await?;
    eprintln!("{rows} rows, {rate} writes/s: ready after {} s, load {}", begun.elapsed().as_secs(), load_average());
    let load = Load::start(stage.seam(), stage.products().await?, rate, lean);
    let (measured, mut written) = (Instant::now(), Duration::ZERO);
    for round in 0..args.flips {
        // The verification of the whole shop is no part of a hold; what is measured begins at READY.
        load.pause(true);
        stage.wait_ready(READY_MAX).await?;
        load.pause(false);
        let writing = Instant::now();
        for verb in [Verb::Flip, Verb::Rollback] {
            tokio::time::sleep(SETTLE).await;
            stage.wish(verb, READY_MAX).await?;
        }
        written += writing.elapsed();
        if measured.elapsed() > Duration::from_secs(args.seconds) {
            eprintln!("{rows} rows, {rate} writes/s: out of time after {} rounds", round + 1);
            break;
        }
    }
    let writes = load.end().await;
    let holds: Vec<Hold> = figures::holds(&stage.records().await?);
    let case = Case::new(rows, rate, lean, written, holds, &writes);
    stage.end().await;
    Ok(case)
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn print(text: &str) {
    println!("{text}");
}
