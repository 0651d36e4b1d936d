//! A small legacy of baskets on SQLite, a store, and a gateway that holds at once and has nothing in flight.

use cutover::latency::Counts;
use cutover::next::Holding;
use mover::{Ask, Links, Setup, Verb, Without};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Plan, PlanFile, PlannedShop, RecordedStep, Store, Wish};
use tempfile::TempDir;
use testkit::postgres::Database;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vocab::document::Record;
use vocab::id::{Part, ShopId, Timestamp};

pub const MAPPING: &str = include_str!("../small.toml");

const TOTALS: &str = "
[keys.cart]
sqlite = 'and id in (select cast(value as integer) from json_each($2))'
postgres = 'and id in (select value::int from json_array_elements_text($2::text::json) as k(value))'
[[total]]
entity = 'cart'
class = 'any'
measures = ['count', 'max changed_at']
sqlite = '''select count(*), (strftime('%s', max(changed)) - 25200) * 1000000 from basket where shop_id = $1 {keys}'''
postgres = '''
select count(*), (extract(epoch from max(changed)::timestamp) - 25200)::bigint * 1000000
from basket where shop_id = $1::text::int {keys}
'''
";

const TABLES: &str = include_str!("../small.sql");

const BASKETS: &str = "
insert into basket values (1, 7, 'A', '2020-01-02 03:04:05', '2020-01-02 03:04:05'),
  (2, 7, 'B', '2020-01-02 03:04:06', '2020-01-02 03:04:05'), (3, 8, 'A', '2020-01-02 03:04:07', '2020-01-02 03:04:05');
insert into inside values (10, 1, 5, 2), (11, 1, 6, 1), (12, 3, 5, 4);
";

/// The longest wait for something that comes true in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

