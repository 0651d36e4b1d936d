//! Every bound of a cutover, in one place, because they only make sense together.
//!
//! Times are milliseconds, sizes are bytes. The assertions below hold at compile time.

/// A hold ends by flip or abort, released, before this; a seam answers what it still holds then with 503.
pub const HOLD_MS_MAX: u32 = 500;
/// From here on a hold is given up: what is left of [`HOLD_MS_MAX`] pays for unfence, abort and release.
pub const HOLD_GIVE_UP_MS: u32 = 400;
/// The longest that closing the source's fence waits for its locks.
pub const FENCE_LOCK_MS_MAX: u32 = 200;
/// Requests that one seam holds for one shop.
pub const HELD_COUNT_MAX: usize = 4_096;
/// Bytes of request bodies that one seam holds for one shop.
pub const HELD_BYTES_MAX: usize = 32 << 20;
/// The largest request body.
pub const REQUEST_BYTES_MAX: usize = 256 << 10;
/// When a client gives up.
pub const CLIENT_TIMEOUT_MS: u32 = 15_000;
/// How often every route is pushed to every seam.
pub const ROUTE_PUSH_MS: u32 = 200;
/// A seam that was not pushed to for so long answers 503.
pub const ROUTE_STALE_MS: u32 = 1_000;
/// The mover's lease.
pub const LEASE_MS: u32 = 1_000;
/// The next mover has ended a dead one's hold within this, counted from its lease.
pub const TAKEOVER_MS_MAX: u32 = 5_000;
/// The pause after a failed step that must be repeated, and before the hold after an aborted one.
pub const REST_MS: u32 = 1_000;
/// Ready: the copy is less than this behind the source.
pub const READY_LAG_MS: u32 = 200;
/// How often a heartbeat is sent through the source's change stream.
pub const HEARTBEAT_MS: u64 = 200;
/// Read dial: what a copy answers is at most this old when the answer leaves the seam; an older copy's reads go to the
/// owner.
pub const COPY_AGE_MS_MAX: u64 = 1_000;
/// Ready: fewer aggregates than this changed since the last verification pass.
pub const READY_DIRTY: u64 = 500;
/// Ready to go back: fewer facts than this are not yet in the legacy.
pub const READY_FACTS_LEFT: u64 = 500;

const _: () = assert!(FENCE_LOCK_MS_MAX < HOLD_GIVE_UP_MS, "a fence that waits must leave time for mark to flip");
const _: () = assert!(HOLD_GIVE_UP_MS < HOLD_MS_MAX, "an abort must be over before the seams answer 503");
const _: () = assert!(READY_LAG_MS < HOLD_GIVE_UP_MS, "what lags must fit into the hold");
const _: () = assert!(HOLD_MS_MAX < LEASE_MS, "a lease renewed before a hold must outlive it");
const _: () = assert!(LEASE_MS + TAKEOVER_MS_MAX < CLIENT_TIMEOUT_MS, "a client must outlive the death of a mover");
const _: () = assert!(HOLD_MS_MAX < CLIENT_TIMEOUT_MS, "a held client must not give up");
const _: () = assert!(4 * ROUTE_PUSH_MS < ROUTE_STALE_MS, "three lost pushes must not make a route stale");
const _: () = assert!(HELD_BYTES_MAX / REQUEST_BYTES_MAX >= 128, "a few large requests must not overflow a hold");
const _: () = assert!(HELD_COUNT_MAX >= 1_000, "a busy shop's writes of one hold must fit");
const _: () = assert!(4 * HEARTBEAT_MS < COPY_AGE_MS_MAX, "a ready copy must not fall out of the dial");
