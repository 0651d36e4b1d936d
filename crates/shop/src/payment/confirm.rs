//! The buyer says on the page of the backend how they want to pay.

use crate::failure::{Failure, Stop, Unwritten};
use crate::ids::{INTENT, ORDER};
use crate::rails::CardToken;
use crate::view::View;
use crate::{Answer, Frame, Service, TRIES_MAX};
use commerce::checkout::{self, Checkout, State};
use commerce::decision::{Aggregate, Decision};
use commerce::intent::{Attempt, Intent, Method, Opening};
use commerce::order::{Order, State as OrderState};
use commerce::refusal::{Refusal, Retry};
use crash::{Act, Phase, reach};
use vocab::id::{Kind, PublicId, ShopId, Timestamp};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

/// How long a buyer has, from the moment of the choice: as long as providers of Indonesia give by themselves. What is paid at the
/// door is ordered by then.
const fn pay_within_us(method: Method) -> i64 {
    match method {
        Method::VirtualAccount | Method::CashOnDelivery => DAY_US,
        Method::CardToken | Method::Qr | Method::Wallet => 15 * MINUTE_US,
    }
}

/// How a buyer wants to pay, and what the provider made of a card, where it is by one.
#[derive(Clone)]
pub struct Chosen {
    pub method: Method,
    pub card: Option<CardToken>,
}

impl From<Method> for Chosen {
    fn from(method: Method) -> Self {
        Self { method, card: None }
    }
}

/// What the page of a checkout is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToPay {
    pub checkout: Checkout,
    /// The one that it waits for.
    pub intent: Option<Intent>,
    /// What goes back to the buyer as soon as they say where to, in minor units.
    pub owed: i64,
    /// What became of its order, once there is one.
    pub ordered: Option<Ordered>,
}

/// An order in the eyes of who pays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ordered {
    Paid,
    /// It is paid when it is brought.
    AtTheDoor,
    Canceled,
}

/// What one look at the checkout came to.
enum Confirmed {
    /// This try is on record, and the rail is to be asked.
    Recorded(Intent, Attempt),
    /// There is a try already that the buyer can pay, or nothing is left to pay.
    Stands,
    /// Another code is out: it has to be over first.
    Replaces(Intent, Attempt),
    /// Another commit came first.
    Again,
}

impl Service {
    /// The page of one checkout: what it is about, the intent that it waits for, and what is owed to its buyer.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn to_pay(&self, shop: &ShopId, id: &PublicId) -> Result<Option<ToPay>, Failure> {
        let mut view = self.view(shop, None, Some((Kind::Checkout, id.clone()))).await?;
        let checkout = match view.checkout(id) {
            Ok(checkout) => checkout,
            Err(Stop::Refused(_)) => return Ok(None),
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        let intent = match checkout.state() {
            State::Awaiting { intent } => {
                self.load_beside(shop, &mut view, Kind::Intent, intent, Intent::from_document).await?
            }
            State::Open | State::Paying(_) | State::Completed { .. } | State::Canceled => None,
        };
        let begun = self.begun_for(shop, id).await?;
        let owed = begun.iter().map(Intent::needs_account).sum();
        let ordered = match checkout.order() {
            Some(order) => self.ordered(shop, &mut view, order).await?,
            None => None,
        };
        Ok(Some(ToPay { checkout, intent, owed, ordered }))
    }

