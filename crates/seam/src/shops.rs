//! The gates of all shops, and how fresh what they know is.
//!
//! Invariant: a shop has one gate for as long as anyone holds it, so a hold counts every write that passed before it,
//! also those of a shop whose route nobody had pushed yet.
//! Absent on purpose: HTTP; what a gate decides.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use vocab::id::{Epoch, ShopId};

use crate::gate::{Gate, Owner, micros};
use crate::waits::AllWaits;
use crate::{Config, Limits};

/// Gates of shops without a route: a client that makes names up must not fill the memory.
const UNPUBLISHED_MAX: usize = 4_096;

struct Gates {
    by_shop: HashMap<ShopId, Arc<Gate>>,
    /// Gates made by requests since the last sweep.
    unpublished: usize,
}

pub struct Shops {
    gates: RwLock<Gates>,
    default_owner: Option<Owner>,
    limits: Limits,
    started: Instant,
    /// Microseconds from `started` to the last heartbeat; `u64::MAX` before the first.
    heard: AtomicU64,
    waits: AllWaits,
}

impl Shops {
    pub fn new(config: &Config) -> Self {
        Self {
            gates: RwLock::new(Gates { by_shop: HashMap::new(), unpublished: 0 }),
            default_owner: config.default_owner.map(|side| Owner { side, epoch: Epoch::FIRST }),
            limits: config.limits,
            started: Instant::now(),
            heard: AtomicU64::new(u64::MAX),
            waits: AllWaits::new(),
        }
    }

    /// Someone who knows the routes says that those here are right.
    pub fn confirm(&self) {
        self.heard.store(micros(self.started.elapsed()), Ordering::Release);
    }

    /// Whether the routes here can be trusted now.
    pub fn is_fresh(&self) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        heard != u64::MAX
            && self.started.elapsed().saturating_sub(Duration::from_micros(heard)) <= self.limits.stale_after
    }

    pub const fn waits(&self) -> &AllWaits {
        &self.waits
    }

    /// Who answers the reads of a shop; none if the shop is unknown.
    pub fn owner(&self, shop: &str) -> Option<Owner> {
        self.known(shop).map(|gate| gate.owner()).or(self.default_owner)
    }

    /// Who answers the reads of a shop that is not known here.
    pub const fn default_owner(&self) -> Option<Owner> {
        self.default_owner
    }

    /// The gate for a write of a shop; none if the shop is unknown, or if too many unknown ones are busy.
    pub fn for_write(&self, shop: &str) -> Option<Arc<Gate>> {
        if let Some(gate) = self.known(shop) {
            return Some(gate);
        }
        let (owner, shop) = (self.default_owner?, ShopId::parse(shop).ok()?);
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        if gates.unpublished >= UNPUBLISHED_MAX {
            // Under the write lock nobody can take another reference: one reference means that nothing of the shop
            // is parked, in flight or about to be.
            gates.by_shop.retain(|_, gate| gate.is_published() || Arc::strong_count(gate) > 1);
            gates.unpublished = gates.by_shop.values().filter(|gate| !gate.is_published()).count();
        }
        if let Some(gate) = gates.by_shop.get(&shop) {
            return Some(Arc::clone(gate));
        }
        if gates.unpublished >= UNPUBLISHED_MAX {
            return None;
        }
        gates.unpublished += 1;
        Some(Self::insert(&mut gates, &shop, Gate::new(owner, &self.limits)))
    }

    /// The gate for a push: made if need be, then with `owner`.
    pub fn for_push(&self, shop: &ShopId, owner: Owner) -> Arc<Gate> {
        if let Some(gate) = self.known(shop.as_str()) {
            return gate;
        }
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        match gates.by_shop.get(shop) {
            Some(gate) => Arc::clone(gate),
            None => Self::insert(&mut gates, shop, Gate::new(owner, &self.limits)),
        }
    }

    pub fn known(&self, shop: &str) -> Option<Arc<Gate>> {
        self.gates.read().unwrap_or_else(PoisonError::into_inner).by_shop.get(shop).map(Arc::clone)
    }

    pub fn all(&self) -> Vec<Arc<Gate>> {
        self.gates.read().unwrap_or_else(PoisonError::into_inner).by_shop.values().map(Arc::clone).collect()
    }

    fn insert(gates: &mut Gates, shop: &ShopId, gate: Gate) -> Arc<Gate> {
        let gate = Arc::new(gate);
        gates.by_shop.insert(shop.clone(), Arc::clone(&gate));
        gate
    }
}
