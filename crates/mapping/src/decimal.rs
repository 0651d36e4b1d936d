//! Exact decimals from text, and back.

use std::cmp::Ordering;

/// `units` × 10^−`scale`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    pub units: i128,
    pub scale: u32,
}

/// More digits than any column of money has; less than overflow needs.
const DIGITS_MAX: usize = 30;

impl Decimal {
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    pub fn int(value: i64) -> Self {
        Self { units: i128::from(value), scale: 0 }
    }

    /// An amount of minor units.
    pub fn minor(value: i64, digits: u32) -> Self {
        Self { units: i128::from(value), scale: digits }
    }

    /// `-?digits[separator digits]`, nothing else: no blanks, no exponent, no plus.
    pub fn parse(text: &str, separator: char) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once(separator) {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) || whole.len() + fraction.len() > DIGITS_MAX
        {
            return None;
        }
        let units: i128 = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { units: if negative { -units } else { units }, scale: u32::try_from(fraction.len()).ok()? })
    }

    /// The text with exactly `scale` digits after the separator.
    pub fn print(self, separator: char) -> String {
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = self.units.unsigned_abs().to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        if scale == 0 {
            return format!("{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        format!("{sign}{whole}{separator}{fraction}")
    }

    /// The same number with another scale; none if digits would be lost.
    pub fn rescale(self, scale: u32) -> Option<Self> {
        if scale >= self.scale {
            let factor = 10_i128.checked_pow(scale - self.scale)?;
            return Some(Self { units: self.units.checked_mul(factor)?, scale });
        }
        let divisor = 10_i128.checked_pow(self.scale - scale)?;
        (self.units % divisor == 0).then_some(Self { units: self.units / divisor, scale })
    }

    /// Half away from zero.
    pub fn round(self, scale: u32) -> Option<Self> {
        if scale >= self.scale {
            return self.rescale(scale);
        }
        let divisor = 10_i128.checked_pow(self.scale - scale)?;
        let half = if self.units < 0 { -(divisor / 2) } else { divisor / 2 };
        Some(Self { units: self.units.checked_add(half)? / divisor, scale })
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        Some((self.rescale(scale)?.units, other.rescale(scale)?.units, scale))
    }

    pub fn plus(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { units: a.checked_add(b)?, scale })
    }

    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { units: other.units.checked_neg()?, ..other })
    }

    pub fn times(self, other: Self) -> Option<Self> {
        Some(Self { units: self.units.checked_mul(other.units)?, scale: self.scale + other.scale })
    }

    pub fn compare(self, other: Self) -> Option<Ordering> {
        let (a, b, _) = self.aligned(other)?;
        Some(a.cmp(&b))
    }

    /// The number as minor units; none if it has more digits or is too large.
    pub fn to_minor(self, digits: u32) -> Option<i64> {
        i64::try_from(self.rescale(digits)?.units).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_strictly_and_printed_as_they_were() {
        for text in ["0", "0.001", "-12.50", "770.0", "123456789012345678901234.5"] {
            assert_eq!(Decimal::parse(text, '.').unwrap().print('.'), text);
        }
        for text in ["", "-", ".5", "5.", "+1", " 1", "1 ", "1,5", "1e3", "1.2.3", "NaN"] {
            assert!(Decimal::parse(text, '.').is_none(), "{text} was read");
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let round = |text: &str| Decimal::parse(text, '.').unwrap().round(0).unwrap().print('.');
        assert_eq!([round("2.5"), round("-2.5"), round("2.49"), round("-2.49")], ["3", "-3", "2", "-2"]);
    }
}
