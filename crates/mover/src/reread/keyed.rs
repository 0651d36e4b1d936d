//! Aggregates read again by key, of a shop that the legacy owns: from the source's own rows, as one cut shows them, into
//! the staged rows, and from there on as every change goes.

use crate::context::Context;
use crate::drive::Driver;
use crate::error::{Result, answered};
use crate::staged::{Again, Ledger};
use crate::{derive, rehearse, source_rows, totals, verify};
use cutover::progress::Progress;
use cutover::state::State;
use mapping::{Anchor, Gather, RuleNo};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Finding;
use vocab::document::Record;
use vocab::id::{Direction, Kind, ShopId};

/// Aggregates read again at one cut, and those that are on no finding but not proven.
const KEYS: usize = 500;
const PAGE: u32 = 500;
const UNPROVEN_MAX: usize = 2_000;
/// Rounds in which what differs may become quiet, and the time between two.
const ROUNDS: u32 = 20;
const ROUND: Duration = Duration::from_millis(50);

impl Driver {
    /// Reads what the findings are about again; answers how many aggregates that were, none where it is not the time for it.
    pub(super) async fn reread_by_key(&mut self, open: &[Finding], progress: &Progress) -> Result<Option<usize>> {
        if !matches!(progress.state(), State::Tracking | State::Ready(Direction::ToBackend)) {
            return Ok(None);
        }
        let (cx, shop, epoch) = (self.cx.clone(), self.shop.clone(), progress.head.epoch);
        let of_the_shop: BTreeSet<&str> =
            open.iter().filter(|one| one.kind == Kind::Shop).map(|one| &*one.class).collect();
        let mut wanted = named(&cx, &shop, open);
        if of_the_shop.iter().any(|class| class.starts_with("verify.")) {
            let name = shop.clone();
            let unproven = cx.staged.run(move |staged| staged.listed(Ledger::Prove, &name, UNPROVEN_MAX)).await?;
            for dirty in unproven {
                wanted.entry(dirty.rule).or_default().insert(dirty.anchor);
            }
        }
        let read = wanted.values().map(BTreeSet::len).sum();
        for (rule, anchors) in wanted {
            let anchors: Vec<Anchor> = anchors.into_iter().collect();
            for page in anchors.chunks(KEYS) {
                if !stage_by_key(&cx, &shop, rule, page, false).await? {
                    return Ok(None);
                }
            }
        }
        let differing = settle(&cx, &shop, epoch).await?;
        self.look_at_the_whole(&of_the_shop, differing == 0).await?;
        Ok(Some(read))
    }

    /// What is said of the shop as a whole, and what can be seen of it now. A verification says the rest.
    async fn look_at_the_whole(&self, classes: &BTreeSet<&str>, agrees: bool) -> Result<()> {
        let (cx, shop) = (&self.cx, &self.shop);
        if classes.contains("verify.digest") && agrees {
            verify::close_finding(cx, shop, "verify.digest").await?;
        }
        if classes.contains("control_total")
            && let Some(compared) = totals::compare(cx, shop, &totals::Rounds::default()).await?
            && totals::Rounds::default().agree(compared)
        {
            verify::close_finding(cx, shop, "control_total").await?;
        }
        if classes.contains("rehearsal") && rehearse::rehearse(cx, shop).await?.is_empty() {
            verify::close_finding(cx, shop, "rehearsal").await?;
        }
        if classes.contains("verify.ledger") {
            verify::ledger(cx, shop).await?;
        }
        Ok(())
    }
}

/// Where the aggregates of findings lie.
pub(super) fn named(cx: &Context, shop: &ShopId, open: &[Finding]) -> BTreeMap<RuleNo, BTreeSet<Anchor>> {
    let mut wanted: BTreeMap<RuleNo, BTreeSet<Anchor>> = BTreeMap::new();
    let mut want = |kind: Kind, origin: &str| {
        let document = Record::default().with("origin", origin);
        for (rule, _) in cx.mapping.rules().iter().enumerate().filter(|(_, rule)| rule.kind == kind) {
            if let Some(anchor) = cx.mapping.anchor_of(rule, shop, &document) {
                wanted.entry(rule).or_default().insert(anchor);
            }
        }
    };
    for finding in open {
        finding.about().iter().for_each(|(kind, origin)| want(*kind, origin.as_str()));
    }
    wanted
}

/// Reads aggregates at one cut, and stages them when all that it shows is staged. False where it does not.
pub(crate) async fn stage_by_key(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    anchors: &[Anchor],
    soaks: bool,
) -> Result<bool> {
    let mut reader = answered(async { Ok(cx.source.snapshot().await?) }).await?;
    let cut = reader.cut().clone();
    let reading = source_rows::read(&mut reader, cx.mapping.tables(), &cx.mapping.rules()[rule], anchors);
    let found = answered(reading).await?;
    drop(reader);
    if !cx.wait_until_staged(&cut).await? {
        return Ok(false);
    }
    let again = Again { shop: shop.clone(), rule, cut, anchors: anchors.to_vec(), found, soaks };
    cx.staged.run(move |staged| staged.stage_again(&again)).await?;
    Ok(true)
}

/// Stages every aggregate of a shop that the backend owns as the legacy has it now: what was carried back while nobody
/// followed the source came in no stream, and after a rollback all is derived from the staged rows. Those that they still
/// have and the legacy has not come last. False where the stream does not follow.
pub(super) async fn stage_all(cx: &Context, shop: &ShopId) -> Result<bool> {
    for (rule, of) in cx.mapping.rules().iter().enumerate() {
        // A group is history, of which nothing is carried back.
        let Gather::Anchored { table, .. } = of.gather else { continue };
        let mut after = None;
        loop {
            let page = cx.source.snapshot().await?.rows_of_shop(shop, table, after.as_ref(), PAGE, &[]).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let anchors: Vec<Anchor> = page.into_iter().map(|(key, _)| Anchor::Row(key)).collect();
            if !stage_by_key(cx, shop, rule, &anchors, true).await? {
                return Ok(false);
            }
        }
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (name, gather, from) = (shop.clone(), of.gather.clone(), after.take());
            let page =
                cx.staged.run(move |staged| staged.anchors(&gather, name.as_str(), from.as_deref(), KEYS)).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let anchors: Vec<Anchor> = page.into_iter().map(|(_, anchor)| anchor).collect();
            if !stage_by_key(cx, shop, rule, &anchors, true).await? {
                return Ok(false);
            }
        }
    }
    let name = shop.clone();
    cx.staged.run(move |staged| staged.gap_is_over(&name)).await?;
    Ok(true)
}

/// Derives and proves until nothing differs, or what does has stayed so for a while. How many do.
async fn settle(cx: &Context, shop: &ShopId, epoch: vocab::id::Epoch) -> Result<usize> {
    let mut differing = 0;
    for _ in 0..ROUNDS {
        derive::derive(cx, shop, epoch).await?;
        differing = verify::prove_listed(cx, shop).await?.differing.len();
        if differing == 0 {
            break;
        }
        tokio::time::sleep(ROUND).await;
    }
    Ok(differing)
}
