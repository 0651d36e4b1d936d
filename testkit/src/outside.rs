//! Bytes as somebody outside may send them: what is right, bent in the ways in which things go wrong, and counted.
//!
//! Invariant: an input is a function of the seed and its number, so that the two of them are the report of a failure.
//! `BALIK_LONG` tries a million of each, `BALIK_SEED` chooses the seed, `BALIK_INPUT` tries that one input alone.
//! Absent on purpose: what is to become of an input, which is for whoever knows the parser.

mod json;

use crate::chance::Chance;
use std::collections::BTreeMap;
use std::time::Instant;

/// Inputs of a parser, with `BALIK_LONG`.
const INPUTS_LONG: u64 = 1_000_000;
/// The largest input that bending makes, but where a test sends more on purpose.
const SIZE_MAX: usize = 64 << 10;
/// How deep brackets are put around something.
const DEPTH_MAX: u64 = 2_000;
/// How much of an input a failure shows.
const SHOWN_MAX: usize = 4_000;
/// What somebody has put into a field before: ends, edges and other people's languages.
const WORDS: [&[u8]; 56] = [
    b"\0",
    b"\\u0000",
    b"%00",
    b"\\ud800",
    b"\\udfff\\ud800",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{2028}".as_bytes(),
    "é".as_bytes(),
    "e\u{301}".as_bytes(),
    "𝟙".as_bytes(),
    "٣".as_bytes(),
    "ﬀ".as_bytes(),
    "İ".as_bytes(),
    "🧺".as_bytes(),
    b"\r\n",
    b"\n",
    b"\r",
    b"\t",
    b"\x0b",
    b"\x7f",
    b" ",
    b"-",
    b"+",
    b"-0",
    b"-1",
    b"0",
    b"1e309",
    b"1e-400",
    b"0.1",
    b"00",
    b"2147483648",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"NaN",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"",
    b"'",
    b"\\",
    b"%",
    b"%2f",
    b"../",
    b"<script>",
    b"${7*7}",
    b"' or 1=1 --",
];

/// What inputs are made of.
pub struct Bends {
    /// Right ones: at least one.
    seeds: Vec<Vec<u8>>,
    /// Beside the usual words.
    words: Vec<Vec<u8>>,
}

impl Bends {
    /// # Panics
    /// Without a seed.
    pub fn of(seeds: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        let seeds: Vec<Vec<u8>> = seeds.into_iter().map(Into::into).collect();
        assert!(!seeds.is_empty(), "nothing to bend");
        Self { seeds, words: Vec::new() }
    }

    /// Words that mean something to this parser.
    #[must_use]
    pub fn knowing(mut self, words: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// One of the seeds, as it is in one of eight, and bent otherwise.
    pub fn next(&self, chance: &mut Chance) -> Vec<u8> {
        let seed = self.seed(chance).clone();
        if chance.one_in(8) { seed } else { self.bend(seed, chance) }
    }

    /// Bent once to four times.
    ///
    /// What is JSON mostly stays it, because what is none is soon refused.
    pub fn bend(&self, mut bytes: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
        if !chance.one_in(3)
            && bytes.starts_with(b"{")
            && let Ok(mut tree) = serde_json::from_slice(&bytes)
        {
            for _ in 0..=chance.below(3) {
                tree = json::bend(tree, chance);
            }
            return tree.to_string().into_bytes();
        }
        for _ in 0..=chance.below(4) {
            self.bend_once(&mut bytes, chance);
            bytes.truncate(SIZE_MAX);
        }
        bytes
    }

    fn bend_once(&self, bytes: &mut Vec<u8>, chance: &mut Chance) {
        let (from, to) = range(bytes.len(), chance);
        let piece = bytes[from..to].to_vec();
        match chance.below(40) {
            0..4 => bytes.truncate(from),
            4..8 => drop(bytes.drain(from..to)),
            8..11 => put(bytes, from..from, &piece),
            11..15 => {
                let other = self.seed(chance);
                let (start, end) = range(other.len(), chance);
                put(bytes, from..to, &other[start..end]);
            }
            15..20 if from < bytes.len() => bytes[from] ^= 1 << chance.below(8),
            20..22 if from < bytes.len() => bytes[from] = below_256(chance),
            22..28 => put(bytes, from..from, self.word(chance)),
            28..32 => {
                let (start, end) = number(bytes, from);
                put(bytes, start..end, self.word(chance));
            }
            32..36 => {
                let (start, end) = quoted(bytes, from);
                put(bytes, start..end, self.word(chance));
            }
            36 => bytes.rotate_left(from),
            37 => put(bytes, from..to, &piece.repeat(size(chance.below(64)))),
            38 if chance.one_in(16) => nest(bytes, from, to, chance),
            39 if chance.one_in(16) => *bytes = (0..chance.below(512)).map(|_| below_256(chance)).collect(),
            _ => bytes.push(below_256(chance)),
        }
    }

    fn seed(&self, chance: &mut Chance) -> &Vec<u8> {
        &self.seeds[below(self.seeds.len(), chance)]
    }

    fn word(&self, chance: &mut Chance) -> &[u8] {
        match below(WORDS.len() + self.words.len() * 4, chance) {
            usual if usual < WORDS.len() => WORDS[usual],
            own => &self.words[(own - WORDS.len()) / 4],
        }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).expect("small")
}

fn below(end: usize, chance: &mut Chance) -> usize {
    size(chance.below(u64::try_from(end.max(1)).expect("a length")))
}

fn below_256(chance: &mut Chance) -> u8 {
    u8::try_from(chance.below(256)).expect("below 256")
}

/// Mostly a short one.
fn range(length: usize, chance: &mut Chance) -> (usize, usize) {
    let from = below(length + 1, chance);
    let most = if chance.one_in(4) { length - from } else { (length - from).min(12) };
    (from, from + below(most + 1, chance))
}

fn put(bytes: &mut Vec<u8>, at: std::ops::Range<usize>, piece: &[u8]) {
    bytes.splice(at, piece.iter().copied());
}

/// The next number behind this place.
fn number(bytes: &[u8], from: usize) -> (usize, usize) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let start = bytes[from..].iter().position(is_digit).map_or(from, |at| from + at);
    (start, start + bytes[start..].iter().take_while(|byte| is_digit(byte)).count())
}

