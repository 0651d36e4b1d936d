//! Serving: seam, backend, mover and console, over one store, put together.

pub mod child;

use crate::duty::Duty;
use crate::letters;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::way_back::WayBack;
use anyhow::{Context, Result};
use api::WebOrigin;
use mover::{Links, Setup, Without};
use shop::Service;
use shop::rails::{Config, Loket};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use vocab::id::{Side, Timestamp};

/// How a process is to serve. Keys are in it: this type does not print itself.
pub struct Setting {
    /// Folder of the store and the staged rows.
    pub work: PathBuf,
    pub seam: SocketAddr,
    pub backend: SocketAddr,
    /// None: there is no console.
    pub console: Option<SocketAddr>,
    /// None: nobody asks for figures.
    pub metrics: Option<SocketAddr>,
    /// Under which address the world reaches the seam, where it is another than its own.
    pub public: Option<String>,
    /// `host:port` of the program that owns the shops which have not moved; none: there is no such program.
    pub legacy: Option<String>,
    pub keys: api::Keys,
    pub options: api::Options,
    /// Whether the word of a host app is taken for money.
    pub instant: bool,
    /// None: buyers can pay by the instant rail only.
    pub provider: Option<Provider>,
    /// Detectors to take away; tests and demo only.
    pub without: Vec<String>,
    /// A seeded fault; tests and demo only.
    pub fault: Option<String>,
}

/// A payment provider. Secrets: this type does not print itself.
pub struct Provider {
    /// `http://host:port` of its API.
    api: String,
    key: String,
    notice_keys: Vec<String>,
    /// Where it takes the number of a card; none: cards are not taken.
    cards_at: Option<WebOrigin>,
    /// Whether its couriers take money at the door.
    cash_on_delivery: bool,
}

impl Provider {
    /// The keys of notices stand behind each other, with commas: the one in use, and the one before while it is being replaced.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn told(api: String, key: String, notice_keys: &str) -> Result<Self> {
        let notice_keys: Vec<String> =
            notice_keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect();
        if key.is_empty() || notice_keys.is_empty() {
            anyhow::bail!("a provider needs BALIK_PROVIDER_KEY and BALIK_PROVIDER_NOTICE_KEYS in the environment");
        }
        let api = api.trim_end_matches('/').to_owned();
        Ok(Self { api, key, notice_keys, cards_at: None, cash_on_delivery: false })
    }

    /// The same, with what else it takes: cards, on a page there, and cash at the door.
    #[must_use]
    pub fn taking(self, cards_at: Option<WebOrigin>, cash_on_delivery: bool) -> Self {
        Self { cards_at, cash_on_delivery, ..self }
    }
}

/// How often carts are expired and interrupted payments are finished.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How long what is under way may take to end with the process.
const END_MAX: Duration = Duration::from_secs(3);

/// In the folder of a store: locked by the process that serves from it.
const CLAIM: &str = "serving.lock";
const CLAIMED_WITHIN: Duration = Duration::from_secs(2);

/// The clock of this process.
pub fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(|| Timestamp(jiff::Timestamp::now().as_microsecond()))
}

/// Serves until `until` resolves, and says by `ready` when it does; then nothing new is let in, and what is under way is finished.
///
/// # Errors
/// A port cannot be had, or something that serves has ended by itself.
pub async fn serve(
    store: Store,
    setting: Setting,
    ready: impl FnOnce(),
    until: impl Future<Output = ()>,
) -> Result<()> {
    let _claimed = claim(&setting.work).await?;
    let duty = Duty::of(store.clone(), &setting.work)?;
    let way_back = WayBack::default();
    // A shop may be the backend's already: its first request must find out where ids come from.
    way_back.look(&store).await;
    way_back.look_at_seals(&store).await;
    let service = Service::new(store.clone(), way_back.id_plan(), clock());
    let backend = listen(setting.backend).await?;
    let seam = start_seam(&setting, backend.local_addr()?).await?;
    let service = with_rail(service, &setting, seam.address());
    let service = if setting.instant { service } else { service.without_instant() };
    let (stop, stopped) = oneshot::channel::<()>();
    let (router, metrics) = (api::router(service.clone(), setting.keys, setting.options), Metrics::default());
    // Nothing is counted for nobody.
    let router = if setting.metrics.is_some() { metrics.counting(router) } else { router };
    let mut api = tokio::spawn(api::serve(backend, router, async { drop(stopped.await) }));
    let console = start_console(setting.console, store.clone()).await?;
    let told = start_metrics(setting.metrics, metrics, store.clone(), duty.clone()).await?;
    let link = Link::new(store.clone(), seam.handle(), service.clone());
    let (asks, answering) = link.answer_asks();
    let setup = Setup {
        store: store.clone(),
        work: setting.work.clone(),
        links: Links::to(asks),
        clock: clock(),
        accounts: Some(setting.provider.iter().map(|_| ACCOUNT.to_owned()).collect()),
        without: Without(setting.without.iter().cloned().collect()),
        fault: setting.fault.as_deref().map(mover::Fault::parse).transpose().map_err(anyhow::Error::msg)?,
        holder: duty.process(),
        folder: duty.folder().to_owned(),
    };
    duty.look().await;
    ready();
    tokio::select! {
        ended = &mut api => ended.context("the backend ended")?.context("the backend ended")?,
        ended = console => ended?,
        ended = told => ended?,
        () = answering => {}
        ended = link.push_routes() => ended?,
        ended = mover::run(setup) => ended.context("the mover ended")?,
        () = way_back.follow(store.clone()) => {}
        () = duty.keep() => {}
        () = service.work(|| duty.is_on()) => {}
        () = sweep(store, service.clone(), &way_back, &duty) => {}
        () = until => {}
    }
    if !seam.shutdown(END_MAX).await {
        tracing::warn!("requests were cut off: they were not finished in time");
    }
    drop(stop);
    // Whoever came past the seam and does not leave is not waited for.
    let _ = tokio::time::timeout(END_MAX, api).await;
    duty.end().await;
    Ok(())
}

