//! What the seam costs, beside nginx: `cargo bench -p benches -- seam`.
//!
//! One owner that does nothing, in front of it nginx with `proxy_pass` and the product's serving process with the routes
//! of twenty shops. `wrk` asks the owner directly, through nginx and through the seam, one after the other, in rounds
//! that alternate which of the two comes first; a figure is the median of its rounds. The proxies have one processor for
//! themselves and the rest the other, so that a proxy's throughput is what one processor gives; then all share both.
//! Exit 1 if a request failed. Absent on purpose: a verdict on the figures.

#[path = "../children.rs"]
mod children;
mod figures;
mod nginx;
mod owner;
mod used;
#[path = "../which.rs"]
mod which;
mod wrk;

use anyhow::{Context, Result};
use children::{end, free_ports, load_average, until_ready};
use clap::Parser;
use figures::{Case, Measured, Target};
use nginx::Nginx;
use std::process::ExitCode;
use store::Store;
use tokio::process::{Child, Command};
use vocab::id::ShopId;
use wrk::{Call, Load};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the seam's cost against nginx.
#[derive(Parser)]
struct Args {
    /// Which measurement
    #[arg(default_value = "seam", value_parser = ["seam"])]
    what: String,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Seconds of one run; a round has three runs per call
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Only the case in which a proxy has one processor for itself and is kept busy
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Shops in the route table.
const SHOPS: u32 = 20;

/// Who has which processors, and how many clients ask at once.
struct Setting {
    name: &'static str,
    proxy: &'static str,
    rest: &'static str,
    workers: u32,
    clients: u32,
}

const SETTINGS: [Setting; 3] = [
    Setting { name: "one processor, busy", proxy: "0", rest: "1", workers: 1, clients: 32 },
    Setting { name: "one processor, one client", proxy: "0", rest: "1", workers: 1, clients: 1 },
    Setting { name: "two processors, shared", proxy: "0,1", rest: "0,1", workers: 2, clients: 32 },
];

fn main() -> ExitCode {
    // The children of the measurement are this very program.
    let given: Vec<String> = std::env::args().skip(1).collect();
    if which::is_other(&given, "seam") {
        return ExitCode::SUCCESS;
    }
    let how = match given.first().map(String::as_str) {
        Some("serving") => return baliklayar::run(),
        Some("owner") => owner::run(&given[1..]),
        Some(_) | None => measure(&Args::parse()),
    };
    match how {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seam: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        print(&figures::heading());
        let mut verdicts = Vec::new();
        for setting in SETTINGS.iter().take(if args.quick { 1 } else { SETTINGS.len() }) {
            let stage = Stage::set(setting).await?;
            for call in Call::ALL {
                let case = case(args, setting, &stage, call).await;
                let case = case.with_context(|| format!("{}, {}", setting.name, call.name()))?;
                print(&case.to_text());
                verdicts.push(case.verdict());
            }
            stage.end().await?;
        }
        print(&verdicts.join("; "));
        Ok(())
    })
}

/// Rounds of runs, each target once per round.
async fn case(args: &Args, setting: &Setting, stage: &Stage, call: Call) -> Result<Case> {
    let mut case = Case::new(setting.name, call.name());
    let load = |seconds| Load { clients: setting.clients, seconds, processors: setting.rest };
    for target in Target::ALL {
        // Connections, caches, pools: what a run finds the first time is not measured.
        wrk::run(stage.folder.path(), call, stage.port(target), load(1)).await?;
    }
    for round in 0..args.rounds {
        for target in Target::in_round(round) {
            let before = stage.used(target)?;
            let run = wrk::run(stage.folder.path(), call, stage.port(target), load(args.seconds)).await?;
            let processor_us = stage.used(target)? - before;
            case.add(target, Measured { run, processor_us, memory_kib: stage.memory(target)? });
        }
        eprintln!("{}, {}: round {} of {}, load {}", setting.name, call.name(), round + 1, args.rounds, load_average());
    }
    Ok(case)
}

/// An owner and two proxies in front of it.
struct Stage {
    folder: tempfile::TempDir,
    owner: Child,
    nginx: Nginx,
    serving: Child,
    ports: [u16; 3],
}

impl Stage {
    async fn set(setting: &Setting) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [owner_port, nginx_port, seam_port, backend_port] = free_ports()?;
        let owner = until_ready(this(setting.rest, &["owner", &owner_port.to_string()])?, "owner").await?;
        let nginx = Nginx::start(nginx_port, owner_port, setting.workers, setting.proxy).await?;
        let store = Store::open(folder.path()).context("opening the store")?;
        let shops = (1..=SHOPS).map(|shop| ShopId::parse(&shop.to_string())).collect::<Result<Vec<_>, _>>()?;
        store.create_heads(&shops).await?;
        let work = folder.path().display().to_string();
        let (seam, backend) = (seam_port.to_string(), backend_port.to_string());
        let legacy = format!("127.0.0.1:{owner_port}");
        let mut args = vec!["serving", "--work", &work, "--seam-port", &seam, "--backend-port", &backend];
        args.extend(["--legacy", &legacy, "--host-key", "host", "--seller-key", "seller"]);
        let serving = until_ready(this(setting.proxy, &args)?, "serving").await?;
        Ok(Self { folder, owner, nginx, serving, ports: [owner_port, nginx_port, seam_port] })
    }

    const fn port(&self, target: Target) -> u16 {
        let [direct, nginx, seam] = self.ports;
        match target {
            Target::Direct => direct,
            Target::Nginx => nginx,
            Target::Seam => seam,
        }
    }

    fn pid(&self, target: Target) -> Result<u32> {
        let pid = match target {
            Target::Direct => self.owner.id(),
            Target::Nginx => self.nginx.pid(),
            Target::Seam => self.serving.id(),
        };
        pid.with_context(|| format!("{} has ended", target.name()))
    }

    fn used(&self, target: Target) -> Result<u64> {
        used::processor_us(self.pid(target)?)
    }

    fn memory(&self, target: Target) -> Result<u64> {
        used::memory_kib(self.pid(target)?)
    }

    async fn end(self) -> Result<()> {
        end(self.serving).await;
        self.nginx.end().await?;
        end(self.owner).await;
        Ok(())
    }
}

/// This program in another part, on these processors.
fn this(processors: &str, args: &[&str]) -> Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", processors]).arg(std::env::current_exe()?).args(args);
    Ok(command)
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn print(text: &str) {
    println!("{text}");
}
