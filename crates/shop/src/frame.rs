//! What every request says about itself: its shop, the epoch of its route, and for writes its key.

use vocab::id::{Epoch, ShopId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub shop: ShopId,
    /// The epoch under which it was routed; a write under another one than the head's is not executed. Reads are
    /// served whatever it says: around a flip they go to the former owner on purpose.
    pub epoch: Option<Epoch>,
}

/// The key of a write, and the SHA-256 of its raw body in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    pub key: String,
    pub body: String,
}
