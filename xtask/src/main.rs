//! Chores of this workspace: `cargo xtask checks [ISSUE[.LINE]]`, and what some of those checks say of a demo's report or
//! work folder: `cargo xtask flips REPORT…`, `cargo xtask entities REPORT…`, `cargo xtask products WORK…`; and of a run of
//! the source faults: `cargo xtask isolation FILE…`.
//!
//! Exit status: 0 every check passed, 1 one did not, 2 usage or a file that cannot be read.
//! Absent on purpose: what a check measures. Each is a command in docs/checks.md that anyone can run by hand.

mod checks;
mod decimal;
mod entities;
mod flips;
mod isolation;
mod products;

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

/// What is wrong, and the figures in one line.
type Verdict = Result<(Vec<String>, String)>;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = match words.as_slice() {
        ["checks"] => checks::run(root, ""),
        ["checks", which] => checks::run(root, which),
        ["flips", reports @ ..] if !reports.is_empty() => judge(reports, |path| flips::check(&report(path)?)),
        ["entities", reports @ ..] if !reports.is_empty() => judge(reports, |path| entities::check(&report(path)?)),
        ["isolation", files @ ..] if !files.is_empty() => judge(files, |path| isolation::check(&report(path)?)),
        ["products", folders @ ..] if !folders.is_empty() => judge(folders, products::check),
        _ => {
            eprintln!(
                "usage: cargo xtask checks [ISSUE[.LINE]] | flips REPORT… | entities REPORT… | isolation FILE… | products WORK…"
            );
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

/// Prints what is wrong with each, then their figures in one line; answers whether nothing is.
#[expect(clippy::print_stdout, reason = "these lines are what was asked for")]
fn judge(paths: &[&str], check: impl Fn(&Path) -> Verdict) -> Result<bool> {
    let (mut right, mut all) = (true, Vec::new());
    for path in paths {
        let (wrong, figures) = check(Path::new(path)).with_context(|| format!("reading {path}"))?;
        for what in &wrong {
            println!("{path}: {what}");
        }
        right &= wrong.is_empty();
        all.push(figures);
    }
    println!("{}", all.join("; "));
    Ok(right)
}

fn report(path: &Path) -> Result<Value> {
    serde_json::from_str(&std::fs::read_to_string(path)?).context("this is no JSON")
}
