//! A shop that the backend owns, read again: nothing is derived, and nothing of it is copied. What the legacy has is compared
//! with what our facts say it must have; where that is so, the way back is as good as if nothing had been.

use super::keyed::{named, stage_all};
use super::{Answer, mend};
use crate::drive::Driver;
use crate::error::Result;
use crate::staged::{Ledger, ROGUE_MAX};
use crate::throttle::Pace;
use crate::verify::{self, Different};
use cutover::bounds::FENCE_LOCK_MS_MAX;
use cutover::progress::Progress;
use mapping::{Anchor, RuleNo};
use std::collections::BTreeSet;
use std::time::Duration;
use store::Finding;
use vocab::id::{Kind, Origin};

/// Rounds in which what differs may become quiet, and the time between two: facts go back meanwhile.
const ROUNDS: u32 = 40;
const ROUND: Duration = Duration::from_millis(50);

impl Driver {
    /// The way back has stopped: mended, it is tried once more or proven as a whole.
    pub(super) async fn reread_stopped_soak(&mut self, code: &str) -> Result<Answer> {
        if code == "reverse.mismatch" {
            return self.carry_once_more().await;
        }
        if let Some(why) = mend::unlike_declared(&self.cx).await? {
            return Ok(Answer::Refused { code: "not_mended", why });
        }
        let (cx, shop) = (self.cx.clone(), self.shop.clone());
        if let Err(reason) = mend::mend(&cx).await? {
            return Ok(Answer::Refused { code: "not_mended", why: reason.code() });
        }
        self.close_the_fence().await?;
        self.memory.applied = None;
        self.memory.full_pass = None;
        self.memory.verified_since_flip = false;
        // Facts are carried back as ever; what stopped them was that nobody saw what else was written.
        let full = verify::full(&cx, &shop, &Pace::at_once(&cx, &shop)).await?;
        let differing = self.settle_soak().await?;
        if let Some(first) = differing.first() {
            let why =
                format!("{} aggregates of the legacy are not as our facts say, first: {}", differing.len(), first.what);
            return Ok(Answer::Refused { code: "differs", why });
        }
        if !stage_all(&cx, &shop).await? {
            return Ok(Answer::Refused { code: "not_mended", why: "mark_not_seen".to_owned() });
        }
        for class in ["schema.changed", "guards.missing", "stream.lost"] {
            cx.store.close_class(&shop, class).await?;
        }
        Ok(Answer::Done { read: usize::try_from(full.compared).unwrap_or(usize::MAX), left: 0 })
    }

    /// Nothing of the batch that the legacy did not take is there; whether it takes it now is seen by giving it once more.
    async fn carry_once_more(&mut self) -> Result<Answer> {
        self.cx.store.close_class(&self.shop, "reverse.mismatch").await?;
        self.memory.applied = None;
        self.carry_back_now().await?;
        let found = self.cx.store.findings(&self.shop).await?;
        let again = found.iter().find(|one| &*one.finding.class == "reverse.mismatch");
        Ok(match again {
            Some(one) => {
                let why = one.finding.detail.text("what").unwrap_or("the legacy does not take it").to_owned();
                Answer::Refused { code: "not_mended", why }
            }
            None => Answer::Done { read: 0, left: 0 },
        })
    }

    /// A database that was put back from a copy may have lost that its shop is the backend's.
    async fn close_the_fence(&self) -> Result<()> {
        let Some(head) = self.cx.store.head(&self.shop).await? else { return Ok(()) };
        let fences = self.cx.source.fences().await?;
        if !fences.iter().any(|fence| fence.shop == self.shop && fence.closed) {
            let wait = Duration::from_millis(u64::from(FENCE_LOCK_MS_MAX));
            self.cx.source.fence(&self.shop, head.epoch, wait).await?;
        }
        Ok(())
    }

    /// Proves what findings are about on the legacy's own rows. A rogue whose rows are as our facts say has left nothing
    /// behind. None where the shop is not at rest in its soak.
    pub(super) async fn reread_soak(&mut self, open: &[Finding], progress: &Progress) -> Result<Option<usize>> {
        if progress.derives() != Some(vocab::id::Direction::ToLegacy) {
            return Ok(None);
        }
        let (cx, shop) = (self.cx.clone(), self.shop.clone());
        let mut wanted = named(&cx, &shop, open);
        let mut rogues = Vec::new();
        for finding in open.iter().filter(|one| &*one.class == "rogue_watch") {
            let Some(order) = finding.origin.as_str().strip_prefix("tx:").and_then(|order| order.parse().ok()) else {
                continue;
            };
            let name = shop.clone();
            let touched = cx.staged.run(move |staged| staged.rogue_of(&name, order)).await?;
            for (rule, anchor) in &touched {
                wanted.entry(*rule).or_default().insert(anchor.clone());
            }
            rogues.push((finding, touched));
        }
        let listed: Vec<_> =
            wanted.iter().flat_map(|(rule, anchors)| anchors.iter().map(|anchor| (*rule, anchor.clone()))).collect();
        let (name, list) = (shop.clone(), listed.clone());
        cx.staged.run(move |staged| staged.list(Ledger::Prove, &name, &list)).await?;
        let differing = self.settle_soak().await?;
        let differs: BTreeSet<&(Kind, Origin)> = differing.iter().filter_map(|one| one.of.as_ref()).collect();
        for (finding, touched) in rogues {
            let of =
                |(rule, anchor): &(RuleNo, Anchor)| (cx.mapping.rules()[*rule].kind, cx.mapping.origin(*rule, anchor));
            let still: Vec<(Kind, Origin)> = touched.iter().map(of).filter(|one| differs.contains(one)).collect();
            if still.is_empty() && !touched.is_empty() && touched.len() < ROGUE_MAX {
                cx.store.close_findings(&shop, finding.kind, &finding.origin).await?;
            } else if still != finding.about() {
                let detail = Finding::naming(finding.detail.clone(), still);
                cx.open_finding(Finding { detail, ..finding.clone() }).await?;
            }
        }
        if differing.is_empty() {
            verify::close_finding(&cx, &shop, "verify.digest").await?;
        }
        Ok(Some(listed.len()))
    }

    /// Carries back and proves until nothing differs, or what does has stayed so for a while.
    async fn settle_soak(&mut self) -> Result<Vec<Different>> {
        let mut differing = Vec::new();
        for _ in 0..ROUNDS {
            let left = self.carry_back_now().await?;
            differing = verify::prove_listed(&self.cx, &self.shop).await?.differing;
            if differing.is_empty() && left == 0 {
                break;
            }
            tokio::time::sleep(ROUND).await;
        }
        Ok(differing)
    }
}
