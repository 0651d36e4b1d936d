//! What a mover does, as text: the way there, the way back, and every way that leads back to the source.

use crate::desk::{Desk, Event, FLIP, RELEASE_ALL, ROLLBACK, SEAL, check};
use crash::Phase as When;
use cutover::next::{Observed, Wishes};
use cutover::record::{Reason, StepName};
use expect_test::{Expect, expect};
use std::fmt::Write;
use vocab::id::{Direction, Side};

fn planned(events: &[Event], expect: &Expect) {
    check(Desk::planned(), events, expect);
}

fn there(events: &[Event], expect: &Expect) {
    check(Desk::before(Direction::ToBackend), events, expect);
}

fn back(events: &[Event], expect: &Expect) {
    check(Desk::before(Direction::ToLegacy), events, expect);
}

fn holding(observed: &mut Observed, change: impl FnOnce(&mut cutover::next::Holding)) {
    if let Some(hold) = &mut observed.hold {
        change(hold);
    }
}

const ABORT: Wishes = Wishes { abort: true, ..FLIP };
const PAUSE: Wishes = Wishes { pause: true, ..FLIP };

#[test]
fn a_planned_shop_moves_and_soaks() {
    planned(
        &[Event::Wish(FLIP)],
        &expect![[r#"
        install
        copy
        track
        verify
        hold at epoch 2, at most 500 ms
        drain
        fence at epoch 2, waiting at most 200 ms
        mark
        catch up until 42
        prove
        flip to backend at epoch 2
        release to backend at epoch 2
        soak
        wait for a wish
        soaking, owner backend at epoch 2, the legacy's fence closed
    "#]],
    );
}

#[test]
fn a_soaking_shop_goes_back_and_opens_the_legacys_fence_after_the_flip() {
    back(
        &[Event::Wish(ROLLBACK)],
        &expect![[r#"
        hold at epoch 3, at most 500 ms
        drain
        fence at epoch 3, waiting at most 200 ms
        mark
        catch up until 43
        prove
        flip to legacy at epoch 3
        unfence at epoch 3
        release to legacy at epoch 3
        track
        verify
        wait for a wish
        ready, owner legacy at epoch 3, the legacy's fence open
    "#]],
    );
}

#[test]
fn a_second_move_verifies_again_and_copies_nothing() {
    back(
        &[Event::Wish(ROLLBACK), Event::Wish(FLIP)],
        &expect![[r#"
        hold at epoch 3, at most 500 ms
        drain
        fence at epoch 3, waiting at most 200 ms
        mark
        catch up until 43
        prove
        flip to legacy at epoch 3
        unfence at epoch 3
        release to legacy at epoch 3
        track
        verify
        wait for a wish
        hold at epoch 4, at most 500 ms
        drain
        fence at epoch 4, waiting at most 200 ms
        mark
        catch up until 44
        prove
        flip to backend at epoch 4
        release to backend at epoch 4
        soak
        wait for a wish
        soaking, owner backend at epoch 4, the legacy's fence closed
    "#]],
    );
}

#[test]
fn a_seal_waits_for_a_verification_and_ends_the_move() {
    let unverified = Event::See(|observed| observed.back.verified = false);
    back(
        &[unverified, Event::Wish(SEAL), Event::Well, Event::Wish(ROLLBACK)],
        &expect![[r#"
        wait for a wish
        wait for condition verified
        seal
        wait for nothing
        wait for nothing
        sealed, owner backend at epoch 2, the legacy's fence closed
    "#]],
    );
}

#[test]
fn a_seal_half_done_is_finished_whatever_is_wished_then() {
    back(
        &[Event::Crash(StepName::Seal, When::During), Event::Wish(SEAL), Event::Wish(ROLLBACK)],
        &expect![[r#"
            wait for a wish
            seal
              dies at move.seal.during
            seal
            wait for nothing
            wait for nothing
            sealed, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn nothing_is_held_before_every_condition_is_met() {
    there(
        &[
            Event::See(|observed| observed.there.findings_open = 1),
            Event::Wish(FLIP),
            Event::See(|observed| observed.there.rehearsed = false),
            Event::See(|observed| observed.there.dirty = 500),
            Event::See(|observed| observed.there.lag_ms = Some(200)),
            Event::See(|observed| observed.there.rehearsed = false),
            Event::See(|observed| observed.there.lag_rising = true),
            Event::See(|observed| observed.stopped = Some("schema_changed".into())),
            Event::See(|observed| observed.rested = false),
        ],
        &expect![[r#"
            wait for a wish
            wait for condition findings
            wait for condition rehearsed
            wait for condition dirty
            wait for condition lag
            wait for condition rehearsed
            wait for condition lag
            wait for help: schema_changed
            wait for a rest after a failure
            ready, owner legacy at epoch 1, the legacy's fence open
        "#]],
    );
}

#[test]
fn a_rollback_waits_for_debt_and_facts() {
    back(
        &[
            Event::See(|observed| observed.back.debt = 1),
            Event::Wish(ROLLBACK),
            Event::See(|observed| observed.back.facts_left = Some(500)),
            Event::See(|observed| observed.back.facts_left = None),
        ],
        &expect![[r#"
            wait for a wish
            wait for condition debt
            wait for condition facts_left
            wait for condition facts_left
            soaking, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn a_pause_begins_nothing_and_lets_a_hold_go_on() {
    there(
        &[
            Event::Wish(PAUSE),
            Event::See(|observed| observed.open_work = Some(1)),
            Event::Wish(FLIP),
            Event::Wish(PAUSE),
            Event::Well,
        ],
        &expect![[r#"
            wait for the end of the pause
            wait for the end of the pause
            hold at epoch 2, at most 500 ms
            wait for open work at the source
            wait for open work at the source
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            catch up until 42
            prove
            flip to backend at epoch 2
            release to backend at epoch 2
            soak
            wait for the end of the pause
            soaking, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn a_drain_waits_for_the_seams_then_their_writes_then_the_source() {
    there(
        &[
            Event::See(|observed| holding(observed, |hold| hold.acknowledged = false)),
            Event::Wish(FLIP),
            Event::See(|observed| holding(observed, |hold| hold.in_flight_zero = false)),
            Event::See(|observed| observed.open_work = None),
            Event::See(|observed| observed.open_work = Some(2)),
            Event::See(|observed| observed.applied = Some(41)),
            Event::Well,
        ],
        &expect![[r#"
            wait for a wish
            hold at epoch 2, at most 500 ms
            wait for every seam to hold
            wait for what is in flight
            wait for open work at the source
            wait for open work at the source
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            wait for the target to stand at 42
            catch up until 42
            prove
            flip to backend at epoch 2
            release to backend at epoch 2
            soak
            wait for a wish
            soaking, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn a_hold_near_its_deadline_goes_back_without_a_fence() {
    there(
        &[
            Event::See(|observed| observed.open_work = Some(1)),
            Event::Wish(FLIP),
            Event::See(|observed| holding(observed, |hold| hold.elapsed_ms = 400)),
        ],
        &expect![[r#"
            wait for a wish
            hold at epoch 2, at most 500 ms
            wait for open work at the source
            abort at epoch 2: deadline
            release to legacy at epoch 2
            wait for a rest after a failure
            ready, owner legacy at epoch 2, the legacy's fence open
        "#]],
    );
}

#[test]
fn a_fence_waits_no_longer_than_the_hold_has_left() {
    there(
        &[
            Event::See(|observed| holding(observed, |hold| hold.elapsed_ms = 399)),
            Event::Fail(StepName::Fence, Reason::Failed("source.lock_timeout".into())),
            Event::Wish(FLIP),
        ],
        &expect![[r#"
            wait for a wish
            wait for a wish
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 1 ms
              failed: source.lock_timeout
            unfence at epoch 2: source.lock_timeout
            abort at epoch 2: source.lock_timeout
            release to legacy at epoch 2
            wait for a rest after a failure
            ready, owner legacy at epoch 2, the legacy's fence open
        "#]],
    );
}

#[test]
fn a_deadline_after_the_fence_opens_it_first() {
    there(
        &[
            Event::See(|observed| observed.applied = Some(41)),
            Event::Wish(FLIP),
            Event::See(|observed| holding(observed, |hold| hold.elapsed_ms = 450)),
        ],
        &expect![[r#"
            wait for a wish
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            wait for the target to stand at 42
            unfence at epoch 2: deadline
            abort at epoch 2: deadline
            release to legacy at epoch 2
            wait for a rest after a failure
            ready, owner legacy at epoch 2, the legacy's fence open
        "#]],
    );
}

#[test]
fn one_differing_aggregate_sends_the_shop_back() {
    there(
        &[Event::Fail(StepName::Prove, Reason::Mismatch(1)), Event::Wish(FLIP)],
        &expect![[r#"
        wait for a wish
        hold at epoch 2, at most 500 ms
        drain
        fence at epoch 2, waiting at most 200 ms
        mark
        catch up until 42
        prove
          failed: mismatch:1
        unfence at epoch 2: mismatch:1
        abort at epoch 2: mismatch:1
        release to legacy at epoch 2
        wait for a rest after a failure
        ready, owner legacy at epoch 2, the legacy's fence open
    "#]],
    );
}

#[test]
fn one_differing_aggregate_on_the_way_back_leaves_the_legacys_fence_closed() {
    back(
        &[Event::Fail(StepName::Prove, Reason::Mismatch(1)), Event::Wish(ROLLBACK)],
        &expect![[r#"
        wait for a wish
        hold at epoch 3, at most 500 ms
        drain
        fence at epoch 3, waiting at most 200 ms
        mark
        catch up until 43
        prove
          failed: mismatch:1
        abort at epoch 3: mismatch:1
        release to backend at epoch 3
        wait for a rest after a failure
        ready⁻¹, owner backend at epoch 3, the legacy's fence closed
    "#]],
    );
}

#[test]
fn an_abort_that_cannot_unfence_repeats_after_a_rest() {
    there(
        &[
            Event::See(|observed| observed.applied = Some(41)),
            Event::Wish(FLIP),
            Event::Fail(StepName::Unfence, Reason::Failed("source.unreachable".into())),
            Event::Wish(ABORT),
            Event::Well,
        ],
        &expect![[r#"
            wait for a wish
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            wait for the target to stand at 42
            wait for the target to stand at 42
            unfence at epoch 2: wished
              failed: source.unreachable
            wait for a rest after a failure
            unfence at epoch 2: wished
            abort at epoch 2: wished
            release to legacy at epoch 2
            wait for a rest after a failure
            ready, owner legacy at epoch 2, the legacy's fence open
        "#]],
    );
}

#[test]
fn what_was_seen_and_is_gone_sends_the_shop_back() {
    type See = fn(&mut Observed);
    let lost: [(&str, See); 5] = [
        ("a seam stops holding", |observed| holding(observed, |hold| hold.acknowledged = false)),
        ("a seam forwards", |observed| holding(observed, |hold| hold.in_flight_zero = false)),
        ("a queue is nearly full", |observed| holding(observed, |hold| hold.overflow = true)),
        ("the fence is open", |observed| observed.fence_closed = false),
        ("the hold is another process's", |observed| observed.hold = None),
    ];
    let mut table = String::new();
    for (what, see) in lost {
        let mut desk = Desk::before(Direction::ToBackend);
        desk.happen(Event::See(|observed| observed.applied = Some(41)));
        desk.happen(Event::Wish(FLIP));
        desk.log.clear();
        desk.happen(Event::See(see));
        writeln!(table, "{what}: {}", desk.log.lines().next().unwrap()).unwrap();
        assert_eq!(desk.head.owner, Side::Legacy);
        assert!(!desk.fence_closed && desk.progress().at_rest());
    }
    expect![[r#"
        a seam stops holding: unfence at epoch 2: seam_lost
        a seam forwards: unfence at epoch 2: seam_lost
        a queue is nearly full: unfence at epoch 2: overflow
        the fence is open: unfence at epoch 2: fence_open
        the hold is another process's: unfence at epoch 2: lost
    "#]]
    .assert_eq(&table);
}

#[test]
fn release_all_ends_a_living_hold_and_begins_nothing() {
    there(
        &[
            Event::See(|observed| observed.applied = Some(41)),
            Event::Wish(FLIP),
            Event::Wish(RELEASE_ALL),
            Event::Wish(RELEASE_ALL),
        ],
        &expect![[r#"
            wait for a wish
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            wait for the target to stand at 42
            unfence at epoch 2: release_all
            abort at epoch 2: release_all
            release to legacy at epoch 2
            wait for a wish
            wait for a wish
            ready, owner legacy at epoch 2, the legacy's fence open
        "#]],
    );
}

const REREAD: Wishes = Wishes { reread: true, ..FLIP };

#[test]
fn a_stopped_shop_whose_cause_is_mended_is_copied_again_from_nothing() {
    there(
        &[Event::See(stop), Event::Wish(FLIP), Event::Wish(REREAD)],
        &expect![[r#"
            wait for help: stream.lost
            wait for help: stream.lost
            reread
            copy
            track
            verify
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            catch up until 42
            prove
            flip to backend at epoch 2
            release to backend at epoch 2
            soak
            wait for a wish
            soaking, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn a_copy_that_is_begun_again_and_fails_or_dies_is_begun_again_once_more() {
    there(
        &[
            Event::See(stop),
            Event::Fail(StepName::Reread, Reason::Failed("mark_not_seen".into())),
            Event::Wish(REREAD),
            Event::Wish(REREAD),
        ],
        &expect![[r#"
            wait for help: stream.lost
            wait for help: stream.lost
            reread
              failed: mark_not_seen
            wait for a rest after a failure
            reread
            copy
            track
            verify
            hold at epoch 2, at most 500 ms
            drain
            fence at epoch 2, waiting at most 200 ms
            mark
            catch up until 42
            prove
            flip to backend at epoch 2
            release to backend at epoch 2
            soak
            wait for a wish
            soaking, owner backend at epoch 2, the legacy's fence closed
        "#]],
    );
}

#[test]
fn a_shop_that_the_backend_owns_is_not_copied_again() {
    back(
        &[Event::See(stop), Event::Wish(Wishes { flip: false, ..REREAD })],
        &expect![[r#"
        wait for help: stream.lost
        wait for help: stream.lost
        soaking, owner backend at epoch 2, the legacy's fence closed
    "#]],
    );
}

fn stop(observed: &mut Observed) {
    observed.stopped = Some("stream.lost".into());
}
