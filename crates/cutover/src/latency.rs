//! How long shoppers waited, as counts by length: cheap to count, to add up, and to ask for a quantile.
//!
//! Eight buckets to each doubling, so that a quantile is off by an eighth at most, and by much less where a bucket holds
//! many: inside it, lengths are taken to be spread evenly.
//! Absent on purpose: clocks, and who counts. A gateway counts with atomics of its own, by [`bucket`].

use std::fmt::Write;
use vocab::id::ShopId;

/// Buckets: each microsecond up to 8, then eight to a doubling, up to 33 s; what is longer counts as that.
pub const BUCKETS: usize = 184;

/// Steps of a doubling, and how many bits they are.
const STEPS: u64 = 8;
const STEP_BITS: u32 = 3;

/// The note of the store in which a shop's waits are kept: a text for each of [`When`](crate::state::When).
pub fn note_of(shop: &ShopId) -> String {
    format!("waits/{shop}")
}

/// The bucket of a wait of so many microseconds.
pub fn bucket(us: u64) -> usize {
    if us < STEPS {
        return usize::try_from(us).unwrap_or(0);
    }
    let doubling = us.ilog2() - STEP_BITS;
    let step = (us >> doubling) % STEPS;
    let at = (u64::from(doubling) + 1) * STEPS + step;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The shortest wait of a bucket, in microseconds.
fn begins(bucket: usize) -> u64 {
    let at = u64::try_from(bucket).unwrap_or(0);
    let (doubling, step) = (at / STEPS, at % STEPS);
    if doubling == 0 { step } else { (STEPS + step) << (doubling - 1) }
}

/// Requests by how long they waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts([u32; BUCKETS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Counts {
    /// What a gateway counted, bucket by bucket.
    pub const fn of(buckets: [u32; BUCKETS]) -> Self {
        Self(buckets)
    }

    pub fn note(&mut self, us: u64) {
        if let Some(count) = self.0.get_mut(bucket(us)) {
            *count = count.saturating_add(1);
        }
    }

    pub fn add(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(&others.0) {
            *count = count.saturating_add(*other);
        }
    }

    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// The wait, in microseconds, that so many of a thousand requests did not exceed; none of none.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let total = self.total();
        let rank = (total * per_mille.min(1_000)).div_ceil(1_000).max(1);
        let mut before = 0;
        for (at, count) in self.0.iter().map(|count| u64::from(*count)).enumerate() {
            if count > 0 && before + count >= rank {
                let (from, to) = (begins(at), begins(at + 1));
                return Some(from + (to - from) * (2 * (rank - before) - 1) / (2 * count));
            }
            before += count;
        }
        None
    }

    /// How many waited longer than so many microseconds; of the bucket in which that lies, the part above it.
    pub fn longer_than(&self, us: u64) -> u64 {
        let at = bucket(us);
        let (from, to) = (begins(at), begins(at + 1));
        let above = self.0.iter().skip(at + 1).map(|count| u64::from(*count)).sum::<u64>();
        let inside = self.0.get(at).map_or(0, |count| u64::from(*count));
        above + inside * to.saturating_sub(us) / (to - from)
    }

    /// `bucket:count` of those that hold any, for keeping.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (at, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string does not fail.
            let _ = write!(text, "{space}{at}:{count}");
        }
        text
    }

    /// What [`Counts::to_text`] wrote; none where the text is something else.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut counts = Self::default();
        for pair in text.split_whitespace() {
            let (at, count) = pair.split_once(':')?;
            *counts.0.get_mut(at.parse::<usize>().ok()?)? = count.parse().ok()?;
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_lies_in_its_bucket_and_buckets_follow_each_other() {
        for us in (0..4_096).chain([5_000, 77_777, 1_000_000, 33_000_000]) {
            let at = bucket(us);
            assert!(begins(at) <= us && us < begins(at + 1), "{us} in {at}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert!((0..BUCKETS).all(|at| bucket(begins(at)) == at));
    }

    #[test]
    fn a_quantile_is_off_by_an_eighth_at_most() {
        let mut counts = Counts::default();
        (1..=10_000).for_each(|us| counts.note(us));
        for per_mille in [1, 500, 900, 950, 990, 999, 1_000] {
            let (exact, told) = (per_mille * 10, counts.quantile(per_mille).unwrap());
            // The last bucket is a part full; the others are evenly filled, and there it is nearly exact.
            let part = if per_mille > 950 { 8 } else { 100 };
            assert!(told.abs_diff(exact) * part <= exact.max(100), "{per_mille}: {told}, exactly {exact}");
        }
        let mut one = Counts::default();
        one.note(1_000);
        let told = one.quantile(990).unwrap();
        assert!(told.abs_diff(1_000) <= 125, "{told}");
        assert_eq!(Counts::default().quantile(500), None);
    }

    #[test]
    fn what_is_longer_than_a_quantile_is_the_rest() {
        let mut counts = Counts::default();
        (1..=10_000).for_each(|us| counts.note(us));
        for (per_mille, rest) in [(500, 5_000), (950, 500), (990, 100)] {
            let longer = counts.longer_than(counts.quantile(per_mille).unwrap());
            assert!(longer.abs_diff(rest) <= 20, "{per_mille}: {longer}");
        }
        assert_eq!((counts.longer_than(0), counts.longer_than(u64::MAX)), (10_000, 0));
    }

    #[test]
    fn counts_add_up_and_survive_being_kept() {
        let (mut one, mut other) = (Counts::default(), Counts::default());
        [3, 900, 900, 40_000].into_iter().for_each(|us| one.note(us));
        [900, 70_000_000].into_iter().for_each(|us| other.note(us));
        one.add(&other);
        assert_eq!(one.total(), 6);
        assert_eq!(Counts::from_text(&one.to_text()), Some(one));
        assert_eq!(Counts::from_text(""), Some(Counts::default()));
        for text in ["1", "1:x", "184:1", "-1:2"] {
            assert_eq!(Counts::from_text(text), None, "{text}");
        }
    }
}
