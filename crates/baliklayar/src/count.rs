//! How far a plan is, by the published formula, counted from the plan's own list of shops.

use anyhow::{Context, Result};
use cutover::formula::{self, Reading, Stand, Weights};
use std::collections::BTreeMap;
use store::{Plan, Store};
use vocab::id::{Part, ShopId, Side};

/// Reads the formula for a plan from the heads of its shops.
pub async fn count(store: &Store, plan: &Plan) -> Result<Reading> {
    let owners: BTreeMap<ShopId, Side> = store.heads().await?.into_iter().map(|head| (head.shop, head.owner)).collect();
    let weights = Part::ALL.map(|part| plan.weights.iter().find(|(of, _)| *of == part).map_or(0, |(_, bp)| *bp));
    let weights = Weights::new(weights).context("the plan's weights")?;
    let shops: Vec<formula::Shop> = plan
        .shops
        .iter()
        .map(|planned| {
            Part::ALL.map(|part| match (planned.parts.contains(&part), owners.get(&planned.shop)) {
                (false, _) => Stand::Absent,
                (true, Some(Side::Backend)) => Stand::Done,
                (true, Some(Side::Legacy) | None) => Stand::Left,
            })
        })
        .collect();
    Ok(formula::read(weights, &shops)?)
}
