//! Derived columns: what they are according to a document.

use crate::conform::records;
use crate::expr::Scope;
use crate::program::{Derived, DerivedHow};
use crate::read::node_of;
use vocab::document::{Node, Record};
use vocab::id::Name;

/// The column's value of every element of its list, or the one value of the aggregate; none if it has no value.
pub(crate) fn values(derived: &Derived, list: Option<&Name>, document: &Record) -> Option<Vec<Node>> {
    let elements = elements(list, document);
    match &derived.how {
        DerivedHow::Value(expr) => Some(
            elements
                .iter()
                .map(|record| node_of(expr.eval(Scope { record: Some(record), ..Scope::default() })))
                .collect(),
        ),
        DerivedHow::Spread { field, weight, unit, rest_last } => {
            let weights: Option<Vec<i64>> = elements.iter().map(|record| record.int(weight)).collect();
            let shares = spread(document.int(field)?, &weights?, *unit, *rest_last)?;
            Some(shares.into_iter().map(Node::Int).collect())
        }
    }
}

/// Whether what the rows say agrees: values one by one, a spread by its sum.
pub(crate) fn fits(derived: &Derived, list: Option<&Name>, document: &Record, read: &[Node]) -> bool {
    match &derived.how {
        DerivedHow::Value(_) => values(derived, list, document).is_some_and(|values| values == read),
        DerivedHow::Spread { field, .. } => {
            let add = |sum: i64, node: &Node| if let Node::Int(value) = node { sum.checked_add(*value) } else { None };
            read.iter().try_fold(0, add) == document.int(field)
        }
    }
}

/// Everything in the document that decides the column.
pub(crate) fn inputs(derived: &Derived, document: &Record) -> Vec<Node> {
    let pick = |record: &Record, name: &Name| record.get(name).cloned().unwrap_or(Node::Null);
    let of_input = |(part, name): &(Option<Name>, Name)| match part {
        None => pick(document, name),
        Some(part) => {
            if let Some(record) = document.record(part) {
                return pick(record, name);
            }
            let each = records(document, part).into_iter();
            Node::List(
                each.map(|record| Node::List(vec![pick(record, &"origin".into()), pick(record, name)])).collect(),
            )
        }
    };
    derived.inputs.iter().map(of_input).collect()
}

fn elements<'a>(list: Option<&Name>, document: &'a Record) -> Vec<&'a Record> {
    list.map_or_else(|| vec![document], |list| records(document, list))
}

/// Shares of `sum` by weight, each a multiple of `unit` and rounded down, the rest to the first or last.
fn spread(sum: i64, weights: &[i64], unit: i64, rest_last: bool) -> Option<Vec<i64>> {
    let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    let mut shares = Vec::new();
    for weight in weights {
        let share = match total {
            0 => 0,
            _ => (i128::from(sum) * i128::from(*weight)).div_euclid(total),
        };
        let unit = i128::from(unit);
        shares.push(i64::try_from(share.div_euclid(unit) * unit).ok()?);
    }
    let given: i64 = shares.iter().sum();
    let child = if rest_last { shares.last_mut() } else { shares.first_mut() };
    if let Some(child) = child {
        *child += sum - given;
    }
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_adds_up_whatever_the_weights() {
        assert_eq!(spread(100, &[1, 1, 1], 1, true), Some(vec![33, 33, 34]));
        assert_eq!(spread(100, &[1, 1, 1], 1, false), Some(vec![34, 33, 33]));
        assert_eq!(spread(1_000, &[2, 1], 100, true), Some(vec![600, 400]));
        assert_eq!(spread(-7, &[0, 0], 1, true), Some(vec![0, -7]));
        assert_eq!(spread(7, &[], 1, true), Some(vec![]));
    }
}
