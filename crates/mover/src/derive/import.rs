//! What was derived on its way into the store, and what is to be said of it afterwards.

use super::{Derived, Meaning};
use crate::aggregate::Canonical;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::staged::Lost;
use commerce::intent::Patience;
use store::{Finding, Import, ImportError, Imported, Made, Outcome, What};
use vocab::document::Record;
use vocab::id::{Epoch, Kind, Name, Origin, ShopId, Timestamp};

/// When an import is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    AtOnce,
    /// With `Store::sync_imports`; until then whoever imported it must not say that it is done.
    Later,
}

/// Imports a batch and answers what each did not take; none where the head has moved on, so that it is no longer ours to
/// import.
pub(crate) async fn import(
    cx: &Context,
    shop: &ShopId,
    epoch: Epoch,
    position: u64,
    batch: Vec<Derived>,
    lasting: Lasting,
) -> Result<Option<Vec<Option<Lost>>>> {
    let mut items = Vec::with_capacity(batch.len());
    let mut kept = Vec::with_capacity(batch.len());
    let now = (cx.clock)();
    for derived in batch {
        let (item, derived) = item(derived, position, now);
        items.push(item);
        kept.push(derived);
    }
    cx.fault.distort(&mut items);
    let import = Import { shop: shop.clone(), epoch, items };
    let imported = match lasting {
        Lasting::AtOnce => cx.store.import(import).await,
        Lasting::Later => cx.store.import_lightly(import).await,
    };
    let outcomes = match imported {
        Ok(outcomes) => outcomes,
        Err(ImportError::NotOwner { .. } | ImportError::WrongEpoch { .. }) => return Ok(None),
        Err(ImportError::UnknownShop) => return Err(Error::UnknownShop(shop.clone())),
        Err(ImportError::Store(error)) => return Err(error.into()),
    };
    for (told, outcome) in kept.iter().zip(outcomes) {
        match outcome {
            Outcome::Unfit { why } => {
                open_finding(cx, shop, told, "import.unfit".into(), Record::default().with("what", why)).await?;
            }
            // What is refused is gone from the store too: nobody sells by a row that cannot be read any more.
            Outcome::Applied | Outcome::Stale if told.refused.is_some() => {}
            Outcome::Applied | Outcome::Stale => {
                if cx.findings.may_have(shop) {
                    cx.store.close_findings(shop, told.kind, &told.origin).await?;
                }
            }
            Outcome::Conflict { held_by } => {
                let held_by = held_by.map_or_else(|| "an aggregate born here".to_owned(), |origin| origin.to_string());
                let detail = Record::default().with("what", format!("its public id belongs to {held_by}"));
                open_finding(cx, shop, told, "import.conflict".into(), detail).await?;
            }
        }
    }
    for told in &kept {
        if let Some((class, detail)) = &told.refused {
            open_finding(cx, shop, told, class.clone(), detail.clone()).await?;
        }
    }
    Ok(Some(kept.into_iter().map(|told| told.lost).collect()))
}

/// What is still to be said of an aggregate once it is on its way into the store.
struct Told {
    kind: Kind,
    origin: Origin,
    refused: Option<(Name, Record)>,
    lost: Option<Lost>,
}

fn item(derived: Derived, tx: u64, now: Timestamp) -> (Imported, Told) {
    let Derived { kind, origin, what, fingerprint } = derived;
    let (mut refused, mut lost, mut made) = (None, None, None);
    let what = match what {
        Meaning::Live { canonical: Canonical { id, document, text, stock, entries, intent }, losers } => {
            let wake = intent.and_then(|intent| intent.wake_at(now, &Patience::USUAL));
            made = Some(Made { text, fingerprint });
            lost = (!losers.is_empty()).then(|| Lost { kind, id: id.clone(), losers });
            What::Live { id, document, stock, entries, wake }
        }
        Meaning::History { id, why, document } => What::History { id, why, document },
        Meaning::Gone => What::Gone,
        Meaning::Refused { class, detail } => {
            refused = Some((class, detail));
            What::Gone
        }
    };
    let told = Told { kind, origin: origin.clone(), refused, lost };
    (Imported { kind, origin, tx, what, made }, told)
}

async fn open_finding(cx: &Context, shop: &ShopId, told: &Told, class: Name, detail: Record) -> Result<()> {
    let finding = Finding { shop: shop.clone(), class, kind: told.kind, origin: told.origin.clone(), detail };
    if cx.findings.may_have(shop) {
        // An aggregate has one thing wrong at a time: what was found of it before is not what is found now.
        cx.store.close_other_findings(&finding).await?;
    }
    cx.open_finding(finding).await
}
