//! The full pass of a verification: every aggregate that the source enumerates, page by page, each at a snapshot of its own.

use super::extra::{Extra, Met, documents_without_rows};
use super::{Different, Verdict, close_finding, differing, finding};
use crate::context::Context;
use crate::copy::may_belong;
use crate::error::{Error, Result, answered};
use crate::source_rows;
use crate::staged::Ledger;
use crate::throttle::{Pace, Turn};
use capture::Reader;
use mapping::{Anchor, Gather, Rows, RuleNo};
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use vocab::id::{Origin, ShopId};
use vocab::row::{Row, RowKey};

/// Aggregates compared at once.
const PAGE: u32 = 500;
/// Pages read to their end and compared at once, beside the one that is looked for.
const COMPARING: usize = 3;

/// Compares every aggregate of a shop; those that differ go on the list of what is to be proven.
pub(crate) async fn full(cx: &Context, shop: &ShopId, pace: &Pace) -> Result<Verdict> {
    let (mut verdict, mut met) = (Verdict::default(), Met::default());
    for rule in 0..cx.mapping.rules().len() {
        if may_belong(cx, &cx.mapping.rules()[rule].gather, shop) {
            full_rule(cx, shop, rule, pace, &mut verdict, &mut met).await?;
        }
    }
    let Extra { without_row, without_home } = documents_without_rows(cx, shop, pace, &met).await?;
    verdict.differing.extend(without_row.into_iter().map(Different::new));
    match without_home.first() {
        // Nothing can be proven of them by key, so they are told of here.
        Some(first) => {
            let what = format!("{} documents for which no row can stand, first: {first}", without_home.len());
            finding(cx, shop, "verify.unmapped", what).await?;
        }
        None => close_finding(cx, shop, "verify.unmapped").await?,
    }
    Ok(verdict)
}

async fn full_rule(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    pace: &Pace,
    verdict: &mut Verdict,
    met: &mut Met,
) -> Result<()> {
    match cx.mapping.rules()[rule].gather.clone() {
        Gather::Anchored { .. } => {
            // What is under way ends with this step, whatever ends it.
            let mut comparing = JoinSet::new();
            let mut after = None;
            while let Some(page) = read_anchors(cx, shop, rule, after.take(), pace).await? {
                after = Some(page.last.clone());
                // What hangs on a page is read and compared while the next one is looked for.
                comparing.spawn(compare_page(cx.clone(), shop.clone(), rule, page));
                if comparing.len() >= COMPARING
                    && let Some(page) = comparing.join_next().await
                {
                    list(cx, shop, rule, page.map_err(|_| Error::Task("comparing"))??, verdict, met).await?;
                }
            }
            while let Some(page) = comparing.join_next().await {
                list(cx, shop, rule, page.map_err(|_| Error::Task("comparing"))??, verdict, met).await?;
            }
            Ok(())
        }
        Gather::Grouped { table, column } => {
            let mut groups: BTreeMap<Anchor, Rows> = BTreeMap::new();
            let mut after = None;
            loop {
                let mut turn = pace.rows(10 * PAGE).await?;
                let read = async {
                    let mut reader = cx.source.snapshot().await?;
                    Ok(reader.rows_of_shop(shop, table, after.as_ref(), turn.rows(), &[]).await?)
                };
                let page = answered(read).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                turn.used(page.len());
                for (key, row) in page {
                    let anchor = Anchor::Group(row.0[column].clone());
                    groups.entry(anchor).or_default().insert(table, key, row);
                }
            }
            let mut pages = groups.into_iter().peekable();
            while pages.peek().is_some() {
                let mut turn = pace.aggregates(PAGE).await?;
                let page: BTreeMap<_, _> = pages.by_ref().take(turn.aggregates()).collect();
                turn.used_aggregates(page.len());
                let compared = compare(cx, shop, rule, page).await?;
                drop(turn);
                list(cx, shop, rule, compared, verdict, met).await?;
            }
            Ok(())
        }
    }
}

/// Anchor rows that lie side by side, and the snapshot that shows what hangs on them.
struct Page {
    reader: Reader,
    last: RowKey,
    anchors: Vec<Row>,
    /// Ends when they are compared.
    turn: Turn,
}

/// The next anchors behind one, at a snapshot of their own; none at the end.
async fn read_anchors(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    after: Option<RowKey>,
    pace: &Pace,
) -> Result<Option<Page>> {
    let Gather::Anchored { table, .. } = &cx.mapping.rules()[rule].gather else { return Ok(None) };
    let mut turn = pace.aggregates(PAGE).await?;
    let most = u32::try_from(turn.aggregates()).unwrap_or(PAGE);
    answered(async {
        let mut reader = cx.source.snapshot().await?;
        let page = reader.rows_of_shop(shop, *table, after.as_ref(), most, &[]).await?;
        turn.used_aggregates(page.len());
        let Some((last, _)) = page.last() else { return Ok(None) };
        let last = last.clone();
        Ok(Some(Page { reader, last, anchors: page.into_iter().map(|(_, row)| row).collect(), turn }))
    })
    .await
}

/// A page that was compared: how many aggregates, the origins that have a document, and which differ, how.
struct Compared {
    aggregates: usize,
    stored: Vec<Origin>,
    differing: Vec<(Anchor, String)>,
}

async fn compare_page(cx: Context, shop: ShopId, rule: RuleNo, page: Page) -> Result<Compared> {
    let Page { mut reader, anchors, turn, .. } = page;
    let Gather::Anchored { table, joins } = &cx.mapping.rules()[rule].gather else {
        return Err(Error::Task("comparing"));
    };
    let found = answered(source_rows::with_joins(&mut reader, cx.mapping.tables(), *table, joins, anchors)).await?;
    drop(reader);
    let compared = compare(&cx, &shop, rule, found).await?;
    drop(turn);
    Ok(compared)
}

async fn compare(cx: &Context, shop: &ShopId, rule: RuleNo, found: BTreeMap<Anchor, Rows>) -> Result<Compared> {
    let anchors: Vec<Anchor> = found.keys().cloned().collect();
    let (stored, differing) = differing(cx, shop, rule, &anchors, found).await?;
    Ok(Compared { aggregates: anchors.len(), stored, differing })
}

/// What differs on a page is to be proven.
async fn list(
    cx: &Context,
    shop: &ShopId,
    rule: RuleNo,
    page: Compared,
    verdict: &mut Verdict,
    met: &mut Met,
) -> Result<()> {
    met.note(cx.mapping.rules()[rule].kind, &page.stored);
    verdict.compared += u64::try_from(page.aggregates).unwrap_or(u64::MAX);
    if page.differing.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = page.differing.iter().map(|(anchor, _)| (rule, anchor.clone())).collect();
    verdict.differing.extend(page.differing.into_iter().map(|(_, what)| Different::new(what)));
    let name = shop.clone();
    cx.staged.run(move |staged| staged.list(Ledger::Prove, &name, &listed)).await
}
