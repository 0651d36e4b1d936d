//! How fast a shop is copied, and how fast its changes are applied: `cargo bench -p benches -- copy|apply`.
//!
//! Beside each figure of ours stands what people would use instead, in the same run on the same tables: `pgcopydb` and
//! a COPY pipe for the copy, PostgreSQL's own logical subscription for the changes. PostgreSQL is the server that
//! `BALIK_TEST_POSTGRES` names, on this machine; ours is the serving process as it is released.
//! Exit 1 if something did not come to its end or did not match. Absent on purpose: a verdict on the figures. They
//! depend on the machine and on what else it does; whoever prints them says so.

mod apply;
mod bare;
#[path = "../children.rs"]
#[expect(dead_code, reason = "nobody here listens, so no port is looked for")]
mod children;
mod copy;
#[path = "../kios.rs"]
#[expect(dead_code, reason = "no legacy runs here, only its tables are there")]
mod kios;
mod resources;
mod rivals;
mod rows;
mod serving;
mod table;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures copy and apply against what PostgreSQL's own tools do, on PostgreSQL.
#[derive(Parser)]
pub struct Args {
    /// Which measurement
    what: What,
    /// copy: orders of the shop, one case each; 2,000,000 take some ten minutes and 16 GB
    #[arg(long, value_delimiter = ',', default_values_t = [500_000])]
    orders: Vec<u32>,
    /// apply: rows inserted, and rows updated, in transactions of 1,000; a twentieth of them one by one
    #[arg(long, default_value_t = 400_000)]
    changes: u32,
    /// apply: seconds at half of the measured rate
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// copy: only these; a rate is compared with pgcopydb's of the same run
    #[arg(long, value_delimiter = ',', default_values = ["pgcopydb", "pipe", "ours"])]
    only: Vec<copy::Rival>,
    /// copy: takes the orders from this database of the server, which is filled first where it does not exist
    #[arg(long)]
    prepared: Option<String>,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Copy,
    Apply,
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match given.first().map(String::as_str) {
        // The children of the measurement are this very program.
        Some("serving" | "legacy") => return baliklayar::run(),
        Some("copy" | "apply") => {}
        // `cargo bench` runs every bench of the package; each takes what is its own.
        Some(name) if !name.starts_with('-') => return ExitCode::SUCCESS,
        Some("--help" | "-h") => {}
        Some(_) | None => return ExitCode::SUCCESS,
    }
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    kios::server_is_named()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match args.what {
            What::Copy => copy::measure(args).await,
            What::Apply => apply::measure(args).await,
        }
    })
}

#[expect(clippy::print_stdout, reason = "the figures")]
pub fn print(text: &str) {
    println!("{text}");
}
