//! The mover: makes the state of each shop's move match the wishes.
//!
//! It copies and follows the source into staged rows, derives documents from them, verifies them by a way of its own,
//! performs the steps that `cutover` decides, and carries facts back while the way back is open. What it does is in
//! step records before it is done; a crash loses nothing but time.
//! Absent on purpose: gateways and HTTP (the executable carries [`Ask`]s), rails, and the decisions themselves.

mod accept;
mod aggregate;
mod bases;
mod blocks;
mod board;
mod bulk;
mod cells;
mod context;
mod copy;
mod derive;
mod dial;
mod drive;
mod error;
mod eyes;
mod faults;
mod fingerprint;
#[cfg(test)]
mod fixture;
mod lease;
mod links;
mod observe;
mod perform;
mod policy;
mod records;
mod rehearse;
mod release;
mod report;
mod reread;
mod reverse;
mod run;
mod source_rows;
mod staged;
mod stream;
mod throttle;
mod totals;
mod trouble;
mod verify;
mod waits;
mod wishes;

pub use aggregate::born_origin;
pub use board::{stands, status};
pub use context::{Clock, Without};
pub use cutover::verb::Verb;
pub use drive::Seen;
pub use error::{Error, Result};
pub use eyes::{Eyes, Told};
pub use faults::Fault;
pub use links::{Ask, Links};
pub use policy::Policy;
pub use records::from_stored;
pub use release::release_all;
pub use report::{Entity, Sums, entities};
pub use run::{Setup, compile, run};
pub use totals::Totals;
