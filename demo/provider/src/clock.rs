//! The provider's own clock: the machine's, and what a test has put it forward or back by.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds of an hour in the provider's country ahead of UTC: its days end at its own midnight.
pub const WIB_US: i64 = 7 * 3_600 * 1_000_000;

#[derive(Debug, Default)]
pub struct Clock(AtomicI64);

impl Clock {
    pub fn new(ahead_us: i64) -> Self {
        Self(AtomicI64::new(ahead_us))
    }

    /// Microseconds since 1970.
    pub fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX).saturating_add(self.0.load(Ordering::SeqCst))
    }

    pub fn advance(&self, us: i64) -> i64 {
        self.0.fetch_add(us, Ordering::SeqCst).saturating_add(us)
    }
}
