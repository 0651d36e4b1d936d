//! docs/faults.md: the table of what must come of each fault at each phase, which the runs hold to.

use super::fault::{Fault, Outcome, Phase, Whom};
use cutover::state::State;
use std::path::Path;

/// The table, and which states stand for which column.
fn table() -> String {
    let mut lines = vec![
        row("fault", Phase::ALL.map(|phase| phase.name().to_owned())),
        row("---", Phase::ALL.map(|_| "---".to_owned())),
    ];
    lines.extend(Fault::ALL.map(|fault| row(fault.name(), Phase::ALL.map(|phase| cell(fault.due(phase))))));
    lines.push(String::new());
    for phase in Phase::ALL {
        let states = State::ALL.into_iter().filter(|state| Phase::of(*state) == Some(phase));
        let states: Vec<String> = states.map(|state| format!("`{}`", state.name())).collect();
        lines.push(format!("- *{}*: {}", phase.name(), states.join(", ")));
    }
    lines.join("\n")
}

fn row(first: &str, cells: [String; Phase::ALL.len()]) -> String {
    format!("| {first} | {} |", cells.join(" | "))
}

fn cell(due: Outcome) -> String {
    match due {
        Outcome::Continued => "continued".to_owned(),
        Outcome::Stopped(Whom::One, code) => format!("`{code}`, this shop"),
        Outcome::Stopped(Whom::All, code) => format!("`{code}`, all"),
    }
}

#[test]
fn the_page_of_the_faults_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = table();
    assert!(page.contains(&table), "docs/faults.md must have:\n{table}");
}
