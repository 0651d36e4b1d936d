//! The provider's statements, a day of its country each: what its book has moved stands on one of them, once.

use super::Till;
use serde_json::Value;
use std::collections::BTreeMap;

const DAY_US: i64 = 86_400_000_000;
/// Its midnight is at 17:00 UTC.
const WIB_US: i64 = 7 * 3_600_000_000;

/// The number of a day of the provider's country.
pub const fn day_of(at_us: i64) -> i64 {
    (at_us + WIB_US).div_euclid(DAY_US)
}

/// How many seconds it is until the next midnight there.
pub const fn seconds_to_midnight(at_us: i64) -> i64 {
    ((day_of(at_us) + 1) * DAY_US - WIB_US - at_us) / 1_000_000
}

/// All days from the first movement until now, laid beside the book. How many lines there are.
pub async fn agree(till: &Till, book: &Value, seed: u64) -> usize {
    let now = till.now().0;
    let moved = book["movement"].as_array().unwrap();
    let moved = moved.iter().filter(|row| !["authorised", "voided", "collected"].contains(&text(row, "kind")));
    let back = book["refund"].as_array().unwrap().iter().filter(|row| row["status"] != "rejected");
    // By what the line is called: on which day, and how much.
    let mut expected: BTreeMap<&str, (i64, i64)> =
        moved.map(|row| (text(row, "id"), (day_of(int(row, "at")), int(row, "amount")))).collect();
    expected.extend(back.map(|row| (text(row, "key"), (day_of(int(row, "settles_at")), -int(row, "amount")))));
    let (mut net, mut lines) = (0, 0);
    let first = expected.values().map(|(day, _)| *day).min().unwrap_or_else(|| day_of(now));
    for day in first..=day_of(now) {
        let statement = till.statement(&date(day)).await;
        for line in statement["lines"].as_array().unwrap() {
            let found = expected.remove(text(line, "transaction"));
            assert_eq!(found, Some((day, int(line, "gross"))), "seed {seed}: {} has {line}", date(day));
            lines += 1;
            net += match text(line, "kind") {
                "captured" | "remitted" | "dispute_won" | "refunded" => int(line, "gross"),
                "reversed" | "disputed" => -int(line, "gross"),
                _ => 0,
            };
        }
    }
    assert!(expected.is_empty(), "seed {seed}: on no statement: {expected:?}");
    assert_eq!(net * 100, till.held().await, "seed {seed}: the statements add up to what the provider holds");
    lines
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn int(row: &Value, name: &str) -> i64 {
    row[name].as_i64().unwrap()
}

/// `YYYY-MM-DD` of a day, counted from 1970.
fn date(day: i64) -> String {
    let (mut year, mut left) = (1970, day);
    let days = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
    while left >= days(year) {
        left -= days(year);
        year += 1;
    }
    let february = days(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        (left, month) = (left - length, month + 1);
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

#[test]
fn a_day_of_the_provider_begins_at_seventeen_oclock_in_greenwich() {
    // 2026-11-30 17:00:00 UTC.
    let midnight = 1_796_058_000_000_000;
    let dates = [midnight - 1, midnight].map(|at| date(day_of(at)));
    assert_eq!(dates, ["2026-11-30", "2026-12-01"]);
    assert_eq!(seconds_to_midnight(midnight - 60_000_000), 60);
    assert_eq!([date(0), date(59), date(789), date(11_016)], ["1970-01-01", "1970-03-01", "1972-02-29", "2000-02-29"]);
}
