//! Shops whose rows are not ours to write: they are left alone, and tried again ever less often.
//!
//! One look of theirs at a time tells whether they are ours again; nobody else of them is asked about meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const REST_MIN: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_secs(300);

/// A shop that is not in it is ours, as far as anybody knows.
#[derive(Default)]
pub struct Rests(BTreeMap<i64, Rest>);

struct Rest {
    until: Instant,
    /// How long it is left alone if it is not ours then either.
    next: Duration,
    is_tried: bool,
}

impl Rests {
    /// A write of the shop was refused.
    pub fn not_ours(&mut self, shop: i64, now: Instant) {
        match self.0.get_mut(&shop) {
            None => {
                self.0.insert(shop, Rest { until: now + REST_MIN, next: REST_MIN * 2, is_tried: false });
            }
            Some(rest) if rest.is_tried => {
                (rest.until, rest.is_tried) = (now + rest.next, false);
                rest.next = (rest.next * 2).min(REST_MAX);
            }
            // It was under way when that was known already.
            Some(_) => {}
        }
    }

    /// A write of the shop was committed.
    pub fn ours(&mut self, shop: i64) {
        self.0.remove(&shop);
    }

    /// Somebody asks for the shop here: it may be ours again.
    pub fn asked_for(&mut self, shop: i64, now: Instant) {
        if let Some(rest) = self.0.get_mut(&shop) {
            (rest.until, rest.next) = (rest.until.min(now), REST_MIN);
        }
    }

    /// Nothing was to be done about the one that was looked at: the next one may tell.
    pub fn told_nothing(&mut self, shop: i64, now: Instant) {
        if let Some(rest) = self.0.get_mut(&shop).filter(|rest| rest.is_tried) {
            (rest.until, rest.is_tried) = (now, false);
        }
    }

    /// Whether one of the shop may be looked at now.
    pub fn may_look(&mut self, shop: i64, now: Instant) -> bool {
        let Some(rest) = self.0.get_mut(&shop) else { return true };
        let may = rest.until <= now;
        if may {
            (rest.until, rest.is_tried) = (now + rest.next, true);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every second and is always refused: after how many seconds each look was.
    fn looks(rests: &mut Rests, from: Instant, seconds: u64) -> Vec<u64> {
        let mut looked = Vec::new();
        for second in 0..seconds {
            let now = from + Duration::from_secs(second);
            // As many of it as there are: one is looked at.
            let granted = (0..3).filter(|_| rests.may_look(7, now)).count();
            assert!(granted <= 1 && rests.may_look(8, now));
            if granted == 1 {
                looked.push(second);
                rests.not_ours(7, now);
                rests.not_ours(7, now);
            }
        }
        looked
    }

    #[test]
    fn a_shop_that_is_not_ours_is_tried_ever_less_often() {
        let (mut rests, from) = (Rests::default(), Instant::now());
        assert!(rests.may_look(7, from) && rests.may_look(7, from));
        rests.not_ours(7, from);
        assert_eq!(looks(&mut rests, from, 1_600), [5, 15, 35, 75, 155, 315, 615, 915, 1_215, 1_515]);
    }

    #[test]
    fn a_shop_that_somebody_asks_for_is_tried_at_once_and_one_that_was_written_is_ours() {
        let (mut rests, from) = (Rests::default(), Instant::now());
        rests.not_ours(7, from);
        looks(&mut rests, from, 400);
        let later = from + Duration::from_secs(400);
        rests.asked_for(7, later);
        assert_eq!(looks(&mut rests, later, 20), [0, 5, 15]);
        let much_later = later + Duration::from_secs(100);
        assert!(rests.may_look(7, much_later) && !rests.may_look(7, much_later));
        rests.told_nothing(7, much_later);
        assert!(rests.may_look(7, much_later));
        rests.ours(7);
        assert!(rests.may_look(7, later) && rests.may_look(7, later));
    }
}
