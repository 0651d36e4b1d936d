//! Writes whose answer never came: each is found wholly or not at all.
//!
//! The owner's own record of keys says which it was. What was not applied must have left its target as it was; then
//! the same key and bytes are sent once more, and replay and fresh execution are judged alike.

use crate::findings::Thing;
use crate::oracle::Unanswered;
use crate::plan::Plan;
use crate::tally::End;
use crate::truth::Truth;
use crate::world::World;
use std::collections::BTreeMap;

/// Settles them all. No shopper may be asking any more.
pub async fn all(world: &World, truth: &Truth) -> anyhow::Result<()> {
    let open = world.oracle.borrow().unanswered.clone();
    let mut by_shop: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, unanswered) in &open {
        by_shop.entry(unanswered.plan.shop.clone()).or_default().push(key.clone());
    }
    for (shop, keys) in by_shop {
        let applied = truth.applied(&shop, &keys).await?;
        for key in keys {
            if let Some(unanswered) = open.get(&key) {
                one(world, unanswered, applied.contains(&key)).await?;
            }
        }
    }
    Ok(())
}

async fn one(world: &World, unanswered: &Unanswered, applied: bool) -> anyhow::Result<()> {
    let plan = &unanswered.plan;
    {
        let mut oracle = world.oracle.borrow_mut();
        let counter = if applied { &mut oracle.applied } else { &mut oracle.not_applied };
        *counter += 1;
    }
    if !applied {
        unchanged(world, plan).await;
    }
    let mut exchange = world.client.send(plan).await;
    exchange.repeats += 1;
    let done = world.settle(plan, exchange, unanswered.sent).await?;
    let mut oracle = world.oracle.borrow_mut();
    if done.answered.is_none() {
        oracle.findings.wrong(&format!("shop {} {} {} was never answered", plan.shop, plan.method, plan.path));
    }
    if applied && done.end == End::Refused {
        oracle.findings.wrong(&format!("shop {} {} {} was applied, and is refused", plan.shop, plan.method, plan.path));
    }
    Ok(())
}

/// The target of a write that was not applied still is what was acknowledged before it.
async fn unchanged(world: &World, plan: &Plan) {
    let Some((kind, id)) = plan.expect.target() else {
        return;
    };
    let get = Plan::get(&plan.shop, kind, id);
    let exchange = world.client.send(&get).await;
    let done = world.judged(&get, exchange, None);
    if !done.judged.complaints.is_empty() {
        let thing: Thing = (plan.shop.clone(), kind, id.to_owned());
        let what = format!("{} was not applied, yet: {:?}", plan.path, done.judged.complaints);
        world.oracle.borrow_mut().findings.different(thing, &what);
    }
}
