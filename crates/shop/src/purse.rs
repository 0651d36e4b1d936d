//! The ids of one try: what no commit holds goes back, however the try ends.
//!
//! Whoever is refused, comes too late or hangs up spends no ids: the blocks are shared by all shops.

use crate::failure::{Stop, Unwritten};
use crate::ids::Ids;
use crate::view::View;
use crate::{Failure, Service};
use commerce::decision::Decision;
use commerce::lines::ids_exhausted;
use store::Committed;
use vocab::id::{Element, Minted, Name, PublicId, ShopId};

pub(crate) struct Purse<'a> {
    ids: &'a Ids,
    minted: Vec<Coin>,
}

/// A number of a block, and what it is the id of.
struct Coin {
    table: Name,
    number: u64,
    element: Element,
    id: PublicId,
}

impl Purse<'_> {
    /// So many fresh ids.
    ///
    /// # Errors
    /// Refuses with `ids_exhausted` where the element's block is dry.
    pub(crate) async fn mint(&mut self, element: Element, count: usize) -> Result<Vec<Minted>, Stop> {
        let Some(table) = self.ids.table(element) else {
            return Ok((0..count).map(|_| self.ids.unnumbered()).collect());
        };
        let numbers = self.ids.take(&table, count).await?;
        let minted = numbers.into_iter().map(|number| {
            let minted = self.ids.minted(element, number);
            self.minted.push(Coin { table: table.clone(), number, element, id: minted.id.clone() });
            minted
        });
        Ok(minted.collect())
    }

    pub(crate) async fn mint_one(&mut self, element: Element) -> Result<Minted, Stop> {
        self.mint(element, 1).await?.pop().ok_or_else(|| ids_exhausted().into())
    }
}

impl Drop for Purse<'_> {
    fn drop(&mut self) {
        self.minted.iter().for_each(|coin| self.ids.give_back(&coin.table, coin.number));
    }
}

impl Service {
    pub(crate) fn purse(&self) -> Purse<'_> {
        Purse { ids: &self.ids, minted: Vec::new() }
    }

    /// Commits a decision that the ids of the purse are in; they stay in it where they are certainly nobody's.
    pub(crate) async fn commit_from(
        &self,
        purse: &mut Purse<'_>,
        shop: &ShopId,
        view: &View,
        decision: Decision,
    ) -> Result<Committed, Unwritten> {
        // Out of it meanwhile: who hangs up now does not undo the commit.
        let spent = std::mem::take(&mut purse.minted);
        let committed = self.commit(shop, view, decision).await;
        if committed.as_ref().is_err_and(|unwritten| are_free(&spent, unwritten)) {
            purse.minted = spent;
        }
        committed
    }
}

/// Nothing was written for certain, and none of the ids is what was in the way.
fn are_free(spent: &[Coin], unwritten: &Unwritten) -> bool {
    match unwritten {
        Unwritten::Conflict { kind, id } => {
            let taken = Element { kind: *kind, part: None };
            !spent.iter().any(|coin| coin.element == taken && coin.id == *id)
        }
        Unwritten::OutOfStock { .. } | Unwritten::TooMuchStock => true,
        Unwritten::Failed(failure) => !matches!(failure, Failure::Store(_)),
    }
}
