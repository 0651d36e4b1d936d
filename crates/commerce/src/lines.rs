//! What somebody wants to buy: products and quantities, and which existing lines keep their ids.

use crate::refusal::{Refusal, Retry};
use vocab::id::{Minted, Origin, PublicId};

/// The most units of a line; UCP has no bound of its own.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// The most lines of a cart or a checkout.
pub const LINES_MAX: usize = 200;

/// A line as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub product: PublicId,
    quantity: u32,
}

impl Wanted {
    /// None where the quantity is not between 1 and [`QUANTITY_MAX`].
    pub fn new(product: PublicId, quantity: u32) -> Option<Self> {
        (1..=QUANTITY_MAX).contains(&quantity).then_some(Self { product, quantity })
    }

    pub const fn quantity(&self) -> u32 {
        self.quantity
    }
}

/// Who a line is: its id, and where it lives in a legacy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineId {
    pub(crate) id: PublicId,
    pub(crate) origin: Option<Origin>,
}

impl From<Minted> for LineId {
    fn from(minted: Minted) -> Self {
        Self { id: minted.id, origin: minted.origin }
    }
}

/// For each wanted line the index of the existing line of the same product that it continues: a replaced line keeps
/// the id that was shown.
pub(crate) fn continued<'a>(existing: impl IntoIterator<Item = &'a PublicId>, wanted: &[Wanted]) -> Vec<Option<usize>> {
    let mut free: Vec<(usize, &PublicId)> = existing.into_iter().enumerate().collect();
    let mut continue_one = |wanted: &Wanted| {
        let at = free.iter().position(|(_, product)| **product == wanted.product)?;
        Some(free.remove(at).0)
    };
    wanted.iter().map(&mut continue_one).collect()
}

/// How many of the wanted lines continue none, and so need a new id.
pub(crate) fn fresh<'a>(existing: impl IntoIterator<Item = &'a PublicId>, wanted: &[Wanted]) -> usize {
    continued(existing, wanted).iter().filter(|line| line.is_none()).count()
}

/// The identity of every wanted line: the continued one's, or the next fresh one.
///
/// # Errors
/// `ids_exhausted` where the caller handed in too few.
pub(crate) fn identities(
    existing: &[(&PublicId, &LineId)],
    wanted: &[Wanted],
    ids: Vec<Minted>,
) -> Result<Vec<LineId>, Refusal> {
    let mut ids = ids.into_iter();
    let products = existing.iter().map(|(product, _)| *product);
    let identities = continued(products, wanted).into_iter().map(|line| match line {
        Some(index) => Ok(existing[index].1.clone()),
        None => ids.next().map(LineId::from).ok_or_else(ids_exhausted),
    });
    identities.collect()
}

/// There is no id left to give.
pub fn ids_exhausted() -> Refusal {
    Refusal::new("ids_exhausted", Retry::Later, "no ids are left for now; they are being refilled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_line_continues_the_first_free_line_of_its_product() {
        let ids = ["a", "b", "a"].map(PublicId::new);
        let wanted = ["a", "c", "a", "a"].map(|id| Wanted::new(PublicId::new(id), 1).expect("one"));
        assert_eq!(continued(&ids, &wanted), [Some(0), None, Some(2), None]);
        assert_eq!(fresh(&ids, &wanted), 2);
    }

    #[test]
    fn nobody_wants_nothing() {
        assert_eq!(Wanted::new(PublicId::new("a"), 0), None);
        assert_eq!(Wanted::new(PublicId::new("a"), QUANTITY_MAX + 1), None);
    }
}
