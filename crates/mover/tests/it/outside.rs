//! Files of an operator beside a mapping, bent in every way: each is read, or refused in words.

use mover::{Policy, Totals};
use testkit::outside::{Bends, Inputs};

/// Without `BALIK_LONG`.
const FEW: u64 = 5_000;
const POLICY: &str =
    "role = \"kios\"\nthrottle = false\n[[accept]]\nshop = \"7\"\nclass = \"total_differs\"\ncount = 3\n";
const TOTALS: &str = include_str!("../../../../demo/legacy/mapping/kios.totals.toml");

#[test]
fn a_policy_is_read_or_refused() {
    let bends = Bends::of([POLICY; 4].into_iter().chain(POLICY.lines())).knowing([
        "[[accept]]\n",
        "count = ",
        "shop = ",
        "= ",
        "\"\"\"",
        "#",
    ]);
    let tried =
        Inputs::of("policies", FEW).each(&bends, |input| match Policy::parse(&String::from_utf8_lossy(input)) {
            Ok(_) => "read",
            Err(error) => {
                assert!(!error.to_string().is_empty());
                "refused"
            }
        });
    tried.reached(&["read", "refused"]);
}

#[test]
fn control_totals_are_read_or_refused() {
    let short: Vec<&str> = TOTALS.split("\n\n").collect();
    let bends = Bends::of(short.iter().copied().chain([TOTALS])).knowing([
        "[[",
        "]]",
        "sqlite = ",
        "postgres = ",
        "{keys}",
        "scale = ",
        "'",
    ]);
    let tried = Inputs::of("control totals", FEW).each(&bends, |input| {
        match Totals::parse(&[("kios.totals.toml", &String::from_utf8_lossy(input))]) {
            Ok(_) => "read",
            Err(error) => {
                assert!(!error.to_string().is_empty());
                "refused"
            }
        }
    });
    tried.reached(&["read", "refused"]);
}
