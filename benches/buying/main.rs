//! What buying costs: complete checkouts, a flash sale and reads of the catalogue, over HTTP and durable, on both stores:
//! `cargo bench -p benches -- checkout|flash|reads`.
//!
//! What is measured is the serving process as it is released, asked at the backend's own port, over a file of SQLite or a
//! database of the PostgreSQL server that `BALIK_TEST_POSTGRES` names. Its shops were born there: no legacy runs, no shop
//! moves. Buyers are in this process. Beside each figure stands its ceiling, a bare loop with the database's driver that
//! writes or reads the same rows, in the same run.
//! Exit 1 if a request failed, or the store has not exactly what the buyers were told. Absent on purpose: a verdict on the
//! figures. They depend on the machine and on what else it does; whoever prints them says so.

mod bare;
mod buyers;
mod checkout;
#[path = "../children.rs"]
mod children;
mod figures;
mod flash;
#[path = "../kios.rs"]
#[expect(dead_code, reason = "no legacy runs here, and nothing is planned")]
mod kios;
#[path = "../people.rs"]
#[expect(dead_code, reason = "buyers come as fast as they are served")]
mod people;
mod place;
mod reads;
#[path = "../moving/resources.rs"]
#[expect(dead_code, reason = "memory and children are nobody's question here")]
mod resources;
mod shops;
mod stage;
#[path = "../moving/table.rs"]
#[expect(dead_code, reason = "nothing takes seconds here")]
mod table;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use place::Engine;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what buying costs, on SQLite and on PostgreSQL, against a bare loop with the driver.
#[derive(Parser)]
pub struct Args {
    /// Which measurement
    what: What,
    /// Where the store is
    #[arg(long, value_delimiter = ',', default_values = ["sqlite", "postgres"])]
    stores: Vec<Engine>,
    /// checkout: buyers at once, one case each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64], value_parser = clap::value_parser!(u32).range(1..=1000))]
    buyers: Vec<u32>,
    /// checkout: shops among which they choose
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100))]
    shops: u32,
    /// flash: buyers at once where there is enough for all
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    crowd: u32,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// The most of one round
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// No round begins anything after so many seconds
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// One round of a second, and of 1,000 at most
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Checkout,
    Flash,
    Reads,
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match given.first().map(String::as_str) {
        // What is measured is this very program.
        Some("serving") => return baliklayar::run(),
        Some("checkout" | "flash" | "reads") => {}
        // `cargo bench` runs every bench of the package; each takes what is its own.
        Some(name) if !name.starts_with('-') => return ExitCode::SUCCESS,
        Some("--help" | "-h") => {}
        Some(_) | None => return ExitCode::SUCCESS,
    }
    match measure(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(mut args: Args) -> Result<()> {
    if args.quick {
        (args.rounds, args.seconds, args.count) = (1, 1, args.count.min(1_000));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        print(&machine()?);
        match args.what {
            What::Checkout => checkout::measure(&args).await,
            What::Flash => flash::measure(&args).await,
            What::Reads => reads::measure(&args).await,
        }
    })
}

/// On what it runs, and how fast its disk is.
fn machine() -> Result<String> {
    let processors = std::thread::available_parallelism()?;
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let syncs = syncs_per_second()?;
    Ok(format!(
        "{processors} processors ({model}), load {}, {syncs} fdatasync/s of 4 KiB appended\n",
        children::load_average()
    ))
}

/// How long that is tried.
const SYNCING: Duration = Duration::from_secs(1);

fn syncs_per_second() -> Result<u64> {
    let mut file = tempfile::tempfile()?;
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < SYNCING {
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(table::per_second(count, begun.elapsed()))
}

#[expect(clippy::print_stdout, reason = "the figures")]
pub fn print(text: &str) {
    println!("{text}");
}
