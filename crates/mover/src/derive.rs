//! From staged rows to documents: what a row means now, imported under the head's guard.
//!
//! An aggregate that cannot be read, or that the shop's live rules refuse, is a finding: it blocks the flip of its
//! shop and of no other, and goes away when the rows do.

use crate::aggregate::{self, Canonical};
use crate::context::Context;
use crate::error::Result;
use crate::staged::{Dirty, Ledger, Lost, Staged};
use mapping::{Anchor, Gather, Got, Loser, Mapping, Rows, RuleNo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{Finding, Import, ImportError, Imported, Outcome, What};
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, PublicId, ShopId};
use vocab::row::Cell;

/// Aggregates derived and imported at once.
const BATCH: usize = 256;
/// Classes remembered, so that a product does not classify its orders again.
const CLASSES_MAX: usize = 200_000;

/// What the rows of one aggregate came to.
pub(crate) struct Derived {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) what: Meaning,
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
    /// Nothing was left at its end: all that was staged when it began is imported.
    pub(crate) everything: bool,
}

/// Derives and imports what is dirty of a shop, until nothing is.
pub(crate) async fn derive(cx: &Context, shop: &ShopId, epoch: Epoch) -> Result<Worked> {
    let mut imported = 0;
    loop {
        if cx.staged.is_half() && !rest_comes(cx).await {
            return Ok(Worked { imported, everything: false });
        }
        let (mapping, classes, name) = (cx.mapping.clone(), cx.classes.clone(), shop.clone());
        let read = move |staged: &Staged| {
            let position = staged.position()?.map_or(0, |position| position.0);
            Ok((position, read_batch(staged, &mapping, &classes, &name)?))
        };
        let (position, batch) = cx.staged.run(read).await?;
        if batch.is_empty() {
            return Ok(Worked { imported, everything: true });
        }
        imported += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        if !import(cx, shop, epoch, position, &batch).await? {
            return Ok(Worked { imported, everything: false });
        }
        let done: Vec<_> = batch.into_iter().map(|(dirty, derived)| (dirty, lost(derived))).collect();
        let name = shop.clone();
        cx.staged.run(move |staged| staged.settle_derived(&name, &done)).await?;
    }
}

/// How long derivation waits for the rest of a transaction that is staged in part.
const REST_MAX: Duration = Duration::from_millis(300);

/// Whether what is staged is whole, now or soon. What is half a transaction is not derived: an order without its lines is
/// nothing that the source ever was.
async fn rest_comes(cx: &Context) -> bool {
    let mut position = cx.stream.subscribe();
    let whole = async { while cx.staged.is_half() && position.changed().await.is_ok() {} };
    tokio::time::timeout(REST_MAX, whole).await.is_ok()
}

fn read_batch(staged: &Staged, mapping: &Mapping, classes: &Classes, shop: &ShopId) -> Result<Vec<(Dirty, Derived)>> {
    let dirty = staged.listed(Ledger::Derive, shop, BATCH)?;
    let mut batch = Vec::with_capacity(dirty.len());
    for dirty in dirty {
        let derived = read(staged, mapping, classes, dirty.rule, &dirty.anchor)?;
        batch.push((dirty, derived));
    }
    Ok(batch)
}

/// What the staged rows of one aggregate say now.
pub(crate) fn read(
    staged: &Staged,
    mapping: &Mapping,
    classes: &Classes,
    rule: RuleNo,
    anchor: &Anchor,
) -> Result<Derived> {
    let rows = staged.rows(&mapping.rules()[rule].gather, anchor)?;
    Ok(told(staged, mapping, classes, rule, anchor, &rows))
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
    Derived { kind, origin, what }
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

/// Imports a batch; false where the head has moved on, so that it is no longer ours to import.
async fn import(cx: &Context, shop: &ShopId, epoch: Epoch, position: u64, batch: &[(Dirty, Derived)]) -> Result<bool> {
    let kept: Vec<&Derived> = batch.iter().map(|(_, derived)| derived).collect();
    let mut items: Vec<Imported> = kept.iter().map(|derived| item(derived, position)).collect();
    cx.fault.distort(&mut items);
    let outcomes = match cx.store.import(Import { shop: shop.clone(), epoch, items }).await {
        Ok(outcomes) => outcomes,
        Err(ImportError::NotOwner { .. } | ImportError::WrongEpoch { .. }) => return Ok(false),
        Err(ImportError::UnknownShop) => return Err(crate::error::Error::UnknownShop(shop.clone())),
        Err(ImportError::Store(error)) => return Err(error.into()),
    };
    for (derived, outcome) in kept.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Unfit { why } => {
                open_finding(cx, shop, derived, "import.unfit".into(), Record::default().with("what", why)).await?;
            }
            // What is refused is gone from the store too: nobody sells by a row that cannot be read any more.
            Outcome::Applied | Outcome::Stale if matches!(derived.what, Meaning::Refused { .. }) => {}
            Outcome::Applied | Outcome::Stale => {
                if cx.findings.may_have(shop) {
                    cx.store.close_findings(shop, derived.kind, &derived.origin).await?;
                }
            }
            Outcome::Conflict { held_by } => {
                let held_by = held_by.map_or_else(|| "an aggregate born here".to_owned(), |origin| origin.to_string());
                let detail = Record::default().with("what", format!("its public id belongs to {held_by}"));
                open_finding(cx, shop, derived, "import.conflict".into(), detail).await?;
            }
        }
    }
    for (_, derived) in batch {
        if let Meaning::Refused { class, detail } = &derived.what {
            open_finding(cx, shop, derived, class.clone(), detail.clone()).await?;
        }
    }
    Ok(true)
}

fn item(derived: &Derived, tx: u64) -> Imported {
    let what = match &derived.what {
        Meaning::Live { canonical, .. } => What::Live {
            id: canonical.id.clone(),
            document: canonical.document.clone(),
            stock: canonical.stock.clone(),
            entries: canonical.entries.clone(),
        },
        Meaning::History { id, why, document } => {
            What::History { id: id.clone(), why: why.clone(), document: document.clone() }
        }
        Meaning::Gone | Meaning::Refused { .. } => What::Gone,
    };
    Imported { kind: derived.kind, origin: derived.origin.clone(), tx, what }
}

async fn open_finding(cx: &Context, shop: &ShopId, derived: &Derived, class: Name, detail: Record) -> Result<()> {
    let finding = Finding { shop: shop.clone(), class, kind: derived.kind, origin: derived.origin.clone(), detail };
    if cx.findings.may_have(shop) {
        // An aggregate has one thing wrong at a time: what was found of it before is not what is found now.
        cx.store.close_other_findings(&finding).await?;
    }
    cx.open_finding(finding).await
}

fn lost(derived: Derived) -> Option<Lost> {
    match derived.what {
        Meaning::Live { canonical, losers } if !losers.is_empty() => {
            Some(Lost { kind: derived.kind, id: canonical.id, losers })
        }
        Meaning::Live { .. } | Meaning::History { .. } | Meaning::Gone | Meaning::Refused { .. } => None,
    }
}
