//! Which aggregates a comparison leaves out on both sides: those that are refused and accepted so, and those that have
//! changed since they were derived.

use super::sides::source_of;
use crate::context::Context;
use crate::error::{Result, answered};
use crate::staged::{Ledger, Staged};
use capture::{Cut, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use store::Stored;
use vocab::id::{Kind, ShopId};

/// The keys of aggregates as their origins have them, by the `source` of the mapping file and kind.
pub(super) type Keys = BTreeMap<(String, Kind), BTreeSet<String>>;

/// So many are left out at most: they go to the source as text, and what is left is to say something of the shop.
const LEFT_OUT_MAX: usize = 5_000;

pub(super) async fn accepted_refusals(cx: &Context, shop: &ShopId) -> Result<Keys> {
    let mut keys = Keys::new();
    if !cx.findings.may_have(shop) {
        return Ok(keys);
    }
    for found in cx.store.findings(shop).await? {
        let finding = found.finding;
        let Some((table, key)) = finding.origin.as_str().split_once(':') else { continue };
        if found.accepted_by.is_some() && finding.kind != Kind::Shop {
            let mapped = source_of(cx, finding.kind, Some(table)).to_owned();
            keys.entry((mapped, finding.kind)).or_default().insert(key.to_owned());
        }
    }
    Ok(keys)
}

/// How long a commit may be in the source's log before a snapshot shows it: a standby that it waits for may be far away.
const SHOWN_MAX: Duration = Duration::from_secs(2);
const SHOWN_EVERY: Duration = Duration::from_millis(5);

/// A snapshot of the source that shows all that is staged now, and so all that is derived; none where it does not come.
pub(super) async fn snapshot(cx: &Context) -> Result<Option<Reader>> {
    let begun = Instant::now();
    let last = cx.staged.run(Staged::last).await?;
    loop {
        let reader = answered(async { Ok(cx.source.snapshot().await?) }).await?;
        if last.as_ref().is_none_or(|last| reader.cut().covers(&last.tx)) {
            return Ok(Some(reader));
        }
        if begun.elapsed() > SHOWN_MAX {
            return Ok(None);
        }
        drop(reader);
        tokio::time::sleep(SHOWN_EVERY).await;
    }
}

/// What a read at this cut may show otherwise than our documents, as long as nobody derives: what of it is not derived is listed
/// when all of it is staged. None where the stream does not follow, or more is listed than can be left out.
pub(super) async fn changing(cx: &Context, shop: &ShopId, cut: &Cut) -> Result<Option<Keys>> {
    if !cx.wait_until_staged(cut).await? {
        return Ok(None);
    }
    let (name, mut keys) = (shop.clone(), Keys::new());
    let listed = cx.staged.run(move |staged| staged.listed(Ledger::Derive, &name, LEFT_OUT_MAX + 1)).await?;
    if listed.len() > LEFT_OUT_MAX {
        return Ok(None);
    }
    for dirty in listed {
        let rule = &cx.mapping.rules()[dirty.rule];
        let origin = cx.mapping.origin(dirty.rule, &dirty.anchor);
        if let Some((_, key)) = origin.as_str().split_once(':') {
            keys.entry((rule.source.to_string(), rule.kind)).or_default().insert(key.to_owned());
        }
    }
    Ok(Some(keys))
}

/// Whether a document of ours is one of them.
pub(super) fn has(keys: &BTreeSet<String>, stored: &Stored) -> bool {
    let key = stored.origin.as_ref().and_then(|origin| origin.as_str().split_once(':'));
    key.is_some_and(|(_, key)| keys.contains(key))
}
