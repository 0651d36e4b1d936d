//! Amounts and instants as people write them. Rupiah are whole, and their shops live by western Indonesian time.

use super::words::Lang;
use commerce::money::{Currency, Money};
use jiff::tz::Offset;
use vocab::id::Timestamp;

/// Western Indonesian time never changes.
const WIB: Offset = Offset::constant(7);
const SECOND_US: i64 = 1_000_000;

/// `Rp 15.000`, `GBP 12,50`; the sign in front. Spaces do not break.
pub fn amount(lang: Lang, money: Money) -> String {
    let words = lang.words();
    let currency = money.currency();
    let power = 10_u64.pow(currency.digits());
    let minor = money.minor().unsigned_abs();
    let (whole, rest) = (minor / power, minor % power);
    let sign = if money.is_negative() { "−" } else { "" };
    let mark = if currency == Currency::IDR { "Rp" } else { currency.as_str() };
    let mut text = format!("{sign}{mark}\u{a0}{}", grouped(whole, words.thousands));
    // Rupiah have digits behind the point that nobody pays.
    if currency.digits() > 0 && (currency != Currency::IDR || rest != 0) {
        let width = usize::try_from(currency.digits()).unwrap_or(0);
        text += &format!("{}{rest:0width$}", words.decimal);
    }
    text
}

fn grouped(whole: u64, between: char) -> String {
    let digits = whole.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(between);
        }
        text.push(digit);
    }
    text
}

/// `29 November 2026, 10:15 WIB`; what is not in rupiah is in UTC.
pub fn instant(lang: Lang, Timestamp(micros): Timestamp, currency: Currency) -> String {
    let words = lang.words();
    let (zone, name) = if currency == Currency::IDR { (WIB, "WIB") } else { (Offset::UTC, "UTC") };
    let at = jiff::Timestamp::from_second(micros.div_euclid(SECOND_US)).unwrap_or_default();
    let at = zone.to_datetime(at);
    let day = format!("{}\u{a0}{} {}", at.day(), words.month(at.month()), at.year());
    format!("{day}{}{:02}{}{:02}\u{a0}{name}", words.at, at.hour(), words.clock, at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, currency: &str) -> Money {
        Money::new(minor, Currency::parse(currency).unwrap()).unwrap()
    }

    #[test]
    fn amounts_are_written_as_the_reader_writes_them() {
        let check = |minor, currency, english: &str, indonesian: &str| {
            let of = |lang| amount(lang, money(minor, currency)).replace('\u{a0}', " ");
            assert_eq!((of(Lang::En), of(Lang::Id)), (english.to_owned(), indonesian.to_owned()));
        };
        check(123_456_700, "IDR", "Rp 1,234,567", "Rp 1.234.567");
        check(-5_000, "IDR", "−Rp 50", "−Rp 50");
        check(5, "IDR", "Rp 0.05", "Rp 0,05");
        check(120_005, "GBP", "GBP 1,200.05", "GBP 1.200,05");
        check(1_200, "JPY", "JPY 1,200", "JPY 1.200");
    }

    #[test]
    fn a_shop_in_rupiah_lives_seven_hours_ahead() {
        let at = Timestamp(1_700_000_000_000_000);
        let of = |lang, currency| instant(lang, at, Currency::parse(currency).unwrap()).replace('\u{a0}', " ");
        assert_eq!(of(Lang::En, "IDR"), "15 November 2023, 05:13 WIB");
        assert_eq!(of(Lang::Id, "IDR"), "15 November 2023 pukul 05.13 WIB");
        assert_eq!(of(Lang::En, "GBP"), "14 November 2023, 22:13 UTC");
    }
}
