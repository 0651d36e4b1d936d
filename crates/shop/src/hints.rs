//! Of which products checkouts are, as this process last decided: what to read with a checkout before it is known.
//!
//! A hint decides nothing. What it names is read in the same snapshot as the checkout, and whatever the checkout has besides is
//! read when it turns out. So it may be wrong, old or gone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use vocab::id::{PublicId, ShopId};

/// Hints that are kept at most, in each of two halves.
const HALF_MAX: usize = 8_192;
/// A checkout of more products is read in two steps.
const PRODUCTS_MAX: usize = 16;

type Half = HashMap<(ShopId, PublicId), BTreeSet<PublicId>>;

#[derive(Default)]
pub(crate) struct Hints {
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    young: Half,
    /// Forgotten when the young are as many as may be.
    old: Half,
}

impl Hints {
    pub(crate) fn note<'a>(&self, shop: &ShopId, checkout: &PublicId, of: impl Iterator<Item = &'a PublicId>) {
        let products: BTreeSet<PublicId> = of.take(PRODUCTS_MAX).cloned().collect();
        // What is in there are hints, whole or not.
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= HALF_MAX {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert((shop.clone(), checkout.clone()), products);
    }

    /// The products of this checkout, perhaps.
    pub(crate) fn of(&self, shop: &ShopId, checkout: &PublicId) -> BTreeSet<PublicId> {
        let key = (shop.clone(), checkout.clone());
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.get(&key).or_else(|| halves.old.get(&key)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_hints_are_kept_and_never_more_than_two_halves() {
        let (hints, shop) = (Hints::default(), ShopId::parse("1").unwrap());
        let id = |n: usize| PublicId::new(n.to_string());
        let count = 3 * HALF_MAX;
        (0..count).for_each(|n| hints.note(&shop, &id(n), [&id(n)].into_iter()));
        assert_eq!(hints.of(&shop, &id(count - HALF_MAX)), BTreeSet::from([id(count - HALF_MAX)]));
        assert!(hints.of(&shop, &id(0)).is_empty());
        let halves = hints.halves.lock().unwrap();
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF_MAX);
    }
}
