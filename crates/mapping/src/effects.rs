//! Stock, net of what the legacy's own triggers do to it on our edits.

use crate::Mapping;
use crate::api::{Put, PutOutcome, Rows};
use crate::expr::{Scope, Value};
use crate::program::Trigger;
use std::collections::BTreeMap;
use vocab::id::Kind;
use vocab::row::{Cell, ColumnNo, Edit, Row, RowKey, TableNo};

/// Additions to counters, by row.
type Sums = BTreeMap<(TableNo, RowKey, ColumnNo), i64>;

/// Adds what the fact says, less what triggers will add, and says what must then stand there.
pub(crate) fn settle(mapping: &Mapping, fact: &Put<'_>, outcome: &mut PutOutcome) {
    let mut wanted = Sums::new();
    for (variant, delta) in &fact.stock {
        match mapping.counter(variant) {
            Some((table, key, column)) => {
                let sum: &mut i64 = wanted.entry((table, key, column)).or_default();
                *sum = sum.saturating_add(*delta);
            }
            None => outcome.debts.push(crate::api::Debt {
                kind: Kind::Product,
                id: variant.as_str().to_owned(),
                name: "no_stock_row",
                detail: format!("stock moves by {delta}, and no row counts it"),
            }),
        }
    }
    let effects = effects(mapping, fact, &outcome.edits);
    let all: Sums = wanted.keys().chain(effects.keys()).map(|row| (row.clone(), 0)).collect();
    for row in all.into_keys() {
        let wanted = wanted.get(&row).copied().unwrap_or(0);
        let add = wanted.saturating_sub(effects.get(&row).copied().unwrap_or(0));
        let (table, key, column) = row;
        if add != 0 {
            add_to(&mut outcome.edits, table, &key, column, add);
        }
        if let Some(Cell::Int(now)) = current(fact, table, &key).map(|row| &row.0[column]) {
            let cells = vec![(column, Cell::Int(now.saturating_add(wanted)))];
            outcome.expect.push((table, key, cells));
        }
    }
}

fn current<'a>(fact: &Put<'a>, table: TableNo, key: &RowKey) -> Option<&'a Row> {
    let of_changes = || fact.changes.iter().find_map(|change| change.rows.get(table, key));
    fact.stock_rows.get(table, key).or_else(of_changes)
}

fn add_to(edits: &mut Vec<Edit>, table: TableNo, key: &RowKey, column: ColumnNo, by: i64) {
    let found = edits.iter_mut().find_map(|edit| match edit {
        Edit::Update { table: t, key: k, add, .. } if *t == table && k == key => Some(add),
        Edit::Insert { .. } | Edit::Update { .. } | Edit::Delete { .. } => None,
    });
    match found {
        Some(add) => add.push((column, by)),
        None => edits.push(Edit::Update { table, key: key.clone(), set: Vec::new(), add: vec![(column, by)] }),
    }
}

/// What the legacy's triggers will add when these edits are made.
fn effects(mapping: &Mapping, fact: &Put<'_>, edits: &[Edit]) -> Sums {
    let mut sums = Sums::new();
    for edit in edits {
        let (Edit::Insert { table, key, .. } | Edit::Update { table, key, .. } | Edit::Delete { table, key }) = edit;
        for trigger in mapping.triggers.iter().filter(|trigger| trigger.on == *table && fires(trigger, edit)) {
            let old = fact.changes.iter().find_map(|change| change.rows.get(*table, key)).cloned();
            let mut rows = Rows::default();
            if let Some(old) = &old {
                rows.insert(*table, key.clone(), old.clone());
            }
            rows.apply(&mapping.tables, std::slice::from_ref(edit));
            add_effect(trigger, old.as_ref(), rows.get(*table, key), &mut sums);
        }
    }
    sums
}

fn fires(trigger: &Trigger, edit: &Edit) -> bool {
    match edit {
        Edit::Insert { .. } => trigger.fires.insert,
        Edit::Update { .. } => trigger.fires.update,
        Edit::Delete { .. } => trigger.fires.delete,
    }
}

/// One row each gets what its side of the change adds; one and the same row gets both at once.
fn add_effect(trigger: &Trigger, old: Option<&Row>, new: Option<&Row>, sums: &mut Sums) {
    let key = |row: Option<&Row>| row.map(|row| row.0[trigger.key_from].clone());
    let sides = if old.is_some() && new.is_some() && key(old) != key(new) {
        vec![(key(old), old, None), (key(new), None, new)]
    } else {
        vec![(key(new).or_else(|| key(old)), old, new)]
    };
    for (key, old, new) in sides {
        let (Some(key), Value::Int(by)) = (key, trigger.adds.eval(Scope { old, new, ..Scope::default() })) else {
            continue;
        };
        let sum = sums.entry((trigger.target, RowKey(vec![key]), trigger.column)).or_default();
        *sum = sum.saturating_add(by);
    }
}
