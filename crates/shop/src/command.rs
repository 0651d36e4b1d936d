//! The commands but payment: one loop that loads, decides, commits, and decides again where another commit came first.

mod cart;
mod checkout;
mod order;

use crate::failure::{Failure, Stop, Unwritten};
use crate::purse::Purse;
use crate::view::View;
use crate::{Answer, Frame, Keyed, Listed, Note, NoteKind, Resource, Service, TRIES_MAX};
use commerce::checkout::Details;
use commerce::decision::{Aggregate, Decision};
use commerce::idempotency::{Operation, Recorded};
use commerce::ledger::Entry;
use commerce::lines::Wanted;
use commerce::order::{Back, Command as Returning};
use commerce::product::{Edit, stock_below_zero, stock_too_large};
use std::collections::BTreeSet;
use store::{Commit, Committed};
use vocab::id::{Kind, Name, PublicId, ShopId};

/// What a new checkout is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basket {
    Lines(Vec<Wanted>),
    /// The lines of a cart; what the request says of lines beside it is ignored.
    Cart(PublicId),
}

/// What a request wants changed, parsed and checked for shape. Paying is not among them: it takes two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    CreateCart { lines: Vec<Wanted> },
    UpdateCart { id: PublicId, lines: Vec<Wanted> },
    CancelCart { id: PublicId },
    CreateCheckout { basket: Basket, details: Details },
    UpdateCheckout { id: PublicId, lines: Vec<Wanted>, details: Details },
    CancelCheckout { id: PublicId },
    CancelOrder { id: PublicId, back: Back },
    RefundOrder { id: PublicId, back: Back },
    EditProduct { id: PublicId, edit: Edit },
}

impl Command {
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateCart { .. } => Operation::CartCreate,
            Self::UpdateCart { .. } => Operation::CartUpdate,
            Self::CancelCart { .. } => Operation::CartCancel,
            Self::CreateCheckout { .. } => Operation::CheckoutCreate,
            Self::UpdateCheckout { .. } => Operation::CheckoutUpdate,
            Self::CancelCheckout { .. } => Operation::CheckoutCancel,
            Self::CancelOrder { .. } => Operation::OrderCancel,
            Self::RefundOrder { .. } => Operation::OrderRefund,
            Self::EditProduct { .. } => Operation::ProductEdit,
        }
    }

    /// The existing aggregate it is about.
    fn main(&self) -> Option<(Kind, PublicId)> {
        match self {
            Self::CreateCart { .. } => None,
            Self::CreateCheckout { basket: Basket::Cart(id), .. }
            | Self::UpdateCart { id, .. }
            | Self::CancelCart { id } => Some((Kind::Cart, id.clone())),
            Self::CreateCheckout { basket: Basket::Lines(_), .. } => None,
            Self::UpdateCheckout { id, .. } | Self::CancelCheckout { id } => Some((Kind::Checkout, id.clone())),
            Self::CancelOrder { id, .. } | Self::RefundOrder { id, .. } => Some((Kind::Order, id.clone())),
            Self::EditProduct { id, .. } => Some((Kind::Product, id.clone())),
        }
    }

    /// The products it names, which are read with what it is about.
    fn products(&self) -> BTreeSet<PublicId> {
        match self {
            Self::CreateCart { lines }
            | Self::UpdateCart { lines, .. }
            | Self::CreateCheckout { basket: Basket::Lines(lines), .. }
            | Self::UpdateCheckout { lines, .. } => lines.iter().map(|line| line.product.clone()).collect(),
            Self::CreateCheckout { basket: Basket::Cart(_), .. }
            | Self::CancelCart { .. }
            | Self::CancelCheckout { .. }
            | Self::CancelOrder { .. }
            | Self::RefundOrder { .. }
            | Self::EditProduct { .. } => BTreeSet::new(),
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::CreateCart { .. } | Self::CreateCheckout { .. } => 201,
            Self::UpdateCart { .. }
            | Self::CancelCart { .. }
            | Self::UpdateCheckout { .. }
            | Self::CancelCheckout { .. }
            | Self::CancelOrder { .. }
            | Self::RefundOrder { .. }
            | Self::EditProduct { .. } => 200,
        }
    }
}

/// What was decided, and how it is shown once it is committed.
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) result: (Kind, PublicId),
    pub(crate) show: Resource,
    pub(crate) notes: Vec<Note>,
}

impl Decided {
    pub(crate) fn new<A: Aggregate>(decision: Decision, result: &A, show: Resource) -> Self {
        Self { decision, result: crate::view::reference(result), show, notes: Vec::new() }
    }
}

