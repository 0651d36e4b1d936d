//! What every part of the mover has at hand: the two databases, the staged rows between them, and what this process
//! remembers. Nothing here is needed after a crash.

use crate::derive::{Classes, Orphans};
use crate::dial::Dials;
use crate::error::Result;
use crate::faults::Armed;
use crate::fingerprint::Fingerprints;
use crate::links::Links;
use crate::policy::Policy;
use crate::reread::Rereads;
use crate::staged::Staged;
use crate::throttle::Throttle;
use crate::totals::Totals;
use crate::trouble::Trouble;
use crate::waits::Keeper;
use capture::{Cut, Marker, Source};
use mapping::Mapping;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{Finding, Plan, Store};
use tokio::sync::watch;
use vocab::id::{ShopId, Timestamp};

/// The clock of this process, handed in.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The longest that anybody who is not held waits for the stream.
const STAGED_MAX: Duration = Duration::from_secs(10);

/// Checks that a test may take away, to see that it was they that noticed (`--without`).
#[derive(Debug, Clone, Default)]
pub struct Without(pub BTreeSet<String>);

impl Without {
    pub fn has(&self, detector: &str) -> bool {
        self.0.contains(detector)
    }
}

#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) source: Source,
    pub(crate) staged: Staged,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) links: Links,
    pub(crate) clock: Clock,
    /// The accounts at providers that this backend can ask.
    pub(crate) accounts: Arc<Option<BTreeSet<String>>>,
    /// Who this mover is, kept in its records: a hold that two have worked on was taken over.
    pub(crate) holder: Arc<str>,
    pub(crate) without: Arc<Without>,
    pub(crate) stream: Arc<StreamState>,
    pub(crate) classes: Classes,
    pub(crate) orphans: Arc<Orphans>,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) findings: Arc<FindingMemory>,
    pub(crate) owned: Arc<Owned>,
    pub(crate) dials: Arc<Dials>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) waits: Arc<Keeper>,
    pub(crate) fault: Arc<Armed>,
    /// Of the change stream.
    pub(crate) trouble: Arc<Trouble>,
    pub(crate) rereads: Arc<Rereads>,
    /// Whoever has it takes ids of the legacy: two at once would get them by turns, each in thousands of blocks.
    pub(crate) taking_ids: Arc<tokio::sync::Mutex<()>>,
}

impl Context {
    /// Stores or replaces a finding, with the time at which it was found.
    pub(crate) async fn open_finding(&self, finding: Finding) -> Result<()> {
        self.findings.note(&finding.shop);
        Ok(self.store.open_finding(finding, (self.clock)()).await?)
    }

    /// Writes a marker and says where it was in the stream; none where it is not staged within that time.
    pub(crate) async fn mark(&self, within: Duration) -> Result<Option<u64>> {
        let marker = self.source.fresh_marker();
        self.source.mark(&marker).await?;
        Ok(tokio::time::timeout(within, self.stream.marker(&marker)).await.ok())
    }

    /// Waits until everything is staged that a read at this cut shows; false where the stream does not follow.
    pub(crate) async fn wait_until_staged(&self, cut: &Cut) -> Result<bool> {
        let staged = async {
            match cut {
                // A marker would have to wait for whoever writes to the file.
                Cut::Sqlite(last) => Ok(self.stream.subscribe().wait_for(|position| position >= last).await.is_ok()),
                Cut::Postgres { .. } => Ok(self.mark(STAGED_MAX).await?.is_some()),
            }
        };
        tokio::time::timeout(STAGED_MAX, staged).await.unwrap_or(Ok(false))
    }
}

/// How far the stream is staged, and where the markers were that passed.
pub(crate) struct StreamState {
    position: watch::Sender<u64>,
    markers: Mutex<BTreeMap<Marker, u64>>,
    lag_ms: Mutex<Vec<u32>>,
    /// When the newest heartbeat that is staged was sent: whatever was committed before it is staged too.
    heard: Mutex<Option<Instant>>,
}

/// Markers remembered; a reader that asks later than so many others has lost its turn.
const MARKERS_MAX: usize = 4_096;

impl StreamState {
    pub(crate) fn new(position: u64) -> Self {
        Self {
            position: watch::Sender::new(position),
            markers: Mutex::new(BTreeMap::new()),
            lag_ms: Mutex::new(Vec::new()),
            heard: Mutex::new(None),
        }
    }

    pub(crate) fn passed(&self, position: u64, markers: impl IntoIterator<Item = (Marker, u64)>) {
        let mut known = lock(&self.markers);
        for (marker, order) in markers {
            if known.len() >= MARKERS_MAX {
                known.pop_first();
            }
            known.insert(marker, order);
        }
        drop(known);
        self.position.send_replace(position);
    }

    /// Waits until the stream is staged up to the marker, and says where it was.
    pub(crate) async fn marker(&self, marker: &Marker) -> u64 {
        let mut position = self.position.subscribe();
        loop {
            position.borrow_and_update();
            if let Some(order) = lock(&self.markers).remove(marker) {
                return order;
            }
            if position.changed().await.is_err() {
                // The sender lives as long as self: not reached, and bounded by the caller's time-out if it were.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.position.subscribe()
    }

    /// A heartbeat that was sent then is staged now.
    pub(crate) fn hear(&self, sent: Instant) {
        *lock(&self.heard) = Some(sent);
    }

    /// As of when the staged rows are complete; none before the first heartbeat.
    pub(crate) fn heard(&self) -> Option<Instant> {
        *lock(&self.heard)
    }

    /// Keeps the newest round trips of a marker.
    pub(crate) fn note_lag(&self, lag_ms: u32) {
        let mut lags = lock(&self.lag_ms);
        if lags.len() >= 3 {
            lags.remove(0);
        }
        lags.push(lag_ms);
    }

    /// The newest round trip, and whether the last three only rose.
    pub(crate) fn lag(&self) -> (Option<u32>, bool) {
        let lags = lock(&self.lag_ms);
        let rising =
            lags.len() == 3 && lags[0] < lags[1] && lags[1] < lags[2] && lags[2] > cutover::bounds::READY_LAG_MS / 2;
        (lags.last().copied(), rising)
    }
}

/// Shops that may have findings: the others need not be asked to close any.
#[derive(Default)]
pub(crate) struct FindingMemory(Mutex<BTreeSet<ShopId>>);

impl FindingMemory {
    pub(crate) fn note(&self, shop: &ShopId) {
        lock(&self.0).insert(shop.clone());
    }

    pub(crate) fn may_have(&self, shop: &ShopId) -> bool {
        lock(&self.0).contains(shop)
    }
}

/// The shops that the backend owns, each with the mark of its flip: what others write behind it is a rogue's.
#[derive(Default)]
pub(crate) struct Owned(Mutex<BTreeMap<String, u64>>);

impl Owned {
    pub(crate) fn set(&self, shop: &ShopId, mark: u64) {
        lock(&self.0).insert(shop.as_str().to_owned(), mark);
    }

    pub(crate) fn clear(&self, shop: &ShopId) {
        lock(&self.0).remove(shop.as_str());
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        lock(&self.0).clone()
    }

    pub(crate) fn mark(&self, shop: &str) -> Option<u64> {
        lock(&self.0).get(shop).copied()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
