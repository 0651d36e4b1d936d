//! Chance that can be repeated: SplitMix64, one stream per shopper, all from the run's seed.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers that a seed and a stream's number fix for ever.
#[derive(Debug, Clone)]
pub struct Prng(u64);

impl Prng {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(GOLDEN));
        Self(mixed.bits())
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// From `from` to `to`, both included; `from` where `to` is less.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to.saturating_sub(from)).unwrap_or(0).saturating_add(1);
        from.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of them; none where there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(of.len()).unwrap_or(0));
        of.get(usize::try_from(at).unwrap_or(0))
    }

    /// An idempotency key in the shape of a UUID: unlike every other by run and count, whatever chance gives.
    pub fn key(&mut self, run: u64, count: u64) -> String {
        let bits = self.bits();
        let (high, low) = (bits >> 32, bits & 0xfff);
        format!(
            "{high:08x}-{:04x}-4{low:03x}-a{:03x}-{:012x}",
            run & 0xffff,
            (bits >> 12) & 0xfff,
            count & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Prng;

    #[test]
    fn a_seed_and_a_stream_fix_every_number() {
        let draw = |seed, stream| {
            let mut prng = Prng::new(seed, stream);
            (0..100).map(|_| prng.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        assert_ne!(draw(7, 3), draw(7, 4));
        assert_ne!(draw(7, 3), draw(8, 3));
    }

    #[test]
    fn numbers_stay_inside_and_reach_both_ends() {
        let mut prng = Prng::new(1, 1);
        let drawn: Vec<i64> = (0..1000).map(|_| prng.between(-2, 3)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&3)));
        assert_eq!(prng.below(0), 0);
        assert_eq!(prng.pick::<u8>(&[]), None);
    }

    #[test]
    fn keys_of_equal_chance_differ_by_run_and_count() {
        let key = |run, count| Prng::new(5, 5).key(run, count);
        assert_ne!(key(1, 1), key(1, 2));
        assert_ne!(key(1, 1), key(2, 1));
        assert_eq!(key(1, 1).len(), 36);
    }
}
