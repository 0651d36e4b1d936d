//! What can befall a PostgreSQL source, at every phase of a move, with people buying: each ends in one of two outcomes,
//! and what people were told is true in both. `continued`: the shop goes the rest of its way, there and back. `stopped`:
//! it stands still with a code of the runbook, and sells on at its owner.
//!
//! A plain run takes one phase of each fault, which by the seed; `--long` takes them all. `BALIK_ISOLATION` names a file
//! for what another shop felt meanwhile; without it nobody measures.

mod disk;
mod fault;
mod gate;
mod inject;
mod journey;
mod load;
mod people;
mod report;
mod stage;
mod switch;

use crate::demo::{alone, long, say, seed};
use fault::{Fault, Outcome, Phase};
use load::Window;
use report::{Report, Row};
use stage::{House, Stage};
use std::time::{Duration, Instant};

/// How long a quiet look at the other shop takes, and so does one while something befalls the source, at least.
const QUIET: Duration = Duration::from_secs(6);

#[test]
fn the_lists_are_complete() {
    assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| fault.number() == at));
    assert!(Phase::ALL.iter().enumerate().all(|(at, phase)| phase.number() == at));
}

#[test]
fn every_fault_of_the_source_ends_continued_or_stopped_with_a_code() {
    let _alone = alone();
    let mut report = Report::new(seed());
    for fault in Fault::ALL.into_iter().filter(|fault| chosen("BALIK_FAULT", fault.name())) {
        let phases = phases(fault);
        if fault == Fault::StagedFull && !disk::Disk::may_be() {
            say(&format!("{:<24}NOT RUN: this process may not mount a small disk", fault.name()));
            continue;
        }
        let mut house = apart(House::of(fault, seed()));
        for (at, phase) in phases.iter().enumerate() {
            let quiet = Quiet { before: at == 0, after: at + 1 == phases.len() };
            report.add(apart(row(&mut house, fault, *phase, quiet)));
        }
    }
    report.end();
}

/// A row's world ends with its runtime: nobody of it works on beside the next one.
fn apart<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Somebody who looks for one thing names it.
fn chosen(variable: &str, name: &str) -> bool {
    std::env::var(variable).map_or(true, |only| name.contains(&only))
}

fn phases(fault: Fault) -> Vec<Phase> {
    let named = Phase::ALL.into_iter().filter(|phase| chosen("BALIK_PHASE", phase.name()));
    if long() || std::env::var_os("BALIK_PHASE").is_some() {
        return named.collect();
    }
    let turn = usize::try_from(seed() % 1_000).unwrap();
    vec![Phase::ALL[(turn + fault.number()) % Phase::ALL.len()]]
}

/// Whether the other shop is looked at in quiet before, and after.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    before: bool,
    after: bool,
}

async fn row(house: &mut House, fault: Fault, phase: Phase, quiet: Quiet) -> Row {
    let begun = Instant::now();
    let mut stage = Stage::set(house, fault, phase, seed()).await;
    let measured = report::measures();
    let before = if quiet.before && measured { Some(still(&stage).await) } else { None };
    let (struck, came) = match journey::befall(&mut stage, house, fault, phase).await {
        Ok(struck) => (struck, outcome(&mut stage, phase).await),
        Err(what) => (Instant::now(), Err(what)),
    };
    while measured && struck.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let during = stage.load.window(struck, Instant::now());
    let after = if quiet.after && measured { Some(still(&stage).await) } else { None };
    stage.load.end().await;
    let said = people::complaint(&stage.people.finish().await);
    let wrong = match &came {
        Ok(outcome) if *outcome == fault.due(phase) => said,
        Ok(_) => Some(format!("must be {}; {}", fault.due(phase), said.unwrap_or_default())),
        Err(what) => Some(format!("{what}; {}", said.unwrap_or_default())),
    };
    Row { fault, phase, came: came.ok(), wrong, took: begun.elapsed(), before, during, after }
}

async fn outcome(stage: &mut Stage, phase: Phase) -> Result<Outcome, String> {
    inject::afterwards(stage).await?;
    journey::settle(stage, phase).await
}

/// Nothing happens but shopping.
async fn still(stage: &Stage) -> Window {
    let begun = Instant::now();
    tokio::time::sleep(QUIET).await;
    stage.load.window(begun, Instant::now())
}
