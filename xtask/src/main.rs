//! Chores of this workspace: `cargo xtask checks [ISSUE[.LINE]]`.
//!
//! Exit status: 0 every check passed, 1 one did not, 2 usage or a docs/checks.md that cannot be read.
//! Absent on purpose: what a check measures. Each is a command in docs/checks.md that anyone can run by hand.

mod checks;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = match words.as_slice() {
        ["checks"] => checks::run(root, ""),
        ["checks", which] => checks::run(root, which),
        _ => {
            eprintln!("usage: cargo xtask checks [ISSUE[.LINE]]");
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
