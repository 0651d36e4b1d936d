//! What is measured: a database, the legacy, serving, and a plan for two shops, a small one and the large one.
//!
//! The small one is tracked before anything is measured: by then capture is installed, whatever a write costs more because
//! of it is in every figure, and what is compared is the copy alone.

use crate::children::{end, free_ports};
use crate::{kios, rows};
use anyhow::{Context, Result, bail};
use mover::Verb;
use rusqlite::{Connection, OpenFlags};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use store::{Store, Wish};
use testkit::postgres::Database;
use tokio::process::Child;
use vocab::document::Record;
use vocab::id::ShopId;

/// The large shop, and the small one.
pub const SHOP: &str = "1";
const SMALL: &str = "2";

pub const LOOK: Duration = Duration::from_millis(50);
const BUSY_MAX: Duration = Duration::from_secs(10);
const SMALL_READY_MAX: Duration = Duration::from_secs(120);

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
        let legacy = kios::legacy(&database.url, 2, legacy_port).await?;
        rows::fill(&database.connect().await, SHOP, i64::from(row_count)).await?;
        let work = tempfile::tempdir()?;
        let store = Store::open(work.path()).context("opening the store")?;
        let shops = [ShopId::parse(SHOP)?, ShopId::parse(SMALL)?];
        store.create_heads(&shops).await?;
        let policy = if throttled { "" } else { "throttle = false" };
        store.set_plan(&kios::plan(&database.url, &shops, policy)).await?;
        let serving = kios::serving(work.path(), seam_port, backend_port, legacy_port).await?;
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
