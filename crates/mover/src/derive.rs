//! From staged rows to documents: what a row means now, imported under the head's guard.
//!
//! An aggregate that cannot be read, or that the shop's live rules refuse, is a finding: it blocks the flip of its
//! shop and of no other, and goes away when the rows do.

mod import;
mod orphans;
#[cfg(test)]
mod tests;

pub(crate) use import::{Lasting, import};
pub(crate) use orphans::Orphans;

use crate::aggregate::{self, Canonical};
use crate::bulk::derive_copied;
use crate::context::Context;
use crate::error::Result;
use crate::reread::forget_source;
use crate::staged::{Dirty, Ledger, Staged};
use crate::throttle::{Pace, Turn};
use mapping::{Anchor, Gather, Got, Loser, Mapping, Rows, RuleNo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Fingerprint;
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, PublicId, ShopId};
use vocab::row::Cell;

/// Aggregates derived and imported at once.
const BATCH: u32 = 1_024;
/// How long the list is gone through again by whoever wants it empty.
const ALL_MAX: Duration = Duration::from_secs(1);
/// Aggregates whose rows are read in one go: the file has one reader, and a hold of another shop may wait for it.
const NEIGHBOURS: usize = 128;
/// Classes remembered, so that a product does not classify its orders again.
const CLASSES_MAX: usize = 200_000;

/// What the rows of one aggregate came to.
pub(crate) struct Derived {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) what: Meaning,
    /// Of the rows that it was read of, where one was asked for.
    pub(crate) fingerprint: Option<Fingerprint>,
}

pub(crate) enum Meaning {
    Live {
        canonical: Canonical,
        losers: Vec<Loser>,
    },
    History {
        id: PublicId,
        why: Name,
        document: Record,
    },
    Gone,
    /// The finding's class, and what is wrong.
    Refused {
        class: Name,
        detail: Record,
    },
}

/// The classes of aggregates, by rule and group: what `use` in a mapping asks for.
#[derive(Clone, Default)]
pub(crate) struct Classes(Arc<Mutex<BTreeMap<(RuleNo, String), Name>>>);

impl Classes {
    fn remember(&self, rule: RuleNo, group: String, class: Name) {
        let mut classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if classes.len() >= CLASSES_MAX {
            classes.clear();
        }
        classes.insert((rule, group), class);
    }

    fn known(&self, rule: RuleNo, group: &str) -> Option<Name> {
        let classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        classes.get(&(rule, group.to_owned())).cloned()
    }
}

/// What a derivation came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worked {
    /// Aggregates imported.
    pub(crate) imported: u64,
    /// All that was staged when it began is imported.
    pub(crate) everything: bool,
}

