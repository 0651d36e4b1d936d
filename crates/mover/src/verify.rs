//! Verification: the source's rows, read by a way of their own, against the documents that the store gives back.
//!
//! A full pass goes over every aggregate that the source enumerates; whatever does not match, or changed since, is
//! proven again by key until it is quiet. Inside a hold only those keys are left. A difference counts only where it
//! stays while nothing changes on either side.
//!
//! A full pass takes turns (`throttle`): each page is read at a snapshot of its own, so that none is open meanwhile. What
//! changes between two pages is on the list, and so is what two snapshots of one group make look different.
//!
//! What the source says is mapped again and compared with what is stored, unless the fingerprint of its rows and of the
//! stored text is the one that was taken when it was derived: then it would come to the same.

mod extra;
mod found;
mod pass;
mod suspects;

pub(crate) use found::{close_finding, finding, ledger, open_control_total, open_mismatch};
pub(crate) use pass::full;
pub(crate) use suspects::Suspects;

use crate::context::Context;
use crate::derive::{self, Derived, Meaning};
use crate::error::{Result, answered};
use crate::source_rows;
use crate::staged::{Dirty, Ledger, Staged};
use crate::throttle::Pace;
use mapping::{Anchor, Rows, RuleNo};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::{Class, Kept};
use vocab::document::Node;
use vocab::id::{Kind, Origin, PublicId, ShopId};

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

/// Which of these aggregates have a document, and which the source and the store tell differently, and how.
async fn differing(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    anchors: &[Anchor],
    mut found: BTreeMap<Anchor, Rows>,
) -> Result<(Vec<Origin>, Vec<(Anchor, String)>)> {
    let kind = cx.mapping.rules()[rule].kind;
    let origins: Vec<Origin> = anchors.iter().map(|anchor| cx.mapping.origin(rule, anchor)).collect();
    let kept = cx.store.kept_by_origin(shop, kind, origins.clone()).await?;
    let stock: BTreeMap<PublicId, i64> =
        if kind == Kind::Product { stock_of(cx, shop, &kept).await? } else { BTreeMap::new() };
    let mut differing = Vec::new();
    let mut stored = Vec::with_capacity(anchors.len());
    for ((anchor, origin), kept) in anchors.iter().zip(origins).zip(kept) {
        stored.extend(kept.is_some().then_some(origin));
        let rows = found.remove(anchor).unwrap_or_default();
        if is_as_derived(cx, rule, &rows, kept.as_ref()) {
            continue;
        }
        let told = tell(cx, rule, anchor, &rows).await?;
        if let Some(what) = difference(&cx.mapping, rule, &told, kept.as_ref(), &stock)? {
            differing.push((anchor.clone(), format!("{} {}: {what}", kind.name(), told.origin)));
        }
    }
    Ok((stored, differing))
}

/// Whether the source has the very rows that the document was derived from, and the document is stored as it was derived.
/// What it counts beside itself (stock) has no text, so a product is looked at more closely.
fn is_as_derived(cx: &Context, rule: RuleNo, rows: &Rows, kept: Option<&Kept>) -> bool {
    let Some(Kept { class: Class::Live, body, fingerprint: Some(fingerprint), .. }) = kept else { return false };
    cx.mapping.rules()[rule].kind != Kind::Product && cx.fingerprints.of(rule, rows, body) == Some(*fingerprint)
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
            let fields = if canonical.text == kept.body {
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
    prove(cx, shop, listed, pace).await
}

/// How far down the list it is proven, and where the list ended when that began: what is listed behind it meanwhile comes the
/// next time, or a busy shop's list would never be gone through.
#[derive(Debug)]
pub(crate) struct Proving {
    behind: Option<Dirty>,
    until: Dirty,
}

/// Proves what is listed for so long, and leaves in `proving` how far it came; none at the end of the list. Who proves a long
/// list so can do something else in between.
pub(crate) async fn prove_for(
    cx: &Context,
    shop: &ShopId,
    proving: &mut Option<Proving>,
    time: Duration,
) -> Result<()> {
    let (begun, pace) = (Instant::now(), Pace::aside(cx, shop));
    loop {
        let (name, so_far) = (shop.clone(), proving.take());
        let most = usize::try_from(KEYS).unwrap_or(usize::MAX);
        let list = move |staged: &Staged| {
            let (behind, until) = match so_far {
                Some(Proving { behind, until }) => (behind, Some(until)),
                None => (None, staged.last_listed(Ledger::Prove, &name)?),
            };
            Ok((staged.listed_between(Ledger::Prove, &name, behind.as_ref(), until.as_ref(), most)?, until))
        };
        let (listed, until) = cx.staged.run(list).await?;
        let (Some(last), Some(until)) = (listed.last().cloned(), until) else { return Ok(()) };
        let more = listed.len() >= most;
        prove(cx, shop, listed, &pace).await?;
        *proving = more.then_some(Proving { behind: Some(last), until });
        if !more || begun.elapsed() >= time {
            return Ok(());
        }
    }
}

async fn prove(cx: &Context, shop: &ShopId, listed: Vec<Dirty>, pace: &Pace) -> Result<Verdict> {
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
        let (_, differing) = differing(cx, shop, rule, &anchors, found).await?;
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
