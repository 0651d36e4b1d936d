//! Figures as people read them: counts, shares, lengths and instants, with the marks of each language. No floats.

use crate::lang::Lang;
use jiff::tz::Offset;
use vocab::id::Timestamp;

/// Instants are shown as in Jakarta: the machine's own zone is not known here.
const OFFSET: Offset = Offset::constant(7);
const ZONE: &str = "WIB";

impl Lang {
    const fn decimal_mark(self) -> char {
        match self {
            Self::En => '.',
            Self::Id => ',',
        }
    }

    const fn group_mark(self) -> char {
        match self {
            Self::En => ',',
            Self::Id => '.',
        }
    }

    /// `20,000`.
    pub fn number(self, number: impl TryInto<i64>) -> String {
        let Ok(number) = number.try_into() else { return "∞".to_owned() };
        let digits = number.unsigned_abs().to_string();
        let mut text = if number < 0 { "−".to_owned() } else { String::new() };
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(self.group_mark());
            }
            text.push(digit);
        }
        text
    }

    /// Thousandths as `42.1 %`.
    pub fn percent(self, thousandths: u128) -> String {
        format!("{}{}{} %", thousandths / 10, self.decimal_mark(), thousandths % 10)
    }

    /// A weight of 2,000 basis points as `20 %`.
    pub fn weight_of(self, basis_points: u32) -> String {
        match basis_points % 100 {
            0 => format!("{} %", basis_points / 100),
            rest => format!("{}{}{rest:02} %", basis_points / 100, self.decimal_mark()),
        }
    }

    /// Microseconds as `0.4 ms`, `312 ms`, `1.8 s`, `3 min 20 s`, `4 h 10 min`, `2 d 3 h`.
    pub fn length(self, us: i64) -> String {
        let us = us.max(0);
        let (ms, seconds) = (us / 1_000, us / 1_000_000);
        let hour = match self {
            Self::En => "h",
            Self::Id => "j",
        };
        let day = match self {
            Self::En => "d",
            Self::Id => "hr",
        };
        match seconds {
            0 if ms < 10 => format!("{ms}{}{} ms", self.decimal_mark(), us % 1_000 / 100),
            0 => format!("{ms} ms"),
            1..10 => format!("{seconds}{}{} s", self.decimal_mark(), ms % 1_000 / 100),
            10..60 => format!("{seconds} s"),
            60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => format!("{} {hour} {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ => format!("{} {day} {} {hour}", seconds / 86_400, seconds % 86_400 / 3_600),
        }
    }

    /// A lag, coarsely: a figure that changes at every look says no more than one that changes when it matters.
    pub fn lag_of(self, us: i64) -> String {
        match us / 1_000 {
            ..10 => "< 10 ms".to_owned(),
            ms @ 10..100 => format!("{} ms", ms / 10 * 10),
            ms @ 100..1_000 => format!("{} ms", ms / 50 * 50),
            _ => self.length(us),
        }
    }
}

/// `2026-11-24 09:44`.
pub fn minute(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d %H:%M")
}

/// `2026-11-24 09:44:10`.
pub fn second(at: Timestamp) -> String {
    shown(at, "%Y-%m-%d %H:%M:%S")
}

fn shown(at: Timestamp, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.0) {
        Ok(instant) => format!("{} {ZONE}", OFFSET.to_datetime(instant).strftime(format)),
        Err(_) => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_each_language_writes_them() {
        let both = |show: &dyn Fn(Lang) -> String| [show(Lang::En), show(Lang::Id)];
        assert_eq!(both(&|lang| lang.number(20_000_u64)), ["20,000", "20.000"]);
        assert_eq!(both(&|lang| lang.number(-7)), ["−7", "−7"]);
        assert_eq!(both(&|lang| lang.number(999_usize)), ["999", "999"]);
        assert_eq!(both(&|lang| lang.percent(421)), ["42.1 %", "42,1 %"]);
        assert_eq!(both(&|lang| lang.weight_of(1_250)), ["12.50 %", "12,50 %"]);
        assert_eq!(both(&|lang| lang.weight_of(2_000)), ["20 %", "20 %"]);
    }

    #[test]
    fn a_length_has_two_figures_at_most() {
        let lengths = [420, 312_999, 1_800_000, 59_000_000, 200_000_000, 15_000_000_000, 183_600_000_000];
        let shown = lengths.map(|us| Lang::En.length(us));
        assert_eq!(shown, ["0.4 ms", "312 ms", "1.8 s", "59 s", "3 min 20 s", "4 h 10 min", "2 d 3 h"]);
        assert_eq!([9_999, 47_000, 199_000].map(|us| Lang::En.lag_of(us)), ["< 10 ms", "40 ms", "150 ms"]);
    }

    #[test]
    fn an_instant_is_shown_as_in_jakarta() {
        assert_eq!(minute(Timestamp(1_700_000_000_000_000)), "2023-11-15 05:13 WIB");
        assert_eq!(second(Timestamp(1_700_000_000_000_000)), "2023-11-15 05:13:20 WIB");
    }
}
