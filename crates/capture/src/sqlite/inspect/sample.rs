//! What only the values of an SQLite table tell: their storage classes, and whether parents are there. Counted among
//! the first rows; never taken out.

use super::catalogue::{Affinity, Attribute, Relation};
use super::{Eye, text};
use crate::inspect::{Code, ROWS_SAMPLED_MAX, Reference, Traps, Unread, is_money};
use crate::sql::ident;

pub(super) fn look(eye: &Eye, relation: &Relation, all: &[Relation], traps: &mut Traps) {
    let mut unread = Vec::new();
    if let Err(why) = classes(eye, relation, traps) {
        unread.push(("storage classes", why));
    }
    for reference in &relation.references {
        if let Err(why) = orphans(eye, relation, reference, all, traps) {
            unread.push(("parents", why));
        }
    }
    for (what, why) in unread {
        traps.table(Code::Unread, &relation.name, format!("{what} not looked at: {}", why.reason()), None);
    }
}

/// The storage classes that a column should not hold, as a condition on `typeof`.
fn wrong(of: &Attribute) -> Option<&'static str> {
    match of.affinity {
        Affinity::Integer => Some("in ('text', 'blob', 'real')"),
        Affinity::Real => Some("in ('text', 'blob')"),
        Affinity::Numeric => Some("= 'blob'"),
        Affinity::Text => Some("= 'blob'"),
        Affinity::Blob => None,
    }
}

/// One pass over the first rows for all columns.
fn classes(eye: &Eye, relation: &Relation, traps: &mut Traps) -> Result<(), Unread> {
    let mut counts = Vec::new();
    let mut meant = Vec::new();
    for of in relation.columns.iter().filter(|of| !of.is_generated) {
        let class = format!("typeof({})", ident(&of.column.name));
        if let Some(wrong) = wrong(of) {
            counts.push(format!("sum({class} {wrong})"));
            meant.push((Code::Affinity, of));
        }
        // A column declared as a float is told without a look.
        if is_money(&of.column.name) && matches!(of.affinity, Affinity::Numeric | Affinity::Blob) {
            counts.push(format!("sum({class} = 'real')"));
            meant.push((Code::FloatMoney, of));
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let table = ident(&relation.name);
    let sql = format!("select count(*), {} from (select * from {table} limit {ROWS_SAMPLED_MAX})", counts.join(", "));
    let found = eye.numbers(&sql)?;
    let (looked, counts) = found.split_first().ok_or(Unread::Failed)?;
    for ((code, of), count) in meant.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
        let what = if code == Code::FloatMoney {
            "floats".to_owned()
        } else {
            format!("values of another class than {}", of.column.type_name)
        };
        let detail = format!("{count} {what} in {looked} rows looked at");
        traps.columns(code, &relation.name, vec![of.column.name.clone()], detail, None);
    }
    Ok(())
}

fn orphans(
    eye: &Eye,
    relation: &Relation,
    reference: &Reference,
    all: &[Relation],
    traps: &mut Traps,
) -> Result<(), Unread> {
    let (here, parent) = (&reference.columns, &reference.table);
    let Some(table) = all.iter().find(|table| table.name.eq_ignore_ascii_case(parent)) else {
        let detail = format!("its parent {parent} is not in the file");
        traps.columns(Code::Orphans, &relation.name, here.clone(), detail, None);
        return Ok(());
    };
    let to = if reference.to.is_empty() { &table.key } else { &reference.to };
    let given: Vec<String> = here.iter().map(|column| format!("child.{} is not null", ident(column))).collect();
    let same: Vec<String> =
        here.iter().zip(to).map(|(here, to)| format!("parent.{} = child.{}", ident(to), ident(here))).collect();
    let gone = format!(
        "{} and not exists (select 1 from {} parent where {})",
        given.join(" and "),
        ident(parent),
        same.join(" and ")
    );
    let child = ident(&relation.name);
    let sql = format!(
        "select count(*), coalesce(sum({gone}), 0) from (select * from {child} limit {ROWS_SAMPLED_MAX}) child"
    );
    let found = eye.numbers(&sql)?;
    let [looked, count] = found.as_slice() else { return Err(Unread::Failed) };
    if *count > 0 {
        let detail = format!("{count} of {looked} rows looked at have no parent in {parent}");
        let list = format!("pragma foreign_key_check({}); -- lists them all", text(&relation.name));
        traps.columns(Code::Orphans, &relation.name, here.clone(), detail, Some(list));
    }
    Ok(())
}
