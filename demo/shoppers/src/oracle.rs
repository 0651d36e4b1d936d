//! The oracle: every shop's memory, every write whose answer never came, and what was found wrong.
//!
//! Invariant: it equals the replay of its journal. What it changes in a shop's memory stands there as a `Got` or a `Shown`.

use crate::findings::Findings;
use crate::judge::{Complaint, Judged};
use crate::memory::{Change, Memory, Opening};
use crate::plan::{Expect, Plan};
use crate::seen::Kind;
use crate::tally::End;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A run begins: its number is how many there were before, and part of every key.
    Run {
        seed: u64,
    },
    Opening(Opening),
    /// A write is about to be sent.
    Sent(Plan),
    /// Its answer was fully received.
    Got {
        key: String,
        acknowledged: bool,
        changes: Vec<Change>,
    },
    /// A read showed something for the first time: the ids of an order's lines, an order of before the run.
    Shown {
        shop: String,
        changes: Vec<Change>,
    },
}

/// A write without an answer; `sent` is none where an earlier run sent it.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub plan: Plan,
    pub sent: Option<Instant>,
}

#[derive(Debug)]
pub struct Oracle {
    pub memories: BTreeMap<String, Memory>,
    /// By key, in the order of the keys.
    pub unanswered: BTreeMap<String, Unanswered>,
    pub findings: Findings,
    pub acknowledged: u64,
    pub applied: u64,
    pub not_applied: u64,
    /// Runs before this one.
    pub runs: u64,
}

impl Oracle {
    pub fn new(without: BTreeSet<String>) -> Self {
        Self {
            memories: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            findings: Findings::new(without),
            acknowledged: 0,
            applied: 0,
            not_applied: 0,
            runs: 0,
        }
    }

    /// Takes up what an earlier run left.
    pub fn replay(&mut self, entry: Entry) {
        match entry {
            Entry::Run { .. } => self.runs += 1,
            Entry::Opening(opening) => self.open(opening),
            Entry::Sent(plan) => self.sent(&plan, None),
            Entry::Shown { shop, changes } => self.learn(&shop, &changes, Instant::now()),
            Entry::Got { key, acknowledged, changes } => self.got(&key, acknowledged, &changes, Instant::now()),
        }
    }

    pub fn open(&mut self, opening: Opening) {
        self.memories.insert(opening.shop.clone(), Memory::new(opening));
    }

    /// A write goes out: until its answer, nobody can say how its target looks.
    pub fn sent(&mut self, plan: &Plan, sent: Option<Instant>) {
        self.set_busy(plan, true);
        if let Some(key) = &plan.key {
            self.unanswered.entry(key.clone()).or_insert(Unanswered { plan: plan.clone(), sent });
        }
        if let (Expect::Edited { product, price: Some(price), .. }, Some(memory)) =
            (&plan.expect, self.memories.get_mut(&plan.shop))
        {
            memory.price_asked(product, *price);
        }
    }

    /// A write's answer is on disk.
    pub fn got(&mut self, key: &str, acknowledged: bool, changes: &[Change], now: Instant) {
        let Some(Unanswered { plan, .. }) = self.unanswered.remove(key) else {
            return;
        };
        self.acknowledged += u64::from(acknowledged);
        self.learn(&plan.shop, changes, now);
        if let (true, Some(memory)) = (acknowledged, self.memories.get_mut(&plan.shop)) {
            memory.acknowledged(changes);
        }
        self.set_busy(&plan, false);
    }

    pub fn learn(&mut self, shop: &str, changes: &[Change], now: Instant) {
        if let Some(memory) = self.memories.get_mut(shop) {
            changes.iter().for_each(|change| memory.apply(change, now));
        }
    }

    /// A completion also takes its checkout's cart.
    fn set_busy(&mut self, plan: &Plan, busy: bool) {
        let (Some((kind, id)), Some(memory)) = (plan.expect.target(), self.memories.get_mut(&plan.shop)) else {
            return;
        };
        memory.set_busy(kind, id, busy);
        let cart = memory.known.get(&(kind, id.to_owned())).and_then(|known| known.cart.clone());
        if let (Expect::Completed { .. }, Some(cart)) = (&plan.expect, cart) {
            memory.set_busy(Kind::Cart, &cart, busy);
        }
    }

