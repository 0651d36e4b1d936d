//! What axe-core, the rules that people agree on for who cannot see, hear or point, says of a page.
//!
//! Its script is nobody's here: `./test` gets it and names it in `BALIK_AXE`. What a frame shows is a page of its own, to be
//! looked at in it: from outside the script would ask there for itself, which is no more there than anything else of ours.

use crate::browser::Browser;
use serde_json::Value;

const RUN: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, {resultTypes: ['violations'], iframes: false})
       .then((said) => done({version: axe.version, passes: said.passes.length, violations: said.violations}), (error) => done({error: String(error)}));";

/// Fails if the page that is open has a serious or a critical violation, or if nothing was looked at.
#[track_caller]
pub fn nothing_serious(browser: &Browser, page: &str) {
    let path = std::env::var("BALIK_AXE").expect("BALIK_AXE names no axe.min.js: ./test gets one and names it");
    let script = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("BALIK_AXE={path}: {error}"));
    browser.run(&format!("if (!window.axe) {{ {script} }}"));
    let said = browser.run_later(RUN);
    assert!(said["passes"].as_u64().is_some_and(|passes| passes > 5), "{page}: axe did not look: {said}");
    let is_serious = |found: &&Value| matches!(found["impact"].as_str(), Some("serious" | "critical"));
    let wrong: Vec<String> = said["violations"].as_array().into_iter().flatten().filter(is_serious).map(told).collect();
    assert!(wrong.is_empty(), "{page}, axe {}:\n{}", said["version"], wrong.join("\n"));
}

fn told(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<String> = nodes.map(|node| format!("  {} {}", node["target"], node["failureSummary"])).collect();
    format!("{} ({}): {}\n{}", violation["id"], violation["impact"], violation["help"], nodes.join("\n"))
}
