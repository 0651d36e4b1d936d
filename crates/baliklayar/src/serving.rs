//! The serving process: seam, backend and mover, over one store.

use crate::duty::Duty;
use crate::letters;
use crate::link::Link;
use crate::way_back::WayBack;
use anyhow::{Context, Result};
use mover::{Links, Setup, Without};
use shop::Service;
use shop::rails::{Config, Loket};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use vocab::id::{Side, Timestamp};

/// How the process is told to serve.
/// Keys are in it: this type does not print itself.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Folder of the store and the staged rows
    #[arg(long)]
    work: PathBuf,
    /// postgres://… of a database for the store, remembered in the folder; without it the store is a file there
    #[arg(long, env = "BALIK_STORE", hide_env_values = true)]
    store: Option<String>,
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
    /// What links to pages where buyers pay are made with; needed with --provider
    #[arg(long, env = "BALIK_PAGE_KEY", hide_env_values = true, default_value = "")]
    page_key: String,
    /// https://host[:port] of a host app that may show the page where a buyer pays in a frame; without it nobody may
    #[arg(long, env = "BALIK_HOST_ORIGINS", value_delimiter = ',')]
    host_origin: Vec<api::HostOrigin>,
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
    let opened = args.store.as_ref().map_or_else(|| Store::open(&args.work), |url| Store::open_at(&args.work, url));
    let store = opened.context("opening the store")?;
    let duty = Duty::of(store.clone(), &args.work)?;
    let way_back = WayBack::default();
    // A shop may be the backend's already: its first request must find out where ids come from.
    way_back.look(&store).await;
    way_back.look_at_seals(&store).await;
    let service = Service::new(store.clone(), way_back.id_plan(), clock());
    let backend = listen(args.backend_port).await?;
    let seam = start_seam(&args, backend.local_addr()?).await?;
    let service = with_rail(service, &args, seam.address())?;
    let keys = api::Keys { host: args.host_key.clone(), seller: args.seller_key.clone(), pages: args.page_key.clone() };
    let router = api::router_framed_by(service.clone(), keys, &args.host_origin);
    let api = tokio::spawn(api::serve(backend, router, std::future::pending()));
    let console = start_console(args.console_port, store.clone()).await?;
    let link = Link::new(store.clone(), seam.handle(), service.clone());
    let (asks, answering) = link.answer_asks();
    let setup = Setup {
        store: store.clone(),
        work: args.work.clone(),
        links: Links::to(asks),
        clock: clock(),
        accounts: Some(args.provider.iter().map(|_| ACCOUNT.to_owned()).collect()),
        without: Without(args.without.iter().cloned().collect()),
        fault: args.fault.as_deref().map(mover::Fault::parse).transpose().map_err(anyhow::Error::msg)?,
        holder: duty.process(),
        folder: duty.folder().to_owned(),
    };
    duty.look().await;
    say_ready();
    tokio::select! {
        ended = api => ended.context("the backend ended")?.context("the backend ended")?,
        ended = console => ended?,
        () = answering => {}
        ended = link.push_routes() => ended?,
        ended = mover::run(setup) => ended.context("the mover ended")?,
        () = way_back.follow(store.clone()) => {}
        () = duty.keep() => {}
        () = service.work(|| duty.is_on()) => {}
        () = sweep(store, service.clone(), &way_back, &duty) => {}
        () = stdin_ended() => {}
    }
    duty.end().await;
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
    if args.provider_key.is_empty() || notice_keys.is_empty() || args.page_key.is_empty() {
        anyhow::bail!(
            "--provider needs BALIK_PROVIDER_KEY, BALIK_PROVIDER_NOTICE_KEYS and BALIK_PAGE_KEY in the environment"
        );
    }
    let rail = Loket::new(Config {
        account: ACCOUNT.to_owned(),
        api: api.trim_end_matches('/').to_owned(),
        key: args.provider_key.clone(),
        notice_keys,
        notices_at: format!("http://{seam}/notices/{ACCOUNT}"),
    });
    let hand_on = letters::to(&args.legacy, rail.signature_header());
    Ok(service.with_rail(rail).handing_on(hand_on))
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

/// What a crash or time left: payments half made, carts too old.
async fn sweep(store: Store, service: Service, way_back: &WayBack, duty: &Duty) {
    loop {
        way_back.look_at_seals(&store).await;
        for head in store.heads().await.unwrap_or_default() {
            if head.owner != Side::Backend || !duty.is_on() {
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

/// The supervisor holds the other end; when it is gone, so is this process.
async fn stdin_ended() {
    let mut buffer = [0_u8; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
