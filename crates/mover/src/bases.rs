//! What write-back left of the last way back is the base of nothing any more once the legacy owns the shop again: it is
//! let go before the next hold, which then need not do it.

use crate::context::Context;
use crate::error::Result;
use crate::staged::Staged;
use cutover::progress::Progress;
use vocab::id::ShopId;

/// Batches of rows whose base is let go before a hold that may begin; what is left, the flip does.
pub(crate) const BEFORE: u32 = 64;

/// Lets some of them go; `progress` says that the legacy owns the shop.
pub(crate) async fn let_go(cx: &Context, shop: &ShopId, progress: &Progress, batches: u32) -> Result<()> {
    // Read before the head is: at that position the legacy owns the shop, if the head says that it does.
    let Some(until) = cx.staged.run(Staged::position).await? else { return Ok(()) };
    let head = cx.store.head(shop).await?;
    if head.is_none_or(|head| head.epoch != progress.head.epoch) {
        return Ok(());
    }
    for _ in 0..batches {
        let name = shop.clone();
        if !cx.staged.run(move |staged| staged.let_base_go(&name, until)).await? {
            break;
        }
    }
    Ok(())
}