    /// None where its order was closed before it came here, and is history.
    async fn ordered(&self, shop: &ShopId, view: &mut View, order: &PublicId) -> Result<Option<Ordered>, Failure> {
        let found = self.load_beside(shop, view, Kind::Order, order, Order::from_document).await;
        let standing = |order: Order| match order.state() {
            _ if order.is_promised() => Ordered::AtTheDoor,
            OrderState::Cancelled => Ordered::Canceled,
            OrderState::Open | OrderState::Paid | OrderState::Shipped | OrderState::Done => Ordered::Paid,
        };
        match found {
            Ok(found) => Ok(found.map(standing)),
            Err(Failure::Broken { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The host says that the buyer wants to pay: where, and nothing is begun. A checkout that cannot be paid says why not.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal is an answer.
    pub async fn choose_page(&self, frame: &Frame, id: &PublicId) -> Result<Answer, Failure> {
        let view = self.writing(frame, None, Some((Kind::Checkout, id.clone()))).await?;
        let checkout = match view.checkout(id) {
            Ok(checkout) => checkout,
            Err(Stop::Refused(refusal)) => return Ok(Answer::refused(refusal, None)),
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        let shown = view.show_checkout(&checkout);
        let payable = match checkout.state() {
            State::Completed { .. } | State::Awaiting { .. } => Ok(()),
            _ if self.ways_to_pay(&frame.shop, checkout.totals().total()).is_empty() => {
                Err(unavailable("nobody can pay in this way here"))
            }
            State::Open | State::Paying(_) | State::Canceled => checkout.must_be_payable(),
        };
        Ok(match (payable, checkout.state()) {
            (Ok(()), State::Completed { .. }) => Answer::shown(200, shown),
            (Ok(()), _) => Answer::refused(payment_on_page(), Some(shown)),
            (Err(refusal), _) => Answer::refused(refusal, Some(shown)),
        })
    }

    /// Something to pay with came from the host, at this place, where it must not be: it is neither used nor kept.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn refuse_credential(&self, frame: &Frame, id: &PublicId, path: &str) -> Result<Answer, Failure> {
        tracing::warn!(shop = %frame.shop, checkout = %id, code = "payment_boundary", "a host sent a payment credential");
        let current = self.resource(&frame.shop, Kind::Checkout, id).await?;
        let content = "a credential is not taken from a host: the buyer pays on the page of the shop";
        let refusal = Refusal::new("payment_failed", Retry::Changed, content).at(path);
        Ok(Answer::refused(current.refusal.unwrap_or(refusal), current.resource))
    }

    /// Puts on record that a checkout is to be paid in this way, and asks the rail. Said again it is the same: one code is
    /// out at a time, and another way to pay ends the one before. `asking` is called when from here on only the rail is waited
    /// for.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal is an answer.
    pub async fn confirm(
        &self,
        frame: &Frame,
        id: &PublicId,
        chosen: &Chosen,
        asking: impl Fn() + Send + Sync,
    ) -> Result<Answer, Failure> {
        let shop = &frame.shop;
        for _ in 0..TRIES_MAX {
            let mut view = self.writing(frame, None, Some((Kind::Checkout, id.clone()))).await?;
            let stopped = match self.confirm_once(shop, &mut view, id, chosen).await {
                Ok(Confirmed::Again) => continue,
                Ok(Confirmed::Stands) => Ok(()),
                Ok(Confirmed::Recorded(intent, attempt)) => {
                    asking();
                    self.ask_for(shop, &intent, &attempt, chosen.card.as_ref()).await
                }
                Ok(Confirmed::Replaces(intent, attempt)) => {
                    asking();
                    match self.end_try(shop, &intent, &attempt).await {
                        Ok(()) => continue,
                        stopped => stopped,
                    }
                }
                Err(stop) => Err(stop),
            };
            let current = self.resource(shop, Kind::Checkout, id).await?;
            return match stopped {
                Ok(()) => Ok(current),
                Err(Stop::Refused(refusal)) => Ok(Answer::refused(refusal, current.resource)),
                // The try is on record, and goes on with whoever has the shop now.
                Err(Stop::Failed(Failure::NotOwner { .. } | Failure::StaleEpoch { .. } | Failure::Fenced)) => {
                    Ok(current)
                }
                Err(Stop::Failed(failure)) => Err(failure),
            };
        }
        Err(Failure::Busy)
    }

    async fn confirm_once(
        &self,
        shop: &ShopId,
        view: &mut View,
        id: &PublicId,
        chosen: &Chosen,
    ) -> Result<Confirmed, Stop> {
        let (checkout, method) = (view.checkout(id)?, chosen.method);
        if !self.ways_to_pay(shop, checkout.totals().total()).contains(&method) {
            return Err(unavailable(&format!("nobody can pay by {} here", method.name())).into());
        }
        // Nothing can be asked of a rail for a card that nobody knows.
        if method == Method::CardToken && chosen.card.is_none() {
            return Err(
                Refusal::new("card_missing", Retry::Changed, "the provider has not been told which card").into()
            );
        }
        match checkout.state() {
            State::Completed { .. } => Ok(Confirmed::Stands),
            State::Open | State::Paying(_) | State::Canceled => self.begin(shop, view, &checkout, method).await,
            State::Awaiting { intent } => {
                let intent = self.intent_beside(shop, view, intent).await?;
                match intent.live() {
                    // Once a part has come by it, another code is about the rest.
                    Some(live) if live.method() == method && intent.came_by(live.number()) == 0 => {
                        Ok(Confirmed::Stands)
                    }
                    Some(live) => Ok(Confirmed::Replaces(intent.clone(), live.clone())),
                    None => self.try_again(shop, view, &intent, method).await,
                }
            }
        }
    }

    /// One commit: the units off the shelf, the intent and its first try on record.
    async fn begin(&self, shop: &ShopId, view: &View, checkout: &Checkout, method: Method) -> Result<Confirmed, Stop> {
        checkout.must_be_open()?;
        let catalogue = self.catalogue(shop, checkout.lines().iter().map(checkout::Line::product)).await?;
        let stock = self.on_hand(shop, catalogue.products()).await?;
        let left = |variant: &PublicId| stock.get(variant).copied().unwrap_or(0);
        let now = self.now();
        let mut purse = self.purse();
        let intent = Intent::open(Opening {
            id: purse.mint_one(INTENT).await?,
            checkout: checkout.id().clone(),
            reserved: purse.mint_one(ORDER).await?.id,
            account: self.rail()?.account().to_owned(),
            due: checkout.totals().total(),
            at: now,
            expires_at: Timestamp(now.0.saturating_add(pay_within_us(method))),
        })?;
        let (intent, attempt) = intent.attempt(method, now)?;
        let (awaiting, taken) = checkout.await_payment(&intent, &catalogue, left)?;
        let decision = Decision::default().changed(checkout, &awaiting).born(&intent).moving(taken);
        let decision = decision.waking(intent.id(), self.wake_of(&intent));
        reach(Act::RailCall, Phase::Before);
        match self.commit_from(&mut purse, shop, view, decision).await {
            Ok(_) => Ok(Confirmed::Recorded(intent, attempt)),
            Err(Unwritten::Conflict { .. } | Unwritten::TooMuchStock) => Ok(Confirmed::Again),
            Err(Unwritten::OutOfStock { variant, left }) => {
                Err(checkout.out_of_stock(&variant, &catalogue, left).into())
            }
            Err(Unwritten::Failed(failure)) => Err(failure.into()),
        }
    }

    /// Another try of the same intent: those before it are over.
    async fn try_again(&self, shop: &ShopId, view: &View, before: &Intent, method: Method) -> Result<Confirmed, Stop> {
        let (after, attempt) = before.attempt(method, self.now())?;
        let decision = self.turned(before, &after)?;
        reach(Act::RailCall, Phase::Before);
        match self.try_commit(shop, view, decision).await? {
            true => Ok(Confirmed::Recorded(after, attempt)),
            false => Ok(Confirmed::Again),
        }
    }

    /// Asks the rail for the money of a try that is on record, and puts down what it says.
    pub(super) async fn ask_for(
        &self,
        shop: &ShopId,
        intent: &Intent,
        attempt: &Attempt,
        card: Option<&CardToken>,
    ) -> Result<(), Stop> {
        reach(Act::RailCall, Phase::During);
        let (rail, asked_at) = (self.rail_of(intent)?, self.now());
        let said = rail.charge(intent, attempt, card).await;
        reach(Act::RailCall, Phase::After);
        self.hear(shop, intent.id(), attempt.number(), asked_at, &said).await.map(drop)
    }

    /// The rail is to take money for a try no more: on record first.
    ///
    /// # Errors
    /// `payment_in_progress` where the rail does not say that it is over.
    async fn end_try(&self, shop: &ShopId, intent: &Intent, attempt: &Attempt) -> Result<(), Stop> {
        let after = self.expire(shop, intent.id(), attempt.number()).await?;
        if after.live().is_some() {
            let content = "the payment that was begun is not over yet";
            return Err(Refusal::new("payment_in_progress", Retry::Later, content).into());
        }
        Ok(())
    }
}

fn unavailable(content: &str) -> Refusal {
    Refusal::new("payment_unavailable", Retry::Changed, content)
}

fn payment_on_page() -> Refusal {
    Refusal::new("payment_on_page", Retry::Buyer, "the buyer pays on the page of the shop, at continue_url")
}
