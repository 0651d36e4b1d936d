//! Progress formula 1: how much of a plan is done and how much is left, as exact fractions.
//!
//! The plan freezes the list of shops, the parts of each, and a weight per part in basis points. A part of a shop is
//! done when its final owner answers its reads and writes and it was not rolled back since; else it is left.
//! done = Σ w·done_p/N_p and left = Σ w·left_p/N_p over the parts. Both are counted from the list, each by itself, so
//! that whoever counts again can compare. Shown rounded down (done) and up (left), so that neither flatters.

use std::fmt;
use vocab::id::Part;

/// All weights together.
const ALL_BP: u32 = 10_000;
/// Shops of one plan: so many that no denominator (10,000 × a product of five such numbers) leaves 128 bits.
pub const SHOPS_MAX: usize = 1_000_000;

/// A weight per part, in basis points, that sum to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights([u32; Part::ALL.len()]);

/// Weights that do not sum to 10,000, or a plan that is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("the weights of the parts sum to {0}, not to 10,000 basis points")]
    Weights(u64),
    #[error("{0} shops in one plan, more than 1,000,000")]
    Shops(usize),
    #[error("no planned shop has the part `{0}`, but it has a weight")]
    Empty(&'static str),
}

/// How one part of one shop stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stand {
    /// The shop has no such part.
    Absent,
    Left,
    Done,
}

/// The parts of a planned shop, in the order of [`Part::ALL`].
pub type Shop = [Stand; Part::ALL.len()];

/// One part over all planned shops. `done + left = total` for everyone who counts rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub part: Part,
    pub weight_bp: u32,
    pub done: u64,
    pub left: u64,
    pub total: u64,
}

/// What the formula says of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub parts: [Count; Part::ALL.len()],
    pub done: Fraction,
    pub left: Fraction,
}

/// An exact fraction between 0 and 1, in lowest terms. Prints as `a/b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    num: u128,
    den: u128,
}

impl Weights {
    /// Weights in the order of [`Part::ALL`].
    ///
    /// # Errors
    /// [`Unusable::Weights`] if they do not sum to 10,000.
    pub fn new(basis_points: [u32; Part::ALL.len()]) -> Result<Self, Unusable> {
        let sum: u64 = basis_points.iter().map(|weight| u64::from(*weight)).sum();
        if sum == u64::from(ALL_BP) { Ok(Self(basis_points)) } else { Err(Unusable::Weights(sum)) }
    }
}

/// Counts done and left over the planned shops, each by itself.
///
/// # Errors
/// [`Unusable::Shops`] for too many shops, [`Unusable::Empty`] where a part with a weight has no shop.
pub fn read(weights: Weights, shops: &[Shop]) -> Result<Reading, Unusable> {
    if shops.len() > SHOPS_MAX {
        return Err(Unusable::Shops(shops.len()));
    }
    let mut parts = Part::ALL.map(|part| Count { part, weight_bp: 0, done: 0, left: 0, total: 0 });
    for (at, (count, weight_bp)) in parts.iter_mut().zip(weights.0).enumerate() {
        count.weight_bp = weight_bp;
        count.done = stands(shops, at, |stand| stand == Stand::Done);
        count.left = stands(shops, at, |stand| stand == Stand::Left);
        count.total = stands(shops, at, |stand| stand != Stand::Absent);
        if count.total == 0 && weight_bp > 0 {
            return Err(Unusable::Empty(count.part.name()));
        }
    }
    let done = weighted(&parts, |count| count.done);
    let left = weighted(&parts, |count| count.left);
    Ok(Reading { parts, done, left })
}

fn stands(shops: &[Shop], part: usize, like: impl Fn(Stand) -> bool) -> u64 {
    shops.iter().map(|shop| u64::from(like(shop[part]))).sum()
}

fn weighted(parts: &[Count], counted: impl Fn(&Count) -> u64) -> Fraction {
    let share = |count: &Count| {
        let num = u128::from(count.weight_bp) * u128::from(counted(count));
        Fraction::new(num, u128::from(ALL_BP) * u128::from(count.total))
    };
    parts.iter().filter(|count| count.total > 0).map(share).fold(Fraction::ZERO, Fraction::plus)
}

