//! Looking at everything again: a GET of every id that was ever acknowledged or shown, through the seam.

use crate::findings::{ORACLE, Thing};
use crate::judge::Complaint;
use crate::line::Said;
use crate::plan::Plan;
use crate::seen::Kind;
use crate::tally::End;
use crate::world::World;
use futures_util::StreamExt;
use std::time::Duration;

const AT_ONCE: usize = 16;
/// A write may be out while its target is looked at; then it is looked at again.
const LOOKS_MAX: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What one look found. `Uncertain` is what a write without an answer may or may not have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Found,
    Missing,
    Different,
    Uncertain,
}

/// What a shop's check found: resources, and the acknowledged writes that are seen in the ones that were found.
#[derive(Debug, Default, Clone, Copy)]
pub struct Checked {
    pub found: u64,
    pub missing: u64,
    pub different: u64,
    pub writes: u64,
}

impl Checked {
    pub fn said(self, shop: &str) -> Said {
        Said::Checked { shop: shop.to_owned(), found: self.found, missing: self.missing, different: self.different }
    }
}

/// Looks at every resource of a shop, while its shoppers go on.
pub async fn shop(world: &World, shop: &str) -> anyhow::Result<Checked> {
    let ids: Vec<(Kind, String)> = world
        .oracle
        .borrow()
        .memories
        .get(shop)
        .map(|memory| memory.known.keys().cloned().collect())
        .unwrap_or_default();
    let looks = futures_util::stream::iter(ids).map(|(kind, id)| async move {
        let look = look(world, shop, kind, &id).await?;
        anyhow::Ok((look, writes(world, shop, kind, &id)))
    });
    let mut looks = looks.buffer_unordered(AT_ONCE);
    let mut checked = Checked::default();
    while let Some(looked) = looks.next().await {
        let (look, writes) = looked?;
        match look {
            Look::Found => (checked.found, checked.writes) = (checked.found + 1, checked.writes + writes),
            Look::Missing => checked.missing += 1,
            Look::Different => checked.different += 1,
            Look::Uncertain => {}
        }
    }
    Ok(checked)
}

async fn look(world: &World, shop: &str, kind: Kind, id: &str) -> anyhow::Result<Look> {
    for _ in 0..LOOKS_MAX {
        let before = version(world, shop, kind, id);
        if before.is_some()
            && let Some(look) = once(world, shop, kind, id, before).await?
        {
            return Ok(look);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(Look::Uncertain)
}

/// None where the resource changed meanwhile.
async fn once(world: &World, shop: &str, kind: Kind, id: &str, before: Option<u64>) -> anyhow::Result<Option<Look>> {
    let plan = Plan::get(shop, kind, id);
    let exchange = world.client.send(&plan).await;
    if version(world, shop, kind, id) != before {
        return Ok(None);
    }
    let done = world.judged(&plan, exchange, None);
    if done.end == End::Failed {
        let phase = world.phase.get();
        world.tally.borrow_mut().of(phase, phase).record(End::Failed, true, 0);
        return Ok(Some(Look::Uncertain));
    }
    if done.judged.complaints.is_empty() {
        world.shown(shop, &done.judged.changes).await?;
    }
    let findings = &mut world.oracle.borrow_mut().findings;
    let thing: Thing = (shop.to_owned(), kind, id.to_owned());
    let watched = findings.watches(ORACLE);
    Ok(Some(match done.judged.complaints.first().filter(|_| watched) {
        None => Look::Found,
        Some(Complaint::Missing(_)) => {
            findings.missing(thing);
            Look::Missing
        }
        Some(Complaint::Wrong(what) | Complaint::Twice(what)) => {
            findings.different(thing, what);
            Look::Different
        }
    }))
}

/// The version of what is remembered; none while a write to it is out.
fn version(world: &World, shop: &str, kind: Kind, id: &str) -> Option<u64> {
    let oracle = world.oracle.borrow();
    let known = oracle.memories.get(shop)?.known.get(&(kind, id.to_owned()))?;
    (!known.busy).then_some(known.version)
}

fn writes(world: &World, shop: &str, kind: Kind, id: &str) -> u64 {
    let oracle = world.oracle.borrow();
    let known = oracle.memories.get(shop).and_then(|memory| memory.known.get(&(kind, id.to_owned())));
    known.map_or(0, |known| known.writes)
}
