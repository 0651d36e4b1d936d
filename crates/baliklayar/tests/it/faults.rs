//! Seeded faults: each is named by its detector, and by nobody once that detector is taken away; so it was the
//! detector that noticed, not the announcement.
//!
//! Every run is a whole demo. A plain run takes a few faults, which ones by the seed; `--long` takes all.

use crate::demo::{alone, executable, long, seed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What a run must come to.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// Not clean, with this name among the reasons.
    Named(&'static str),
    /// The same, though the list of faults does not promise it.
    AlsoNamed(&'static str),
    /// Clean, because this refused it.
    Refused(&'static str),
    /// To anything but the names of the detectors that were taken away.
    Unnamed,
}

use Comes::{AlsoNamed, Named, Refused, Unnamed};

/// Fault, detectors taken away, what it comes to. Rows of one fault stand together.
const ROWS: [(&str, &[&str], Comes); 23] = [
    ("amount_changed", &[], Named("verify.digest")),
    ("amount_changed", &["verify.digest"], Unnamed),
    ("row_missing", &[], Named("verify.digest")),
    ("row_missing", &["verify.digest"], Unnamed),
    ("row_extra", &[], Named("verify.digest")),
    ("row_extra", &["verify.digest"], Unnamed),
    ("rows_swapped", &[], Named("verify.digest")),
    ("rows_swapped", &["verify.digest"], Unnamed),
    ("scale_wrong", &[], Named("verify.digest")),
    ("scale_wrong", &["verify.digest"], Unnamed),
    ("column_dropped", &[], Named("mapping.coverage")),
    ("column_dropped", &["mapping.coverage"], Named("control_total")),
    ("column_dropped", &["mapping.coverage", "control_total"], Unnamed),
    ("acked_write_removed", &[], Named("oracle")),
    ("acked_write_removed", &["oracle"], AlsoNamed("oracle.invoices")),
    ("acked_write_removed", &["oracle", "oracle.invoices"], Unnamed),
    ("stock_oversold", &[], Named("oracle.stock")),
    ("stock_oversold", &["oracle.stock"], Unnamed),
    ("ledger_unbalanced", &[], Named("verify.ledger")),
    ("ledger_unbalanced", &["verify.ledger"], Unnamed),
    ("writer_after_fence", &[], Refused("fence")),
    ("writer_after_fence", &["fence"], Named("rogue_watch")),
    ("writer_after_fence", &["fence", "rogue_watch"], Unnamed),
];

/// Faults of a plain run.
const FEW: usize = 3;
/// A run that takes longer hangs. Its story is a quarter of a minute, on a machine that has time for it.
const RUN_MAX: Duration = Duration::from_secs(200);

#[test]
fn the_list_of_faults_says_who_must_name_each() {
    let output = Command::new(executable()).args(["demo", "--list-faults"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ROWS.iter().map(|(fault, ..)| *fault).collect(), "{listed}");
    for (fault, _, comes) in ROWS {
        let (Named(who) | Refused(who)) = comes else { continue };
        let line = listed.lines().find(|line| line.split_whitespace().next() == Some(fault)).unwrap();
        assert!(line.contains(who), "{line}: {who}");
    }
}

#[test]
fn a_fault_is_named_by_its_detector_and_by_nobody_without_it() {
    let _alone = alone();
    let mut faults: Vec<&str> = ROWS.iter().map(|(fault, ..)| *fault).collect();
    faults.dedup();
    let all = faults.len();
    if !long() {
        faults.rotate_left(usize::try_from(seed() % 1_000).unwrap() * FEW % all);
        faults.truncate(FEW);
    }
    eprintln!("{} of {all} faults, seed {}: {}", faults.len(), seed(), faults.join(", "));
    for (fault, without, comes) in ROWS.iter().filter(|(fault, ..)| faults.contains(fault)) {
        check(fault, without, *comes);
    }
}

fn check(fault: &str, without: &[&str], comes: Comes) {
    let (exit, report, said) = demo(fault, without);
    let told = format!("{fault} without {without:?}: exit {exit:?}, {}, seed {}\n{said}", report["reasons"], seed());
    let reasons: Vec<&str> = report["reasons"].as_array().expect(&told).iter().filter_map(Value::as_str).collect();
    let refused_by = report["refused_by"].as_str();
    match comes {
        Named(who) | AlsoNamed(who) => assert!(exit == Some(1) && reasons.contains(&who), "{told}"),
        Refused(who) => assert!(exit == Some(0) && refused_by == Some(who), "{told}"),
        Unnamed => assert!(matches!(exit, Some(0 | 1)), "{told}"),
    }
    for detector in without {
        assert!(!reasons.contains(detector) && refused_by != Some(detector), "{detector} was taken away: {told}");
    }
}

/// Runs a small demo; its exit status, its report, and what it said on the way.
fn demo(fault: &str, without: &[&str]) -> (Option<i32>, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("said");
    let mut command = Command::new(executable());
    command.args("demo --shops 2 --shoppers 8 --rate 30 --surge 20 --seconds 6 --port 0 --json -".split(' '));
    command.args(["--seed", &seed().to_string(), "--fault", fault]).arg("--work").arg(folder.path().join("work"));
    for detector in without {
        command.args(["--without", detector]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        sender.send(text)
    });
    let text = receiver.recv_timeout(RUN_MAX);
    if text.is_err() {
        child.kill().unwrap();
    }
    let exit = child.wait().unwrap().code();
    reading.join().unwrap().unwrap();
    let said = std::fs::read_to_string(&log).unwrap();
    let text = text.unwrap_or_else(|_| panic!("{fault} without {without:?} hangs\n{said}"));
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: exit {exit:?}: {text}\n{said}"));
    (exit, report, said)
}
