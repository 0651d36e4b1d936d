//! Codes that the program prints, against the pages that say what they mean: whoever adds one explains it. And pages
//! without gaps: no marker for what somebody still had to fill in, no test left out that `./test` does not name.
//!
//! Absent on purpose: whether an explanation is any good.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{File, files, rust_files};

/// Where codes are written, the text in front of each, and the page on which it has to stand.
const CODES: [(&str, &[&str], &str); 12] = [
    ("crates/baliklayar/src/moving", &["refuse(\""], "docs/runbook.md"),
    ("crates/baliklayar/src/moving", &["refuse(\""], "docs/contracts.md"),
    ("crates/mover/src/", &["wishes::refused(\"", "Refused { code: \""], "docs/runbook.md"),
    ("crates/mover/src/", &["wishes::refused(\"", "Refused { code: \""], "docs/contracts.md"),
    ("crates/capture/src/inspect/trap.rs", &["=> \""], "docs/runbook.md"),
    ("crates/capture/src/finding.rs", &["=> \""], "docs/runbook.md"),
    ("crates/cutover/src/ready.rs", &["=> \""], "docs/runbook.md"),
    ("crates/cutover/src/", &["Reason::Failed(\""], "docs/runbook.md"),
    ("crates/mover/src/", &["Reason::Failed(\"", "class: \"", "shop, \""], "docs/runbook.md"),
    ("crates/baliklayar/src/demo/report.rs", &["insert(\"", "vec![\""], "docs/runbook.md"),
    ("crates/commerce/src/", &["Refusal::new(\""], "docs/ucp.md"),
    ("crates/mapping/src/", &["Problem::new(\"", "sink.error(\""], "docs/mapping.md"),
];

/// The text without its tests: a test may make codes up.
fn product(file: &File) -> &str {
    file.text.find("\n#[cfg(test)]\nmod ").map_or(&file.text, |at| &file.text[..at])
}

/// The codes after `prefix`: lower case, with what stands between the words of one.
fn codes<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_ascii_lowercase() || "_./".contains(c);
    text.split(prefix).skip(1).filter_map(move |rest| {
        let (code, _) = rest.split_once('"')?;
        (!code.is_empty() && code.chars().all(is_part)).then_some(code)
    })
}

/// A family stands for its members: `codec/…`, `mapping.…`.
fn is_explained(page: &str, code: &str) -> bool {
    let family = code.split_inclusive(['/', '.']).next().unwrap_or(code);
    page.contains(code) || (family != code && page.contains(&format!("{family}…")))
}

#[test]
fn every_code_that_is_printed_is_explained() {
    let (pages, sources) = (files(), rust_files());
    let mut missing = BTreeSet::new();
    for (place, prefixes, page) in CODES {
        let text = &pages.iter().find(|file| file.path == page).unwrap_or_else(|| panic!("no {page}")).text;
        let of_place = || sources.iter().filter(|file| file.path.starts_with(place)).map(product);
        let found: Vec<&str> =
            of_place().flat_map(|source| prefixes.iter().flat_map(move |prefix| codes(source, prefix))).collect();
        assert!(!found.is_empty(), "{place} has no codes behind {prefixes:?}: are they written otherwise now?");
        let unexplained = found.into_iter().filter(|code| !is_explained(text, code));
        missing.extend(unexplained.map(|code| format!("{code} of {place} is not in {page}")));
    }
    let missing: Vec<String> = missing.into_iter().collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whoever is stopped finds a page that says what goes on, what to do and what not.
#[test]
fn every_class_that_stops_a_shop_has_a_page_that_the_runbook_leads_to() {
    let pages = files();
    let text = |path: &str| &pages.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).text;
    let source = text("crates/cutover/src/stopping.rs");
    let (_, listed) = source.split_once("STOPPING: [").expect("the classes are listed there");
    let (_, listed) = listed.split_once("= [").expect("with their names");
    let (listed, _) = listed.split_once(']').expect("to the end");
    let classes: Vec<&str> = listed.split('"').skip(1).step_by(2).collect();
    assert!(classes.len() >= 4, "{classes:?}");
    for class in classes {
        let page = text(&format!("docs/runbook/{class}.md"));
        for part in ["What goes on", "How it looks", "What to do", "When it is over", "Never"] {
            assert!(page.contains(&format!("\n## {part}\n")), "docs/runbook/{class}.md does not say: {part}");
        }
        assert!(
            text("docs/runbook.md").contains(&format!("(runbook/{class}.md)")),
            "the runbook does not lead to {class}"
        );
    }
}

/// Words such as `FIGURES_HERE`, under which somebody wanted to put something later.
fn gaps(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.ends_with("_HERE") && word.chars().all(|c| !c.is_ascii_lowercase()))
}

#[test]
fn no_document_has_a_gap_that_somebody_still_has_to_fill() {
    let documents: Vec<File> = files().into_iter().filter(|file| file.path.ends_with(".md")).collect();
    assert!(documents.iter().any(|file| file.path == "README.md"), "the documents were not found");
    let of = |file: &File| -> Vec<String> {
        gaps(&file.text).map(|gap| format!("{} of {} is still to be filled", gap, file.path)).collect()
    };
    let gaps: Vec<String> = documents.iter().flat_map(of).collect();
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
}

#[test]
fn a_gap_is_told_from_a_word() {
    assert_eq!(gaps("A `FIGURES_HERE`, X1_HERE.").collect::<Vec<_>>(), ["FIGURES_HERE", "X1_HERE"]);
    assert_eq!(gaps("HERE, is_here, NOT_HERE_YET, T-HERE").count(), 0);
}

/// A test that does nothing without a variable counts as passed: so `./test` says each of them by name.
#[test]
fn a_test_that_needs_the_real_history_is_named_by_the_script_that_leaves_it_out() {
    // Put together here, so that this file is not taken for such a test.
    let variable = concat!("\"BALIK", "_DATA\"");
    let script = files().into_iter().find(|file| file.path == "test").expect("the script is there").text;
    let of_tests = |file: &File| file.path.contains("/tests/") && file.text.contains(variable);
    let tests: Vec<File> = rust_files().into_iter().filter(of_tests).collect();
    assert!(!tests.is_empty(), "nobody reads the real history any more");
    let function = |file: &File| {
        let (_, after) = file.text.split_once("::test")?;
        let (_, name) = after.split_once("fn ")?;
        Some(format!("{}::{}", Path::new(&file.path).file_stem()?.to_str()?, name.split_once('(')?.0))
    };
    for file in tests {
        let name = function(&file).unwrap_or_else(|| panic!("{} has no test", file.path));
        assert!(script.contains(&name), "./test does not say that it leaves out {name}");
    }
}

#[test]
fn a_code_is_explained_by_its_name_or_its_family() {
    assert_eq!(codes("a(\"b_c\") a(\"D e\") a(\"f/g\", x)", "a(\"").collect::<Vec<_>>(), ["b_c", "f/g"]);
    assert!(is_explained("`codec/…` is", "codec/none") && is_explained("`codec/none`", "codec/none"));
    assert!(!is_explained("codec", "codec/none") && !is_explained("`words/…`", "codec/none"));
}
