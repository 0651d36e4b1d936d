//! The copy of one shop: table by table in long reads, each at its own cut, staged piece by piece once the stream has
//! passed the marker behind that cut.
//!
//! While one piece is staged the next is read. A crash loses at most the piece that was not staged: the next read begins
//! behind the last key that is staged, at a new cut. The end is a positive proof: every table has been read to its end,
//! and then every aggregate is to be derived once.
//! Each piece waits for its turn (`throttle`); no cut is open for longer than [`READ_MAX`] because of that.

use crate::context::Context;
use crate::error::{Error, Result, answered};
use crate::observe;
use crate::staged::Chunk;
use crate::throttle::Pace;
use capture::{Marker, Piece, SharedBy};
use crash::{Act, Phase};
use mapping::{Gather, RuleNo};
use std::time::{Duration, Instant};
use vocab::id::ShopId;
use vocab::row::{RowKey, ShopPath, TableNo};

/// Rows of a piece: staged in one transaction, and twice as many in memory. The file has one writer, and a hold of another
/// shop may wait for it.
const CHUNK: u32 = 2_000;
/// Rows of one read, and how long it may go on: a cut that is open keeps the source from clearing what it still sees.
const READ: u32 = 1_000_000;
const READ_MAX: Duration = Duration::from_secs(30);
/// How often whoever waits for the stream looks whether that makes sense.
const LOOK: Duration = Duration::from_millis(500);

/// Copies what is not yet copied of a shop; all its aggregates are to be derived then. False where the shop was stopped
/// meanwhile.
pub(crate) async fn copy(cx: &Context, shop: &ShopId, pace: &Pace) -> Result<bool> {
    let name = shop.clone();
    let copied = cx.staged.run(move |staged| staged.copied(&name)).await?;
    for table in parents_first(cx) {
        if matches!(&cx.mapping.tables()[table].shop, ShopPath::Fixed(fixed) if fixed != shop) {
            continue;
        }
        let known = copied.0.get(&table);
        let mut place = Place { after: known.and_then(|copied| copied.after.clone()), done: false };
        place.done = known.is_some_and(|copied| copied.done);
        while !place.done {
            if !read(cx, shop, table, &mut place, pace).await? {
                return Ok(false);
            }
        }
    }
    let (name, rules) = (shop.clone(), rules_of(cx, shop));
    cx.staged.run(move |staged| staged.list_copied(&name, &rules)).await?;
    Ok(true)
}

/// Waits for the stream to pass a marker, for as long as a read may go on: a stream that is lost or fails brings none.
async fn comes(cx: &Context, shop: &ShopId, marker: &Marker) -> Result<bool> {
    let begun = Instant::now();
    while tokio::time::timeout(LOOK, cx.stream.marker(marker)).await.is_err() {
        if begun.elapsed() > READ_MAX || cx.trouble.code().is_some() || observe::is_stopped(cx, shop).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How far a table is staged.
struct Place {
    after: Option<RowKey>,
    done: bool,
}

/// One long read, from where the table is staged to its end, or as far as one read goes. False where the shop was stopped
/// meanwhile.
async fn read(cx: &Context, shop: &ShopId, table: TableNo, place: &mut Place, pace: &Pace) -> Result<bool> {
    // Where the stream does not go on, no cut of the source is kept open for it.
    while cx.trouble.code().is_some() {
        tokio::time::sleep(LOOK).await;
        if observe::is_stopped(cx, shop).await? {
            return Ok(false);
        }
    }
    let mut turn = pace.rows(CHUNK).await?;
    let (ends, shared) = (Instant::now() + READ_MAX, shared_by(cx, table));
    crash::reach(Act::CopyChunk, Phase::Before);
    let begins = async { Ok(cx.source.begin_copy(shop, table, place.after.as_ref(), READ, &shared).await?) };
    let mut read = answered(begins).await?;
    let (marker, cut) = (read.marker().clone(), read.cut().clone());
    let first = answered(async { Ok(read.next(turn.rows()).await?) });
    let (first, comes) = tokio::join!(first, comes(cx, shop, &marker));
    let mut piece = first?;
    if !comes? {
        read.give_up().await;
        return Ok(!observe::is_stopped(cx, shop).await?);
    }
    loop {
        let Piece { rows, ended, last } = piece;
        place.after = rows.last().map(|(key, _)| key.clone()).or(place.after.take());
        turn.used(rows.len());
        let chunk = Chunk { shop: shop.clone(), table, cut: cut.clone(), rows, last };
        let staging = async move {
            let staged = cx.staged.run(move |staged| staged.stage_chunk(&chunk)).await;
            drop(turn);
            staged
        };
        let next = async {
            if ended {
                return Ok::<_, Error>(None);
            }
            // Whoever waits for longer than a cut may be open begins a new one.
            let Ok(turn) = tokio::time::timeout_at(ends.into(), pace.rows(CHUNK)).await else { return Ok(None) };
            let turn = turn?;
            let piece = answered(async { Ok(read.next(turn.rows()).await?) }).await?;
            Ok(Some((turn, piece)))
        };
        let (staged, next) = tokio::join!(staging, next);
        staged?;
        crash::reach(Act::CopyChunk, Phase::After);
        let Some(next) = next? else {
            place.done = last;
            if !ended {
                read.give_up().await;
            }
            return Ok(true);
        };
        (turn, piece) = next;
        crash::reach(Act::CopyChunk, Phase::Before);
    }
}

/// The rules by which a shop may have aggregates.
fn rules_of(cx: &Context, shop: &ShopId) -> Vec<RuleNo> {
    let rules = cx.mapping.rules().iter().enumerate();
    rules.filter(|(_, rule)| may_belong(cx, &rule.gather, shop)).map(|(rule, _)| rule).collect()
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
