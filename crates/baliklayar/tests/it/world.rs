//! The whole product in one process: the demo's legacy, the store, the backend, the seam, the mover and the link between
//! them, each the real one; and what a client, an operator and somebody with the legacy's database open can do.

mod calls;
mod kios;
mod provider;
mod tables;

pub use provider::Provider;
pub use tables::{Cells, Dump};

use crate::client::{HOST, SELLER};
use baliklayar::link::Link;
use baliklayar::serving::clock;
use baliklayar::way_back::WayBack;
use cutover::record::Record as Recorded;
use demo_legacy::Database;
use kios::{forget_payments, plan};
use mapping::Mapping;
use mover::{Ask, Clock, Links, Setup, Verb, Without};
use shop::Service;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use store::{Plan, Store, Wish};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use vocab::document::Record;
use vocab::id::{ShopId, Side};

/// A wish that is not true by then will not become so.
const WISH_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where the legacy's tables are, and what keeps them.
enum Home {
    Sqlite(TempDir),
    Postgres(testkit::postgres::Database),
}

/// A running product. Its tasks end with the test's runtime.
pub struct World {
    pub store: Store,
    pub service: Service,
    pub mapping: Arc<Mapping>,
    pub shops: Vec<ShopId>,
    pub gateway: seam::Handle,
    way_back: WayBack,
    pub provider: Option<Provider>,
    seam: SocketAddr,
    keys: AtomicU64,
    home: Home,
    /// Where our own store is, if it is no file in the folder.
    _stored: Option<testkit::postgres::Database>,
    pub work: TempDir,
}

/// What links to pages where buyers pay are made with, on both sides.
pub const PAGES: &str = "page-key";

/// How a world is made; what is not told is as in [`World::start`].
pub struct How {
    pub policy: String,
    pub engine: Engine,
    /// Where our own store is.
    pub store: Engine,
    pub seed: u64,
    pub shops: u32,
    /// So many of the shops are planned; none: all.
    pub planned: Option<usize>,
    /// A legacy's database that is there already, empty or made.
    pub database: Option<testkit::postgres::Database>,
    pub clock: Clock,
    /// Buyers can pay in their own time, through a provider of this world's own.
    pub provider: bool,
    /// Where host apps are loaded from that may show the page where a buyer pays in a frame.
    pub host_origins: Vec<String>,
    /// The accounts at providers that the mover is told of, if they are others.
    pub accounts: Option<BTreeSet<String>>,
    /// The mapping has rules for what they pay.
    pub maps_payments: bool,
    /// Stands between the mover and whoever answers it: told every ask, hands it on.
    pub between: Option<Between>,
    /// Stands between the seam and the legacy: given the legacy's address, answers where the seam shall find it.
    pub before_legacy: Option<BeforeLegacy>,
}

pub type Between = Box<dyn FnOnce(mpsc::Receiver<Ask>, mpsc::Sender<Ask>) + Send>;
pub type BeforeLegacy = Box<dyn FnOnce(SocketAddr) -> SocketAddr + Send>;

impl How {
    pub fn new(engine: Engine, seed: u64, shops: u32) -> Self {
        Self {
            policy: String::new(),
            engine,
            store: Engine::Sqlite,
            seed,
            shops,
            planned: None,
            database: None,
            clock: clock(),
            provider: false,
            host_origins: Vec::new(),
            accounts: None,
            maps_payments: true,
            between: None,
            before_legacy: None,
        }
    }
}

impl Home {
    async fn new(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Engine::Postgres => Self::Postgres(testkit::postgres::fresh_database().await),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("kios.sqlite").display()),
            Self::Postgres(database) => database.url.clone(),
        }
    }
}

impl World {
    /// A legacy with so many shops, none of them planned to move by anybody yet, and everything that could move them.
    pub async fn start(engine: Engine, seed: u64, shops: u32) -> Self {
        Self::start_under("", engine, seed, shops).await
    }

    /// The same, under what an operator decided before the move.
    pub async fn start_under(policy: &str, engine: Engine, seed: u64, shops: u32) -> Self {
        Self::start_as(How { policy: policy.to_owned(), ..How::new(engine, seed, shops) }).await
    }

