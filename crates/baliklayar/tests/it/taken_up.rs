//! Everything is killed in the middle of a hold: `move release-all` brings every shop to rest with nobody alive, and
//! the demo goes on from the folder as if nothing had been.

use crate::demo::{Demo, How, alone, executable, long, open_store, say, seed, steps};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const DEMO_MAX: Duration = Duration::from_secs(120);

/// Owner and epoch of every shop.
fn heads(work: &Path) -> BTreeMap<String, (String, i64)> {
    let store = open_store(work).unwrap();
    let mut heads = store.prepare("select shop, owner, epoch from shop_head").unwrap();
    let rows = heads.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// Shops between hold and release, by their records.
fn held(work: &Path) -> Vec<String> {
    let mut held = BTreeMap::new();
    for step in steps(work) {
        match (step.step.as_str(), step.phase.as_str()) {
            ("hold", "intent") => drop(held.insert(step.shop, step.epoch)),
            ("release", "done") => drop(held.remove(&step.shop)),
            _ => {}
        }
    }
    held.into_keys().collect()
}

/// Whether the legacy may write a shop, by the fence in its own database.
fn open_fences(work: &Path) -> BTreeMap<String, bool> {
    let path = work.join("legacy.sqlite");
    let legacy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut fences = legacy.prepare("select shop, closed = 0 from balik_fence").unwrap();
    let rows = fences.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

fn release_all(work: &Path) {
    let mut command = Command::new(executable());
    command.args(["move", "release-all", "--yes", "--json", "--work"]).arg(work).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said:?}");
    assert!(said.0.contains("released"), "{said:?}");
}

/// Kills serving at the point and its supervisor right after it, releases, looks, and lets the demo go on.
fn all_killed_at(point: &str) {
    let _alone = alone();
    let how = How::on("sqlite");
    let mut demo = Demo::start(&How { crash: Some(point.to_owned()), ..how.clone() });
    let pid = demo.addresses().serving().unwrap();
    demo.until("serving kills itself", DEMO_MAX, |_| !crate::demo::is_alive(pid));
    let folder = demo.kill();
    let work = folder.path().join("work");
    let (before, open) = (heads(&work), held(&work));
    assert!(!open.is_empty(), "{point}: no shop is in a hold");
    release_all(&work);
    assert_eq!(held(&work), Vec::<String>::new(), "{point}");
    let after = heads(&work);
    for (shop, (owner, epoch)) in &after {
        let (owned, was) = &before[shop];
        assert_eq!(owner, owned, "{point}: the owner of shop {shop} was committed before");
        assert!(*epoch == *was || (*epoch == was + 1 && open.contains(shop)), "{point}: shop {shop} {was} → {epoch}");
        assert_eq!(open_fences(&work)[shop], owner == "legacy", "{point}: the fence of shop {shop}, owned by {owner}");
    }
    // A second time there is nothing to do.
    release_all(&work);
    assert_eq!(heads(&work), after, "{point}");
    let ended = Demo::start_in(&how, folder).end(DEMO_MAX);
    say(&format!("{point}, everything killed: {open:?} released to {after:?}, taken up, {}", ended.status));
    if let Some(fault) = ended.fault() {
        panic!("{point}, seed {}: taken up again: {fault}\n{}", seed(), ended.keep());
    }
}

#[test]
fn with_everything_dead_release_all_leaves_no_shop_in_a_hold_and_the_demo_goes_on() {
    let points = ["move.prove.after", "back.flip.after", "move.flip.after", "move.fence.during", "back.mark.before"];
    let turn = usize::try_from(seed()).unwrap() % 2;
    let some = if long() { &points[..] } else { &points[turn..=turn] };
    say(&format!("{} of {} points at which everything is killed, seed {}", some.len(), points.len(), seed()));
    some.iter().for_each(|point| all_killed_at(point));
}

/// The private server of the legacy is taken up too, at another port.
#[test]
fn with_everything_dead_a_demo_on_postgresql_goes_on() {
    let _alone = alone();
    let how = How::on("postgres");
    let mut demo = Demo::start(&How { crash: Some("move.prove.after".to_owned()), ..how.clone() });
    let pid = demo.addresses().serving().unwrap();
    demo.until("serving kills itself", DEMO_MAX, |_| !crate::demo::is_alive(pid));
    let ended = Demo::start_in(&how, demo.kill()).end(DEMO_MAX);
    assert_eq!(ended.fault(), None, "{}", ended.said);
}

/// Who moves shops now, or did last.
fn lease(work: &Path) -> Option<String> {
    let sql = "select holder from lease where name = 'mover'";
    open_store(work).ok()?.query_row(sql, [], |row| row.get(0)).ok()
}

#[test]
fn an_interrupted_demo_leaves_no_hold_and_release_all_needs_no_dead_mover() {
    let _alone = alone();
    let mut demo = Demo::start(&How { shops: 4, surge: 0, ..How::on("sqlite") });
    let is_serving = |demo: &Demo| lease(&demo.work).is_some_and(|holder| holder.starts_with("serving-"));
    demo.until("a shop is held", DEMO_MAX, |demo| !held(&demo.work).is_empty());
    release_all(&demo.work);
    demo.until("the mover that lives has its lease again", DEMO_MAX, is_serving);
    demo.interrupt();
    let ended = demo.end(DEMO_MAX);
    assert_eq!(ended.status.code(), Some(130), "{}", ended.said);
    let work = ended.folder.path().join("work");
    assert_eq!(held(&work), Vec::<String>::new());
    let heads = heads(&work);
    for (shop, open) in open_fences(&work) {
        assert_eq!(open, heads[&shop].0 == "legacy", "the fence of shop {shop}, {:?}", heads[&shop]);
    }
}
