//! What the mover asks of the gateways and of the backend. The executable carries it: the mover knows no HTTP.

use cutover::latency::Counts;
use cutover::next::Holding;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use vocab::id::{Epoch, ShopId, Side};

/// A question or an order, with the place where the answer goes.
#[derive(Debug)]
pub enum Ask {
    /// Tell every seam to hold the shop's writes; answered when all were told, not when all hold.
    Hold { shop: ShopId, epoch: Epoch, deadline_ms: u32, told: oneshot::Sender<()> },
    /// What the seams say of the hold at this epoch; none where none was asked for.
    Look { shop: ShopId, epoch: Epoch, seen: oneshot::Sender<Option<Holding>> },
    /// Publish the route; answered with the number of requests that were held once every seam acknowledged it.
    Release { shop: ShopId, owner: Side, epoch: Epoch, done: oneshot::Sender<u64> },
    /// Let the shop's copy answer the reads of its catalogue until then, or no longer; answered when every seam was told.
    Dial { shop: ShopId, epoch: Epoch, until: Option<Instant>, told: oneshot::Sender<()> },
    /// How long shoppers waited in all shops since this was asked before, save what was held.
    Waits { told: oneshot::Sender<Counts> },
    /// The same in one shop, with what was held.
    WaitsOf { shop: ShopId, told: oneshot::Sender<Counts> },
    /// Finish what the backend has begun to pay; answered with the attempts still open.
    SettlePayments { shop: ShopId, open: oneshot::Sender<u64> },
}

/// The way to the gateways; without one (`release-all` in its own process) nobody holds and nobody is asked.
#[derive(Debug, Clone, Default)]
pub struct Links(Option<mpsc::Sender<Ask>>);

impl Links {
    pub const fn to(asks: mpsc::Sender<Ask>) -> Self {
        Self(Some(asks))
    }

    pub(crate) async fn hold(&self, shop: &ShopId, epoch: Epoch, deadline_ms: u32) {
        let shop = shop.clone();
        self.ask(|told| Ask::Hold { shop, epoch, deadline_ms, told }).await;
    }

    pub(crate) async fn look(&self, shop: &ShopId, epoch: Epoch) -> Option<Holding> {
        let shop = shop.clone();
        self.ask(|seen| Ask::Look { shop, epoch, seen }).await.flatten()
    }

    /// The number of requests that were held; none where no gateway could be asked.
    pub(crate) async fn release(&self, shop: &ShopId, owner: Side, epoch: Epoch) -> Option<u64> {
        let shop = shop.clone();
        self.ask(|done| Ask::Release { shop, owner, epoch, done }).await
    }

    pub(crate) async fn dial(&self, shop: &ShopId, epoch: Epoch, until: Option<Instant>) {
        let shop = shop.clone();
        self.ask(|told| Ask::Dial { shop, epoch, until, told }).await;
    }

    /// None where no gateway could be asked.
    pub(crate) async fn waits(&self) -> Option<Counts> {
        self.ask(|told| Ask::Waits { told }).await
    }

    pub(crate) async fn waits_of(&self, shop: &ShopId) -> Option<Counts> {
        let shop = shop.clone();
        self.ask(|told| Ask::WaitsOf { shop, told }).await
    }

    pub(crate) async fn settle_payments(&self, shop: &ShopId) -> Option<u64> {
        let shop = shop.clone();
        self.ask(|open| Ask::SettlePayments { shop, open }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let asks = self.0.as_ref()?;
        let (answer, answered) = oneshot::channel();
        asks.send(ask(answer)).await.ok()?;
        answered.await.ok()
    }
}
