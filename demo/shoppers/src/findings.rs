//! What was found wrong, by the detector that found it. A detector that was taken away finds nothing.

use crate::seen::Kind;
use crate::series::Series;
use std::collections::BTreeSet;

/// Content: missing, different, twice, wrong.
pub const ORACLE: &str = "oracle";
/// Invoice numbers: none left out, none given twice.
pub const ORACLE_INVOICES: &str = "oracle.invoices";
/// The stock equation.
pub const ORACLE_STOCK: &str = "oracle.stock";
/// Findings that are told in words.
const EXAMPLES_MAX: usize = 20;

/// A resource of a shop.
pub type Thing = (String, Kind, String);

#[derive(Debug, Default)]
pub struct Findings {
    without: BTreeSet<String>,
    reasons: BTreeSet<&'static str>,
    pub missing: BTreeSet<Thing>,
    pub different: BTreeSet<Thing>,
    /// By what it is that there are two of.
    pub twice: BTreeSet<String>,
    /// Units on a shelf that cannot be there, or that were sold and never were.
    pub oversold: i64,
    /// Of all shops.
    pub invoices: Series,
    pub examples: Vec<String>,
}

impl Findings {
    pub fn new(without: BTreeSet<String>) -> Self {
        Self { without, ..Self::default() }
    }

    pub fn watches(&self, detector: &str) -> bool {
        !self.without.contains(detector)
    }

    pub fn reasons(&self) -> Vec<String> {
        self.reasons.iter().map(|&reason| reason.to_owned()).collect()
    }

    /// Tells of a finding; says whether anybody watches.
    fn found(&mut self, detector: &'static str, what: &str) -> bool {
        if !self.watches(detector) {
            return false;
        }
        self.reasons.insert(detector);
        if self.examples.len() < EXAMPLES_MAX {
            eprintln!("shoppers: {detector}: {what}");
            self.examples.push(format!("{detector}: {what}"));
        }
        true
    }

    pub fn wrong(&mut self, what: &str) -> bool {
        self.found(ORACLE, what)
    }

    pub fn missing(&mut self, thing: Thing) {
        if !self.missing.contains(&thing) && self.found(ORACLE, &format!("missing: {thing:?}")) {
            self.missing.insert(thing);
        }
    }

    pub fn different(&mut self, thing: Thing, what: &str) {
        if !self.different.contains(&thing) && self.found(ORACLE, &format!("different: shop {}: {what}", thing.0)) {
            self.different.insert(thing);
        }
    }

    pub fn twice(&mut self, what: String) -> bool {
        let watched = self.watches(ORACLE);
        if !self.twice.contains(&what) && self.found(ORACLE, &format!("twice: {what}")) {
            self.twice.insert(what);
        }
        watched
    }

    pub fn invoices(&mut self, shop: &str, series: Series) {
        if series.is_whole() || !self.found(ORACLE_INVOICES, &format!("shop {shop}: {series:?}")) {
            return self.invoices.add(Series { gaps: 0, twice: 0, ..series });
        }
        self.invoices.add(series);
    }

    pub fn stock(&mut self, oversold: i64, what: &str) {
        if self.found(ORACLE_STOCK, what) {
            self.oversold += oversold;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Findings;
    use crate::seen::Kind;
    use crate::series::Series;

    fn find(without: &[&str]) -> Findings {
        let mut findings = Findings::new(without.iter().map(|&name| name.to_owned()).collect());
        let thing = || ("1".to_owned(), Kind::Order, "o".to_owned());
        findings.missing(thing());
        findings.missing(thing());
        findings.different(thing(), "total");
        findings.twice("checkout c".to_owned());
        findings.stock(3, "product p");
        findings.invoices("1", Series::of(&[1, 2]));
        findings.invoices("2", Series::of(&[1, 1, 4]));
        findings
    }

    #[test]
    fn each_thing_is_found_once_and_its_detector_named() {
        let findings = find(&[]);
        assert_eq!(
            (findings.missing.len(), findings.different.len(), findings.twice.len(), findings.oversold),
            (1, 1, 1, 3)
        );
        assert_eq!(findings.reasons(), ["oracle", "oracle.invoices", "oracle.stock"]);
        assert_eq!(findings.invoices, Series { issued: 5, gaps: 2, twice: 1 });
        assert_eq!(findings.examples.len(), 5);
    }

    #[test]
    fn a_detector_that_was_taken_away_finds_nothing() {
        let findings = find(&["oracle", "oracle.invoices"]);
        assert_eq!((findings.missing.len(), findings.different.len(), findings.twice.len()), (0, 0, 0));
        assert_eq!(findings.reasons(), ["oracle.stock"]);
        assert_eq!(findings.invoices, Series { issued: 5, gaps: 0, twice: 0 });
        let findings = find(&["oracle.stock"]);
        assert_eq!(
            (findings.oversold, findings.reasons()),
            (0, vec!["oracle".to_owned(), "oracle.invoices".to_owned()])
        );
    }
}
