//! What a verification has to say: findings that block, and go away with what they say.

use super::Different;
use crate::context::Context;
use crate::error::Result;
use crate::totals;
use store::Finding;
use vocab::document::Record;
use vocab::id::{Kind, Origin, ShopId};

/// Opens the finding that blocks: a difference that stays while both sides are quiet.
pub(crate) async fn open_mismatch(cx: &Context, shop: &ShopId, differing: &[Different]) -> Result<()> {
    if cx.without.has("verify.digest") {
        return Ok(());
    }
    let first = differing.first().map_or("none", |different| different.what.as_str());
    let what = format!("{} aggregates differ, first: {first}", differing.len());
    let about = differing.iter().filter_map(|different| different.of.clone());
    finding_of(cx, shop, "verify.digest", Finding::naming(Record::default().with("what", what), about)).await
}

/// Opens the finding of the first control total that differs.
pub(crate) async fn open_control_total(cx: &Context, shop: &ShopId, figures: &[totals::Figure]) -> Result<()> {
    if cx.without.has("control_total") {
        return Ok(());
    }
    let Some(figure) = figures.iter().find(|figure| figure.differs()) else { return Ok(()) };
    let without = match figure.changing {
        0 => String::new(),
        changing => format!(", without {changing} that changed meanwhile"),
    };
    let what = format!(
        "{} {} {} {}: {:?} at the source, {:?} of ours{without}",
        figure.mapped,
        figure.kind.name(),
        figure.class,
        figure.measure,
        figure.source,
        figure.ours
    );
    finding(cx, shop, "control_total", what).await
}

pub(crate) async fn finding(cx: &Context, shop: &ShopId, class: &str, what: String) -> Result<()> {
    finding_of(cx, shop, class, Record::default().with("what", what)).await
}

async fn finding_of(cx: &Context, shop: &ShopId, class: &str, detail: Record) -> Result<()> {
    let (kind, origin) = (Kind::Shop, Origin::new(class));
    cx.open_finding(Finding { shop: shop.clone(), class: class.into(), kind, origin, detail }).await
}

/// Takes such a finding away: what it said is true no more.
pub(crate) async fn close_finding(cx: &Context, shop: &ShopId, class: &str) -> Result<()> {
    if cx.findings.may_have(shop) {
        cx.store.close_findings(shop, Kind::Shop, &Origin::new(class)).await?;
    }
    Ok(())
}

/// Every entry of a shop sums to zero, by currency; what does not is a finding.
pub(crate) async fn ledger(cx: &Context, shop: &ShopId) -> Result<()> {
    if cx.without.has("verify.ledger") {
        return Ok(());
    }
    match cx.store.unbalanced_orders(shop, 1).await?.first() {
        Some(order) => {
            finding(cx, shop, "verify.ledger", format!("the entries of order {order} are not balanced")).await
        }
        None => close_finding(cx, shop, "verify.ledger").await,
    }
}
