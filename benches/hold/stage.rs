//! What is measured: a database, the legacy, serving, and a plan for one shop.

use crate::children::{end, free_ports};
use crate::{kios, rows};
use anyhow::{Context, Result, bail};
use mover::Verb;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use store::{RecordedStep, Store, Wish};
use testkit::postgres::Database;
use tokio::process::Child;
use vocab::document::Record;
use vocab::id::ShopId;

const LOOK: Duration = Duration::from_millis(50);

/// Everything that runs for one case.
pub struct Stage {
    store: Store,
    shop: ShopId,
    database: Database,
    seam: SocketAddr,
    serving: Child,
    legacy: Child,
    _work: tempfile::TempDir,
}

impl Stage {
    /// Starts the legacy with so many rows, and serving, with a plan that nobody has begun.
    pub async fn set(row_count: u32, lean: bool) -> Result<Self> {
        let database = testkit::postgres::fresh_database().await;
        let [legacy_port, seam_port, backend_port] = free_ports()?;
        let mut legacy = kios::legacy(&database.url, 1, legacy_port).await?;
        rows::fill(&database.connect().await, i64::from(row_count)).await?;
        if lean {
            end(legacy).await;
            legacy = kios::child(&["lean".to_owned(), database.url.clone(), legacy_port.to_string()]).await?;
        }
        let work = tempfile::tempdir()?;
        let store = Store::open(work.path()).context("opening the store")?;
        let shop = ShopId::parse("1")?;
        store.create_heads(std::slice::from_ref(&shop)).await?;
        // A verification between two rounds is not what is measured, and takes no turns.
        store.set_plan(&kios::plan(&database.url, std::slice::from_ref(&shop), "throttle = false")).await?;
        let serving = kios::serving(work.path(), seam_port, backend_port, legacy_port).await?;
        let seam = SocketAddr::from((Ipv4Addr::LOCALHOST, seam_port));
        Ok(Self { store, shop, database, seam, serving, legacy, _work: work })
    }

    pub const fn seam(&self) -> SocketAddr {
        self.seam
    }

    /// The products that are on sale.
    pub async fn products(&self) -> Result<Vec<i64>> {
        rows::on_sale(&self.database.connect().await).await
    }

    pub async fn start(&self) -> Result<()> {
        self.put_down(Verb::Start).await.map(drop)
    }

    pub async fn wait_ready(&self, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let states = mover::status(&self.store).await?;
            let seen = states.record(self.shop.as_str());
            if seen.and_then(|seen| seen.text("state")) == Some("ready") {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the shop is not ready in time: {seen:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Wishes and waits until it came true.
    pub async fn wish(&self, verb: Verb, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        let wish = self.put_down(verb).await?;
        while self.store.wish_outcome(wish).await?.is_none() {
            if Instant::now() > deadline {
                bail!("{} did not come true: {:?}", verb.name(), mover::status(&self.store).await?);
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn put_down(&self, verb: Verb) -> Result<i64> {
        let wish = Wish {
            shop: Some(self.shop.clone()),
            verb: verb.name().into(),
            args: Record::default(),
            who: "benches".into(),
            why: "a measurement".into(),
            at: (baliklayar::serving::clock())(),
        };
        Ok(self.store.wish(wish).await?)
    }

    /// Every step record of the shop, in their order.
    pub async fn records(&self) -> Result<Vec<RecordedStep>> {
        let mut records = Vec::new();
        loop {
            let after = records.last().map_or(0, |last: &RecordedStep| last.number);
            let page = self.store.steps(&self.shop, after).await?;
            if page.is_empty() {
                return Ok(records);
            }
            records.extend(page);
        }
    }

    /// Serving first: it would otherwise see its source vanish.
    pub async fn end(self) {
        end(self.serving).await;
        end(self.legacy).await;
    }
}
