//! What happens in the demo, in order: shops are started, moved (one, a few, all), one goes back and again, all are
//! sealed; while people buy.

use super::shoppers::Shoppers;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mover::Verb;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::{Store, Wish};
use vocab::document::Record;
use vocab::id::{ShopId, Side};

/// Longest waits; a story that takes longer has failed, and the report says so.
const READY_MAX: Duration = Duration::from_secs(240);
const FLIP_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(25);
/// How long a shop is busy before its hold.
const SURGE_BEFORE: Duration = Duration::from_millis(700);

/// The demo's plot.
pub struct Story<'a> {
    pub store: &'a Store,
    pub shops: &'a [ShopId],
    pub seconds: u64,
    pub shoppers: &'a mut Shoppers,
}

/// What the story came to, beside what the records say.
#[derive(Debug, Default)]
pub struct Told {
    pub rolled_back: u64,
    /// What did not come true in time.
    pub stuck: Vec<String>,
    /// Who refused what a seeded fault tried.
    pub refused_by: Option<String>,
}

impl Story<'_> {
    /// Tells it all. An error is the world's; what did not come true is in the result.
    pub async fn tell(&mut self) -> Result<Told> {
        let begun = Instant::now();
        let mut told = Told::default();
        tokio::time::sleep(Duration::from_millis(self.seconds * 1_000 / 10)).await;
        let copying = bar("copying and verifying", self.shops.len());
        self.wish(None, Verb::Start, "the move begins").await?;
        if let Err(stuck) = self.wait_ready(self.shops, &copying).await {
            told.stuck.push(format!("{stuck:#}"));
        }
        copying.finish();
        self.shoppers.phase("during").await?;
        let moving = bar("moving", self.shops.len());
        for group in groups(self.shops) {
            self.flip(group, Verb::Flip, &mut told).await?;
            moving.inc(u64::try_from(group.len()).unwrap_or(0));
        }
        moving.finish();
        if let Some(shop) = self.shops.get(self.shops.len() / 2) {
            self.there_and_back(&shop.clone(), &mut told).await?;
        }
        self.shoppers.phase("after").await?;
        let rest = Duration::from_secs(self.seconds).saturating_sub(begun.elapsed()).max(Duration::from_secs(3));
        tokio::time::sleep(rest / 2).await;
        self.seal(&mut told).await?;
        tokio::time::sleep(rest / 2).await;
        Ok(told)
    }

    /// A rollback, and the second move.
    async fn there_and_back(&mut self, shop: &ShopId, told: &mut Told) -> Result<()> {
        let one = std::slice::from_ref(shop);
        let spinner = bar("moving one back, and again", 2);
        let stuck_before = told.stuck.len();
        self.flip(one, Verb::Rollback, told).await?;
        told.rolled_back += u64::from(told.stuck.len() == stuck_before);
        spinner.inc(1);
        if let Err(stuck) = self.wait_ready(one, &spinner).await {
            told.stuck.push(format!("{stuck:#}"));
        }
        self.flip(one, Verb::Flip, told).await?;
        spinner.finish();
        Ok(())
    }

    /// Moves a group of shops, each busy from ready to release, and looks at everything they ever acknowledged.
    async fn flip(&mut self, group: &[ShopId], verb: Verb, told: &mut Told) -> Result<()> {
        for shop in group {
            self.shoppers.surge(shop, true).await?;
        }
        tokio::time::sleep(SURGE_BEFORE).await;
        for shop in group {
            self.shoppers.hold(shop, true).await?;
        }
        for shop in group {
            self.wish(Some(shop), verb, "the demo's story").await?;
        }
        let wanted = if verb == Verb::Flip { Side::Backend } else { Side::Legacy };
        let deadline = Instant::now() + FLIP_MAX;
        for shop in group {
            if let Err(stuck) = self.wait_owner(shop, wanted, deadline).await {
                told.stuck.push(format!("{stuck:#}"));
            }
        }
        for shop in group {
            self.shoppers.hold(shop, false).await?;
            self.shoppers.surge(shop, false).await?;
            self.shoppers.check(shop).await?;
        }
        Ok(())
    }

    async fn seal(&mut self, told: &mut Told) -> Result<()> {
        let sealing = bar("sealing", self.shops.len());
        self.wish(None, Verb::Seal, "the soak is over").await?;
        let deadline = Instant::now() + FLIP_MAX;
        loop {
            let states = mover::status(self.store).await?;
            let sealed = self.shops.iter().filter(|shop| state(&states, shop) == Some("sealed")).count();
            sealing.set_position(u64::try_from(sealed).unwrap_or(0));
            if sealed == self.shops.len() {
                sealing.finish();
                return Ok(());
            }
            if Instant::now() > deadline {
                told.stuck.push(format!("only {sealed} of {} shops are sealed: {}", self.shops.len(), waits(&states)));
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_ready(&self, shops: &[ShopId], bar: &ProgressBar) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        loop {
            let states = mover::status(self.store).await?;
            let waiting: BTreeSet<&ShopId> =
                shops.iter().filter(|shop| state(&states, shop) != Some("ready")).collect();
            if shops.len() == self.shops.len() {
                bar.set_position(u64::try_from(shops.len() - waiting.len()).unwrap_or(0));
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not ready in time: {waiting:?}: {}", waits(&states));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_owner(&self, shop: &ShopId, wanted: Side, deadline: Instant) -> Result<()> {
        loop {
            let head = self.store.head(shop).await?.context("a planned shop has a head")?;
            let states = mover::status(self.store).await?;
            let settled = matches!(state(&states, shop), Some("soaking" | "tracking" | "ready"));
            if head.owner == wanted && settled {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("shop {shop} is not moved to {} in time: {}", wanted.name(), waits(&states));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wish(&self, shop: Option<&ShopId>, verb: Verb, why: &str) -> Result<()> {
        let wish = Wish {
            shop: shop.cloned(),
            verb: verb.name().into(),
            args: Record::default(),
            who: "demo".into(),
            why: why.into(),
            at: (crate::serving::clock())(),
        };
        self.store.wish(wish).await?;
        Ok(())
    }
}

fn state<'a>(states: &'a Record, shop: &ShopId) -> Option<&'a str> {
    states.record(shop.as_str())?.text("state")
}

/// What the drivers say they wait for, of the shops that are not through.
fn waits(states: &Record) -> String {
    let lines = states.0.iter().filter_map(|(shop, node)| match node {
        vocab::document::Node::Record(row) => {
            Some(format!("{shop}: {} waits for {}", row.text("state")?, row.text("waits_for").unwrap_or("nothing")))
        }
        _ => None,
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// One, a few, then all the others, two at a time.
fn groups(shops: &[ShopId]) -> Vec<&[ShopId]> {
    let (one, others) = shops.split_at(shops.len().min(1));
    let (few, rest) = others.split_at(others.len().min(3));
    [one, few].into_iter().filter(|group| !group.is_empty()).chain(rest.chunks(2)).collect()
}

/// A bar on standard error; a line where that is no terminal.
pub fn bar(what: &'static str, length: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(0));
    if let Ok(style) = ProgressStyle::with_template("{msg:28} [{bar:40}] {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    if bar.is_hidden() {
        eprintln!("{what} …");
    }
    bar
}
