//! Money: an integer of minor units with its currency, exact or an error.
//!
//! Products and shares are taken in 128 bits and rounded once, to what the currency rounds to: amounts in IDR are
//! whole rupiah although ISO 4217 gives it two minor digits. The bound is that of the wire (2^53 − 1), so that
//! every amount that exists can be shown.

use std::fmt;

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    pub const IDR: Self = Self(*b"IDR");

    /// Three capital letters; whether ISO lists them is not checked.
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    pub fn as_str(&self) -> &str {
        // Only `parse` and constants make one, both of ASCII.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// What amounts are rounded to, in minor units.
    pub const fn rounding_minor(self) -> i64 {
        match &self.0 {
            b"IDR" => 100,
            _ => 1,
        }
    }

    /// How many digits of an amount in minor units stand behind the point.
    pub const fn digits(self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"PYG" | b"UGX" | b"XAF" | b"XOF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The largest amount, in minor units, either sign: what a JSON number carries exactly.
pub const MINOR_MAX: i64 = (1 << 53) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the amount is larger than {MINOR_MAX} minor units")]
    TooLarge,
    #[error("amounts in {0} and {1} do not mix")]
    Currencies(Currency, Currency),
}

/// How a share that does not come out even is rounded to the currency's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    HalfUp,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// # Errors
    /// `TooLarge` beyond what the wire can carry.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, Error> {
        Self::fit(i128::from(minor), currency)
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    fn fit(minor: i128, currency: Currency) -> Result<Self, Error> {
        match i64::try_from(minor) {
            Ok(minor) if minor.abs() <= MINOR_MAX => Ok(Self { minor, currency }),
            _ => Err(Error::TooLarge),
        }
    }

    pub const fn minor(self) -> i64 {
        self.minor
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }

    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// Is it a multiple of what the currency rounds to?
    pub const fn is_whole(self) -> bool {
        self.minor % self.currency.rounding_minor() == 0
    }

    fn same_currency(self, other: Self) -> Result<(), Error> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(Error::Currencies(self.currency, other.currency))
    }

    /// # Errors
    /// `TooLarge`, `Currencies`.
    pub fn plus(self, other: Self) -> Result<Self, Error> {
        self.same_currency(other)?;
        Self::fit(i128::from(self.minor) + i128::from(other.minor), self.currency)
    }

    /// # Errors
    /// `TooLarge`, `Currencies`.
    pub fn minus(self, other: Self) -> Result<Self, Error> {
        self.plus(Self { minor: -other.minor, currency: other.currency })
    }

    /// # Errors
    /// `TooLarge`.
    pub fn times(self, units: u32) -> Result<Self, Error> {
        Self::fit(i128::from(self.minor) * i128::from(units), self.currency)
    }

    /// `self × part / whole`, rounded once to the currency's unit; zero where `whole` is zero.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn share(self, part: i64, whole: i64, rounding: Rounding) -> Result<Self, Error> {
        if whole == 0 {
            return Ok(Self::zero(self.currency));
        }
        let unit = i128::from(self.currency.rounding_minor());
        let product = i128::from(self.minor) * i128::from(part);
        let divisor = i128::from(whole) * unit;
        // 64 × 64 bits and a factor of two: far from the end of 128.
        let units = match rounding {
            Rounding::HalfUp => (2 * product + divisor.abs()).div_euclid(2 * divisor),
            Rounding::Down => product.div_euclid(divisor),
        };
        Self::fit(units * unit, self.currency)
    }

    /// # Errors
    /// `TooLarge`, `Currencies`.
    pub fn sum(amounts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, Error> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} minor", self.minor, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn idr(minor: i64) -> Money {
        Money::new(minor, Currency::IDR).expect("small")
    }

    #[test]
    fn half_a_rupiah_rounds_up_and_less_rounds_down() {
        // 11 % of Rp 50 is 5.5, of Rp 45 4.95, of Rp 40 4.4.
        assert_eq!(idr(5_000).share(1_100, 10_000, Rounding::HalfUp), Ok(idr(600)));
        assert_eq!(idr(4_500).share(1_100, 10_000, Rounding::HalfUp), Ok(idr(500)));
        assert_eq!(idr(4_000).share(1_100, 10_000, Rounding::HalfUp), Ok(idr(400)));
        assert_eq!(idr(5_000).share(1_100, 10_000, Rounding::Down), Ok(idr(500)));
    }

    #[test]
    fn what_the_wire_cannot_carry_is_an_error() {
        assert_eq!(Money::new(MINOR_MAX, Currency::IDR).map(Money::minor), Ok(MINOR_MAX));
        assert_eq!(Money::new(MINOR_MAX + 1, Currency::IDR), Err(Error::TooLarge));
        assert_eq!(idr(MINOR_MAX).times(u32::MAX), Err(Error::TooLarge));
    }

    #[test]
    fn currencies_do_not_mix() {
        let gbp = Currency::parse("GBP").expect("three capitals");
        assert_eq!(idr(1).plus(Money::zero(gbp)), Err(Error::Currencies(Currency::IDR, gbp)));
        assert_eq!(Currency::parse("idr"), None);
        assert_eq!(Currency::parse("EURO"), None);
    }

    proptest! {
        #[test]
        fn a_rounded_share_is_whole_and_less_than_a_unit_from_the_exact_one(
            minor in 0..1_000_000_000_000_i64, part in 0..20_000_i64, up in any::<bool>(),
        ) {
            let rounding = if up { Rounding::HalfUp } else { Rounding::Down };
            let share = idr(minor).share(part, 20_000, rounding).expect("fits");
            prop_assert!(share.is_whole());
            let off = i128::from(share.minor()) * 20_000 - i128::from(minor) * i128::from(part);
            match rounding {
                Rounding::HalfUp => prop_assert!(off > -1_000_000 && off <= 1_000_000),
                Rounding::Down => prop_assert!(off > -2_000_000 && off <= 0),
            }
        }

        /// Giving out shares rounded down never gives out more than the whole, so that a last one can take the rest.
        #[test]
        fn shares_rounded_down_leave_a_rest(whole in 0..1_000_000_000_i64, weights in prop::collection::vec(0..1_000_i64, 1..20)) {
            let money = idr(whole);
            let sum: i64 = weights.iter().sum();
            let shares = weights.iter().map(|weight| money.share(*weight, sum, Rounding::Down).expect("fits"));
            let given = Money::sum(shares, Currency::IDR).expect("fits");
            prop_assert!(given.minor() <= whole);
        }

        #[test]
        fn plus_and_minus_undo_each_other(a in -MINOR_MAX/2..MINOR_MAX/2, b in -MINOR_MAX/2..MINOR_MAX/2) {
            prop_assert_eq!(idr(a).plus(idr(b)).and_then(|sum| sum.minus(idr(b))), Ok(idr(a)));
        }
    }
}
