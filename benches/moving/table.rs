//! Figures as a table for people: integers only, ratios in hundredths.

use std::time::Duration;

/// A table in Markdown.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(heading.iter().map(ToString::to_string).collect());
    text += &line(heading.iter().enumerate().map(|(at, _)| if at == 0 { "---" } else { "---:" }.to_owned()).collect());
    rows.iter().for_each(|row| text += &line(row.clone()));
    text
}

/// `12.3`
pub fn seconds(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// How often a second, of so many in a time.
pub fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// `0.87`: the first in units of the second.
pub fn ratio(first: u64, second: u64) -> String {
    let hundredths = first.saturating_mul(100) / second.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
