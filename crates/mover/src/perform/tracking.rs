//! The step `track`: from it on the copy follows the source.

use super::{DONE, Effect};
use crate::drive::Driver;
use crate::error::{Error, Result};
use crate::{blocks, derive, observe};
use cutover::progress::Progress;
use cutover::state::State;
use std::time::Duration;
use vocab::id::Direction;

/// What could not be derived, because a transaction is staged in part, is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The first derivation of everything, and the ids that the backend may give away.
pub(super) async fn track(driver: &Driver, progress: &Progress) -> Result<Effect> {
    let (cx, shop, epoch) = (&driver.cx, &driver.shop, progress.head.epoch);
    cx.owned.clear(shop);
    blocks::refill(cx).await?;
    if progress.state() == State::Released(Direction::ToLegacy) {
        // Home again, nothing is copied; what is left is derived as ever, and takes no turns.
        derive::derive_all(cx, shop, epoch).await?;
        return Ok(DONE);
    }
    // Nobody else derives what was copied, so it is not over before that is done.
    let pace = driver.pace();
    while !derive::derive_in_turns(cx, shop, epoch, &pace).await?.everything {
        if observe::is_stopped(cx, shop).await? {
            return Err(Error::Stopped);
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(DONE)
}
