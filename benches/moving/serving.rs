//! Ours: the serving process with a plan for one shop, and what its files say of how far it is.

use crate::children::end_within;
use crate::kios::{child, plan};
use anyhow::{Context, Result, bail, ensure};
use cutover::record::{Phase, StepName};
use mover::Verb;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Store, Wish};
use tokio::process::Child;
use vocab::document::Record;
use vocab::id::ShopId;
use vocab::row::Table;

/// What a large copy has in its logs is taken over into its files first.
const END_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A work folder with a plan, and the process over it while it runs.
pub struct Serving {
    pub store: Store,
    pub shop: ShopId,
    work: tempfile::TempDir,
    child: Option<Child>,
}

/// How long each step took, from its intent to its outcome.
pub type Steps = BTreeMap<StepName, Duration>;

/// What a folder of ours holds.
#[derive(Debug, Default)]
pub struct Kept {
    pub bytes: u64,
    /// Of every table of ours, indexes not counted.
    pub rows: u64,
}

impl Serving {
    /// Plans the move of shop 1 of a database; nobody has begun it.
    pub async fn plan(source: &str) -> Result<Self> {
        let work = tempfile::tempdir()?;
        let store = Store::open(work.path()).context("opening the store")?;
        let shop = ShopId::parse("1")?;
        store.create_heads(std::slice::from_ref(&shop)).await?;
        store.set_plan(&plan(source, std::slice::from_ref(&shop), "")).await?;
        Ok(Self { store, shop, work, child: None })
    }

    /// Starts the process; returns when it serves. Its number is the answer.
    pub async fn start(&mut self) -> Result<u32> {
        let mut args = vec!["serving".to_owned(), "--work".to_owned(), self.work.path().display().to_string()];
        // Nobody buys here, so nothing is ever forwarded to the legacy.
        let ports = ["--seam-port", "0", "--backend-port", "0", "--legacy", "127.0.0.1:9"];
        let keys = ["--host-key", "host", "--seller-key", "seller"];
        args.extend(ports.into_iter().chain(keys).map(str::to_owned));
        let child = child(&args).await?;
        let pid = child.id().context("serving has no process")?;
        self.child = Some(child);
        Ok(pid)
    }

    pub async fn end(&mut self) {
        if let Some(child) = self.child.take() {
            end_within(child, END_MAX).await;
        }
    }

    pub async fn wish(&self, verb: Verb) -> Result<()> {
        let wish = Wish {
            shop: Some(self.shop.clone()),
            verb: verb.name().into(),
            args: Record::default(),
            who: "benches".into(),
            why: "a measurement".into(),
            at: (baliklayar::serving::clock())(),
        };
        self.store.wish(wish).await?;
        Ok(())
    }

    /// Waits until the shop is copied, mapped and verified, and says how long each step took.
    pub async fn wait_verified(&self, within: Duration) -> Result<Steps> {
        let deadline = Instant::now() + within;
        loop {
            let steps = self.steps().await?;
            if steps.contains_key(&StepName::Verify) {
                return Ok(steps);
            }
            if Instant::now() > deadline {
                bail!("the shop is not verified in time: {:?}", mover::status(&self.store).await?);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn steps(&self) -> Result<Steps> {
        let (mut begun, mut steps) = (BTreeMap::new(), Steps::new());
        for recorded in self.store.steps(&self.shop, 0).await? {
            let Some(record) = recorded.record() else { continue };
            let at = recorded.step.at.0;
            match record.phase {
                Phase::Intent => drop(begun.insert(record.step, at)),
                Phase::Done => {
                    let us = at - begun.get(&record.step).copied().unwrap_or(at);
                    steps.insert(record.step, Duration::from_micros(us.unsigned_abs()));
                }
                Phase::Failed => bail!("{} failed: {:?}", record.step.name(), recorded.step.detail),
            }
        }
        Ok(steps)
    }

    /// Waits until the stream is staged up to a position and all of it is derived.
    pub async fn wait_applied(&self, position: u64, within: Duration) -> Result<()> {
        let staged = open(&self.work.path().join("staged.sqlite"))?;
        let wanted = i64::try_from(position)?;
        let deadline = Instant::now() + within;
        let sql = "select coalesce((select at from position), 0) >= ?1 and not exists (select 1 from dirty)";
        while !staged.query_row(sql, [wanted], |row| row.get::<_, bool>(0))? {
            ensure!(Instant::now() < deadline, "the changes are not applied in time");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        self.work.path()
    }

    /// How large the files are, and how many rows they hold.
    pub fn kept(&self) -> Result<Kept> {
        let mut kept = Kept::default();
        for entry in std::fs::read_dir(self.work.path())? {
            let path = entry?.path();
            kept.bytes += path.metadata()?.len();
            if path.extension().is_some_and(|extension| extension == "sqlite") {
                kept.rows += rows(&open(&path)?)?;
            }
        }
        Ok(kept)
    }
}

pub fn open(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

fn rows(connection: &Connection) -> Result<u64> {
    let mut names = connection.prepare("select name from sqlite_schema where type = 'table'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut rows = 0;
    for name in names {
        let count: i64 = connection.query_row(&format!("select count(*) from \"{name}\""), [], |row| row.get(0))?;
        rows += u64::try_from(count)?;
    }
    Ok(rows)
}

/// Makes the legacy's tables in a database, as its own program does, with one shop.
pub async fn make_legacy(url: &str) -> Result<()> {
    let keys = ["--host-key", "host", "--seller-key", "seller"];
    let args = ["legacy", "--database", url, "--init", "--shops", "1", "--port", "0"].into_iter().chain(keys);
    let args: Vec<String> = args.map(str::to_owned).collect();
    end_within(child(&args).await?, END_MAX).await;
    Ok(())
}

/// The legacy's tables, as the mapping declares them.
pub fn tables() -> Result<Arc<Vec<Table>>> {
    let mapping = mover::compile(&plan("postgres://", &[ShopId::parse("1")?], ""))?;
    Ok(Arc::new(mapping.tables().to_vec()))
}
