//! Aggregates that name a row of a shared table which is not staged: it was there before, and none of the shop's aggregates named
//! it when they were copied. No stream tells of it, so it is read.

use super::{Derived, Meaning, read};
use crate::context::Context;
use crate::error::Result;
use crate::reread;
use crate::staged::Dirty;
use mapping::{Anchor, RuleNo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use vocab::id::ShopId;

/// Aggregates remembered, and read at once.
const TRIED_MAX: usize = 10_000;
const KEYS: usize = 500;

/// Aggregates that were read and have still no such row, because the source has none. What is read is listed once more; it is
/// not read again for that, but for the next change of it.
#[derive(Default)]
pub(crate) struct Orphans(Mutex<BTreeSet<(RuleNo, Anchor)>>);

impl Orphans {
    /// Whether it is to be read now.
    fn begin(&self, rule: RuleNo, anchor: &Anchor) -> bool {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.remove(&(rule, anchor.clone())) {
            return false;
        }
        if tried.len() >= TRIED_MAX {
            tried.clear();
        }
        tried.insert((rule, anchor.clone()))
    }

    fn found(&self, rule: RuleNo, anchor: &Anchor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(rule, anchor.clone()));
    }
}

/// Reads from the source what is not staged of these aggregates, and derives them from it.
pub(super) async fn adopt(cx: &Context, shop: &ShopId, listed: &[Dirty], derived: &mut [Derived]) -> Result<()> {
    let mut lacking: BTreeMap<RuleNo, Vec<usize>> = BTreeMap::new();
    for (place, (dirty, told)) in listed.iter().zip(derived.iter()).enumerate() {
        if is_orphan(told) && cx.orphans.begin(dirty.rule, &dirty.anchor) {
            lacking.entry(dirty.rule).or_default().push(place);
        }
    }
    for (rule, places) in lacking {
        for some in places.chunks(KEYS) {
            let anchors: Vec<Anchor> = some.iter().map(|place| listed[*place].anchor.clone()).collect();
            if !reread::stage_by_key(cx, shop, rule, &anchors, false).await? {
                return Ok(());
            }
            let reading = cx.clone();
            let told = cx.staged.run(move |_| read(&reading, rule, &anchors)).await?;
            for (place, told) in some.iter().zip(told) {
                if !is_orphan(&told) {
                    cx.orphans.found(rule, &listed[*place].anchor);
                }
                derived[*place] = told;
            }
        }
    }
    Ok(())
}

fn is_orphan(told: &Derived) -> bool {
    matches!(&told.what, Meaning::Refused { class, .. } if &**class == "mapping.orphan")
}
