//! What a copy does to shoppers, with and without its throttle: `cargo bench -p benches -- throttle`.
//!
//! One large shop of a legacy on PostgreSQL, and people who come to it at a fixed rate, half of what the machine
//! can. The shop is copied, derived and verified, and paused again and again: a window with the copy follows one
//! without it, and each is compared with the other. One course has the throttle, the next has not, by turns; each has a
//! database and a serving process of its own.
//! Exit 1 if shoppers of the copies with the throttle waited more than 1.3 times as long (p99) as without a copy, if
//! those without it did not, which would show that there was nothing to throttle, if a copy with the throttle got less done
//! than half of the least rate, or if a request failed.

#[path = "../children.rs"]
mod children;
mod figures;
#[path = "../kios.rs"]
mod kios;
#[path = "../people.rs"]
mod people;
mod rows;
mod shoppers;
mod stage;
#[path = "../which.rs"]
mod which;

use anyhow::{Context, Result};
use children::load_average;
use clap::Parser;
use figures::{Arm, Course, Figures, Pair, Window};
use mover::Verb;
use shoppers::Shoppers;
use stage::Stage;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what shoppers wait while a large shop is copied, on PostgreSQL.
#[derive(Parser)]
struct Args {
    /// Which measurement
    #[arg(default_value = "throttle", value_parser = ["throttle"])]
    what: String,
    /// Rows of the shop in the legacy
    #[arg(long, default_value_t = 300_000)]
    rows: u32,
    /// Requests per second; found out where it is not given
    #[arg(long)]
    rate: Option<u32>,
    /// Of a hundred requests that the machine can, so many are sent
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=95))]
    percent: u32,
    /// Courses of each kind
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    courses: u32,
    /// Windows with the copy in each course, and as many without
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    windows: u32,
    /// Seconds of a window
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// After shoppers began, and before they are counted.
const BEGIN: Duration = Duration::from_secs(3);
/// After the copy was paused or goes on, and before they are counted.
const SETTLE: Duration = Duration::from_millis(1_500);
/// A window in which the copy was ready sooner says nothing.
const SHORTEST: Duration = Duration::from_secs(2);
/// How long it is looked how many requests the machine can answer.
const FIND_OUT: Duration = Duration::from_secs(6);

fn main() -> ExitCode {
    // The children of the measurement are this very program.
    let given: Vec<String> = std::env::args().skip(1).collect();
    if which::is_other(&given, "throttle") {
        return ExitCode::SUCCESS;
    }
    if let Some("serving" | "legacy") = given.first().map(String::as_str) {
        return baliklayar::run();
    }
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throttle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    kios::server_is_named()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Figures::default();
        let mut rate = args.rate;
        for at in 0..2 * args.courses {
            // With, without, without, with: what changes in the machine meanwhile is in both.
            let arm = if matches!(at % 4, 0 | 3) { Arm::With } else { Arm::Without };
            let course = course(args, arm, &mut rate).await.with_context(|| arm.name())?;
            eprintln!("{}, load {}", course.to_text(), load_average());
            figures.courses.push(course);
        }
        print(&figures.to_text(args.rows, rate.unwrap_or(0)));
        let missed = figures.missed();
        anyhow::ensure!(missed.is_empty(), "{}", missed.join("; "));
        Ok(())
    })
}

/// A shop, seen for a while as it is, and then while it is copied.
async fn course(args: &Args, arm: Arm, rate: &mut Option<u32>) -> Result<Course> {
    let stage = Stage::set(args.rows, arm == Arm::With).await?;
    let products = stage.products().await?;
    let rate = match *rate {
        Some(rate) => rate,
        None => {
            let most = shoppers::most(stage.seam(), products.clone(), FIND_OUT).await?;
            let found = (most * args.percent / 100).max(1);
            eprintln!("{most} requests/s can be answered; {found} are sent");
            *rate.insert(found)
        }
    };
    let shoppers = Shoppers::start(stage.seam(), products, rate);
    stage.wish(Verb::Pause).await?;
    stage.wish(Verb::Start).await?;
    tokio::time::sleep(BEGIN).await;
    let mut windows = Vec::new();
    for _ in 0..args.windows {
        let quiet = window(&stage, &shoppers, args.seconds).await?;
        stage.wish(Verb::Resume).await?;
        let copied = window(&stage, &shoppers, args.seconds).await?;
        if copied.lasted < SHORTEST {
            break;
        }
        windows.push(Pair { quiet, copied, progress: stage.progress().await? });
        stage.wish(Verb::Pause).await?;
    }
    shoppers.end().await;
    stage.end().await;
    anyhow::ensure!(!windows.is_empty(), "the copy was over before anything was seen: more --rows are needed");
    Ok(Course { arm, windows })
}

/// What shoppers wait from now on, for so long or until the shop is ready; and what the copy gets done meanwhile, as long as
/// it copies and derives.
async fn window(stage: &Stage, shoppers: &Shoppers, seconds: u64) -> Result<Window> {
    tokio::time::sleep(SETTLE).await;
    shoppers.forget();
    let (begun, before) = (Instant::now(), stage.worked()?);
    let (mut copying, mut state) = (Duration::ZERO, stage.state().await?);
    while begun.elapsed() < Duration::from_secs(seconds) && state != "ready" {
        tokio::time::sleep(stage::LOOK).await;
        state = stage.state().await?;
        if state == "copying" {
            copying = begun.elapsed();
        }
    }
    let (lasted, seen) = (begun.elapsed(), shoppers.forget());
    Ok(Window { seen, lasted, copying, worked: stage.worked()? - before })
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn print(text: &str) {
    println!("{text}");
}
