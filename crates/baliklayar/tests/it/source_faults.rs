//! What can befall a PostgreSQL source, at every phase of a move, with people buying: each ends in one of two outcomes,
//! and what people were told is true in both. `continued`: the shop goes the rest of its way, there and back. `stopped`:
//! it stands still with a code of the runbook, and sells on at its owner.
//!
//! A plain run takes one phase of each fault, which by the seed; `--long` takes them all.

mod fault;
mod gate;
mod inject;
mod journey;
mod load;
mod people;
mod stage;
mod switch;

use crate::demo::{long, say, seed};
use fault::{Fault, Phase};
use stage::{House, Stage};
use std::time::Instant;
use vocab::id::Timestamp;

/// The machine's clock.
fn real_clock() -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let clock = baliklayar::serving::clock();
    move || clock()
}

/// One row of the table.
struct Row {
    fault: Fault,
    phase: Phase,
    came: String,
    wrong: Option<String>,
}

#[test]
fn the_lists_are_complete() {
    assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| fault.number() == at));
    assert!(Phase::ALL.iter().enumerate().all(|(at, phase)| phase.number() == at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fault_of_the_source_ends_continued_or_stopped_with_a_code() {
    let only = std::env::var("BALIK_FAULT").unwrap_or_default();
    let mut rows = Vec::new();
    for fault in Fault::ALL {
        if !fault.name().contains(&only) {
            continue;
        }
        let mut house = House::of(fault, seed()).await;
        for phase in phases(fault) {
            let begun = Instant::now();
            let row = row(&mut house, fault, phase).await;
            say(&format!(
                "{:<24}{:<12}{:<44}{:>6} ms{}",
                row.fault.name(),
                row.phase.name(),
                row.came,
                begun.elapsed().as_millis(),
                row.wrong.as_ref().map_or_else(String::new, |wrong| format!("  WRONG: {wrong}"))
            ));
            rows.push(row);
        }
    }
    let wrong = rows.iter().filter(|row| row.wrong.is_some()).count();
    assert_eq!(wrong, 0, "{wrong} of {} rows are not as they must be, seed {}", rows.len(), seed());
}

fn phases(fault: Fault) -> Vec<Phase> {
    if let Ok(only) = std::env::var("BALIK_PHASE") {
        return Phase::ALL.into_iter().filter(|phase| phase.name() == only).collect();
    }
    if long() {
        return Phase::ALL.to_vec();
    }
    let turn = usize::try_from(seed() % 1_000).unwrap();
    vec![Phase::ALL[(turn + fault.number()) % Phase::ALL.len()]]
}

async fn row(house: &mut House, fault: Fault, phase: Phase) -> Row {
    let mut stage = Stage::set(house, fault, phase, seed()).await;
    let (came, mut wrong) = match outcome(&mut stage, house, fault, phase).await {
        Ok(outcome) if outcome == fault.due(phase) => (outcome.to_string(), None),
        Ok(outcome) => (outcome.to_string(), Some(format!("must be {}", fault.due(phase)))),
        Err(what) => ("neither".to_owned(), Some(what)),
    };
    stage.load.end().await;
    let report = stage.people.finish().await;
    if let Some(complaint) = people::complaint(&report) {
        wrong = Some(wrong.map_or_else(String::new, |wrong| wrong + "; ") + "the oracle: " + &complaint);
    }
    Row { fault, phase, came, wrong }
}

async fn outcome(stage: &mut Stage, house: &mut House, fault: Fault, phase: Phase) -> Result<fault::Outcome, String> {
    journey::befall(stage, house, fault, phase).await?;
    inject::afterwards(stage).await?;
    journey::settle(stage, phase).await
}
