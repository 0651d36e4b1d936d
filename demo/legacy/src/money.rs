//! Money: hundredths of a rupiah in memory, decimal text in the tables, and the way this shop rounds.
//!
//! Tax is rounded to whole rupiah on every line, then summed: others round once per order and may differ by some
//! rupiah.

/// Hundredths in a rupiah: the smallest amount anyone pays.
pub const RUPIAH: i64 = 100;

const WHOLE_BP: i128 = 10_000;

/// Reads `15000`, `15000.5` or `15000.00`; none where the text is something else or too large.
pub fn read(text: &str) -> Option<i64> {
    let decimal = Decimal::read(text)?;
    decimal.at_scale(2).and_then(|hundredths| i64::try_from(hundredths).ok())
}

/// `15000.00`.
pub fn print(hundredths: i64) -> String {
    Decimal { digits: i128::from(hundredths), scale: 2 }.to_string()
}

/// The tax on one line, to whole rupiah, half a rupiah up.
pub fn tax_on_line(line_total: i64, tax_bp: i64) -> i64 {
    let rupiah = i128::from(RUPIAH);
    let whole = WHOLE_BP * rupiah;
    let taxed = i128::from(line_total) * i128::from(tax_bp);
    let rounded = (2 * taxed + whole).div_euclid(2 * whole) * rupiah;
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

/// What giving back goods worth `goods` of an order brings: them and their part of the tax, down to whole rupiah.
pub fn give_back(goods: i64, order_tax: i64, order_subtotal: i64) -> i64 {
    if order_subtotal == 0 {
        return goods;
    }
    let part = i128::from(order_tax) * i128::from(goods) / i128::from(order_subtotal);
    let rupiah = i128::from(RUPIAH);
    goods + i64::try_from(part / rupiah * rupiah).unwrap_or(0)
}

/// An exact decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    pub digits: i128,
    /// Places behind the point.
    pub scale: u32,
}

impl Decimal {
    pub const ZERO: Self = Self { digits: 0, scale: 0 };

    /// None where the text is no plain decimal number of at most 30 digits.
    pub fn read(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, places) = rest.split_once('.').unwrap_or((rest, ""));
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(places) || whole.len() + places.len() > 30 {
            return None;
        }
        let digits: i128 = format!("{whole}{places}").parse().ok()?;
        let scale = u32::try_from(places.len()).ok()?;
        Some(Self { digits: if negative { -digits } else { digits }, scale })
    }

    /// The same number in units of 10^-scale; none where that would lose a digit.
    pub fn at_scale(self, scale: u32) -> Option<i128> {
        if scale >= self.scale {
            return self.digits.checked_mul(10_i128.checked_pow(scale - self.scale)?);
        }
        let unit = 10_i128.checked_pow(self.scale - scale)?;
        (self.digits % unit == 0).then_some(self.digits / unit)
    }

    pub fn times(self, count: i64) -> Self {
        Self { digits: self.digits * i128::from(count), scale: self.scale }
    }

    /// The sum, with the places of the longer of the two.
    pub fn plus(self, other: Self) -> Self {
        let scale = self.scale.max(other.scale);
        let widened = |number: Self| number.at_scale(scale).unwrap_or(0);
        Self { digits: widened(self) + widened(other), scale }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let unit = 10_u128.pow(self.scale);
        let whole = self.digits.unsigned_abs() / unit;
        if self.scale == 0 {
            return write!(f, "{sign}{whole}");
        }
        let places = self.digits.unsigned_abs() % unit;
        let width = usize::try_from(self.scale).unwrap_or(0);
        write!(f, "{sign}{whole}.{places:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_of_a_price_is_read_and_one_is_written() {
        assert_eq!(read("15000"), Some(1_500_000));
        assert_eq!(read("15000.0"), Some(1_500_000));
        assert_eq!(read("15000.00"), Some(1_500_000));
        assert_eq!(print(1_500_000), "15000.00");
        assert_eq!(print(-5), "-0.05");
        for bad in ["", ".", "1,000", "1.005", "1e3", " 1", "+1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn tax_rounds_half_a_rupiah_up_on_each_line() {
        assert_eq!(tax_on_line(1_550_000, 1100), 170_500);
        // 11 % of 50 rupiah is 5.5.
        assert_eq!(tax_on_line(5_000, 1100), 600);
        assert_eq!(tax_on_line(4_900, 1100), 500);
    }

    #[test]
    fn what_is_given_back_carries_its_part_of_the_tax_rounded_down() {
        assert_eq!(give_back(10_000, 3_300, 30_000), 11_100);
        assert_eq!(give_back(10_000, 3_200, 30_000), 11_000);
        assert_eq!(give_back(0, 0, 0), 0);
    }

    #[test]
    fn decimals_keep_their_places() {
        let sum = [("2.1", 1), ("0.001", 1), ("18.0", -2)]
            .iter()
            .fold(Decimal::ZERO, |sum, (price, count)| sum.plus(Decimal::read(price).unwrap().times(*count)));
        assert_eq!(sum.to_string(), "-33.899");
        assert_eq!(Decimal::read("-11062.06").unwrap().to_string(), "-11062.06");
    }
}
