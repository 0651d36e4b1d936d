//! What a person does, from the tap to where it leads: the same calls that the demo's shoppers make.
//!
//! Invariant: a form that is sent twice is done once. A deed is written down before its first write goes out, with the
//! bytes of each; sent again it goes on with those, and so does the next deed in the same shop before its own.

use crate::people::{Begun, Note, Person, Seat, What};
use crate::seam::{Answer, Seam, Trouble};
use crate::wire::{Ask, Bill, Details, Refusal, Wanted, says_price_changed};
use serde::Deserialize;
use std::sync::Arc;

/// Units of one product in a basket.
pub const UNITS_MAX: i64 = 99;
/// Our own no, before the shop is asked: what is to be paid is not what the person saw.
pub const CHANGED: &str = "changed_since";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    Add {
        product: String,
    },
    /// So many of it from now on; none takes it out.
    Set {
        product: String,
        units: i64,
    },
    Begin,
    Say(Details),
    /// This checkout, if it still comes to this.
    Pay {
        approve: bool,
        checkout: String,
        total: i64,
    },
}

/// A deed under way.
struct Doing<'a> {
    seam: &'a Seam,
    seat: &'a Seat,
    begun: Begun,
    /// Writes of it that were sent by now.
    at: usize,
}

/// Does what a form says and answers where that leads. `tap` names the form.
pub async fn perform(seam: &Seam, seat: &Arc<Seat>, tap: String, shop: String, deed: Deed) -> String {
    let one_at_a_time = seat.deeds.lock().await;
    let (before, begun) = {
        let mut person = seat.person();
        if let Some(Begun { end: Some(location), .. }) = person.begun(&tap) {
            return location.clone();
        }
        if person.begun(&tap).is_none() {
            let begun = Begun { tap: tap.clone(), shop: shop.clone(), deed, sent: Vec::new(), end: None };
            person.begin(begun);
        }
        let begun = person.begun(&tap).cloned();
        (person.unanswered(&shop), begun)
    };
    // Whoever was begun is found again: this is the only deed of the person.
    let Some(begun) = begun else { return here(&shop, "basket") };
    let elsewhere = back(&begun);
    let mut ended = Ok(elsewhere.clone());
    for unanswered in before.into_iter().filter(|other| other.tap != tap).chain([begun]) {
        ended = finish(seam, seat, unanswered).await;
        if ended == Err(Trouble::Silent) {
            break;
        }
    }
    drop(one_at_a_time);
    ended.unwrap_or_else(|trouble| {
        seat.person().tell(Note::Trouble(trouble), &shop);
        elsewhere
    })
}

/// Sends again what was never answered; that leads where the newest of it began.
pub async fn again(seam: &Seam, seat: &Arc<Seat>, shop: &str) -> String {
    let _one_at_a_time = seat.deeds.lock().await;
    let mut location = "/basket".to_owned();
    let open = seat.person().unanswered(shop);
    for unanswered in open {
        location = back(&unanswered);
        match finish(seam, seat, unanswered).await {
            Ok(led) => location = led,
            Err(trouble) => {
                seat.person().tell(Note::Trouble(trouble), shop);
                break;
            }
        }
    }
    location
}

/// Brings a deed to its end. A silent shop leaves it open, so that the same is sent the next time.
async fn finish(seam: &Seam, seat: &Seat, begun: Begun) -> Result<String, Trouble> {
    let (tap, elsewhere) = (begun.tap.clone(), back(&begun));
    let ended = Doing { seam, seat, begun, at: 0 }.run().await;
    match &ended {
        Ok(location) => seat.person().end(&tap, location),
        Err(Trouble::Silent) => {}
        Err(Trouble::Refused(_) | Trouble::Odd(_)) => seat.person().end(&tap, &elsewhere),
    }
    ended
}

/// Where somebody stands who could not do it.
fn back(begun: &Begun) -> String {
    match &begun.deed {
        Deed::Add { product } => here(&begun.shop, &format!("products/{product}")),
        Deed::Set { .. } | Deed::Begin => "/basket".to_owned(),
        Deed::Say(_) | Deed::Pay { .. } => here(&begun.shop, "checkout"),
    }
}

fn here(shop: &str, rest: &str) -> String {
    format!("/shops/{shop}/{rest}")
}

