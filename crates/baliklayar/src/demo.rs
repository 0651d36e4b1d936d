//! The demo: a legacy shop program with people buying in it, moved into the backend while they do.
//!
//! This process supervises; what it starts are processes of their own: the legacy, serving (seam, backend, mover: the
//! one that may be killed, and is started again at once), and the shoppers with their oracle. It steers by wishes and
//! knows of the move only what the store says.

mod children;
mod fault;
mod postgres;
mod report;
mod serving_watch;
mod shoppers;
mod story;

use crate::exit::Exit;
use anyhow::{Context, Result};
use children::Process;
use fault::Fault;
use postgres::Server;
use serving_watch::Serving;
use shoppers::Shoppers;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Plan, PlanFile, PlannedShop, Store};
use story::{Story, Told};
use vocab::id::{Part, ShopId};

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
    /// Requests per second at a shop that is about to move, half of them writes
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
    /// Leave everything running until interrupted
    #[arg(long)]
    keep: bool,
    /// Start everything and move nothing: `move --work DIR` does
    #[arg(long)]
    manual: bool,
    /// Write the report as JSON to this file, or to standard output (`-`)
    #[arg(long)]
    json: Option<String>,
    /// Seed a fault; the run is then not clean and names who noticed
    #[arg(long)]
    fault: Option<String>,
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
    pub fn new(what: impl Into<String>) -> anyhow::Error {
        Self(what.into()).into()
    }
}

/// The mapping files of the demo's legacy, with the control totals that stand beside each.
const KIOS: [(&str, &str); 2] = [
    ("kios.toml", include_str!("../../../demo/legacy/mapping/kios.toml")),
    ("kios.totals.toml", include_str!("../../../demo/legacy/mapping/kios.totals.toml")),
];
const ARSIP: [(&str, &str); 2] = [
    ("arsip.toml", include_str!("../../../demo/legacy/mapping/arsip.toml")),
    ("arsip.totals.toml", include_str!("../../../demo/legacy/mapping/arsip.totals.toml")),
];
/// The shop that has the real history.
const ARCHIVE_SHOP: &str = "900";
/// A loading of the history, a copy of a large shop: longer than anything is waited for elsewhere.
const LEGACY_READY_MAX: Duration = Duration::from_secs(300);

