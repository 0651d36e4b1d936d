//! What the oracle remembers of each shop: every resource that was acknowledged or shown, prices, stock movements.
//!
//! It changes only by [`Change`]s, which stand in the journal, so a later run remembers the same.

use crate::arithmetic::Terms;
use crate::later::{Later, Step};
use crate::seen::{Kind, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What an answer taught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A resource is as shown; `cart` is the one that a checkout came from.
    Is {
        seen: Seen,
        cart: Option<String>,
    },
    /// It answers `not_found` from now on.
    Gone {
        kind: Kind,
        id: String,
    },
    Sold {
        product: String,
        units: i64,
    },
    Returned {
        product: String,
        units: i64,
    },
    Adjusted {
        product: String,
        units: i64,
    },
    Priced {
        product: String,
        price: i64,
    },
    /// A buyer who pays later takes a step.
    Later {
        checkout: String,
        step: Step,
    },
}

/// A shop as it was when its first run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub shop: String,
    pub terms: Terms,
    pub stock: BTreeMap<String, i64>,
    /// Orders that were there before, live ones and archived ones: to look at.
    pub orders: Vec<String>,
}

/// `seen` is none once it is gone. While `busy`, a write to it is out (or was never answered), so nobody can say how
/// it must look.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub seen: Option<Seen>,
    pub cart: Option<String>,
    pub busy: bool,
    pub version: u64,
    /// Acknowledged writes whose outcome it is.
    pub writes: u64,
}

/// Units by why they moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    pub initial: i64,
    pub sold: i64,
    pub returned: i64,
    pub adjusted: i64,
}

impl Moves {
    /// What must be on the shelf; below zero where more was sold than there was.
    pub fn left(self) -> i64 {
        self.initial - self.sold + self.returned + self.adjusted
    }
}

/// A price that was shown, or asked for: current until the next one was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Span {
    price: i64,
    until: Option<Instant>,
}

#[derive(Debug)]
pub struct Memory {
    pub opening: Opening,
    pub known: BTreeMap<(Kind, String), Known>,
    /// By checkout: the one order it may have.
    pub orders: BTreeMap<String, String>,
    pub stock: BTreeMap<String, Moves>,
    /// By checkout: what is paid later.
    pub later: BTreeMap<String, Later>,
    prices: BTreeMap<String, Vec<Span>>,
    /// Acknowledged edits of products.
    pub edits: u64,
    /// Products on the shelf, in the order in which they were first shown.
    pub shelf: Vec<String>,
}

impl Memory {
    pub fn new(opening: Opening) -> Self {
        let moves =
            |(product, initial): (&String, &i64)| (product.clone(), Moves { initial: *initial, ..Moves::default() });
        let stock = opening.stock.iter().map(moves).collect();
        Self {
            opening,
            known: BTreeMap::new(),
            orders: BTreeMap::new(),
            stock,
            later: BTreeMap::new(),
            prices: BTreeMap::new(),
            edits: 0,
            shelf: Vec::new(),
        }
    }

    pub fn seen(&self, kind: Kind, id: &str) -> Option<&Seen> {
        self.known.get(&(kind, id.to_owned())).and_then(|known| known.seen.as_ref())
    }

    pub fn apply(&mut self, change: &Change, now: Instant) {
        match change {
            Change::Is { seen, cart } => self.remember(seen, cart.as_ref()),
            Change::Gone { kind, id } => {
                let known = self.known.entry((*kind, id.clone())).or_default();
                (known.seen, known.version) = (None, known.version + 1);
            }
            Change::Sold { product, units } => self.stock.entry(product.clone()).or_default().sold += units,
            Change::Returned { product, units } => self.stock.entry(product.clone()).or_default().returned += units,
            Change::Adjusted { product, units } => self.stock.entry(product.clone()).or_default().adjusted += units,
            Change::Priced { product, price } => self.priced(product, *price, now),
            Change::Later { checkout, step } => self.stepped(checkout, step),
        }
    }

    fn stepped(&mut self, checkout: &str, step: &Step) {
        if let Step::Chooses { link } = step {
            self.later.entry(checkout.to_owned()).or_insert_with(|| Later::new(link.clone()));
        }
        if let Some(busy) = self.later.get_mut(checkout).and_then(|later| later.take(step)) {
            self.set_busy(Kind::Checkout, checkout, busy);
        }
    }

    fn remember(&mut self, seen: &Seen, cart: Option<&String>) {
        if let (Kind::Checkout, Some(order)) = (seen.kind, &seen.order) {
            self.orders.entry(seen.id.clone()).or_insert_with(|| order.clone());
        }
        let known = self.known.entry((seen.kind, seen.id.clone())).or_default();
        if known.seen.as_ref() != Some(seen) {
            (known.seen, known.version) = (Some(seen.clone()), known.version + 1);
        }
        known.cart = cart.cloned().or_else(|| known.cart.take());
    }

