//! What another shop felt while something befell the source: no answer lost, and the slow ones hardly slower than in quiet.

use anyhow::{Context, Result, bail};
use serde_json::Value;

const SCHEMA: &str = "baliklayar.isolation/1";
/// In per cent of the larger of the two quiet windows around it.
const P99_MAX: u64 = 150;
/// Fewer requests in a window tell nothing of its p99.
const REQUESTS_MIN: u64 = 300;
/// The legacy's own server is away meanwhile, so nobody answers for it: shown, not judged.
const OWN_OUTAGE: &str = "failover behind us";

/// What is wrong with the windows of a run, and its figures in one line.
///
/// # Errors
/// The file is no such report.
pub fn check(report: &Value) -> Result<(Vec<String>, String)> {
    if report["schema"] != SCHEMA {
        bail!("this is no report of the schema {SCHEMA}");
    }
    let rows = report["rows"].as_array().context("the report has no rows")?;
    let (mut wrong, mut worst, mut judged) = (Vec::new(), 0, 0);
    if rows.is_empty() {
        wrong.push("no row".to_owned());
    }
    for row in rows {
        let name = format!("{} at {}", text(&row["fault"]), text(&row["phase"]));
        let came = row["wrong"].as_array().is_some_and(Vec::is_empty);
        if !came {
            wrong.push(format!("{name}: {}", row["wrong"]));
        }
        if row["fault"] == OWN_OUTAGE {
            continue;
        }
        let quiet = [&row["before"], &row["after"]];
        if quiet.iter().chain([&&row["during"]]).any(|window| number(&window["requests"]) < REQUESTS_MIN) {
            wrong.push(format!("{name}: a window has fewer than {REQUESTS_MIN} requests"));
            continue;
        }
        let quiet = quiet.map(|window| number(&window["p99_us"])).into_iter().max().unwrap_or(0);
        let during = number(&row["during"]["p99_us"]);
        let percent = during * 100 / quiet.max(1);
        worst = worst.max(percent);
        judged += 1;
        if percent > P99_MAX {
            wrong.push(format!("{name}: p99 {during} µs, in quiet {quiet} µs: {percent} %, {P99_MAX} % are allowed"));
        }
        let failed = number(&row["during"]["wrong"]);
        if failed > 0 {
            wrong.push(format!("{name}: {failed} requests failed"));
        }
    }
    Ok((wrong, format!("{judged} faults, p99 of another shop at most {worst} % of that in quiet")))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// What is not there passes no rule: a window without requests is too small.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn window(p99_us: u64) -> Value {
        json!({"requests": 600, "wrong": 0, "p99_us": p99_us})
    }

    fn wrong(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut row = json!({"fault": "slot dropped", "phase": "ready", "wrong": [],
            "before": window(4_000), "during": window(9_000), "after": window(6_000)});
        change(&mut row);
        check(&json!({"schema": SCHEMA, "rows": [row]})).unwrap().0
    }

    #[test]
    fn half_as_slow_again_as_the_slower_quiet_is_allowed_and_no_more() {
        assert_eq!(wrong(|_| {}), Vec::<String>::new());
        assert_eq!(
            wrong(|row| row["during"]["p99_us"] = json!(9_061)),
            ["slot dropped at ready: p99 9061 µs, in quiet 6000 µs: 151 %, 150 % are allowed"]
        );
    }

    #[test]
    fn a_failed_request_a_wrong_row_and_a_window_without_requests_pass_no_rule() {
        assert_eq!(wrong(|row| row["during"]["wrong"] = json!(1)).len(), 1);
        assert_eq!(wrong(|row| row["wrong"] = json!(["must be continued"])).len(), 1);
        assert_eq!(wrong(|row| row["wrong"] = Value::Null).len(), 1);
        assert_eq!(wrong(|row| row["after"] = Value::Null).len(), 1);
        assert!(check(&json!({"schema": "other"})).is_err());
        assert_eq!(check(&json!({"schema": SCHEMA, "rows": []})).unwrap().0.len(), 1);
    }

    #[test]
    fn while_the_legacys_own_server_is_away_only_the_outcome_is_judged() {
        let away = |row: &mut Value| {
            row["fault"] = json!(OWN_OUTAGE);
            row["during"] = window(900_000);
        };
        assert_eq!(wrong(away), Vec::<String>::new());
    }
}
