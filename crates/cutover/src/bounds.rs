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
/// Throttle: how often it is told what shoppers waited.
pub const THROTTLE_TICK_MS: u64 = 100;
/// Throttle: how long it looks, at least, before it changes the copy's rate; and how long until few answers are enough.
pub const THROTTLE_WINDOW_MS: u64 = 500;
pub const THROTTLE_WINDOW_MAX_MS: u64 = 2_000;
/// Throttle: answers that are many, and those that are few. Fewer say nothing.
pub const THROTTLE_MANY: u64 = 100;
pub const THROTTLE_FEW: u64 = 20;
/// Throttle: after so much work the copy is silent for so long, to learn what shoppers wait without it; a silence that does
/// not come is not waited for longer than this. So many are remembered.
pub const THROTTLE_LISTEN_EVERY_MS: u64 = 10_000;
pub const THROTTLE_LISTEN_MS: u64 = 1_000;
pub const THROTTLE_LISTEN_MAX_MS: u64 = 4_000;
pub const THROTTLE_QUIET_KEPT: usize = 8;
/// Throttle: what the copy did to shoppers may go on for so long after it.
pub const THROTTLE_SETTLE_MS: u64 = 400;
/// Throttle: the copy hurts where shoppers wait longer than so many thousandths of what they wait without it.
pub const THROTTLE_P95_LIMIT: u64 = 1_150;
pub const THROTTLE_P99_LIMIT: u64 = 1_200;
/// Throttle: the copy slows down where the source's changes are staged later than this.
pub const THROTTLE_LAG_MS: u32 = 1_000;
/// Throttle: rows per second, at least, at first, and at most.
pub const THROTTLE_ROWS_MIN: u64 = 1_000;
pub const THROTTLE_ROWS_FIRST: u64 = 4_000;
pub const THROTTLE_ROWS_MAX: u64 = 1_000_000;

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
const _: () = assert!(2 * THROTTLE_TICK_MS <= THROTTLE_WINDOW_MS, "a window is more than a tick");
const _: () = assert!(THROTTLE_WINDOW_MS <= THROTTLE_WINDOW_MAX_MS && THROTTLE_FEW <= THROTTLE_MANY);
const _: () = assert!(THROTTLE_SETTLE_MS + THROTTLE_LISTEN_MS < THROTTLE_LISTEN_MAX_MS, "a silence must fit");
const _: () = assert!(2 * THROTTLE_LISTEN_MAX_MS < THROTTLE_LISTEN_EVERY_MS, "most of the time is for the copy");
const _: () = assert!(THROTTLE_P95_LIMIT > 1_000 && THROTTLE_P99_LIMIT < 1_300, "shoppers are promised 1.3 times");
const _: () = assert!(READY_LAG_MS < THROTTLE_LAG_MS, "what is ready is not slowed down");
const _: () = assert!(0 < THROTTLE_ROWS_MIN && THROTTLE_ROWS_MIN < THROTTLE_ROWS_FIRST);
const _: () = assert!(THROTTLE_ROWS_FIRST < THROTTLE_ROWS_MAX);
