//! Commerce: what a shop may do, as pure functions over typed aggregates.
//!
//! A command takes aggregates, ids and the time, and returns the aggregates after it, or a [`Refusal`]. [`decision`]
//! gathers what has to be written in one commit. `from_document` of each aggregate is the only way in from plain
//! data, and checks what a live aggregate must hold; what does not is history.
//! Absent on purpose: clocks, randomness, SQL, HTTP, async, serde, floats.

pub mod cart;
pub mod catalogue;
pub mod checkout;
pub mod decision;
pub mod fault;
pub mod history;
pub mod idempotency;
pub mod intent;
pub mod invoice;
pub mod ledger;
pub mod lines;
pub mod money;
pub mod order;
pub mod payment;
pub mod product;
pub mod refusal;
pub mod shape;
pub mod terms;

pub use fault::Fault;
pub use refusal::{Refusal, Retry};
