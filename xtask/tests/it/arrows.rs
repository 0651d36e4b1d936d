//! Which crate may use which: the walls of the workspace.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::source::metadata;

/// Every crate of ours and those of ours that it may use. Moving a wall is a commit of its own that says why.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("vocab", &[]),
    ("crash", &[]),
    ("commerce", &["vocab"]),
    ("mapping", &["vocab"]),
    ("cutover", &["crash", "vocab"]),
    ("evidence", &["vocab"]),
    ("capture", &["crash", "vocab"]),
    ("store", &["commerce", "crash", "cutover", "evidence", "vocab"]),
    ("seam", &["cutover", "vocab"]),
    ("shop", &["commerce", "crash", "store", "vocab"]),
    ("mover", &["capture", "commerce", "crash", "cutover", "evidence", "mapping", "store", "vocab"]),
    ("api", &["commerce", "shop", "vocab"]),
    ("console", &["commerce", "cutover", "evidence", "store", "vocab"]),
    // What stands around the product in the demo shares no code with it.
    ("demo-host", &[]),
    ("demo-legacy", &[]),
    ("demo-provider", &[]),
    ("demo-shoppers", &[]),
    ("testkit", &[]),
    ("xtask", &[]),
];

/// The executable assembles everything and is used by nobody.
const TOP: &str = "baliklayar";

/// They measure what the executable assembles, and only as tests are built: nobody uses them either.
const BENCHES: &str = "benches";

/// Used in tests by whoever needs a server.
const FOR_TESTS: &str = "testkit";

/// Arrows that only tests have, and why.
const TESTS_MAY_USE: [(&str, &str, &str); 6] = [
    ("mapping", "commerce", "the laws are checked on the shapes that mapping files are written for"),
    ("shop", "demo-provider", "payments are tried through a provider that runs, which is no part of the product"),
    ("demo-host", "demo-legacy", "a purchase is tried on a real shop; neither is part of the product"),
    ("demo-legacy", "demo-provider", "kios pays through a provider that runs; neither is part of the product"),
    ("demo-shoppers", "demo-legacy", "the oracle is judged on a real legacy; neither is part of the product"),
    ("demo-shoppers", "demo-provider", "people pay later at a real provider; neither is part of the product"),
];

/// Foreign crates that belong behind a wall, and who stands behind it.
const BEHIND: [(&str, &[&str]); 9] = [
    (
        "rusqlite",
        &[
            "capture",
            "store",
            "mover",
            "baliklayar",
            "demo-legacy",
            "demo-provider",
            "demo-shoppers",
            "testkit",
            "xtask",
        ],
    ),
    ("tokio-postgres", &["capture", "store", "baliklayar", "demo-legacy", "demo-shoppers", "testkit"]),
    ("pgwire-replication", &["capture"]),
    ("httparse", &["seam"]),
    // Of a shop only its rails: they call providers.
    ("hyper", &["seam", "shop", "baliklayar", "demo-host", "demo-provider", "demo-shoppers"]),
    ("hyper-util", &["seam", "shop", "baliklayar", "demo-host", "demo-provider", "demo-shoppers"]),
    ("axum", &["api", "console", "baliklayar", "demo-host", "demo-legacy", "demo-provider", "demo-shoppers"]),
    ("http", &["api", "seam", "console", "baliklayar", "demo-host", "demo-legacy", "demo-provider", "demo-shoppers"]),
    ("anyhow", &["baliklayar", "demo-host", "demo-legacy", "demo-provider", "demo-shoppers", "xtask"]),
];

/// Crates that decide: they never await, read a clock, allocate an id or do I/O.
const PURE: [&str; 5] = ["vocab", "commerce", "mapping", "cutover", "evidence"];
const IMPURE: [&str; 6] = ["tokio", "futures-util", "uuid", "jiff", "tracing", "tempfile"];

struct Arrow {
    from: String,
    to: String,
    is_for_tests: bool,
}

fn arrows() -> Vec<Arrow> {
    let metadata = metadata(&["--no-deps"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |package: &Value| -> Vec<Arrow> {
        let from = text(&package["name"]);
        let arrow = |dependency: &Value| Arrow {
            from: from.clone(),
            to: text(&dependency["name"]),
            is_for_tests: dependency["kind"] == "dev",
        };
        package["dependencies"].as_array().unwrap().iter().map(arrow).collect()
    };
    metadata["packages"].as_array().unwrap().iter().flat_map(of).collect()
}

fn check(name: &str, is_wrong: impl Fn(&Arrow) -> bool) {
    let wrong: Vec<String> = arrows()
        .iter()
        .filter(|arrow| is_wrong(arrow))
        .map(|arrow| format!("{} → {}{}", arrow.from, arrow.to, if arrow.is_for_tests { " (tests)" } else { "" }))
        .collect();
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// Whether `to` is among what `from` may use, or among what stands below that.
fn stands_below(may_use: &BTreeMap<&str, &[&str]>, from: &str, to: &str) -> bool {
    let direct = may_use.get(from).copied().unwrap_or_default();
    direct.contains(&to) || direct.iter().any(|below| stands_below(may_use, below, to))
}

#[test]
fn crates_use_only_what_stands_below_them() {
    let may_use = BTreeMap::from(MAY_USE);
    check("arrows that no wall lets through", |arrow| {
        let (from, to) = (arrow.from.as_str(), arrow.to.as_str());
        let is_ours = to == TOP || may_use.contains_key(to);
        // A test sets up what stands below the crate under test, however deep.
        let is_allowed = match arrow.is_for_tests {
            true => {
                let listed = TESTS_MAY_USE.iter().any(|(user, used, _)| (*user, *used) == (from, to));
                to == FOR_TESTS || listed || stands_below(&may_use, from, to)
            }
            false => may_use.get(from).is_some_and(|below| below.contains(&to)),
        };
        is_ours && from != TOP && !(from == BENCHES && arrow.is_for_tests) && !is_allowed
    });
}

#[test]
fn every_crate_has_its_place() {
    let metadata = metadata(&["--no-deps"]);
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(
            [TOP, BENCHES].contains(&name) || MAY_USE.iter().any(|(known, _)| *known == name),
            "{name} has no row in MAY_USE"
        );
    }
}

#[test]
fn the_test_kit_serves_tests_only() {
    check("the product uses the test kit", |arrow| arrow.to == FOR_TESTS && !arrow.is_for_tests);
}

#[test]
fn drivers_and_protocols_stay_behind_their_walls() {
    let behind = BTreeMap::from(BEHIND);
    check("a foreign crate outside its wall", |arrow| {
        !arrow.is_for_tests && behind.get(arrow.to.as_str()).is_some_and(|who| !who.contains(&arrow.from.as_str()))
    });
}

#[test]
fn what_decides_neither_waits_nor_reads_a_clock() {
    check("a pure crate that could do I/O", |arrow| {
        let is_impure = IMPURE.contains(&arrow.to.as_str()) || BEHIND.iter().any(|(name, _)| *name == arrow.to);
        !arrow.is_for_tests && PURE.contains(&arrow.from.as_str()) && is_impure
    });
    check("commerce knows no serialised form", |arrow| {
        !arrow.is_for_tests && arrow.from == "commerce" && ["serde", "serde_json"].contains(&arrow.to.as_str())
    });
}
