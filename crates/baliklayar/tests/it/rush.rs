//! More people than the machine can bear do not keep a shop from moving.

use crate::demo::{Demo, How, alone, say};
use std::time::Duration;

/// Requests per second at three shops at once, half of them writes that one file has to take one by one.
const UNBEARABLE: u32 = 3_000;
const END_MAX: Duration = Duration::from_secs(200);

#[test]
fn a_rush_that_the_legacy_cannot_bear_ends_and_every_shop_moves() {
    let _alone = alone();
    let ended = Demo::start(&How { shops: 4, surge: UNBEARABLE, ..How::on("sqlite") }).end(END_MAX);
    assert_eq!(ended.fault(), None, "{}", ended.said);
    let holds = ended.report["holds"].as_array().map(Vec::as_slice).unwrap_or_default();
    let aborted = holds.iter().filter(|hold| hold["outcome"] == "aborted").count();
    say(&format!("{} holds, {aborted} of them aborted", holds.len()));
}
