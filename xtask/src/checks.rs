//! Runs the commands of docs/checks.md and says which pass.
//!
//! Invariant: a check passes if and only if its command exits 0; its figures are the last line that it printed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// One row `| 1.3 | what | command |`.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    number: String,
    command: String,
}

/// Runs the checks that `which` names (`1`, `1.3`, or nothing for all) from `root`; answers whether all passed.
///
/// # Errors
/// The file is missing or malformed, or no row is meant.
pub fn run(root: &Path, which: &str) -> Result<bool> {
    let path = root.join("docs/checks.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let chosen: Vec<Check> = parse(&text)?.into_iter().filter(|check| is_meant(which, &check.number)).collect();
    if chosen.is_empty() {
        bail!("docs/checks.md has no check `{which}`");
    }
    let mut passed = true;
    for check in chosen {
        passed &= run_one(root, &check)?;
    }
    Ok(passed)
}

#[expect(clippy::print_stdout, reason = "these lines are what was asked for")]
fn run_one(root: &Path, check: &Check) -> Result<bool> {
    let Check { number, command } = check;
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting check {number}: {command}"))?;
    let word = if output.status.success() { "pass" } else { "fail" };
    println!("{}", format!("CHECK {number} {word} {}", figures(&String::from_utf8_lossy(&output.stdout))).trim_end());
    Ok(output.status.success())
}

fn figures(stdout: &str) -> &str {
    stdout.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default()
}

fn is_meant(which: &str, number: &str) -> bool {
    which.is_empty() || number == which || number.split_once('.').is_some_and(|(issue, _)| issue == which)
}

fn parse(text: &str) -> Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(check) = row(line).with_context(|| format!("docs/checks.md line {}", index + 1))? else { continue };
        if checks.iter().any(|earlier| earlier.number == check.number) {
            bail!("docs/checks.md line {}: {} is there twice", index + 1, check.number);
        }
        checks.push(check);
    }
    Ok(checks)
}

/// A check, or none if the line is text, a table's head or its rule.
fn row(line: &str) -> Result<Option<Check>> {
    let cells = cells(line.trim());
    let Some(number) = cells.first().filter(|cell| is_number(cell)) else { return Ok(None) };
    let [_, _, command] = cells.as_slice() else { bail!("a check has three cells: number, what, command") };
    let command = command.trim_matches('`').trim();
    if command.is_empty() {
        bail!("check {number} has no command");
    }
    Ok(Some(Check { number: number.clone(), command: command.to_owned() }))
}

/// The cells of a table row; `\|` is a bar inside a cell.
fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else { return Vec::new() };
    let mut cells = vec![String::new()];
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek(), cells.last_mut()) {
            ('\\', Some('|'), Some(cell)) => {
                characters.next();
                cell.push('|');
            }
            ('|', _, _) => cells.push(String::new()),
            (_, _, Some(cell)) => cell.push(character),
            (_, _, None) => {}
        }
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

fn is_number(cell: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    cell.split_once('.').is_some_and(|(issue, line)| digits(issue) && digits(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match parse(text) {
            Ok(checks) => checks.iter().map(|check| format!("{}: {}\n", check.number, check.command)).collect(),
            Err(error) => format!("{error:#}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_with_a_number_are_checks() {
        check(
            "# Checks\n\n| line | what | command |\n|---|---|---|\n| 1.1 | demo | `demo \\| tail -1` |\n| 1.10 | x | y |\n",
            "1.1: demo | tail -1\n1.10: y\n",
        );
    }

    #[test]
    fn a_row_that_cannot_be_run_is_an_error() {
        check("| 1.1 | no command | |", "docs/checks.md line 1: check 1.1 has no command");
        check("| 1.1 | a \\| | b | c |", "docs/checks.md line 1: a check has three cells: number, what, command");
        check("| 1.1 | a | b |\n| 1.1 | a | b |", "docs/checks.md line 2: 1.1 is there twice");
    }

    #[test]
    fn an_issue_means_all_its_lines() {
        let meant =
            |which| ["1.1", "1.10", "11.1"].into_iter().filter(|number| is_meant(which, number)).collect::<Vec<_>>();
        assert_eq!(meant(""), ["1.1", "1.10", "11.1"]);
        assert_eq!(meant("1"), ["1.1", "1.10"]);
        assert_eq!(meant("1.1"), ["1.1"]);
        assert_eq!(meant("2"), Vec::<&str>::new());
    }

    #[test]
    fn figures_are_the_last_line_that_says_something() {
        assert_eq!(figures("a\n  p50 3 ms  \n\n"), "p50 3 ms");
        assert_eq!(figures(""), "");
    }

    #[test]
    fn a_check_passes_exactly_if_its_command_does() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let run = |command: &str| run_one(root, &Check { number: "9.9".into(), command: command.into() }).unwrap();
        assert!(run("echo 1") && run("test -f Cargo.toml") && !run("echo 1; false"));
    }
}