impl Doing<'_> {
    async fn run(mut self) -> Result<String, Trouble> {
        match self.begun.deed.clone() {
            Deed::Add { product } => self.add(&product).await,
            Deed::Set { product, units } => self.set(&product, units).await,
            Deed::Begin => self.begin().await,
            Deed::Say(details) => self.say(details).await,
            Deed::Pay { approve, checkout, total } => self.pay(approve, &checkout, total).await,
        }
    }

    async fn add(&mut self, product: &str) -> Result<String, Trouble> {
        let wanted = match self.cart().await? {
            Some(cart) => one_more(cart.wanted(), product),
            None => vec![(product.to_owned(), 1)],
        };
        self.keep(&wanted).await?;
        self.seat.person().tell(Note::Added, &self.begun.shop);
        Ok(here(&self.begun.shop, &format!("products/{product}")))
    }

    async fn set(&mut self, product: &str, units: i64) -> Result<String, Trouble> {
        let mut wanted = self.cart().await?.map(|cart| cart.wanted()).unwrap_or_default();
        for (_, units_now) in wanted.iter_mut().filter(|(other, _)| other == product) {
            *units_now = units.clamp(0, UNITS_MAX);
        }
        wanted.retain(|(_, units)| *units > 0);
        self.keep(&wanted).await?;
        Ok("/basket".to_owned())
    }

    /// Makes the cart hold this; an empty one ends.
    async fn keep(&mut self, wanted: &Wanted) -> Result<(), Trouble> {
        let shop = self.begun.shop.clone();
        let cart = self.basket().cart;
        let made = |key: String| match &cart {
            Some(cart) if wanted.is_empty() => Ask::cancel_cart(key, &shop, cart),
            Some(cart) => Ask::change_cart(key, &shop, cart, wanted),
            None => Ask::new_cart(key, &shop, wanted),
        };
        if wanted.is_empty() && cart.is_none() {
            return Ok(());
        }
        let answer = match self.write(What::Basket, made).await {
            // It expired, or was sold on another screen: what is wanted now is a basket of its own.
            Err(Trouble::Refused(refusal)) if refusal.code == "not_found" && !wanted.is_empty() => {
                self.write(What::Basket, |key| Ask::new_cart(key, &shop, wanted)).await?
            }
            answer => answer?,
        };
        let cart = bill(&answer)?;
        let mut person = self.seat.person();
        if wanted.is_empty() {
            person.baskets.remove(&shop);
        } else {
            let basket = person.basket_mut(&shop);
            (basket.cart, basket.units) = (Some(cart.id.clone()), cart.units());
        }
        Ok(())
    }

    /// A checkout of the basket as it is now.
    async fn begin(&mut self) -> Result<String, Trouble> {
        let shop = self.begun.shop.clone();
        let Some(cart) = self.cart().await? else { return Ok("/basket".to_owned()) };
        let answer = self.write(What::Checkout, |key| Ask::new_checkout(key, &shop, &cart.id)).await?;
        let checkout = bill(&answer)?;
        self.seat.person().basket_mut(&shop).checkout = Some(checkout.id.clone());
        // One that was begun before the basket changed is brought up to date.
        if sorted(checkout.wanted()) != sorted(cart.wanted()) || self.at < self.begun.sent.len() {
            let (wanted, details) = (cart.wanted(), checkout.details());
            self.change(&checkout.id, &wanted, &details).await?;
        }
        Ok(here(&shop, "checkout"))
    }

    async fn say(&mut self, details: Details) -> Result<String, Trouble> {
        let shop = self.begun.shop.clone();
        let Some(id) = self.basket().checkout else { return Ok("/basket".to_owned()) };
        let checkout = bill(&self.seam.send(&Ask::checkout(&shop, &id)).await?)?;
        self.seat.person().details = Some(details.clone());
        self.change(&id, &checkout.wanted(), &details).await?;
        Ok(here(&shop, "checkout"))
    }

    async fn change(&mut self, id: &str, wanted: &Wanted, details: &Details) -> Result<(), Trouble> {
        let shop = self.begun.shop.clone();
        let made = |key| Ask::change_checkout(key, &shop, id, wanted, details);
        let answer = self.write(What::Checkout, made).await?;
        if says_price_changed(&answer.body) {
            self.seat.person().tell(Note::PriceChanged, &shop);
        }
        Ok(())
    }

    async fn pay(&mut self, approve: bool, id: &str, total: i64) -> Result<String, Trouble> {
        let shop = self.begun.shop.clone();
        let mut order = self.seat.person().order_of(&shop, id).map(str::to_owned);
        // What was sent is sent again as it was, whatever came afterwards.
        if order.is_none() && self.begun.sent.is_empty() {
            order = self.paid_or_as_seen(id, total).await?;
        }
        if order.is_none() {
            let answer = self.write(What::Pay, |key| Ask::complete(key, &shop, id, approve)).await?;
            order = bill(&answer)?.order.map(|order| order.id);
        }
        let Some(order) = order else { return Ok(here(&shop, "checkout")) };
        self.seat.person().bought(&shop, id, &order);
        Ok(here(&shop, &format!("orders/{order}")))
    }

    /// Refuses to pay for anything but what the page said: its own checkout, for its own total, with all of the basket.
    /// One that is paid already has its order.
    async fn paid_or_as_seen(&self, id: &str, total: i64) -> Result<Option<String>, Trouble> {
        let changed = || Trouble::Refused(Refusal { code: CHANGED.to_owned(), content: String::new() });
        let shop = &self.begun.shop;
        if self.basket().checkout.as_deref() != Some(id) {
            return Err(changed());
        }
        let checkout = bill(&self.seam.send(&Ask::checkout(shop, id)).await?)?;
        if let Some(order) = checkout.order {
            return Ok(Some(order.id));
        }
        if checkout.total("total") != total || differs(self.seam, self.seat, shop, &checkout).await? {
            return Err(changed());
        }
        Ok(None)
    }

    /// The open cart; none where there is none any more.
    async fn cart(&self) -> Result<Option<Bill>, Trouble> {
        look_into(self.seam, self.seat, &self.begun.shop).await
    }

    fn basket(&self) -> crate::people::Basket {
        self.seat.person().basket(&self.begun.shop)
    }

    /// The next write of this deed: as it was sent before, or new, and then written down first.
    async fn write(&mut self, what: What, made: impl FnOnce(String) -> Ask) -> Result<Answer, Trouble> {
        let ask = match self.begun.sent.get(self.at) {
            Some(sent) => sent.clone(),
            None => {
                let ask = made(format!("{}-{}", self.begun.tap, self.at));
                self.begun.sent.push(ask.clone());
                if let Some(begun) = self.seat.person().begun_mut(&self.begun.tap) {
                    begun.sent.push(ask.clone());
                }
                ask
            }
        };
        self.at += 1;
        let answer = self.seam.send(&ask).await?;
        self.seat.person().tapped(what, &answer);
        Ok(answer)
    }
}

