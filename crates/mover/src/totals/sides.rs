//! The two sides of a control total: the source's SQL, asked at one snapshot, and our documents, added up.

use super::left_out::{self, Keys};
use super::{KEYS, Measured, Total};
use crate::context::Context;
use crate::error::{Error, Result, answered};
use capture::Reader;
use mapping::Gather;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Stored, Wanted};
use tokio::task::JoinSet;
use vocab::document::{Node, Record};
use vocab::id::{Kind, PublicId, ShopId};
use vocab::row::ShopPath;

/// Documents read at once.
const PAGE: usize = 500;

/// One snapshot of the source that is asked for every total.
pub(super) struct Asking<'a> {
    pub(super) cx: &'a Context,
    pub(super) shop: &'a ShopId,
    pub(super) reader: Reader,
    pub(super) refused: &'a Keys,
}

/// One figure for each measure of a total; none where nothing is there to count.
pub(super) type Row = Vec<Option<i128>>;

/// As the source has it: of what was moved, and of what is refused and accepted so.
pub(super) struct Theirs {
    pub(super) moved: Row,
    pub(super) refused: Row,
}

/// As our documents have it: of all, and, where some of the kind are changing, of the others and how many those are.
pub(super) struct Ours {
    pub(super) all: Row,
    pub(super) still: Row,
    pub(super) left: u64,
}

impl Asking<'_> {
    pub(super) async fn all(&mut self, totals: &[&Total], changing: &Keys) -> Result<Vec<Theirs>> {
        let (none, mut theirs) = (BTreeSet::new(), Vec::with_capacity(totals.len()));
        for total in totals {
            theirs.push(self.ask(total, changing.get(&total.of()).unwrap_or(&none)).await?);
        }
        Ok(theirs)
    }

    /// A total, without what is refused and without what is changing.
    pub(super) async fn ask(&mut self, total: &Total, changing: &BTreeSet<String>) -> Result<Theirs> {
        answered(self.add_up(total, changing)).await
    }

    async fn add_up(&mut self, total: &Total, changing: &BTreeSet<String>) -> Result<Theirs> {
        let postgres = self.cx.plan.source.starts_with("postgres");
        let only = self.cx.totals.keys.get(&total.of()).map(|sql| sql.of(postgres));
        let none = BTreeSet::new();
        let refused = self.refused.get(&total.of()).unwrap_or(&none);
        let (Some(only), false) = (only, refused.is_empty() && changing.is_empty()) else {
            return Ok(Theirs { moved: self.row(total, "", "").await?, refused: vec![None; total.measures.len()] });
        };
        let without: BTreeSet<&String> = refused.union(changing).collect();
        let moved = self.row(total, &format!("and not (1 = 1 {only})"), &json!(without).to_string()).await?;
        let refused: BTreeSet<&String> = refused.difference(changing).collect();
        let refused = if refused.is_empty() {
            vec![None; total.measures.len()]
        } else {
            self.row(total, only, &json!(refused).to_string()).await?
        };
        Ok(Theirs { moved, refused })
    }

    async fn row(&mut self, total: &Total, condition: &str, keys: &str) -> Result<Row> {
        let sql = total.sql.of(self.cx.plan.source.starts_with("postgres")).replace(KEYS, condition);
        let rows = self.reader.total(&sql, &[("$1", self.shop.as_str()), ("$2", keys)]).await?;
        let (row, measures) = (rows.into_iter().next().unwrap_or_default(), &total.measures);
        if row.len() != measures.len() {
            let of = format!("{} {}", total.mapped, total.kind.name());
            let (asked, told) = (measures.len(), row.len());
            return Err(Error::Plan(format!(
                "a control total of {of} has {asked} measures, and its row {told} figures"
            )));
        }
        let figures = row.into_iter().zip(measures).map(|(text, Measured { named, .. })| {
            let number = text.map(|text| text.parse().map_err(|_| (text, named))).transpose();
            number.map_err(|(text, named)| Error::Plan(format!("control total `{named}` is no integer: {text}")))
        });
        figures.collect()
    }
}

