//! Baliklayar: runs a shop behind somebody else's screen, moves live shops there, and shows that it did.
//!
//! The assembly: every other crate is put together here. A library, so that tests can assemble the same parts in one
//! process; the executable only calls [`run`].

mod count;
mod demo;
mod duty;
mod exit;
mod holds;
pub mod letters;
pub mod link;
mod moving;
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
    /// The serving process of the demo
    #[command(hide = true)]
    Serving(serving::Args),
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
    let level = std::env::var("BALIK_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::WARN);
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).init();
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

async fn perform(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => Box::pin(demo::run(*args)).await,
        Command::Move(args) => moving::run(args).await,
        Command::Serving(args) => serving::run(args).await.map(|()| Exit::Clean),
        Command::Legacy { args } => in_thread(move || demo_legacy::run(args)).await,
        Command::Host { args } => in_thread(move || demo_host::run(args)).await,
        Command::Provider { args } => in_thread(move || demo_provider::run(args)).await,
        Command::Shoppers { args } => in_thread(move || demo_shoppers::run(args)).await,
    }
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
