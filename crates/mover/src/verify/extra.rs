//! The other direction of a verification: documents of ours that the source knows nothing of.
//!
//! They are enumerated from our side. Where that finds exactly the documents that the first direction has met, each has a
//! row; where it does not, the source is asked for each, whatever the first direction has seen.

use crate::context::Context;
use crate::error::{Result, answered};
use crate::source_rows;
use crate::staged::Ledger;
use crate::throttle::Pace;
use mapping::{Anchor, RuleNo};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId, ShopId};

/// Documents of ours asked for at once.
const ORIGINS: u32 = 2_000;
/// To list a document costs so many times less than to read a row.
const LISTED: usize = 10;

/// Documents of ours that the source knows nothing of.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) without_row: Vec<String>,
    /// No rule of the mapping has a place for them.
    pub(super) without_home: Vec<String>,
}

/// The documents that the source's side was compared with, by kind: how many, and the sum of the hashes of their origins,
/// by a function that nobody knows beforehand. An origin names one document, so two sets of the same size and sum are the
/// same set, as surely as 64 bits can say.
#[derive(Default)]
pub(super) struct Met {
    by: RandomState,
    sums: BTreeMap<Kind, (u64, u64)>,
}

impl Met {
    /// Nothing yet, to be compared with this one.
    fn beside(&self) -> Self {
        Self { by: self.by.clone(), sums: BTreeMap::new() }
    }

    pub(super) fn note<'a>(&mut self, kind: Kind, origins: impl IntoIterator<Item = &'a Origin>) {
        let (count, sum) = self.sums.entry(kind).or_default();
        for origin in origins {
            *count += 1;
            *sum = sum.wrapping_add(self.by.hash_one(origin.as_str()));
        }
    }
}

/// Whether the documents of a kind that are stored are exactly those that were met: then each has a row. Where shoppers
/// change the shop meanwhile they mostly are not, and the source is asked.
async fn all_were_met(cx: &Context, shop: &ShopId, kind: Kind, pace: &Pace, met: &Met) -> Result<bool> {
    let (mut ours, mut after) = (met.beside(), None);
    loop {
        let mut turn = pace.rows(ORIGINS).await?;
        let most = usize::try_from(turn.rows()).unwrap_or(usize::MAX);
        let page = cx.store.origins(shop, kind, after.as_ref(), most).await?;
        turn.used(page.len() / LISTED);
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        if page.iter().any(|(_, origin)| origin.is_none()) {
            return Ok(false);
        }
        ours.note(kind, page.iter().filter_map(|(_, origin)| origin.as_ref()));
    }
    Ok(ours.sums.get(&kind) == met.sums.get(&kind).filter(|(count, _)| *count > 0))
}

/// Documents that no row of the source stands for, by enumerating ours. What they say was compared already, from the
/// source's side; here it is asked whether there is a row at all.
pub(super) async fn documents_without_rows(cx: &Context, shop: &ShopId, pace: &Pace, met: &Met) -> Result<Extra> {
    let mut extra = Extra::default();
    for kind in Kind::ALL {
        if all_were_met(cx, shop, kind, pace, met).await? {
            continue;
        }
        let mut after: Option<PublicId> = None;
        loop {
            // To ask whether a row is there costs about as much as to read it.
            let mut turn = pace.rows(ORIGINS).await?;
            let most = usize::try_from(turn.rows()).unwrap_or(usize::MAX);
            let page = cx.store.origins(shop, kind, after.as_ref(), most).await?;
            turn.used(page.len());
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            without_rows(cx, shop, kind, &page, &mut extra).await?;
        }
    }
    Ok(extra)
}

async fn without_rows(
    cx: &Context,
    shop: &ShopId,
    kind: Kind,
    page: &[(PublicId, Option<Origin>)],
    extra: &mut Extra,
) -> Result<()> {
    let mut by_rule: BTreeMap<RuleNo, Vec<(Anchor, PublicId)>> = BTreeMap::new();
    for (id, origin) in page {
        let document = match origin {
            Some(origin) => Record::default().with("origin", origin.as_str()),
            // Where it would live is told by its own fields.
            None => whole(cx, shop, kind, id).await?,
        };
        let rules = cx.mapping.rules().iter().enumerate().filter(|(_, rule)| rule.kind == kind);
        let mut homes = rules.filter_map(|(rule, _)| Some((rule, cx.mapping.anchor_of(rule, shop, &document)?)));
        match homes.next() {
            Some((rule, anchor)) => by_rule.entry(rule).or_default().push((anchor, id.clone())),
            None => extra.without_home.push(format!("{} {id}", kind.name())),
        }
    }
    let mut reader = answered(async { Ok(cx.source.snapshot().await?) }).await?;
    for (rule, homes) in by_rule {
        let anchors: Vec<Anchor> = homes.iter().map(|(anchor, _)| anchor.clone()).collect();
        let of = &cx.mapping.rules()[rule];
        let found = answered(source_rows::present(&mut reader, cx.mapping.tables(), of, &anchors)).await?;
        let missing: Vec<_> = homes.into_iter().filter(|(anchor, _)| !found.contains(anchor)).collect();
        let told = missing.iter().map(|(_, id)| format!("{} {id}: the source has no row for it", kind.name()));
        extra.without_row.extend(told);
        let listed: Vec<_> = missing.into_iter().map(|(anchor, _)| (rule, anchor)).collect();
        if !listed.is_empty() {
            let name = shop.clone();
            cx.staged.run(move |staged| staged.list(Ledger::Prove, &name, &listed)).await?;
        }
    }
    Ok(())
}

async fn whole(cx: &Context, shop: &ShopId, kind: Kind, id: &PublicId) -> Result<Record> {
    let loaded = cx.store.load(shop, &[(kind, id.clone())]).await?;
    Ok(loaded.documents.into_iter().flatten().next().map(|stored| stored.document.clone()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_the_same_documents_are_equal_in_any_order_and_others_are_not() {
        let first = Met::default();
        let met = |origins: &[&str]| {
            let mut met = first.beside();
            for origin in origins {
                met.note(Kind::Order, &[Origin::new(*origin)]);
            }
            met.sums
        };
        assert_eq!(met(&["jual:1", "jual:2", "jual:3"]), met(&["jual:3", "jual:1", "jual:2"]));
        for other in [&["jual:1", "jual:2"][..], &["jual:1", "jual:2", "jual:4"], &["jual:1", "jual:1", "jual:3"]] {
            assert_ne!(met(&["jual:1", "jual:2", "jual:3"]), met(other));
        }
    }
}
