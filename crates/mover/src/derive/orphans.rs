//! Aggregates that name a row of a shared table which is not staged: it was there before, and none of the shop's aggregates named
//! it when they were copied. No stream tells of it, so it is read.

use super::{Derived, Meaning, read};
use crate::context::Context;
use crate::error::Result;
use crate::reread;
use crate::staged::Dirty;
use mapping::{Anchor, RuleNo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vocab::id::ShopId;

/// Aggregates remembered, and read at once.
const TRIED_MAX: usize = 10_000;
const KEYS: usize = 500;

/// Aggregates that were read and have still no such row, because the source has none. What is read is listed once more; it is
/// not read again for that, but for the next change of it.
#[derive(Default)]
pub(crate) struct Orphans(Mutex<BTreeSet<(RuleNo, Anchor)>>);

impl Orphans {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<(RuleNo, Anchor)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are to be read now, by rule.
    fn lacking(&self, listed: &[Dirty], derived: &[Derived]) -> BTreeMap<RuleNo, Vec<usize>> {
        let (mut lacking, mut tried) = (BTreeMap::<RuleNo, Vec<usize>>::new(), self.lock());
        for (place, (dirty, told)) in listed.iter().zip(derived).enumerate() {
            let was_tried = !tried.is_empty() && tried.remove(&(dirty.rule, dirty.anchor.clone()));
            if is_orphan(told) && !was_tried && tried.len() < TRIED_MAX {
                lacking.entry(dirty.rule).or_default().push(place);
            }
        }
        lacking
    }
}

/// Reads from the source what is not staged of these aggregates, and derives them from it. False where that could not be done:
/// they stay listed then.
pub(super) async fn adopt(cx: &Context, shop: &ShopId, listed: &[Dirty], derived: &mut [Derived]) -> Result<bool> {
    for (rule, places) in cx.orphans.lacking(listed, derived) {
        for some in places.chunks(KEYS) {
            let anchors: Vec<Anchor> = some.iter().map(|place| listed[*place].anchor.clone()).collect();
            if !reread::stage_by_key(cx, shop, rule, &anchors, false).await? || cx.staged.is_half() {
                return Ok(false);
            }
            let reading = cx.clone();
            let told = cx.staged.run(move |_| read(&reading, rule, &anchors)).await?;
            for (place, told) in some.iter().zip(told) {
                if is_orphan(&told) {
                    cx.orphans.lock().insert((rule, listed[*place].anchor.clone()));
                }
                derived[*place] = told;
            }
        }
    }
    Ok(true)
}

fn is_orphan(told: &Derived) -> bool {
    matches!(&told.what, Meaning::Refused { class, .. } if &**class == "mapping.orphan")
}
