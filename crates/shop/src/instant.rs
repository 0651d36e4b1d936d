//! Paying by the instant rail: two commits with the rail between them.
//!
//! The first takes the units off the shelf and records the attempt; the second records what the rail said. Whoever
//! finds a checkout between the two (a second request, a restart, a drain) asks the rail about the same attempt again
//! and finishes it; nobody starts a second attempt beside one that is open.

use crate::failure::{Failure, Stop, Unwritten};
use crate::ids::{ORDER, ORDER_BUYER, ORDER_LINE, ORDER_PAYMENT};
use crate::purse::Purse;
use crate::view::{View, parse};
use crate::{Answer, Frame, Keyed, Service, TRIES_MAX};
use commerce::cart::{self, Cart};
use commerce::checkout::{self, Checkout, OrderIds, State};
use commerce::decision::{Aggregate, Decision};
use commerce::idempotency::{Operation, Recorded};
use commerce::lines::ids_exhausted;
use commerce::payment::{self, Attempt, Outcome};
use commerce::{Refusal, Retry, ledger};
use crash::{Act, Phase, reach};
use store::Committed;
use vocab::id::{Kind, PublicId, ShopId};

/// The ids of an order to come, in their purse until they are committed.
pub(crate) struct Numbers<'a> {
    pub(crate) ids: OrderIds,
    pub(crate) purse: Purse<'a>,
}

/// What became of one attempt.
enum Finished {
    /// It was approved, and the order is there.
    Completed(Box<Checkout>),
    /// The checkout is open again.
    Reopened(Refusal),
    /// Somebody else finished it, or the checkout never waited for it.
    Elsewhere,
}

impl Service {
    /// Pays a checkout with an instrument of the instant rail. A completed checkout is answered as it is.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal is an answer.
    pub async fn complete(
        &self,
        frame: &Frame,
        keyed: &Keyed,
        id: &PublicId,
        instrument: &str,
    ) -> Result<Answer, Failure> {
        let shop = &frame.shop;
        for _ in 0..TRIES_MAX {
            let main = Some((Kind::Checkout, id.clone()));
            let (key, products) = ((Operation::CheckoutComplete, keyed), self.hints.of(shop, id));
            let mut view = self.writing_of(frame, Some(key), main.clone(), products).await?;
            if let Some(recorded) = view.recorded.take() {
                return self.replay(shop, &recorded, keyed, main.as_ref()).await;
            }
            let step = self.step(shop, &mut view, keyed, id, instrument).await;
            match step {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(Stop::Refused(refusal)) => {
                    let current = self.resource(shop, Kind::Checkout, id).await?;
                    return Ok(Answer::refused(refusal, current.resource));
                }
                Err(Stop::Failed(failure)) => return Err(failure),
            }
        }
        Err(Failure::Busy)
    }

    /// One look at the checkout and what follows from it; none where it has to be looked at again.
    async fn step(
        &self,
        shop: &ShopId,
        view: &mut View,
        keyed: &Keyed,
        id: &PublicId,
        instrument: &str,
    ) -> Result<Option<Answer>, Stop> {
        let checkout = view.checkout(id)?;
        match checkout.state() {
            State::Completed { .. } => {
                let recorded = completed(keyed, id);
                let shown = Answer::shown(200, view.show_checkout(&checkout));
                Ok(self.try_commit(shop, view, Decision::default().born(&recorded)).await?.then_some(shown))
            }
            State::Paying(attempt) => {
                self.finish(shop, id, attempt.clone(), None, None, None).await?;
                Ok(None)
            }
            State::Open | State::Awaiting { .. } | State::Canceled if !self.instant => {
                let content = "the instant rail is for trials only: the buyer pays on the page of the shop";
                Err(Refusal::new("payment_unavailable", Retry::Changed, content).into())
            }
            State::Open | State::Awaiting { .. } | State::Canceled => {
                let choice = checkout::choice(instrument)?;
                let attempt = Attempt::new(self.ids.uuid(), choice).ok_or_else(ids_exhausted)?;
                let started = self.start(shop, view, &checkout, attempt.clone()).await?;
                let Some((ids, paying)) = started else { return Ok(None) };
                view.has_written(Kind::Checkout, id);
                match self.finish(shop, id, attempt, Some(ids), Some(keyed), Some((view, paying))).await? {
                    Finished::Completed(checkout) => Ok(Some(Answer::shown(200, view.show_checkout(&checkout)))),
                    Finished::Reopened(refusal) => Err(refusal.into()),
                    Finished::Elsewhere => Ok(None),
                }
            }
        }
    }

