//! Scarce goods and a random life: after each step the shelf and what was sold are what there was, every shop's books add up to
//! nothing, and no seller owes what was never theirs.

use crate::{Bench, STOCK, checkout_id, order_id, refused, wanted};
use commerce::order::Back;
use commerce::product::Edit;
use shop::Command;
use std::collections::BTreeMap;
use testkit::chance::Chance;
use vocab::id::PublicId;

const SEEDS: u64 = 8;
const SEEDS_LONG: u64 = 200;
const STEPS: usize = 60;
/// What is left of each product when it begins.
const SCARCE: i64 = 6;

struct Life {
    bench: Bench,
    chance: Chance,
    /// What there was of products 1 and 2, with what the seller has added since.
    there_was: [i64; 2],
    checkouts: Vec<PublicId>,
    orders: Vec<PublicId>,
    refusals: BTreeMap<&'static str, usize>,
}

impl Life {
    async fn begin(seed: u64) -> Self {
        let bench = Bench::new().await;
        for id in ["1", "2"] {
            let edit = Edit { price_minor: None, stock_delta: Some(SCARCE - STOCK) };
            bench.run(Command::EditProduct { id: PublicId::new(id), edit }).await;
        }
        let (checkouts, orders, refusals) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { bench, chance: Chance(seed), there_was: [SCARCE; 2], checkouts, orders, refusals }
    }

    fn one_of(&mut self, all: &[PublicId]) -> Option<PublicId> {
        let at = usize::try_from(self.chance.below(u64::try_from(all.len().max(1)).unwrap())).unwrap();
        all.get(at).cloned()
    }

    fn units(&mut self) -> u32 {
        1 + u32::try_from(self.chance.below(4)).unwrap()
    }

    async fn step(&mut self) {
        let lines = [("1", self.units()), ("2", self.units())];
        match self.chance.below(10) {
            0..3 => {
                let id = self.bench.checkout(&lines).await;
                self.checkouts.push(id);
            }
            3..7 => self.pay().await,
            7 => self.edit().await,
            8 => {
                let checkouts = self.checkouts.clone();
                if let Some(id) = self.one_of(&checkouts) {
                    let answer = match self.chance.one_in(2) {
                        true => self.bench.run(Command::CancelCheckout { id }).await,
                        false => {
                            let details = crate::details();
                            self.bench.run(Command::UpdateCheckout { id, lines: wanted(&lines), details }).await
                        }
                    };
                    self.note(refused(&answer));
                }
            }
            _ => self.give_back().await,
        }
    }

    async fn pay(&mut self) {
        let checkouts = self.checkouts.clone();
        let Some(id) = self.one_of(&checkouts) else { return };
        let how = if self.chance.one_in(4) { "decline" } else { "approve" };
        // Two at once: one pays, and the other is told what there is.
        let again = self.chance.one_in(3);
        let (first, second) = (self.bench.fresh(), self.bench.fresh());
        let (service, frame) = (&self.bench.service, &self.bench.frame);
        let (one, two) = tokio::join!(service.complete(frame, &first, &id, how), async {
            match again {
                true => Some(service.complete(frame, &second, &id, how).await),
                false => None,
            }
        });
        for answer in [Some(one), two].into_iter().flatten() {
            let answer = answer.unwrap();
            self.note(refused(&answer));
            if how == "approve" && refused(&answer).is_empty() && !self.orders.contains(&order_id(&answer)) {
                assert_eq!(checkout_id(&answer), id);
                self.orders.push(order_id(&answer));
            }
        }
    }

    async fn edit(&mut self) {
        let which = usize::try_from(self.chance.below(2)).unwrap();
        let delta = i64::try_from(self.chance.below(7)).unwrap() - 3;
        let id = PublicId::new(["1", "2"][which]);
        let edit = Edit { price_minor: None, stock_delta: Some(delta) };
        let answer = self.bench.run(Command::EditProduct { id, edit }).await;
        self.note(refused(&answer));
        if refused(&answer).is_empty() {
            self.there_was[which] += delta;
        }
    }

    async fn give_back(&mut self) {
        let orders = self.orders.clone();
        let Some(id) = self.one_of(&orders) else { return };
        let order = self.bench.order(&id).await;
        let units = self.units();
        let back = match self.chance.one_in(3) {
            true => Back::Whole,
            false => Back::Lines(vec![(order.lines()[0].sold().id().clone(), units)]),
        };
        let answer = match self.chance.one_in(2) {
            true => self.bench.run(Command::CancelOrder { id, back }).await,
            false => self.bench.run(Command::RefundOrder { id, back }).await,
        };
        self.note(refused(&answer));
    }

    fn note(&mut self, code: &'static str) {
        *self.refusals.entry(if code.is_empty() { "done" } else { code }).or_default() += 1;
    }

    async fn check(&self, at: &str) {
        for (which, product) in ["1", "2"].into_iter().enumerate() {
            let mut out = 0;
            for id in &self.orders {
                let order = self.bench.order(id).await;
                let lines = order.lines().iter().filter(|line| line.sold().product().as_str() == product);
                out += lines.map(|line| i64::from(line.sold().quantity() - line.cancelled())).sum::<i64>();
            }
            let shelf = self.bench.stock(product).await;
            assert!(shelf >= 0 && shelf + out == self.there_was[which], "{at}: {shelf} and {out} of {product}");
        }
        let [clearing, payable, tax] = self.bench.ledger().await;
        assert_eq!(clearing + payable + tax, 0, "{at}");
        assert!(clearing >= 0 && payable <= 0 && tax <= 0, "{at}: {clearing} {payable} {tax}");
        assert_eq!(self.bench.store.unbalanced_orders(&self.bench.frame.shop, 9).await.unwrap(), [], "{at}");
        assert_eq!(self.bench.orders().await, self.orders.len(), "{at}");
    }
}

#[tokio::test]
async fn no_unit_is_sold_twice_and_none_is_lost_however_scarce_it_is() {
    let first = std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let seeds = if std::env::var_os("BALIK_LONG").is_some() { SEEDS_LONG } else { SEEDS };
    let mut refusals = BTreeMap::new();
    for seed in first..first + seeds {
        let mut life = Life::begin(seed).await;
        for step in 0..STEPS {
            life.step().await;
            life.check(&format!("seed {seed}, step {step}")).await;
        }
        for (code, times) in life.refusals {
            *refusals.entry(code).or_default() += times;
        }
    }
    println!("reservations: {seeds} seeds from {first}, {STEPS} steps each: {refusals:?}");
    for code in
        ["done", "out_of_stock", "payment_failed", "checkout_closed", "stock_below_zero", "quantity_exceeds_remaining"]
    {
        assert!(refusals.get(code).is_some_and(|times: &usize| *times > 0), "it has never come to {code}");
    }
}
