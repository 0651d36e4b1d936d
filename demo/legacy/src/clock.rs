//! Time as this program writes it: Western Indonesian local time as text, without a zone.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// What stands where there is no time.
pub const NEVER: &str = "0000-00-00 00:00:00";

/// The wall clock in Jakarta never changes.
const WIB: Offset = Offset::constant(7);

/// `2026-01-31 09:05:00`.
pub fn wib(at: Timestamp) -> String {
    WIB.to_datetime(at).strftime(FORMAT).to_string()
}

/// The moment that a text names; none where it is no time.
pub fn at(text: &str) -> Option<Timestamp> {
    let local = DateTime::strptime(FORMAT, text).ok()?;
    WIB.to_timestamp(local).ok()
}

/// RFC 3339 in UTC; none where the text is no time.
pub fn rfc3339(text: &str) -> Option<String> {
    at(text).map(|at| at.to_string())
}

/// `hours` before `now`, as text: what sorts below it is older.
pub fn hours_before(now: Timestamp, hours: i64) -> String {
    wib(now - SignedDuration::from_hours(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jakarta_is_seven_hours_ahead() {
        let at: Timestamp = "2025-12-31T18:30:00Z".parse().unwrap();
        assert_eq!(wib(at), "2026-01-01 01:30:00");
        assert_eq!(rfc3339("2026-01-01 01:30:00").as_deref(), Some("2025-12-31T18:30:00Z"));
        assert_eq!(rfc3339(NEVER), None);
        assert_eq!(hours_before(at, 24), "2025-12-31 01:30:00");
    }
}
