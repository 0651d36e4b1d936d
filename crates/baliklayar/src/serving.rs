//! The serving process: seam, backend and mover, over one store.

use crate::link::Link;
use anyhow::{Context, Result};
use arc_swap::{ArcSwap, ArcSwapOption};
use cutover::state::State;
use mapping::Mapping;
use mover::{Links, Setup, Without};
use shop::Service;
use shop::ids::{IdPlan, Misfit};
use shop::rails::{Config, Loket};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use vocab::document::Record;
use vocab::id::{Kind, Minted, PublicId, ShopId, Side, Timestamp};

/// How the process is told to serve.
/// Keys are in it: this type does not print itself.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Folder of the store and the staged rows
    #[arg(long)]
    work: PathBuf,
    #[arg(long)]
    seam_port: u16,
    #[arg(long)]
    backend_port: u16,
    /// Where the console listens; there is none without it
    #[arg(long)]
    console_port: Option<u16>,
    /// host:port of the legacy program
    #[arg(long)]
    legacy: String,
    #[arg(long, env = "BALIK_HOST_KEY", hide_env_values = true)]
    host_key: String,
    #[arg(long, env = "BALIK_SELLER_KEY", hide_env_values = true)]
    seller_key: String,
    /// http://host:port of the payment provider's API; without it buyers can pay by the instant rail only
    #[arg(long)]
    provider: Option<String>,
    #[arg(long, env = "BALIK_PROVIDER_KEY", hide_env_values = true, default_value = "")]
    provider_key: String,
    /// What the provider signs notices with: the key, and behind a comma the one before while it is being replaced
    #[arg(long, env = "BALIK_PROVIDER_NOTICE_KEYS", hide_env_values = true, default_value = "")]
    provider_notice_keys: String,
    /// Detector to take away; tests and demo only
    #[arg(long)]
    without: Vec<String>,
    /// Seeded fault; tests and demo only
    #[arg(long)]
    fault: Option<String>,
}

/// How often carts are expired and interrupted payments are finished.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// The clock of this process.
pub fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(|| Timestamp(jiff::Timestamp::now().as_microsecond()))
}

/// Serves until standard input ends. Prints `ready` on standard output once it does.
pub async fn run(args: Args) -> Result<()> {
    if let Ok(point) = std::env::var("BALIK_CRASH") {
        crash::arm(&point).map_err(anyhow::Error::msg)?;
    }
    let store = Store::open(&args.work).context("opening the store")?;
    let mapping: Arc<ArcSwapOption<Mapping>> = Arc::default();
    // A shop may be the backend's already: its first request must find out where ids come from.
    let compiled = load_mapping(&store, &mapping).await;
    let sealed: Arc<ArcSwap<BTreeSet<ShopId>>> = Arc::default();
    let service = Service::new(store.clone(), id_plan(mapping.clone(), sealed.clone()), clock());
    let backend = listen(args.backend_port).await?;
    let seam = start_seam(&args, backend.local_addr()?).await?;
    let service = with_rail(service, &args, seam.address())?;
    let keys = api::Keys { host: args.host_key.clone(), seller: args.seller_key.clone() };
    let router = api::router(service.clone(), keys);
    let api = tokio::spawn(api::serve(backend, router, std::future::pending()));
    let console = start_console(args.console_port, store.clone()).await?;
    let link = Link::new(store.clone(), seam.handle(), service.clone());
    let (asks, answering) = link.answer_asks();
    let setup = Setup {
        store: store.clone(),
        work: args.work.clone(),
        links: Links::to(asks),
        clock: clock(),
        without: Without(args.without.iter().cloned().collect()),
        fault: args.fault.as_deref().map(mover::Fault::parse).transpose().map_err(anyhow::Error::msg)?,
        holder: format!("serving-{}", std::process::id()),
    };
    say_ready();
    tokio::select! {
        ended = api => ended.context("the backend ended")?.context("the backend ended")?,
        ended = console => ended?,
        () = answering => {}
        ended = link.push_routes() => ended?,
        ended = mover::run(setup) => ended.context("the mover ended")?,
        () = follow_plan(store.clone(), mapping, compiled) => {}
        () = service.work() => {}
        () = sweep(store, service.clone(), sealed) => {}
        () = stdin_ended() => {}
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the supervisor waits for this line")]
fn say_ready() {
    println!("ready");
}

async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| format!("port {port} of 127.0.0.1 is not free"))
}

async fn start_seam(args: &Args, backend: SocketAddr) -> Result<seam::Seam> {
    let listener = listen(args.seam_port).await?;
    let legacy = args.legacy.parse().context("--legacy is not host:port")?;
    let mut config = seam::Config::new(legacy, backend.to_string().parse()?);
    config.default_owner = Some(Side::Legacy);
    config.debug_headers = std::env::var_os("BALIK_DEBUG_HEADERS").is_some_and(|value| value == "1");
    seam::start(listener, config).context("starting the seam")
}

/// What providers call us by, and so what stands in payments for ever.
const ACCOUNT: &str = "loket";

