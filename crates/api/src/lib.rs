//! HTTP of the backend, in the shapes of UCP 2026-08-25: parse, run, render.
//!
//! A shop's no is a 200 with an error envelope; a 4xx or 5xx says that the request was no proper one or that the world
//! failed, and means that nothing was committed (or, for a 5xx, that the key will tell).
//! Absent on purpose: SQL, who owns a shop, and anything that remembers a request.

mod call;
mod framing;
mod invoice;
mod keys;
mod limit;
mod link;
mod notices;
mod pay;
mod problem;
mod routes;
mod serve;
mod sheet;
pub mod wire;

pub use framing::{NoOrigin, WebOrigin};
pub use keys::{KeyDigest, Keys, NoDigest};
pub use limit::Rate;
pub use routes::{Options, router};
pub use serve::serve;
