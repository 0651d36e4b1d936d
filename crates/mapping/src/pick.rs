//! One value for a whole group of rows, by a declared rule, and who lost.

use crate::codec::No;
use crate::expr::Scope;
use crate::get::Keyed;
use crate::origin;
pub(crate) use crate::program::Pick;
use crate::program::{Of, Otherwise, PickHow};
use crate::read::node_of;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use vocab::document::Node;
use vocab::row::{Row, RowKey, Table};

pub(crate) struct Picked {
    pub value: Node,
    /// The rows do not agree.
    pub several: bool,
    /// Values that were not taken, with their votes.
    pub losers: Vec<(Node, u64)>,
}

/// A row that votes: its value, and what orders it.
struct Vote<'a> {
    value: Node,
    by: Vec<Node>,
    tie: Vec<Node>,
    key: &'a RowKey,
}

/// `first` is any row of the group: its grouping column is that of all.
pub(crate) fn choose(pick: &Pick, table: &Table, first: &Row, group: &[Keyed<'_>]) -> Result<Picked, No> {
    let votes = votes(pick, table, group)?;
    let mut counts: BTreeMap<&Node, u64> = BTreeMap::new();
    for vote in &votes {
        *counts.entry(&vote.value).or_default() += 1;
    }
    let several = counts.len() > 1;
    let winner = match pick.how {
        PickHow::Only if several && !pick.report => {
            return Err(("pick_several", format!("{} different values", counts.len())));
        }
        PickHow::Only | PickHow::Min => counts.keys().next().copied(),
        PickHow::Max => counts.keys().next_back().copied(),
        PickHow::First => votes.iter().min_by_key(|vote| (&vote.by, vote.key)).map(|vote| &vote.value),
        PickHow::Last => votes.iter().max_by_key(|vote| (&vote.by, vote.key)).map(|vote| &vote.value),
        PickHow::Most => most(&votes, &counts),
    };
    let losers = match winner {
        Some(winner) => counts.iter().filter(|(value, _)| **value != winner).map(|(v, n)| ((*v).clone(), *n)).collect(),
        None => Vec::new(),
    };
    let value = match (winner, &pick.otherwise) {
        (Some(winner), _) => winner.clone(),
        (None, Some(Otherwise::Const(node))) => node.clone(),
        (None, Some(Otherwise::Column(column))) => Node::Text(origin::raw(&first.0[*column])),
        (None, None) => Node::Null,
    };
    Ok(Picked { value, several, losers })
}

fn votes<'a>(pick: &Pick, table: &Table, group: &[Keyed<'a>]) -> Result<Vec<Vote<'a>>, No> {
    let mut votes = Vec::new();
    for &(key, row) in group {
        let scope = Scope { row: Some(row), ..Scope::default() };
        if pick.filter.as_ref().is_some_and(|filter| !filter.holds(scope)) {
            continue;
        }
        let value = read(&pick.of, table, row)?;
        if value == Node::Null || pick.not.as_ref() == Some(&value) {
            continue;
        }
        let all = |of: &[Of]| of.iter().map(|of| read(of, table, row)).collect::<Result<Vec<_>, No>>();
        votes.push(Vote { value, by: all(&pick.by)?, tie: all(&pick.tie)?, key });
    }
    Ok(votes)
}

fn read(of: &Of, table: &Table, row: &Row) -> Result<Node, No> {
    match of {
        Of::Cell(column, codec) => codec.read(&row.0[*column], &table.columns[*column]),
        Of::Expr(expr) => Ok(node_of(expr.eval(Scope { row: Some(row), ..Scope::default() }))),
    }
}

/// Most votes; then the greatest of the tie columns; then the smallest value.
fn most<'v>(votes: &'v [Vote<'_>], counts: &BTreeMap<&'v Node, u64>) -> Option<&'v Node> {
    votes.iter().max_by_key(|vote| (counts.get(&vote.value), &vote.tie, Reverse(&vote.value))).map(|vote| &vote.value)
}
