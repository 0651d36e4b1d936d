//! Parked writes of one shop: bounded, in arrival order, one after the other per resource.
//!
//! Invariant: of the writes of one resource that passed through here at most one runs at a time, and they run in the
//! order in which they came. So a cart whose two edits were parked sees them as its client sent them.
//! Absent on purpose: clocks, locks, what waits (`T`), whether there is a hold at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// How many released writes of a shop go on at the same time: an owner that was just given a shop is not met by
/// thousands of requests at once.
const TOGETHER_MAX: usize = 64;

/// One parked write.
pub struct Entry<T> {
    /// The resource that it writes; none if it makes a new one.
    pub resource: Option<Arc<str>>,
    /// Bytes it occupies.
    pub cost: usize,
    pub since: Instant,
    pub waiter: T,
}

#[derive(Default)]
struct Chain {
    waiting: usize,
    running: bool,
}

pub struct Queue<T> {
    next_arrival: u64,
    parked: BTreeMap<u64, Entry<T>>,
    bytes: usize,
    chains: HashMap<Arc<str>, Chain>,
    running: usize,
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        Self { next_arrival: 0, parked: BTreeMap::new(), bytes: 0, chains: HashMap::new(), running: 0 }
    }

    pub fn len(&self) -> usize {
        self.parked.len()
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn since_first(&self) -> Option<Instant> {
        self.parked.values().next().map(|entry| entry.since)
    }

    /// Whether an earlier write of this resource is parked, or was and still runs.
    pub fn is_behind(&self, resource: Option<&str>) -> bool {
        resource.is_some_and(|resource| self.chains.contains_key(resource))
    }

    /// Adds at the end; the answer names the entry to [`Queue::remove`].
    pub fn push(&mut self, entry: Entry<T>) -> u64 {
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.bytes += entry.cost;
        if let Some(resource) = &entry.resource {
            self.chains.entry(Arc::clone(resource)).or_default().waiting += 1;
        }
        self.parked.insert(arrival, entry);
        arrival
    }

    /// Takes out an entry that gives up; none if it is not parked any more.
    pub fn remove(&mut self, arrival: u64) -> Option<Entry<T>> {
        let entry = self.parked.remove(&arrival)?;
        self.bytes -= entry.cost;
        self.chain(entry.resource.as_ref(), |chain| chain.waiting -= 1);
        Some(entry)
    }

    /// Takes out the earliest entry that may run now, and counts it as running until [`Queue::finished`].
    pub fn next_ready(&mut self) -> Option<Entry<T>> {
        if self.running >= TOGETHER_MAX {
            return None;
        }
        let runs = |entry: &Entry<T>| match &entry.resource {
            Some(resource) => self.chains.get(resource).is_some_and(|chain| chain.running),
            None => false,
        };
        let arrival = *self.parked.iter().find(|(_, entry)| !runs(entry))?.0;
        let entry = self.parked.remove(&arrival)?;
        self.bytes -= entry.cost;
        self.running += 1;
        self.chain(entry.resource.as_ref(), |chain| {
            chain.waiting -= 1;
            chain.running = true;
        });
        Some(entry)
    }

    /// An entry that [`Queue::next_ready`] handed out has been answered, or has been given up.
    pub fn finished(&mut self, resource: Option<&Arc<str>>) {
        self.running -= 1;
        self.chain(resource, |chain| chain.running = false);
    }

    /// Takes out everything that is parked, in arrival order.
    pub fn drain(&mut self) -> Vec<Entry<T>> {
        let all = std::mem::take(&mut self.parked);
        self.bytes = 0;
        self.chains.retain(|_, chain| {
            chain.waiting = 0;
            chain.running
        });
        all.into_values().collect()
    }

    fn chain(&mut self, resource: Option<&Arc<str>>, change: impl FnOnce(&mut Chain)) {
        let Some(resource) = resource else { return };
        let Some(chain) = self.chains.get_mut(resource) else { return };
        change(chain);
        if chain.waiting == 0 && !chain.running {
            self.chains.remove(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(resources: &[&str]) -> Queue<usize> {
        let mut queue = Queue::new();
        for (index, resource) in resources.iter().enumerate() {
            let resource = (!resource.is_empty()).then(|| Arc::from(*resource));
            queue.push(Entry { resource, cost: 10, since: Instant::now(), waiter: index });
        }
        queue
    }

    fn ready(queue: &mut Queue<usize>) -> Vec<usize> {
        std::iter::from_fn(|| queue.next_ready()).map(|entry| entry.waiter).collect()
    }

    #[test]
    fn one_write_of_a_resource_at_a_time_in_arrival_order() {
        let mut queue = queue(&["a", "b", "a", "", "a", ""]);
        assert_eq!(ready(&mut queue), [0, 1, 3, 5]);
        assert!(queue.is_behind(Some("a")));
        queue.finished(Some(&"a".into()));
        assert_eq!(ready(&mut queue), [2]);
        queue.finished(Some(&"b".into()));
        assert_eq!(ready(&mut queue), Vec::<usize>::new());
        queue.finished(Some(&"a".into()));
        assert_eq!(ready(&mut queue), [4]);
        queue.finished(Some(&"a".into()));
        assert!(!queue.is_behind(Some("a")) && queue.len() == 0 && queue.bytes() == 0);
    }

    #[test]
    fn who_gives_up_leaves_no_gap_in_its_chain() {
        let mut queue = queue(&["a", "a", "a"]);
        assert!(queue.remove(1).is_some() && queue.remove(1).is_none());
        assert_eq!(queue.bytes(), 20);
        assert_eq!(ready(&mut queue), [0]);
        queue.finished(Some(&"a".into()));
        assert_eq!(ready(&mut queue), [2]);
    }

    #[test]
    fn a_drained_queue_still_waits_for_what_runs() {
        let mut queue = queue(&["a", "a", "b"]);
        assert_eq!(queue.next_ready().map(|entry| entry.waiter), Some(0));
        assert_eq!(queue.drain().len(), 2);
        assert!(queue.is_behind(Some("a")) && !queue.is_behind(Some("b")));
        queue.finished(Some(&"a".into()));
        assert!(!queue.is_behind(Some("a")));
    }

    #[test]
    fn no_more_than_the_bound_runs_together() {
        let mut queue = queue(&[""; TOGETHER_MAX + 5]);
        assert_eq!(ready(&mut queue).len(), TOGETHER_MAX);
        queue.finished(None);
        assert_eq!(ready(&mut queue), [TOGETHER_MAX]);
    }
}
