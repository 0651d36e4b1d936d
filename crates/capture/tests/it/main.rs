//! Capture against real databases: PostgreSQL (see `testkit::postgres`) and SQLite.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on has failed like the test itself")]

mod block;
mod copy;
mod fence;
mod inspect;
mod install;
mod keys;
mod reshaped;
mod straggler;
mod stream;
mod world;
mod write_back;
