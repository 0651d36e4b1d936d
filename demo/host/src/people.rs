//! Who looks at the feed: one person per cookie, with what the app remembers of them.
//!
//! A basket itself is the shop's: only its id is kept here, and it never changes, whoever owns the shop. All of it is in
//! memory and bounded; who was not here for the longest time is forgotten first.

use crate::deed::Deed;
use crate::seam::{Answer, Trouble};
use crate::steer::Felt;
use crate::wire::{Ask, Details};
use http::HeaderMap;
use http::header::COOKIE;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// People who are remembered.
const PEOPLE_MAX: usize = 10_000;
/// Taps shown to a person.
pub const TAPS_SHOWN: usize = 6;
/// Forms of a person that can be sent twice without being done twice.
const DEEDS_MAX: usize = 64;
const ORDERS_MAX: usize = 50;
const COOKIE_NAME: &str = "kelir";

/// What is going on with one shop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basket {
    pub cart: Option<String>,
    pub checkout: Option<String>,
    /// The checkout of it that was last written down because its page says where else it can be paid.
    pub offered: Option<String>,
    /// Units in it, as last seen.
    pub units: i64,
}

/// One write of a person, and how long they waited for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    pub what: What,
    pub took_us: u64,
    pub held_us: u64,
    pub side: Option<String>,
    pub repeats: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Basket,
    Checkout,
    Pay,
}

/// Something to tell a person once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Added,
    PriceChanged,
    Trouble(Trouble),
}

/// A note, and the shop that it is about: whatever page it is told on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub note: Note,
    pub shop: String,
}

/// What was paid for, and the order that it became.
#[derive(Debug)]
struct Paid {
    shop: String,
    checkout: String,
    order: String,
}

/// A deed that was begun: the writes it sent, and where it led, once it did.
#[derive(Debug, Clone)]
pub struct Begun {
    pub tap: String,
    pub shop: String,
    pub deed: Deed,
    pub sent: Vec<Ask>,
    pub end: Option<String>,
}

#[derive(Debug, Default)]
pub struct Person {
    pub baskets: BTreeMap<String, Basket>,
    /// Shop and order, newest first.
    pub orders: VecDeque<(String, String)>,
    /// Newest first.
    pub taps: VecDeque<Tap>,
    pub note: Option<Told>,
    /// By shop: what came of the last move that was asked for.
    pub felt: BTreeMap<String, Felt>,
    /// As last said at a checkout.
    pub details: Option<Details>,
    begun: VecDeque<Begun>,
    /// Newest first.
    paid: VecDeque<Paid>,
}

/// A person, and the one deed at a time that they do.
#[derive(Debug, Default)]
pub struct Seat {
    person: Mutex<Person>,
    pub deeds: tokio::sync::Mutex<()>,
}

impl Seat {
    pub fn person(&self) -> MutexGuard<'_, Person> {
        self.person.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Person {
    pub fn basket(&self, shop: &str) -> Basket {
        self.baskets.get(shop).cloned().unwrap_or_default()
    }

    pub fn basket_mut(&mut self, shop: &str) -> &mut Basket {
        self.baskets.entry(shop.to_owned()).or_default()
    }

    pub fn units(&self) -> i64 {
        self.baskets.values().map(|basket| basket.units).sum()
    }

    pub fn tell(&mut self, note: Note, shop: &str) {
        self.note = Some(Told { note, shop: shop.to_owned() });
    }

    /// A checkout became this order. What is in the basket of another one stays.
    pub fn bought(&mut self, shop: &str, checkout: &str, order: &str) {
        if self.basket(shop).checkout.as_deref() == Some(checkout) {
            self.baskets.remove(shop);
        }
        let bought = (shop.to_owned(), order.to_owned());
        if !self.orders.contains(&bought) {
            self.orders.push_front(bought);
            self.orders.truncate(ORDERS_MAX);
            self.paid.push_front(Paid { shop: shop.into(), checkout: checkout.into(), order: order.into() });
            self.paid.truncate(ORDERS_MAX);
        }
    }

    /// The order that this person's checkout became.
    pub fn order_of(&self, shop: &str, checkout: &str) -> Option<&str> {
        let paid = self.paid.iter().find(|paid| paid.shop == shop && paid.checkout == checkout);
        paid.map(|paid| paid.order.as_str())
    }

    pub fn tapped(&mut self, what: What, answer: &Answer) {
        self.taps.push_front(Tap {
            what,
            took_us: u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX),
            held_us: answer.held_us.unwrap_or(0),
            side: answer.side.clone(),
            repeats: answer.repeats,
        });
        self.taps.truncate(TAPS_SHOWN);
    }