/// The service with the provider that it was told of. Notices come through the seam, whoever owns a shop.
fn with_rail(service: Service, args: &Args, seam: SocketAddr) -> Result<Service> {
    let Some(api) = &args.provider else { return Ok(service) };
    let notice_keys: Vec<String> =
        args.provider_notice_keys.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    if args.provider_key.is_empty() || notice_keys.is_empty() {
        anyhow::bail!("--provider needs BALIK_PROVIDER_KEY and BALIK_PROVIDER_NOTICE_KEYS in the environment");
    }
    Ok(service.with_rail(Loket::new(Config {
        account: ACCOUNT.to_owned(),
        api: api.trim_end_matches('/').to_owned(),
        key: args.provider_key.clone(),
        notice_keys,
        notices_at: format!("http://{seam}/notices/{ACCOUNT}"),
    })))
}

/// Begins to serve the console, if it has a port. What comes back resolves only when it could not go on.
async fn start_console(port: Option<u16>, store: Store) -> Result<impl Future<Output = Result<()>>> {
    let listener = match port {
        Some(port) => Some(listen(port).await?),
        None => None,
    };
    let router = console::router(console::Console::seeing(store.clone(), clock(), crate::sides::reader(store)));
    Ok(async move {
        let Some(listener) = listener else { return std::future::pending().await };
        let serving = tokio::spawn(console::serve(listener, router, std::future::pending()));
        serving.await.context("the console ended")?.context("the console ended")
    })
}

/// Ids as the plan's mapping says; before there is a plan nothing is minted from blocks. A sealed shop goes back no more,
/// so that anything fits.
pub fn id_plan(mapping: Arc<ArcSwapOption<Mapping>>, sealed: Arc<ArcSwap<BTreeSet<ShopId>>>) -> IdPlan {
    let (tables, origins, columns, rules) = (mapping.clone(), mapping.clone(), mapping.clone(), mapping.clone());
    let no_way_back = sealed.clone();
    IdPlan {
        table: Box::new(move |element| {
            let mapping = tables.load();
            let mapping = mapping.as_ref()?;
            Some(mapping.tables()[mapping.birth_table(element)?].name.clone())
        }),
        mint: Box::new(move |element, number| match mapping.load().as_ref() {
            Some(mapping) => mapping.minted(element, number),
            None => Minted { id: PublicId::new(number.to_string()), origin: None },
        }),
        origin: Box::new(move |shop, kind, document| {
            let mapping = origins.load();
            mover::born_origin(mapping.as_ref()?, shop, kind, document)
        }),
        misfit: Box::new(move |shop, kind, document| {
            if sealed.load().contains(shop) {
                return None;
            }
            let misfit = columns.load().as_ref()?.misfit(kind, document)?;
            Some(Misfit { path: misfit.path, why: misfit.why })
        }),
        pays_later: Box::new(move |shop| {
            let carries =
                |mapping: &Mapping| mapping.rules().iter().any(|rule| rule.kind == Kind::Intent && rule.writes);
            no_way_back.load().contains(shop) || rules.load().as_ref().is_some_and(|mapping| carries(mapping))
        }),
    }
}

/// Compiles the plan's mapping once there is one.
async fn follow_plan(store: Store, mapping: Arc<ArcSwapOption<Mapping>>, mut compiled: bool) {
    while !compiled {
        tokio::time::sleep(Duration::from_millis(100)).await;
        compiled = load_mapping(&store, &mapping).await;
    }
    std::future::pending().await
}

/// Compiles the plan's mapping; false where there is none yet.
async fn load_mapping(store: &Store, mapping: &ArcSwapOption<Mapping>) -> bool {
    match store.plan().await {
        Ok(Some(plan)) => match mover::compile(&plan) {
            Ok(compiled) => {
                mapping.store(Some(Arc::new(compiled)));
                return true;
            }
            Err(error) => tracing::error!(%error, "the plan's mapping does not compile"),
        },
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the plan cannot be read"),
    }
    false
}

/// What a crash or time left: payments half made, carts too old.
async fn sweep(store: Store, service: Service, sealed: Arc<ArcSwap<BTreeSet<ShopId>>>) {
    loop {
        if let Ok(board) = mover::status(&store).await {
            sealed.store(Arc::new(sealed_shops(&board)));
        }
        for head in store.heads().await.unwrap_or_default() {
            if head.owner != Side::Backend {
                continue;
            }
            if let Err(error) = service.settle(&head.shop).await {
                tracing::warn!(shop = %head.shop, %error, "payments could not be settled");
            }
            if let Err(error) = service.expire_carts(&head.shop, clock()()).await {
                tracing::warn!(shop = %head.shop, %error, "carts could not be expired");
            }
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

fn sealed_shops(board: &Record) -> BTreeSet<ShopId> {
    let is_sealed = |name: &str| board.record(name).and_then(|row| row.text("state")) == Some(State::Sealed.name());
    board.0.keys().filter(|name| is_sealed(name)).filter_map(|name| ShopId::parse(name).ok()).collect()
}

/// The supervisor holds the other end; when it is gone, so is this process.
async fn stdin_ended() {
    let mut buffer = [0_u8; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
