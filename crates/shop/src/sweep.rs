//! What happens without a request: carts that nobody touches expire.

use crate::Service;
use crate::failure::{Failure, Stop};
use commerce::cart::{LIFETIME_US, State};
use commerce::decision::Decision;
use vocab::id::{Kind, ShopId, Side, Timestamp};

/// How many carts one sweep looks at; the next one goes on.
const SWEEP_MAX: usize = 256;

impl Service {
    /// Expires the carts that were not changed for 24 hours; answers how many. Nothing where the shop is not ours.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn expire_carts(&self, shop: &ShopId, now: Timestamp) -> Result<usize, Failure> {
        let head = self.store.head(shop).await?.ok_or(Failure::UnknownShop)?;
        if head.owner != Side::Backend || head.fenced {
            return Ok(0);
        }
        let before = Timestamp(now.0.saturating_sub(LIFETIME_US));
        let idle = self.store.idle_in_state(shop, Kind::Cart, "open", before, SWEEP_MAX).await?;
        let mut expired = 0;
        for id in idle {
            let view = self.view(shop, None, Some((Kind::Cart, id.clone()))).await?;
            let cart = match view.cart(&id) {
                Ok(cart) => cart,
                Err(Stop::Refused(_)) => continue,
                Err(Stop::Failed(failure)) => return Err(failure),
            };
            // A cart that was changed or ended since it was listed is left alone: its version tells.
            let Ok(after) = cart.end(State::Expired, now) else { continue };
            if self.try_commit(shop, &view, Decision::default().changed(&cart, &after)).await? {
                expired += 1;
            }
        }
        Ok(expired)
    }
}