pub fn plan(source: &str, policy: &str) -> Plan {
    let file = |name: &str, text: &str| vec![PlanFile { name: name.into(), text: text.into() }];
    let planned = ["7", "8"].map(|name| PlannedShop { shop: shop(name), parts: Part::ALL.to_vec() });
    Plan {
        source: source.to_owned(),
        mappings: file("small.toml", MAPPING),
        totals: file("small.totals.toml", TOTALS),
        policy: policy.to_owned(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: planned.to_vec(),
        deadline: None,
        created_at: Timestamp(0),
    }
}

pub struct World {
    folder: TempDir,
    /// Where the store is, if it is no file in the folder.
    _database: Option<Database>,
    pub store: Store,
    moving: Option<JoinHandle<()>>,
    movers: u32,
    waited: Arc<Waited>,
}

impl World {
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// A world that moves under a policy.
    pub async fn with(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("work")).unwrap();
        Self::over(folder, store, None, policy).await
    }

    /// A world whose store is a database, so that others may be over it.
    pub async fn shared() -> Self {
        let (folder, database) = (tempfile::tempdir().unwrap(), testkit::postgres::fresh_database().await);
        let store = Store::open_at(&folder.path().join("work"), &database.url).unwrap();
        Self::over(folder, store, Some(database), "").await
    }

    /// The folder of another process over the same store.
    pub fn another_folder(&self) -> PathBuf {
        let path = self.folder.path().join("elsewhere");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    async fn over(folder: TempDir, store: Store, database: Option<Database>, policy: &str) -> Self {
        let world = Self { folder, _database: database, store, moving: None, movers: 0, waited: Arc::default() };
        world.legacy(TABLES).and_then(|()| world.legacy(BASKETS)).unwrap();
        world.store.create_heads(&[shop("7"), shop("8")]).await.unwrap();
        world.store.set_plan(&plan(&format!("sqlite:{}", world.path().display()), policy)).await.unwrap();
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("legacy.sqlite")
    }

    /// What the legacy's own program does.
    pub fn legacy(&self, sql: &str) -> rusqlite::Result<()> {
        let db = Connection::open(self.path())?;
        db.busy_timeout(PATIENCE)?;
        db.execute_batch(sql)
    }

    /// What the legacy's own program does again and again, with a pause and another number each time, until the fence
    /// refuses it; how often that was.
    pub fn write_for_ever(&self, sql: &'static str, pause: Duration) -> std::thread::JoinHandle<i64> {
        let db = Connection::open(self.path()).unwrap();
        db.busy_timeout(PATIENCE).unwrap();
        db.execute_batch("pragma synchronous = off").unwrap();
        std::thread::spawn(move || {
            let (mut write, begun) = (db.prepare(sql).unwrap(), Instant::now());
            let mut written = 0_i64;
            // A minute and no more, where no fence comes.
            while begun.elapsed() < Duration::from_secs(60) {
                if let Err(refused) = write.execute([1_000_000 + written]) {
                    assert!(refused.to_string().contains("balik_fence"), "{refused}");
                    break;
                }
                written += 1;
                std::thread::sleep(pause);
            }
            written
        })
    }

    /// Starts a mover, as a process of its own would.
    pub fn begin(&mut self) {
        let setup = self.setup("work");
        self.moving = Some(tokio::spawn(async move { mover::run(setup).await.unwrap() }));
    }

    /// What a mover over this folder begins with.
    pub fn setup(&mut self, folder: &str) -> Setup {
        self.movers += 1;
        let (asks, asked) = mpsc::channel(16);
        tokio::spawn(hold_as_told(asked, self.store.clone(), self.waited.clone()));
        // A clock that is the machine's, but never the same twice.
        let last = AtomicI64::new(0);
        let clock = move || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
            let now = i64::try_from(now).unwrap();
            Timestamp(last.fetch_max(now, Ordering::Relaxed).max(now))
        };
        Setup {
            store: self.store.clone(),
            work: self.folder.path().join(folder),
            links: Links::to(asks),
            clock: Arc::new(clock),
            accounts: None,
            without: Without::default(),
            fault: None,
            holder: format!("mover {}", self.movers),
            folder: folder.to_owned(),
        }
    }

    /// From now on shoppers come, and wait for so long: without a copy, and with one.
    pub fn shoppers_wait(&self, without_us: u64, with_us: u64) {
        self.waited.without_us.store(without_us, Ordering::Relaxed);
        self.waited.with_us.store(with_us, Ordering::Relaxed);
    }

    /// Ends it where it stands.
    pub async fn kill(&mut self) {
        let moving = self.moving.take().unwrap();
        moving.abort();
        assert!(moving.await.unwrap_err().is_cancelled());
    }

    pub async fn wish(&self, name: &str, verb: Verb) {
        self.wish_of(Some(name), verb, Record::default()).await;
    }

    /// Wishes it of a shop, or of all, with what there is to say beside; answers which wish it is.
    pub async fn wish_of(&self, name: Option<&str>, verb: Verb, args: Record) -> i64 {
        let (who, why) = ("ana".to_owned(), "seen".to_owned());
        let wish = Wish { shop: name.map(shop), verb: verb.name().into(), args, who, why, at: Timestamp(0) };
        self.store.wish(wish).await.unwrap()
    }

    /// What a wish came to.
    pub async fn outcome(&self, wish: i64) -> Record {
        let waiting = async {
            loop {
                if let Some(outcome) = self.store.wish_outcome(wish).await.unwrap() {
                    return outcome;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("wish {wish} is still open"))
    }

    /// Waits until a shop's step records say so.
    pub async fn until_recorded(&self, name: &str, is: impl Fn(&[RecordedStep]) -> bool) {
        let waiting = async {
            while !is(&self.store.steps(&shop(name), 0).await.unwrap()) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("shop {name} does not come so far"));
    }

    /// Waits until so many findings of a class are open.
    pub async fn until_open(&self, name: &str, class: &str, count: usize) {
        let waiting = async {
            while self.open(name).await.iter().filter(|open| *open == class).count() != count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "not {count} of {class}: {:?}", self.open(name).await);
    }

    /// The classes of a shop's open findings.
    pub async fn open(&self, name: &str) -> Vec<String> {
        let found = self.store.findings(&shop(name)).await.unwrap();
        let open = found.iter().filter(|one| one.accepted_by.is_none());
        open.map(|one| one.finding.class.to_string()).collect()
    }

    /// Waits until the shop has a finding of this class.
    pub async fn until_found(&self, name: &str, class: &str) {
        let waiting = async {
            while !self.store.findings(&shop(name)).await.unwrap().iter().any(|found| &*found.finding.class == class) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("shop {name} has no {class}"));
    }

    /// Waits until the shop is shown as stopped by this.
    pub async fn until_stopped(&self, name: &str, code: &str) {
        let waiting = async {
            loop {
                let board = mover::status(&self.store).await.unwrap();
                if board.record(name).and_then(|row| row.text("stopped")) == Some(code) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("shop {name} is not stopped"));
    }

    /// Waits until the shop is shown in this state.
    pub async fn until(&self, name: &str, state: &str) {
        let waiting = async {
            loop {
                let board = mover::status(&self.store).await.unwrap();
                if board.record(name).and_then(|row| row.text("state")) == Some(state) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let board = mover::status(&self.store).await.unwrap();
        assert!(waited.is_ok(), "shop {name} is not {state}: {board:?}");
    }
}

/// How long each shopper waits whom the gateway counts, in microseconds; 0: nobody comes.
#[derive(Default)]
struct Waited {
    without_us: AtomicU64,
    with_us: AtomicU64,
}

async fn hold_as_told(mut asked: mpsc::Receiver<Ask>, store: Store, waited: Arc<Waited>) {
    let holding = Holding { elapsed_ms: 0, acknowledged: true, in_flight_zero: true, overflow: false };
    while let Some(ask) = asked.recv().await {
        match ask {
            Ask::Hold { told, .. } => _ = told.send(()),
            Ask::Look { seen, .. } => _ = seen.send(Some(holding)),
            Ask::Release { done, .. } => _ = done.send(0),
            Ask::SettlePayments { open, .. } => _ = open.send(0),
            Ask::Dial { told, .. } => _ = told.send(()),
            Ask::Waits { told } | Ask::WaitsOf { told, .. } => _ = told.send(waits(&store, &waited).await),
        }
    }
}

/// Some have come since this was asked before, if anybody comes.
async fn waits(store: &Store, waited: &Waited) -> Counts {
    let board = mover::status(store).await.unwrap();
    let throttles = ["7", "8"].into_iter().filter_map(|name| board.record(name)?.record("throttle"));
    let copies = throttles.into_iter().any(|throttle| !matches!(throttle.text("why"), Some("listening" | "paused")));
    let us = if copies { &waited.with_us } else { &waited.without_us }.load(Ordering::Relaxed);
    let mut counts = Counts::default();
    (0..if us > 0 { 50 } else { 0 }).for_each(|_| counts.note(us));
    counts
}