/// What stands in the next pair of quotes.
fn quoted(bytes: &[u8], from: usize) -> (usize, usize) {
    let quote = |from: usize| bytes[from..].iter().position(|byte| *byte == b'"').map(|at| from + at);
    let pair = quote(from).and_then(|start| Some((start + 1, quote(start + 1)?)));
    pair.unwrap_or((from, from))
}

fn nest(bytes: &mut Vec<u8>, from: usize, to: usize, chance: &mut Chance) {
    let depth = size(chance.below(DEPTH_MAX));
    let (open, close): (&[u8], &[u8]) = chance.of(&[(b"[", b"]"), (b"{\"a\":", b"}"), (b"(", b")"), (b"{", b"}")]);
    let is_closed = chance.one_in(2);
    let piece =
        [open.repeat(depth), bytes[from..to].to_vec(), close.repeat(if is_closed { depth } else { 0 })].concat();
    put(bytes, from..to, &piece);
}

/// The inputs of one parser: says how many there were and what became of them, or which one fails.
pub struct Inputs {
    what: &'static str,
    seed: u64,
    numbers: std::ops::Range<u64>,
    now: Vec<u8>,
    outcomes: BTreeMap<String, u64>,
    began: Instant,
}

impl Inputs {
    /// So `few` without `BALIK_LONG`.
    pub fn of(what: &'static str, few: u64) -> Self {
        Self::counted(what, few, INPUTS_LONG)
    }

    /// The same for what takes longer: so `many` with it.
    pub fn counted(what: &'static str, few: u64, many: u64) -> Self {
        let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let count = if std::env::var_os("BALIK_LONG").is_some() { many } else { few };
        let numbers = asked("BALIK_INPUT").map_or(0..count, |number| number..number + 1);
        let seed = asked("BALIK_SEED").unwrap_or(1);
        Self { what, seed, numbers, now: Vec::new(), outcomes: BTreeMap::new(), began: Instant::now() }
    }

    /// What makes the next input; none when all are done.
    pub fn another(&mut self) -> Option<Chance> {
        let number = self.numbers.next()?;
        // Of neighbours nothing is alike.
        let mut chance = Chance(self.seed.rotate_left(32) ^ number);
        chance.0 = chance.below(u64::MAX);
        Some(chance)
    }

    /// This is tried now: said if it fails.
    pub fn tries(&mut self, input: &[u8]) {
        self.now.clear();
        self.now.extend_from_slice(input);
    }

    pub fn came_to(&mut self, outcome: &str) {
        match self.outcomes.get_mut(outcome) {
            Some(times) => *times += 1,
            None => drop(self.outcomes.insert(outcome.to_owned(), 1)),
        }
    }

    /// Tries them all.
    pub fn each(mut self, bends: &Bends, mut look: impl FnMut(&[u8]) -> &'static str) -> Self {
        while let Some(mut chance) = self.another() {
            let input = bends.next(&mut chance);
            self.tries(&input);
            let outcome = look(&input);
            self.came_to(outcome);
        }
        self
    }

    /// Fails if nothing ever came to one of these: then it was not tried.
    ///
    /// # Panics
    /// If so.
    #[track_caller]
    pub fn reached(&self, outcomes: &[&str]) {
        let never: Vec<&&str> = outcomes.iter().filter(|outcome| !self.outcomes.contains_key(**outcome)).collect();
        let is_alone = std::env::var_os("BALIK_INPUT").is_some();
        assert!(never.is_empty() || is_alone, "{}: no input came to {never:?}: {:?}", self.what, self.outcomes);
    }
}

impl Drop for Inputs {
    #[expect(clippy::print_stdout, reason = "what was tried belongs to a test's output")]
    fn drop(&mut self) {
        let Self { what, seed, numbers, now, outcomes, began } = self;
        if std::thread::panicking() {
            let shown = now[..now.len().min(SHOWN_MAX)].escape_ascii();
            println!("{what}: BALIK_SEED={seed} BALIK_INPUT={}: {shown}", numbers.start.saturating_sub(1));
        } else {
            println!("{what}: {} inputs from seed {seed} in {:.1?}: {outcomes:?}", numbers.start, began.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_made_again_by_its_seed_and_number_and_neighbours_differ() {
        let bends = Bends::of(["{\"a\":[1,2,{\"b\":\"text\"}]}"]).knowing(["b"]);
        let made = || -> Vec<Vec<u8>> {
            let mut inputs = Inputs::of("themselves", 2_000);
            (0..2_000).map_while(|_| inputs.another()).map(|mut chance| bends.next(&mut chance)).collect()
        };
        let (once, mut again) = (made(), made());
        assert!(once == again && once.iter().all(|input| input.len() <= SIZE_MAX));
        again.sort();
        again.dedup();
        assert!(again.len() > 1_000, "only {} differ", again.len());
        let has = |wanted: &[u8]| once.iter().any(|input| input.windows(wanted.len()).any(|window| window == wanted));
        assert!(has(&b"[".repeat(150)) && has(b"\0") && has(b"-9223372036854775808") && has(&[0xff]));
    }
}
