//! The first lines of a file: version, source, currency, zone.

use crate::diagnostics::Sink;
use crate::file::{Entries, Text};
use vocab::id::Name;

#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub source: Name,
    pub currency: Name,
    /// Digits of the currency's minor unit.
    pub minor: u32,
    /// Local time minus UTC, in microseconds.
    pub offset: i64,
}

pub(crate) fn compile(root: &mut Entries<'_>, sink: &mut Sink<'_>) -> Option<Header> {
    match root.take("mapping") {
        Some(version) if version.int(sink) == Some(1) => {}
        Some(version) => sink.error("file/version", version.span, "this program reads mapping = 1", "another version"),
        None => sink.error("file/version", root.span, "`mapping = 1` is missing", "here"),
    }
    let source = root.need_text("source", sink);
    let currency = root.need_text("currency", sink);
    let zone = root.need_text("zone", sink);
    let (source, currency, zone) = (source?, currency?, zone?);
    if source.text.is_empty() || source.text.len() > 64 {
        sink.error("file/source", source.span, "the source needs a name of 1 to 64 bytes", "here");
    }
    if currency.text.len() != 3 || !currency.text.bytes().all(|b| b.is_ascii_uppercase()) {
        sink.error("file/currency", currency.span, "a currency is three capital letters (ISO 4217)", "here");
    }
    let offset = offset(&zone, sink)?;
    let minor = minor_digits(&currency.text);
    Some(Header { source: source.text.into(), currency: currency.text.into(), minor, offset })
}

/// `+07:00`.
fn offset(zone: &Text, sink: &mut Sink<'_>) -> Option<i64> {
    let read = || {
        let (sign, rest) = match zone.text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let two = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i64::from);
        let (hours, minutes) = (two(hours)?, two(minutes)?);
        (hours <= 15 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000_000)
    };
    let offset = read();
    if offset.is_none() {
        sink.error("file/zone", zone.span, "a zone is an offset from UTC", "as in \"+07:00\"");
    }
    offset
}

/// Digits of the minor unit, by ISO 4217; two where this list does not say otherwise.
fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}
