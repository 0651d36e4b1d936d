//! Turns the numbered rows of `balik_changes` into transactions.
//!
//! SQLite does not say where a transaction of the legacy ended, and it need not: neighbouring changes of one writer are
//! one transaction to us, and every row is told as it stands when it is read. A marker ends a transaction, so that
//! what is in front of it stays in front; a write-back begins one.

use super::install::{APPLIED, MARKER};
use super::value::literals;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::transaction::Marker;
use std::collections::HashMap;
use vocab::id::{Seq, ShopId};
use vocab::row::{Applied, Cell, RowKey, TableNo};

/// A row of `balik_changes`.
#[derive(Debug)]
pub(super) struct Noted {
    pub seq: u64,
    pub tbl: String,
    pub key: String,
    pub ours: bool,
    pub moved: bool,
    pub at: i64,
}

/// One transaction, its rows still to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub last: u64,
    pub at: i64,
    pub ours: bool,
    pub keys: Vec<Touched>,
    pub applied: Option<Applied>,
    pub markers: Vec<Marker>,
}

/// A row that a transaction changed, and whether a cell of it that takes part in the move.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub table: TableNo,
    pub key: RowKey,
    pub moved: bool,
}

pub(super) fn groups(declared: &Declared, noted: Vec<Noted>) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut seen: HashMap<(TableNo, RowKey), usize> = HashMap::new();
    for row in noted {
        let applied = if row.tbl == APPLIED { Some(applied(&row.key)?) } else { None };
        let goes_on =
            applied.is_none() && groups.last().is_some_and(|group| group.ours == row.ours && group.markers.is_empty());
        if !goes_on {
            seen.clear();
            let (ours, at) = (row.ours, row.at);
            groups.push(Group { last: row.seq, at, ours, keys: Vec::new(), applied, markers: Vec::new() });
        }
        let Some(group) = groups.last_mut() else { continue };
        group.last = row.seq;
        group.at = row.at;
        if row.tbl == MARKER {
            group.markers.push(Marker(row.key));
        } else if let Some(table) = declared.number_of(&row.tbl) {
            let key = literals(&row.key).ok_or_else(|| Error::Decode(format!("the key {}", row.key)))?;
            let place = *seen.entry((table, key.clone())).or_insert(group.keys.len());
            match group.keys.get_mut(place) {
                Some(touched) => touched.moved |= row.moved,
                None => group.keys.push(Touched { table, key, moved: row.moved }),
            }
        }
    }
    Ok(groups)
}

fn applied(key: &str) -> Result<Applied> {
    let wrong = || Error::Decode(format!("the write-back {key}"));
    let cells = literals(key).ok_or_else(wrong)?.0;
    let [Cell::Text(shop), Cell::Int(seq)] = cells.as_slice() else { return Err(wrong()) };
    let shop = ShopId::parse(shop).map_err(|error| Error::Decode(error.to_string()))?;
    Ok(Applied { shop, seq: Seq(super::catalogue::unsigned(*seq)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use vocab::row::{Column, ColumnType, ShopPath, Table, Use};

    fn check(rows: &[(&str, &str, bool)]) -> Vec<String> {
        let column = Column { name: "id".into(), ty: ColumnType::Int, nullable: false, usage: Use::Moved };
        let table = Table {
            name: "t".into(),
            columns: vec![column],
            key: vec![0],
            shop: ShopPath::Column(0),
            read_only: false,
        };
        let declared = Declared::new(Arc::new(vec![table])).unwrap();
        let noted = rows.iter().zip(1..).map(|(&(tbl, key, ours), seq)| Noted {
            seq,
            tbl: tbl.into(),
            key: key.into(),
            ours,
            moved: key == "2",
            at: 0,
        });
        let groups = groups(&declared, noted.collect()).unwrap();
        let line = |group: Group| {
            let applied = group.applied.map(|applied| applied.seq.0);
            let moved = group.keys.iter().filter(|touched| touched.moved).count();
            let (keys, markers) = (group.keys.len(), group.markers.len());
            format!("{}: {keys} keys, {moved} moved, {markers} markers, {applied:?}", group.last)
        };
        groups.into_iter().map(line).collect()
    }

    #[test]
    fn a_marker_ends_a_transaction_and_a_write_back_begins_one() {
        let rows = [
            ("t", "1", false),
            ("t", "1", false),
            (MARKER, "m", false),
            ("t", "2", false),
            (APPLIED, "'s',7", true),
            ("t", "3", true),
            (APPLIED, "'s',8", true),
            ("t", "3", false),
        ];
        assert_eq!(
            check(&rows),
            [
                "3: 1 keys, 0 moved, 1 markers, None",
                "4: 1 keys, 1 moved, 0 markers, None",
                "6: 1 keys, 0 moved, 0 markers, Some(7)",
                "7: 0 keys, 0 moved, 0 markers, Some(8)",
                "8: 1 keys, 0 moved, 0 markers, None",
            ]
        );
    }
}