/// A folder is one process's: two would take each other for themselves where they share out what falls due. Its end frees it,
/// whatever the end is.
async fn claim(work: &Path) -> Result<File> {
    let path = work.join(CLAIM);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(|| format!("opening {}", path.display()))?;
    let begun = Instant::now();
    while let Err(error) = file.try_lock() {
        // Of one that was killed this moment it may take a while.
        if begun.elapsed() > CLAIMED_WITHIN {
            anyhow::bail!(
                "{}: {error}: another process serves from this folder; give each a folder of its own",
                path.display()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(file)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("port {} of {} is not free", address.port(), address.ip()))
}

async fn listen_where(at: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    match at {
        Some(at) => listen(at).await.map(Some),
        None => Ok(None),
    }
}

/// Where there is no legacy, what it would be asked is asked of our backend, which knows that it is not the owner.
async fn start_seam(setting: &Setting, backend: SocketAddr) -> Result<seam::Seam> {
    let listener = listen(setting.seam).await?;
    let ours = backend.to_string();
    let legacy = setting.legacy.as_ref().unwrap_or(&ours).parse().context("the legacy's address is not host:port")?;
    let mut config = seam::Config::new(legacy, ours.parse()?);
    config.default_owner = setting.legacy.as_ref().map(|_| Side::Legacy);
    config.debug_headers = std::env::var_os("BALIK_DEBUG_HEADERS").is_some_and(|value| value == "1");
    seam::start(listener, config).context("starting the seam")
}

/// What providers call us by, and so what stands in payments for ever.
const ACCOUNT: &str = "loket";

/// The service with the provider that it was told of. Notices come through the seam, whoever owns a shop.
fn with_rail(service: Service, setting: &Setting, seam: SocketAddr) -> Service {
    let Some(provider) = &setting.provider else { return service };
    let public = setting.public.clone().unwrap_or_else(|| format!("http://{seam}"));
    let rail = Loket::new(Config {
        account: ACCOUNT.to_owned(),
        api: provider.api.clone(),
        key: provider.key.clone(),
        notice_keys: provider.notice_keys.clone(),
        notices_at: format!("{public}/notices/{ACCOUNT}"),
        cards_at: provider.cards_at.as_ref().map(|origin| origin.as_str().to_owned()),
        cash: provider.cash_on_delivery,
    });
    let header = rail.signature_header();
    let service = service.with_rail(rail);
    match &setting.legacy {
        None => service,
        Some(legacy) => service.handing_on(letters::to(legacy, header)),
    }
}

/// Begins to serve the console, if it has a place. What comes back resolves only when it could not go on.
async fn start_console(at: Option<SocketAddr>, store: Store) -> Result<impl Future<Output = Result<()>>> {
    let listener = listen_where(at).await?;
    let router = console::router(console::Console::seeing(store.clone(), clock(), crate::sides::reader(store)));
    Ok(async move {
        let Some(listener) = listener else { return std::future::pending().await };
        let serving = tokio::spawn(console::serve(listener, router, std::future::pending()));
        serving.await.context("the console ended")?.context("the console ended")
    })
}

/// The same of the figures for whoever watches.
async fn start_metrics(
    at: Option<SocketAddr>,
    metrics: Metrics,
    store: Store,
    duty: Duty,
) -> Result<impl Future<Output = Result<()>>> {
    let listener = listen_where(at).await?;
    Ok(async move {
        let Some(listener) = listener else { return std::future::pending().await };
        axum::serve(listener, metrics.router(store, duty)).await.context("the figures ended")
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
