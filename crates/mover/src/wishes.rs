//! Wishes become what `cutover` is asked with; those that have come true are closed.

use crate::drive::Seen;
use cutover::next::Wishes;
use cutover::state::State;
use cutover::verb::Verb;
use std::collections::BTreeMap;
use store::StoredWish;
use vocab::document::Record;
use vocab::id::{Direction, ShopId, Side};

/// What a wish came to; none while it is open.
fn came_true(wish: &StoredWish) -> Option<bool> {
    wish.outcome.as_ref().map(|outcome| outcome.bool("fulfilled") == Some(true))
}

pub(crate) fn is_open(wish: &StoredWish) -> bool {
    wish.outcome.is_none()
}

/// What all standing wishes together want of one shop. Where they contradict each other, the newest counts, and one that
/// has come true still takes back what was wished before it.
pub(crate) fn of_shop(standing: &[StoredWish], shop: &ShopId) -> Wishes {
    let mut wishes = Wishes::default();
    for wish in standing.iter().filter(|wish| concerns(wish, shop) && came_true(wish) != Some(false)) {
        let open = is_open(wish);
        match Verb::from_name(&wish.wish.verb) {
            Some(Verb::Flip) => wishes = Wishes { flip: wishes.flip || open, rollback: false, ..wishes },
            Some(Verb::Rollback) => wishes = Wishes { flip: false, rollback: open, seal: false, ..wishes },
            Some(Verb::Seal) => wishes = Wishes { rollback: false, seal: wishes.seal || open, ..wishes },
            Some(Verb::Abort) => wishes.abort |= open,
            Some(Verb::Pause) => wishes.pause = open,
            Some(Verb::Resume) => wishes.pause = false,
            Some(Verb::Reread) => wishes.reread |= open,
            Some(Verb::Start | Verb::Dial | Verb::DialBack | Verb::Accept) | None => {}
        }
    }
    wishes
}

/// Whether a newer wish for the shop, open or come true, takes this one back.
fn superseded(standing: &[StoredWish], verb: Verb, id: i64, shop: &ShopId) -> bool {
    let newer = standing.iter().filter(|other| other.id > id && concerns(other, shop));
    let newer = newer.filter(|other| came_true(other) != Some(false));
    newer.filter_map(|other| Verb::from_name(&other.wish.verb)).any(|other| match verb {
        Verb::Flip => other == Verb::Rollback,
        Verb::Rollback => matches!(other, Verb::Flip | Verb::Seal),
        Verb::Seal => other == Verb::Rollback,
        Verb::Pause => other == Verb::Resume,
        Verb::Start | Verb::Abort | Verb::Resume | Verb::Dial | Verb::DialBack | Verb::Reread | Verb::Accept => false,
    })
}

/// The outcome of a wish that nothing can come of: a code, and why.
pub(crate) fn refused(code: &str, why: &str) -> Record {
    Record::default().with("fulfilled", false).with("refused", code).with("why", why)
}

pub(crate) fn concerns(wish: &StoredWish, shop: &ShopId) -> bool {
    wish.wish.shop.as_ref().is_none_or(|wished| wished == shop)
}

/// Whether a shop is as the wish wants it.
fn is_true(verb: Verb, seen: &Seen) -> bool {
    match verb {
        Verb::Start => true,
        Verb::Flip => seen.owner == Side::Backend && matches!(seen.state, State::Soaking | State::Sealed),
        Verb::Rollback => {
            seen.owner == Side::Legacy && matches!(seen.state, State::Tracking | State::Ready(Direction::ToBackend))
        }
        Verb::Seal => seen.state == State::Sealed,
        Verb::Abort => at_rest(seen.state),
        // Dials are turned and findings accepted, and their wishes closed, when they are read; who reads again says so.
        Verb::Pause | Verb::Resume | Verb::Dial | Verb::DialBack | Verb::Reread | Verb::Accept => false,
    }
}

fn at_rest(state: State) -> bool {
    matches!(
        state,
        State::Planned
            | State::Installed
            | State::Copying
            | State::Tracking
            | State::Ready(_)
            | State::Soaking
            | State::Sealed
    )
}