    /// The first commit: units off the shelf, the attempt on record. Answers the checkout as it stands then; none: another commit
    /// came first.
    async fn start(
        &self,
        shop: &ShopId,
        view: &View,
        checkout: &Checkout,
        attempt: Attempt,
    ) -> Result<Option<(Numbers<'_>, Checkout)>, Stop> {
        let products = checkout.lines().iter().map(checkout::Line::product);
        let (catalogue, stock) = self.stocked_of(shop, view, products).await?;
        let left = |variant: &PublicId| stock.get(variant).copied().unwrap_or(0);
        let (paying, taken) = checkout.pay(attempt, &catalogue, left)?;
        // Nobody is charged for an order that could not be numbered.
        let numbers = self.numbers(checkout, None).await?;
        let decision = Decision::default().changed(checkout, &paying).moving(taken);
        reach(Act::RailCall, Phase::Before);
        match self.commit(shop, view, decision).await {
            Ok(_) => Ok(Some((numbers, paying))),
            // Units only go here.
            Err(Unwritten::Conflict { .. } | Unwritten::TooMuchStock) => Ok(None),
            Err(Unwritten::OutOfStock { variant, left }) => {
                Err(checkout.out_of_stock(&variant, &catalogue, left).into())
            }
            Err(Unwritten::Failed(failure)) => Err(failure.into()),
        }
    }

