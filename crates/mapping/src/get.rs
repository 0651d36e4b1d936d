//! `get`: the rows of one aggregate as its document.
//!
//! A document is whole or it is not there: one cell that cannot be read refuses the aggregate, by name.

use crate::api::{Anchor, Context, Fault, Got, Loser, Report, Rows};
use crate::expr::Scope;
use crate::history;
use crate::program::{Derived, Fate, From, Program};
use crate::read::{Reader, Spot};
use crate::{Mapping, RuleNo, derive, origin};
use vocab::document::{Node, Record};
use vocab::id::Name;
use vocab::row::{Cell, Row, RowKey};

/// A row and its key.
pub(crate) type Keyed<'a> = (&'a RowKey, &'a Row);

/// The rows of an aggregate, in their places.
pub(crate) struct Gathered<'a> {
    /// The anchor row, or the first row of the group.
    pub anchor: Keyed<'a>,
    /// The rows of each list, in order.
    pub lists: Vec<Vec<Keyed<'a>>>,
    /// The rows of the group that vote.
    pub group: Vec<Keyed<'a>>,
}

/// What is found out beside the document.
#[derive(Default)]
pub(crate) struct Notes {
    pub faults: Vec<Fault>,
    pub losers: Vec<Loser>,
    pub reports: Vec<Report>,
}

impl Mapping {
    /// The document of one aggregate.
    pub fn get(&self, rule: RuleNo, anchor: &Anchor, rows: &Rows, context: &Context<'_>) -> Got {
        let Some(rule) = self.rules.get(rule) else { return Got::Absent };
        let program = &rule.program;
        let gathered = match anchor {
            Anchor::Row(key) => self.gather_anchored(program, key, rows),
            Anchor::Group(_) => gather_group(program, rows, context),
        };
        let Some(gathered) = gathered else { return Got::Absent };
        let lists: Vec<Vec<&Row>> =
            gathered.lists.iter().map(|rows| rows.iter().map(|(_, row)| *row).collect()).collect();
        let group: Vec<&Row> = gathered.group.iter().map(|(_, row)| *row).collect();
        let scope = Scope { row: Some(gathered.anchor.1), lists: &lists, group: &group, ..Scope::default() };
        if program.filter.as_ref().is_some_and(|filter| !filter.holds(scope)) {
            return Got::Absent;
        }
        let class = program.classes.iter().find(|class| class.when.holds(scope));
        match class.map(|class| (class.is, &class.why)) {
            None | Some((Fate::Live, _)) => self.live(program, &gathered, rows, scope),
            Some((Fate::History, why)) => self.history(program, &gathered, scope, why.clone()),
            Some((Fate::Merged, why)) => Got::Merged { why: why.clone() },
            Some((Fate::Refused, why)) => {
                let mut notes = Notes::default();
                Reader::new(self, program, &mut notes).fault(
                    self.spot(program, &gathered),
                    None,
                    "class",
                    why.to_string(),
                );
                Got::Refused { faults: notes.faults }
            }
        }
    }

