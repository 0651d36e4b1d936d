//! Which differences are none of a moment.

use super::{Different, Verdict};
use std::collections::BTreeMap;

/// Differences that were seen again and again while nothing touched them.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeMap<String, u32>);

/// So many passes in a row make a difference one.
const CONFIRMED: u32 = 4;

impl Suspects {
    /// Counts what differs now and forgets what does not; returns what has stayed.
    pub(crate) fn confirm(&mut self, verdict: &Verdict) -> Vec<Different> {
        let key = |different: &Different| format!("{}@{}", different.what, different.generation);
        let seen = |different: &Different| {
            let key = key(different);
            let seen = self.0.get(&key).copied().unwrap_or(0) + 1;
            (key, seen)
        };
        self.0 = verdict.differing.iter().map(seen).collect();
        let stayed = verdict.differing.iter().filter(|different| self.0.get(&key(different)) >= Some(&CONFIRMED));
        stayed.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_again_and_again_and_was_not_touched_has_stayed() {
        let different = |what: &str, generation| Different { what: what.to_owned(), generation, of: None };
        let mut suspects = Suspects::default();
        for pass in 1..=2 * i64::from(CONFIRMED) {
            // The first stays as it is, the second changes all the time, the third is right now and then.
            let mut differing = vec![different("stays", 7), different("changes", pass)];
            differing.extend((pass % 3 > 0).then(|| different("comes and goes", 7)));
            let stayed = suspects.confirm(&Verdict { compared: 0, differing });
            let expected = if pass < i64::from(CONFIRMED) { vec![] } else { vec![different("stays", 7)] };
            assert_eq!(stayed, expected, "pass {pass}");
        }
    }
}