    pub async fn start_as(how: How) -> Self {
        let home = match how.database {
            Some(database) => Home::Postgres(database),
            None => Home::new(how.engine).await,
        };
        let database = Database::open(&home.url()).await.unwrap();
        let made = demo_legacy::init(&database, how.seed, how.shops, None).await.unwrap();
        let shops: Vec<ShopId> = made.shops.iter().map(|shop| ShopId::parse(&shop.to_string()).unwrap()).collect();
        let (listener, at) = listen().await;
        let keys = demo_legacy::Keys { host: HOST.into(), seller: SELLER.into() };
        let work = tempfile::tempdir().unwrap();
        let (at_seam, seam) = listen().await;
        let provider = if how.provider { Some(Provider::open(work.path(), seam).await) } else { None };
        match &provider {
            Some((provider, _)) => {
                let provider = provider.of_kios(seam, &how.host_origins);
                tokio::spawn(async move { demo_legacy::serve_with(listener, database, keys, &provider).await });
            }
            None => drop(tokio::spawn(demo_legacy::serve(listener, database, keys))),
        }
        let legacy = how.before_legacy.map_or(at, |before| before(at));
        let stored = match how.store {
            Engine::Sqlite => None,
            Engine::Postgres => Some(testkit::postgres::fresh_database().await),
        };
        let store = match &stored {
            None => Store::open(work.path()).unwrap(),
            Some(database) => Store::open_at(work.path(), &database.url).unwrap(),
        };
        let planned = &shops[..how.planned.unwrap_or(shops.len())];
        let mut plan = Plan { policy: how.policy, ..plan(&home.url(), planned) };
        if !how.maps_payments {
            forget_payments(&mut plan);
        }
        let mapping = Arc::new(mover::compile(&plan).unwrap());
        store.create_heads(planned).await.unwrap();
        store.set_plan(&plan).await.unwrap();
        let way_back = WayBack::default();
        assert!(way_back.look(&store).await);
        let mut service = Service::new(store.clone(), way_back.id_plan(), how.clock.clone());
        let provider = provider.map(|(provider, rail)| {
            let hand_on = baliklayar::letters::to(&legacy.to_string(), rail.signature_header());
            service = service.clone().with_rail(rail).handing_on(hand_on);
            provider
        });
        if how.provider {
            let working = service.clone();
            tokio::spawn(async move { working.work(|| true).await });
        }
        let (gateway, asks) = serve((&store, &service), &how.host_origins, legacy, at_seam).await;
        let setup = Setup {
            store: store.clone(),
            work: work.path().to_owned(),
            links: Links::to(how.between.map_or(asks.clone(), |between| handed_on(between, asks))),
            clock: how.clock,
            accounts: how.accounts.or_else(|| how.provider.then(|| ["loket".to_owned()].into())),
            without: Without::default(),
            fault: None,
            holder: "test".into(),
            folder: "test".into(),
        };
        tokio::spawn(mover::run(setup));
        let keys = AtomicU64::new(0);
        Self { store, service, mapping, shops, gateway, way_back, provider, seam, keys, home, _stored: stored, work }
    }

    pub const fn seam(&self) -> SocketAddr {
        self.seam
    }

    pub fn source_url(&self) -> String {
        self.home.url()
    }

    /// What a host app is told: where all shops are.
    pub fn seam_url(&self) -> String {
        format!("http://{}", self.seam)
    }

    /// A client of the legacy's database, who knows neither seam nor mover.
    pub async fn postgres(&self) -> tokio_postgres::Client {
        match &self.home {
            Home::Postgres(database) => database.connect().await,
            Home::Sqlite(_) => panic!("this legacy is on SQLite"),
        }
    }

