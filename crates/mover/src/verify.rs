//! Verification: the source's rows, read by a way of their own, against the documents that the store gives back.
//!
//! A full pass goes over every aggregate that the source enumerates; whatever does not match, or changed since, is
//! proven again by key until it is quiet. Inside a hold only those keys are left. A difference counts only where it
//! stays while nothing changes on either side.
//!
//! A full pass takes turns (`throttle`): each page is read at a snapshot of its own, so that none is open meanwhile. What
//! changes between two pages is on the list, and so is what two snapshots of one group make look different.

mod extra;
mod found;

pub(crate) use found::{close_finding, finding, ledger, open_control_total, open_mismatch};

use crate::context::Context;
use crate::copy::may_belong;
use crate::derive::{self, Derived, Meaning};
use crate::error::{Error, Result, answered};
use crate::source_rows;
use crate::staged::{Dirty, Ledger};
use crate::throttle::{Pace, Turn};
use extra::{Extra, documents_without_rows};
use mapping::{Anchor, Gather, Rows, RuleNo};
use std::collections::BTreeMap;
use store::{Class, Kept};
use tokio::task::JoinSet;
use vocab::document::Node;
use vocab::id::{Kind, Origin, PublicId, ShopId};
use vocab::row::RowKey;

/// Aggregates compared at once.
const PAGE: u32 = 500;
/// Pages compared at once, beside the one that is read.
const COMPARING: usize = 2;
/// Aggregates proven at once by key.
const KEYS: u32 = 500;
/// Aggregates taken off the list in one transaction: all that a hold has, and not so many that staging waits.
const SETTLED: usize = 2_000;

/// What a pass came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) compared: u64,
    pub(crate) differing: Vec<Different>,
}

/// An aggregate that differs, and the generation of its place on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Different {
    pub(crate) what: String,
    pub(crate) generation: i64,
    /// Where it comes from; none where the source has no row for it.
    pub(crate) of: Option<(Kind, Origin)>,
}

impl Different {
    const fn new(what: String) -> Self {
        Self { what, generation: 0, of: None }
    }
}

/// Compares every aggregate of a shop; those that differ go on the list of what is to be proven.
pub(crate) async fn full(cx: &Context, shop: &ShopId, pace: &Pace) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for rule in 0..cx.mapping.rules().len() {
        if may_belong(cx, &cx.mapping.rules()[rule].gather, shop) {
            full_rule(cx, shop, rule, pace, &mut verdict).await?;
        }
    }
    let Extra { without_row, without_home } = documents_without_rows(cx, shop, pace).await?;
    verdict.differing.extend(without_row.into_iter().map(Different::new));
    match without_home.first() {
        // Nothing can be proven of them by key, so they are told of here.
        Some(first) => {
            let what = format!("{} documents for which no row can stand, first: {first}", without_home.len());
            finding(cx, shop, "verify.unmapped", what).await?;
        }
        None => close_finding(cx, shop, "verify.unmapped").await?,
    }
    Ok(verdict)
}

async fn full_rule(cx: &Context, shop: &ShopId, rule: RuleNo, pace: &Pace, verdict: &mut Verdict) -> Result<()> {
    match cx.mapping.rules()[rule].gather.clone() {
        Gather::Anchored { .. } => {
            // What is under way ends with this step, whatever ends it.
            let (mut reading, mut comparing) = (JoinSet::new(), JoinSet::new());
            let mut next = read_page(cx.clone(), shop.clone(), rule, None, pace.clone()).await?;
            while let Some((last, found, turn)) = next {
                // The source is read while this side compares.
                reading.spawn(read_page(cx.clone(), shop.clone(), rule, Some(last), pace.clone()));
                comparing.spawn(compare(cx.clone(), shop.clone(), rule, found, turn));
                if comparing.len() >= COMPARING
                    && let Some(page) = comparing.join_next().await
                {
                    list(cx, shop, rule, page.map_err(|_| Error::Task("comparing"))??, verdict).await?;
                }
                next = match reading.join_next().await {
                    Some(page) => page.map_err(|_| Error::Task("reading the source"))??,
                    None => None,
                };
            }
            while let Some(page) = comparing.join_next().await {
                list(cx, shop, rule, page.map_err(|_| Error::Task("comparing"))??, verdict).await?;
            }
            Ok(())
        }
        Gather::Grouped { table, column } => {
            let mut groups: BTreeMap<Anchor, Rows> = BTreeMap::new();
            let mut after = None;
            loop {
                let mut turn = pace.rows(10 * PAGE).await?;
                let read = async {
                    let mut reader = cx.source.snapshot().await?;
                    Ok(reader.rows_of_shop(shop, table, after.as_ref(), turn.rows(), &[]).await?)
                };
                let page = answered(read).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                turn.used(page.len());
                for (key, row) in page {
                    let anchor = Anchor::Group(row.0[column].clone());
                    groups.entry(anchor).or_default().insert(table, key, row);
                }
            }
            let mut pages = groups.into_iter().peekable();
            while pages.peek().is_some() {
                let mut turn = pace.aggregates(PAGE).await?;
                let page: BTreeMap<_, _> = pages.by_ref().take(turn.aggregates()).collect();
                turn.used_aggregates(page.len());
                let compared = compare(cx.clone(), shop.clone(), rule, page, turn).await?;
                list(cx, shop, rule, compared, verdict).await?;
            }
            Ok(())
        }
    }
}

