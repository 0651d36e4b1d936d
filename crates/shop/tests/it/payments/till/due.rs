//! Time, which goes by on both clocks at once, and what falls due in it.

use super::super::chaos::cut_off;
use super::{SECOND_US, Till};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use vocab::id::Timestamp;

/// Looks at what is due until nothing is: more would be a loop that does not end.
const ROUNDS_MAX: usize = 64;

impl Till {
    /// So many seconds go by, on both clocks, and whatever becomes due meanwhile is done at its time.
    pub async fn pass(&self, seconds: i64) {
        let until = self.now().0 + seconds * SECOND_US;
        self.work().await;
        while self.now().0 < until {
            let left = until - self.now().0;
            // In steps that grow: soon after something happened much is due, and later little.
            let gone = seconds * SECOND_US - left;
            let step = (gone / 4).clamp(SECOND_US, 600 * SECOND_US).min(left).max(SECOND_US);
            self.skip(step / SECOND_US).await;
            self.work().await;
        }
    }

    /// So many seconds go by in which nobody does anything.
    pub async fn skip(&self, seconds: i64) {
        self.ahead.fetch_add(seconds * SECOND_US, Ordering::SeqCst);
        self.control("clock", &json!({ "advance_s": seconds })).await;
    }

    /// So many seconds go by; what is due is begun all at once, and one in four is cut off anywhere, as by a kill.
    pub async fn pass_badly(&self, seconds: i64, below: &mut impl FnMut(u64) -> u64) {
        let until = self.now().0 + seconds * SECOND_US;
        while self.now().0 < until {
            let left = (until - self.now().0).max(SECOND_US);
            let step = (seconds * SECOND_US / 24).clamp(SECOND_US, left);
            self.skip(step / SECOND_US).await;
            let mut after = || (below(4) == 0).then(|| Duration::from_micros(below(8_000)));
            let mut tasks = tokio::task::JoinSet::new();
            for due in self.notices_due().await {
                let service = self.service.clone();
                tasks.spawn(cut_off(async move { service.read_notice(&due).await }, after()));
            }
            for woken in self.store.woken(self.now(), 64).await.unwrap() {
                let service = self.service.clone();
                tasks.spawn(cut_off(async move { service.tend(&woken).await }, after()));
            }
            tasks.join_all().await;
        }
    }

    /// Notices of our shop, and of what nobody here has heard of.
    async fn notices_due(&self) -> Vec<store::Due> {
        let mut due = self.store.notices_due(self.now(), true, 64).await.unwrap();
        due.extend(self.store.notices_due(self.now(), false, 64).await.unwrap());
        due
    }

    /// Does what is due now.
    async fn work(&self) {
        for _ in 0..ROUNDS_MAX {
            let (notices, woken) = (self.notices_due().await, self.store.woken(self.now(), 64).await.unwrap());
            if notices.is_empty() && woken.is_empty() {
                return;
            }
            let mut tasks = tokio::task::JoinSet::new();
            for due in notices {
                let service = self.service.clone();
                tasks.spawn(async move { service.read_notice(&due).await });
            }
            for woken in woken {
                let service = self.service.clone();
                tasks.spawn(async move { service.tend(&woken).await });
            }
            for done in tasks.join_all().await {
                done.unwrap();
            }
        }
        panic!("what is due is never done: {:?}", self.store.woken(self.now(), 64).await);
    }

    /// Nothing is due any more, ever.
    pub async fn at_rest(&self) {
        let waiting = self.store.woken(Timestamp(i64::MAX), 64).await.unwrap();
        assert!(waiting.is_empty(), "{waiting:?}");
    }
}
