//! Several comparisons of one verification, which together have compared what each of them left out.

use super::{Compared, Figure};
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::Kind;

/// So many comparisons of a kind agree, and none differs, before what was in none of them is taken for something that never
/// rests; and so many aggregates of a kind may be that.
const AGREEING: u32 = 12;
const RESTLESS_MAX: usize = 100;

/// What the comparisons of a verification have come to.
///
/// What one leaves out another has to have compared, unless it changes so often that it was left out of all. That is in no
/// figure, and the report says how many it is.
#[derive(Debug, Default)]
pub(crate) struct Rounds(BTreeMap<(String, Kind), Of>);

/// Of one kind of one source.
#[derive(Debug, Default)]
struct Of {
    /// What is in none of the comparisons that have agreed since one differed; none before the first of them.
    owed: Option<BTreeSet<String>>,
    agreed: u32,
    differed: bool,
    /// Of the newest comparison; once one differed, of the newest that did, until the kind is settled.
    figures: Vec<Figure>,
    is_settled: bool,
}

impl Rounds {
    /// Whether the next comparison is to have figures of a kind.
    pub(crate) fn wants(&self, of: &(String, Kind)) -> bool {
        self.0.get(of).is_none_or(|known| !known.is_settled)
    }

    /// Whether everything agrees now that this one is known too.
    pub(crate) fn agree(&mut self, compared: Compared) -> bool {
        let mut by_kind: BTreeMap<(String, Kind), Vec<Figure>> = BTreeMap::new();
        for figure in compared.figures {
            by_kind.entry((figure.mapped.clone(), figure.kind)).or_default().push(figure);
        }
        for (of, figures) in by_kind {
            let left_out = compared.left_out.get(&of).cloned().unwrap_or_default();
            self.0.entry(of).or_default().add(figures, left_out);
        }
        self.0.values().all(|of| of.is_settled)
    }

    /// The newest figures of every kind.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        self.0.values().flat_map(|of| of.figures.iter().cloned()).collect()
    }
}

impl Of {
    fn add(&mut self, figures: Vec<Figure>, left_out: BTreeSet<String>) {
        if figures.iter().any(Figure::differs) {
            (self.owed, self.differed, self.figures) = (None, true, figures);
            return;
        }
        let owed = match self.owed.take() {
            Some(owed) => owed.intersection(&left_out).cloned().collect(),
            None => left_out,
        };
        self.agreed += 1;
        let restless = !self.differed && self.agreed >= AGREEING && owed.len() <= RESTLESS_MAX;
        self.is_settled = owed.is_empty() || restless;
        // The figures that speak against the shop are told, whatever agrees after them.
        if self.is_settled || !self.differed {
            self.figures = figures;
        }
        self.owed = Some(owed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totals::Keys;

    /// What a comparison leaves out, and how far apart its figures are.
    type Seen<'a> = (&'a [&'a str], i128);

    fn compared(left_out: &[&str], apart: i128) -> Compared {
        let figure = Figure {
            mapped: "small".into(),
            kind: Kind::Cart,
            class: "any".into(),
            measure: "count".into(),
            scale: 2,
            same: 0,
            source: Some(7),
            refused: None,
            ours: Some(7 + apart),
            changing: left_out.len(),
        };
        let keys = left_out.iter().map(|key| (*key).to_owned()).collect();
        let left_out = if left_out.is_empty() { Keys::new() } else { [(("small".into(), Kind::Cart), keys)].into() };
        Compared { figures: vec![figure], left_out }
    }

    fn agree(comparisons: &[Seen<'_>]) -> Vec<bool> {
        let mut rounds = Rounds::default();
        comparisons.iter().map(|(left_out, apart)| rounds.agree(compared(left_out, *apart))).collect()
    }

    #[test]
    fn a_quiet_shop_is_compared_once() {
        assert_eq!(agree(&[(&[], 0)]), [true]);
    }

    #[test]
    fn what_one_leaves_out_another_compares() {
        assert_eq!(agree(&[(&["1", "2"], 0), (&["2", "3"], 0), (&["3"], 0)]), [false, false, true]);
    }

    #[test]
    fn what_never_rests_is_in_none_and_keeps_nobody_waiting() {
        let hot: Seen<'_> = (&["1"], 0);
        let many = usize::try_from(AGREEING).unwrap();
        let answers = agree(&vec![hot; many]);
        assert_eq!(answers.iter().position(|agrees| *agrees), Some(many - 1));
    }

    #[test]
    fn what_differs_when_it_is_compared_does_not_hide_while_it_is_left_out() {
        let (seen, hidden, other): (Seen<'_>, Seen<'_>, Seen<'_>) = ((&[], 1), (&["1"], 0), (&["2"], 0));
        let mut rounds = vec![hidden, hidden, seen];
        rounds.extend([hidden; 40]);
        assert!(!agree(&rounds).contains(&true));
        // It is right by the time when it is compared again.
        assert_eq!(agree(&[seen, hidden, other]), [false, false, true]);
    }

    #[test]
    fn the_newest_figures_that_differ_are_told() {
        let mut rounds = Rounds::default();
        assert!(rounds.figures().is_empty());
        for apart in [1, 2, 0] {
            rounds.agree(compared(&["1"], apart));
        }
        assert_eq!(rounds.figures().iter().map(|figure| figure.ours).collect::<Vec<_>>(), [Some(9)]);
        assert!(rounds.agree(compared(&[], 0)));
        assert_eq!(rounds.figures().iter().map(|figure| figure.ours).collect::<Vec<_>>(), [Some(7)]);
    }

    #[test]
    fn a_kind_is_settled_by_itself_and_not_asked_for_again() {
        let (mut rounds, carts) = (Rounds::default(), ("small".to_owned(), Kind::Cart));
        let of = |kind, left_out: &[&str], apart| {
            let mut compared = compared(left_out, apart);
            compared.figures[0].kind = kind;
            compared.left_out = compared.left_out.into_values().map(|keys| (("small".into(), kind), keys)).collect();
            compared
        };
        assert!(!rounds.agree(of(Kind::Order, &[], 1)));
        assert!(rounds.wants(&carts));
        assert!(!rounds.agree(of(Kind::Cart, &[], 0)));
        assert!(!rounds.wants(&carts) && rounds.wants(&("small".to_owned(), Kind::Order)));
        assert!(rounds.agree(of(Kind::Order, &[], 0)));
    }
}