impl Service {
    /// Does what is asked, once, whatever the number of times it is asked with this key.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal is an answer.
    pub async fn execute(&self, frame: &Frame, keyed: &Keyed, command: &Command) -> Result<Answer, Failure> {
        let operation = command.operation();
        for _ in 0..TRIES_MAX {
            let key = Some((operation, keyed));
            let mut view = self.writing_of(frame, key, command.main(), command.products()).await?;
            if let Some(recorded) = view.recorded.take() {
                return self.replay(&frame.shop, &recorded, keyed, command.main().as_ref()).await;
            }
            match self.act(&frame.shop, &mut view, keyed, command).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(Stop::Refused(refusal)) => return Ok(Answer::refused(refusal, view.current)),
                Err(Stop::Failed(failure)) => return Err(failure),
            }
        }
        Err(Failure::Busy)
    }

    /// Decides and commits; none where another commit came first.
    async fn act(
        &self,
        shop: &ShopId,
        view: &mut View,
        keyed: &Keyed,
        command: &Command,
    ) -> Result<Option<Answer>, Stop> {
        let mut purse = self.purse();
        let Decided { decision, result, show, notes } = self.decide(shop, view, &mut purse, command).await?;
        self.ids.must_fit(shop, &decision.writes)?;
        let status = command.status();
        let recorded = Recorded::new(command.operation(), &keyed.key, &keyed.body, status, result);
        match self.commit_from(&mut purse, shop, view, decision.born(&recorded)).await {
            Ok(committed) => {
                let shown = Answer { notes, ..Answer::shown(status, as_left(show, &committed)) };
                Ok(Some(self.with_what_is_owed(shop, shown).await?))
            }
            Err(Unwritten::Conflict { .. }) => Ok(None),
            // Of these commands only a seller's edit takes stock away.
            Err(Unwritten::OutOfStock { left, .. }) => Err(stock_below_zero(left).into()),
            Err(Unwritten::TooMuchStock) => Err(stock_too_large().into()),
            Err(Unwritten::Failed(failure)) => Err(failure.into()),
        }
    }

    async fn decide(
        &self,
        shop: &ShopId,
        view: &mut View,
        purse: &mut Purse<'_>,
        command: &Command,
    ) -> Result<Decided, Stop> {
        match command {
            Command::CreateCart { lines } => self.create_cart(shop, view, purse, lines).await,
            Command::UpdateCart { id, lines } => self.update_cart(shop, view, purse, id, lines).await,
            Command::CancelCart { id } => self.cancel_cart(shop, view, id).await,
            Command::CreateCheckout { basket: Basket::Lines(lines), details } => {
                self.create_checkout(shop, view, purse, None, lines, details).await
            }
            Command::CreateCheckout { basket: Basket::Cart(cart), details } => {
                self.convert_cart(shop, view, purse, cart, details).await
            }
            Command::UpdateCheckout { id, lines, details } => {
                self.update_checkout(shop, view, purse, id, lines, details).await
            }
            Command::CancelCheckout { id } => self.cancel_checkout(shop, view, id).await,
            Command::CancelOrder { id, back } => self.give_back(shop, view, purse, id, Returning::Cancel, back).await,
            Command::RefundOrder { id, back } => self.give_back(shop, view, purse, id, Returning::Refund, back).await,
            Command::EditProduct { id, edit } => self.edit_product(shop, view, id, *edit).await,
        }
    }

    /// The first answer again: its status, and the resource as it stands now. `named` is what the request is about.
    pub(crate) async fn replay(
        &self,
        shop: &ShopId,
        recorded: &Recorded,
        keyed: &Keyed,
        named: Option<&(Kind, PublicId)>,
    ) -> Result<Answer, Failure> {
        if !recorded.is_of(&keyed.body, named) {
            return Err(Failure::KeyReused);
        }
        let (kind, id) = recorded.result();
        let shown = self.resource(shop, *kind, id).await?;
        Ok(Answer { status: recorded.status(), ..shown })
    }

    pub(crate) async fn commit(&self, shop: &ShopId, view: &View, decision: Decision) -> Result<Committed, Unwritten> {
        let mut writes = view.writes(&decision);
        for write in writes.iter_mut().filter(|write| write.origin.is_none()) {
            write.origin = self.ids.origin(shop, write.kind, &write.document);
        }
        let commit = Commit {
            shop: shop.clone(),
            epoch: view.head.epoch,
            at: self.now(),
            writes,
            stock: decision.stock.into_iter().map(stock_change).collect(),
            entries: decision.entries.into_iter().map(entry).collect(),
            wakes: decision.wakes.into_iter().map(|(intent, at)| store::Wake { intent, at }).collect(),
        };
        self.store.commit(commit).await.map_err(Unwritten::from)
    }
}

/// A shelf with the stock that the commit left on it: sales may have come between the look and the commit.
fn as_left(show: Resource, committed: &Committed) -> Resource {
    match (show, committed.stock.as_slice()) {
        (Resource::Shelf(listed), [on_hand]) => Resource::Shelf(Listed { on_hand: *on_hand, ..listed }),
        (show, _) => show,
    }
}

fn stock_change(change: commerce::decision::StockChange) -> store::StockChange {
    store::StockChange { variant: change.variant, delta: change.delta }
}

fn entry(entry: Entry) -> store::Entry {
    store::Entry {
        order: entry.order,
        account: Name::from(entry.account.name()),
        currency: Name::from(entry.amount.currency().as_str()),
        amount: entry.amount.minor(),
    }
}

/// It ends when what is under way for it has.
pub(crate) fn being_canceled() -> Note {
    let content = "it is canceled as soon as the payment that was begun is surely over";
    Note { kind: NoteKind::Info, code: "being_canceled", content: content.to_owned() }
}
