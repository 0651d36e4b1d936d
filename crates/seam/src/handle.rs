//! The seam's control side: what the mover's messages become.
//!
//! Invariant: each call is in force when it returns. Nothing here waits for a client or an owner except `drained`
//! and `overflow_of`, which may be dropped and asked again.
//! Absent on purpose: when to hold or release; that is decided elsewhere.

use std::sync::Arc;
use std::time::Instant;

use cutover::latency::Counts;
use cutover::route::Route;
use tokio::runtime;
use vocab::id::{Epoch, ShopId, Side};

use crate::Limits;
use crate::gate::{Gate, Owner};
use crate::shops::Shops;

/// Why a push has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It is older than what the seam already knows, or contradicts it.
    #[error("epoch {given} is refused: the seam is at epoch {known}")]
    Stale { given: Epoch, known: Epoch },
    /// A hold of a shop whose route was never pushed: its reads would have no owner.
    #[error("the shop has no route here; push it first")]
    NoRoute,
}

/// What a release let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Writes that were parked and now go on.
    pub held: usize,
    /// How long the one that had waited longest had waited.
    pub longest_us: u64,
    /// Writes of this hold that were answered 503 at or after its deadline, unexecuted.
    pub refused: usize,
    /// The hold had overflowed before: its writes went to the old owner.
    pub overflowed: bool,
}

/// A shop as its gate sees it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    pub owner: Side,
    pub epoch: Epoch,
    /// The epoch of the hold in force, if there is one.
    pub held: Option<Epoch>,
    /// Writes forwarded whose answer has not been received completely.
    pub in_flight: usize,
    pub parked: usize,
    pub parked_bytes: usize,
    /// Writes ever parked.
    pub parked_total: u64,
    /// Writes ever answered 503 by the gate.
    pub refused_total: u64,
    /// Writes ever given up by their clients while parked.
    pub left_total: u64,
    /// Until when a copy answers the reads of a dialled part.
    pub copy_until: Option<Instant>,
    /// Reads ever answered by a copy, and those that it was asked for in vain: the owner answered them.
    pub copied_total: u64,
    pub copy_failed_total: u64,
}

/// Steers a running seam; clones steer the same one, from any thread.
#[derive(Clone)]
pub struct Handle {
    shops: Arc<Shops>,
    runtime: runtime::Handle,
    limits: Limits,
}

impl Handle {
    pub(crate) const fn new(shops: Arc<Shops>, runtime: runtime::Handle, limits: Limits) -> Self {
        Self { shops, runtime, limits }
    }

    /// Puts a route in force: reads follow it at once. A hold stays until its release, so with several seams every
    /// one can have the route before the first parked write is answered anywhere.
    ///
    /// # Errors
    /// The seam knows a later epoch of the shop, or another owner for the same one.
    pub fn publish(&self, route: &Route) -> Result<(), PushError> {
        let (gate, owner) = self.gate(route);
        gate.publish(owner)
    }

    /// Says that the routes here are complete and right now. Before the first one, and without one for
    /// [`Limits::stale_after`], the seam answers 503.
    pub fn heartbeat(&self) {
        self.shops.confirm();
    }

    /// From the return on, every later write of the shop is parked; reads go on to the owner. At the deadline (or
    /// after [`Limits::hold_max`], if that is earlier) what is parked is answered 503, unexecuted, and so is what comes
    /// until a release of this epoch or a later one.
    ///
    /// A repeated hold keeps its first deadline; repeated after it overflowed, it has no effect.
    ///
    /// # Errors
    /// `epoch` is not later than the shop's, or the shop has no route here.
    pub fn hold(&self, shop: &ShopId, epoch: Epoch, deadline: Instant) -> Result<(), PushError> {
        let owner = self.shops.owner(shop.as_str()).ok_or(PushError::NoRoute)?;
        let gate = self.shops.for_push(shop, owner);
        let deadline = deadline.min(Instant::now() + self.limits.hold_max);
        if let Some(deadline) = gate.hold(epoch, deadline)? {
            self.runtime.spawn(async move {
                tokio::time::sleep_until(deadline.into()).await;
                gate.expire(epoch);
            });
        }
        Ok(())
    }

    /// Resolves when no write of the shop is in flight: every forwarded one has its owner's complete answer, or has
    /// lost its owner. Only during a hold does that stay so.
    pub async fn drained(&self, shop: &ShopId) {
        if let Some(gate) = self.shops.known(shop.as_str()) {
            gate.drained().await;
        }
    }

    pub fn in_flight(&self, shop: &ShopId) -> usize {
        self.shops.known(shop.as_str()).map_or(0, |gate| gate.in_flight())
    }

    /// Resolves when the hold of this epoch has overflowed: more came than may be parked, so everything went on to
    /// the old owner, and the cutover has to be aborted. Never resolves otherwise.
    pub async fn overflow_of(&self, shop: &ShopId, epoch: Epoch) {
        match self.shops.known(shop.as_str()) {
            Some(gate) => gate.overflow_of(epoch).await,
            None => std::future::pending().await,
        }
    }

    /// The hold that overflowed, until a later hold or a route replaces it.
    pub fn overflowed(&self, shop: &ShopId) -> Option<Epoch> {
        self.shops.known(shop.as_str()).and_then(|gate| gate.overflowed())
    }

    /// Puts the route in force, for reads first, then lets the parked writes go to its owner: in arrival order, and
    /// one after the other where they write the same resource.
    ///
    /// # Errors
    /// The route is older than the hold or than a route that the seam knows, or contradicts it.
    pub fn release(&self, route: &Route) -> Result<Released, PushError> {
        let (gate, owner) = self.gate(route);
        gate.release(owner, Instant::now())
    }

    /// Lets the copy at the other side answer the reads of the dialled part until then; none: the owner again. It ends
    /// by itself when the time has come, so that silence leads back to the owner, and with a hold or another route.
    ///
    /// # Errors
    /// The seam knows another epoch, or has no route of the shop.
    pub fn dial(&self, shop: &ShopId, epoch: Epoch, until: Option<Instant>) -> Result<(), PushError> {
        self.shops.known(shop.as_str()).ok_or(PushError::NoRoute)?.dial(epoch, until)
    }

    /// A shop's figures; none if the seam has never heard of it.
    pub fn stats(&self, shop: &ShopId) -> Option<Stats> {
        self.shops.known(shop.as_str()).map(|gate| gate.stats())
    }

    /// How long shoppers waited since this was asked before: in all shops, save writes that were held.
    pub fn take_waits(&self) -> Counts {
        self.shops.waits().take()
    }

    /// The same in one shop, with what was held.
    pub fn take_waits_of(&self, shop: &ShopId) -> Counts {
        self.shops.known(shop.as_str()).map(|gate| gate.waits().take()).unwrap_or_default()
    }

    fn gate(&self, route: &Route) -> (Arc<Gate>, Owner) {
        let owner = Owner { side: route.owner, epoch: route.epoch };
        (self.shops.for_push(&route.shop, owner), owner)
    }
}