/// Derives and imports what is dirty of a shop, from the first to the last that is listed now: at once, because shoppers have just
/// changed it. What was copied and never derived is left to the step that takes turns for it ([`derive_in_turns`]).
pub(crate) async fn derive(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<Worked> {
    let nothing = Ok(Worked { imported: 0, everything: false });
    if !may_begin(cx, shop, epoch).await? {
        return nothing;
    }
    let name = shop.clone();
    if cx.staged.run(move |staged| staged.underived(&name)).await?.is_some() {
        return nothing;
    }
    derive_listed(cx, shop, epoch, None).await
}

/// The same again and again until nothing is listed; but a shop that never rests keeps nobody for ever.
pub(crate) async fn derive_all(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<()> {
    let begun = Instant::now();
    loop {
        let worked = derive(cx, shop, epoch).await?;
        // Nothing is imported where nothing was listed.
        if !worked.everything || worked.imported == 0 || begun.elapsed() >= ALL_MAX {
            return Ok(());
        }
    }
}

/// Derives and imports in turns what was copied of a shop, and what had become dirty of it by then; and at once what
/// shoppers change from then on, for they may be faster than the turns.
pub(crate) async fn derive_in_turns(cx: &Context, shop: &ShopId, epoch: Epoch, pace: &Pace) -> Result<Worked> {
    if !may_begin(cx, shop, epoch).await? {
        return Ok(Worked { imported: 0, everything: false });
    }
    let copied = derive_copied(cx, shop, epoch, pace).await?;
    if !copied.everything {
        return Ok(copied);
    }
    let name = shop.clone();
    let backlog = cx.staged.run(move |staged| staged.count(Ledger::Derive, &name)).await?;
    let listed = derive_listed(cx, shop, epoch, Some((pace, backlog))).await?;
    Ok(Worked { imported: copied.imported + listed.imported, ..listed })
}

async fn may_begin(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<bool> {
    if !is_whole(cx).await {
        return Ok(false);
    }
    // On the way back from a soak in which the log began anew: what is imported now is newer, whatever its number says.
    Ok(!cx.staged.is_renumbered(shop)? || forget_source(cx, shop, epoch).await?)
}

/// The list, of which so many take turns.
async fn derive_listed(cx: &Context, shop: &ShopId, epoch: Epoch, turns: Option<(&Pace, u64)>) -> Result<Worked> {
    let aside = Pace::aside(cx, shop);
    let pace_after = |imported| turns.filter(|(_, backlog)| imported < *backlog).map_or(&aside, |(pace, _)| pace);
    let name = shop.clone();
    let Some(last) = cx.staged.run(move |staged| staged.last_listed(Ledger::Derive, &name)).await? else {
        return Ok(Worked { imported: 0, everything: true });
    };
    let (mut imported, mut ahead, mut everything) = (0, None::<Batch>, true);
    loop {
        if cx.staged.is_half() {
            // What was read ahead may have been half as well.
            ahead = None;
        }
        if !is_whole(cx).await {
            return Ok(Worked { imported, everything: false });
        }
        let batch = match ahead.take() {
            Some(batch) => batch,
            None => Batch::read(cx, shop, None, &last, pace_after(imported)).await?,
        };
        // What was read of half a transaction is listed again with the rest of it.
        everything &= !batch.half;
        let Some(behind) = batch.listed.last().cloned() else { return Ok(Worked { imported, everything }) };
        imported += u64::try_from(batch.listed.len()).unwrap_or(u64::MAX);
        let (full, pace) = (batch.full, pace_after(imported));
        // Where more is listed it is read while this is imported. One that changes meanwhile stays listed for the next
        // time: where shoppers change something all the time the list is never empty, and others wait for this to end.
        let next =
            async { if full { Batch::read(cx, shop, Some(behind), &last, pace).await.map(Some) } else { Ok(None) } };
        let (next, imported_all) = tokio::join!(next, batch.import(cx, shop, epoch));
        if !imported_all? {
            return Ok(Worked { imported, everything: false });
        }
        ahead = next?.filter(|next| !next.listed.is_empty());
        if ahead.is_none() {
            return Ok(Worked { imported, everything });
        }
    }
}

/// Aggregates that are listed, and what they mean.
struct Batch {
    listed: Vec<Dirty>,
    derived: Vec<Derived>,
    /// Up to where the stream was staged before their rows were read.
    position: u64,
    /// There may be more behind it.
    full: bool,
    /// A transaction was staged in part when they were read.
    half: bool,
    /// Ends when it is imported.
    _turn: Turn,
}

impl Batch {
    /// What is listed behind one and up to another.
    async fn read(cx: &Context, shop: &ShopId, behind: Option<Dirty>, until: &Dirty, pace: &Pace) -> Result<Self> {
        let (reading, shop, until) = (cx.clone(), shop.clone(), until.clone());
        let mut turn = pace.aggregates(BATCH).await?;
        let read = move |staged: &Staged| {
            let (position, most) = (staged.position()?.map_or(0, |position| position.0), turn.aggregates());
            let listed = staged.listed_between(Ledger::Derive, &shop, behind.as_ref(), Some(&until), most)?;
            turn.used_aggregates(listed.len());
            let derived = read_listed(&reading, &listed)?;
            let (full, half) = (listed.len() >= most, staged.is_half());
            Ok(Self { full, half, listed, derived, position, _turn: turn })
        };
        cx.staged.run(read).await
    }

    /// Imports it and takes it off the list; false where the head has moved on, or the source could not be asked.
    async fn import(mut self, cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<bool> {
        // Boxed: few batches have any, and every driver would carry the room for it.
        if !Box::pin(orphans::adopt(cx, shop, &self.listed, &mut self.derived)).await? {
            return Ok(false);
        }
        let Some(lost) = import(cx, shop, epoch, self.position, self.derived, Lasting::AtOnce).await? else {
            return Ok(false);
        };
        let done: Vec<_> = self.listed.into_iter().zip(lost).collect();
        let name = shop.clone();
        cx.staged.run(move |staged| staged.settle_derived(&name, &done)).await?;
        Ok(true)
    }
}

/// How long derivation waits for the rest of a transaction that is staged in part.
const REST_MAX: Duration = Duration::from_millis(300);

/// Whether what is staged is whole, now or soon. What is half a transaction is not derived: an order without its lines is
/// nothing that the source ever was.
async fn is_whole(cx: &Context) -> bool {
    if !cx.staged.is_half() {
        return true;
    }
    let mut position = cx.stream.subscribe();
    let whole = async { while cx.staged.is_half() && position.changed().await.is_ok() {} };
    tokio::time::timeout(REST_MAX, whole).await.is_ok()
}

fn read_listed(cx: &Context, listed: &[Dirty]) -> Result<Vec<Derived>> {
    let mut derived = Vec::with_capacity(listed.len());
    // Listed by rule, so that neighbours can be read together.
    for of_rule in listed.chunk_by(|one, other| one.rule == other.rule) {
        let anchors: Vec<Anchor> = of_rule.iter().map(|dirty| dirty.anchor.clone()).collect();
        let rule = of_rule.first().map_or(0, |dirty| dirty.rule);
        derived.append(&mut read(cx, rule, &anchors)?);
    }
    Ok(derived)
}

/// What the staged rows of aggregates of one rule say now, in their order.
pub(crate) fn read(cx: &Context, rule: RuleNo, anchors: &[Anchor]) -> Result<Vec<Derived>> {
    let mut derived = Vec::with_capacity(anchors.len());
    for some in anchors.chunks(NEIGHBOURS) {
        let rows = cx.staged.rows_of(&cx.mapping.rules()[rule].gather, some)?;
        derived.extend(some.iter().zip(&rows).map(|(anchor, rows)| {
            let mut told = told(&cx.staged, &cx.mapping, &cx.classes, rule, anchor, rows);
            if let (Anchor::Row(_), Meaning::Live { canonical, .. }) = (anchor, &told.what) {
                told.fingerprint = cx.fingerprints.of(rule, rows, &canonical.text);
            }
            told
        }));
    }
    Ok(derived)
}

/// The same for rows that were read elsewhere (the verifier reads the source itself).
pub(crate) fn told(
    staged: &Staged,
    mapping: &Mapping,
    classes: &Classes,
    rule: RuleNo,
    anchor: &Anchor,
    rows: &Rows,
) -> Derived {
    let class_of = |kind: Kind, group: &str| class_of(staged, mapping, classes, kind, group);
    let got = mapping.get(rule, anchor, rows, &mapping::Context { class_of: &class_of });
    meaning(mapping, classes, rule, anchor, got)
}

/// What `get` said, checked by commerce.
pub(crate) fn meaning(mapping: &Mapping, classes: &Classes, rule: RuleNo, anchor: &Anchor, got: Got) -> Derived {
    let kind = mapping.rules()[rule].kind;
    let origin = mapping.origin(rule, anchor);
    let class: Option<Name> = match &got {
        Got::Live { .. } => Some("live".into()),
        Got::History { why, .. } | Got::Merged { why } => Some(why.clone()),
        Got::Absent | Got::Refused { .. } => None,
    };
    if let (Anchor::Group(cell), Some(class)) = (anchor, class) {
        classes.remember(rule, aggregate::cell_text(cell), class);
    }
    let what = match got {
        Got::Absent | Got::Merged { .. } => Meaning::Gone,
        Got::Live { document, losers, .. } => match aggregate::canonical(kind, document) {
            Ok(canonical) => Meaning::Live { canonical, losers },
            Err(fault) => refused(format!("commerce.{}", fault.code), format!("{} at {}", fault.code, fault.path)),
        },
        Got::History { document, why } => match aggregate::history(&document, &why) {
            Ok((id, document)) => Meaning::History { id, why, document },
            Err(fault) => refused(format!("history.{}", fault.code), format!("{} at {}", fault.code, fault.path)),
        },
        Got::Refused { faults } => {
            let class = faults.first().map_or("unreadable", |fault| fault.code);
            // Where, and not what stands there: a cell may be personal.
            let place = |fault: &mapping::Fault| {
                let column = fault.column.as_ref().map_or_else(String::new, |column| format!(".{column}"));
                format!("{} at {}{column} ({})", fault.code, fault.table, fault.key)
            };
            let what: Vec<String> = faults.iter().map(place).collect();
            refused(format!("mapping.{class}"), what.join("; "))
        }
    };
    Derived { kind, origin, what, fingerprint: None }
}

fn refused(class: String, what: String) -> Meaning {
    Meaning::Refused { class: class.into(), detail: Record::default().with("what", what) }
}

/// The class of another aggregate of the same source, by its group.
fn class_of(staged: &Staged, mapping: &Mapping, classes: &Classes, kind: Kind, group: &str) -> Option<Name> {
    let rules = mapping.rules().iter().enumerate();
    let grouped = rules.filter(|(_, rule)| rule.kind == kind && matches!(rule.gather, Gather::Grouped { .. }));
    for (rule, _) in grouped {
        if let Some(class) = classes.known(rule, group) {
            return Some(class);
        }
        let anchor = Anchor::Group(Cell::Text(group.to_owned()));
        let rows = staged.rows(&mapping.rules()[rule].gather, &anchor).ok()?;
        let got = mapping.get(rule, &anchor, &rows, &mapping::Context::ALONE);
        meaning(mapping, classes, rule, &anchor, got);
        if let Some(class) = classes.known(rule, group) {
            return Some(class);
        }
    }
    None
}
