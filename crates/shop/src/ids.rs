//! Ids that the outside will see, from blocks that the legacy gave away beforehand.
//!
//! Ids are leased from the store's blocks in small runs kept in memory, so that a command does not wait for a durable
//! write of its own; what a crash leaves of a run is never used. Where no mapping asks for keys, an id is a UUID v7.

use crate::Clock;
use crate::failure::Stop;
use commerce::decision::Write;
use commerce::intent::Method;
use commerce::lines::ids_exhausted;
use commerce::refusal::{Refusal, Retry};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Store;
use uuid::{NoContext, Uuid};
use vocab::document::Record;
use vocab::id::{Element, Kind, Minted, Name, Origin, PublicId, ShopId};

/// How many ids are leased at once.
const RUN: u64 = 100;
/// A command wants at most some hundreds of ids; each round leases at least one.
const LEASES_MAX: usize = 64;

/// What the legacy, into which a shop may go back, asks of what is born here: which element takes its ids from which
/// block, what they look like, and what its rows cannot hold. Handed in by the executable.
pub struct IdPlan {
    /// The block's table; none: a UUID.
    pub table: Box<dyn Fn(Element) -> Option<Name> + Send + Sync>,
    /// The public id and the origin of a number of that table.
    pub mint: Box<dyn Fn(Element, u64) -> Minted + Send + Sync>,
    /// Where a document lives in the legacy whose own fields are its key there; none: nowhere.
    pub origin: Box<OriginOf>,
    /// The first field of a document that could not go back; none where everything could, or need not any more.
    pub misfit: Box<MisfitOf>,
    /// Can what a buyer pays in this way, in their own time, go back, or need not any more? Else a shop does not take it.
    pub carries: Box<CarriesOf>,
}

/// A field that the legacy cannot hold: where it is, and what would fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub path: String,
    pub why: String,
}

type OriginOf = dyn Fn(&ShopId, Kind, &Record) -> Option<Origin> + Send + Sync;
type MisfitOf = dyn Fn(&ShopId, Kind, &Record) -> Option<Misfit> + Send + Sync;
type CarriesOf = dyn Fn(&ShopId, Method) -> bool + Send + Sync;

impl IdPlan {
    /// No blocks at all: a shop that was born here.
    pub fn uuids() -> Self {
        let never = |_: Element, number: u64| Minted { id: PublicId::new(number.to_string()), origin: None };
        Self {
            table: Box::new(|_| None),
            mint: Box::new(never),
            origin: Box::new(|_, _, _| None),
            misfit: Box::new(|_, _, _| None),
            carries: Box::new(|_, _| true),
        }
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

pub const INTENT: Element = Element { kind: Kind::Intent, part: None };

/// Everything that gets an id here. What is tried, comes and goes back is known by its intent and its place there.
pub const MINTED: [Element; 10] =
    [CART, CART_LINE, CHECKOUT, CHECKOUT_LINE, ORDER, ORDER_LINE, ORDER_PAYMENT, ORDER_ADJUSTMENT, ORDER_BUYER, INTENT];

pub(crate) struct Ids {
    store: Store,
    plan: IdPlan,
    clock: Clock,
    /// Leased and in no commit, by table.
    free: Mutex<BTreeMap<Name, BTreeSet<u64>>>,
    leasing: tokio::sync::Mutex<()>,
}

impl Ids {
    pub(crate) fn new(store: Store, plan: IdPlan, clock: Clock) -> Self {
        Self { store, plan, clock, free: Mutex::default(), leasing: tokio::sync::Mutex::default() }
    }

    /// The block of an element; none where it gets UUIDs.
    pub(crate) fn table(&self, element: Element) -> Option<Name> {
        (self.plan.table)(element)
    }

    /// What a number of its block is for an element.
    pub(crate) fn minted(&self, element: Element, number: u64) -> Minted {
        (self.plan.mint)(element, number)
    }

    /// An id that was given out before, by whichever side, and where it lives in the legacy.
    pub(crate) fn known(&self, element: Element, id: &PublicId) -> Minted {
        let digits = id.as_str().trim_start_matches(|letter: char| !letter.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| self.table(element).is_some());
        let minted = number.map(|number| self.minted(element, number)).filter(|minted| minted.id == *id);
        minted.unwrap_or_else(|| Minted { id: id.clone(), origin: None })
    }

    /// So many free numbers, the lowest first, which are nobody else's from now on.
    ///
    /// # Errors
    /// Refuses with `ids_exhausted` where the block is dry.
    pub(crate) async fn take(&self, table: &Name, count: usize) -> Result<Vec<u64>, Stop> {
        if let Ok(numbers) = self.take_free(table, count) {
            return Ok(numbers);
        }
        // One leases for all who wait: if each did for itself, a rush would empty the block.
        let _leasing = self.leasing.lock().await;
        for _ in 0..LEASES_MAX {
            match self.take_free(table, count) {
                Ok(numbers) => return Ok(numbers),
                Err(missing) => self.lease(table, missing).await?,
            }
        }
        Err(ids_exhausted().into())
    }

    /// Takes back a number that no commit holds. Not for a commit whose fate is unknown.
    pub(crate) fn give_back(&self, table: &Name, number: u64) {
        self.free().entry(table.clone()).or_default().insert(number);
    }

    /// All or none of them; where there are not enough, how many are missing.
    fn take_free(&self, table: &Name, count: usize) -> Result<Vec<u64>, usize> {
        let mut free = self.free();
        let numbers = free.entry(table.clone()).or_default();
        match count.saturating_sub(numbers.len()) {
            0 => Ok((0..count).filter_map(|_| numbers.pop_first()).collect()),
            missing => Err(missing),
        }
    }

    /// An id that needs no block.
    pub(crate) fn unnumbered(&self) -> Minted {
        Minted { id: PublicId::new(self.uuid()), origin: None }
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

    pub(crate) fn carries(&self, shop: &ShopId, method: Method) -> bool {
        (self.plan.carries)(shop, method)
    }

    /// Refuses what a command would make unfit to go back. What was so before keeps nobody from ending it.
    pub(crate) fn must_fit(&self, shop: &ShopId, writes: &[Write]) -> Result<(), Refusal> {
        for write in writes {
            let unfit = |document: &Record| (self.plan.misfit)(shop, write.kind, document);
            let Some(misfit) = unfit(&write.after) else { continue };
            if write.before.as_ref().and_then(unfit).is_none() {
                let content = format!("{}: {}", misfit.path, misfit.why);
                return Err(Refusal::new("too_long", Retry::Changed, content));
            }
        }
        Ok(())
    }

    fn free(&self) -> MutexGuard<'_, BTreeMap<Name, BTreeSet<u64>>> {
        // A set of numbers is whole after every step.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leases a run; where a block has less than that left, only what is missing, and at last a single one.
    async fn lease(&self, table: &Name, missing: usize) -> Result<(), Stop> {
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        for count in [RUN.max(missing), missing, 1] {
            if let Some((from, to)) = self.store.take_ids(table, count).await? {
                let numbers = (from..=to).filter_map(|number| u64::try_from(number).ok());
                self.free().entry(table.clone()).or_default().extend(numbers);
                return Ok(());
            }
        }
        Err(ids_exhausted().into())
    }
}
