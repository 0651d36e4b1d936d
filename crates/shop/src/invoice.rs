//! An invoice: an order as it stands, live or history, and who sold it. It is a view, nothing of it is stored.

use crate::Service;
use crate::failure::{Failure, Stop};
use crate::view::Filed;
use vocab::id::{Kind, PublicId, ShopId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The seller's name.
    pub seller: String,
    pub filed: Filed,
}

impl Service {
    /// The invoice of an order; none if there is no such order.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn invoice(&self, shop: &ShopId, order: &PublicId) -> Result<Option<Invoice>, Failure> {
        let view = self.view(shop, None, Some((Kind::Order, order.clone()))).await?;
        let filed = match view.order(order) {
            Ok(filed) => filed,
            Err(Stop::Refused(_)) => return Ok(None),
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        Ok(Some(Invoice { seller: view.terms.name().to_owned(), filed }))
    }
}