    /// Asks the rail and makes the second commit, with the record of the key if there is one. Without numbers they
    /// are minted here; where there are none left the checkout is opened again.
    ///
    /// Who has just begun it knows how it stands, and reads it again only where another commit came first: the commit asks for
    /// the version of everything that it was decided on.
    async fn finish(
        &self,
        shop: &ShopId,
        id: &PublicId,
        attempt: Attempt,
        mut numbers: Option<Numbers<'_>>,
        keyed: Option<&Keyed>,
        mut begun: Option<(&mut View, Checkout)>,
    ) -> Result<Finished, Stop> {
        reach(Act::RailCall, Phase::During);
        let outcome = payment::ask(&attempt);
        reach(Act::RailCall, Phase::After);
        for _ in 0..TRIES_MAX {
            let (known, mut read) = (begun.is_some(), None);
            let (view, checkout) = match begun.take() {
                Some(begun) => begun,
                None => {
                    let key = keyed.map(|keyed| (Operation::CheckoutComplete, keyed));
                    let view = read.insert(self.view(shop, key, Some((Kind::Checkout, id.clone()))).await?);
                    let checkout = view.checkout(id)?;
                    (view, checkout)
                }
            };
            if *checkout.state() != State::Paying(attempt.clone()) {
                // Whoever finished it: a decline is one. Who began it must not begin another instead.
                return Ok(match outcome {
                    Outcome::Declined => Finished::Reopened(checkout::payment_failed()),
                    Outcome::Approved => Finished::Elsewhere,
                });
            }
            // Who pays two checkouts at once under one key has paid both; the key stands for the first.
            let keyed = keyed.filter(|_| view.recorded.is_none());
            let (decision, finished) = match self.numbered(&checkout, outcome, &mut numbers).await? {
                Ok(ids) => self.approved(shop, view, &checkout, ids, keyed).await?,
                Err(refusal) => (self.reopened(shop, &checkout).await?, Finished::Reopened(refusal)),
            };
            let committed = match &mut numbers {
                Some(numbers) => self.commit_from(&mut numbers.purse, shop, view, decision).await,
                None => self.commit(shop, view, decision).await,
            };
            match came_first(committed) {
                Ok(true) => return Ok(finished),
                // A hold that was given up has raised the epoch since it was begun.
                Err(Failure::StaleEpoch { .. }) if known => {}
                Ok(false) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Failure::Busy.into())
    }

    /// The ids of the order, where the rail approved and there are ids; else why there will be no order, and no numbers.
    async fn numbered<'a>(
        &'a self,
        checkout: &Checkout,
        outcome: Outcome,
        numbers: &mut Option<Numbers<'a>>,
    ) -> Result<Result<OrderIds, Refusal>, Failure> {
        if outcome == Outcome::Declined {
            *numbers = None;
            return Ok(Err(checkout::payment_failed()));
        }
        if let Some(numbers) = numbers {
            return Ok(Ok(numbers.ids.clone()));
        }
        match self.numbers(checkout, None).await {
            Ok(minted) => Ok(Ok(numbers.insert(minted).ids.clone())),
            Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    async fn approved(
        &self,
        shop: &ShopId,
        view: &mut View,
        checkout: &Checkout,
        ids: OrderIds,
        keyed: Option<&Keyed>,
    ) -> Result<(Decision, Finished), Stop> {
        let (after, order) = checkout.approved(ids, self.now())?;
        let decision = Decision::default().changed(checkout, &after).placed(&order);
        let decision = self.converted(shop, view, checkout, decision.booking(ledger::added(None, &order)?)).await?;
        let decision = match keyed {
            Some(keyed) => decision.born(&completed(keyed, checkout.id())),
            None => decision,
        };
        Ok((decision, Finished::Completed(Box::new(after))))
    }

    /// The cart it was made of goes with it. One that was cancelled meanwhile stays so: what was paid is the checkout.
    pub(crate) async fn converted(
        &self,
        shop: &ShopId,
        view: &mut View,
        checkout: &Checkout,
        decision: Decision,
    ) -> Result<Decision, Failure> {
        let Some(id) = checkout.cart() else { return Ok(decision) };
        let loaded = self.store.load(shop, &[(Kind::Cart, id.clone())]).await?;
        let Some(stored) = loaded.documents.into_iter().next().flatten() else { return Ok(decision) };
        let cart = parse(Kind::Cart, id, &stored.document, Cart::from_document)?;
        view.see(Kind::Cart, id.clone(), stored.version);
        Ok(match cart.end(cart::State::Converted, self.now()) {
            Ok(converted) => decision.changed(&cart, &converted),
            Err(_) => decision,
        })
    }

    async fn reopened(&self, shop: &ShopId, checkout: &Checkout) -> Result<Decision, Stop> {
        let catalogue = self.catalogue(shop, checkout.lines().iter().map(checkout::Line::product)).await?;
        let (open, back) = checkout.unpaid(&catalogue)?;
        Ok(Decision::default().changed(checkout, &open).moving(back))
    }

    /// The ids of an order to come; its own may be out already.
    pub(crate) async fn numbers(&self, checkout: &Checkout, reserved: Option<&PublicId>) -> Result<Numbers<'_>, Stop> {
        let mut purse = self.purse();
        let ids = OrderIds {
            order: match reserved {
                Some(id) => self.ids.known(ORDER, id),
                None => purse.mint_one(ORDER).await?,
            },
            buyer: purse.mint_one(ORDER_BUYER).await?,
            payment: purse.mint_one(ORDER_PAYMENT).await?,
            lines: purse.mint(ORDER_LINE, checkout.lines().len()).await?,
        };
        Ok(Numbers { ids, purse })
    }

    /// False: another commit came first.
    pub(crate) async fn try_commit(&self, shop: &ShopId, view: &View, decision: Decision) -> Result<bool, Failure> {
        came_first(self.commit(shop, view, decision).await)
    }

    /// Finishes every checkout that waits for the instant rail: after a crash, and before the shop is handed over. Answers how
    /// many it found waiting. What a buyer pays in their own time is not waited for: it moves with the shop.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn settle(&self, shop: &ShopId) -> Result<usize, Failure> {
        let waiting = self.store.ids_in_state(shop, Kind::Checkout, "paying").await?;
        for id in &waiting {
            let view = self.view(shop, None, Some((Kind::Checkout, id.clone()))).await?;
            let settled = match view.checkout(id) {
                Ok(checkout) => match checkout.state() {
                    State::Paying(attempt) => {
                        self.finish(shop, id, attempt.clone(), None, None, None).await.map(|_| ())
                    }
                    State::Open | State::Awaiting { .. } | State::Completed { .. } | State::Canceled => Ok(()),
                },
                Err(stop) => Err(stop),
            };
            match settled {
                Ok(()) => {}
                Err(Stop::Failed(failure)) => return Err(failure),
                Err(Stop::Refused(refusal)) => tracing::error!(%shop, checkout = %id, %refusal, "cannot be settled"),
            }
        }
        Ok(waiting.len())
    }
}

pub(crate) fn came_first(committed: Result<Committed, Unwritten>) -> Result<bool, Failure> {
    match committed {
        Ok(_) => Ok(true),
        // Units only come back here; the store knows a variant or it was damaged, so trying again is all there is.
        Err(Unwritten::Conflict { .. } | Unwritten::OutOfStock { .. } | Unwritten::TooMuchStock) => Ok(false),
        Err(Unwritten::Failed(failure)) => Err(failure),
    }
}

/// The record of a completion.
fn completed(keyed: &Keyed, id: &PublicId) -> Recorded {
    Recorded::new(Operation::CheckoutComplete, &keyed.key, &keyed.body, 200, (Kind::Checkout, id.clone()))
}
