//! `put`: one fact as edits of cells, or as debt.
//!
//! Propose, then check: the edited rows are read again, and what does not come back as it should is debt, never an
//! edit. A debt is of a whole aggregate; differences of stock go anyway.

use crate::api::{Anchor, ChangeOf, Context, Debt, Got, Put, PutOutcome, Rows};
use crate::codec::same_cell;
use crate::conform::{difference, misfit};
use crate::effects;
use crate::target::{Aggregate, Target, TargetRow};
use crate::write::Owed;
use crate::{Mapping, origin};
use std::collections::BTreeSet;
use vocab::document::Record;
use vocab::row::{Cell, ColumnNo, ColumnType, Edit, RowKey, TableNo};

impl Mapping {
    /// The edits that carry one fact back, or debts.
    pub fn put(&self, fact: &Put<'_>) -> PutOutcome {
        let mut outcome = PutOutcome::default();
        let mut inserted = BTreeSet::new();
        for change in &fact.changes {
            match self.propose(fact, change) {
                Ok(edits) => {
                    let fresh = edits.into_iter().filter(|edit| match edit {
                        Edit::Insert { table, key, .. } => inserted.insert((*table, key.clone())),
                        Edit::Update { .. } | Edit::Delete { .. } => true,
                    });
                    outcome.edits.extend(fresh);
                }
                Err((name, detail)) => outcome.debts.push(self.debt(change, name, detail)),
            }
        }
        effects::settle(self, fact, &mut outcome);
        self.touch(fact, &mut outcome.edits);
        self.expect(&mut outcome);
        self.order(&mut outcome.edits);
        outcome
    }

    fn debt(&self, change: &ChangeOf<'_>, name: &'static str, detail: String) -> Debt {
        let kind = self.rules[change.rule].kind;
        let named = change.after.or(change.before).and_then(|document| document.text("id"));
        let id = named.map_or_else(
            || match &change.anchor {
                Anchor::Row(key) => key.0.iter().map(origin::raw).collect::<Vec<_>>().join(","),
                Anchor::Group(cell) => origin::raw(cell),
            },
            str::to_owned,
        );
        Debt { kind, id, name, detail }
    }

    /// The edits of one aggregate, checked.
    fn propose(&self, fact: &Put<'_>, change: &ChangeOf<'_>) -> Result<Vec<Edit>, Owed> {
        let rule = &self.rules[change.rule];
        let (Anchor::Row(key), true) = (&change.anchor, rule.writes) else {
            return Err(("read_only", "these rows are only read".to_owned()));
        };
        if let Some(path) = change.after.and_then(|after| misfit(rule.program.shape.fields, after)) {
            return Err(("shape", format!("`{path}` is not of its type")));
        }
        let was = self.was(change)?;
        let aggregate = Aggregate {
            mapping: self,
            rule: change.rule,
            shop: fact.shop,
            at: fact.at,
            key,
            base: change.base,
            rows: change.rows,
            was: was.as_ref(),
        };
        if let (Some(before), Some(after)) = (change.before, change.after) {
            shared_edit(&aggregate, before, after)?;
        }
        let target = match change.after {
            Some(after) => aggregate.target(after)?,
            None => aggregate.removed()?,
        };
        let edits = self.edits(&aggregate, &target)?;
        self.read_back(&aggregate, change, &edits)?;
        Ok(edits)
    }

    /// What the rows at the flip said.
    fn was(&self, change: &ChangeOf<'_>) -> Result<Option<Record>, Owed> {
        match self.get(change.rule, &change.anchor, change.base, &Context::ALONE) {
            Got::Live { document, .. } => Ok(Some(document)),
            Got::Absent if change.base.is_empty() => Ok(None),
            Got::Absent => Err(("not_live", "it was not there at the flip, but rows of it were".to_owned())),
            Got::History { why, .. } => Err(("history", format!("it is history: {why}"))),
            Got::Merged { why } => Err(("not_live", format!("it was merged: {why}"))),
            Got::Refused { .. } => Err(("not_live", "it was refused".to_owned())),
        }
    }

    /// target − rows.
    fn edits(&self, aggregate: &Aggregate<'_>, target: &Target) -> Result<Vec<Edit>, Owed> {
        let mut edits = Vec::new();
        for ((table, key), wanted) in target {
            match aggregate.rows.get(*table, key) {
                Some(_) if wanted.shared => {}
                Some(row) => {
                    let columns = &self.tables[*table].columns;
                    let set: Vec<(ColumnNo, Cell)> = wanted
                        .cells
                        .iter()
                        .filter(|(column, cell)| !same_cell(&row.0[**column], cell, &columns[**column].ty))
                        .map(|(column, cell)| (*column, cell.clone()))
                        .collect();
                    if !set.is_empty() {
                        edits.push(Edit::Update { table: *table, key: key.clone(), set, add: Vec::new() });
                    }
                }
                None => edits.push(insert(*table, key, wanted)),
            }
        }
        let program = aggregate.program();
        let own = std::iter::once(program.table)
            .chain(program.lists.iter().map(|list| list.table).filter(|table| *table != program.table));
        for table in own {
            for (key, _) in aggregate.rows.of(table) {
                if !target.contains_key(&(table, key.clone())) {
                    edits.push(Edit::Delete { table, key: key.clone() });
                }
            }
        }
        Ok(edits)
    }

