//! The other direction of a verification: documents of ours that the source knows nothing of.
//!
//! They are enumerated from our side, and the source is asked for each, whatever the first direction has seen.

use crate::context::Context;
use crate::error::{Result, answered};
use crate::source_rows;
use crate::staged::Ledger;
use crate::throttle::Pace;
use mapping::{Anchor, RuleNo};
use std::collections::BTreeMap;
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId, ShopId};

/// Documents of ours asked for at once.
const ORIGINS: u32 = 2_000;

/// Documents of ours that the source knows nothing of.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) without_row: Vec<String>,
    /// No rule of the mapping has a place for them.
    pub(super) without_home: Vec<String>,
}

/// Documents that no row of the source stands for, by enumerating ours. What they say was compared already, from the
/// source's side; here it is asked whether there is a row at all.
pub(super) async fn documents_without_rows(cx: &Context, shop: &ShopId, pace: &Pace) -> Result<Extra> {
    let mut extra = Extra::default();
    for kind in Kind::ALL {
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
    Ok(loaded.documents.into_iter().flatten().next().map(|stored| stored.document).unwrap_or_default())
}
