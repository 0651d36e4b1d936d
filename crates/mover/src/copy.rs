//! The copy of one shop: chunk by chunk, each at its own cut, staged once the stream has passed its marker.
//!
//! A crash in a chunk reads it again at a new cut. The end is a positive proof: every table has been read to its end,
//! and then every aggregate is dirty once.

use crate::context::Context;
use crate::error::Result;
use crate::observe;
use crate::staged::{Chunk, Ledger};
use capture::{Marker, SharedBy};
use crash::{Act, Phase};
use mapping::Gather;
use std::time::Duration;
use vocab::id::ShopId;
use vocab::row::{ShopPath, TableNo};

/// Rows of a chunk.
const CHUNK: u32 = 2_000;
/// Anchors listed at once when all are made dirty.
const ANCHORS: usize = 2_000;
/// How often whoever waits for the stream looks whether that makes sense.
const LOOK: Duration = Duration::from_millis(500);

/// Copies what is not yet copied of a shop, then lists all its aggregates for derivation and for proof.
/// False where the shop was stopped meanwhile.
pub(crate) async fn copy(cx: &Context, shop: &ShopId) -> Result<bool> {
    let name = shop.clone();
    let copied = cx.staged.run(move |staged| staged.copied(&name)).await?;
    for table in parents_first(cx) {
        if matches!(&cx.mapping.tables()[table].shop, ShopPath::Fixed(fixed) if fixed != shop) {
            continue;
        }
        let mut after = copied.0.get(&table).and_then(|copied| copied.after.clone());
        let mut done = copied.0.get(&table).is_some_and(|copied| copied.done);
        while !done {
            crash::reach(Act::CopyChunk, Phase::Before);
            let shared = shared_by(cx, table);
            let read = cx.source.read_chunk(shop, table, after.as_ref(), CHUNK, &shared).await?;
            if !comes(cx, shop, &read.marker).await? {
                return Ok(false);
            }
            after = read.rows.last().map(|(key, _)| key.clone()).or(after);
            done = read.last;
            let chunk = Chunk { shop: shop.clone(), table, cut: read.cut, rows: read.rows, last: read.last };
            cx.staged.run(move |staged| staged.stage_chunk(&chunk)).await?;
            crash::reach(Act::CopyChunk, Phase::After);
        }
    }
    list_all(cx, shop, &[Ledger::Derive]).await?;
    Ok(true)
}

/// Waits for the stream to pass a marker, unless the shop is stopped: a stream that is lost brings none.
async fn comes(cx: &Context, shop: &ShopId, marker: &Marker) -> Result<bool> {
    while tokio::time::timeout(LOOK, cx.stream.marker(marker)).await.is_err() {
        if observe::is_stopped(cx, shop).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts every aggregate of a shop on lists.
pub(crate) async fn list_all(cx: &Context, shop: &ShopId, lists: &'static [Ledger]) -> Result<()> {
    for (rule, gather) in cx.mapping.rules().iter().map(|rule| rule.gather.clone()).enumerate() {
        if !may_belong(cx, &gather, shop) {
            continue;
        }
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (name, at, from) = (shop.clone(), gather.clone(), after.take());
            let page =
                cx.staged.run(move |staged| staged.anchors(&at, name.as_str(), from.as_deref(), ANCHORS)).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let anchors: Vec<_> = page.into_iter().map(|(_, anchor)| (rule, anchor)).collect();
            let name = shop.clone();
            cx.staged.run(move |staged| lists.iter().try_for_each(|list| staged.list(*list, &name, &anchors))).await?;
        }
    }
    Ok(())
}

/// A group's rule is for the one shop that its table is fixed to.
pub(crate) fn may_belong(cx: &Context, gather: &Gather, shop: &ShopId) -> bool {
    match gather {
        Gather::Anchored { .. } => true,
        Gather::Grouped { table, .. } => match &cx.mapping.tables()[*table].shop {
            ShopPath::Fixed(fixed) => fixed == shop,
            ShopPath::Column(_) | ShopPath::Through { .. } | ShopPath::Shared => false,
        },
    }
}

/// A child's shop is its parent's, so parents are staged first; shared tables hang on all others.
fn parents_first(cx: &Context) -> Vec<TableNo> {
    let tables = cx.mapping.tables();
    let mut order: Vec<TableNo> = (0..tables.len()).collect();
    order.sort_by_key(|&table| depth(cx, table));
    order
}

fn depth(cx: &Context, table: TableNo) -> usize {
    let tables = cx.mapping.tables();
    let (mut at, mut depth) = (table, 0);
    while depth < tables.len() {
        match &tables[at].shop {
            ShopPath::Through { table: parent, .. } => {
                at = *parent;
                depth += 1;
            }
            ShopPath::Shared => return tables.len(),
            ShopPath::Column(_) | ShopPath::Fixed(_) => return depth,
        }
    }
    depth
}

/// Through which rows a row of a shared table becomes a shop's: the joins of the rules.
pub(crate) fn shared_by(cx: &Context, shared: TableNo) -> Vec<SharedBy> {
    if cx.mapping.tables()[shared].shop != ShopPath::Shared {
        return Vec::new();
    }
    let mut ways = Vec::new();
    for rule in cx.mapping.rules() {
        if let Gather::Anchored { table, joins } = &rule.gather {
            for join in joins.iter().filter(|join| join.table == shared) {
                ways.push(SharedBy { table: *table, column: join.anchor_column, key: join.column });
            }
        }
    }
    ways
}
