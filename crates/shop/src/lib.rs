//! The shop at Backend: load what a request is about, let `commerce` decide, commit the whole decision, answer.
//!
//! Every write carries an idempotency key and the epoch under which it was decided; the record of the key is one of
//! the writes of the same commit. A decision that met another one is taken again on what stands now, a bounded number
//! of times. Money moves between two commits: first that it is asked for, then what the rail said. What a crash leaves
//! between them, [`Service::settle`] finishes for the instant rail, and [`Service::work`] for every other.
//! Absent on purpose: HTTP, SQL, who owns a shop and why, and a clock: time is handed in.

mod answer;
mod catalog;
mod command;
mod failure;
mod frame;
mod hints;
pub mod ids;
mod instant;
mod invoice;
mod payment;
mod purse;
pub mod rails;
mod read;
mod sweep;
mod view;

pub use answer::{Answer, Listed, Note, NoteKind, Resource};
pub use command::{Basket, Command};
pub use failure::Failure;
pub use frame::{Frame, Keyed};
pub use invoice::Invoice;
pub use payment::{Chosen, HandOn, Ordered, ToPay};
pub use view::Filed;

pub(crate) use failure::Stop;
use hints::Hints;
use ids::{IdPlan, Ids};
use rails::Loket;
use std::sync::Arc;
use store::Store;
use tokio::sync::Notify;
use vocab::id::Timestamp;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How often a decision is taken again because another commit came first.
const TRIES_MAX: usize = 16;

/// All shops of one store. A clone is cheap and shares everything.
#[derive(Clone)]
pub struct Service {
    store: Store,
    ids: Arc<Ids>,
    hints: Arc<Hints>,
    clock: Clock,
    /// None: the instant rail is all there is.
    rail: Option<Arc<Loket>>,
    /// Whether the instant rail is there: it takes the host's word for money.
    instant: bool,
    /// How the program that owns other shops is told of a notice; none: there is no such program.
    hand_on: Option<HandOn>,
    /// Something came for the loop behind payments.
    news: Arc<Notify>,
}

impl Service {
    pub fn new(store: Store, plan: IdPlan, clock: Clock) -> Self {
        let ids = Arc::new(Ids::new(store.clone(), plan, Arc::clone(&clock)));
        Self {
            store,
            ids,
            hints: Arc::default(),
            clock,
            rail: None,
            instant: true,
            hand_on: None,
            news: Arc::default(),
        }
    }

    /// The same, with a provider through which buyers pay in their own time.
    #[must_use]
    pub fn with_rail(self, rail: Loket) -> Self {
        Self { rail: Some(Arc::new(rail)), ..self }
    }

    /// The same, without the instant rail: for shops that are to be paid.
    #[must_use]
    pub fn without_instant(self) -> Self {
        Self { instant: false, ..self }
    }

    /// The same, with a program that owns shops which have not moved: notices of their payments are handed on to it.
    #[must_use]
    pub fn handing_on(self, hand_on: HandOn) -> Self {
        Self { hand_on: Some(hand_on), ..self }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
