//! Blocks of ids, taken in the legacy before the hold, so that what the backend mints is free there for ever.

use crate::context::Context;
use crate::error::{Result, answered};
use vocab::id::Epoch;

/// Takes a new block wherever less than half of one is left.
pub(crate) async fn refill(cx: &Context) -> Result<()> {
    let _alone = cx.taking_ids.lock().await;
    for block in cx.mapping.blocks() {
        let table = &cx.mapping.tables()[block.table].name;
        let held = cx.store.blocks(table).await?;
        let left: i64 = held.iter().map(|held| (held.to - held.next + 1).max(0)).sum();
        let half = i64::try_from(block.size / 2).unwrap_or(i64::MAX);
        if left >= half.max(1) {
            continue;
        }
        let size = u32::try_from(block.size).unwrap_or(u32::MAX);
        for (from, to) in answered(async { Ok(cx.source.take_block(block.table, size).await?) }).await? {
            cx.store.add_block(table, from, to, Epoch::FIRST).await?;
        }
    }
    Ok(())
}