/// What is in a person's basket of a shop, as the shop says; one that has ended is forgotten.
pub async fn look_into(seam: &Seam, seat: &Seat, shop: &str) -> Result<Option<Bill>, Trouble> {
    let Some(id) = seat.person().basket(shop).cart else { return Ok(None) };
    match seam.send(&Ask::cart(shop, &id)).await {
        Ok(answer) => {
            let cart = bill(&answer)?;
            seat.person().basket_mut(shop).units = cart.units();
            Ok(Some(cart))
        }
        Err(Trouble::Refused(refusal)) if refusal.code == "not_found" => {
            forget(&mut seat.person(), shop, &id);
            Ok(None)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Whether more, less or something else is in the basket than in the checkout of it; one that has ended has no say.
pub async fn differs(seam: &Seam, seat: &Seat, shop: &str, checkout: &Bill) -> Result<bool, Trouble> {
    let Some(id) = seat.person().basket(shop).cart else { return Ok(false) };
    match seam.send(&Ask::cart(shop, &id)).await {
        Ok(answer) => Ok(sorted(bill(&answer)?.wanted()) != sorted(checkout.wanted())),
        Err(Trouble::Refused(refusal)) if refusal.code == "not_found" => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

fn forget(person: &mut Person, shop: &str, cart: &str) {
    if person.basket(shop).cart.as_deref() == Some(cart) {
        person.baskets.remove(shop);
    }
}

fn one_more(mut wanted: Wanted, product: &str) -> Wanted {
    match wanted.iter_mut().find(|(other, _)| other == product) {
        Some((_, units)) => *units = (*units + 1).min(UNITS_MAX),
        None => wanted.push((product.to_owned(), 1)),
    }
    wanted
}

fn sorted(mut wanted: Wanted) -> Wanted {
    wanted.sort();
    wanted
}

/// # Errors
/// `Odd` where the answer is no cart, checkout or order.
pub fn bill(answer: &Answer) -> Result<Bill, Trouble> {
    Bill::deserialize(&answer.body).map_err(|error| Trouble::Odd(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_of_what_is_there_is_no_second_line() {
        let wanted = one_more(vec![("a".into(), 1), ("b".into(), UNITS_MAX)], "a");
        assert_eq!(one_more(one_more(wanted, "b"), "c"), [("a".into(), 2), ("b".into(), UNITS_MAX), ("c".into(), 1)]);
    }
}
