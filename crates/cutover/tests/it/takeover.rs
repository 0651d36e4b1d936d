//! Every crash point of a cutover, both ways: whoever takes over ends it on one side, with the right fence closed.

use crate::desk::{Desk, Event, FLIP, ROLLBACK};
use crash::Phase as When;
use cutover::next::Wishes;
use cutover::record::{Reason, StepName};
use expect_test::expect;
use std::fmt::Write;
use vocab::id::{Direction, Side};

const CUTOVER: [StepName; 10] = [
    StepName::Hold,
    StepName::Drain,
    StepName::Fence,
    StepName::Mark,
    StepName::CatchUp,
    StepName::Prove,
    StepName::Flip,
    StepName::Unfence,
    StepName::Abort,
    StepName::Release,
];

fn asks(direction: Direction) -> Wishes {
    match direction {
        Direction::ToBackend => FLIP,
        Direction::ToLegacy => ROLLBACK,
    }
}

/// At rest with one owner, the fence that belongs to him open and the other's closed.
fn assert_sound(desk: &Desk, what: &str) {
    assert!(desk.progress().at_rest(), "{what}: {}\n{}", desk.stands(), desk.log);
    assert_eq!(desk.fence_closed, desk.head.owner == Side::Backend, "{what}: {}\n{}", desk.stands(), desk.log);
    assert!(!desk.head.fenced, "{what}: {}\n{}", desk.stands(), desk.log);
}

/// Every cutover step both ways, with a shop that will come by it.
fn every_step() -> impl Iterator<Item = (Direction, StepName, Desk)> {
    [Direction::ToBackend, Direction::ToLegacy].into_iter().flat_map(|direction| {
        CUTOVER.into_iter().map(move |step| {
            let mut desk = Desk::before(direction);
            let part_of_abort = match step {
                StepName::Unfence => direction == Direction::ToBackend,
                step => step == StepName::Abort,
            };
            if part_of_abort {
                desk.happen(Event::Fail(StepName::Prove, Reason::Mismatch(1)));
                desk.log.clear();
            }
            (direction, step, desk)
        })
    })
}

/// Crashes at every point and prints what whoever takes over does, and who owns the shop then.
fn crash_everywhere(release_all_takes_over: bool) -> String {
    let mut table = String::new();
    for when in [When::Before, When::During, When::After] {
        for (direction, step, mut desk) in every_step() {
            desk.release_all_takes_over = release_all_takes_over;
            desk.happen(Event::Crash(step, when));
            desk.happen(Event::Wish(asks(direction)));
            let (_, rest) = desk.log.split_once("  dies at ").unwrap();
            let mut lines = rest.lines();
            let point = lines.next().unwrap();
            let until_rest: Vec<&str> = lines.take_while(|line| !line.starts_with("wait")).collect();
            let ended = if desk.head.owner == direction.source() { "back on source" } else { "finished" };
            writeln!(table, "{point} → {ended}: {}", until_rest.join(", ")).unwrap();
            assert_sound(&desk, point);
        }
    }
    table
}

