//! The flips in a demo's report: enough of them, most of them with people waiting, and nobody who noticed.

use anyhow::{Context, Result, bail};
use serde_json::Value;

const FLIPS_MIN: usize = 20;
/// So many of them must have held a write: a move that nobody was writing to shows little.
const HELD_MIN: usize = 16;
/// µs; the deadline of a hold.
const HOLD_MAX: i64 = 500_000;

/// What is wrong with the flips of a report, and its figures in one line.
///
/// # Errors
/// The report is not one.
pub fn check(report: &Value) -> Result<(Vec<String>, String)> {
    if report["schema"] != "baliklayar.demo-report/1" {
        bail!("this is no demo report of version 1");
    }
    let holds = report["holds"].as_array().context("the report has no holds")?;
    let flipped = |direction: &str| -> Vec<&Value> {
        holds.iter().filter(|hold| hold["outcome"] == "flipped" && hold["direction"] == direction).collect()
    };
    let there = flipped("to_backend");
    let held = there.iter().filter(|hold| hold["held"].as_i64().is_some_and(|held| held > 0)).count();
    let longest = holds.iter().map(|hold| number(&hold["us"]["total"])).max().unwrap_or(0);
    let failed = number(&report["requests"]["during"]["failed"]);
    let rules = [
        (report["clean"] == true, format!("not clean: {}", report["reasons"])),
        (there.len() >= FLIPS_MIN, format!("{} flips, {FLIPS_MIN} were expected", there.len())),
        (held >= HELD_MIN, format!("{held} flips held a write, {HELD_MIN} were expected")),
        (failed == 0, format!("{failed} requests failed while shops moved")),
        (longest <= HOLD_MAX, format!("a hold took {longest} µs, {HOLD_MAX} are allowed")),
    ];
    let wrong = rules.into_iter().filter(|(is_kept, _)| !is_kept).map(|(_, what)| what).collect();
    let figures = format!(
        "{} flips ({held} with held writes), {} back, {} aborted, longest hold {longest} µs, {failed} failed of {} during",
        there.len(),
        flipped("to_legacy").len(),
        holds.iter().filter(|hold| hold["outcome"] == "aborted").count(),
        number(&report["requests"]["during"]["sent"]),
    );
    Ok((wrong, figures))
}

/// An integer of the report; what is not there can pass no rule.
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hold(outcome: &str, held: i64, total: i64) -> Value {
        json!({"direction": "to_backend", "outcome": outcome, "held": held, "us": {"total": total}})
    }

    fn report(holds: &[Value]) -> Value {
        json!({"schema": "baliklayar.demo-report/1", "clean": true, "reasons": [], "holds": holds,
            "requests": {"during": {"sent": 9, "failed": 0}}})
    }

    fn right() -> Vec<Value> {
        (0..20).map(|shop| hold("flipped", i64::from(shop >= 4), 40_000)).collect()
    }

    #[test]
    fn twenty_flips_of_which_sixteen_held_somebody_are_enough() {
        let (wrong, figures) = check(&report(&right())).unwrap();
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(
            figures,
            "20 flips (16 with held writes), 0 back, 0 aborted, longest hold 40000 µs, 0 failed of 9 during"
        );
    }

    #[test]
    fn one_flip_or_one_held_write_less_is_not_enough_and_an_abort_is_no_flip() {
        let fewer = |change: fn(&mut Vec<Value>)| {
            let mut holds = right();
            change(&mut holds);
            check(&report(&holds)).unwrap().0
        };
        assert_eq!(fewer(|holds| drop(holds.remove(0))), ["19 flips, 20 were expected"]);
        assert_eq!(fewer(|holds| holds[4] = hold("flipped", 0, 1)), ["15 flips held a write, 16 were expected"]);
        assert_eq!(fewer(|holds| holds[0] = hold("aborted", 0, 1)), ["19 flips, 20 were expected"]);
        assert_eq!(
            fewer(|holds| holds[0] = hold("flipped", 0, 500_001)),
            ["a hold took 500001 µs, 500000 are allowed"]
        );
    }

    #[test]
    fn a_failed_request_or_a_report_without_figures_passes_no_rule() {
        let mut failed = report(&right());
        failed["requests"]["during"]["failed"] = json!(1);
        assert_eq!(check(&failed).unwrap().0, ["1 requests failed while shops moved"]);
        failed["requests"] = Value::Null;
        assert_eq!(check(&failed).unwrap().0.len(), 1);
        assert!(check(&json!({"schema": "another/1"})).is_err());
    }
}
