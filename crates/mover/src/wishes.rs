//! Wishes become what `cutover` is asked with; those that have come true are closed.

use crate::drive::Seen;
use cutover::next::Wishes;
use cutover::state::State;
use std::collections::BTreeMap;
use store::OpenWish;
use vocab::id::{Direction, ShopId, Side};

/// What can be wished of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Start,
    Flip,
    Rollback,
    Seal,
    Abort,
    Pause,
    Resume,
}

impl Verb {
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Flip, Self::Rollback, Self::Seal, Self::Abort, Self::Pause, Self::Resume];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Flip => "flip",
            Self::Rollback => "rollback",
            Self::Seal => "seal",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }
}

/// What all open wishes together want of one shop.
pub(crate) fn of_shop(open: &[OpenWish], shop: &ShopId) -> Wishes {
    let mut wishes = Wishes::default();
    for wish in open.iter().filter(|open| concerns(open, shop)) {
        match Verb::from_name(&wish.wish.verb) {
            Some(Verb::Flip) => wishes.flip = true,
            Some(Verb::Rollback) => wishes.rollback = true,
            Some(Verb::Seal) => wishes.seal = true,
            Some(Verb::Abort) => wishes.abort = true,
            Some(Verb::Pause) => wishes.pause = true,
            Some(Verb::Resume) => wishes.pause = false,
            Some(Verb::Start) | None => {}
        }
    }
    wishes
}

pub(crate) fn concerns(open: &OpenWish, shop: &ShopId) -> bool {
    open.wish.shop.as_ref().is_none_or(|wished| wished == shop)
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
        Verb::Pause | Verb::Resume => false,
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
pub(crate) fn fulfilled(open: &[OpenWish], planned: &[ShopId], board: &BTreeMap<ShopId, Seen>) -> Vec<(i64, bool)> {
    let resumed = open.iter().filter(|open| Verb::from_name(&open.wish.verb) == Some(Verb::Resume)).map(|open| open.id);
    let resumed = resumed.max();
    let judged = open.iter().filter_map(|open| {
        let Some(verb) = Verb::from_name(&open.wish.verb) else { return Some((open.id, false)) };
        if matches!(verb, Verb::Pause | Verb::Resume) {
            return resumed.filter(|resume| open.id <= *resume).map(|_| (open.id, true));
        }
        let mut concerned = planned.iter().filter(|shop| concerns(open, shop)).peekable();
        if concerned.peek().is_none() {
            return Some((open.id, false));
        }
        let all = concerned.all(|shop| board.get(shop).is_some_and(|seen| is_true(verb, seen)));
        all.then_some((open.id, true))
    });
    judged.collect()
}
