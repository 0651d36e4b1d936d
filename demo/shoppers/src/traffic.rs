//! When who asks: requests are paced by the clock, whether or not the earlier ones were answered.
//!
//! Bounded by people: a shopper with a request out is not asked again, and a request for which nobody is free is
//! skipped and counted. A rush begins with a few; who is served fast brings somebody along, who waits for long leaves.

use crate::options::Options;
use crate::shopper::Shopper;
use crate::world::World;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tokio::time::{Duration, Instant};

/// People at a surging shop: at 300 requests/s they cover a hold of 500 ms, all of them waiting.
const VISITORS: u64 = 160;
/// Of them come at once.
const VISITORS_FIRST: usize = 32;
/// Whose write is answered within this brings somebody along; reads are fast where nothing can be bought any more.
const PLEASED: Duration = Duration::from_millis(500);
/// Who waited longer leaves. Without that a rush that outgrows what a shop can answer within one attempt would feed
/// itself: everybody repeats, and a repetition waits in the same line.
const PATIENCE: Duration = Duration::from_secs(2);
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

/// People who come and go.
struct People {
    /// Here, and nothing of theirs is out.
    free: VecDeque<Shopper>,
    /// Would come if they heard good of it.
    outside: Vec<Shopper>,
    /// Here, free or not.
    here: usize,
    /// So many stay whatever happens.
    least: usize,
}

impl People {
    /// All of these are here to stay.
    fn staying(people: impl Iterator<Item = Shopper>) -> Rc<RefCell<Self>> {
        let free: VecDeque<_> = people.collect();
        Rc::new(RefCell::new(Self { here: free.len(), least: free.len(), free, outside: Vec::new() }))
    }

    /// The first few of these are here.
    fn visiting(people: impl Iterator<Item = Shopper>) -> Rc<RefCell<Self>> {
        let mut free: VecDeque<_> = people.collect();
        let outside = free.split_off(VISITORS_FIRST.min(free.len())).into();
        Rc::new(RefCell::new(Self { here: free.len(), least: free.len(), free, outside }))
    }

    /// A shopper has an answer, or has given up waiting for one.
    fn answered(&mut self, shopper: Shopper, wrote: bool, waited: Duration) {
        if waited > PATIENCE && self.here > self.least {
            self.here -= 1;
            self.outside.push(shopper);
            return;
        }
        self.free.push_back(shopper);
        if let Some(brought) = (waited <= PLEASED && wrote).then(|| self.outside.pop()).flatten() {
            self.here += 1;
            self.free.push_back(brought);
        }
    }
}

type Shared = Rc<RefCell<People>>;

struct Crowd {
    people: Shared,
    pace: Pace,
}

pub struct Traffic {
    world: Rc<World>,
    seed: u64,
    usual: Crowd,
    sellers: Shared,
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
        let numbered = |from: u64, shops: &mut dyn Iterator<Item = &String>| {
            People::staying(shops.zip(from..).map(|(shop, number)| Shopper::new(shop, seed, number)))
        };
        let usual = numbered(0, &mut options.shops.iter().cycle().take(options.shoppers.max(options.shops.len())));
        let sellers = numbered(1 << 32, &mut options.shops.iter());
        let usual = Crowd { people: usual, pace: Pace::new(options.rate) };
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
        let crowd = Crowd { people: People::visiting(people), pace: Pace::new(rate) };
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
                || ask(&self.world, &self.usual.people, Act::of(write));
            self.skipped += u64::from(!sent);
        }
        for crowd in self.surges.values_mut() {
            for number in crowd.pace.due(now) {
                let sent = ask(&self.world, &crowd.people, Act::of(number % 2 == 0));
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
fn ask(world: &Rc<World>, people: &Shared, act: Act) -> bool {
    let Some(shopper) = people.borrow_mut().free.pop_front() else {
        return false;
    };
    world.in_flight.set(world.in_flight.get() + 1);
    let (world, people) = (Rc::clone(world), Rc::clone(people));
    tokio::task::spawn_local(async move {
        let (mut shopper, asked) = (shopper, Instant::now());
        let wrote = once(&world, &mut shopper, act).await.unwrap_or_else(|error| {
            world.fatal.borrow_mut().get_or_insert(error);
            false
        });
        people.borrow_mut().answered(shopper, wrote, asked.elapsed());
        world.in_flight.set(world.in_flight.get() - 1);
    });
    true
}

/// Says whether it was a write that was sent.
async fn once(world: &World, shopper: &mut Shopper, act: Act) -> anyhow::Result<bool> {
    let Some(plan) = planned(world, shopper, act) else {
        return Ok(false);
    };
    let done = world.perform(&plan).await?;
    shopper.after(&plan, &done);
    Ok(plan.key.is_some())
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
    use super::{CATCH_UP_MAX, PATIENCE, PLEASED, Pace, People, VISITORS, VISITORS_FIRST};
    use crate::shopper::Shopper;
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

    #[test]
    fn a_rush_grows_with_fast_answers_and_shrinks_with_slow_ones_to_the_few_it_began_with() {
        let people = People::visiting((0..VISITORS).map(|number| Shopper::new("1", 1, number)));
        let mut people = people.borrow_mut();
        let mut all_answered_after = |waited, wrote| {
            for _ in 0..VISITORS {
                let shopper = people.free.pop_front().unwrap();
                people.answered(shopper, wrote, waited);
            }
            assert_eq!(people.free.len(), people.here);
            people.here
        };
        assert_eq!(all_answered_after(PATIENCE, true), VISITORS_FIRST);
        assert_eq!(all_answered_after(PLEASED, false), VISITORS_FIRST);
        assert_eq!(all_answered_after(PLEASED, true), usize::try_from(VISITORS).unwrap());
        assert_eq!(all_answered_after(PATIENCE * 2, false), VISITORS_FIRST);
        assert_eq!(all_answered_after(PLEASED, true), usize::try_from(VISITORS).unwrap());
    }

    #[test]
    fn those_who_are_here_to_stay_stay_however_long_they_wait() {
        let people = People::staying((0..40).map(|number| Shopper::new("1", 1, number)));
        let mut people = people.borrow_mut();
        for _ in 0..80 {
            let shopper = people.free.pop_front().unwrap();
            people.answered(shopper, true, PATIENCE * 2);
        }
        assert_eq!((people.here, people.free.len()), (40, 40));
    }
}
