//! Codes that the program prints, against the pages that say what they mean: whoever adds one explains it.
//!
//! Absent on purpose: whether an explanation is any good.

use std::collections::BTreeSet;

use crate::source::{File, files, rust_files};

/// Where codes are written, the text in front of each, and the page on which it has to stand.
const CODES: [(&str, &[&str], &str); 9] = [
    ("crates/baliklayar/src/moving.rs", &["refuse(\""], "docs/runbook.md"),
    ("crates/baliklayar/src/moving.rs", &["refuse(\""], "docs/contracts.md"),
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

#[test]
fn a_code_is_explained_by_its_name_or_its_family() {
    assert_eq!(codes("a(\"b_c\") a(\"D e\") a(\"f/g\", x)", "a(\"").collect::<Vec<_>>(), ["b_c", "f/g"]);
    assert!(is_explained("`codec/…` is", "codec/none") && is_explained("`codec/none`", "codec/none"));
    assert!(!is_explained("codec", "codec/none") && !is_explained("`words/…`", "codec/none"));
}
