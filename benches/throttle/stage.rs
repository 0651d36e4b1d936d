//! What is measured: a database, the legacy, serving, and a plan for two shops, a small one and the large one.
//!
//! The small one is tracked before anything is measured: by then capture is installed, whatever a write costs more because
//! of it is in every figure, and what is compared is the copy alone.

use crate::children::{end, free_ports, until_ready};
use crate::rows;
use anyhow::{Context, Result, bail};
use mover::Verb;
use rusqlite::{Connection, OpenFlags};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use store::{Plan, PlanFile, PlannedShop, Store, Wish};
use testkit::postgres::Database;
use tokio::process::{Child, Command};
use vocab::document::Record;
use vocab::id::{Part, ShopId};

/// The large shop, and the small one.
pub const SHOP: &str = "1";
const SMALL: &str = "2";

const KIOS: &str = include_str!("../../demo/legacy/mapping/kios.toml");
const KIOS_TOTALS: &str = include_str!("../../demo/legacy/mapping/kios.totals.toml");

pub const LOOK: Duration = Duration::from_millis(50);
const BUSY_MAX: Duration = Duration::from_secs(10);
const SMALL_READY_MAX: Duration = Duration::from_secs(120);

/// Says what is missing where no PostgreSQL server is named.
pub fn server_is_named() -> Result<()> {
    let name = testkit::postgres::SERVER;
    anyhow::ensure!(
        std::env::var_os(name).is_some(),
        "{name} names no PostgreSQL server; it needs one with wal_level = logical on which databases may be created, \
         for example {name}=postgres://postgres@127.0.0.1:5432/postgres"
    );
    Ok(())
}

/// Everything that runs for one course.
pub struct Stage {
    store: Store,
    database: Database,
    seam: SocketAddr,
    serving: Child,
    legacy: Child,
    work: tempfile::TempDir,
}

impl Stage {
    /// Starts the legacy with so many rows in the large shop, and serving, and waits until the small one is ready.
    pub async fn set(row_count: u32, throttled: bool) -> Result<Self> {
        let database = testkit::postgres::fresh_database().await;
        let [legacy_port, seam_port, backend_port] = free_ports()?;
        let keys = ["--host-key", "host", "--seller-key", "seller"].map(str::to_owned);
        let mut args = vec!["legacy".to_owned(), "--database".to_owned(), database.url.clone(), "--init".to_owned()];
        args.extend(["--shops", "2", "--port", &legacy_port.to_string()].map(str::to_owned));
        args.extend(keys.clone());
        let legacy = child(&args).await?;
        rows::fill(&database.connect().await, SHOP, i64::from(row_count)).await?;
        let work = tempfile::tempdir()?;
        let store = Store::open(work.path()).context("opening the store")?;
        let shops = [ShopId::parse(SHOP)?, ShopId::parse(SMALL)?];
        store.create_heads(&shops).await?;
        store.set_plan(&plan(&database.url, &shops, throttled)).await?;
        let mut args = vec!["serving".to_owned(), "--work".to_owned(), work.path().display().to_string()];
        args.extend(["--seam-port".to_owned(), seam_port.to_string()]);
        args.extend(["--backend-port".to_owned(), backend_port.to_string()]);
        args.extend(["--legacy".to_owned(), format!("127.0.0.1:{legacy_port}")]);
        args.extend(keys);
        let serving = child(&args).await?;
        let seam = SocketAddr::from((Ipv4Addr::LOCALHOST, seam_port));
        let stage = Self { store, database, seam, serving, legacy, work };
        stage.wish_for(SMALL, Verb::Start).await?;
        stage.ready(SMALL, SMALL_READY_MAX).await?;
        Ok(stage)
    }

    pub const fn seam(&self) -> SocketAddr {
        self.seam
    }

    /// The products of the large shop that are on sale.
    pub async fn products(&self) -> Result<Vec<i64>> {
        rows::on_sale(&self.database.connect().await, SHOP).await
    }

    /// Wishes something for the large shop.
    pub async fn wish(&self, verb: Verb) -> Result<()> {
        self.wish_for(SHOP, verb).await
    }

    /// Where the large shop stands.
    pub async fn state(&self) -> Result<String> {
        let states = mover::status(&self.store).await?;
        Ok(states.record(SHOP).and_then(|seen| seen.text("state")).unwrap_or("planned").to_owned())
    }

    /// What the copy has come to, as the throttle counts it: rows that are staged, and ten for each document made of them.
    pub fn worked(&self) -> Result<u64> {
        let one = |file: &str, sql: &str| -> Result<i64> {
            let path = self.work.path().join(file);
            let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(BUSY_MAX)?;
            Ok(connection.query_row(sql, [SHOP], |row| row.get(0))?)
        };
        let rows = one("staged.sqlite", "select coalesce(sum(rows), 0) from copied where shop = ?1")?;
        let documents = one("store.sqlite", "select count(*) from document where shop = ?1")?;
        Ok(u64::try_from(rows + 10 * documents)?)
    }

    /// Where the large shop stands, and its throttle, in words.
    pub async fn progress(&self) -> Result<String> {
        let states = mover::status(&self.store).await?;
        let Some(seen) = states.record(SHOP) else { return Ok("planned".to_owned()) };
        let state = seen.text("state").unwrap_or("planned");
        let Some(throttle) = seen.record("throttle") else { return Ok(state.to_owned()) };
        let (rows, why) = (throttle.int("rows_per_s").unwrap_or(0), throttle.text("why").unwrap_or(""));
        Ok(format!("{state}, at most {rows} rows/s, {why}"))
    }

    async fn ready(&self, shop: &str, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let states = mover::status(&self.store).await?;
            let seen = states.record(shop);
            if seen.and_then(|seen| seen.text("state")) == Some("ready") {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("shop {shop} is not ready in time: {seen:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wish_for(&self, shop: &str, verb: Verb) -> Result<()> {
        let wish = Wish {
            shop: Some(ShopId::parse(shop)?),
            verb: verb.name().into(),
            args: Record::default(),
            who: "benches".into(),
            why: "a measurement".into(),
            at: (baliklayar::serving::clock())(),
        };
        Ok(self.store.wish(wish).await.map(drop)?)
    }

    /// Serving first: it would otherwise see its source vanish.
    pub async fn end(self) {
        end(self.serving).await;
        end(self.legacy).await;
    }
}

/// Starts this executable as one of the product's processes.
async fn child(args: &[String]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args);
    until_ready(command, &args[0]).await
}

fn plan(source: &str, shops: &[ShopId], throttled: bool) -> Plan {
    let file = |name: &str, text: &str| PlanFile { name: name.to_owned(), text: text.to_owned() };
    Plan {
        source: source.to_owned(),
        mappings: vec![file("kios.toml", KIOS)],
        totals: vec![file("kios.totals.toml", KIOS_TOTALS)],
        // Every session of the database is the legacy's, save ours.
        policy: if throttled { String::new() } else { "throttle = false".to_owned() },
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: shops.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }).collect(),
        deadline: None,
        created_at: (baliklayar::serving::clock())(),
    }
}
