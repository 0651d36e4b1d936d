//! A shopper: a small state machine with chance in it, that knows ids and nothing else.
//!
//! Each shopper owns the carts, checkouts and orders it made and has one request out at a time, so what they must
//! look like is always known. A seller is a shopper of another kind: it edits prices and stock.

use crate::arithmetic::Back;
use crate::memory::Memory;
use crate::plan::{Expect, Plan, Wanted};
use crate::prng::Prng;
use crate::seen::{Kind, Seen};
use crate::tally::End;
use crate::world::Done;
use std::collections::VecDeque;

/// Orders a shopper comes back to.
const ORDERS_MAX: usize = 8;
/// Different products in one basket.
const LINES_MAX: i64 = 3;
/// Units of one product in a basket.
const UNITS_MAX: i64 = 3;
/// People with a name and a telephone: fewer than shoppers come by, so the same ones buy in several shops.
const BUYERS: u64 = 500;

#[derive(Debug)]
pub struct Shopper {
    pub shop: String,
    prng: Prng,
    /// What names the buyer.
    buyer: u64,
    cart: Option<String>,
    checkout: Option<(String, bool)>,
    orders: VecDeque<String>,
    /// An order that nobody has looked at yet.
    fresh: Option<String>,
}

impl Shopper {
    pub fn new(shop: &str, seed: u64, number: u64) -> Self {
        Self {
            shop: shop.to_owned(),
            prng: Prng::new(seed, number),
            buyer: number % BUYERS,
            cart: None,
            checkout: None,
            orders: VecDeque::new(),
            fresh: None,
        }
    }

    pub fn prng(&mut self) -> &mut Prng {
        &mut self.prng
    }

    /// What to ask next that changes nothing.
    pub fn read(&mut self, memory: &Memory) -> Plan {
        if let Some(order) = self.fresh.take() {
            return Plan::get(&self.shop, Kind::Order, &order);
        }
        let chance = self.prng.below(100);
        let own = match chance {
            0..20 => self.cart.as_deref().map(|id| (Kind::Cart, id)),
            20..40 => self.checkout.as_ref().map(|(id, _)| (Kind::Checkout, id.as_str())),
            40..55 => self.orders.back().map(|id| (Kind::Order, id.as_str())),
            _ => None,
        };
        if let Some((kind, id)) = own {
            return Plan::get(&self.shop, kind, id);
        }
        let old = (chance < 10).then(|| self.prng.pick(&memory.opening.orders)).flatten();
        if let Some(old) = old {
            return Plan::get(&self.shop, Kind::Order, old);
        }
        self.browse(memory)
    }

    fn browse(&mut self, memory: &Memory) -> Plan {
        match (self.prng.pick(&memory.shelf), self.prng.below(100)) {
            (Some(product), 0..35) => Plan::product(&self.shop, product),
            (Some(_), 35..50) => {
                let ids: Vec<String> = self.basket(memory).into_iter().map(|(product, _)| product).collect();
                Plan::lookup(&self.shop, &ids)
            }
            _ => Plan::search(&self.shop, "", None, 10),
        }
    }

    /// What to change next, under this key; none where nothing is for sale.
    pub fn write(&mut self, memory: &Memory, key: String) -> Option<Plan> {
        if memory.shelf.is_empty() {
            return None;
        }
        let chance = self.prng.below(100);
        Some(match (self.checkout.clone(), self.cart.clone()) {
            (Some((id, ready)), _) => self.at_checkout(memory, key, &id, ready, chance),
            (None, Some(cart)) => self.with_cart(memory, key, &cart, chance),
            (None, None) => self.empty_handed(memory, key, chance),
        })
    }

    fn at_checkout(&mut self, memory: &Memory, key: String, id: &str, ready: bool, chance: u64) -> Plan {
        match chance {
            0..5 => Plan::cancel(key, &self.shop, Kind::Checkout, id),
            5..15 => {
                let basket = self.basket(memory);
                Plan::checkout_update(key, &self.shop, id, basket, self.buyer)
            }
            15..25 if ready => Plan::complete(key, &self.shop, id, false),
            _ if ready => Plan::complete(key, &self.shop, id, true),
            _ => {
                let wanted = memory.seen(Kind::Checkout, id).map(Seen::wanted).unwrap_or_default();
                Plan::checkout_update(key, &self.shop, id, wanted, self.buyer)
            }
        }
    }

    fn with_cart(&mut self, memory: &Memory, key: String, cart: &str, chance: u64) -> Plan {
        match chance {
            0..10 => Plan::cancel(key, &self.shop, Kind::Cart, cart),
            10..40 => {
                let basket = self.basket(memory);
                Plan::cart_update(key, &self.shop, cart, basket)
            }
            _ => {
                let wanted = memory.seen(Kind::Cart, cart).map(Seen::wanted).unwrap_or_default();
                Plan::checkout_create(key, &self.shop, Some(cart), wanted)
            }
        }
    }

    fn empty_handed(&mut self, memory: &Memory, key: String, chance: u64) -> Plan {
        if chance < 20
            && let Some(plan) = self.wants_money_back(memory, key.clone())
        {
            return plan;
        }
        let basket = self.basket(memory);
        if chance < 45 {
            return Plan::checkout_create(key, &self.shop, None, basket);
        }
        Plan::cart_create(key, &self.shop, basket)
    }

