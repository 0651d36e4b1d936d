//! The gateway in front of both sides: it classifies, routes, forwards, holds and releases, per shop.
//!
//! Invariant: a write of a shop is at any instant parked here or counted in flight towards exactly one owner, and it
//! is counted until that owner's answer has been received completely. So "held and nothing in flight" means that no
//! write of the shop is on its way anywhere.
//! Absent on purpose: what an order is, ids, SQL, translation. A request reaches its owner with the path, authority
//! and bytes with which it came.

mod answer;
mod connection;
mod cores;
mod fields;
mod forward;
mod gate;
mod general;
mod handle;
mod headers;
mod operation;
#[cfg(test)]
mod outside;
mod plain;
mod queue;
mod reply;
mod server;
mod shops;
mod upstream;
mod waits;

use std::time::Duration;

use cutover::bounds::{HELD_BYTES_MAX, HELD_COUNT_MAX, HOLD_MS_MAX, REQUEST_BYTES_MAX, ROUTE_STALE_MS};
use http::uri::Authority;
use vocab::id::Side;

pub use cutover::route::Route;
pub use handle::{Handle, PushError, Released, Stats};
pub use operation::{BadPattern, Class, Operation};
pub use server::{Seam, start};

/// How a seam is set up; [`Config::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port` of the side that is left (or returned to).
    pub legacy: Authority,
    /// `host:port` of our own backend.
    pub backend: Authority,
    /// Who answers a shop for which no route was ever pushed; none: such a shop is unknown here (404). Safe as long
    /// as every route that says otherwise is pushed before the first heartbeat.
    pub default_owner: Option<Side>,
    /// Adds `balik-side` and `balik-held-us` to answers.
    pub debug_headers: bool,
    /// Rows that a plan adds to the operation table for paths that only its legacy has.
    pub operations: Vec<Operation>,
    /// Threads that serve; as many as the process may use processors, unless said otherwise.
    pub threads: usize,
    pub limits: Limits,
}

impl Config {
    #[must_use]
    pub fn new(legacy: Authority, backend: Authority) -> Self {
        Self {
            legacy,
            backend,
            default_owner: None,
            debug_headers: false,
            operations: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            limits: Limits::DEFAULT,
        }
    }
}

/// Everything here is bounded; these are the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A hold ends its waiting after this, whatever deadline was asked for.
    pub hold_max: Duration,
    /// Writes parked for one shop.
    pub parked_max: usize,
    /// Bytes parked for one shop: heads and bodies.
    pub parked_bytes_max: usize,
    /// Without a push for longer than this, the routes here may be wrong and nothing is answered from them.
    pub stale_after: Duration,
    /// Bytes of a request's body.
    pub body_max: usize,
    /// How long a client may take to send the body of a request.
    pub body_within: Duration,
    /// Bytes of an owner's answer.
    pub answer_max: usize,
    /// How long an owner may take to answer.
    pub answer_within: Duration,
    /// How long a connection to an owner may take to open.
    pub connect_within: Duration,
}

impl Limits {
    pub const DEFAULT: Self = Self {
        hold_max: millis(HOLD_MS_MAX),
        parked_max: HELD_COUNT_MAX,
        parked_bytes_max: HELD_BYTES_MAX,
        stale_after: millis(ROUTE_STALE_MS),
        body_max: REQUEST_BYTES_MAX,
        body_within: Duration::from_secs(10),
        answer_max: 8 << 20,
        answer_within: Duration::from_secs(30),
        connect_within: Duration::from_secs(2),
    };
}

/// `Duration::from_millis` of a bound; a `const` cannot convert through `From`.
const fn millis(bound: u32) -> Duration {
    Duration::from_millis(1).saturating_mul(bound)
}
