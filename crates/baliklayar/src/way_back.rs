//! What shops may go back to, as the backend has to know it: where ids come from, what fits, which payments can be had.
//!
//! Invariant: what is not known yet is taken for the strictest. A plan that cannot be read, or whose mapping does not compile,
//! is a plan all the same.

use arc_swap::{ArcSwap, ArcSwapOption};
use commerce::intent::Method;
use cutover::state::State;
use mapping::Mapping;
use shop::ids::{IdPlan, Misfit};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{PlanFile, Store};
use vocab::document::Record;
use vocab::id::{Kind, Minted, PublicId, ShopId};

const LOOK: Duration = Duration::from_millis(100);
/// Where there is a plan already: from a new one to its first flip is longer.
const PLANNED_LOOK: Duration = Duration::from_secs(1);

/// A clone knows the same, also what is learnt later.
#[derive(Clone, Default)]
pub struct WayBack {
    /// Of the plan, once there is one.
    pub mapping: Arc<ArcSwapOption<Mapping>>,
    /// The shops that go back no more.
    pub sealed: Arc<ArcSwap<BTreeSet<ShopId>>>,
    /// Those of the plan; none while nobody knows whether there is one. A shop that is not among them was born here.
    planned: Arc<ArcSwapOption<BTreeSet<ShopId>>>,
    /// The files of which the mapping was made.
    compiled: Arc<ArcSwapOption<Vec<PlanFile>>>,
}

impl WayBack {
    /// Ids as the plan's mapping says; before there is a plan nothing is minted from blocks. A sealed shop goes back no more,
    /// so that anything fits.
    pub fn id_plan(&self) -> IdPlan {
        let [tables, mints, origins, columns, rules] = [(); 5].map(|()| self.clone());
        IdPlan {
            table: Box::new(move |element| {
                let mapping = tables.mapping.load();
                let mapping = mapping.as_ref()?;
                Some(mapping.tables()[mapping.birth_table(element)?].name.clone())
            }),
            mint: Box::new(move |element, number| match mints.mapping.load().as_ref() {
                Some(mapping) => mapping.minted(element, number),
                None => Minted { id: PublicId::new(number.to_string()), origin: None },
            }),
            origin: Box::new(move |shop, kind, document| {
                let mapping = origins.mapping.load();
                mover::born_origin(mapping.as_ref()?, shop, kind, document)
            }),
            misfit: Box::new(move |shop, kind, document| {
                if columns.sealed.load().contains(shop) {
                    return None;
                }
                let misfit = columns.mapping.load().as_ref()?.misfit(kind, document)?;
                Some(Misfit { path: misfit.path, why: misfit.why })
            }),
            carries: Box::new(move |shop, method| rules.carries(shop, method)),
        }
    }

    /// Can what a buyer pays in this way, in their own time, go back, or need not any more?
    fn carries(&self, shop: &ShopId, method: Method) -> bool {
        let prints = |mapping: &Mapping| mapping.prints(Kind::Intent, ["attempts", "method"], &method.name().into());
        self.sealed.load().contains(shop)
            || self.planned.load().as_ref().is_some_and(|planned| !planned.contains(shop))
            || self.mapping.load().as_ref().is_some_and(|mapping| prints(mapping))
    }

    /// Looks for the plan, and compiles its mapping where it is another than before; whether there is one that does.
    pub async fn look(&self, store: &Store) -> bool {
        let plan = match store.plan().await {
            Ok(plan) => plan,
            Err(error) => {
                tracing::warn!(%error, "the plan cannot be read");
                return false;
            }
        };
        let shops = plan.iter().flat_map(|plan| &plan.shops).map(|planned| planned.shop.clone());
        self.planned.store(Some(Arc::new(shops.collect())));
        let Some(plan) = plan else { return false };
        let known = self.compiled.load();
        if known.as_ref().is_some_and(|known| **known == plan.mappings) {
            return true;
        }
        match mover::compile(&plan) {
            Ok(compiled) => {
                self.mapping.store(Some(Arc::new(compiled)));
                self.compiled.store(Some(Arc::new(plan.mappings)));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the plan's mapping does not compile");
                false
            }
        }
    }

    /// Which shops go back no more, as the board says.
    pub async fn look_at_seals(&self, store: &Store) {
        if let Ok(board) = mover::status(store).await {
            self.sealed.store(Arc::new(sealed_shops(&board)));
        }
    }

    /// Looks for ever: a plan may be made anew, with more shops.
    pub async fn follow(&self, store: Store) {
        loop {
            let pause = if self.look(&store).await { PLANNED_LOOK } else { LOOK };
            tokio::time::sleep(pause).await;
        }
    }
}

fn sealed_shops(board: &Record) -> BTreeSet<ShopId> {
    let is_sealed = |name: &str| board.record(name).and_then(|row| row.text("state")) == Some(State::Sealed.name());
    board.0.keys().filter(|name| is_sealed(name)).filter_map(|name| ShopId::parse(name).ok()).collect()
}