/// The next aggregates behind an anchor, at a snapshot of their own, with the last of them and their turn; none at the end.
async fn read_page(
    cx: Context,
    shop: ShopId,
    rule: RuleNo,
    after: Option<RowKey>,
    pace: Pace,
) -> Result<Option<(RowKey, BTreeMap<Anchor, Rows>, Turn)>> {
    let Gather::Anchored { table, joins } = &cx.mapping.rules()[rule].gather else { return Ok(None) };
    let mut turn = pace.aggregates(PAGE).await?;
    let most = u32::try_from(turn.aggregates()).unwrap_or(PAGE);
    answered(async {
        let mut reader = cx.source.snapshot().await?;
        let page = reader.rows_of_shop(&shop, *table, after.as_ref(), most, &[]).await?;
        turn.used_aggregates(page.len());
        let Some((last, _)) = page.last() else { return Ok(None) };
        let last = last.clone();
        let anchors = page.into_iter().map(|(_, row)| row).collect();
        let found = source_rows::with_joins(&mut reader, cx.mapping.tables(), *table, joins, anchors).await?;
        Ok(Some((last, found, turn)))
    })
    .await
}

/// A page that was compared: how many aggregates, and which differ, how.
struct Compared {
    aggregates: usize,
    differing: Vec<(Anchor, String)>,
}

async fn compare(
    cx: Context,
    shop: ShopId,
    rule: RuleNo,
    found: BTreeMap<Anchor, Rows>,
    turn: Turn,
) -> Result<Compared> {
    let anchors: Vec<Anchor> = found.keys().cloned().collect();
    let differing = differing(&cx, &shop, rule, &anchors, found).await?;
    drop(turn);
    Ok(Compared { aggregates: anchors.len(), differing })
}

/// What differs on a page is to be proven.
async fn list(cx: &Context, shop: &ShopId, rule: RuleNo, page: Compared, verdict: &mut Verdict) -> Result<()> {
    verdict.compared += u64::try_from(page.aggregates).unwrap_or(u64::MAX);
    if page.differing.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = page.differing.iter().map(|(anchor, _)| (rule, anchor.clone())).collect();
    verdict.differing.extend(page.differing.into_iter().map(|(_, what)| Different::new(what)));
    let name = shop.clone();
    cx.staged.run(move |staged| staged.list(Ledger::Prove, &name, &listed)).await
}

/// Which of these aggregates the source and the store tell differently, and how.
async fn differing(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    anchors: &[Anchor],
    mut found: BTreeMap<Anchor, Rows>,
) -> Result<Vec<(Anchor, String)>> {
    let kind = cx.mapping.rules()[rule].kind;
    let origins = anchors.iter().map(|anchor| cx.mapping.origin(rule, anchor)).collect();
    let kept = cx.store.kept_by_origin(shop, kind, origins).await?;
    let stock: BTreeMap<PublicId, i64> =
        if kind == Kind::Product { stock_of(cx, shop, &kept).await? } else { BTreeMap::new() };
    let mut differing = Vec::new();
    for (anchor, kept) in anchors.iter().zip(kept) {
        let rows = found.remove(anchor).unwrap_or_default();
        let told = tell(cx, rule, anchor, &rows).await?;
        if let Some(what) = difference(&cx.mapping, rule, &told, kept.as_ref(), &stock)? {
            differing.push((anchor.clone(), format!("{} {}: {what}", kind.name(), told.origin)));
        }
    }
    Ok(differing)
}

/// What the source's rows mean; a group's class may be asked of other staged groups.
async fn tell(cx: &Context, rule: RuleNo, anchor: &Anchor, rows: &Rows) -> Result<Derived> {
    let (mapping, classes) = (cx.mapping.clone(), cx.classes.clone());
    if matches!(anchor, Anchor::Row(_)) {
        let got = mapping.get(rule, anchor, rows, &mapping::Context::ALONE);
        return Ok(derive::meaning(&mapping, &classes, rule, anchor, got));
    }
    let (anchor, rows) = (anchor.clone(), rows.clone());
    cx.staged.run(move |staged| Ok(derive::told(staged, &mapping, &classes, rule, &anchor, &rows))).await
}

async fn stock_of(cx: &Context, shop: &ShopId, products: &[Option<Kept>]) -> Result<BTreeMap<PublicId, i64>> {
    let mut variants = Vec::new();
    for product in products.iter().flatten() {
        for node in store::decode(&product.body)?.list("variants") {
            if let Node::Record(variant) = node {
                variants.extend(variant.text("id").map(PublicId::new));
            }
        }
    }
    let on_hand = cx.store.stock(shop, &variants).await?;
    Ok(variants.into_iter().zip(on_hand).filter_map(|(variant, on_hand)| Some((variant, on_hand?))).collect())
}

