//! Decimal text as an exact integer, so that amounts are compared and added without a float.

use anyhow::{Context, Result};

/// Digits kept behind the point: more than any amount of a report has.
const DIGITS: usize = 6;

/// Decimal text in units of 10^-[`DIGITS`].
///
/// # Errors
/// The text is no decimal, or has more digits than are kept.
pub fn units(text: &str) -> Result<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && fraction.len() <= DIGITS && all_digits(whole) && all_digits(fraction);
    let padded = fits.then(|| format!("{whole}{fraction:0<DIGITS$}"));
    let units: i128 =
        padded.and_then(|digits| digits.parse().ok()).with_context(|| format!("`{text}` is no amount"))?;
    Ok(sign * units)
}

/// The units as text, without the zeros that say nothing.
pub fn text(units: i128) -> String {
    let one = 10_i128.pow(6);
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:06}", units.abs() / one, units.abs() % one);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_read_exactly_and_shown_short() {
        assert_eq!(units("2681.274").unwrap(), 2_681_274_000);
        assert_eq!(units("-896812.49").unwrap(), -896_812_490_000);
        assert_eq!(units("0").unwrap(), units("-0.00").unwrap());
        for text in ["", "-", ".5", "1,5", "1.0000001", "1e3", "--1"] {
            assert!(units(text).is_err(), "{text}");
        }
        assert_eq!(text(units("-11062.060").unwrap()), "-11062.06");
        assert_eq!(text(units("100.00").unwrap()), "100");
    }
}
