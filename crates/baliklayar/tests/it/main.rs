//! The executable's parts together.
#![expect(clippy::unwrap_used, reason = "a test's unwrap is its assertion; clippy exempts only #[test] functions")]

mod backups;
mod boundary;
mod buyers;
mod client;
mod console;
mod contracts;
mod crash;
mod demo;
mod deployment;
mod dial;
mod faults;
mod findings;
mod flash;
mod framed;
mod fsync;
mod host;
mod ids;
mod inspect;
mod invoices;
mod kills;
mod laws;
mod paid_across;
mod paid_through_kills;
mod payments;
mod retry;
mod roundtrip;
mod rush;
mod serve;
mod served;
mod service;
mod source_faults;
mod store_faults;
mod straggler;
mod taken_up;
mod world;
