//! Chores of this workspace: `cargo xtask checks [ISSUE[.LINE]]`, and what some of those checks say of a demo's report:
//! `cargo xtask flips REPORT…`, `cargo xtask entities REPORT…`.
//!
//! Exit status: 0 every check passed, 1 one did not, 2 usage or a file that cannot be read.
//! Absent on purpose: what a check measures. Each is a command in docs/checks.md that anyone can run by hand.

mod checks;
mod decimal;
mod entities;
mod flips;

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

/// What is wrong, and the figures in one line.
type Judge = fn(&Value) -> Result<(Vec<String>, String)>;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = match words.as_slice() {
        ["checks"] => checks::run(root, ""),
        ["checks", which] => checks::run(root, which),
        ["flips", reports @ ..] if !reports.is_empty() => judge(reports, flips::check),
        ["entities", reports @ ..] if !reports.is_empty() => judge(reports, entities::check),
        _ => {
            eprintln!("usage: cargo xtask checks [ISSUE[.LINE]] | flips REPORT… | entities REPORT…");
            return ExitCode::from(2);
        }
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Prints what is wrong with the reports, then their figures in one line; answers whether nothing is.
#[expect(clippy::print_stdout, reason = "these lines are what was asked for")]
fn judge(paths: &[&str], check: Judge) -> Result<bool> {
    let (mut right, mut all) = (true, Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        let report = serde_json::from_str(&text).with_context(|| format!("{path} is no JSON"))?;
        let (wrong, figures) = check(&report).with_context(|| format!("reading {path}"))?;
        for what in &wrong {
            println!("{path}: {what}");
        }
        right &= wrong.is_empty();
        all.push(figures);
    }
    println!("{}", all.join("; "));
    Ok(right)
}
