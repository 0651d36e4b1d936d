//! What can befall a PostgreSQL source, at every phase of a move, with people buying: each ends in one of two outcomes,
//! and what people were told is true in both. `continued`: the shop goes the rest of its way, there and back. `stopped`:
//! it stands still with a code of the runbook, and sells on at its owner.
//!
//! A plain run takes some rows, which by the seed; `--long` takes them all. `BALIK_ISOLATION` names a file for what another
//! shop felt meanwhile: then each fault comes once, alone. Without it two rows are under way at a time, and nobody measures.

mod disk;
mod fault;
mod gate;
mod inject;
mod journey;
mod load;
mod page;
mod people;
mod recover;
mod report;
mod stage;
mod switch;

use crate::demo::{alone, long, seed};
use fault::{Fault, Outcome, Phase};
use load::Window;
use report::{Report, Row};
use stage::{House, Stage};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use testkit::server::Server;

/// How long a quiet look at the other shop takes, and so does one while something befalls the source, at least.
const QUIET: Duration = Duration::from_secs(6);
/// Rows under way at a time, where nobody measures.
const LANES: usize = 2;
/// A plain run takes one fault of so many.
const FEW: usize = 3;

#[test]
fn the_lists_are_complete() {
    assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| fault.number() == at));
    assert!(Phase::ALL.iter().enumerate().all(|(at, phase)| phase.number() == at));
}

#[test]
fn every_fault_of_the_source_ends_continued_or_stopped_with_a_code() {
    let _alone = alone();
    let report = Mutex::new(Report::new(seed()));
    let mut tasks: VecDeque<(Fault, Vec<Phase>)> = tasks(&report).into();
    // What may take long begins first.
    tasks.make_contiguous().sort_by_key(|(fault, phases)| (!fault.is_large(), std::cmp::Reverse(phases.len())));
    let tasks = Mutex::new(tasks);
    let common = apart(Server::start());
    std::thread::scope(|scope| {
        for _ in 0..if report::measures() { 1 } else { LANES } {
            scope.spawn(|| {
                loop {
                    let Some((fault, phases)) = tasks.lock().unwrap().pop_front() else { return };
                    let mut house = apart(House::of(fault, seed(), &common));
                    for (at, phase) in phases.iter().enumerate() {
                        let quiet = Quiet { before: at == 0, after: at + 1 == phases.len() };
                        let row = apart(row(&mut house, fault, *phase, quiet));
                        report.lock().unwrap().add(row);
                    }
                }
            });
        }
    });
    report.into_inner().unwrap().end();
}

/// The rows that this run takes, by fault.
fn tasks(report: &Mutex<Report>) -> Vec<(Fault, Vec<Phase>)> {
    let mut tasks = Vec::new();
    let few = !long() && std::env::var_os("BALIK_FAULT").is_none() && std::env::var_os("BALIK_PHASE").is_none();
    let turn = usize::try_from(seed() % 1_000).unwrap();
    for fault in Fault::ALL.into_iter().filter(|fault| chosen("BALIK_FAULT", fault.name())) {
        if few && !report::measures() && !(fault.number() + turn).is_multiple_of(FEW) {
            continue;
        }
        if fault == Fault::StagedFull && !disk::Disk::may_be() {
            report.lock().unwrap().leave_out(fault, "this process may not mount a small disk");
            continue;
        }
        tasks.push((fault, phases(fault)));
    }
    tasks
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
    if std::env::var_os("BALIK_PHASE").is_some() || (long() && !report::measures()) {
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
    let recovered = match &came {
        Ok(Outcome::Stopped(_, _)) => recover::recover(&mut stage, fault, phase).await,
        Ok(Outcome::Continued) | Err(_) => Ok(false),
    };
    let after = if quiet.after && measured { Some(still(&stage).await) } else { None };
    stage.load.end().await;
    // A row that went wrong may have left nobody a way to the legacy, and the oracle has to ask it.
    stage.switch.open();
    let said = people::complaint(&stage.people.finish().await);
    let mut wrong: Vec<String> = said.into_iter().chain(came.as_ref().err().cloned()).collect();
    wrong.extend(recovered.as_ref().err().cloned());
    if came.as_ref().is_ok_and(|came| *came != fault.due(phase)) {
        wrong.push(format!("must be {}", fault.due(phase)));
    }
    // While the legacy's server is away, nobody can answer for it.
    if during.wrong > 0 && fault != Fault::Failover {
        wrong.push(format!("{} of {} requests at another shop failed", during.wrong, during.requests));
    }
    let recovered = recovered.unwrap_or(false);
    Row { fault, phase, came: came.ok(), recovered, wrong, took: begun.elapsed(), before, during, after }
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
