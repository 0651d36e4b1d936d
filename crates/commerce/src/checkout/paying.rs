//! How a checkout is paid: units off the shelf while it waits, one order when it is paid, units back when it is not.

use super::{Checkout, Line, OrderIds, State};
use crate::catalogue::Catalogue;
use crate::decision::{Aggregate, StockChange};
use crate::intent::Intent;
use crate::order::{Order, Taken};
use crate::payment::Attempt;
use crate::refusal::{Refusal, Retry};
use vocab::id::{PublicId, Timestamp};

impl Checkout {
    /// Takes the units off the shelf and waits for the rail. `on_hand` tells the stock of a variant.
    ///
    /// # Errors
    /// `checkout_incomplete`, `out_of_stock` (with the line's place), `item_unavailable`, and as for `cancel`.
    pub fn pay(
        &self,
        attempt: Attempt,
        catalogue: &Catalogue,
        on_hand: impl Fn(&PublicId) -> i64,
    ) -> Result<(Self, Vec<StockChange>), Refusal> {
        let taken = self.take(catalogue, on_hand)?;
        Ok((Self { state: State::Paying(attempt), lapsed: None, ..self.clone() }, taken))
    }

    /// Takes the units off the shelf and waits for an intent to be paid.
    ///
    /// # Errors
    /// As for `pay`; `amount_changed` where the intent is about another amount than the checkout.
    pub fn await_payment(
        &self,
        intent: &Intent,
        catalogue: &Catalogue,
        on_hand: impl Fn(&PublicId) -> i64,
    ) -> Result<(Self, Vec<StockChange>), Refusal> {
        if intent.due() != self.totals.total {
            let content = format!("{} is due, and the checkout comes to {}", intent.due(), self.totals.total);
            return Err(Refusal::new("amount_changed", Retry::Changed, content));
        }
        let taken = self.take(catalogue, on_hand)?;
        let state = State::Awaiting { intent: intent.id().clone() };
        Ok((Self { state, lapsed: None, ..self.clone() }, taken))
    }

    /// The units of all lines, where there are enough.
    fn take(&self, catalogue: &Catalogue, on_hand: impl Fn(&PublicId) -> i64) -> Result<Vec<StockChange>, Refusal> {
        self.must_be_payable()?;
        let taken = catalogue.stock_changes(self.units(-1))?;
        let short = taken.iter().find(|change| on_hand(&change.variant).saturating_add(change.delta) < 0);
        if let Some(short) = short {
            return Err(self.out_of_stock(&short.variant, catalogue, on_hand(&short.variant)));
        }
        Ok(taken)
    }

    /// Says which line asks for more than there is.
    pub fn out_of_stock(&self, variant: &PublicId, catalogue: &Catalogue, left: i64) -> Refusal {
        let is_it = |line: &Line| catalogue.get(&line.product).is_some_and(|product| product.variant().id() == variant);
        let index = self.lines.iter().position(is_it).unwrap_or(0);
        Refusal::new("out_of_stock", Retry::Changed, format!("only {left} left")).at(format!("$.line_items[{index}]"))
    }

    /// The instant rail approved.
    ///
    /// # Errors
    /// `checkout_closed` if it is not waiting for the rail; `ids_exhausted` where the caller handed in too few.
    pub fn approved(&self, ids: OrderIds, at: Timestamp) -> Result<(Self, Order), Refusal> {
        let State::Paying(attempt) = &self.state else { return Err(not_waiting()) };
        self.complete(Taken::at_once(attempt), ids, at)
    }

    /// The intent that it waits for is paid. The intent learns of the order in the same commit.
    ///
    /// # Errors
    /// `checkout_closed` if it is not waiting for this intent, `payment_incomplete` where nothing came, and as for `approved`.
    pub fn paid_by(&self, intent: &Intent, ids: OrderIds, at: Timestamp) -> Result<(Self, Order), Refusal> {
        match &self.state {
            State::Awaiting { intent: awaited } if awaited == intent.id() => {
                self.complete(Taken::by_intent(intent)?, ids, at)
            }
            State::Open | State::Paying(_) | State::Awaiting { .. } | State::Completed { .. } | State::Canceled => {
                Err(not_waiting())
            }
        }
    }

    /// Money for an intent that had ended came after all: the order that it was for, where it can still be had.
    ///
    /// # Errors
    /// As for `await_payment` and `paid_by`; `checkout_closed` where it was changed or begun otherwise meanwhile: nobody is sent
    /// what they did not pay for.
    pub fn paid_late(
        &self,
        intent: &Intent,
        catalogue: &Catalogue,
        on_hand: impl Fn(&PublicId) -> i64,
        ids: OrderIds,
        at: Timestamp,
    ) -> Result<(Self, Order, Vec<StockChange>), Refusal> {
        if self.lapsed.as_ref() != Some(intent.id()) {
            return Err(not_waiting());
        }
        let (awaiting, taken) = self.await_payment(intent, catalogue, on_hand)?;
        let (after, order) = awaiting.paid_by(intent, ids, at)?;
        Ok((after, order, taken))
    }

    /// The only way into `Completed`.
    fn complete(&self, taken: Taken, ids: OrderIds, at: Timestamp) -> Result<(Self, Order), Refusal> {
        let order = Order::placed(self, taken, ids, at)?;
        let state = State::Completed { order: order.id().clone() };
        Ok((Self { state, ..self.clone() }, order))
    }

    /// It was not paid: open as before, the units back on the shelf.
    ///
    /// # Errors
    /// `checkout_closed` if it is not waiting to be paid; `item_unavailable` where a product is gone altogether.
    pub fn unpaid(&self, catalogue: &Catalogue) -> Result<(Self, Vec<StockChange>), Refusal> {
        self.given_back(State::Open, catalogue)
    }

    /// The same, and nobody wants it any more.
    ///
    /// # Errors
    /// As for `unpaid`.
    pub fn given_up(&self, catalogue: &Catalogue) -> Result<(Self, Vec<StockChange>), Refusal> {
        self.given_back(State::Canceled, catalogue)
    }

    fn given_back(&self, state: State, catalogue: &Catalogue) -> Result<(Self, Vec<StockChange>), Refusal> {
        let lapsed = match &self.state {
            State::Paying(_) => None,
            State::Awaiting { intent } => Some(intent.clone()).filter(|_| state == State::Open),
            State::Open | State::Completed { .. } | State::Canceled => return Err(not_waiting()),
        };
        let back = catalogue.stock_changes(self.units(1))?;
        Ok((Self { state, lapsed, ..self.clone() }, back))
    }

    fn units(&self, sign: i64) -> impl Iterator<Item = (&PublicId, i64)> {
        self.lines.iter().map(move |line| (&line.product, sign * i64::from(line.quantity)))
    }
}

fn not_waiting() -> Refusal {
    Refusal::new("checkout_closed", Retry::Never, "no payment is under way")
}
