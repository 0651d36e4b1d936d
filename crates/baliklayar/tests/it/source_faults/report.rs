//! The table, as it is printed and as `cargo xtask isolation` reads it.

use super::fault::{Fault, Outcome, Phase};
use super::load::Window;
use crate::demo::{long, say};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Names the file in which what other shops felt is written down.
const FILE: &str = "BALIK_ISOLATION";

pub fn measures() -> bool {
    std::env::var_os(FILE).is_some()
}

/// One row of the table.
pub struct Row {
    pub fault: Fault,
    pub phase: Phase,
    /// None: a third outcome.
    pub came: Option<Outcome>,
    /// It had stopped, was mended as the runbook says, and went the rest of its way.
    pub recovered: bool,
    pub wrong: Vec<String>,
    pub took: Duration,
    pub before: Option<Window>,
    pub during: Window,
    pub after: Option<Window>,
}

pub struct Report {
    seed: u64,
    rows: Vec<Row>,
    left_out: Vec<Fault>,
}

impl Report {
    pub const fn new(seed: u64) -> Self {
        Self { seed, rows: Vec::new(), left_out: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        let came = row.came.map_or_else(|| "NEITHER".to_owned(), |came| came.to_string());
        let then = if row.recovered { ", then continued" } else { "" };
        say(&format!(
            "{:<24}{:<12}{:<60}{:>3} s   {:>4} requests at another shop, {} failed",
            row.fault.name(),
            row.phase.name(),
            format!("{came}{then}"),
            row.took.as_secs(),
            row.during.requests,
            row.during.wrong,
        ));
        for wrong in &row.wrong {
            say(&format!("    WRONG: {wrong}"));
        }
        self.rows.push(row);
    }

    /// A fault that cannot be tried here: said, and counted.
    pub fn leave_out(&mut self, fault: Fault, why: &str) {
        say(&format!("{:<24}NOT RUN: {why}", fault.name()));
        self.left_out.push(fault);
    }

    /// Says how much was tried, and panics where something was not as it must be.
    pub fn end(self) {
        let all = Fault::ALL.len() * Phase::ALL.len();
        let count = |is: fn(&Row) -> bool| self.rows.iter().filter(|row| is(row)).count();
        say(&format!(
            "source faults: {} of {all} rows, seed {}: {} continued, {} stopped with a code ({} of them recovered), {} neither",
            self.rows.len(),
            self.seed,
            count(|row| row.came == Some(Outcome::Continued)),
            count(|row| matches!(row.came, Some(Outcome::Stopped(_, _)))),
            count(|row| row.recovered),
            count(|row| row.came.is_none()),
        ));
        if let Some(file) = std::env::var_os(FILE) {
            std::fs::write(file, self.json().to_string()).unwrap();
        }
        let wrong: Vec<String> = self.rows.iter().filter(|row| !row.wrong.is_empty()).map(Row::place).collect();
        assert!(wrong.is_empty(), "{} rows are not as they must be: {}", wrong.len(), wrong.join(", "));
        let asked_for =
            long() && !measures() && ["BALIK_FAULT", "BALIK_PHASE"].iter().all(|it| std::env::var_os(it).is_none());
        let due = all - self.left_out.len() * Phase::ALL.len();
        assert!(!asked_for || self.rows.len() == due, "rows are missing: {} of {due}", self.rows.len());
        if asked_for {
            self.each_code_was_recovered_from();
        }
    }

    fn each_code_was_recovered_from(&self) {
        let codes = |rows: &mut dyn Iterator<Item = &Row>| -> BTreeSet<&'static str> {
            rows.filter_map(|row| match row.came {
                Some(Outcome::Stopped(_, code)) => Some(code),
                Some(Outcome::Continued) | None => None,
            })
            .collect()
        };
        let (all, recovered) = (codes(&mut self.rows.iter()), codes(&mut self.rows.iter().filter(|row| row.recovered)));
        assert_eq!(all, recovered, "no row of each code was recovered");
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "fault": row.fault.name(), "phase": row.phase.name(),
                    "came": row.came.map(|came| came.to_string()),
                    "recovered": row.recovered, "wrong": row.wrong,
                    "before": row.before.map(|it| it.json()), "during": row.during.json(),
                    "after": row.after.map(|it| it.json()),
                })
            })
            .collect();
        json!({"schema": "baliklayar.isolation/1", "seed": self.seed, "rows": rows})
    }
}

impl Row {
    fn place(&self) -> String {
        format!("{} at {}", self.fault.name(), self.phase.name())
    }
}
