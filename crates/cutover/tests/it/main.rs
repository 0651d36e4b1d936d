//! The tests of `cutover` from outside: its model, and its steps as text.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as tests")]
#![expect(clippy::print_stdout, reason = "the model says how many states it has seen")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it is about, the rest is the rest")]

mod desk;
mod model;
mod steps;
mod takeover;
mod throttle;