    /// The folder that the command line is told with `--work`.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// Runs statements in the legacy's database, as its own program or somebody at a prompt does.
    pub async fn legacy(&self, sql: &str) {
        match &self.home {
            Home::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("kios.sqlite")).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Home::Postgres(database) => database.connect().await.batch_execute(sql).await.unwrap(),
        }
    }

    /// Somebody at a prompt of the legacy's database, in the middle of a write; it ends when this is dropped.
    pub fn pen(&self) -> rusqlite::Connection {
        match &self.home {
            Home::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("kios.sqlite")).unwrap();
                connection.busy_timeout(Duration::from_secs(5)).unwrap();
                connection.execute_batch("begin immediate").unwrap();
                connection
            }
            Home::Postgres(_) => panic!("this legacy is on PostgreSQL"),
        }
    }

    /// Every shop goes back no more, and the backend knows it.
    pub async fn seal(&self) {
        self.wish(Verb::Seal, None).await;
        self.way_back.sealed.store(Arc::new(self.shops.iter().cloned().collect()));
    }

    /// Wishes it of every shop, or of one, and waits until it has come true.
    pub async fn wish(&self, verb: Verb, shop: Option<&ShopId>) {
        let id = self.put_down(verb, shop).await;
        self.come_true(verb, id).await;
    }

    /// Wishes, and waits for nothing; answers which wish it is.
    pub async fn put_down(&self, verb: Verb, shop: Option<&ShopId>) -> i64 {
        self.put_down_with(verb, shop, Record::default()).await
    }

    pub async fn put_down_with(&self, verb: Verb, shop: Option<&ShopId>, args: Record) -> i64 {
        let wish = Wish {
            shop: shop.cloned(),
            verb: verb.name().into(),
            args,
            who: "test".into(),
            why: "test".into(),
            at: clock()(),
        };
        self.store.wish(wish).await.unwrap()
    }

    pub async fn come_true(&self, verb: Verb, id: i64) {
        let deadline = Instant::now() + WISH_MAX;
        while self.store.wish_outcome(id).await.unwrap().is_none() {
            if Instant::now() > deadline {
                panic!("`{}` has not come true: {}", verb.name(), self.what_is_wrong().await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Starts every move and waits until every shop is ready to go over.
    pub async fn start_moving(&self) {
        self.wish(Verb::Start, None).await;
        let deadline = Instant::now() + WISH_MAX;
        while !self.all_in("ready").await {
            assert!(Instant::now() < deadline, "not ready: {}", self.what_is_wrong().await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the shop's records say so.
    pub async fn recorded(&self, shop: &ShopId, what: &str, is: impl Fn(&[Recorded]) -> bool) -> Vec<Recorded> {
        let deadline = Instant::now() + WISH_MAX;
        loop {
            let steps = self.store.steps(shop, 0).await.unwrap();
            let records: Vec<Recorded> = steps.iter().filter_map(mover::from_stored).collect();
            if is(&records) {
                return records;
            }
            if Instant::now() > deadline {
                panic!("{what}: not in time: {}", self.what_is_wrong().await);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn all_in(&self, state: &str) -> bool {
        let board = mover::status(&self.store).await.unwrap();
        let of = |shop: &ShopId| board.record(shop.as_str()).and_then(|row| row.text("state")).map(str::to_owned);
        self.shops.iter().all(|shop| of(shop).is_some_and(|now| now.starts_with(state)))
    }

    /// What an operator would look at.
    pub async fn what_is_wrong(&self) -> String {
        let mut said = format!("{:#?}", mover::status(&self.store).await.unwrap());
        for shop in &self.shops {
            for found in self.store.findings(shop).await.unwrap().iter().take(3) {
                said += &format!("\nshop {shop}: {found:?}");
            }
            for debt in self.store.debts(shop).await.unwrap().iter().take(3) {
                said += &format!("\nshop {shop}: {debt:?}");
            }
        }
        said
    }

    pub async fn owner(&self, shop: &ShopId) -> Side {
        self.store.head(shop).await.unwrap().unwrap().owner
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn handed_on(between: Between, asks: mpsc::Sender<Ask>) -> mpsc::Sender<Ask> {
    let (ours, theirs) = mpsc::channel(16);
    between(theirs, asks);
    ours
}

/// Backend, seam and link, as the serving process has them; answers what steers the seam, and whom the mover may ask.
async fn serve(
    (store, service): (&Store, &Service),
    host_origins: &[String],
    legacy: SocketAddr,
    at: TcpListener,
) -> (seam::Handle, mpsc::Sender<Ask>) {
    let (listener, backend) = listen().await;
    let framed_by = host_origins.iter().map(|origin| origin.parse().unwrap()).collect();
    let options = api::Options { framed_by, ..api::Options::default() };
    let router = api::router(service.clone(), api::Keys::of(HOST, SELLER, PAGES), options);
    tokio::spawn(api::serve(listener, router, std::future::pending()));
    let mut config = seam::Config::new(legacy.to_string().parse().unwrap(), backend.to_string().parse().unwrap());
    config.default_owner = Some(Side::Legacy);
    // The host page shows how long a tap was held.
    config.debug_headers = true;
    let seam = seam::start(at, config).unwrap();
    let gateway = seam.handle();
    let link = Link::new(store.clone(), gateway.clone(), service.clone());
    let (asks, answering) = link.answer_asks();
    tokio::spawn(answering);
    tokio::spawn(async move {
        // The seam lives as long as somebody pushes routes to it.
        let _seam = seam;
        link.push_routes().await
    });
    (gateway, asks)
}
