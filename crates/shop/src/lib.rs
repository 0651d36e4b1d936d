//! The shop at Backend: load what a request is about, let `commerce` decide, commit the whole decision, answer.
//!
//! Every write carries an idempotency key and the epoch under which it was decided; the record of the key is one of
//! the writes of the same commit. A decision that met another one is taken again on what stands now, a bounded number
//! of times. Money moves between two commits: first that it is asked for, then what the rail said; [`Service::settle`]
//! finishes what a crash left between them.
//! Absent on purpose: HTTP, SQL, who owns a shop and why, and a clock: time is handed in.

mod answer;
mod catalog;
mod command;
mod failure;
mod frame;
pub mod ids;
mod invoice;
mod pay;
mod purse;
mod read;
mod sweep;
mod view;

pub use answer::{Answer, Listed, Note, NoteKind, Resource};
pub use command::{Basket, Command};
pub use failure::Failure;
pub use frame::{Frame, Keyed};
pub use invoice::Invoice;
pub use view::Filed;

use ids::{IdPlan, Ids};
use std::sync::Arc;
use store::Store;
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
    clock: Clock,
}

impl Service {
    pub fn new(store: Store, plan: IdPlan, clock: Clock) -> Self {
        let ids = Arc::new(Ids::new(store.clone(), plan, Arc::clone(&clock)));
        Self { store, ids, clock }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
