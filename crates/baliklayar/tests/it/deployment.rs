//! Serving processes over one store, as they are deployed, with a provider and a shop that was born here.

use crate::demo::executable;
use crate::world::{Engine, Provider};
use baliklayar::seed::{self, Product};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use store::Store;
use tempfile::TempDir;
use testkit::postgres::Database;
use tokio::net::TcpListener;
use vocab::id::{ShopId, Timestamp};

pub const PAGE_KEY: &str = "page-key-canary";

/// The serving process; it is killed when this is dropped.
pub struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How one of them is started, each time the same.
#[derive(Clone)]
pub struct How {
    work: PathBuf,
    pub seam: SocketAddr,
    backend: SocketAddr,
    provider: String,
}

impl How {
    async fn new(work: PathBuf, provider: &str) -> Self {
        std::fs::create_dir_all(&work).unwrap();
        Self { work, seam: free_port().await, backend: free_port().await, provider: provider.to_owned() }
    }

    /// All that it ever logged.
    pub fn log(&self) -> PathBuf {
        self.work.join("serving.log")
    }

    pub fn start(&self) -> Serving {
        let mut child = Command::new(executable())
            .args(["serving", "--legacy", "127.0.0.1:9", "--work"])
            .arg(&self.work)
            .args(["--seam-port", &self.seam.port().to_string(), "--backend-port", &self.backend.port().to_string()])
            .args(["--provider", &self.provider, "--provider-cards", "http://127.0.0.1:9"])
            .env_remove("BALIK_CRASH")
            .envs([("BALIK_HOST_KEY", crate::client::HOST), ("BALIK_SELLER_KEY", crate::client::SELLER)])
            .envs([("BALIK_PROVIDER_KEY", Provider::API_KEY), ("BALIK_PROVIDER_NOTICE_KEYS", Provider::NOTICE_KEY)])
            .env("BALIK_PAGE_KEY", PAGE_KEY)
            // Everything, but where so much happens that it would fill the disk.
            .env("BALIK_LOG", if crate::demo::long() { "info" } else { "trace" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(self.log()).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        Serving(child)
    }
}

/// Where the store is, and the processes over it.
pub struct Deployment {
    _work: TempDir,
    database: Option<Database>,
    pub processes: Vec<How>,
    pub provider: Arc<Provider>,
}

impl Deployment {
    pub async fn new(engine: Engine, processes: u32) -> Self {
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(testkit::postgres::fresh_database().await),
        };
        Self::over(database, processes).await
    }

    /// With its store in this database, or in a file.
    pub async fn over(database: Option<Database>, processes: u32) -> Self {
        let work = tempfile::tempdir().unwrap();
        let at = free_port().await;
        let (provider, _) = Provider::open(work.path(), at).await;
        let mut hows = Vec::new();
        for number in 0..processes {
            let mut how = How::new(work.path().join(number.to_string()), &provider.api).await;
            // Notices come to the first; the others hear of payments only by asking.
            how.seam = if number == 0 { at } else { how.seam };
            hows.push(how);
        }
        let deployment = Self { _work: work, database, processes: hows, provider: Arc::new(provider) };
        for how in &deployment.processes {
            deployment.open_at(how);
        }
        deployment
    }

    fn open_at(&self, how: &How) -> Store {
        match &self.database {
            None => Store::open(&how.work).unwrap(),
            Some(database) => Store::open_at(&how.work, &database.url).unwrap(),
        }
    }

    pub fn store(&self) -> Store {
        self.open_at(&self.processes[0])
    }

    /// How many tries are under way, or unknown.
    pub async fn under_way(&self) -> i64 {
        let sql = "select count(*) from document where kind = 'intent'
                   and (body like '%\"fate\":\"recorded\"%' or body like '%\"fate\":\"unknown\"%')";
        match &self.database {
            None => {
                let store = rusqlite::Connection::open(self.processes[0].work.join("store.sqlite")).unwrap();
                store.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Some(database) => database.connect().await.query_one(sql, &[]).await.unwrap().get(0),
        }
    }
}

async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Shop `s1`, born here, with so many of product `1`.
pub async fn open_shop(store: &Store, stock: i64) {
    let shelf = [Product { id: "1", title: "Barang", price: 4_500_000, stock }];
    seed::open_shop(store, &ShopId::parse("s1").unwrap(), "Toko Satu", &shelf, Timestamp(0)).await.unwrap();
}
