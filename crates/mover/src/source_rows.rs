//! The rows of aggregates, read from the source itself: the verifier's and the write-back's own way to them.
//!
//! It shares nothing with the staged rows but the mapping's description of what hangs on what (`Gather`).

use crate::error::Result;
use capture::Reader;
use mapping::{Anchor, Gather, Join, Rows, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vocab::row::{Cell, Row, RowKey, Table};

/// The rows of each of these aggregates of one rule, as one snapshot of the source shows them.
pub(crate) async fn read(
    reader: &mut Reader,
    tables: &[Table],
    rule: &Rule,
    anchors: &[Anchor],
) -> Result<BTreeMap<Anchor, Rows>> {
    match &rule.gather {
        Gather::Anchored { table, joins } => {
            let keys: Vec<RowKey> = anchors.iter().filter_map(row_key).cloned().collect();
            let found = reader.rows_by_key(*table, &keys).await?;
            with_joins(reader, tables, *table, joins, found.into_iter().map(|(_, row)| row).collect()).await
        }
        Gather::Grouped { table, column } => {
            let cells: Vec<Cell> = anchors.iter().filter_map(group_cell).cloned().collect();
            let mut groups: BTreeMap<Anchor, Rows> = BTreeMap::new();
            for (key, row) in reader.rows_where(*table, *column, &cells).await? {
                let group = Anchor::Group(row.0[*column].clone());
                groups.entry(group).or_default().insert(*table, key, row);
            }
            Ok(groups)
        }
    }
}

/// Which of these aggregates of one rule have a row of their own; what hangs on it is not looked at.
pub(crate) async fn present(
    reader: &mut Reader,
    tables: &[Table],
    rule: &Rule,
    anchors: &[Anchor],
) -> Result<BTreeSet<Anchor>> {
    let Gather::Anchored { table, .. } = &rule.gather else {
        return Ok(read(reader, tables, rule, anchors).await?.into_keys().collect());
    };
    let keys: Vec<RowKey> = anchors.iter().filter_map(row_key).cloned().collect();
    let found = reader.rows_by_key(*table, &keys).await?;
    Ok(found.into_iter().map(|(key, _)| Anchor::Row(key)).collect())
}

/// Anchor rows with everything that hangs on them.
pub(crate) async fn with_joins(
    reader: &mut Reader,
    tables: &[Table],
    table: usize,
    joins: &[Join],
    anchors: Vec<Row>,
) -> Result<BTreeMap<Anchor, Rows>> {
    let mut aggregates: BTreeMap<Anchor, Rows> = BTreeMap::new();
    let mut joined: Vec<HashMap<Cell, Vec<(RowKey, Row)>>> = Vec::with_capacity(joins.len());
    for join in joins {
        let wanted: BTreeSet<Cell> = anchors.iter().map(|row| row.0[join.anchor_column].clone()).collect();
        let wanted: Vec<Cell> = wanted.into_iter().filter(|cell| *cell != Cell::Null).collect();
        let mut by_cell: HashMap<Cell, Vec<(RowKey, Row)>> = HashMap::with_capacity(wanted.len());
        for (key, row) in reader.rows_where(join.table, join.column, &wanted).await? {
            by_cell.entry(row.0[join.column].clone()).or_default().push((key, row));
        }
        joined.push(by_cell);
    }
    for row in anchors {
        let key = tables[table].key_of(&row);
        let mut rows = Rows::default();
        for (join, by_cell) in joins.iter().zip(&mut joined) {
            let link = &row.0[join.anchor_column];
            // What hangs on the anchor's own key hangs on no other anchor.
            let own = tables[table].key == [join.anchor_column];
            let children = if own { by_cell.remove(link) } else { by_cell.get(link).cloned() };
            for (key, child) in children.into_iter().flatten() {
                rows.insert(join.table, key, child);
            }
        }
        rows.insert(table, key.clone(), row);
        aggregates.insert(Anchor::Row(key), rows);
    }
    Ok(aggregates)
}

fn row_key(anchor: &Anchor) -> Option<&RowKey> {
    match anchor {
        Anchor::Row(key) => Some(key),
        Anchor::Group(_) => None,
    }
}

fn group_cell(anchor: &Anchor) -> Option<&Cell> {
    match anchor {
        Anchor::Group(cell) => Some(cell),
        Anchor::Row(_) => None,
    }
}
