//! Baliklayar: runs a shop behind somebody else's screen, moves live shops there, and shows that it did.
//!
//! The assembly: every other crate is put together here. A library, so that tests can assemble the same parts in one
//! process; the executable only calls [`run`].

mod backup;
mod count;
mod demo;
mod duty;
mod exit;
mod holds;
pub mod letters;
pub mod link;
mod metrics;
mod moving;
pub mod seed;
mod serve;
pub mod serving;
pub mod sides;
pub mod way_back;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// A commerce backend behind a host app's screen, and the tool that moves a live shop into it.
#[derive(Parser)]
#[command(version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A legacy with people buying in it is moved while they do; about a minute
    Demo(Box<demo::Args>),
    /// Plan, begin, watch and steer the move of a legacy's shops
    Move(moving::Args),
    /// Serve shops: with a settings file, or a sandbox to try out
    Serve(serve::Args),
    /// Copy the store into a new folder; whoever serves goes on meanwhile
    Backup(backup::BackupArgs),
    /// Make a store of a backup
    Restore(backup::RestoreArgs),
    /// The serving process of the demo
    #[command(hide = true)]
    Serving(serving::child::Args),
    /// The demo's legacy shop program
    #[command(hide = true, disable_help_flag = true)]
    Legacy {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The demo's host app
    #[command(hide = true, disable_help_flag = true)]
    Host {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The demo's payment provider
    #[command(hide = true, disable_help_flag = true)]
    Provider {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// The demo's shoppers and oracle
    #[command(hide = true, disable_help_flag = true)]
    Shoppers {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Runs what the command line asks for and says how the process should end.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("baliklayar: no runtime: {error}");
            return Exit::Environment.code();
        }
    };
    match runtime.block_on(perform(cli.command)) {
        Ok(exit) => exit.code(),
        Err(error) => {
            eprintln!("baliklayar: {error:#}");
            Exit::Environment.code()
        }
    }
}

/// To standard error; a line of JSON for each where `BALIK_LOG_FORMAT` says so.
fn log() {
    let level = std::env::var("BALIK_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::WARN);
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    if std::env::var_os("BALIK_LOG_FORMAT").is_some_and(|format| format == "json") {
        log.json().flatten_event(true).init();
    } else {
        log.init();
    }
}

async fn perform(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(*args)).await,
        Command::Move(args) => moving::run(args).await,
        Command::Serve(args) => Box::pin(serve::run(args)).await,
        Command::Backup(args) => backup::back_up(args).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Serving(args) => serving::child::run(args).await.map(|()| Exit::Clean),
        Command::Legacy { args } => in_thread(move || demo_legacy::run(args)).await,
        Command::Host { args } => in_thread(move || demo_host::run(args)).await,
        Command::Provider { args } => in_thread(move || demo_provider::run(args)).await,
        Command::Shoppers { args } => in_thread(move || demo_shoppers::run(args)).await,
    }
}

/// In lower case.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prints what was asked for. Whoever has stopped reading has seen enough.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The legacy, the host app, the provider and the shoppers are programs of their own, with runtimes of their own.
async fn in_thread(program: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> anyhow::Result<Exit> {
    tokio::task::spawn_blocking(program).await??;
    Ok(Exit::Clean)
}