    /// An order is either cancelled or refunded, part by part or whole; it is let go when nothing is left of it.
    fn wants_money_back(&mut self, memory: &Memory, key: String) -> Option<Plan> {
        let id = self.orders.pop_front()?;
        let order = memory.seen(Kind::Order, &id)?;
        let adjusted: i64 = order.adjustments.iter().map(|adjustment| adjustment.amount).sum();
        if order.lines.iter().any(|line| line.id.is_empty()) || adjusted >= order.total("total") {
            return None;
        }
        let back = match order.adjustments.first() {
            Some(first) if first.of == Back::Refund.word() => Back::Refund,
            None if self.prng.percent(40) => Back::Refund,
            Some(_) | None => Back::Cancellation,
        };
        let line = self.prng.pick(&order.lines)?;
        let parts = match self.prng.below(100) {
            // More than there is: the shop has to say no.
            0..5 => vec![(line.id.clone(), line.quantity + 1)],
            5..60 => vec![(line.id.clone(), 1)],
            _ => Vec::new(),
        };
        self.orders.push_back(id.clone());
        Some(Plan::give_back(key, &self.shop, &id, back, parts))
    }

    /// One to three different products, some of each.
    fn basket(&mut self, memory: &Memory) -> Wanted {
        let mut basket = Wanted::new();
        for _ in 0..self.prng.between(1, LINES_MAX) {
            let units = self.prng.between(1, UNITS_MAX);
            if let Some(product) = self.prng.pick(&memory.shelf)
                && !basket.iter().any(|(taken, _)| taken == product)
            {
                basket.push((product.clone(), units));
            }
        }
        basket
    }

    /// A seller's edit: a price by up to 5 % in whole charges, or stock up, seldom down.
    pub fn edit(&mut self, memory: &Memory, key: String) -> Option<Plan> {
        let product = self.prng.pick(&memory.shelf)?.clone();
        if self.prng.percent(60) {
            let delta = self.prng.between(-2, 12);
            return Some(Plan::edit(key, &self.shop, &product, None, if delta == 0 { 1 } else { delta }));
        }
        let whole = memory.opening.terms.whole;
        let price = memory.price(&product)? * self.prng.between(95, 105) / 100;
        let price = (price.div_euclid(whole) * whole).max(whole);
        Some(Plan::edit(key, &self.shop, &product, Some(price), 0))
    }

    /// Takes up what came of a request. Whatever did not go as asked is let go: it is the oracle's now.
    pub fn after(&mut self, plan: &Plan, done: &Done) {
        let id = if done.end == End::Ok { done.judged.id.clone() } else { None };
        match &plan.expect {
            Expect::Shelf | Expect::Edited { .. } => {}
            Expect::Cart { .. } => self.cart = id,
            Expect::Checkout { ready, .. } => {
                (self.cart, self.checkout) = (None, id.map(|id| (id, *ready)));
            }
            Expect::Canceled { .. } => (self.cart, self.checkout) = (None, None),
            Expect::Completed { .. } => self.after_payment(id, done),
            Expect::Known { kind, id } if done.end == End::Wrong || done.end == End::Failed => self.forget(*kind, id),
            Expect::GivenBack { id, .. } if done.end == End::Wrong || done.end == End::Failed => {
                self.forget(Kind::Order, id)
            }
            Expect::Known { .. } | Expect::GivenBack { .. } => {}
            // Shoppers pay at once.
            Expect::OnPage { .. } | Expect::Later { .. } => {}
        }
    }

    fn after_payment(&mut self, order: Option<String>, done: &Done) {
        if done.judged.refused.as_deref() == Some("payment_failed") && done.end == End::Refused {
            return;
        }
        self.checkout = None;
        if let Some(order) = order {
            self.fresh = Some(order.clone());
            self.orders.push_back(order);
            if self.orders.len() > ORDERS_MAX {
                self.orders.pop_front();
            }
        }
    }

    fn forget(&mut self, kind: Kind, id: &str) {
        match kind {
            Kind::Cart => self.cart = None,
            Kind::Checkout => self.checkout = None,
            Kind::Order => self.orders.retain(|order| order != id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shopper;
    use crate::arithmetic::Terms;
    use crate::memory::{Memory, Opening};
    use std::collections::BTreeMap;

    fn memory() -> Memory {
        let opening =
            Opening { shop: "1".into(), terms: Terms::new("IDR", 1100, 0), stock: BTreeMap::new(), orders: Vec::new() };
        let mut memory = Memory::new(opening);
        ["p", "q", "r"].iter().for_each(|product| memory.stocked(product, 10_000));
        memory
    }

    #[test]
    fn the_same_seed_asks_the_same() {
        let ask = |seed| {
            let (memory, mut shopper) = (memory(), Shopper::new("1", seed, 4));
            (0..50).map(|n| (shopper.write(&memory, format!("k{n}")), shopper.read(&memory))).collect::<Vec<_>>()
        };
        assert_eq!(ask(1), ask(1));
        assert_ne!(ask(1), ask(2));
    }

    #[test]
    fn a_seller_prices_in_whole_rupiah_and_moves_stock_by_something() {
        let (memory, mut seller) = (memory(), Shopper::new("1", 1, 1));
        for n in 0..200 {
            let body = seller.edit(&memory, format!("k{n}")).unwrap().body.unwrap();
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let price = body.get("price").map_or(100, |price| price.as_i64().unwrap());
            assert!(price > 0 && price % 100 == 0 && body.get("stock_delta") != Some(&serde_json::json!(0)), "{body}");
            assert!(body.get("price").is_some() || body.get("stock_delta").is_some(), "{body}");
        }
    }

    #[test]
    fn where_nothing_is_for_sale_nobody_buys() {
        let mut memory = memory();
        memory.shelf.clear();
        let mut shopper = Shopper::new("1", 1, 1);
        assert_eq!(shopper.write(&memory, "k".into()), None);
        assert_eq!(shopper.read(&memory).path, "/shops/1/catalog/search");
    }
}