pub(super) async fn our_figures(cx: &Context, shop: &ShopId, totals: &[&Total], changing: &Keys) -> Result<Vec<Ours>> {
    let nothing = |total: &&Total| vec![None; total.measures.len()];
    let mut figures: Vec<Ours> =
        totals.iter().map(|total| Ours { all: nothing(total), still: nothing(total), left: 0 }).collect();
    let changing: Vec<Option<&BTreeSet<String>>> = totals.iter().map(|total| changing.get(&total.of())).collect();
    let stock: BTreeMap<PublicId, i64> = cx.store.stock_all(shop).await?.into_iter().collect();
    for kind in Kind::ALL {
        let wanted = Arc::new(wanted(kind, totals));
        let read = |after: Option<PublicId>| {
            let (store, shop, wanted) = (cx.store.clone(), shop.clone(), Arc::clone(&wanted));
            async move { store.documents_in_part(&shop, kind, wanted, after.as_ref(), PAGE).await }
        };
        // The next page is read while this one is added up.
        let mut reading = JoinSet::new();
        reading.spawn(read(None));
        while let Some(page) = reading.join_next().await {
            let page = page.map_err(|_| Error::Task("reading documents"))??;
            let Some((last, _)) = page.last() else { break };
            reading.spawn(read(Some(last.clone())));
            for (_, mut stored) in page {
                with_stock(&mut stored.document, &stock);
                let mapped = mapped(cx, kind, &stored);
                for ((total, of), changing) in totals.iter().zip(&mut figures).zip(&changing) {
                    if total.kind != kind || total.mapped != mapped {
                        continue;
                    }
                    total.take(&mut of.all, &stored);
                    // Most shops are quiet when they are compared.
                    if changing.is_some_and(|keys| !left_out::has(keys, &stored)) {
                        total.take(&mut of.still, &stored);
                        of.left += 1;
                    }
                }
            }
        }
    }
    Ok(figures)
}

/// What the totals of a kind read of its documents.
fn wanted(kind: Kind, totals: &[&Total]) -> Wanted {
    let mut wanted = Wanted::default();
    if kind == Kind::Product {
        // Stock is put to a variant by its id.
        wanted.add(["variants", "id"]);
    }
    let measures = totals.iter().filter(|total| total.kind == kind).flat_map(|total| &total.measures);
    measures.for_each(|measured| measured.measure.reads(&mut wanted));
    wanted
}

/// Whether a mapping file has anything of the shop: one whose tables are all fixed to another shop has not.
pub(super) fn concerns(cx: &Context, mapped: &str, shop: &ShopId) -> bool {
    cx.mapping.rules().iter().filter(|rule| *rule.source == *mapped).any(|rule| {
        let (Gather::Anchored { table, .. } | Gather::Grouped { table, .. }) = &rule.gather;
        !matches!(&cx.mapping.tables()[*table].shop, ShopPath::Fixed(fixed) if fixed != shop)
    })
}

/// The source by whose rules a document came, or would go back.
fn mapped<'a>(cx: &'a Context, kind: Kind, stored: &Stored) -> &'a str {
    let table = stored.origin.as_ref().and_then(|origin| origin.as_str().split_once(':')).map(|(table, _)| table);
    source_of(cx, kind, table)
}

/// The source that has a kind's rows in a table; without a table of it, the one that is written.
pub(super) fn source_of<'a>(cx: &'a Context, kind: Kind, table: Option<&str>) -> &'a str {
    let of_kind = || cx.mapping.rules().iter().filter(|rule| rule.kind == kind);
    let by_table = of_kind().find(|rule| {
        let (Gather::Anchored { table: anchor, .. } | Gather::Grouped { table: anchor, .. }) = &rule.gather;
        Some(&*cx.mapping.tables()[*anchor].name) == table
    });
    by_table.or_else(|| of_kind().find(|rule| rule.writes)).map_or("", |rule| &rule.source)
}

/// Puts the stock, which stands apart, back into a product's variants.
fn with_stock(document: &mut Record, stock: &BTreeMap<PublicId, i64>) {
    let Some(Node::List(variants)) = document.0.get_mut("variants") else { return };
    for node in variants {
        if let Node::Record(variant) = node {
            let on_hand = variant.text("id").and_then(|id| stock.get(&PublicId::new(id))).copied();
            variant.set("stock", on_hand);
        }
    }
}
