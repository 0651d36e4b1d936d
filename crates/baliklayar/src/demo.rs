//! The demo: a legacy shop program with people buying in it, moved into the backend while they do.
//!
//! This process supervises; what it starts are processes of their own: the legacy, serving (seam, backend, mover: the
//! one that may be killed, and is started again at once), and the shoppers with their oracle. It steers by wishes and
//! knows of the move only what the store says.

pub mod cast;
mod children;
mod fault;
mod patience;
mod planned;
mod postgres;
mod report;
mod rush;
mod serving_watch;
mod shoppers;
mod stage;
mod story;

use crate::exit::Exit;
use anyhow::{Context, Result};
use fault::Fault;
use stage::Stage;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How the demo is asked for.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Shops in the legacy
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    shops: u32,
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    shoppers: u32,
    /// Requests per second, over all shops
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5000))]
    rate: u32,
    /// Requests per second at the shops that are about to move, half of them writes
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=5000))]
    surge: u32,
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    #[arg(long, env = "BALIK_SEED", default_value_t = 1)]
    seed: u64,
    /// What the legacy keeps its rows in
    #[arg(long, default_value = "sqlite")]
    source: Engine,
    /// Folder with `uci_online_retail`: a real history for shop 900
    #[arg(long)]
    data: Option<PathBuf>,
    /// Keep everything in this folder, and go on from it after a kill
    #[arg(long, env = "BALIK_WORK")]
    work: Option<PathBuf>,
    /// First of the ports on 127.0.0.1; 0 takes free ones
    #[arg(long, default_value_t = 7400)]
    port: u16,
    /// Leave everything running until interrupted, and the last two shops unsealed
    #[arg(long)]
    keep: bool,
    /// Start everything and move nothing: `move --work DIR` does
    #[arg(long)]
    manual: bool,
    /// Write the report as JSON to this file, or to standard output (`-`)
    #[arg(long)]
    json: Option<String>,
    /// Seed a fault; the run is then not clean and names who noticed
    #[arg(long, value_parser = Fault::parse)]
    fault: Option<Fault>,
    /// Take a detector away
    #[arg(long)]
    without: Vec<String>,
    /// Print the faults that can be seeded, and who must name each
    #[arg(long)]
    list_faults: bool,
    /// Print the points at which BALIK_CRASH can kill serving
    #[arg(long)]
    list_crash_points: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// Something of the machine is missing; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Missing(String);

impl Missing {
    pub fn of(what: impl Into<String>) -> anyhow::Error {
        Self(what.into()).into()
    }
}

/// Runs the demo and says how the process should end.
pub async fn run(args: Args) -> Result<Exit> {
    if args.list_crash_points {
        return list(crash::points().map(|point| point.to_string()));
    }
    if args.list_faults {
        return list(Fault::ALL.iter().map(|fault| format!("{:22} {}", fault.name(), fault.detectors())));
    }
    let fault = args.fault;
    if let Some(path) = args.json.as_deref().filter(|path| *path != "-") {
        must_be_writable(path)?;
    }
    eprintln!(
        "baliklayar demo: {} shops, {} shoppers, seed {}, legacy on {}",
        args.shops,
        args.shoppers,
        args.seed,
        args.source.name()
    );
    let work = Work::open(args.work.as_deref(), "demo")?;
    let stage = match Stage::set(&args, &work, fault).await {
        Ok(stage) => stage,
        Err(error) if error.downcast_ref::<mapping_refused::Refused>().is_some() => {
            return report::refused(&args, &error).await;
        }
        Err(error) => return Err(error),
    };
    Box::pin(stage.play(&args, fault)).await
}

fn list(lines: impl Iterator<Item = String>) -> Result<Exit> {
    crate::print(&lines.collect::<Vec<_>>().join("\n"));
    Ok(Exit::Clean)
}

/// A report that cannot be written is better known before the minute than after it.
fn must_be_writable(path: &str) -> Result<()> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| Missing::of(format!("the report cannot be written to {path}: {error}")))
}

/// A plan whose mapping does not compile is an outcome of the demo (a column was dropped), not a failure of the world.
mod mapping_refused {
    #[derive(Debug, thiserror::Error)]
    #[error("the mapping is refused:\n{0}")]
    pub struct Refused(pub String);
}

/// The work folder; a temporary one is deleted at the end.
pub struct Work {
    folder: PathBuf,
    temporary: bool,
}

impl Work {
    /// The folder that was wished for, or a temporary one for this purpose.
    pub fn open(wished: Option<&Path>, purpose: &str) -> Result<Self> {
        let (folder, temporary) = match wished {
            Some(folder) => (folder.to_owned(), false),
            None => (std::env::temp_dir().join(format!("baliklayar-{purpose}-{}", std::process::id())), true),
        };
        // The shops' rows and keys are in it: it is for whoever runs this, and for nobody else.
        let mut make = std::fs::DirBuilder::new();
        // A temporary one is new: nobody else has made it before.
        make.recursive(!temporary).mode(0o700);
        make.create(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self { folder: folder.canonicalize()?, temporary })
    }
}

impl Work {
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
