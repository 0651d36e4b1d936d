//! Brings the shop to the phase, lets the fault come, and looks what came of it: the rest of the journey, or a code.

use super::fault::{Fault, Outcome, Phase, Whom};
use super::gate::reached;
use super::inject::{self, strike};
use super::stage::Stage;
use crate::client::line_items;
use cutover::stopping::STOPPING;
use mover::Verb;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use vocab::id::{ShopId, Side};

/// Longest waits: for a state, and for what comes of a fault.
const STATE_MAX: Duration = Duration::from_secs(120);
const SETTLED_MAX: Duration = Duration::from_secs(120);
/// What blocks for so long without going away by itself has stopped the shop.
const BLOCKED: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(20);

type Told<T = ()> = Result<T, String>;

/// An order that no rule can read keeps the shop tracking: one that hardly anybody changes any more.
const OLD: &str = "select id, status from jual where toko_id = SHOP order by status not in ('BATAL', 'TOLAK'), status <> 'SELESAI', id";
/// The copy comes to a halt at a table that the fault itself does not want.
const fn halt(fault: Fault) -> &'static str {
    if matches!(fault, Fault::WideUnchanged) {
        "begin; lock table idem in access exclusive mode"
    } else {
        "begin; lock table kembali in access exclusive mode"
    }
}

const WAITS: &str = "select count(*) from pg_stat_activity where datname = current_database()
    and application_name = 'baliklayar' and wait_event_type = 'Lock'";

/// Brings the shop there and strikes; answers what came of it, and when the fault came.
pub async fn befall(stage: &mut Stage, house: &mut super::stage::House, fault: Fault, phase: Phase) -> Told<Instant> {
    if fault == Fault::OpenTransaction && phase == Phase::Copying {
        return inject::open_before_anything(stage).await;
    }
    start(stage, &stage.neighbour.clone()).await?;
    until(stage, &stage.neighbour.clone(), "ready").await?;
    match phase {
        Phase::Copying => {
            inject::eve(stage, house, fault, phase).await?;
            if fault == Fault::ColumnRetyped {
                // Or somebody would wait for the lock, with a state of before the fault.
                inject::hush(stage).await?;
            }
            copying(stage, fault).await?;
            let struck = strike(stage, house, fault, phase).await?;
            stage.lock = None;
            Ok(struck)
        }
        Phase::Tracking => {
            let old = stage.world.rows(&OLD.replace("SHOP", stage.shop.as_str())).await.swap_remove(0);
            let becomes = |status: &str| format!("update jual set status = '{status}' where id = {}", old[0]);
            stage.run(&becomes("ANEH")).await.map_err(said)?;
            start(stage, &stage.shop.clone()).await?;
            has_finding(stage, "mapping.word").await?;
            inject::eve(stage, house, fault, phase).await?;
            let struck = strike(stage, house, fault, phase).await?;
            // A fault may have taken the row, or the way to it.
            let _ = stage.run(&becomes(&old[1])).await;
            Ok(struck)
        }
        Phase::Ready => {
            ready(stage).await?;
            inject::eve(stage, house, fault, phase).await?;
            strike(stage, house, fault, phase).await
        }
        Phase::Soaking => {
            ready(stage).await?;
            inject::eve(stage, house, fault, phase).await?;
            owned_by(stage, Verb::Flip).await?;
            strike(stage, house, fault, phase).await
        }
        Phase::Held | Phase::Fenced => {
            ready(stage).await?;
            held(stage, house, fault, phase, Verb::Flip).await
        }
        Phase::HeldBack => {
            ready(stage).await?;
            owned_by(stage, Verb::Flip).await?;
            held(stage, house, fault, phase, Verb::Rollback).await
        }
    }
}

/// Inside a hold: the mover is stopped there while the fault comes.
async fn held(
    stage: &mut Stage,
    house: &mut super::stage::House,
    fault: Fault,
    phase: Phase,
    verb: Verb,
) -> Told<Instant> {
    inject::eve(stage, house, fault, phase).await?;
    let here = stage.gate.arm(&stage.shop, phase);
    stage.world.put_down(verb, Some(&stage.shop)).await;
    let stopped = reached(here).await?;
    let struck = strike(stage, house, fault, phase).await;
    drop(stopped);
    struck
}

async fn start(stage: &Stage, shop: &ShopId) -> Told {
    stage.world.put_down(Verb::Start, Some(shop)).await;
    Ok(())
}

async fn ready(stage: &Stage) -> Told {
    start(stage, &stage.shop).await?;
    until(stage, &stage.shop, "ready").await
}

/// The copy has come to a table that somebody has locked.
async fn copying(stage: &mut Stage, fault: Fault) -> Told {
    let lock = stage.world.postgres().await;
    lock.batch_execute(halt(fault)).await.map_err(said)?;
    stage.lock = Some(lock);
    start(stage, &stage.shop).await?;
    let begun = Instant::now();
    loop {
        let waits: i64 = stage.sql.query_one(WAITS, &[]).await.map_err(said)?.get(0);
        if waits > 0 {
            return Ok(());
        }
        in_time(stage, begun, "the copy does not come to the lock").await?;
    }
}

async fn has_finding(stage: &Stage, class: &str) -> Told {
    let begun = Instant::now();
    while !classes(stage, &stage.shop).await.contains(class) {
        in_time(stage, begun, "no finding").await?;
    }
    Ok(())
}