    fn gather_anchored<'a>(&self, program: &Program, key: &RowKey, rows: &'a Rows) -> Option<Gathered<'a>> {
        let anchor = rows.keyed(program.table, key)?;
        let of_list = |list: &crate::program::ListForm| match list.from {
            From::Own | From::Group => vec![anchor],
            From::Join { column, anchor_column } => {
                let link = &anchor.1.0[anchor_column];
                let mut found: Vec<Keyed<'a>> = rows.of(list.table).filter(|(_, row)| row.0[column] == *link).collect();
                if let Some(order) = list.order {
                    found.sort_by(|(_, a), (_, b)| a.0[order].cmp(&b.0[order]));
                }
                found
            }
        };
        Some(Gathered { anchor, lists: program.lists.iter().map(of_list).collect(), group: Vec::new() })
    }

    pub(crate) fn spot<'a>(&self, program: &Program, gathered: &Gathered<'a>) -> Spot<'a> {
        Spot { table: program.table, key: gathered.anchor.0, row: gathered.anchor.1 }
    }

    fn live(&self, program: &Program, gathered: &Gathered<'_>, rows: &Rows, scope: Scope<'_>) -> Got {
        let mut notes = Notes::default();
        let document = self.document(program, gathered, rows, scope, &mut notes);
        if notes.faults.is_empty() {
            self.check(program, gathered, &document, &mut notes);
            return Got::Live { document, losers: notes.losers, reports: notes.reports };
        }
        if program.fault_is_history {
            return self.history(program, gathered, scope, "fault".into());
        }
        Got::Refused { faults: notes.faults }
    }

    fn history(&self, program: &Program, gathered: &Gathered<'_>, scope: Scope<'_>, why: Name) -> Got {
        match history::document(self, program, gathered, scope) {
            Ok(document) => Got::History { document, why },
            Err(faults) => Got::Refused { faults },
        }
    }

    fn document(
        &self,
        program: &Program,
        gathered: &Gathered<'_>,
        rows: &Rows,
        scope: Scope<'_>,
        notes: &mut Notes,
    ) -> Record {
        let spot = self.spot(program, gathered);
        let mut reader = Reader::new(self, program, notes);
        let mut record = program.fields.blank(self.origin_of(program, gathered));
        reader.fields(program.fields.plain(), spot, &gathered.group, scope, &mut record);
        for (list, found) in program.lists.iter().zip(&gathered.lists) {
            let mut elements = Vec::with_capacity(found.len());
            for (number, &(key, row)) in (1..).zip(found) {
                let spot = Spot { table: list.table, key, row };
                let order = list.order.filter(|order| list.placed && row.0[*order] != Cell::Int(number));
                if order.is_some() {
                    reader.fault(spot, order, "place", format!("it is not number {number} of its list"));
                }
                let origin = match (list.from, program.group) {
                    (From::Own, Some(_)) => self.origin_of(program, gathered),
                    _ => origin::print(&self.tables[list.table], key),
                };
                let mut element = list.fields.blank(origin);
                reader.fields(&list.fields, spot, &gathered.group, Scope { row: Some(row), ..scope }, &mut element);
                elements.push(Node::Record(element));
            }
            record.set(&list.name, elements);
        }
        for one in &program.ones {
            let node = reader.one(one, spot, rows);
            record.set(&one.name, node);
        }
        reader.fields(program.fields.values(), spot, &gathered.group, scope, &mut record);
        record
    }

    fn origin_of(&self, program: &Program, gathered: &Gathered<'_>) -> String {
        let table = &self.tables[program.table];
        match program.group {
            Some(column) => format!("{}:{}", table.name, origin::raw(&gathered.anchor.1.0[column])),
            None => origin::print(table, gathered.anchor.0),
        }
    }

    /// Asserts and derived columns: reported, never repaired.
    fn check(&self, program: &Program, gathered: &Gathered<'_>, document: &Record, notes: &mut Notes) {
        let scope = Scope { record: Some(document), ..Scope::default() };
        for (text, expr) in &program.asserts {
            if !expr.holds(scope) {
                notes.reports.push(Report { code: "assert", what: text.clone() });
            }
        }
        for derived in &program.derived {
            if !self.derived_fits(program, derived, gathered, document) {
                let table = derived.list.map_or(program.table, |list| program.lists[list].table);
                let table = &self.tables[table];
                let what = format!("{}.{}", table.name, table.columns[derived.column].name);
                notes.reports.push(Report { code: "derived", what });
            }
        }
    }

    fn derived_fits(&self, program: &Program, derived: &Derived, gathered: &Gathered<'_>, document: &Record) -> bool {
        let own = [gathered.anchor];
        let (table, found) = match derived.list {
            Some(list) => (program.lists[list].table, &gathered.lists[list][..]),
            None => (program.table, &own[..]),
        };
        let column = &self.tables[table].columns[derived.column];
        let read: Option<Vec<Node>> =
            found.iter().map(|(_, row)| derived.codec.read(&row.0[derived.column], column).ok()).collect();
        let list = derived.list.map(|list| &program.lists[list].name);
        read.is_some_and(|read| derive::fits(derived, list, document, &read))
    }
}

fn gather_group<'a>(program: &Program, rows: &'a Rows, context: &Context<'_>) -> Option<Gathered<'a>> {
    let all: Vec<Keyed<'a>> = rows.of(program.table).collect();
    let anchor = *all.first()?;
    let votes = |row: &Row| match &program.voters {
        None => true,
        Some(voters) => {
            let class = (context.class_of)(voters.kind, &origin::raw(&row.0[voters.column]));
            class.is_some_and(|class| (*class == *voters.class) == voters.positive)
        }
    };
    let mut group: Vec<Keyed<'a>> = all.into_iter().filter(|(_, row)| votes(row)).collect();
    let lists = program.lists.iter().map(|list| match list.from {
        From::Own | From::Join { .. } => vec![anchor],
        From::Group => {
            if let Some(order) = list.order {
                group.sort_by(|(_, a), (_, b)| a.0[order].cmp(&b.0[order]));
            }
            group.clone()
        }
    });
    let lists = lists.collect();
    Some(Gathered { anchor, lists, group })
}
