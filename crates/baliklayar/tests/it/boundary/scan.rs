//! Looks through bytes for values, however they are written: as they are, escaped as in an address, JSON or HTML, in base64
//! wherever it begins, in hexadecimal, in groups of four as people read a number out.

use std::collections::{BTreeMap, HashMap};

/// The shortest text that is looked for: fewer letters are anywhere by chance.
const LETTERS_MIN: usize = 3;
/// The same where it is written in base64, or in the sixteen digits that keys of links are made of.
const BASE64_MIN: usize = 6;
const HEX_MIN: usize = 10;
/// A shorter number is part of a time or of another number by chance: it is looked for as a word of its own.
const NUMBER_MIN: usize = 12;

/// Values by what each of them is.
pub struct Scan {
    needles: HashMap<[u8; LETTERS_MIN], Vec<Needle>>,
    pub values: usize,
}

struct Needle {
    bytes: Vec<u8>,
    is_word: bool,
    /// What it is, and how it is written.
    told: String,
}

impl Scan {
    /// For all of these: value, and what it is.
    #[track_caller]
    pub fn of(values: &BTreeMap<String, String>) -> Self {
        let mut needles: HashMap<_, Vec<Needle>> = HashMap::new();
        for (value, what) in values {
            assert!(value.len() >= LETTERS_MIN, "{what} `{value}` is too short to be looked for");
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            for (form, bytes) in forms(value.as_bytes()) {
                let is_word = is_number && value.len() < NUMBER_MIN && bytes == value.as_bytes();
                let first = *bytes.first_chunk().unwrap();
                needles.entry(first).or_default().push(Needle {
                    bytes,
                    is_word,
                    told: format!("{what} `{value}`, {form}"),
                });
            }
        }
        Self { needles, values: values.len() }
    }

    /// What is in these bytes, and where.
    pub fn find(&self, heard: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, first) in heard.array_windows::<LETTERS_MIN>().enumerate() {
            let begun = self.needles.get(first).into_iter().flatten();
            let is_there = |needle: &&Needle| {
                let end = at + needle.bytes.len();
                let stands_alone = || !is_wordy(heard[..at].last()) && !is_wordy(heard.get(end));
                heard[at..].starts_with(&needle.bytes) && (!needle.is_word || stands_alone())
            };
            found.extend(begun.filter(is_there).map(|it| format!("{} at {at}", it.told)));
        }
        found
    }
}

fn is_wordy(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// How a value may be written; each once.
fn forms(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = |upper: bool| value.iter().flat_map(move |byte| in_hex(*byte, upper)).collect::<Vec<u8>>();
    let percent = |upper: bool, all: bool| {
        let plain = move |byte: u8| !all && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let escaped = move |byte: u8| [vec![b'%'], in_hex(byte, upper).to_vec()].concat();
        value.iter().flat_map(|byte| if plain(*byte) { vec![*byte] } else { escaped(*byte) }).collect::<Vec<u8>>()
    };
    let text = String::from_utf8_lossy(value);
    let html = text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    let in_fours = value.chunks(4).collect::<Vec<_>>();
    let mut forms = vec![
        ("as it is", value.to_vec()),
        ("in an address", percent(true, false)),
        ("in an address", percent(false, false)),
        ("every letter escaped", percent(true, true)),
        ("every letter escaped", percent(false, true)),
        ("in a form", text.replace(' ', "+").into_bytes()),
        ("in JSON", text.replace('/', "\\/").into_bytes()),
        ("in HTML", html.into_bytes()),
    ];
    forms.extend([hex(false), hex(true)].into_iter().filter(|it| it.len() >= HEX_MIN).map(|it| ("in hexadecimal", it)));
    if value.len() > 8 && value.iter().all(u8::is_ascii_digit) {
        forms.extend([("in fours", in_fours.join(&b' ')), ("in fours", in_fours.join(&b'-'))]);
    }
    for (name, alphabet) in [("in base64", STANDARD), ("in base64 for addresses", URL)] {
        forms.extend(
            (0..3).map(|begins| (name, base64(value, begins, alphabet))).filter(|(_, it)| it.len() >= BASE64_MIN),
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    forms.retain(|(_, bytes)| seen.insert(bytes.clone()));
    forms
}

fn in_hex(byte: u8, upper: bool) -> [u8; 2] {
    let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters that are the same whatever stands before and behind, where so many bytes of a group of three stand before.
fn base64(value: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits: Vec<u8> = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    // A letter begins every six bits; the first whole one of ours begins behind what stands before.
    let skipped = (6 - before * 8 % 6) % 6;
    let groups = bits[skipped..].chunks_exact(6);
    groups.map(|six| alphabet[six.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(values: &[&str]) -> Scan {
        Scan::of(&values.iter().map(|value| ((*value).to_owned(), "value".to_owned())).collect())
    }

    #[test]
    fn a_planted_value_is_found_however_it_is_written() {
        let scan = scan(&["http://127.0.0.1:7406/pay/chg_12?a=b&c", "8808000000000012", "chg_12"]);
        let clean = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"id\": \"31\", \"n\": 88080}";
        assert_eq!(scan.find(clean), Vec::<String>::new());
        for (planted, form) in [
            ("http://127.0.0.1:7406/pay/chg_12?a=b&c", "as it is"),
            ("http%3A%2F%2F127.0.0.1%3A7406%2Fpay%2Fchg_12%3Fa%3Db%26c", "in an address"),
            ("http%3a%2f%2f127.0.0.1%3a7406%2fpay%2fchg_12%3fa%3db%26c", "in an address"),
            ("%63%68%67%5F%31%32", "every letter escaped"),
            (r"http:\/\/127.0.0.1:7406\/pay\/chg_12?a=b&c", "in JSON"),
            ("http://127.0.0.1:7406/pay/chg_12?a=b&amp;c", "in HTML"),
            ("8808 0000 0000 0012", "in fours"),
            ("38383038303030303030303030303132", "in hexadecimal"),
            // As base64 writes `8808000000000012`, `{8808000000000012}` and `no8808000000000012.`.
            ("ODgwODAwMDAwMDAwMDAxMg==", "in base64"),
            ("ezg4MDgwMDAwMDAwMDAwMTJ9", "in base64"),
            ("bm84ODA4MDAwMDAwMDAwMDEyLg==", "in base64"),
            // `???chg_12` has letters that an address has not.
            ("Pz8_Y2hnXzEy", "in base64"),
        ] {
            let heard = [&clean[..30], planted.as_bytes(), &clean[30..]].concat();
            let found = scan.find(&heard);
            assert!(found.iter().any(|it| it.contains(form)), "{planted}: {found:?}");
        }
    }

    #[test]
    fn a_short_number_is_a_word_of_its_own_or_by_chance() {
        let scan = scan(&["12-1"]);
        for (heard, is_there) in [
            ("2026-12-11T10:00:00Z", false),
            ("112-1", false),
            ("12-13", false),
            ("\"12-1\"", true),
            ("12-1", true),
            ("a 12-1.", true),
            ("%31%32%2D%31", true),
        ] {
            assert_eq!(!scan.find(heard.as_bytes()).is_empty(), is_there, "{heard}");
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn what_would_be_anywhere_is_not_looked_for() {
        scan(&["ID"]);
    }
}
