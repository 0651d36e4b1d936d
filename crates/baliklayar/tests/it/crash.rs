//! Serving is killed at every crash point, under load, and each time the move ends where it must.
//!
//! A hold that was under way ends on the source unless its flip was durable; then it is finished. Whatever was
//! acknowledged is there, no request fails, every shop is moved, rolled back, moved again and sealed, and serving
//! answers again within five seconds.

use crate::demo::{Demo, Ended, How, Step, alone, executable, long, open_store, say, seed};
use crate::service::{BACK_MAX, Outage, Watch};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a demo with one kill may take.
const DEMO_MAX: Duration = Duration::from_secs(120);
/// A hold is given up after 400 ms; what is held up for longer than that comes too late.
const HELD_UP: Duration = Duration::from_millis(450);

/// What became of what the killed process had under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    BackOnSource,
    Finished,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackOnSource => "back on source",
            Self::Finished => "finished",
        })
    }
}

/// The points that `demo --list-crash-points` prints.
pub fn points() -> Vec<String> {
    let listed = Command::new(executable()).args(["demo", "--list-crash-points"]).output().unwrap();
    assert!(listed.status.success());
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Which pass of a point kills, so that it falls into the traffic and not on its first moment.
fn nth(point: &str) -> u32 {
    match act(point) {
        "copy.chunk" => 10,
        "apply.batch" => 60,
        "reverse.batch" => 8,
        "shop.commit" => 40,
        "rail.call" => 4,
        "inbox.insert" => 2,
        _ => 1,
    }
}

fn act(point: &str) -> &str {
    point.rsplit_once('.').map_or(point, |(act, _)| act)
}

/// Points that an undisturbed move never meets are met because somebody else (a backup, say) holds the lock of our
/// store's file for longer than a hold may last: from the record of this step on.
fn held_up_at(point: &str) -> Option<(&'static str, &'static str)> {
    match act(point) {
        "move.abort" => Some(("to_backend", "hold")),
        "move.unfence" => Some(("to_backend", "fence")),
        "back.abort" => Some(("to_legacy", "hold")),
        _ => None,
    }
}

/// Holds the lock of the store's file each time the newest record of a shop is of this step, until told to stop.
fn hold_up(work: PathBuf, at: (&'static str, &'static str), stop: Arc<AtomicBool>) -> rusqlite::Result<()> {
    let reader = open_store(&work)?;
    let mut writer = Connection::open(work.join("store.sqlite"))?;
    writer.busy_handler(Some(|tries| {
        std::thread::sleep(Duration::from_micros(100));
        tries < 50_000
    }))?;
    let sql = "select shop, epoch from step_record r where direction = ?1 and step = ?2
               and n = (select max(n) from step_record where shop = r.shop)";
    let mut newest = reader.prepare(sql)?;
    let mut met: Option<(String, i64)> = None;
    while !stop.load(Ordering::SeqCst) {
        let found = newest.query_map([at.0, at.1], |row| Ok((row.get(0)?, row.get(1)?)))?.next().transpose()?;
        if found.is_some() && found != met {
            let locked = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            std::thread::sleep(HELD_UP);
            drop(locked);
            met = found;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Ok(())
}

/// One demo in which serving is killed at a point.
struct Killed {
    ended: Ended,
    outage: Option<Outage>,
    /// Who was killed, as the records name it.
    by: String,
}

fn kill_at(source: &'static str, point: &str) -> Killed {
    let _alone = alone();
    let how = How { crash: Some(format!("{point}:{}", nth(point))), ..How::on(source) };
    let mut demo = Demo::start(&how);
    let addresses = demo.addresses();
    let by = format!("serving-{}", addresses.serving().unwrap());
    let watch = Watch::start(&addresses, how.shops);
    let stop = Arc::new(AtomicBool::new(false));
    let holding_up = held_up_at(point).map(|at| {
        let (work, stop) = (demo.work.clone(), Arc::clone(&stop));
        std::thread::spawn(move || hold_up(work, at, stop))
    });
    let begun = Instant::now();
    while demo.is_running() && begun.elapsed() < DEMO_MAX && !watch.saw_death() {
        std::thread::sleep(Duration::from_millis(2));
    }
    stop.store(true, Ordering::SeqCst);
    if let Some(holding_up) = holding_up {
        holding_up.join().unwrap().unwrap();
    }
    let ended = demo.end(DEMO_MAX);
    Killed { outage: watch.end(), ended, by }
}

/// Whoever holds a hold up from outside may miss the moment: a step takes a millisecond.
const MISSED_MAX: u32 = 4;

/// The same, until the point is met or the moment was missed too often.
fn kill_surely_at(source: &'static str, point: &str) -> Killed {
    let mut killed = kill_at(source, point);
    for _ in 1..MISSED_MAX {
        if killed.ended.restarts > 0 || held_up_at(point).is_none() {
            break;
        }
        say(&format!("{source} {point}: the moment was missed, once more"));
        killed = kill_at(source, point);
    }
    killed
}

/// What became of the holds that the dead process had under way; without one, of what it did beside.
fn outcome(steps: &[Step], by: &str, point: &str) -> Outcome {
    let open = left_open(steps, by);
    // A hold that was not even intended leaves its shop where it was.
    let on_source =
        if open.is_empty() { point.ends_with(".hold.before") } else { open.iter().any(|hold| !flipped(steps, hold)) };
    if on_source { Outcome::BackOnSource } else { Outcome::Finished }
}

/// Shop and epoch of each hold that this process began, or took up, and did not release.
pub fn left_open(steps: &[Step], by: &str) -> Vec<(String, i64)> {
    let mut open = BTreeMap::new();
    for step in steps.iter().filter(|step| step.by == by) {
        match (step.step.as_str(), step.phase.as_str()) {
            ("release", "done") => drop(open.remove(&step.shop)),
            (name, _) if CUTOVER.contains(&name) => drop(open.insert(step.shop.clone(), step.epoch)),
            _ => {}
        }
    }
    open.into_iter().collect()
}

/// The steps between a hold and its release.
const CUTOVER: [&str; 10] =
    ["hold", "drain", "fence", "mark", "catch_up", "prove", "flip", "unfence", "abort", "release"];

fn of<'a>(steps: &'a [Step], (shop, epoch): &'a (String, i64)) -> impl Iterator<Item = &'a Step> {
    steps.iter().filter(move |step| step.shop == *shop && step.epoch == *epoch)
}

fn flipped(steps: &[Step], hold: &(String, i64)) -> bool {
    of(steps, hold).any(|step| step.step == "flip" && step.phase == "done")
}

/// What is wrong with how the holds ended that this process left open: each may only go on where its flip was durable,
/// and ends with a release either way.
pub fn wrongly_ended(steps: &[Step], by: &str) -> Option<String> {
    let wrong = left_open(steps, by).into_iter().find(|hold| {
        let by_another = |step: &Step| step.by != by && step.step == "flip" && step.phase == "done";
        let aborted = of(steps, hold).any(|step| step.step == "abort" && step.phase == "done");
        let released = of(steps, hold).any(|step| step.step == "release" && step.phase == "done");
        !released || aborted == flipped(steps, hold) || of(steps, hold).skip_while(|step| step.by != by).any(by_another)
    })?;
    let how: Vec<String> = of(steps, &wrong).map(|step| format!("{} {} {}", step.by, step.step, step.phase)).collect();
    Some(format!("the hold of shop {} at epoch {}: {}", wrong.0, wrong.1, how.join(", ")))
}

/// What is wrong with a kill, if anything is.
fn fault(killed: &Killed, point: &str) -> Option<String> {
    let Killed { ended, outage, by } = killed;
    if ended.restarts != 1 || !ended.said.contains("SIGKILL") {
        return Some(format!("the point was never reached ({} restarts)", ended.restarts));
    }
    let Some(outage) = outage else { return Some("serving does not answer again".to_owned()) };
    if outage.reads > BACK_MAX || outage.writes > BACK_MAX {
        return Some(format!("out of service for too long: {outage:?}"));
    }
    let step = act(point).split_once('.').filter(|(way, _)| matches!(*way, "move" | "back")).map(|(_, step)| step);
    let beside = step.is_none() || step == Some("seal") || point.ends_with(".hold.before");
    if !beside && left_open(&ended.steps, by).is_empty() {
        return Some("no hold was under way".to_owned());
    }
    wrongly_ended(&ended.steps, by).or_else(|| ended.fault())
}

/// Kills at each point and prints a line for each; panics at the end with what was wrong.
fn kill_at_each(source: &'static str, chosen: &[String], all: usize) {
    say(&format!("{source}: {} of {all} crash points, seed {}", chosen.len(), seed()));
    let mut faults = Vec::new();
    for point in chosen {
        let killed = kill_surely_at(source, point);
        let became = outcome(&killed.ended.steps, &killed.by, point);
        let back = killed.outage.as_ref().map_or(0, |outage| outage.reads.max(outage.writes).as_millis());
        say(&format!("{source} {point} → {became} (service after {back} ms)"));
        if let Some(fault) = fault(&killed, point) {
            say(&format!("{source} {point}: {fault}\n{}", killed.ended.keep()));
            faults.push(format!("{point}: {fault}"));
        }
    }
    say(&format!(
        "{source}: {} of {} crash points as they must be, seed {}",
        chosen.len() - faults.len(),
        chosen.len(),
        seed()
    ));
    assert!(faults.is_empty(), "{source}, seed {}:\n{}", seed(), faults.join("\n"));
}

/// What is always killed, one phase each in turn; beside it some of the rest.
const ALWAYS: [&str; 11] = [
    "move.flip",
    "back.flip",
    "move.fence",
    "back.fence",
    "move.abort",
    "back.abort",
    "move.release",
    "back.release",
    "shop.commit",
    "rail.call",
    "reverse.batch",
];
const BESIDE: usize = 3;

/// All points where the full counts are asked for; else a part that the seed turns.
fn chosen(all: &[String], source: &'static str) -> Vec<String> {
    if long() {
        return all.to_vec();
    }
    let turn = usize::try_from(seed()).unwrap();
    let phases = [".before", ".during", ".after"];
    let always = ALWAYS.iter().enumerate().map(|(at, act)| format!("{act}{}", phases[(turn + at) % phases.len()]));
    let rest: Vec<&String> = all.iter().filter(|point| !ALWAYS.contains(&act(point))).collect();
    let beside = (0..BESIDE).map(|at| rest[(turn * BESIDE + at * (rest.len() / BESIDE)) % rest.len()].clone());
    match source {
        "sqlite" => always.chain(beside).collect(),
        // A server of its own takes its time: of these two, the one and the other way.
        _ => always.skip(turn % 4).step_by(5).take(2).collect(),
    }
}

#[test]
fn every_crash_point_is_chosen_in_the_full_run_and_named_ones_in_each() {
    let all = points();
    assert_eq!(all.len(), 81);
    if !long() {
        let chosen = chosen(&all, "sqlite");
        assert!(ALWAYS.iter().all(|always| chosen.iter().any(|point| act(point) == *always)));
        assert!(chosen.iter().all(|point| all.contains(point)), "{chosen:?}");
    }
}

#[test]
fn killed_at_a_crash_point_a_move_of_a_sqlite_legacy_ends_on_its_source_or_finished() {
    let all = points();
    kill_at_each("sqlite", &chosen(&all, "sqlite"), all.len());
}

#[test]
fn killed_at_a_crash_point_a_move_of_a_postgresql_legacy_ends_on_its_source_or_finished() {
    let all = points();
    kill_at_each("postgres", &chosen(&all, "postgres"), all.len());
}
