//! The demo's public: shoppers who buy through the seam, and the oracle who remembers every answer they got.
//!
//! One process, apart from everything that is killed. It knows shops only as HTTP, and as the tables of two
//! databases that it reads with SQL of its own; no crate of the product is among its dependencies, so that what
//! it finds wrong cannot be wrong in the same way on both sides.

mod addresses;
mod arithmetic;
mod charges;
mod check;
mod client;
mod closing;
mod database;
mod findings;
mod heard;
mod histogram;
mod journal;
mod judge;
mod later;
mod line;
mod memory;
mod options;
mod oracle;
mod payers;
mod people;
mod plan;
mod prng;
mod resolve;
mod seen;
mod series;
mod session;
mod shopper;
mod tally;
mod traffic;
mod truth;
mod world;

use options::Options;
use std::io::Write;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::task::LocalSet;

/// Runs as a process of its own: lines from stdin, lines to stdout, until `finish` or the end of stdin.
///
/// # Errors
/// Flags that are none, a legacy database that cannot be read, a seam that shows no shelf, a journal that cannot be
/// written. What the shops do wrong is no error: it stands in the report.
pub fn run(args: Vec<String>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut output = std::io::stdout();
    let outcome = runtime.block_on(run_on(&args, BufReader::new(tokio::io::stdin()), &mut output));
    // Reading stdin blocks a thread for as long as the supervisor lives; it is not waited for.
    runtime.shutdown_background();
    outcome
}

/// The same over any lines, on the current thread: for tests.
///
/// # Errors
/// As [`run`].
pub async fn run_on(args: &[String], input: impl AsyncBufRead + Unpin, output: &mut dyn Write) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    LocalSet::new().run_until(session::run(options, input, output)).await
}
