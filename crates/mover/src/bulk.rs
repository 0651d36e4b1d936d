//! The first derivation of what a copy brought: page by page in the order of the anchors, some pages ahead of the import.
//!
//! How far it has come is one row per rule, moved on behind some pages that are imported and durable; a crash imports them
//! again.
//! What the stream changes meanwhile is listed one by one and derived afterwards. Each page waits for its turn.

use crate::context::Context;
use crate::derive::{self, Derived, Lasting, Worked};
use crate::error::{Error, Result};
use crate::staged::Lost;
use crate::throttle::{Pace, Turn};
use mapping::{Anchor, RuleNo};
use std::collections::VecDeque;
use tokio::task::{JoinError, JoinHandle};
use vocab::id::{Epoch, ShopId};

/// Aggregates of a page.
const PAGE: u32 = 1_024;
/// Pages that are read and mapped at once, beside the one that is imported.
const AHEAD: usize = 2;
/// Pages that are synced together: some megabytes, and a commit of another shop may have to wait for them.
const SYNCED: usize = 2;

/// Derives and imports what was copied of a shop and never derived.
pub(crate) async fn derive_copied(cx: &Context, shop: &ShopId, epoch: Epoch, pace: &Pace) -> Result<Worked> {
    let mut imported = 0;
    loop {
        let name = shop.clone();
        let Some((rule, after)) = cx.staged.run(move |staged| staged.underived(&name)).await? else {
            return Ok(Worked { imported, everything: true });
        };
        let mut pages = Pages { cx, shop, pace, rule, after, ahead: VecDeque::new(), ended: false };
        let mut far = Far::default();
        while let Some(page) = pages.next().await? {
            imported += u64::try_from(page.derived.len()).unwrap_or(u64::MAX);
            let Some(lost) = derive::import(cx, shop, epoch, page.position, page.derived, Lasting::Later).await? else {
                return Ok(Worked { imported, everything: false });
            };
            far.lost.extend(page.anchors.into_iter().zip(lost).filter_map(|(at, lost)| Some((at, lost?))));
            (far.last, far.pages) = (page.last, far.pages + 1);
            if far.pages >= SYNCED {
                std::mem::take(&mut far).tell(cx, shop, rule).await?;
            }
        }
        if far.pages > 0 {
            far.tell(cx, shop, rule).await?;
        }
        let name = shop.clone();
        cx.staged.run(move |staged| staged.all_derived(&name, rule)).await?;
    }
}

/// Pages that were imported and are not told of yet.
#[derive(Default)]
struct Far {
    pages: usize,
    /// The bytes of the last anchor.
    last: Vec<u8>,
    lost: Vec<(Anchor, Lost)>,
}

impl Far {
    /// Makes them durable, and then says that they are done.
    async fn tell(self, cx: &Context, shop: &ShopId, rule: RuleNo) -> Result<()> {
        cx.store.sync_imports().await?;
        let name = shop.clone();
        cx.staged.run(move |staged| staged.derived_until(&name, rule, &self.last, &self.lost)).await
    }
}

/// Aggregates that lie side by side, and what they mean.
struct Page {
    anchors: Vec<Anchor>,
    /// The bytes of the last anchor.
    last: Vec<u8>,
    /// Up to where the stream was staged before the rows were read.
    position: u64,
    derived: Vec<Derived>,
    /// Ends when the page is imported.
    _turn: Turn,
}

/// The pages of one rule, some of them under way.
struct Pages<'a> {
    cx: &'a Context,
    shop: &'a ShopId,
    pace: &'a Pace,
    rule: RuleNo,
    after: Vec<u8>,
    ahead: VecDeque<JoinHandle<Result<Page>>>,
    ended: bool,
}

impl Pages<'_> {
    /// A page that is there is imported before another is waited for: its turn ends with it.
    async fn next(&mut self) -> Result<Option<Page>> {
        loop {
            let (more, pace) = (self.ahead.len() <= AHEAD && !self.ended, self.pace);
            tokio::select! {
                biased;
                turn = pace.aggregates(PAGE), if more => self.begin(turn?).await?,
                page = first(&mut self.ahead), if !self.ahead.is_empty() => {
                    self.ahead.pop_front();
                    return page.map_err(|_| Error::Task("mapping"))?.map(Some);
                }
                else => return Ok(None),
            }
        }
    }

    async fn begin(&mut self, mut turn: Turn) -> Result<()> {
        let (gather, name) = (self.cx.mapping.rules()[self.rule].gather.clone(), self.shop.clone());
        let after = self.after.clone();
        let page = turn.aggregates();
        let look = move |staged: &crate::staged::Staged| staged.anchors(&gather, name.as_str(), Some(&after), page);
        let (bytes, anchors): (Vec<_>, Vec<_>) = self.cx.staged.run(look).await?.into_iter().unzip();
        let Some(last) = bytes.into_iter().next_back() else {
            self.ended = true;
            return Ok(());
        };
        self.after.clone_from(&last);
        turn.used_aggregates(anchors.len());
        let (cx, rule) = (self.cx.clone(), self.rule);
        self.ahead.push_back(tokio::task::spawn_blocking(move || {
            let position = cx.staged.position()?.map_or(0, |position| position.0);
            let derived = derive::read(&cx, rule, &anchors)?;
            Ok(Page { anchors, last, position, derived, _turn: turn })
        }));
        Ok(())
    }
}

async fn first(ahead: &mut VecDeque<JoinHandle<Result<Page>>>) -> std::result::Result<Result<Page>, JoinError> {
    match ahead.front_mut() {
        Some(page) => page.await,
        None => std::future::pending().await,
    }
}
