//! The read dial: while it is on and the copy is fresh, the copy answers the reads of a shop's catalogue.
//!
//! Invariant: the gateways are told an instant, never "on": the age of what the copy holds may not exceed
//! `COPY_AGE_MS_MAX` by then. A mover that dies, a stream that stops, a derivation that falls behind say nothing more, and
//! the owner answers again. As of when the copy is complete is a heartbeat's doing: it was sent then, it is staged, and
//! everything staged since is derived.
//! Absent on purpose: ownership, which a dial never changes; parts other than the catalogue.

use crate::context::Context;
use crate::drive::Driver;
use crate::error::Result;
use crate::wishes;
use cutover::bounds::COPY_AGE_MS_MAX;
use cutover::next::Observed;
use cutover::progress::Progress;
use cutover::verb::Verb;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Store, StoredWish};
use vocab::document::Record;
use vocab::id::{Part, ShopId, Side};

/// How old what a copy answers may be.
const AGE_MAX: Duration = Duration::from_millis(COPY_AGE_MS_MAX);

/// The shops whose dial is on, as the store has them.
pub(crate) struct Dials(Mutex<BTreeSet<ShopId>>);

impl Dials {
    pub(crate) async fn load(store: &Store) -> Result<Self> {
        Ok(Self(Mutex::new(store.dialled(Part::Catalog).await?.into_iter().collect())))
    }

    pub(crate) fn is_on(&self, shop: &ShopId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(shop)
    }

    fn note(&self, shop: &ShopId, on: bool) {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            dials.insert(shop.clone());
        } else {
            dials.remove(shop);
        }
    }
}

/// Turns the dials that open wishes are about, in the order of the wishes, and closes these.
pub(crate) async fn turn(cx: &Context, standing: &[StoredWish], planned: &[ShopId]) -> Result<()> {
    for stored in standing.iter().filter(|stored| wishes::is_open(stored)) {
        let on = match Verb::from_name(&stored.wish.verb) {
            Some(Verb::Dial) => true,
            Some(Verb::DialBack) => false,
            Some(_) | None => continue,
        };
        let mut turned = false;
        for shop in planned.iter().filter(|shop| wishes::concerns(stored, shop)) {
            // A shop that the backend owns has no copy to read; it would answer after a way back that nobody dialled.
            let owner = cx.store.head(shop).await?.map(|head| head.owner);
            if !on || owner == Some(Side::Legacy) {
                set(cx, shop, on).await?;
                turned = true;
            }
        }
        let refused = (!turned).then_some("owned_by_backend");
        let outcome = Record::default().with("fulfilled", turned).with("refused", refused);
        cx.store.close_wish(stored.id, outcome).await?;
    }
    Ok(())
}

/// Durable first; the drivers look at what is remembered.
async fn set(cx: &Context, shop: &ShopId, on: bool) -> Result<()> {
    cx.store.set_dial(shop, Part::Catalog, on).await?;
    cx.dials.note(shop, on);
    Ok(())
}

/// The backend owns the shop: whatever is read is read there, and a way back begins at the owner.
pub(crate) async fn end(cx: &Context, shop: &ShopId) -> Result<()> {
    if cx.dials.is_on(shop) {
        set(cx, shop, false).await?;
    }
    Ok(())
}

/// What a driver knows of its shop's copy and of what it told the gateways.
#[derive(Debug, Default)]
pub(crate) struct Copy {
    /// As of when the copy was complete at the end of the last derivation. It counts after the look that follows: what
    /// could not be derived is a finding by then.
    pub(crate) complete_at: Option<Instant>,
    /// The instant that the gateways were told last; none where they were told that the owner answers.
    told: Option<Instant>,
}

impl Driver {
    /// Tells the gateways until when the copy may answer.
    pub(crate) async fn tell_dial(&mut self, progress: &Progress, observed: &Observed) {
        let until = self.copy_until(progress, observed);
        if until != self.memory.copy.told {
            self.memory.copy.told = until;
            self.cx.links.dial(&self.shop, progress.head.epoch, until).await;
        }
    }

    /// None where the owner answers: the dial is off, the copy is not proven, or nobody knows how old it is.
    fn copy_until(&self, progress: &Progress, observed: &Observed) -> Option<Instant> {
        let proven = progress.at_rest()
            && progress.verified()
            && progress.head.owner == Side::Legacy
            && observed.stopped.is_none()
            && observed.there.findings_open == 0;
        let on = proven && self.cx.dials.is_on(&self.shop);
        let until = self.memory.copy.complete_at? + AGE_MAX;
        (on && Instant::now() < until).then_some(until)
    }

    /// Whether the copy answers now, as far as this process has said.
    pub(crate) fn copy_answers(&self) -> bool {
        self.memory.copy.told.is_some_and(|until| Instant::now() < until)
    }
}
