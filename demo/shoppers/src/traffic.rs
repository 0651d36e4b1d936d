//! When who asks: requests are paced by the clock, whether or not the earlier ones were answered.
//!
//! Bounded by people: a shopper with a request out is not asked again, and a request for which nobody is free is
//! skipped and counted.

use crate::options::Options;
use crate::shopper::Shopper;
use crate::world::World;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tokio::time::{Duration, Instant};

/// People at a surging shop: at 300 requests/s they cover a hold of 500 ms and more, all of them waiting.
const VISITORS: u64 = 256;
/// Of so many writes of the usual traffic, one is a seller's.
const SELLER_EVERY: u64 = 12;
/// Requests that are made up for at most, after a pause of this process itself.
const CATCH_UP_MAX: u64 = 64;

/// How many requests should have gone out by now.
struct Pace {
    since: Instant,
    rate: u32,
    asked: u64,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self { since: Instant::now(), rate, asked: 0 }
    }

    /// The numbers of the requests that are due.
    fn due(&mut self, now: Instant) -> std::ops::Range<u64> {
        let micros = u64::try_from(now.duration_since(self.since).as_micros()).unwrap_or(u64::MAX);
        let due = micros.saturating_mul(u64::from(self.rate)) / 1_000_000;
        let from = self.asked.max(due.saturating_sub(CATCH_UP_MAX));
        self.asked = due.max(self.asked);
        from..self.asked
    }
}

/// People who are free.
type Free = Rc<RefCell<VecDeque<Shopper>>>;

struct Crowd {
    free: Free,
    pace: Pace,
}

pub struct Traffic {
    world: Rc<World>,
    seed: u64,
    usual: Crowd,
    sellers: Free,
    surges: BTreeMap<String, Crowd>,
    /// Crowds so far, so that each has people of its own.
    crowds: u64,
    pub skipped: u64,
}

impl Traffic {
    /// Shoppers are spread over the shops in turn; each shop has one seller.
    pub fn new(world: Rc<World>, options: &Options) -> Self {
        let runs = world.oracle.borrow().runs;
        let seed = options.seed ^ runs.rotate_right(8);
        let numbered = |from: u64, shops: &mut dyn Iterator<Item = &String>| -> Free {
            let people = shops.zip(from..).map(|(shop, number)| Shopper::new(shop, seed, number));
            Rc::new(RefCell::new(people.collect()))
        };
        let usual = numbered(0, &mut options.shops.iter().cycle().take(options.shoppers.max(options.shops.len())));
        let sellers = numbered(1 << 32, &mut options.shops.iter());
        let usual = Crowd { free: usual, pace: Pace::new(options.rate) };
        Self { world, seed, usual, sellers, surges: BTreeMap::new(), crowds: 0, skipped: 0 }
    }

    /// So many requests per second from now on; a crowd that is there already stays, with its baskets.
    pub fn surge(&mut self, shop: &str, rate: u32) {
        if rate == 0 {
            self.surges.remove(shop);
            self.world.surging.borrow_mut().remove(shop);
            return;
        }
        if let Some(crowd) = self.surges.get_mut(shop) {
            crowd.pace = Pace::new(rate);
            return;
        }
        self.crowds += 1;
        let people = (0..VISITORS).map(|visitor| Shopper::new(shop, self.seed, (self.crowds << 40) + visitor));
        let crowd = Crowd { free: Rc::new(RefCell::new(people.collect())), pace: Pace::new(rate) };
        self.surges.insert(shop.to_owned(), crowd);
        self.world.surging.borrow_mut().insert(shop.to_owned());
    }

    /// Sends what is due.
    pub fn pulse(&mut self) {
        let now = Instant::now();
        for number in self.usual.pace.due(now) {
            // Two in five are writes.
            let write = number % 5 < 2;
            let seller = number % (SELLER_EVERY * 5 / 2) == 0;
            let sent = (seller && ask(&self.world, &self.sellers, Act::Edit))
                || ask(&self.world, &self.usual.free, Act::of(write));
            self.skipped += u64::from(!sent);
        }
        for crowd in self.surges.values_mut() {
            for number in crowd.pace.due(now) {
                let sent = ask(&self.world, &crowd.free, Act::of(number % 2 == 0));
                self.skipped += u64::from(!sent);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Act {
    Read,
    Write,
    Edit,
}

impl Act {
    fn of(write: bool) -> Self {
        if write { Self::Write } else { Self::Read }
    }
}

/// Has the next free one ask; says whether there was one.
fn ask(world: &Rc<World>, free: &Free, act: Act) -> bool {
    let Some(shopper) = free.borrow_mut().pop_front() else {
        return false;
    };
    world.in_flight.set(world.in_flight.get() + 1);
    let (world, free) = (Rc::clone(world), Rc::clone(free));
    tokio::task::spawn_local(async move {
        let mut shopper = shopper;
        if let Err(error) = once(&world, &mut shopper, act).await {
            world.fatal.borrow_mut().get_or_insert(error);
        }
        free.borrow_mut().push_back(shopper);
        world.in_flight.set(world.in_flight.get() - 1);
    });
    true
}

async fn once(world: &World, shopper: &mut Shopper, act: Act) -> anyhow::Result<()> {
    let Some(plan) = planned(world, shopper, act) else {
        return Ok(());
    };
    let done = world.perform(&plan).await?;
    shopper.after(&plan, &done);
    Ok(())
}

/// A write where one is asked for and something is for sale; else a read.
fn planned(world: &World, shopper: &mut Shopper, act: Act) -> Option<crate::plan::Plan> {
    let key = world.key(shopper.prng());
    let oracle = world.oracle.borrow();
    let memory = oracle.memories.get(&shopper.shop)?;
    let write = match act {
        Act::Read => None,
        Act::Write => shopper.write(memory, key),
        Act::Edit => shopper.edit(memory, key),
    };
    Some(write.unwrap_or_else(|| shopper.read(memory)))
}

/// How often [`Traffic::pulse`] wants to be called.
pub const PULSE: Duration = Duration::from_millis(4);

#[cfg(test)]
mod tests {
    use super::{CATCH_UP_MAX, Pace};
    use tokio::time::Duration;

    #[test]
    fn the_clock_says_what_is_due_and_a_long_pause_is_not_made_up_for() {
        let mut pace = Pace::new(50);
        let since = pace.since;
        let at = |ms| since + Duration::from_millis(ms);
        assert_eq!(pace.due(at(100)), 0..5);
        assert_eq!(pace.due(at(110)), 5..5);
        assert_eq!(pace.due(at(120)), 5..6);
        assert_eq!(pace.due(at(100_000)), 5_000 - CATCH_UP_MAX..5_000);
    }
}
