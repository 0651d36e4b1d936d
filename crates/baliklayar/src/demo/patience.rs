//! How long the story waits for a shop: until its time is over, or until a finding has stood in its way for so long
//! that nothing comes of waiting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use vocab::document::Record;
use vocab::id::ShopId;

/// Longer than what is half copied is taken for wrong, and than verification needs to take its finding back.
const FINDING_MAX: Duration = Duration::from_secs(4);

pub struct Patience {
    deadline: Instant,
    /// Since when each shop was seen with findings that nobody accepted.
    blocked: BTreeMap<ShopId, Instant>,
}

impl Patience {
    pub fn new(max: Duration) -> Self {
        Self { deadline: Instant::now() + max, blocked: BTreeMap::new() }
    }

    /// Whether waiting on for this shop is in vain, by what the drivers show now.
    pub fn is_over(&mut self, states: &Record, shop: &ShopId) -> bool {
        let now = Instant::now();
        if findings_open(states, shop) == 0 {
            self.blocked.remove(shop);
            return now > self.deadline;
        }
        let since = *self.blocked.entry(shop.clone()).or_insert(now);
        now > self.deadline || now.duration_since(since) > FINDING_MAX
    }
}

fn findings_open(states: &Record, shop: &ShopId) -> i64 {
    states.record(shop.as_str()).and_then(|row| row.int("findings_open")).unwrap_or(0)
}