/// The wishes that have come true, or that nothing can come of.
pub(crate) fn fulfilled(
    standing: &[StoredWish],
    planned: &[ShopId],
    board: &BTreeMap<ShopId, Seen>,
) -> Vec<(i64, bool)> {
    let judged = standing.iter().filter(|wish| is_open(wish)).filter_map(|one| {
        let Some(verb) = Verb::from_name(&one.wish.verb) else { return Some((one.id, false)) };
        let concerned: Vec<&ShopId> = planned.iter().filter(|shop| concerns(one, shop)).collect();
        let is_there = |shop: &ShopId| board.get(shop).is_some_and(|seen| is_true(verb, seen));
        let came_true = !concerned.is_empty() && concerned.iter().all(|shop| is_there(shop));
        let is_over = concerned.iter().all(|shop| is_there(shop) || superseded(standing, verb, one.id, shop));
        // A pause has done what was asked when it is resumed, and a resume at once: later wishes know of both.
        let came_true = came_true || verb == Verb::Resume || (verb == Verb::Pause && !concerned.is_empty());
        (is_over || verb == Verb::Resume).then_some((one.id, came_true))
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Wish;
    use vocab::id::{Epoch, Timestamp};

    fn shop(name: &str) -> ShopId {
        ShopId::parse(name).unwrap()
    }

    /// Wishes as `verb` or `verb shop`, numbered from 1; one with a `!` has come true, one with a `?` nothing came of.
    fn open(wishes: &[&str]) -> Vec<StoredWish> {
        let open = wishes.iter().zip(1..).map(|(text, id)| {
            let name = text.trim_end_matches(['!', '?']);
            let closed = (name.len() < text.len()).then(|| Record::default().with("fulfilled", text.ends_with('!')));
            let (verb, wished) = name.split_once(' ').map_or((name, None), |(verb, name)| (verb, Some(shop(name))));
            let (who, why) = (String::new(), String::new());
            let wish = Wish { shop: wished, verb: verb.into(), args: Record::default(), who, why, at: Timestamp(0) };
            StoredWish { id, wish, outcome: closed }
        });
        open.collect()
    }

    fn seen(owner: Side, state: State) -> Seen {
        Seen {
            state,
            owner,
            epoch: Epoch(1),
            stopped: None,
            waits_for: None,
            dirty: 0,
            lag_ms: None,
            catalog_dial: false,
            catalog_reads: owner,
            findings_open: 0,
            facts_left: None,
            debt: 0,
            back_waits_for: None,
        }
    }

    /// Shop 1 in this state, shop 2 tracking; which wishes are closed, and as what.
    fn check(wishes: &[&str], owner: Side, state: State, closed: &[(i64, bool)]) {
        let board = BTreeMap::from([(shop("1"), seen(owner, state)), (shop("2"), seen(Side::Legacy, State::Tracking))]);
        assert_eq!(fulfilled(&open(wishes), &[shop("1"), shop("2")], &board), closed, "{wishes:?}");
    }

    #[test]
    fn wishes_for_all_and_for_a_shop_add_up_and_the_newest_counts() {
        let of = |wishes: &[&str]| of_shop(&open(wishes), &shop("1"));
        assert_eq!(of(&["start", "flip 2"]), Wishes::default());
        assert_eq!(of(&["flip", "abort 1"]), Wishes { flip: true, abort: true, ..Wishes::default() });
        assert_eq!(of(&["pause", "flip 1"]), Wishes { flip: true, pause: true, ..Wishes::default() });
        assert_eq!(of(&["pause", "resume 1"]), Wishes::default());
        assert_eq!(of(&["resume", "pause 1"]), Wishes { pause: true, ..Wishes::default() });
        assert_eq!(of(&["flip 1", "rollback 1"]), Wishes { rollback: true, ..Wishes::default() });
        assert_eq!(of(&["seal", "dance"]), Wishes { seal: true, ..Wishes::default() });
        // A rollback that has come true is not undone by what was wished for all before it.
        assert_eq!(of(&["flip", "rollback 1!"]), Wishes::default());
        assert_eq!(of(&["flip", "rollback 1?"]), Wishes { flip: true, ..Wishes::default() });
        assert_eq!(of(&["flip", "rollback 1!", "flip 1"]), Wishes { flip: true, ..Wishes::default() });
        assert_eq!(of(&["pause", "resume 1!"]), Wishes::default());
        assert_eq!(of(&["pause", "resume 2!"]), Wishes { pause: true, ..Wishes::default() });
    }

    #[test]
    fn a_wish_is_closed_when_every_shop_it_concerns_is_there_and_at_rest() {
        let (to, back) = (Direction::ToBackend, Direction::ToLegacy);
        check(&["flip 1"], Side::Legacy, State::Held(to), &[]);
        check(&["flip 1"], Side::Backend, State::Flipped(to), &[]);
        check(&["flip 1"], Side::Backend, State::Soaking, &[(1, true)]);
        check(&["flip"], Side::Backend, State::Soaking, &[]);
        check(&["rollback 1"], Side::Legacy, State::Flipped(back), &[]);
        check(&["rollback 1"], Side::Legacy, State::Ready(to), &[(1, true)]);
        check(&["abort 1"], Side::Legacy, State::Proven(to), &[]);
        check(&["abort 1"], Side::Legacy, State::Tracking, &[(1, true)]);
        check(&["seal 1"], Side::Backend, State::Soaking, &[]);
        check(&["seal 1"], Side::Backend, State::Sealed, &[(1, true)]);
    }

    #[test]
    fn a_wish_that_nothing_can_come_of_is_closed_as_such() {
        check(&["dance 1"], Side::Legacy, State::Tracking, &[(1, false)]);
        check(&["flip 3"], Side::Legacy, State::Tracking, &[(1, false)]);
        check(&["flip 1", "rollback 1"], Side::Legacy, State::Held(Direction::ToBackend), &[(1, false)]);
    }

    #[test]
    fn a_pause_lasts_until_it_is_resumed() {
        check(&["pause"], Side::Legacy, State::Tracking, &[]);
        check(&["pause", "resume", "pause"], Side::Legacy, State::Tracking, &[(1, true), (2, true)]);
        check(&["pause 1", "resume 2"], Side::Legacy, State::Tracking, &[(2, true)]);
        check(&["pause", "resume 1!"], Side::Legacy, State::Tracking, &[]);
        check(&["pause", "resume 1!", "resume 2"], Side::Legacy, State::Tracking, &[(1, true), (3, true)]);
    }
}
