//! The mover over SQLite on both sides: no server, no gateway but one that does as it is told.
#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]

mod journey;
mod outside;
mod refused;
mod reread;
mod throttle;
mod world;