impl Fraction {
    const ZERO: Self = Self { num: 0, den: 1 };

    /// `den` is not 0.
    fn new(num: u128, den: u128) -> Self {
        let divisor = gcd(num, den);
        Self { num: num / divisor, den: den / divisor }
    }

    fn plus(self, other: Self) -> Self {
        let den = self.den / gcd(self.den, other.den) * other.den;
        Self::new(self.num * (den / self.den) + other.num * (den / other.den), den)
    }

    pub const fn num(self) -> u128 {
        self.num
    }

    pub const fn den(self) -> u128 {
        self.den
    }

    /// In thousandths (0.1 %), rounded down: how *done* is shown.
    pub const fn thousandths_down(self) -> u128 {
        self.num * 1_000 / self.den
    }

    /// In thousandths (0.1 %), rounded up: how *left* is shown.
    pub const fn thousandths_up(self) -> u128 {
        (self.num * 1_000).div_ceil(self.den)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// The greatest common divisor; not both are 0.
const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stand::{Absent, Done, Left};

    fn weights() -> Weights {
        Weights::new([2_000, 2_000, 2_000, 1_000, 3_000]).unwrap()
    }

    /// By hand: catalog 2/3, cart 1/3, checkout 1/2, payment 0/1, order 1/3, so
    /// done = (2000·2/3 + 2000·1/3 + 2000·1/2 + 1000·0 + 3000·1/3) / 10000 = (2000 + 1000 + 1000) / 10000 = 2/5,
    /// left = (2000·1/3 + 2000·2/3 + 2000·1/2 + 1000·1 + 3000·2/3) / 10000 = (2000 + 1000 + 1000 + 2000) / 10000 = 3/5.
    #[test]
    fn three_shops_read_as_counted_by_hand() {
        let shops = [[Done, Done, Done, Absent, Done], [Done, Left, Absent, Absent, Left], [Left; 5]];
        let reading = read(weights(), &shops).unwrap();
        assert_eq!((reading.done.to_string(), reading.left.to_string()), ("2/5".to_owned(), "3/5".to_owned()));
        assert_eq!((reading.done.thousandths_down(), reading.left.thousandths_up()), (400, 600));
        assert!(reading.parts.iter().all(|count| count.done + count.left == count.total));
        let totals = reading.parts.map(|count| count.total);
        assert_eq!(totals, [3, 3, 2, 1, 3]);
    }

    /// By hand: of seven shops that only sell, one is done: 1/7 = 14.28… %, 6/7 = 85.71… %.
    #[test]
    fn done_is_shown_rounded_down_and_left_rounded_up() {
        let only_order = Weights::new([0, 0, 0, 0, 10_000]).unwrap();
        let mut shops = vec![[Absent, Absent, Absent, Absent, Left]; 7];
        shops[3][4] = Done;
        let reading = read(only_order, &shops).unwrap();
        assert_eq!((reading.done.thousandths_down(), reading.left.thousandths_up()), (142, 858));
        assert_eq!((reading.done.num(), reading.done.den()), (1, 7));
    }

    #[test]
    fn the_longest_plan_stays_exact() {
        let mut shops = vec![[Done; 5]; SHOPS_MAX];
        for (part, shop) in shops.iter_mut().take(5).enumerate() {
            shop[part..].fill(Absent);
        }
        let reading = read(weights(), &shops).unwrap();
        assert_eq!((reading.done.thousandths_down(), reading.left.thousandths_up()), (1_000, 0));
        shops.push([Left; 5]);
        assert_eq!(read(weights(), &shops), Err(Unusable::Shops(SHOPS_MAX + 1)));
    }

    #[test]
    fn what_cannot_be_weighed_is_refused() {
        assert_eq!(Weights::new([2_000; 5]), Ok(Weights([2_000; 5])));
        assert_eq!(Weights::new([2_000, 2_000, 2_000, 2_000, 2_001]), Err(Unusable::Weights(10_001)));
        assert_eq!(read(weights(), &[[Done, Done, Done, Absent, Done]]), Err(Unusable::Empty("payment")));
        assert_eq!(read(weights(), &[]), Err(Unusable::Empty("catalog")));
    }
}
