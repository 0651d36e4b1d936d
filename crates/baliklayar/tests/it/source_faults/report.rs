//! The table, as it is printed and as `cargo xtask isolation` reads it.

use super::fault::{Fault, Outcome, Phase};
use super::load::Window;
use crate::demo::{long, say};
use serde_json::{Value, json};
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
    pub wrong: Option<String>,
    pub took: Duration,
    pub before: Option<Window>,
    pub during: Window,
    pub after: Option<Window>,
}

pub struct Report {
    seed: u64,
    rows: Vec<Row>,
}

impl Report {
    pub const fn new(seed: u64) -> Self {
        Self { seed, rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        let came = row.came.map_or_else(|| "NEITHER".to_owned(), |came| came.to_string());
        say(&format!(
            "{:<24}{:<12}{:<44}{:>3} s   other shop p99 {:>4} ms of {:>5}",
            row.fault.name(),
            row.phase.name(),
            came,
            row.took.as_secs(),
            row.during.p99_us / 1_000,
            row.during.requests,
        ));
        if let Some(wrong) = &row.wrong {
            say(&format!("    WRONG: {wrong}"));
        }
        self.rows.push(row);
    }

    /// Says how much was tried, and panics where something was not as it must be.
    pub fn end(self) {
        let all = Fault::ALL.len() * Phase::ALL.len();
        say(&format!("{} of {all} rows, seed {}", self.rows.len(), self.seed));
        if let Some(file) = std::env::var_os(FILE) {
            std::fs::write(file, self.json().to_string()).unwrap();
        }
        let wrong: Vec<String> = self.rows.iter().filter(|row| row.wrong.is_some()).map(Row::place).collect();
        assert!(wrong.is_empty(), "{} rows are not as they must be: {}", wrong.len(), wrong.join(", "));
        let asked_for_all =
            long() && std::env::var_os("BALIK_FAULT").is_none() && std::env::var_os("BALIK_PHASE").is_none();
        assert!(!asked_for_all || self.rows.len() + Phase::ALL.len() >= all, "rows are missing");
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "fault": row.fault.name(), "phase": row.phase.name(),
                    "came": row.came.map(|came| came.to_string()), "wrong": row.wrong,
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