    /// Writes the complaints down; says how the request ended.
    pub fn complain(&mut self, plan: &Plan, judged: &Judged) -> End {
        let mut watched = false;
        for complaint in &judged.complaints {
            let of = |what: &str| format!("shop {} {} {}: {what}", plan.shop, plan.method, plan.path);
            watched |= match complaint {
                Complaint::Wrong(what) | Complaint::Missing(what) => self.findings.wrong(&of(what)),
                Complaint::Twice(what) => self.findings.twice(of(what)),
            };
        }
        match (&judged.refused, watched) {
            (_, true) => End::Wrong,
            (Some(_), false) => End::Refused,
            (None, false) => End::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Oracle};
    use crate::arithmetic::Terms;
    use crate::later::{Stage, Step};
    use crate::memory::{Change, Opening};
    use crate::plan::Plan;
    use crate::seen::{Kind, Seen};
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};

    fn replayed(entries: &[Entry]) -> Oracle {
        let mut oracle = Oracle::new(BTreeSet::new());
        for entry in entries {
            // As it is read from disk.
            let line = serde_json::to_string(entry).unwrap();
            oracle.replay(serde_json::from_str(&line).unwrap());
        }
        oracle
    }

    fn cart() -> Seen {
        let line = json!({"id": "1", "item": {"id": "p", "price": 5}, "quantity": 2});
        Seen::parse(Kind::Cart, &json!({"id": "c", "line_items": [line], "totals": []})).unwrap()
    }

    fn opening() -> Entry {
        let stock = BTreeMap::from([("p".to_owned(), 10)]);
        Entry::Opening(Opening { shop: "1".into(), terms: Terms::new("IDR", 1100, 0), stock, orders: Vec::new() })
    }

    #[test]
    fn a_replayed_journal_knows_what_was_acknowledged_and_what_was_not_answered() {
        let wanted = vec![("p".to_owned(), 2)];
        let create = Plan::cart_create("k1".into(), "1", wanted.clone());
        let update = Plan::cart_update("k2".into(), "1", "c", wanted);
        let changes = vec![Change::Is { seen: cart(), cart: None }, Change::Sold { product: "p".into(), units: 2 }];
        let got = Entry::Got { key: "k1".into(), acknowledged: true, changes };
        let oracle = replayed(&[Entry::Run { seed: 1 }, opening(), Entry::Sent(create), got, Entry::Sent(update)]);
        let memory = &oracle.memories["1"];
        assert_eq!((oracle.runs, oracle.acknowledged, memory.moves().left()), (1, 1, 8));
        assert_eq!(memory.seen(Kind::Cart, "c"), Some(&cart()));
        assert!(memory.known[&(Kind::Cart, "c".to_owned())].busy);
        assert_eq!(oracle.unanswered.keys().collect::<Vec<_>>(), ["k2"]);
    }

    #[test]
    fn what_a_read_showed_first_is_known_to_the_next_run() {
        let shown = Entry::Shown { shop: "1".into(), changes: vec![Change::Is { seen: cart(), cart: None }] };
        let oracle = replayed(&[opening(), shown]);
        assert_eq!(oracle.memories["1"].seen(Kind::Cart, "c"), Some(&cart()));
        assert_eq!(oracle.acknowledged, 0, "it was read, not written");
    }

    #[test]
    fn the_next_run_knows_how_far_a_buyer_was_who_pays_later() {
        let step = |step| {
            let changes = vec![Change::Later { checkout: "c".into(), step }];
            Entry::Shown { shop: "1".into(), changes }
        };
        let answer = json!({"id": "c", "status": "ready_for_complete", "line_items": [], "totals": []});
        let seen = Seen::parse(Kind::Checkout, &answer).unwrap();
        let shown = Entry::Shown { shop: "1".into(), changes: vec![Change::Is { seen, cart: None }] };
        let entries =
            [opening(), shown, step(Step::Chooses { link: "/pay".into() }), step(Step::Waits), step(Step::Pays)];
        for (known, stage, busy) in [(3, Stage::Choosing, true), (4, Stage::Waiting, false), (5, Stage::Paying, true)] {
            let oracle = replayed(&entries[..known]);
            let later = &oracle.memories["1"].later["c"];
            assert_eq!((later.link.as_str(), later.stage), ("/pay", stage));
            assert_eq!(oracle.memories["1"].known[&(Kind::Checkout, "c".to_owned())].busy, busy);
        }
    }

    #[test]
    fn an_answer_counts_once_however_often_it_stands_in_the_journal() {
        let create = Plan::cart_create("k".into(), "1", Vec::new());
        let sold = vec![Change::Sold { product: "p".into(), units: 2 }];
        let got = Entry::Got { key: "k".into(), acknowledged: true, changes: sold };
        let oracle = replayed(&[opening(), Entry::Sent(create), got.clone(), got]);
        assert_eq!((oracle.acknowledged, oracle.memories["1"].moves().left()), (1, 8));
    }
}