pub async fn until(stage: &Stage, shop: &ShopId, state: &str) -> Told {
    let begun = Instant::now();
    while text(stage, shop, "state").await.as_deref() != Some(state) {
        in_time(stage, begun, &format!("shop {shop} is not {state}")).await?;
    }
    Ok(())
}

async fn owned_by(stage: &Stage, verb: Verb) -> Told {
    let id = stage.world.put_down(verb, Some(&stage.shop)).await;
    let begun = Instant::now();
    while stage.world.store.wish_outcome(id).await.unwrap().is_none() {
        in_time(stage, begun, verb.name()).await?;
    }
    Ok(())
}

pub async fn in_time(stage: &Stage, begun: Instant, what: &str) -> Told {
    if begun.elapsed() > STATE_MAX {
        return Err(format!("{what}: {}", stage.world.what_is_wrong().await));
    }
    tokio::time::sleep(LOOK).await;
    Ok(())
}

/// What the board says of a shop.
pub async fn text(stage: &Stage, shop: &ShopId, name: &str) -> Option<String> {
    let board = mover::status(&stage.world.store).await.unwrap();
    board.record(shop.as_str()).and_then(|row| row.text(name)).map(str::to_owned)
}

/// The classes of a shop's open findings.
pub async fn classes(stage: &Stage, shop: &ShopId) -> BTreeSet<String> {
    let counts = stage.world.store.finding_counts(shop).await.unwrap();
    counts.iter().filter(|count| count.open > 0).map(|count| count.class.to_string()).collect()
}

/// What comes of it: the shop goes the rest of the way, there and back, or it stands still with a code. An error is a
/// third outcome.
pub async fn settle(stage: &Stage, phase: Phase) -> Told<Outcome> {
    let rest: &[Verb] = match phase {
        Phase::Copying | Phase::Tracking | Phase::Ready | Phase::Held | Phase::Fenced => &[Verb::Flip, Verb::Rollback],
        Phase::Soaking => &[Verb::Rollback],
        Phase::HeldBack => &[Verb::Rollback, Verb::Flip],
    };
    for verb in rest {
        if let Some(code) = goes(stage, *verb).await? {
            return stopped(stage, code).await;
        }
    }
    // What is at rest again must be proven once more and have nothing open.
    match clean(stage).await? {
        Some(code) => stopped(stage, code).await,
        None => Ok(Outcome::Continued),
    }
}

/// Wishes it, and waits until it is so; or the code of what blocks.
async fn goes(stage: &Stage, verb: Verb) -> Told<Option<&'static str>> {
    let id = stage.world.put_down(verb, Some(&stage.shop)).await;
    let (begun, mut blocked) = (Instant::now(), None);
    loop {
        if stage.world.store.wish_outcome(id).await.unwrap().is_some() {
            return Ok(None);
        }
        if let Some(code) = blocks(stage, &mut blocked).await {
            return Ok(Some(code));
        }
        if begun.elapsed() > SETTLED_MAX {
            return Err(format!("hangs on the way to `{}`: {}", verb.name(), stage.world.what_is_wrong().await));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The code, once it has stood for a while. Any other finding is of rows, and goes away with them or is waited for in vain.
async fn blocks(stage: &Stage, since: &mut Option<(Instant, &'static str)>) -> Option<&'static str> {
    let open = classes(stage, &stage.shop).await;
    let mut codes = STOPPING.into_iter().chain(["rogue_watch"]);
    let Some(code) = codes.find(|code| open.contains(*code)) else {
        *since = None;
        return None;
    };
    match since {
        Some((at, before)) if *before == code => (at.elapsed() >= BLOCKED).then_some(code),
        _ => {
            *since = Some((Instant::now(), code));
            None
        }
    }
}

async fn clean(stage: &Stage) -> Told<Option<&'static str>> {
    let state = match stage.world.owner(&stage.shop).await {
        Side::Legacy => "ready",
        Side::Backend => "soaking",
    };
    let (begun, mut blocked, mut rests) = (Instant::now(), None, None);
    // What comes of the fault may be noticed only after the way was gone.
    while rests.is_none_or(|since: Instant| since.elapsed() < BLOCKED) {
        if let Some(code) = blocks(stage, &mut blocked).await {
            return Ok(Some(code));
        }
        let is_there = text(stage, &stage.shop, "state").await.as_deref() == Some(state) && blocked.is_none();
        rests = is_there.then(|| rests.unwrap_or_else(Instant::now));
        in_time(stage, begun, "not at rest").await?;
    }
    let open = classes(stage, &stage.neighbour).await;
    match open.first() {
        Some(class) => Err(format!("the neighbour has a finding, and this shop has none: {class}")),
        None => Ok(None),
    }
}

/// A shop stands still: whom else it stopped, and that people buy there all the same, from its owner.
async fn stopped(stage: &Stage, code: &'static str) -> Told<Outcome> {
    let product = format!("select min(id) from produk where toko_id = {} and aktif = 'Y'", stage.shop);
    let product = stage.world.one(&product).await;
    let body = json!({"line_items": line_items(&[(&product, 1)])});
    let answer = stage.world.send(&stage.world.write("POST", &stage.shop, "carts", &body)).await;
    if answer.status / 100 != 2 {
        return Err(format!("nobody can buy at the stopped shop: {} {}", answer.status, answer.body));
    }
    let whom = if classes(stage, &stage.neighbour).await.contains(code) { Whom::All } else { Whom::One };
    Ok(Outcome::Stopped(whom, code))
}

pub fn said(error: tokio_postgres::Error) -> String {
    let source = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
    format!("{error}: {source}")
}
