//! Opening a shop before, during and after its move: `cargo bench -p benches -- opening`.
//!
//! An opening is what a host app asks for when somebody opens the shop's tab: the first page of its products, then one
//! of them, through the seam, on a connection that is kept. People open at a fixed rate, and others write, while the
//! shop is copied, flips there and back again and again, and at last stays. Time is cut into windows; what two windows
//! before the move differ by is noise, and what a window later differs by more is a difference.
//! Exit 1 if an opening failed. Absent on purpose: a verdict on the figures.

#[path = "../children.rs"]
mod children;
#[path = "../kios.rs"]
mod kios;
#[path = "../hold/lean.rs"]
mod lean;
#[path = "../hold/load.rs"]
#[expect(dead_code, reason = "the load of a hold can be paused, and counts what it left out")]
mod load;
mod openers;
#[path = "../people.rs"]
mod people;
#[path = "../hold/rows.rs"]
mod rows;
#[path = "../hold/stage.rs"]
mod stage;
#[path = "../which.rs"]
mod which;
mod windows;

use anyhow::Result;
use children::load_average;
use clap::Parser;
use load::Load;
use mover::Verb;
use openers::Openers;
use stage::Stage;
use std::process::ExitCode;
use std::time::Duration;
use windows::Windows;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures how long a shop takes to open before, during and after a move, on PostgreSQL.
#[derive(Parser)]
struct Args {
    /// Which measurement
    #[arg(default_value = "opening", value_parser = ["opening"])]
    what: String,
    /// Rows of the shop in the legacy
    #[arg(long, default_value_t = 20_000)]
    rows: u32,
    /// Openings per second
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Writes per second on the shop
    #[arg(long, default_value_t = 20)]
    writes: u32,
    /// Windows before and after; half as many flips there and back
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=99))]
    windows: u32,
    /// Seconds of a window
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

const READY_MAX: Duration = Duration::from_secs(600);
/// Between two wishes: what the hold before delayed is over by then.
const SETTLE: Duration = Duration::from_millis(1_000);

fn main() -> ExitCode {
    // The children of the measurement are this very program.
    let given: Vec<String> = std::env::args().skip(1).collect();
    if which::is_other(&given, "opening") {
        return ExitCode::SUCCESS;
    }
    let how = match given.first().map(String::as_str) {
        Some("serving" | "legacy") => return baliklayar::run(),
        Some("lean") => lean::run(&given[1..]),
        Some(_) | None => measure(&Args::parse()),
    };
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("opening: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    kios::server_is_named()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stage = Stage::set(args.rows, false).await?;
        let products = stage.products().await?;
        let writers = Load::start(stage.seam(), products.clone(), args.writes, false);
        let openers = Openers::start(stage.seam(), args.rate);
        let windows = course(args, &stage).await?;
        let (openings, writes) = (openers.end().await, writers.end().await);
        let holds = windows::holds(&stage.records().await?);
        print(&windows.to_text(&openings.answered, &holds));
        stage.end().await;
        anyhow::ensure!(openings.failed == 0, "{} of {} openings failed", openings.failed, openings.answered.len());
        anyhow::ensure!(writes.failed == 0, "{} of {} writes failed", writes.failed, writes.answered.len());
        Ok(())
    })
}

/// The move, in windows.
async fn course(args: &Args, stage: &Stage) -> Result<Windows> {
    let window = Duration::from_secs(args.seconds);
    let mut windows = Windows::default();
    tokio::time::sleep(window).await;
    for _ in 0..args.windows {
        windows.during("before", tokio::time::sleep(window)).await;
    }
    stage.start().await?;
    windows.during("while it is copied and verified", stage.wait_ready(READY_MAX)).await?;
    for _ in 0..args.windows / 2 {
        windows
            .during("while it flips there and back", async {
                for verb in [Verb::Flip, Verb::Rollback] {
                    tokio::time::sleep(SETTLE).await;
                    stage.wish(verb, READY_MAX).await?;
                }
                stage.wait_ready(READY_MAX).await
            })
            .await?;
        eprintln!("there and back, load {}", load_average());
    }
    stage.wish(Verb::Flip, READY_MAX).await?;
    tokio::time::sleep(SETTLE).await;
    for _ in 0..args.windows {
        windows.during("after", tokio::time::sleep(window)).await;
    }
    Ok(windows)
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn print(text: &str) {
    println!("{text}");
}
