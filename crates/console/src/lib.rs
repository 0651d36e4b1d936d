//! The console: what a person sees of a move, and where wishes for it are written down.
//!
//! Pages are made here, on the server; a small script keeps them true. It reads the store (the mover's board is a note
//! in it) and writes wishes, nothing else: it may be closed, killed or crowded without a move noticing.
//! Absent on purpose: the mover, the seam, sources, sign-in (there is one local operator), any state that a restart
//! would miss.

mod ask;
mod assets;
mod board;
mod classes;
mod confirm;
mod figures;
mod findings;
mod forecast;
mod group;
mod guard;
mod lang;
mod live;
mod page;
mod picture;
mod progress;
mod route;
mod routes;
mod shop;
pub mod sides;
mod text;
mod timeline;
mod verbs;
mod waits;
mod words;

pub use classes::{Explained, of as explain};
pub use lang::Lang;
pub use routes::{router, serve};

use picture::{Camera, Picture};
use sides::{Legacy, Look};
use std::sync::Arc;
use store::Store;
use tokio::sync::Semaphore;
use vocab::id::{Kind, Origin, ShopId, Timestamp};

/// The clock of whoever serves.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What every page is made from; a clone is cheap.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Clock,
    camera: Camera,
    viewers: Arc<Semaphore>,
    legacy: Option<Look>,
}

impl Console {
    pub fn new(store: Store, clock: Clock) -> Self {
        Self::made(store, clock, None)
    }

    /// One that can show the legacy's side of a finding, because somebody reads it for it.
    pub fn seeing(store: Store, clock: Clock, legacy: Look) -> Self {
        Self::made(store, clock, Some(legacy))
    }

    fn made(store: Store, clock: Clock, legacy: Option<Look>) -> Self {
        let viewers = Arc::new(Semaphore::new(live::VIEWERS_MAX));
        Self { inner: Arc::new(Inner { store, clock, camera: Camera::default(), viewers, legacy }) }
    }

    /// What the legacy has for an aggregate now.
    async fn legacy(&self, shop: &ShopId, kind: Kind, origin: &Origin) -> Option<Legacy> {
        match &self.inner.legacy {
            Some(look) => Some(look(shop.clone(), kind, origin.clone()).await),
            None => None,
        }
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    fn viewers(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inner.viewers)
    }

    async fn picture(&self) -> store::Result<Option<Arc<Picture>>> {
        self.inner.camera.picture(&self.inner.store).await
    }
}
