//! What happens in the demo, in order: shops are started, their catalogues are read from the copy, they are moved (one, a
//! few, all), one goes back and again, all are sealed; while people buy.

use super::patience::Patience;
use super::rush::Rush;
use super::shoppers::Shoppers;
use anyhow::{Context, Result, bail};
use cutover::record::{Phase, StepName};
use indicatif::{ProgressBar, ProgressStyle};
use mover::Verb;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::{Store, StoredWish, Wish};
use vocab::document::Record;
use vocab::id::{Direction, ShopId, Side};

/// Longest waits; a story that takes longer has failed, and the report says so.
const READY_MAX: Duration = Duration::from_secs(240);
const FLIP_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(25);
/// How long a shop is busy before its hold.
const SURGE_BEFORE: Duration = Duration::from_millis(700);

/// The demo's plot.
pub struct Story<'a> {
    pub store: &'a Store,
    pub shops: &'a [ShopId],
    pub seconds: u64,
    /// Requests per second at the shops that are about to move, together.
    pub surge: u32,
    /// Shops at the end of the list that are not sealed, for a person to move there and back.
    pub open: usize,
    pub shoppers: &'a mut Shoppers,
}

/// What the story came to, beside what the records say.
#[derive(Debug, Default)]
pub struct Told {
    pub rolled_back: u64,
    /// What did not come true in time.
    pub stuck: Vec<String>,
    /// Shops that findings keep where they are; nothing more is wished of them.
    pub given_up: BTreeSet<ShopId>,
    /// Who refused what a seeded fault tried.
    pub refused_by: Option<String>,
}