/// Runs the demo and says how the process should end.
pub async fn run(args: Args) -> Result<Exit> {
    if args.list_crash_points {
        return list(crash::points().map(|point| point.to_string()));
    }
    if args.list_faults {
        return list(Fault::ALL.iter().map(|fault| format!("{:22} {}", fault.name(), fault.detectors())));
    }
    let fault = args.fault.as_deref().map(Fault::parse).transpose()?;
    eprintln!(
        "baliklayar demo: {} shops, {} shoppers, seed {}, legacy on {}",
        args.shops,
        args.shoppers,
        args.seed,
        args.source.name()
    );
    let work = Work::open(args.work.as_deref())?;
    let stage = match Stage::set(&args, &work, fault).await {
        Ok(stage) => stage,
        Err(error) if error.downcast_ref::<mapping_refused::Refused>().is_some() => {
            return report::refused(&args, &error).await;
        }
        Err(error) => return Err(error),
    };
    stage.play(&args, fault).await
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn list(lines: impl Iterator<Item = String>) -> Result<Exit> {
    for line in lines {
        println!("{line}");
    }
    Ok(Exit::Clean)
}

/// A plan whose mapping does not compile is an outcome of the demo (a column was dropped), not a failure of the world.
mod mapping_refused {
    #[derive(Debug, thiserror::Error)]
    #[error("the mapping is refused:\n{0}")]
    pub struct Refused(pub String);
}

/// The work folder; a temporary one is deleted at the end.
struct Work {
    folder: PathBuf,
    temporary: bool,
}

impl Work {
    fn open(wished: Option<&Path>) -> Result<Self> {
        let (folder, temporary) = match wished {
            Some(folder) => (folder.to_owned(), false),
            None => (std::env::temp_dir().join(format!("baliklayar-demo-{}", std::process::id())), true),
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self { folder: folder.canonicalize()?, temporary })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Ports of the demo's parts.
#[derive(Debug, Clone, Copy)]
struct Ports {
    seam: u16,
    backend: u16,
    legacy: u16,
    postgres: u16,
}

impl Ports {
    fn from(base: u16) -> Result<Self> {
        if base != 0 {
            let at = |offset: u16| base.checked_add(offset).ok_or_else(|| Missing::new("--port is too high"));
            return Ok(Self { seam: base, backend: at(3)?, legacy: at(4)?, postgres: at(9)? });
        }
        // Held all at once, so that they are four different ones; free again a moment before they are needed.
        let held: Vec<TcpListener> =
            (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<std::io::Result<_>>()?;
        let port = |at: usize| Ok::<_, anyhow::Error>(held[at].local_addr()?.port());
        Ok(Self { seam: port(0)?, backend: port(1)?, legacy: port(2)?, postgres: port(3)? })
    }
}

/// Everything that runs.
struct Stage {
    folder: PathBuf,
    store: Store,
    shops: Vec<ShopId>,
    server: Option<Server>,
    legacy: Process,
    serving: Serving,
    shoppers: Shoppers,
    legacy_url: String,
}

impl Stage {
    async fn set(args: &Args, work: &Work, fault: Option<Fault>) -> Result<Self> {
        let folder = work.folder.clone();
        let ports = Ports::from(args.port)?;
        let keys = Keys::fresh(args.seed);
        let (server, program_url, mover_url) = match args.source {
            Engine::Sqlite => {
                let url = format!("sqlite:{}", folder.join("legacy.sqlite").display());
                (None, url.clone(), url)
            }
            Engine::Postgres => {
                let at = std::env::temp_dir().join(format!("baliklayar-postgres-{}", std::process::id()));
                let server = Server::start(&at, ports.postgres).await?;
                let (program, mover) = (server.legacy_url(), server.mover_url());
                (Some(server), program, mover)
            }
        };
        let legacy = start_legacy(args, ports, &program_url, &keys).await?;
        let store = Store::open(&folder).context("opening the store")?;
        let plan = plan(args, &mover_url, fault)?;
        mover::compile(&plan).map_err(|error| mapping_refused::Refused(error.to_string()))?;
        let shops: Vec<ShopId> = plan.shops.iter().map(|planned| planned.shop.clone()).collect();
        store.create_heads(&shops).await?;
        if store.plan().await?.is_none() && !args.manual {
            store.set_plan(&plan).await?;
        }
        let serving_args = serving_args(args, &folder, ports, fault);
        let serving = Serving::start(serving_args, keys.clone(), folder.clone()).await?;
        write_files(&folder, &plan)?;
        let addresses = serving_watch::Addresses { ports, keys, legacy: mover_url.clone(), legacy_pid: legacy.pid() };
        serving.publish(addresses).await?;
        let shoppers = Shoppers::start(&shopper_args(args, &folder, &shops)).await?;
        serving.shoppers_are(shoppers.pid());
        eprintln!(
            "ready: host apps at http://127.0.0.1:{}, addresses in {}",
            ports.seam,
            folder.join("addresses.json").display()
        );
        Ok(Self { folder, store, shops, server, legacy, serving, shoppers, legacy_url: mover_url })
    }

    async fn play(mut self, args: &Args, fault: Option<Fault>) -> Result<Exit> {
        let told = tokio::select! {
            told = self.story(args, fault) => told?,
            _ = tokio::signal::ctrl_c() => {
                self.end().await;
                return Ok(Exit::Interrupted);
            }
        };
        let Self { folder, store, shops, server, legacy, serving, shoppers, .. } = self;
        let said = shoppers.finish().await?;
        let found = report::Found { args, store: &store, shops: &shops, told: &told, said: &said, fault };
        let report = report::assemble(&found).await?;
        let exit = report::show(args, &report)?;
        if args.keep {
            eprintln!("everything keeps running; ctrl-c ends it ({})", folder.display());
            tokio::signal::ctrl_c().await?;
        }
        serving.end().await;
        legacy.end().await;
        if let Some(server) = server {
            server.stop().await;
        }
        Ok(exit)
    }

    async fn story(&mut self, args: &Args, fault: Option<Fault>) -> Result<Told> {
        if args.manual {
            return self.wait_for_operator(args).await;
        }
        let tampering =
            fault.map(|fault| fault.tamper(self.folder.clone(), self.legacy_url.clone(), self.shops.clone()));
        let mut story =
            Story { store: &self.store, shops: &self.shops, seconds: args.seconds, shoppers: &mut self.shoppers };
        let told = match tampering {
            None => story.tell().await?,
            Some(tampering) => {
                let watching = tokio::spawn(tampering);
                let told = story.tell().await?;
                let refused_by = watching.await.context("seeding the fault")??;
                Told { refused_by, ..told }
            }
        };
        Ok(told)
    }

    /// An operator moves; the demo only serves until its time is over.
    async fn wait_for_operator(&mut self, args: &Args) -> Result<Told> {
        eprintln!("nothing moves by itself: `baliklayar move plan --work {}` begins", self.folder.display());
        tokio::time::sleep(Duration::from_secs(args.seconds)).await;
        Ok(Told::default())
    }

    async fn end(self) {
        self.serving.end().await;
        self.legacy.end().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}

/// Bearer keys of host and seller, of this run only.
#[derive(Debug, Clone)]
struct Keys {
    host: String,
    seller: String,
}

impl Keys {
    /// The keys guard nothing but a demo on loopback; derived from the seed so that a resumed run has the same.
    fn fresh(seed: u64) -> Self {
        let key = |what: &str| {
            let digest =
                ring::digest::digest(&ring::digest::SHA256, format!("baliklayar-demo/{what}/{seed}").as_bytes());
            digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        Self { host: key("host"), seller: key("seller") }
    }
}

async fn start_legacy(args: &Args, ports: Ports, url: &str, keys: &Keys) -> Result<Process> {
    let mut legacy_args: Vec<String> = ["--database", url, "--init"].map(str::to_owned).to_vec();
    for (flag, value) in [
        ("--port", ports.legacy.to_string()),
        ("--seed", args.seed.to_string()),
        ("--shops", args.shops.to_string()),
        ("--host-key", keys.host.clone()),
        ("--seller-key", keys.seller.clone()),
    ] {
        legacy_args.extend([flag.to_owned(), value]);
    }
    if let Some(data) = &args.data {
        let history = data.join("uci_online_retail/online_retail.csv.zst");
        if !history.exists() {
            return Err(Missing::new(format!("--data {}: there is no {}", data.display(), history.display())));
        }
        legacy_args.extend(["--data".to_owned(), data.display().to_string()]);
    }
    let mut legacy = Process::start("legacy", &legacy_args, &[])?;
    legacy.wait_for(LEGACY_READY_MAX, |line| line.trim() == "ready").await?;
    Ok(legacy)
}

fn serving_args(args: &Args, folder: &Path, ports: Ports, fault: Option<Fault>) -> Vec<String> {
    let mut serving = Vec::new();
    for (flag, value) in [
        ("--work", folder.display().to_string()),
        ("--seam-port", ports.seam.to_string()),
        ("--backend-port", ports.backend.to_string()),
        ("--legacy", format!("127.0.0.1:{}", ports.legacy)),
    ] {
        serving.extend([flag.to_owned(), value]);
    }
    for without in &args.without {
        serving.extend(["--without".to_owned(), without.clone()]);
    }
    if let Some(fault) = fault.and_then(Fault::of_import) {
        serving.extend(["--fault".to_owned(), fault.name().to_owned()]);
    }
    serving
}

fn shopper_args(args: &Args, folder: &Path, shops: &[ShopId]) -> Vec<String> {
    let shops: Vec<&str> = shops.iter().map(ShopId::as_str).collect();
    let mut shoppers = Vec::new();
    for (flag, value) in [
        ("--addresses", folder.join("addresses.json").display().to_string()),
        ("--shops", shops.join(",")),
        ("--shoppers", args.shoppers.to_string()),
        ("--rate", args.rate.to_string()),
        ("--surge", args.surge.to_string()),
        ("--seed", args.seed.to_string()),
        ("--journal", folder.join("journal.jsonl").display().to_string()),
    ] {
        shoppers.extend([flag.to_owned(), value]);
    }
    for without in &args.without {
        shoppers.extend(["--without".to_owned(), without.clone()]);
    }
    shoppers
}

/// The plan of the demo: every shop, every part, equal weights.
fn plan(args: &Args, source: &str, fault: Option<Fault>) -> Result<Plan> {
    let mut files: Vec<(&str, String)> = Vec::new();
    let archives: &[(&str, &str)] = if args.data.is_some() { &ARSIP } else { &[] };
    for (name, text) in KIOS.iter().chain(archives) {
        files.push((name, fault.map_or_else(|| (*text).to_owned(), |fault| fault.mapping(name, text, &args.without))));
    }
    let (totals, mappings): (Vec<_>, Vec<_>) = files
        .into_iter()
        .map(|(name, text)| PlanFile { name: name.to_owned(), text })
        .partition(|file| file.name.ends_with(".totals.toml"));
    let mut shops: Vec<String> = (1..=args.shops).map(|shop| shop.to_string()).collect();
    if args.data.is_some() {
        shops.push(ARCHIVE_SHOP.to_owned());
    }
    let planned = shops.iter().map(|shop| Ok(PlannedShop { shop: ShopId::parse(shop)?, parts: Part::ALL.to_vec() }));
    Ok(Plan {
        source: source.to_owned(),
        mappings,
        totals,
        policy: match args.source {
            Engine::Postgres => "role = 'kios'\n".to_owned(),
            Engine::Sqlite => String::new(),
        },
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: planned.collect::<Result<_>>()?,
        deadline: None,
        created_at: (crate::serving::clock())(),
    })
}

/// The mapping files, for whoever wants to read or plan with them.
fn write_files(folder: &Path, plan: &Plan) -> Result<()> {
    let folder = folder.join("mapping");
    std::fs::create_dir_all(&folder)?;
    for file in plan.mappings.iter().chain(&plan.totals) {
        std::fs::write(folder.join(&file.name), &file.text)?;
    }
    Ok(())
}
