//! Step records: as `cutover` reads them and as the store keeps them.

use crate::context::Context;
use crate::error::Result;
use cutover::record::Record;
use store::{RecordedStep, Step, Store};
use vocab::document::Record as Detail;
use vocab::id::{Seq, ShopId};

/// Records read at once.
const PAGE: usize = 10_000;

/// All records of a shop, in their order.
pub(crate) async fn load(store: &Store, shop: &ShopId) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut after = 0;
    loop {
        let page = store.steps(shop, after).await?;
        let full = page.len() >= PAGE;
        after = page.last().map_or(after, |last| last.number);
        records.extend(page.iter().filter_map(from_stored));
        if !full {
            return Ok(records);
        }
    }
}

/// A stored record; none where a later version wrote it.
pub fn from_stored(recorded: &RecordedStep) -> Option<Record> {
    recorded.record()
}

/// What is measured beside a record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    pub(crate) us: Option<i64>,
    pub(crate) held: Option<u64>,
    /// At a flip, the last invoice number of the side that is left: what the other one goes on from.
    pub(crate) invoice: Option<i64>,
}

pub(crate) fn to_stored(cx: &Context, shop: &ShopId, record: &Record, measured: Measured) -> Step {
    let mut detail = Detail::default().with("by", &*cx.holder);
    if let Some(mark) = record.mark.and_then(|mark| i64::try_from(mark).ok()) {
        detail.set("mark", mark);
    }
    if let Some(reason) = &record.reason {
        detail.set("reason", reason.code());
    }
    if let Some(us) = measured.us {
        detail.set("us", us);
    }
    if let Some(invoice) = measured.invoice {
        detail.set("invoice", invoice);
    }
    if let Some(held) = measured.held.and_then(|held| i64::try_from(held).ok()) {
        detail.set("held", held);
    }
    Step {
        shop: shop.clone(),
        epoch: record.epoch,
        direction: record.direction,
        step: record.step.name().into(),
        phase: record.phase.name().into(),
        at: (cx.clock)(),
        detail,
    }
}

/// The `seq` below which every fact is in the legacy already: reverse starts behind the latest flip.
pub(crate) fn reverse_start(records: &[Record]) -> Seq {
    records.iter().rev().find_map(|record| record.reverse_start).unwrap_or(Seq::ZERO)
}