#[test]
fn a_crash_at_any_point_ends_on_one_side() {
    expect![[r#"
        move.hold.before → finished: hold at epoch 2, at most 500 ms, drain, fence at epoch 2, waiting at most 200 ms, mark, catch up until 42, prove, flip to backend at epoch 2, release to backend at epoch 2, soak
        move.drain.before → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.before → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.unfence.before → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.before → back on source: abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.release.before → finished: release to backend at epoch 2, soak
        back.hold.before → finished: hold at epoch 3, at most 500 ms, drain, fence at epoch 3, waiting at most 200 ms, mark, catch up until 43, prove, flip to legacy at epoch 3, unfence at epoch 3, release to legacy at epoch 3, track, verify
        back.drain.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.unfence.before → finished: unfence at epoch 3, release to legacy at epoch 3, track, verify
        back.abort.before → back on source: abort at epoch 3: mismatch:1, release to backend at epoch 3
        back.release.before → finished: release to legacy at epoch 3, track, verify
        move.hold.during → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.drain.during → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.unfence.during → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.during → back on source: abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.release.during → finished: release to backend at epoch 2, soak
        back.hold.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.drain.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.unfence.during → finished: unfence at epoch 3, release to legacy at epoch 3, track, verify
        back.abort.during → back on source: abort at epoch 3: mismatch:1, release to backend at epoch 3
        back.release.during → finished: release to legacy at epoch 3, track, verify
        move.hold.after → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.drain.after → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.after → finished: release to backend at epoch 2, soak
        move.unfence.after → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.after → finished: release to legacy at epoch 2, hold at epoch 3, at most 500 ms, drain, fence at epoch 3, waiting at most 200 ms, mark, catch up until 43, prove, flip to backend at epoch 3, release to backend at epoch 3, soak
        move.release.after → finished: release to backend at epoch 2, soak
        back.hold.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.drain.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.after → finished: unfence at epoch 3, release to legacy at epoch 3, track, verify
        back.unfence.after → finished: unfence at epoch 3, release to legacy at epoch 3, track, verify
        back.abort.after → finished: release to backend at epoch 3, hold at epoch 4, at most 500 ms, drain, fence at epoch 4, waiting at most 200 ms, mark, catch up until 44, prove, flip to legacy at epoch 4, unfence at epoch 4, release to legacy at epoch 4, track, verify
        back.release.after → finished: release to legacy at epoch 3, track, verify
    "#]].assert_eq(&crash_everywhere(false));
}

#[test]
fn release_all_ends_what_died_at_any_point() {
    expect![[r#"
        move.hold.before → back on source: 
        move.drain.before → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.before → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.before → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.unfence.before → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.before → back on source: abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.release.before → finished: release to backend at epoch 2
        back.hold.before → back on source: 
        back.drain.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.before → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.unfence.before → finished: unfence at epoch 3, release to legacy at epoch 3
        back.abort.before → back on source: abort at epoch 3: mismatch:1, release to backend at epoch 3
        back.release.before → finished: release to legacy at epoch 3
        move.hold.during → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.drain.during → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.during → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.unfence.during → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.during → back on source: abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.release.during → finished: release to backend at epoch 2
        back.hold.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.drain.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.during → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.unfence.during → finished: unfence at epoch 3, release to legacy at epoch 3
        back.abort.during → back on source: abort at epoch 3: mismatch:1, release to backend at epoch 3
        back.release.during → finished: release to legacy at epoch 3
        move.hold.after → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.drain.after → back on source: abort at epoch 2: lost, release to legacy at epoch 2
        move.fence.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.mark.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.catch_up.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.prove.after → back on source: unfence at epoch 2: lost, abort at epoch 2: lost, release to legacy at epoch 2
        move.flip.after → finished: release to backend at epoch 2
        move.unfence.after → back on source: unfence at epoch 2: mismatch:1, abort at epoch 2: mismatch:1, release to legacy at epoch 2
        move.abort.after → back on source: release to legacy at epoch 2
        move.release.after → finished: release to backend at epoch 2
        back.hold.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.drain.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.fence.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.mark.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.catch_up.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.prove.after → back on source: abort at epoch 3: lost, release to backend at epoch 3
        back.flip.after → finished: unfence at epoch 3, release to legacy at epoch 3
        back.unfence.after → finished: unfence at epoch 3, release to legacy at epoch 3
        back.abort.after → back on source: release to backend at epoch 3
        back.release.after → finished: release to legacy at epoch 3
    "#]].assert_eq(&crash_everywhere(true));
}

#[test]
fn any_failing_step_ends_on_one_side() {
    for (direction, step, mut desk) in every_step() {
        desk.happen(Event::Fail(step, Reason::Failed("fault".into())));
        desk.happen(Event::Wish(asks(direction)));
        desk.happen(Event::Wish(Wishes::default()));
        assert_sound(&desk, step.name());
    }
}
