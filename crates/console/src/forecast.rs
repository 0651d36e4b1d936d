//! When the last shop will have moved, as far as the move itself tells: no model, no smoothing.
//!
//! The time since the first flip is cut into four. The quarter in which most shops moved, continued, gives the early
//! end of the range; the one in which fewest moved gives the late end, and none where it moved nothing. Shops that
//! went back count against the quarter in which they did.

use store::Flip;
use vocab::id::{Direction, Timestamp};

/// Fewer shops than this say nothing about a pace.
const MOVED_MIN: i64 = 4;
const QUARTERS: i64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    TooEarly,
    Done,
    Between { early: Timestamp, late: Option<Timestamp> },
}

/// One point of the burn-up: from this instant on, so many shops were at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    pub moved: i64,
}

/// The burn-up of a plan, from its flips.
pub fn burn_up(flips: &[Flip]) -> Vec<Point> {
    let mut moved = 0;
    let point = |flip: &Flip| {
        moved += change(flip);
        Point { at: flip.at, moved }
    };
    flips.iter().map(point).collect()
}

const fn change(flip: &Flip) -> i64 {
    match flip.direction {
        Direction::ToBackend => 1,
        Direction::ToLegacy => -1,
    }
}

/// The range in which `total` shops will have moved, seen from `now`.
pub fn forecast(flips: &[Flip], total: i64, now: Timestamp) -> Forecast {
    let moved: i64 = flips.iter().map(change).sum();
    if moved >= total && total > 0 {
        return Forecast::Done;
    }
    let Some(first) = flips.first().filter(|first| moved >= MOVED_MIN && now > first.at) else {
        return Forecast::TooEarly;
    };
    let quarter_us = ((now.0 - first.at.0) / QUARTERS).max(1);
    let mut quarters = [0_i64; 4];
    for flip in flips {
        let at = ((flip.at.0 - first.at.0) / quarter_us).clamp(0, QUARTERS - 1);
        if let Some(quarter) = usize::try_from(at).ok().and_then(|at| quarters.get_mut(at)) {
            *quarter += change(flip);
        }
    }
    let best = quarters.into_iter().max().unwrap_or(0);
    let worst = quarters.into_iter().min().unwrap_or(0);
    let after = |pace: i64| {
        let us = i128::from(total - moved) * i128::from(quarter_us) / i128::from(pace);
        Timestamp(now.0.saturating_add(i64::try_from(us).unwrap_or(i64::MAX)))
    };
    // Something moved on the whole, so that the best quarter moved something.
    Forecast::Between { early: after(best.max(1)), late: (worst > 0).then(|| after(worst)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::id::ShopId;

    /// Flips at these seconds; a negative one is a way back.
    fn flips(seconds: &[i64]) -> Vec<Flip> {
        let flip = |at: &i64| Flip {
            at: Timestamp(at.abs() * 1_000_000),
            shop: ShopId::parse("7").unwrap(),
            direction: if *at < 0 { Direction::ToLegacy } else { Direction::ToBackend },
        };
        seconds.iter().map(flip).collect()
    }

    fn check(seconds: &[i64], total: i64, now: i64, expected: Forecast) {
        assert_eq!(forecast(&flips(seconds), total, Timestamp(now * 1_000_000)), expected, "{seconds:?}");
    }

    fn between(early: i64, late: Option<i64>) -> Forecast {
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        Forecast::Between { early: at(early), late: late.map(at) }
    }

    /// By hand: quarters of 10 s from 100 with 3, 1, 2 and 2 shops; 12 of 20 are left, so 40 s at the best pace of
    /// 3 in 10 s, 120 s at the worst of 1 in 10 s.
    #[test]
    fn the_range_is_that_of_the_fastest_and_the_slowest_quarter() {
        check(&[100, 101, 102, 115, 120, 125, 131, 139], 20, 140, between(180, Some(260)));
    }

    #[test]
    fn a_quarter_in_which_nothing_moved_leaves_the_late_end_open() {
        check(&[100, 101, 102, 103], 8, 140, between(150, None));
        check(&[100, 101, 102, 103, 104, -125], 8, 140, between(148, None));
    }

    #[test]
    fn too_few_shops_say_nothing_and_all_of_them_need_no_forecast() {
        check(&[], 8, 140, Forecast::TooEarly);
        check(&[100, 101, 102], 8, 140, Forecast::TooEarly);
        check(&[100, 101, 102], 3, 140, Forecast::Done);
        check(&[100, 101, 102, -110], 3, 140, Forecast::TooEarly);
    }

    #[test]
    fn the_burn_up_counts_shops_that_went_back() {
        let points = burn_up(&flips(&[1, 2, -3, 4]));
        assert_eq!(points.iter().map(|point| point.moved).collect::<Vec<_>>(), [1, 2, 1, 2]);
    }
}
