//! Latencies in a bounded number of counters: linear up to 63, then 32 to each doubling, so that a value read back
//! is at most 1/32 above the one recorded. Integers only.

const BITS: u32 = 5;
const HALF: usize = 1 << BITS;
/// Everything from 2^26 µs (67 s) on shares the last counter; no request lives that long.
const MSB_MAX: u32 = 26;
const COUNTERS: usize = 23 * HALF;

#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    n: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; COUNTERS], n: 0, max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(counter(value)) {
            *count += 1;
        }
        self.n += 1;
        self.max = self.max.max(value);
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that `basis_points` of 10,000 do not exceed, rounded up by at most 1/32; 0 where nothing was recorded.
    pub fn quantile(&self, basis_points: u64) -> u64 {
        let rank = (self.n * basis_points).div_ceil(10_000).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(at).min(self.max);
            }
        }
        self.max
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn counter(value: u64) -> usize {
    let value = value.min((1 << MSB_MAX) - 1);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    let within = usize::try_from(value >> shift).unwrap_or(0);
    within + usize::try_from(shift).unwrap_or(0) * HALF
}

/// The highest value that falls into a counter.
fn highest(counter: usize) -> u64 {
    let shift = (counter / HALF).saturating_sub(1);
    let within = u64::try_from(counter - shift * HALF).unwrap_or(0);
    ((within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{COUNTERS, Histogram, MSB_MAX, counter, highest};

    #[test]
    fn each_value_falls_into_a_counter_that_is_at_most_a_thirty_second_wide() {
        for value in (0..5000).chain((1..MSB_MAX).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let at = counter(value);
            let top = highest(at);
            assert!(at < COUNTERS && top >= value && top <= value + value / 32, "{value} → {at} → {top}");
            assert!(at == 0 || highest(at - 1) < value, "{value} is below its counter");
        }
        assert!(counter(u64::MAX) < COUNTERS);
    }

    #[test]
    fn quantiles_are_by_rank_and_the_maximum_is_exact() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.record(value * 10));
        assert_eq!((histogram.quantile(5_000), histogram.quantile(9_900)), (503, 991));
        assert_eq!((histogram.quantile(10_000), histogram.max(), histogram.n()), (1000, 1000, 100));
    }

    #[test]
    fn an_empty_histogram_says_zero() {
        assert_eq!(Histogram::default().quantile(9_900), 0);
    }
}