impl Story<'_> {
    /// Tells it all. An error is the world's; what did not come true is in the result.
    pub async fn tell(&mut self) -> Result<Told> {
        let begun = Instant::now();
        let mut told = Told::default();
        self.take_up().await?;
        tokio::time::sleep(Duration::from_millis(self.seconds * 1_000 / 10)).await;
        let copying = bar("copying and verifying", self.shops.len());
        self.wish(None, Verb::Start, "the move begins").await?;
        self.wait_ready(self.shops, &copying, &mut told).await?;
        copying.finish();
        // What was looked up at the legacy is looked up in the copy before anything else moves.
        self.wish(None, Verb::Dial, "reads move first").await?;
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

    /// After a kill of everything: what was wished before it comes true first, and nobody calls the rest *before*.
    async fn take_up(&mut self) -> Result<()> {
        let mut begun = false;
        for shop in self.shops {
            begun |= !self.store.steps(shop, 0).await?.is_empty();
        }
        if !begun {
            return Ok(());
        }
        eprintln!("a move is under way here: it goes on where it stood");
        self.shoppers.phase("during").await?;
        let deadline = Instant::now() + FLIP_MAX;
        while self.store.standing_wishes().await?.iter().any(is_open_rollback) {
            if Instant::now() > deadline {
                bail!(
                    "a rollback wished before the kill does not come true: {}",
                    waits(&mover::status(self.store).await?)
                );
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn owner(&self, shop: &ShopId) -> Result<Side> {
        Ok(self.store.head(shop).await?.context("a planned shop has a head")?.owner)
    }

    /// Whether a shop went back to the legacy once, in this run or before it.
    async fn went_back(&self, shop: &ShopId) -> Result<bool> {
        let records = self.store.steps(shop, 0).await?;
        let mut flips = records.iter().filter_map(mover::from_stored).filter(|record| record.step == StepName::Flip);
        Ok(flips.any(|flip| flip.direction == Direction::ToLegacy && flip.phase == Phase::Done))
    }

    /// A rollback, and the second move.
    async fn there_and_back(&mut self, shop: &ShopId, told: &mut Told) -> Result<()> {
        if told.given_up.contains(shop) {
            return Ok(());
        }
        if self.went_back(shop).await? {
            told.rolled_back += 1;
            return Ok(());
        }
        let one = std::slice::from_ref(shop);
        let spinner = bar("moving one back, and again", 2);
        let stuck_before = told.stuck.len();
        self.flip(one, Verb::Rollback, told).await?;
        told.rolled_back += u64::from(told.stuck.len() == stuck_before);
        spinner.inc(1);
        self.wait_ready(one, &spinner, told).await?;
        self.flip(one, Verb::Flip, told).await?;
        spinner.finish();
        Ok(())
    }

    /// Moves a group of shops, each in a rush, and looks at everything they ever acknowledged.
    async fn flip(&mut self, group: &[ShopId], verb: Verb, told: &mut Told) -> Result<()> {
        let wanted = if verb == Verb::Flip { Side::Backend } else { Side::Legacy };
        let mut moving = Vec::new();
        for shop in group {
            if self.owner(shop).await? != wanted && !told.given_up.contains(shop) {
                moving.push(shop);
            }
        }
        if moving.is_empty() {
            return Ok(());
        }
        // All of them have one legacy.
        let rate = self.surge.div_ceil(u32::try_from(moving.len())?);
        let rush = Rush::begin(self.store, self.shoppers, &moving, rate).await?;
        tokio::time::sleep(SURGE_BEFORE).await;
        for shop in &moving {
            self.shoppers.hold(shop, true).await?;
        }
        for shop in &moving {
            self.wish(Some(shop), verb, "the demo's story").await?;
        }
        self.wait_moved(&moving, wanted, rush, told).await?;
        for shop in &moving {
            self.shoppers.hold(shop, false).await?;
            self.shoppers.check(shop).await?;
        }
        Ok(())
    }

    async fn seal(&mut self, told: &mut Told) -> Result<()> {
        let (shops, _) = self.shops.split_at(self.shops.len().saturating_sub(self.open));
        let sealing = bar("sealing", shops.len());
        if self.open == 0 {
            self.wish(None, Verb::Seal, "the soak is over").await?;
        } else {
            for shop in shops {
                self.wish(Some(shop), Verb::Seal, "the soak is over").await?;
            }
        }
        let mut patience = Patience::new(FLIP_MAX);
        loop {
            let states = mover::status(self.store).await?;
            let open: Vec<&ShopId> = shops.iter().filter(|shop| state(&states, shop) != Some("sealed")).collect();
            sealing.set_position(u64::try_from(shops.len() - open.len()).unwrap_or(0));
            let awaited = open.iter().filter(|shop| !told.given_up.contains(**shop));
            let awaited = awaited.filter(|shop| !patience.is_over(&states, shop)).count();
            if awaited == 0 {
                sealing.finish();
                if !open.is_empty() {
                    told.stuck.push(format!("not sealed: {open:?}: {}", waits(&states)));
                }
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until each of these shops could be moved to the backend, or is there; those that will not be are given up.
    async fn wait_ready(&self, shops: &[ShopId], bar: &ProgressBar, told: &mut Told) -> Result<()> {
        let mut patience = Patience::new(READY_MAX);
        loop {
            let states = mover::status(self.store).await?;
            let mut waiting = BTreeSet::new();
            for shop in shops.iter().filter(|shop| !told.given_up.contains(*shop)) {
                // A shop that moved before a kill has been ready once.
                if state(&states, shop) != Some("ready") && self.owner(shop).await? == Side::Legacy {
                    waiting.insert(shop.clone());
                }
            }
            if shops.len() == self.shops.len() {
                bar.set_position(u64::try_from(shops.len() - waiting.len()).unwrap_or(0));
            }
            let in_vain = waiting.iter().filter(|shop| patience.is_over(&states, shop)).count();
            if in_vain == waiting.len() {
                if in_vain > 0 {
                    told.stuck.push(format!("not ready: {waiting:?}: {}", waits(&states)));
                }
                told.given_up.extend(waiting);
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_moved(&mut self, moving: &[&ShopId], wanted: Side, mut rush: Rush, told: &mut Told) -> Result<()> {
        let mut patience = Patience::new(FLIP_MAX);
        let mut waiting = moving.to_vec();
        loop {
            let states = mover::status(self.store).await?;
            let mut left = Vec::new();
            for shop in waiting {
                let settled = matches!(state(&states, shop), Some("soaking" | "tracking" | "ready"));
                if self.owner(shop).await? == wanted && settled {
                    continue;
                }
                if patience.is_over(&states, shop) {
                    told.stuck.push(format!("shop {shop} is not moved to {}: {}", wanted.name(), waits(&states)));
                    told.given_up.insert(shop.clone());
                    continue;
                }
                left.push(shop);
            }
            if left.is_empty() {
                return rush.end(self.shoppers).await;
            }
            rush.look(self.store, self.shoppers).await?;
            waiting = left;
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
    let lines = states.0.iter().filter_map(|(shop, node)| {
        let vocab::document::Node::Record(row) = node else { return None };
        Some(format!("{shop}: {} waits for {}", row.text("state")?, row.text("waits_for").unwrap_or("nothing")))
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

fn is_open_rollback(wish: &StoredWish) -> bool {
    wish.outcome.is_none() && *wish.wish.verb == *Verb::Rollback.name()
}
