//! How long shoppers wait, counted: from the moment at which a request is here to the one at which its answer is.
//!
//! On the way of every request this is two additions to memory that other threads rarely write, no lock.
//! Absent on purpose: what the counts are good for. What a slow client takes to send or to receive is not part of a wait:
//! nobody of ours can shorten it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use cutover::latency::{BUCKETS, Counts, bucket};

use crate::gate::micros;

/// Threads beyond so many share.
const SHARES: usize = 8;

type Buckets = [AtomicU32; BUCKETS];

thread_local! {
    /// Which share this thread counts in.
    static SHARE: Cell<Option<usize>> = const { Cell::new(None) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

fn share() -> usize {
    SHARE.with(|share| match share.get() {
        Some(share) => share,
        None => {
            let own = THREADS.fetch_add(1, Ordering::Relaxed) % SHARES;
            share.set(Some(own));
            own
        }
    })
}

fn empty() -> Box<Buckets> {
    Box::new([const { AtomicU32::new(0) }; BUCKETS])
}

fn note(buckets: &Buckets, waited: Duration) {
    if let Some(count) = buckets.get(bucket(micros(waited))) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A wait that is counted meanwhile is in this answer or in the next.
fn take(buckets: &Buckets) -> Counts {
    let mut taken = [0; BUCKETS];
    for (count, bucket) in taken.iter_mut().zip(buckets) {
        // Most hold nothing, and to look is cheaper than to write.
        if bucket.load(Ordering::Relaxed) > 0 {
            *count = bucket.swap(0, Ordering::Relaxed);
        }
    }
    Counts::of(taken)
}

/// The waits of all shops together, save those of writes that were held: a hold is no fault of whoever asks here.
pub struct AllWaits([OnceLock<Box<Buckets>>; SHARES]);

impl AllWaits {
    pub const fn new() -> Self {
        Self([const { OnceLock::new() }; SHARES])
    }

    pub fn note(&self, waited: Duration) {
        if let Some(own) = self.0.get(share()) {
            note(own.get_or_init(empty), waited);
        }
    }

    /// What was counted since this was asked before.
    pub fn take(&self) -> Counts {
        let mut all = Counts::default();
        self.0.iter().filter_map(OnceLock::get).for_each(|share| all.add(&take(share)));
        all
    }
}

/// The waits of one shop, holds included.
#[derive(Default)]
pub struct Waits(OnceLock<Box<Buckets>>);

impl Waits {
    pub fn note(&self, waited: Duration) {
        note(self.0.get_or_init(empty), waited);
    }

    /// What was counted since this was asked before.
    pub fn take(&self) -> Counts {
        self.0.get().map(|buckets| take(buckets)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_handed_out_once() {
        let (all, shop) = (AllWaits::new(), Waits::default());
        let mut seen = Counts::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2 * SHARES)
                .map(|_| {
                    scope.spawn(|| {
                        for us in 0..1_000 {
                            all.note(Duration::from_micros(us));
                            shop.note(Duration::from_micros(us));
                        }
                    })
                })
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                seen.add(&all.take());
            }
        });
        seen.add(&all.take());
        assert_eq!(seen.total(), 16_000);
        assert_eq!(shop.take(), seen);
        assert!(all.take().is_empty() && shop.take().is_empty());
    }
}