/// How what the source tells differs from what is stored; none where it does not.
fn difference(
    mapping: &mapping::Mapping,
    rule: RuleNo,
    told: &Derived,
    kept: Option<&Kept>,
    stock: &BTreeMap<PublicId, i64>,
) -> Result<Option<String>> {
    Ok(match (&told.what, kept) {
        (Meaning::Gone, None) => None,
        // What could not be read is a finding already, and says so louder.
        (Meaning::Refused { .. }, _) => None,
        (Meaning::Gone, Some(kept)) => Some(format!("{} is stored and the source has none", kept.id)),
        (Meaning::Live { .. } | Meaning::History { .. }, None) => Some("the source has it and it is not stored".into()),
        (Meaning::Live { canonical, .. }, Some(kept)) => {
            if kept.class != Class::Live {
                return Ok(Some("is stored as history".into()));
            }
            // The same text is the same document. Another one is read: some differences are none, as the mapping says.
            let fields = if store::encode(&canonical.document)? == kept.body {
                None
            } else {
                mapping.difference(rule, &canonical.document, &store::decode(&kept.body)?)
            };
            fields.map(|path| format!("{path} differs")).or_else(|| {
                canonical.stock.iter().find_map(|(variant, on_hand)| {
                    let ours = stock.get(variant);
                    (ours != Some(on_hand))
                        .then(|| format!("stock of {variant}: {on_hand} at the source, {ours:?} stored"))
                })
            })
        }
        (Meaning::History { document, .. }, Some(kept)) => {
            if kept.class != Class::History {
                return Ok(Some("is stored as live".into()));
            }
            let stored = store::decode(&kept.body)?;
            let same = document.0.iter().all(|(name, node)| &**name == "origin" || stored.get(name) == Some(node));
            (!same).then(|| "history differs".into())
        }
    })
}

/// Proves, by key, what is on the list; returns what was compared and what differs and did not change meanwhile. At once:
/// it is what shoppers have just changed, and a hold may wait for it.
pub(crate) async fn prove_listed(cx: &Context, shop: &ShopId) -> Result<Verdict> {
    prove_in_turns(cx, shop, &Pace::aside(cx, shop)).await
}

/// The same in turns: after a copy that was made again it is the whole shop.
pub(crate) async fn prove_in_turns(cx: &Context, shop: &ShopId, pace: &Pace) -> Result<Verdict> {
    let name = shop.clone();
    let listed = cx.staged.run(move |staged| staged.listed(Ledger::Prove, &name, usize::MAX >> 1)).await?;
    let mut by_rule: BTreeMap<RuleNo, Vec<Dirty>> = BTreeMap::new();
    for dirty in listed {
        by_rule.entry(dirty.rule).or_default().push(dirty);
    }
    // Side by side, because inside a hold the round trips of one rule would wait for those of another.
    let rules = by_rule.iter().map(|(rule, listed)| prove_rule(cx, shop, *rule, listed, pace));
    let (mut verdict, mut proven) = (Verdict::default(), Vec::new());
    for (compared, still, matched) in futures_util::future::try_join_all(rules).await? {
        verdict.compared += compared;
        verdict.differing.extend(still);
        proven.extend(matched);
    }
    for done in proven.chunks(SETTLED) {
        let (name, done) = (shop.clone(), done.to_vec());
        cx.staged.run(move |staged| staged.settle(Ledger::Prove, &name, &done)).await?;
    }
    Ok(verdict)
}

/// Compares what is listed of one rule: how many, what differs, and what matches.
async fn prove_rule(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    listed: &[Dirty],
    pace: &Pace,
) -> Result<(u64, Vec<Different>, Vec<Dirty>)> {
    let (mut still, mut proven, mut left) = (Vec::new(), Vec::new(), listed);
    while !left.is_empty() {
        let mut turn = pace.aggregates(KEYS).await?;
        let (page, others) = left.split_at(turn.aggregates().min(left.len()));
        left = others;
        turn.used_aggregates(page.len());
        let anchors: Vec<Anchor> = page.iter().map(|dirty| dirty.anchor.clone()).collect();
        let found = answered(async {
            let mut reader = cx.source.snapshot().await?;
            source_rows::read(&mut reader, cx.mapping.tables(), &cx.mapping.rules()[rule], &anchors).await
        })
        .await?;
        let differing = differing(cx, shop, rule, &anchors, found).await?;
        let differs: BTreeMap<&Anchor, &String> = differing.iter().map(|(anchor, what)| (anchor, what)).collect();
        for dirty in page {
            match differs.get(&dirty.anchor) {
                Some(what) => still.push(Different {
                    what: (*what).clone(),
                    generation: dirty.generation,
                    of: Some((cx.mapping.rules()[rule].kind, cx.mapping.origin(rule, &dirty.anchor))),
                }),
                None => proven.push(dirty.clone()),
            }
        }
    }
    Ok((u64::try_from(listed.len()).unwrap_or(u64::MAX), still, proven))
}
