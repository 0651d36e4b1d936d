//! The decisions of a move: where a shop stands, what comes next, who is asked, how far it all is.
//!
//! [`progress`](progress::progress) reads where a shop stands from durable things alone (step records and the head);
//! [`next`](next::next) says what to do next. The mover performs it, `release-all` runs the same function in another
//! process, and the model in `tests/it/model.rs` checks this very code.
//!
//! Invariant: the owner changes only at [`Step::Flip`](step::Step::Flip), and that comes only when every seam holds,
//! nothing is in flight, the source's fence is closed and everything up to the mark is applied and proven.
//! Absent on purpose: databases, HTTP, async, clocks, and what a row means.

pub mod bounds;
pub mod formula;
pub mod hold;
pub mod latency;
pub mod next;
pub mod progress;
pub mod ready;
pub mod record;
pub mod route;
pub mod state;
pub mod step;
pub mod stopping;
pub mod throttle;
pub mod verb;
