//! What every shopper shares: the client, the journal, the oracle and the counters; and how one request is done.
//!
//! One thread runs all shoppers, so the cells here are never borrowed across an await.

use crate::client::{Answer, Client, Exchange};
use crate::journal::Journal;
use crate::judge::{Asked, Judged, judge};
use crate::later::Step;
use crate::line::Phase;
use crate::memory::Change;
use crate::oracle::{Entry, Oracle};
use crate::plan::Plan;
use crate::prng::Prng;
use crate::tally::{End, Tally};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How a request ended, and what its answer said.
#[derive(Debug)]
pub struct Done {
    pub end: End,
    /// The HTTP status of a complete answer.
    pub answered: Option<u16>,
    pub judged: Judged,
}

/// Where the moves stood when a request began.
struct Began {
    at: Instant,
    phase: Phase,
    holds: u64,
    /// Some shop was held; its own was.
    held: bool,
    held_itself: bool,
}

#[derive(Debug)]
pub struct World {
    pub client: Client,
    pub journal: Journal,
    pub oracle: RefCell<Oracle>,
    pub tally: RefCell<Tally>,
    pub phase: Cell<Phase>,
    pub surging: RefCell<BTreeSet<String>>,
    /// Whether a surge is part of this run: then the quiet figures are of surges without a hold, like with like.
    pub surges: bool,
    held: RefCell<BTreeSet<String>>,
    /// By shop: the number of its newest hold.
    holds_of: RefCell<BTreeMap<String, u64>>,
    holds: Cell<u64>,
    pub in_flight: Cell<u64>,
    /// Nobody begins anything any more.
    pub finishing: Cell<bool>,
    /// The first failure that makes the run worthless: a journal that cannot be written.
    pub fatal: RefCell<Option<anyhow::Error>>,
    keys: Cell<u64>,
}

impl World {
    pub fn new(client: Client, journal: Journal, oracle: Oracle, surges: bool) -> Self {
        Self {
            client,
            journal,
            oracle: RefCell::new(oracle),
            tally: RefCell::new(Tally::default()),
            phase: Cell::new(Phase::Before),
            surging: RefCell::new(BTreeSet::new()),
            surges,
            held: RefCell::new(BTreeSet::new()),
            holds_of: RefCell::new(BTreeMap::new()),
            holds: Cell::new(0),
            in_flight: Cell::new(0),
            finishing: Cell::new(false),
            fatal: RefCell::new(None),
            keys: Cell::new(0),
        }
    }

    /// A key that no other write of any run has.
    pub fn key(&self, prng: &mut Prng) -> String {
        self.keys.set(self.keys.get() + 1);
        prng.key(self.oracle.borrow().runs, self.keys.get())
    }

    pub fn hold(&self, shop: &str, on: bool) {
        if on {
            self.holds.set(self.holds.get() + 1);
            self.holds_of.borrow_mut().insert(shop.to_owned(), self.holds.get());
            self.held.borrow_mut().insert(shop.to_owned());
        } else {
            self.held.borrow_mut().remove(shop);
        }
    }

    /// Sends a shopper's request and counts it.
    pub async fn perform(&self, plan: &Plan) -> anyhow::Result<Done> {
        if plan.key.is_some() {
            self.oracle.borrow_mut().sent(plan, Some(Instant::now()));
            self.journal.append(&Entry::Sent(plan.clone())).await?;
        }
        let began = self.begin(&plan.shop);
        let exchange = self.client.send(plan).await;
        let took = began.at.elapsed();
        let repeated = exchange.repeats > 0;
        let done = self.settle(plan, exchange, Some(began.at)).await?;
        self.count(plan, &began, took, done.end, repeated);
        Ok(done)
    }

    /// Judges an exchange; a write's answer is on disk before this returns.
    pub async fn settle(&self, plan: &Plan, exchange: Exchange, sent: Option<Instant>) -> anyhow::Result<Done> {
        let mut done = self.judged(plan, exchange, sent);
        let Some(answered) = done.answered else {
            return Ok(done);
        };
        if done.end != End::Failed {
            done.end = self.oracle.borrow_mut().complain(plan, &done.judged);
        } else {
            eprintln!("shoppers: shop {} {} {} answered {answered}", plan.shop, plan.method, plan.path);
        }
        match &plan.key {
            Some(key) => self.got(key, done.end, &done.judged).await?,
            None => self.shown(&plan.shop, &done.judged.changes).await?,
        }
        Ok(done)
    }

    /// Remembers what a read showed for the first time; most reads show nothing new.
    pub async fn shown(&self, shop: &str, changes: &[Change]) -> anyhow::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        self.journal.append(&Entry::Shown { shop: shop.to_owned(), changes: changes.to_vec() }).await?;
        self.oracle.borrow_mut().learn(shop, changes, Instant::now());
        Ok(())
    }

    /// What a buyer who pays later is about to do, or was told: it is on disk when this returns.
    pub async fn step(&self, shop: &str, checkout: &str, step: Step) -> anyhow::Result<()> {
        self.shown(shop, &[Change::Later { checkout: checkout.to_owned(), step }]).await
    }

    /// What an exchange says, before anybody complains. An answer below 500 that is no 2xx says that our request was
    /// not understood: that is a failure too.
    pub fn judged(&self, plan: &Plan, exchange: Exchange, sent: Option<Instant>) -> Done {
        let asked = Asked { sent, repeated: exchange.repeats > 0 || sent.is_none() };
        let Some(Answer { status, body }) = exchange.answer else {
            eprintln!("shoppers: shop {} {} {} was not answered", plan.shop, plan.method, plan.path);
            return Done { end: End::Failed, answered: None, judged: Judged::default() };
        };
        let answered = Some(status);
        if !(200..300).contains(&status) {
            return Done { end: End::Failed, answered, judged: Judged::default() };
        }
        let oracle = self.oracle.borrow();
        let judged =
            oracle.memories.get(&plan.shop).map(|memory| judge(plan, memory, &body, asked)).unwrap_or_default();
        let end = if judged.refused.is_some() { End::Refused } else { End::Ok };
        Done { end, answered, judged }
    }

    async fn got(&self, key: &str, end: End, judged: &Judged) -> anyhow::Result<()> {
        let acknowledged = end != End::Failed && judged.refused.is_none();
        let entry = Entry::Got { key: key.to_owned(), acknowledged, changes: judged.changes.clone() };
        self.journal.append(&entry).await?;
        self.oracle.borrow_mut().got(key, acknowledged, &judged.changes, Instant::now());
        Ok(())
    }

    fn begin(&self, shop: &str) -> Began {
        let held = self.held.borrow();
        Began {
            at: Instant::now(),
            phase: self.phase.get(),
            holds: self.holds.get(),
            held: !held.is_empty(),
            held_itself: held.contains(shop),
        }
    }

    fn count(&self, plan: &Plan, began: &Began, took: Duration, end: End, repeated: bool) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut tally = self.tally.borrow_mut();
        tally.of(began.phase, self.phase.get()).record(end, repeated, us);
        tally.second.record(us);
        let held = self.held.borrow();
        let held_since = self.holds_of.borrow().get(&plan.shop).is_some_and(|newest| *newest > began.holds);
        let surging = self.surging.borrow();
        if began.held_itself || held_since || surging.contains(&plan.shop) {
            return;
        }
        if began.held || !held.is_empty() || self.holds.get() > began.holds {
            tally.others_during_hold.record(us);
        } else if !surging.is_empty() || !self.surges {
            tally.others_quiet.record(us);
        }
    }
}
