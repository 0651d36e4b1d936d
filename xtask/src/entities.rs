//! The real history in a demo's report, against the table that was counted from the source by hand.
//!
//! Invariant: every document, every line and every penny of a class is either moved, history, merged or refused, and
//! each class went where it may go. Absent on purpose: any arithmetic with floats.

use crate::decimal;
use anyhow::{Context, Result};
use serde_json::Value;

/// What the source holds of one class, and where it may have gone.
struct Class {
    name: &'static str,
    documents: i128,
    rows: i128,
    amount: &'static str,
    may_go: &'static [&'static str],
}

const fn class(
    name: &'static str,
    documents: i128,
    rows: i128,
    amount: &'static str,
    may_go: &'static [&'static str],
) -> Class {
    Class { name, documents, rows, amount, may_go }
}

/// Every class of `uci_online_retail`.
const CLASSES: [Class; 6] = [
    class("sale", 19_955, 530_381, "10652941.21", &["moved"]),
    class("credit", 3_836, 9_288, "-896812.49", &["history"]),
    class("adjustment", 3, 3, "-11062.06", &["history", "refused"]),
    class("stock_correction", 1_336, 1_336, "0", &["history", "refused"]),
    class("sub_minor", 4, 122, "2681.274", &["history", "refused"]),
    class("zero", 766, 779, "0", &["history"]),
];
const TOTAL: Class = class("total", 25_900, 541_909, "9747747.934", &[]);
const REFUSED_MAX: i128 = 1_343;
/// The shop that has the history.
const SHOP: &str = "900";

const PLACES: [&str; 4] = ["moved", "history", "merged", "refused"];

/// Documents, their lines, and what they come to in units of [`decimal`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    documents: i128,
    rows: i128,
    amount: i128,
}

impl Sums {
    fn read(value: &Value) -> Result<Self> {
        // A class that went nowhere else may leave a place out, or empty.
        let number = |name: &str| value[name].as_i64().map_or(0, i128::from);
        let amount = value["amount"].as_str().map_or(Ok(0), decimal::units)?;
        Ok(Self { documents: number("documents"), rows: number("rows"), amount })
    }

    fn of(class: &Class) -> Result<Self> {
        Ok(Self { documents: class.documents, rows: class.rows, amount: decimal::units(class.amount)? })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            documents: self.documents + other.documents,
            rows: self.rows + other.rows,
            amount: self.amount + other.amount,
        }
    }

    fn shown(self) -> String {
        format!("{} documents, {} lines, {} GBP", self.documents, self.rows, decimal::text(self.amount))
    }
}

/// What is wrong with the entities of a report, and its figures in one line.
///
/// # Errors
/// The report is not one, or an amount in it is none.
pub fn check(report: &Value) -> Result<(Vec<String>, String)> {
    let entities = report["entities"].as_array().context("the report has no entities")?;
    let is_of_history = |entity: &&Value| entity["shop"] == SHOP && entity["entity"] == "document";
    let documents: Vec<&Value> = entities.iter().filter(is_of_history).collect();
    let (mut wrong, mut found, mut refused) = (Vec::new(), Sums::default(), 0);
    for class in &CLASSES {
        let of_class: Vec<&&Value> = documents.iter().filter(|entity| entity["class"] == class.name).collect();
        let [entity] = of_class.as_slice() else {
            wrong.push(format!("{}: {} entries where one was expected", class.name, of_class.len()));
            continue;
        };
        let source = Sums::read(&entity["source"])?;
        wrong.extend(differs(class.name, "in the source", source, Sums::of(class)?));
        wrong.extend(places(class, entity, source)?);
        found = found.plus(source);
        refused += Sums::read(&entity["refused"])?.documents;
    }
    wrong.extend(differs("total", "in the source", found, Sums::of(&TOTAL)?));
    let known = |entity: &&Value| CLASSES.iter().any(|class| entity["class"] == class.name);
    wrong.extend(documents.iter().find(|entity| !known(entity)).map(|entity| format!("unknown: {}", entity["class"])));
    if refused > REFUSED_MAX {
        wrong.push(format!("{refused} documents are refused, {REFUSED_MAX} may be"));
    }
    Ok((wrong, format!("{}, {refused} refused", found.shown())))
}

/// Where the documents of a class went: all of them somewhere, and only where they may.
fn places(class: &Class, entity: &Value, source: Sums) -> Result<Vec<String>> {
    let (mut wrong, mut gone) = (Vec::new(), Sums::default());
    for place in PLACES {
        let there = Sums::read(&entity[place])?;
        gone = gone.plus(there);
        if there.documents != 0 && !class.may_go.contains(&place) {
            wrong.push(format!("{}: {} documents are {place}", class.name, there.documents));
        }
    }
    wrong.extend(differs(class.name, "afterwards", gone, source));
    Ok(wrong)
}

fn differs(name: &str, what: &str, found: Sums, expected: Sums) -> Option<String> {
    (found != expected).then(|| format!("{name} {what}: {}; expected {}", found.shown(), expected.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn right() -> Value {
        let int = |value: i128| i64::try_from(value).unwrap();
        let entity = |class: &Class| {
            let sums = json!({"documents": int(class.documents), "rows": int(class.rows), "amount": class.amount});
            let mut entity = json!({"shop": SHOP, "entity": "document", "class": class.name, "source": sums});
            entity[class.may_go[0]] = sums;
            entity
        };
        json!({"entities": CLASSES.iter().map(entity).collect::<Vec<_>>()})
    }

    fn wrong(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut report = right();
        change(&mut report["entities"]);
        check(&report).unwrap().0
    }

    #[test]
    fn the_table_adds_up_and_a_report_that_equals_it_passes() {
        let (wrong, figures) = check(&right()).unwrap();
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(figures, "25900 documents, 541909 lines, 9747747.934 GBP, 0 refused");
    }

    #[test]
    fn a_penny_a_line_or_a_document_is_missed() {
        assert!(!wrong(|entities| entities[0]["moved"]["amount"] = json!("10652941.20")).is_empty());
        assert!(!wrong(|entities| entities[1]["history"]["rows"] = json!(9_287)).is_empty());
        assert!(!wrong(|entities| entities[4]["source"]["documents"] = json!(5)).is_empty());
        assert!(!wrong(|entities| entities.as_array_mut().unwrap().truncate(5)).is_empty());
    }

    #[test]
    fn a_class_goes_only_where_it_may() {
        let moved = |from: &str, to: &str, at: usize| {
            wrong(|entities| {
                let sums = entities[at][from].take();
                entities[at][to] = sums;
            })
        };
        assert!(moved("history", "refused", 2).is_empty());
        assert_eq!(moved("moved", "refused", 0).len(), 2);
        assert_eq!(moved("history", "moved", 5), ["zero: 766 documents are moved"]);
    }
}
