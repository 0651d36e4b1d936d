//! UCP 2026-08-25 on the wire: names that nothing behind this module knows.

pub mod request;
pub mod response;

/// The version of UCP that is spoken.
pub const VERSION: &str = "2026-08-25";
/// The registry name of the instant rail.
pub const HANDLER: &str = "dev.baliklayar.instant";
/// The registry name of the page on which buyers pay in their own time.
pub const PAGE_HANDLER: &str = "dev.baliklayar.pay";
/// Its id among a shop's payment handlers. Who the provider is, no host learns.
pub const PAGE: &str = "pay";
/// The id of the instant rail among a shop's payment handlers, and the type of its instruments.
pub const INSTANT: &str = "instant";