    /// The deed of a form, as far as it has come.
    pub fn begun(&self, tap: &str) -> Option<&Begun> {
        self.begun.iter().find(|begun| begun.tap == tap)
    }

    pub fn begun_mut(&mut self, tap: &str) -> Option<&mut Begun> {
        self.begun.iter_mut().find(|begun| begun.tap == tap)
    }

    /// Writes a deed down before anything of it is sent. Of those that have ended the oldest are let go.
    pub fn begin(&mut self, begun: Begun) {
        while self.begun.len() >= DEEDS_MAX {
            let ended = self.begun.iter().position(|begun| begun.end.is_some()).unwrap_or(0);
            self.begun.remove(ended);
        }
        self.begun.push_back(begun);
    }

    /// What was begun with this shop and has not ended, oldest first: the shop was silent when it was told, or already
    /// when it was asked what to tell it.
    pub fn unanswered(&self, shop: &str) -> Vec<Begun> {
        self.begun.iter().filter(|begun| begun.shop == shop && begun.end.is_none()).cloned().collect()
    }

    pub fn end(&mut self, tap: &str, location: &str) {
        if let Some(begun) = self.begun_mut(tap) {
            begun.end = Some(location.to_owned());
        }
    }
}

/// Everybody.
#[derive(Debug)]
pub struct People {
    random: SystemRandom,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    by_name: BTreeMap<String, (u64, Arc<Seat>)>,
    /// Counts visits: the larger, the newer.
    visits: u64,
}

impl Default for People {
    fn default() -> Self {
        Self { random: SystemRandom::new(), seats: Mutex::default() }
    }
}

impl People {
    /// Whose cookie came, or somebody new; with the `Set-Cookie` that a new one needs.
    pub fn of(&self, headers: &HeaderMap) -> (Arc<Seat>, Option<String>) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.visits += 1;
        let visit = seats.visits;
        if let Some((seen, seat)) = cookie(headers).and_then(|name| seats.by_name.get_mut(name)) {
            *seen = visit;
            return (seat.clone(), None);
        }
        if seats.by_name.len() >= PEOPLE_MAX {
            let oldest = seats.by_name.iter().min_by_key(|(_, (seen, _))| *seen).map(|(name, _)| name.clone());
            oldest.and_then(|name| seats.by_name.remove(&name));
        }
        let (name, seat) = (self.word(), Arc::new(Seat::default()));
        seats.by_name.insert(name.clone(), (visit, seat.clone()));
        (seat, Some(format!("{COOKIE_NAME}={name}; Path=/; Max-Age=86400; SameSite=Lax; HttpOnly")))
    }

    /// 128 bits that nobody guesses, as text: a person's name, a form's.
    pub fn word(&self) -> String {
        let mut bytes = [0_u8; 16];
        // The system's generator does not fail once the machine runs; without it nobody may be told apart.
        self.random.fill(&mut bytes).expect("the system gives random bytes");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_person_is_found_again_by_the_cookie_and_by_nothing_else() {
        let people = People::default();
        let (seat, cookie) = people.of(&HeaderMap::new());
        let cookie = cookie.unwrap();
        let name = cookie.split(';').next().unwrap();
        let (again, none) = people.of(&named(&format!("lang=id; {name}")));
        assert!(Arc::ptr_eq(&seat, &again) && none.is_none());
        let (stranger, new) = people.of(&named("kelir=00"));
        assert!(!Arc::ptr_eq(&seat, &stranger) && new.is_some());
    }

    #[test]
    fn who_was_not_here_for_the_longest_time_is_forgotten_first() {
        let people = People::default();
        let visit = |headers: &HeaderMap| people.of(headers).1;
        let of = |cookie: Option<String>| named(cookie.unwrap().split(';').next().unwrap());
        let (first, second) = (of(visit(&HeaderMap::new())), of(visit(&HeaderMap::new())));
        for _ in 2..PEOPLE_MAX {
            visit(&HeaderMap::new());
        }
        assert_eq!(visit(&first), None);
        visit(&HeaderMap::new());
        assert_eq!(visit(&first), None);
        assert!(visit(&second).is_some(), "the second was not seen since the first came back");
    }
}
