//! Ids that the outside will see, from blocks that the legacy gave away beforehand.
//!
//! Ids are leased from the store's blocks in small runs kept in memory, so that a command does not wait for a durable
//! write of its own; what a crash leaves of a run is never used. Where no mapping asks for keys, an id is a UUID v7.

use crate::Clock;
use crate::failure::Stop;
use commerce::lines::ids_exhausted;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Store;
use uuid::{NoContext, Uuid};
use vocab::document::Record;
use vocab::id::{Element, Kind, Minted, Name, Origin, PublicId, ShopId};

/// How many ids are leased at once.
const RUN: u64 = 100;
/// A command wants at most some hundreds of ids; each round leases at least one.
const LEASES_MAX: usize = 64;

/// Which element takes its ids from which block, and what they look like. Handed in by the executable.
pub struct IdPlan {
    /// The block's table; none: a UUID.
    pub table: Box<dyn Fn(Element) -> Option<Name> + Send + Sync>,
    /// The public id and the origin of a number of that table.
    pub mint: Box<dyn Fn(Element, u64) -> Minted + Send + Sync>,
    /// Where a document lives in the legacy whose own fields are its key there; none: nowhere.
    pub origin: Box<OriginOf>,
}

type OriginOf = dyn Fn(&ShopId, Kind, &Record) -> Option<Origin> + Send + Sync;

impl IdPlan {
    /// No blocks at all: a shop that was born here.
    pub fn uuids() -> Self {
        let never = |_: Element, number: u64| Minted { id: PublicId::new(number.to_string()), origin: None };
        Self { table: Box::new(|_| None), mint: Box::new(never), origin: Box::new(|_, _, _| None) }
    }
}

pub const CART: Element = Element { kind: Kind::Cart, part: None };
pub const CART_LINE: Element = Element { kind: Kind::Cart, part: Some("lines") };
pub const CHECKOUT: Element = Element { kind: Kind::Checkout, part: None };
pub const CHECKOUT_LINE: Element = Element { kind: Kind::Checkout, part: Some("lines") };
pub const ORDER: Element = Element { kind: Kind::Order, part: None };
pub const ORDER_LINE: Element = Element { kind: Kind::Order, part: Some("lines") };
pub const ORDER_PAYMENT: Element = Element { kind: Kind::Order, part: Some("payments") };
pub const ORDER_ADJUSTMENT: Element = Element { kind: Kind::Order, part: Some("adjustments") };
pub const ORDER_BUYER: Element = Element { kind: Kind::Order, part: Some("buyer") };

/// Everything that gets an id here.
pub const MINTED: [Element; 9] =
    [CART, CART_LINE, CHECKOUT, CHECKOUT_LINE, ORDER, ORDER_LINE, ORDER_PAYMENT, ORDER_ADJUSTMENT, ORDER_BUYER];

pub(crate) struct Ids {
    store: Store,
    plan: IdPlan,
    clock: Clock,
    leased: Mutex<BTreeMap<Name, VecDeque<u64>>>,
    /// Minted for commits that were refused, and so never seen by anyone.
    spare: Mutex<BTreeMap<Element, Vec<Minted>>>,
}

impl Ids {
    pub(crate) fn new(store: Store, plan: IdPlan, clock: Clock) -> Self {
        Self { store, plan, clock, leased: Mutex::default(), spare: Mutex::default() }
    }

    /// So many fresh ids.
    ///
    /// # Errors
    /// Refuses with `ids_exhausted` where the element's block is dry.
    pub(crate) async fn mint(&self, element: Element, count: usize) -> Result<Vec<Minted>, Stop> {
        let Some(table) = (self.plan.table)(element) else {
            return Ok((0..count).map(|_| Minted { id: PublicId::new(self.uuid()), origin: None }).collect());
        };
        let mut minted = self.take_spare(element, count);
        for _ in 0..LEASES_MAX {
            self.take(&table, count, &mut minted, element);
            if minted.len() == count {
                return Ok(minted);
            }
            let missing = u64::try_from(count - minted.len()).unwrap_or(u64::MAX);
            self.lease(&table, missing).await?;
        }
        Err(ids_exhausted().into())
    }

    pub(crate) async fn mint_one(&self, element: Element) -> Result<Minted, Stop> {
        self.mint(element, 1).await?.pop().ok_or_else(|| ids_exhausted().into())
    }

    /// Takes back what no commit holds: a declined payment or a shelf that was empty spends no numbers. Not for ids of
    /// a commit whose fate is unknown.
    pub(crate) fn give_back(&self, element: Element, unused: Vec<Minted>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.entry(element).or_default().extend(unused);
    }

    fn take_spare(&self, element: Element, count: usize) -> Vec<Minted> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ids) = spare.get_mut(&element) else { return Vec::new() };
        ids.split_off(ids.len().saturating_sub(count))
    }

    /// A UUID v7 of the handed-in clock.
    pub(crate) fn uuid(&self) -> String {
        let micros = (self.clock)().0;
        let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or(0);
        let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos)).to_string()
    }

    pub(crate) fn origin(&self, shop: &ShopId, kind: Kind, document: &Record) -> Option<Origin> {
        (self.plan.origin)(shop, kind, document)
    }

    fn leased(&self) -> MutexGuard<'_, BTreeMap<Name, VecDeque<u64>>> {
        // A queue of numbers is whole after every step.
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, table: &Name, count: usize, minted: &mut Vec<Minted>, element: Element) {
        let mut leased = self.leased();
        let Some(run) = leased.get_mut(table) else { return };
        while minted.len() < count {
            let Some(number) = run.pop_front() else { return };
            minted.push((self.plan.mint)(element, number));
        }
    }

    /// Leases a run; where a block has less than that left, only what is missing, and at last a single one.
    async fn lease(&self, table: &Name, missing: u64) -> Result<(), Stop> {
        for count in [RUN.max(missing), missing, 1] {
            if let Some((from, to)) = self.store.take_ids(table, count).await? {
                let numbers = (from..=to).filter_map(|number| u64::try_from(number).ok());
                self.leased().entry(table.clone()).or_default().extend(numbers);
                return Ok(());
            }
        }
        Err(ids_exhausted().into())
    }
}
