//! What an SQLite table's declaration means for a move.

use super::catalogue::{Affinity, Relation};
use crate::inspect::{Code, Traps, is_money};
use crate::sql::ident;

pub(super) fn of(relation: &Relation, traps: &mut Traps) {
    if relation.is_virtual {
        traps.table(Code::RowsElsewhere, &relation.name, "a virtual table", None);
        return;
    }
    key(relation, traps);
    effects(relation, traps);
    columns(relation, traps);
}

fn key(relation: &Relation, traps: &mut Traps) {
    let name = &relation.name;
    if relation.key.is_empty() {
        let unique = relation.uniques.iter().find(|unique| !unique.opaque);
        let detail = match unique {
            Some(unique) => format!("unique over ({}), which could be the key", unique.columns.join(", ")),
            None => "nothing unique over whole columns either".to_owned(),
        };
        traps.table(Code::NoPrimaryKey, name, detail, None);
    } else if relation.without_rowid {
        traps.table(Code::WithoutRowid, name, "without rowid", None);
    } else if relation.has_rowid_key() && !relation.is_autoincrement {
        let detail = "not AUTOINCREMENT: the id of a deleted last row is given again";
        traps.columns(Code::NoSequence, name, relation.key.clone(), detail, None);
    }
    for unique in &relation.uniques {
        if unique.opaque {
            let detail = "a unique index that is partial or over an expression";
            traps.columns(Code::ReplaceUnseen, name, unique.columns.clone(), detail, None);
        } else {
            traps.columns(Code::ReplaceFollowed, name, unique.columns.clone(), "a unique index beside the key", None);
        }
    }
}

fn effects(relation: &Relation, traps: &mut Traps) {
    for trigger in &relation.triggers {
        traps.table(Code::LegacyTrigger, &relation.name, format!("trigger {}", ident(trigger)), None);
    }
    for reference in &relation.references {
        let effects = [("delete", &reference.on_delete), ("update", &reference.on_update)];
        let told = effects.iter().filter_map(|(when, effect)| Some(format!("on {when} {}", effect.as_ref()?)));
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            let detail = format!("{} of {}", told.join(", "), reference.table);
            traps.columns(Code::Cascade, &relation.name, reference.columns.clone(), detail, None);
        }
    }
}

fn columns(relation: &Relation, traps: &mut Traps) {
    for of in &relation.columns {
        let column = vec![of.column.name.clone()];
        let word = of.column.type_name.to_ascii_uppercase();
        if of.affinity == Affinity::Real && is_money(&of.column.name) {
            traps.columns(Code::FloatMoney, &relation.name, column.clone(), format!("declared {word}"), None);
        }
        if word.starts_with("DATETIME") || word.starts_with("TIMESTAMP") {
            traps.columns(Code::ZonelessTime, &relation.name, column.clone(), format!("declared {word}"), None);
        }
        if of.is_generated {
            traps.columns(Code::Generated, &relation.name, column, "generated from other columns", None);
        }
    }
}
