//! Keys as triggers in somebody's file have written them, bent in every way: read whole, or not at all.

use super::value::literals;
use testkit::outside::{Bends, Inputs};

/// Without `BALIK_LONG`.
const FEW: u64 = 20_000;

#[test]
fn a_key_that_a_trigger_wrote_is_read_whole_or_not_at_all() {
    let bends =
        Bends::of(["-5,'it''s, ''so''',X'0AFF',NULL,1.5,''", "7", "'a','b'"]).knowing(["'", "''", ",", "X'", "NULL"]);
    let tried =
        Inputs::of("keys of SQLite", FEW).each(&bends, |input| match literals(&String::from_utf8_lossy(input)) {
            Some(key) => {
                assert!(!key.0.is_empty());
                "read"
            }
            None => "no key",
        });
    tried.reached(&["read", "no key"]);
}
