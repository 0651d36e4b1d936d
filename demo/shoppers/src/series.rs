//! Invoice numbers of a shop: they must be 1, 2, 3 … with none left out and none given twice.

/// What a shop's numbers come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Series {
    /// Orders that should have a number.
    pub issued: u64,
    /// Numbers below the highest that no order has, and orders without one.
    pub gaps: u64,
    /// Orders with a number that another one has too.
    pub twice: u64,
}

impl Series {
    /// Of the numbers of all orders; what is below 1 is none.
    pub fn of(numbers: &[i64]) -> Self {
        let mut given: Vec<u64> = numbers.iter().filter_map(|number| u64::try_from(*number).ok()).collect();
        given.retain(|number| *number > 0);
        given.sort_unstable();
        let (all, highest) = (given.len(), given.last().copied().unwrap_or(0));
        given.dedup();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Self {
            issued: count(numbers.len()),
            gaps: highest - count(given.len()) + count(numbers.len() - all),
            twice: count(all - given.len()),
        }
    }

    pub const fn is_whole(self) -> bool {
        self.gaps == 0 && self.twice == 0
    }

    pub fn add(&mut self, other: Self) {
        self.issued += other.issued;
        self.gaps += other.gaps;
        self.twice += other.twice;
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn gaps_and_doubles_are_counted_and_a_whole_series_has_neither() {
        let check = |numbers: &[i64], gaps: u64, twice: u64| {
            let issued = u64::try_from(numbers.len()).unwrap();
            assert_eq!(Series::of(numbers), Series { issued, gaps, twice }, "{numbers:?}");
        };
        check(&[], 0, 0);
        check(&[3, 1, 2], 0, 0);
        check(&[1, 2, 4, 7], 3, 0);
        check(&[1, 2, 2, 3, 3, 3], 0, 3);
        check(&[2, 2], 1, 1);
        check(&[0, 1, -5], 2, 0);
        check(&[i64::MAX], u64::try_from(i64::MAX).unwrap() - 1, 0);
    }
}
