//! People who pay later: they are sent to a page, get a number or an address to pay with, and pay in their own time, so that
//! something is open at every moment, whatever happens to the shops.
//!
//! So many are there at a time, at all shops in turn, each in a task of its own; what an earlier run left is taken up first.
//! They ask without being asked to, beside the pace of the shoppers.

mod page;
mod payer;

use crate::later::Stage;
use crate::options::Options;
use crate::world::World;
use payer::{Bill, Payer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::time::{Duration, Instant, sleep};

/// They do not all come at once.
const FIRST_MS_MAX: u64 = 3_000;
/// Between two purchases, so that a shop that sells nothing does not keep anybody busy.
const REST: Duration = Duration::from_millis(500);
/// A code that is looked for to the end, and an order after it.
const SETTLED_MAX: Duration = Duration::from_secs(200);

/// What they share.
struct Street {
    shops: Vec<String>,
    /// The next one's turn.
    turn: Cell<usize>,
    /// What an earlier run left.
    left: RefCell<VecDeque<Bill>>,
    /// Payers who are on their way.
    out: Cell<usize>,
}

pub struct Payers(Rc<Street>);

impl Payers {
    /// Nobody pays later where no address of a provider is known.
    pub fn start(world: &Rc<World>, options: &Options) -> Self {
        let many = if world.client.addresses().provider_page.is_some() { options.later } else { 0 };
        let street = Rc::new(Street {
            shops: options.shops.clone(),
            turn: Cell::new(0),
            left: RefCell::new(left(world)),
            out: Cell::new(many),
        });
        let (seed, waits_ms) = (options.seed ^ world.oracle.borrow().runs.rotate_right(8), options.later_ms);
        for number in (0..).take(many) {
            let (world, street) = (Rc::clone(world), Rc::clone(&street));
            tokio::task::spawn_local(async move {
                if let Err(error) = live(&world, &street, Payer::new(seed, number, waits_ms)).await {
                    world.fatal.borrow_mut().get_or_insert(error);
                }
                street.out.set(street.out.get() - 1);
            });
        }
        Self(street)
    }

    /// Waits until nobody is on the way any more: who has not paid does not pay, who has waits for the order.
    pub async fn settled(&self, world: &World) {
        let began = Instant::now();
        while self.0.out.get() > 0 && began.elapsed() < SETTLED_MAX {
            sleep(Duration::from_millis(20)).await;
        }
        if self.0.out.get() > 0 {
            let what = format!("{} who pay later are not done after {SETTLED_MAX:?}", self.0.out.get());
            world.oracle.borrow_mut().findings.wrong(&what);
        }
    }
}

async fn live(world: &World, street: &Street, mut payer: Payer) -> anyhow::Result<()> {
    // What was being done when an earlier run ended has to be known in the end, so it is looked at whatever happens.
    loop {
        let next = street.left.borrow_mut().pop_front();
        let Some(bill) = next else { break };
        if !world.finishing.get() || payer::is_unsure(world, &bill) {
            payer.take_up(world, &bill).await?;
        }
    }
    sleep(Duration::from_millis(payer.chance(FIRST_MS_MAX.min(payer.waits_ms())))).await;
    while !world.finishing.get() {
        let turn = street.turn.get();
        street.turn.set(turn + 1);
        if let Some(shop) = street.shops.get(turn % street.shops.len().max(1)) {
            payer.buy(world, shop).await?;
        }
        sleep(REST).await;
    }
    Ok(())
}

/// What is open in the books, first that of which nobody can say how it stands.
fn left(world: &World) -> VecDeque<Bill> {
    let oracle = world.oracle.borrow();
    let mut left = Vec::new();
    for (shop, memory) in &oracle.memories {
        for (checkout, later) in memory.later.iter().filter(|(_, later)| later.is_open()) {
            let (shop, checkout, link) = (shop.clone(), checkout.clone(), later.link.clone());
            left.push((later.stage == Stage::Waiting, Bill { shop, checkout, link, left: true }));
        }
    }
    left.sort_by_key(|(waits, _)| *waits);
    left.into_iter().map(|(_, bill)| bill).collect()
}