    /// Counts an acknowledged write for the resource that it made or changed.
    pub fn acknowledged(&mut self, changes: &[Change]) {
        let resource = changes.iter().find_map(|change| match change {
            Change::Is { seen, .. } => Some((seen.kind, seen.id.clone())),
            Change::Gone { kind, id } => Some((*kind, id.clone())),
            Change::Sold { .. } | Change::Returned { .. } | Change::Adjusted { .. } => None,
            Change::Priced { .. } | Change::Later { .. } => None,
        });
        match resource.and_then(|resource| self.known.get_mut(&resource)) {
            Some(known) => known.writes += 1,
            None => self.edits += 1,
        }
    }

    pub fn set_busy(&mut self, kind: Kind, id: &str, busy: bool) {
        if let Some(known) = self.known.get_mut(&(kind, id.to_owned())) {
            (known.busy, known.version) = (busy, known.version + 1);
        }
    }

    /// Learns a price from the shelf, at the start of a run. An earlier run's edits may stand beside it.
    pub fn stocked(&mut self, product: &str, price: i64) {
        if !self.shelf.iter().any(|known| known == product) {
            self.shelf.push(product.to_owned());
        }
        let spans = self.prices.entry(product.to_owned()).or_default();
        if !spans.iter().any(|span| span.price == price && span.until.is_none()) {
            spans.push(Span { price, until: None });
        }
    }

    /// An edit is about to be sent: its price may be shown from now on.
    pub fn price_asked(&mut self, product: &str, price: i64) {
        self.prices.entry(product.to_owned()).or_default().push(Span { price, until: None });
    }

    /// The price is acknowledged: no other is current any more.
    fn priced(&mut self, product: &str, price: i64, now: Instant) {
        let spans = self.prices.entry(product.to_owned()).or_default();
        if !spans.iter().any(|span| span.price == price && span.until.is_none()) {
            spans.push(Span { price, until: None });
        }
        for span in spans.iter_mut().filter(|span| span.price != price && span.until.is_none()) {
            span.until = Some(now);
        }
    }

    /// The newest price that is, or may be, current.
    pub fn price(&self, product: &str) -> Option<i64> {
        self.prices.get(product)?.last().map(|span| span.price)
    }

    /// Whether the price was current at some time from `slack` before `from` on. Products that were never on the
    /// shelf have no known price.
    pub fn was_current(&self, product: &str, price: i64, from: Option<Instant>, slack: Duration) -> bool {
        let (Some(from), Some(spans)) = (from, self.prices.get(product)) else {
            return true;
        };
        spans.iter().any(|span| span.price == price && span.until.is_none_or(|until| until + slack >= from))
    }

    /// The stock equation as a whole.
    pub fn moves(&self) -> Moves {
        self.stock.values().fold(Moves::default(), |sum, moves| Moves {
            initial: sum.initial + moves.initial,
            sold: sum.sold + moves.sold,
            returned: sum.returned + moves.returned,
            adjusted: sum.adjusted + moves.adjusted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Memory, Opening};
    use crate::arithmetic::Terms;
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    fn memory() -> Memory {
        let stock = BTreeMap::from([("p".to_owned(), 10)]);
        Memory::new(Opening { shop: "1".into(), terms: Terms::new("IDR", 1100, 0), stock, orders: Vec::new() })
    }

    #[test]
    fn stock_is_what_was_there_less_sold_plus_returned_and_adjusted() {
        let mut memory = memory();
        let product = || "p".to_owned();
        let changes = [
            Change::Sold { product: product(), units: 4 },
            Change::Returned { product: product(), units: 1 },
            Change::Adjusted { product: product(), units: -2 },
        ];
        changes.iter().for_each(|change| memory.apply(change, Instant::now()));
        assert_eq!(memory.moves().left(), 5);
    }

    #[test]
    fn a_product_that_an_earlier_run_edited_is_on_the_shelf_all_the_same() {
        let mut memory = memory();
        memory.price_asked("p", 200);
        memory.stocked("p", 100);
        memory.stocked("p", 100);
        assert_eq!((memory.shelf.len(), memory.price("p")), (1, Some(100)));
        assert!(memory.was_current("p", 200, Some(Instant::now()), Duration::ZERO));
    }

    #[test]
    fn a_price_is_current_from_when_it_was_asked_until_the_next_is_acknowledged() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = memory();
        memory.stocked("p", 100);
        memory.price_asked("p", 200);
        let current = |memory: &Memory, price, from| memory.was_current("p", price, Some(at(from)), Duration::ZERO);
        assert!(current(&memory, 100, 11) && current(&memory, 200, 11));
        memory.apply(&Change::Priced { product: "p".into(), price: 200 }, at(12));
        assert!(current(&memory, 100, 11) && !current(&memory, 100, 13) && current(&memory, 200, 13));
        assert!(memory.was_current("p", 100, Some(at(13)), Duration::from_secs(1)));
        assert!(!current(&memory, 300, 13));
    }
}