    /// The check: `get` over the edited rows gives `after` back.
    fn read_back(&self, aggregate: &Aggregate<'_>, change: &ChangeOf<'_>, edits: &[Edit]) -> Result<(), Owed> {
        let program = aggregate.program();
        let mut rows = change.rows.clone();
        rows.apply(&self.tables, edits);
        as_at_mark(aggregate, &mut rows);
        let got = self.get(change.rule, &change.anchor, &rows, &Context::ALONE);
        match (got, change.after) {
            (Got::Absent, None) => Ok(()),
            (Got::Live { document, .. }, Some(after)) => match difference(program, after, &document) {
                None => Ok(()),
                Some(path) => Err(("differs", format!("`{path}` would not come back"))),
            },
            (Got::History { why, .. }, Some(_)) => Err(("class_changes", format!("it would become history: {why}"))),
            (Got::Refused { faults }, Some(_)) => {
                let fault = faults.first().map(ToString::to_string).unwrap_or_default();
                Err(("unreadable", format!("it could not be read again: {fault}")))
            }
            (Got::Absent, Some(_)) => Err(("class_changes", "it would not be there".to_owned())),
            (Got::Merged { why }, Some(_)) => Err(("class_changes", format!("it would be merged: {why}"))),
            (_, None) => Err(("removed", "it would still be there".to_owned())),
        }
    }

    /// Sets the columns that follow every edit of a row.
    fn touch(&self, fact: &Put<'_>, edits: &mut [Edit]) {
        for edit in edits {
            if let Edit::Update { table, set, .. } = edit {
                set.extend(crate::write::touched(&self.births[*table], &self.tables[*table], fact.at));
            }
        }
    }

    /// What must be read back: every cell that is written, but for times of touch and padded text.
    fn expect(&self, outcome: &mut PutOutcome) {
        for edit in &outcome.edits {
            let (table, key, cells) = match edit {
                Edit::Insert { table, key, cells } => (*table, key, cells),
                Edit::Update { table, key, set, .. } => (*table, key, set),
                Edit::Delete { .. } => continue,
            };
            let counted = |column: ColumnNo| {
                outcome
                    .expect
                    .iter()
                    .any(|(t, k, cells)| *t == table && k == key && cells.iter().any(|(counted, _)| *counted == column))
            };
            let told = cells.iter().filter(|(column, _)| {
                let of = &self.tables[table].columns[*column];
                let plain = of.usage == vocab::row::Use::Moved && !matches!(of.ty, ColumnType::Char(_));
                plain && !counted(*column)
            });
            let told: Vec<(ColumnNo, Cell)> = told.cloned().collect();
            if told.is_empty() {
                continue;
            }
            match outcome.expect.iter_mut().find(|(t, k, _)| *t == table && k == key) {
                Some((_, _, cells)) => cells.extend(told),
                None => outcome.expect.push((table, key.clone(), told)),
            }
        }
    }

    /// Parents first, deletions last and children first.
    fn order(&self, edits: &mut [Edit]) {
        edits.sort_by_key(|edit| match edit {
            Edit::Insert { table, .. } | Edit::Update { table, .. } => (0, self.ranks[*table]),
            Edit::Delete { table, .. } => (1, usize::MAX - self.ranks[*table]),
        });
    }
}

/// Somebody shared by shops whom this fact changes: never written.
fn shared_edit(aggregate: &Aggregate<'_>, before: &Record, after: &Record) -> Result<(), Owed> {
    for one in &aggregate.program().ones {
        let (before, after) = (before.get(&one.name), after.get(&one.name));
        if crate::conform::who(before) == crate::conform::who(after) && before != after && one.shared {
            return Err(("shared_edit", format!("`{}` is shared by shops", one.name)));
        }
    }
    Ok(())
}

/// Shared rows as they were at the flip: what other shops do to them is not this aggregate's.
fn as_at_mark(aggregate: &Aggregate<'_>, rows: &mut Rows) {
    for one in aggregate.program().ones.iter().filter(|one| one.shared) {
        for (key, row) in aggregate.base.of(one.table) {
            rows.insert(one.table, key.clone(), row.clone());
        }
    }
}

fn insert(table: TableNo, key: &RowKey, wanted: &TargetRow) -> Edit {
    let mut cells = wanted.cells.clone();
    for (column, cell) in &wanted.defaults {
        cells.entry(*column).or_insert_with(|| cell.clone());
    }
    Edit::Insert { table, key: key.clone(), cells: cells.into_iter().collect() }
}
