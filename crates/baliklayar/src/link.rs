//! Between mover, seam and backend: carries holds and routes one way and acknowledgements the other.
//!
//! The seam believes the store, not this process: every push reads who owns what, so a route that another process
//! (`release-all`) changed arrives too. A shop whose hold is not over by the records is never released by a push.

use anyhow::Result;
use cutover::bounds::ROUTE_PUSH_MS;
use cutover::next::Holding;
use cutover::progress::progress;
use cutover::record::{Head, Record};
use mover::Ask;
use seam::{Handle, Route};
use shop::Service;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::Store;
use tokio::sync::mpsc;
use vocab::id::{Epoch, ShopId};

/// Asks that may wait at once; the mover waits where there are more.
const ASKS_MAX: usize = 256;

/// The link's half of what it connects.
#[derive(Clone)]
pub struct Link {
    store: Store,
    seam: Handle,
    service: Service,
}

impl Link {
    pub fn new(store: Store, seam: Handle, service: Service) -> Self {
        Self { store, seam, service }
    }

    /// A channel to ask through, and the work that answers it.
    pub fn answer_asks(&self) -> (mpsc::Sender<Ask>, impl Future<Output = ()> + use<>) {
        let (asks, mut asked) = mpsc::channel(ASKS_MAX);
        let link = self.clone();
        let work = async move {
            while let Some(ask) = asked.recv().await {
                let link = link.clone();
                tokio::spawn(async move { link.answer(ask).await });
            }
        };
        (asks, work)
    }

    async fn answer(&self, ask: Ask) {
        // Whoever no longer waits for an answer needs none.
        match ask {
            Ask::Hold { shop, epoch, deadline_ms, told } => {
                let deadline = Instant::now() + Duration::from_millis(u64::from(deadline_ms));
                if let Err(error) = self.seam.hold(&shop, epoch, deadline) {
                    tracing::warn!(%shop, %epoch, %error, "the seam does not hold");
                }
                let _ = told.send(());
            }
            Ask::Look { shop, epoch, seen } => {
                let _ = seen.send(self.look(&shop, epoch));
            }
            Ask::Release { shop, owner, epoch, done } => {
                let released = self.seam.release(&Route { shop: shop.clone(), owner, epoch });
                if let Err(error) = &released {
                    tracing::warn!(%shop, %epoch, %error, "the seam is not released");
                }
                let held = released.map_or(0, |released| released.held);
                let _ = done.send(u64::try_from(held).unwrap_or(u64::MAX));
            }
            Ask::Dial { shop, epoch, until, told } => {
                if let Err(error) = self.seam.dial(&shop, epoch, until) {
                    tracing::debug!(%shop, %epoch, %error, "the dial is not turned");
                }
                let _ = told.send(());
            }
            Ask::Waits { told } => _ = told.send(self.seam.take_waits()),
            Ask::WaitsOf { shop, told } => _ = told.send(self.seam.take_waits_of(&shop)),
            Ask::SettlePayments { shop, open } => {
                let left = match self.service.settle(&shop).await {
                    Ok(left) => u64::try_from(left).unwrap_or(u64::MAX),
                    Err(error) => {
                        tracing::warn!(%shop, %error, "payments could not be settled");
                        u64::MAX
                    }
                };
                let _ = open.send(left);
            }
        }
    }

    fn look(&self, shop: &ShopId, epoch: Epoch) -> Option<Holding> {
        let stats = self.seam.stats(shop)?;
        let overflow = self.seam.overflowed(shop) == Some(epoch);
        let acknowledged = stats.held == Some(epoch) && !overflow;
        Some(Holding { elapsed_ms: 0, acknowledged, in_flight_zero: acknowledged && stats.in_flight == 0, overflow })
    }

    /// Pushes every route, and only then says that the routes are complete; for ever.
    pub async fn push_routes(&self) -> Result<()> {
        let mut known = BTreeMap::new();
        loop {
            match self.push(&mut known).await {
                Ok(()) => self.seam.heartbeat(),
                Err(error) => tracing::warn!(%error, "routes could not be read; the seam answers 503 until they can"),
            }
            tokio::time::sleep(Duration::from_millis(u64::from(ROUTE_PUSH_MS))).await;
        }
    }

    async fn push(&self, known: &mut BTreeMap<ShopId, Known>) -> Result<()> {
        for head in self.store.heads().await? {
            let route = Route { shop: head.shop.clone(), owner: head.owner, epoch: head.epoch };
            let held = self.seam.stats(&head.shop).is_some_and(|stats| stats.held.is_some());
            let pushed = if held && self.is_over(&head, known).await? {
                self.seam.release(&route).map(drop)
            } else {
                self.seam.publish(&route)
            };
            // A stale push is what races look like: the seam knows better already.
            if let Err(error) = pushed {
                tracing::debug!(shop = %head.shop, %error, "a push changed nothing");
            }
        }
        Ok(())
    }

    /// Whether the records say that no hold of this shop is under way any more.
    async fn is_over(&self, head: &store::Head, known: &mut BTreeMap<ShopId, Known>) -> Result<bool> {
        let known = known.entry(head.shop.clone()).or_default();
        for step in self.store.steps(&head.shop, known.last).await? {
            known.last = step.number;
            known.records.extend(mover::from_stored(&step));
        }
        let head = Head { owner: head.owner, epoch: head.epoch, fenced: head.fenced };
        Ok(progress(&known.records, head).at_rest())
    }
}

/// The step records of a shop that were read already.
#[derive(Default)]
struct Known {
    last: i64,
    records: Vec<Record>,
}
