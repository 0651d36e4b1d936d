//! Local times as text: a pattern like `%Y-%m-%d %H:%M:%S`, read strictly and printed back.
//!
//! Absent on purpose: zones with rules. A file names one offset.

/// One piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(char),
    Year,
    Month {
        padded: bool,
    },
    Day {
        padded: bool,
    },
    Hour {
        padded: bool,
    },
    Minute,
    Second,
    /// Six digits.
    Micros,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Pattern {
    /// Reads a pattern of `%Y %m %d %H %M %S %f` and `%-m %-d %-H`; none if something else is in it or a date or
    /// an hour is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                pieces.push(Piece::Literal(c));
                continue;
            }
            let (padded, letter) = match chars.next()? {
                '-' => (false, chars.next()?),
                letter => (true, letter),
            };
            pieces.push(match letter {
                'Y' if padded => Piece::Year,
                'm' => Piece::Month { padded },
                'd' => Piece::Day { padded },
                'H' => Piece::Hour { padded },
                'M' if padded => Piece::Minute,
                'S' if padded => Piece::Second,
                'f' if padded => Piece::Micros,
                _ => return None,
            });
        }
        let has = |wanted: fn(&Piece) -> bool| pieces.iter().filter(|piece| wanted(piece)).count() == 1;
        let whole = has(|p| matches!(p, Piece::Year))
            && has(|p| matches!(p, Piece::Month { .. }))
            && has(|p| matches!(p, Piece::Day { .. }))
            && has(|p| matches!(p, Piece::Hour { .. }))
            && has(|p| matches!(p, Piece::Minute));
        whole.then_some(Self(pieces))
    }

    /// The finest step that the pattern shows, in microseconds.
    pub fn resolution(&self) -> i64 {
        if self.0.contains(&Piece::Micros) {
            1
        } else if self.0.contains(&Piece::Second) {
            SECOND
        } else {
            60 * SECOND
        }
    }

    /// How many characters a printed instant has at most.
    pub fn length_max(&self) -> usize {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(_) => 1,
                Piece::Year => 4,
                Piece::Micros => 6,
                Piece::Month { .. } | Piece::Day { .. } | Piece::Hour { .. } | Piece::Minute | Piece::Second => 2,
            })
            .sum()
    }
}

/// Microseconds of the local time since 1970-01-01T00:00:00 local; none if the text is no such time.
pub(crate) fn parse(pattern: &Pattern, text: &str) -> Option<i64> {
    let mut rest = text;
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let (mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0);
    for piece in &pattern.0 {
        match piece {
            Piece::Literal(c) => rest = rest.strip_prefix(*c)?,
            Piece::Year => year = number(&mut rest, 4, true)?,
            Piece::Month { padded } => month = number(&mut rest, 2, *padded)?,
            Piece::Day { padded } => day = number(&mut rest, 2, *padded)?,
            Piece::Hour { padded } => hour = number(&mut rest, 2, *padded)?,
            Piece::Minute => minute = number(&mut rest, 2, true)?,
            Piece::Second => second = number(&mut rest, 2, true)?,
            Piece::Micros => micros = number(&mut rest, 6, true)?,
        }
    }
    if !rest.is_empty() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of(year, month, day)?;
    Some(days * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

/// None if the year does not have four digits.
pub(crate) fn print(pattern: &Pattern, local: i64) -> Option<String> {
    let (year, month, day) = date_of(local.div_euclid(DAY));
    if !(1..=9999).contains(&year) {
        return None;
    }
    let of_day = local.rem_euclid(DAY);
    let seconds = of_day / SECOND;
    let two = |value: i64, padded: bool| if padded { format!("{value:02}") } else { value.to_string() };
    let mut text = String::new();
    for piece in &pattern.0 {
        match piece {
            Piece::Literal(c) => text.push(*c),
            Piece::Year => text.push_str(&format!("{year:04}")),
            Piece::Month { padded } => text.push_str(&two(month, *padded)),
            Piece::Day { padded } => text.push_str(&two(day, *padded)),
            Piece::Hour { padded } => text.push_str(&two(seconds / 3600, *padded)),
            Piece::Minute => text.push_str(&two(seconds / 60 % 60, true)),
            Piece::Second => text.push_str(&two(seconds % 60, true)),
            Piece::Micros => text.push_str(&format!("{:06}", of_day % SECOND)),
        }
    }
    Some(text)
}

/// Takes digits: exactly `width` of them, or, unpadded, one to `width`.
fn number(rest: &mut &str, width: usize, padded: bool) -> Option<i64> {
    let digits = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (padded && digits != width) || (!padded && digits > 1 && rest.starts_with('0')) {
        return None;
    }
    let value = rest.get(..digits)?.parse().ok()?;
    *rest = rest.get(digits..)?;
    Some(value)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar; none if there is no such date.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if year < 1 || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    // Years begin in March, so that the leap day is the last of a year.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (date_of(days) == (year, month, day)).then_some(days)
}

/// The inverse: (year, month, day).
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_has_its_date() {
        let mut expected = (1600, 1, 1);
        for days in days_of(1600, 1, 1).unwrap()..days_of(2400, 1, 1).unwrap() {
            assert_eq!(date_of(days), expected);
            assert_eq!(days_of(expected.0, expected.1, expected.2), Some(days));
            let leap = expected.0 % 4 == 0 && (expected.0 % 100 != 0 || expected.0 % 400 == 0);
            let last = match expected.1 {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match expected {
                (year, 12, 31) => (year + 1, 1, 1),
                (year, month, day) if day == last => (year, month + 1, 1),
                (year, month, day) => (year, month, day + 1),
            };
        }
        assert_eq!(days_of(1970, 1, 1), Some(0));
    }

    #[test]
    fn what_is_read_is_printed_again_and_the_rest_is_refused() {
        let full = Pattern::parse("%Y-%m-%d %H:%M:%S").unwrap();
        let short = Pattern::parse("%-m/%-d/%Y %-H:%M").unwrap();
        for (pattern, text) in
            [(&full, "2024-02-29 23:59:59"), (&full, "1969-12-31 00:00:00"), (&short, "12/1/2010 8:26")]
        {
            assert_eq!(print(pattern, parse(pattern, text).unwrap()).unwrap(), text);
        }
        for text in ["2023-02-29 00:00:00", "0000-00-00 00:00:00", "2024-1-01 00:00:00", "2024-01-01 24:00:00", "x", ""]
        {
            assert_eq!(parse(&full, text), None, "{text}");
        }
        assert_eq!(parse(&short, "012/1/2010 8:26"), None);
        assert!(Pattern::parse("%Y-%m-%d").is_none());
    }
}
