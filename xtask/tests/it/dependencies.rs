//! What the workspace stands on: licences, and crates that must not slip in.

use std::process::Command;

use serde_json::Value;

use crate::source::{metadata, root};

/// Permissive licences; none asks anything of who uses the product.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Whether the expression can be met with [`LICENCES`] alone.
fn is_allowed(expression: &str) -> bool {
    // Before SPDX expressions, `/` meant `OR`.
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = either(&mut rest);
    allowed && rest.is_empty()
}

fn either(rest: &mut &[&str]) -> bool {
    let mut allowed = both(rest);
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        allowed |= both(rest);
    }
    allowed
}

fn both(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let allowed = either(rest);
            if let [")", after @ ..] = *rest {
                *rest = after;
            }
            allowed
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            LICENCES.contains(&format!("{licence} WITH {exception}").as_str()) || LICENCES.contains(licence)
        }
        [licence, after @ ..] => {
            *rest = after;
            LICENCES.contains(licence)
        }
        [] => false,
    }
}

#[test]
fn a_licence_expression_is_read_as_it_is_meant() {
    for good in
        ["MIT", "MIT OR GPL-3.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "MIT/Apache-2.0", "GPL-2.0 OR (ISC AND Zlib)"]
    {
        assert!(is_allowed(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "", "(MIT OR ISC) AND MPL-2.0", "MIT MIT"] {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn every_dependency_is_permissively_licensed() {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Only what is built here: the others' manifests are not on a machine without the network.
    let metadata = metadata(&["--filter-platform", host]);
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "the dependencies were not found");
    let wrong: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| format!("{}: {}", package["name"], package.get("license").unwrap_or(&Value::Null)))
        .collect();
    assert!(wrong.is_empty(), "licences that nobody has agreed to:\n{}", wrong.join("\n"));
}

#[test]
fn there_is_one_provider_of_cryptography() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for second in ["aws-lc-sys", "aws-lc-rs", "openssl-sys"] {
        assert!(!lock.contains(&format!("name = \"{second}\"")), "{second} has slipped in beside ring");
    }
}
