//! What the shoppers of a shop waited before, during and after its move, kept in a note of the store for each shop.
//!
//! What is counted is kept a few shops a second, those whose move has begun; before that the gateway alone has it, and loses
//! it with its process. Nobody decides by it.
//! Absent on purpose: the throttle, which looks at all shoppers of the last half second and forgets them.

use crate::context::Context;
use crate::drive::Board;
use crate::error::Result;
use cutover::latency::{Counts, note_of};
use cutover::state::When;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vocab::document::Record;
use vocab::id::ShopId;

/// How often some shops' waits are kept, and of how many at once.
const EVERY: Duration = Duration::from_secs(1);
const SHOPS: usize = 64;

/// Whose waits are kept next.
#[derive(Default)]
pub(crate) struct Keeper(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    at: Option<Instant>,
    last: Option<ShopId>,
    when: BTreeMap<ShopId, When>,
}

impl Keeper {
    /// The shops whose waits are to be asked for now, and when these were; mostly none.
    pub(crate) fn due(&self, board: &Board) -> Vec<(ShopId, When)> {
        let mut kept = lock(&self.0);
        if kept.at.is_some_and(|at| at.elapsed() < EVERY) {
            return Vec::new();
        }
        kept.at = Some(Instant::now());
        let board = lock(board);
        let after = kept.last.take().map_or(Bound::Unbounded, Bound::Excluded);
        let due: Vec<_> = board.range((after, Bound::Unbounded)).take(SHOPS).collect();
        // At the end of the board it begins anew.
        kept.last = due.last().filter(|_| due.len() == SHOPS).map(|(shop, _)| (*shop).clone());
        due.into_iter().map(|(shop, seen)| (shop.clone(), kept.since(shop, seen.state.when()))).collect()
    }
}

impl Kept {
    /// What was waited across a change belongs to the move.
    fn since(&mut self, shop: &ShopId, now: When) -> When {
        let before = self.when.insert(shop.clone(), now).unwrap_or(now);
        if before == now { now } else { When::During }
    }
}

/// What shoppers waited until the move begins that is about to be driven.
pub(crate) async fn before(cx: &Context, shop: &ShopId) -> Result<()> {
    let waits = cx.links.waits_of(shop).await.unwrap_or_default();
    keep(cx, shop, When::Before, &waits).await
}

/// Adds to what is kept of a shop.
pub(crate) async fn keep(cx: &Context, shop: &ShopId, when: When, waits: &Counts) -> Result<()> {
    if waits.is_empty() {
        return Ok(());
    }
    let key = note_of(shop);
    let mut note = cx.store.noted(&key).await?.unwrap_or_else(Record::default);
    let mut all = note.text(when.name()).and_then(Counts::from_text).unwrap_or_default();
    all.add(waits);
    note.set(when.name(), all.to_text());
    Ok(cx.store.note(&key, note).await?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_across_a_change_belongs_to_the_move() {
        let (mut kept, shop) = (Kept::default(), ShopId::parse("7").unwrap());
        let told = [When::Before, When::Before, When::During, When::During, When::After, When::After];
        let told = told.map(|now| kept.since(&shop, now));
        assert_eq!(told, [When::Before, When::Before, When::During, When::During, When::During, When::After]);
    }
}
