//! Mapping files, bent in every way: each compiles, or is refused with a place that a person can be shown.

use commerce::shape::SHAPES;
use mapping::{File, compile};
use testkit::outside::{Bends, Inputs};

/// Without `BALIK_LONG`.
const FEW: u64 = 3_000;
const WHOLE: &str = include_str!("../../../mover/tests/small.toml");

#[test]
fn a_file_compiles_or_is_refused_with_its_place() {
    // Whole, and line by line, so that what is bent is more than one long text.
    let lines = WHOLE.lines().map(str::to_owned);
    let words = [
        "[entity.", "[codec]", "[table.", "is = ", " as ", "once", "->", "'", "\"\"\"", "==", "sum(", "if ", "(", "{",
        "id", "text(", "int",
    ];
    let bends = Bends::of(std::iter::repeat_n(WHOLE.to_owned(), 24).chain(lines)).knowing(words);
    let tried = Inputs::of("mapping files", FEW).each(&bends, |input| {
        let text = String::from_utf8_lossy(input);
        match compile(&[File { name: "bent.toml", text: &text }], SHAPES) {
            Ok(_) => "compiled",
            Err(found) => {
                assert!(!found.is_empty() && found.iter().all(|one| !one.to_string().is_empty()));
                "refused"
            }
        }
    });
    tried.reached(&["compiled", "refused"]);
}
