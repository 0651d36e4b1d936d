//! Control totals: figures that a person wrote in the source's own SQL, against the same figures of our documents.
//!
//! Two digests that come from one mapping can be equal and wrong; these do not come from it (law L8).

mod measure;

use crate::context::Context;
use crate::error::{Error, Result, answered};
use capture::Reader;
use mapping::Gather;
use measure::Measure;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Class, Stored, Wanted};
use tokio::task::JoinSet;
use vocab::document::{Node, Record};
use vocab::id::{Kind, PublicId, ShopId};
use vocab::row::ShopPath;

/// Documents read at once.
const PAGE: usize = 500;

/// The control totals of a plan.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    totals: Vec<Total>,
    /// By the `source` of the mapping file and kind: a condition that only some aggregates meet.
    keys: BTreeMap<(String, Kind), Sql>,
}

/// The same in the words of both engines.
#[derive(Debug, Clone)]
struct Sql {
    sqlite: String,
    postgres: String,
}

impl Sql {
    fn parse(entry: &toml::Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        Some(Self { sqlite: text("sqlite")?, postgres: text("postgres")? })
    }

    fn of(&self, postgres: bool) -> &str {
        if postgres { &self.postgres } else { &self.sqlite }
    }
}

/// One query of the source: a row that has a figure for each of its measures.
#[derive(Debug, Clone)]
struct Total {
    /// The `source` of the mapping file it stands beside: other sources' documents of the kind are not its.
    mapped: String,
    kind: Kind,
    measures: Vec<Measured>,
    scale: u32,
    sql: Sql,
}

#[derive(Debug, Clone)]
struct Measured {
    /// Whose figure it is: `live`, `history:<why>`, or `any`.
    class: String,
    measure: Measure,
    /// The text of the measure, for people.
    named: String,
    /// Figures nearer to each other than this are equal, as the mapping declares its instants to be.
    same: i128,
}

/// One control total of one shop, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) mapped: String,
    pub(crate) kind: Kind,
    pub(crate) class: String,
    pub(crate) measure: String,
    pub(crate) scale: u32,
    same: i128,
    /// Without what was refused and accepted so.
    pub(crate) source: Option<i128>,
    /// What was refused and accepted so.
    pub(crate) refused: Option<i128>,
    pub(crate) ours: Option<i128>,
}

impl Figure {
    /// Nothing to sum is nothing on either side, whether it says 0 or null.
    pub(crate) fn differs(&self) -> bool {
        let apart = (self.source.unwrap_or(0) - self.ours.unwrap_or(0)).abs();
        apart != 0 && apart >= self.same
    }
}

impl Totals {
    /// Reads files of `[[total]]` entries: entity, class and measures (or several of both, `of`), scale?, same?, sqlite,
    /// postgres.
    ///
    /// # Errors
    /// What is wrong, in which entry of which file.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self> {
        let mut all = Self::default();
        for (name, text) in files {
            let table: toml::Table =
                text.parse().map_err(|error| Error::Plan(format!("{name} is not TOML: {error}")))?;
            let mapped = name.split('.').next().unwrap_or(name);
            for (kind, entry) in table.get("keys").and_then(toml::Value::as_table).into_iter().flatten() {
                let keys = Kind::from_name(kind).zip(Sql::parse(entry));
                let (kind, sql) = keys.ok_or_else(|| Error::Plan(format!("{name}: [keys.{kind}] is incomplete")))?;
                all.keys.insert((mapped.to_owned(), kind), sql);
            }
            let entries = table.get("total").and_then(toml::Value::as_array).cloned().unwrap_or_default();
            for (index, entry) in entries.iter().enumerate() {
                let total = Total::parse(mapped, entry)
                    .ok_or_else(|| Error::Plan(format!("{name}: total no. {} is incomplete or unknown", index + 1)))?;
                all.totals.push(total);
            }
        }
        Ok(all)
    }

    pub fn is_empty(&self) -> bool {
        self.totals.is_empty()
    }
}

impl Total {
    fn parse(mapped: &str, entry: &toml::Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let scale = entry.get("scale").map_or(Some(2), toml::Value::as_integer)?;
        let mut same = entry.get("same").map_or(Some(toml::Table::new()), |same| same.as_table().cloned())?;
        let of = match entry.get("of") {
            Some(of) if entry.get("class").is_none() && entry.get("measures").is_none() => of.as_array()?.as_slice(),
            Some(_) => return None,
            None => std::slice::from_ref(entry),
        };
        let mut measures = Vec::new();
        for part in of {
            let class = part.get("class")?.as_str()?;
            for named in part.get("measures")?.as_array()? {
                measures.push(Measured::parse(class, named.as_str()?, &same)?);
            }
        }
        // A field that no measure has is a slip of the pen.
        same.retain(|field, _| !measures.iter().any(|measured| measured.is_of(field)));
        (!measures.is_empty() && same.is_empty()).then_some(Self {
            mapped: mapped.to_owned(),
            kind: Kind::from_name(&text("entity")?)?,
            measures,
            scale: u32::try_from(scale).ok()?,
            sql: Sql::parse(entry)?,
        })
    }
}

impl Measured {
    fn parse(class: &str, named: &str, same: &toml::Table) -> Option<Self> {
        let measure = Measure::parse(named)?;
        let mut measured = Self { class: class.to_owned(), measure, named: named.to_owned(), same: 0 };
        for (field, same) in same {
            if measured.is_of(field) {
                measured.same = i128::from(same.as_integer()?);
            }
        }
        Some(measured)
    }

    fn takes(&self, stored: &Stored) -> bool {
        match (self.class.as_str(), stored.class) {
            ("any", _) | ("live", Class::Live) => true,
            (class, Class::History) => class.strip_prefix("history:") == stored.why.as_deref(),
            (_, Class::Live) => false,
        }
    }

    fn is_of(&self, field: &str) -> bool {
        self.named.split_once(' ').is_some_and(|(_, of)| of == field)
    }
}

/// Every control total of a shop, on both sides. The caller sees to it that both are quiet.
pub(crate) async fn compare(cx: &Context, shop: &ShopId) -> Result<Vec<Figure>> {
    let totals: Vec<&Total> = cx.totals.totals.iter().filter(|total| concerns(cx, &total.mapped, shop)).collect();
    let (ours, source) = tokio::try_join!(our_figures(cx, shop, &totals), their_figures(cx, shop, &totals))?;
    let mut figures = Vec::new();
    for ((total, ours), (source, refused)) in totals.into_iter().zip(ours).zip(source) {
        let sides = source.into_iter().zip(refused).zip(ours);
        figures.extend(total.measures.iter().zip(sides).map(|(measured, ((source, refused), ours))| Figure {
            mapped: total.mapped.clone(),
            kind: total.kind,
            class: measured.class.clone(),
            measure: measured.named.clone(),
            scale: total.scale,
            same: measured.same,
            source,
            refused,
            ours,
        }));
    }
    Ok(figures)
}

/// The keys of aggregates that are refused, and accepted so: a JSON array of texts, by source and kind.
async fn accepted_refusals(cx: &Context, shop: &ShopId) -> Result<BTreeMap<(String, Kind), String>> {
    let mut keys: BTreeMap<(String, Kind), BTreeSet<String>> = BTreeMap::new();
    if !cx.findings.may_have(shop) {
        return Ok(BTreeMap::new());
    }
    for found in cx.store.findings(shop).await? {
        let finding = found.finding;
        let Some((table, key)) = finding.origin.as_str().split_once(':') else { continue };
        if found.accepted_by.is_some() && finding.kind != Kind::Shop {
            let mapped = source_of(cx, finding.kind, Some(table)).to_owned();
            keys.entry((mapped, finding.kind)).or_default().insert(key.to_owned());
        }
    }
    Ok(keys.into_iter().map(|(of, keys)| (of, serde_json::json!(keys).to_string())).collect())
}

/// One snapshot of the source that is asked for every total.
struct Asking<'a> {
    cx: &'a Context,
    shop: &'a ShopId,
    reader: Reader,
    refused: BTreeMap<(String, Kind), String>,
}

/// One figure for each measure of a total; none where nothing is there to count.
type Row = Vec<Option<i128>>;

impl Asking<'_> {
    /// The total of what was moved, and of what is refused.
    async fn ask(&mut self, total: &Total) -> Result<(Row, Row)> {
        let postgres = self.cx.plan.source.starts_with("postgres");
        let of = (total.mapped.clone(), total.kind);
        let only = self.cx.totals.keys.get(&of).map(|sql| sql.of(postgres));
        let (Some(keys), Some(only)) = (self.refused.get(&of).cloned(), only) else {
            return Ok((self.row(total, "", "").await?, vec![None; total.measures.len()]));
        };
        let moved = self.row(total, &format!("and not (1 = 1 {only})"), &keys).await?;
        let refused = self.row(total, only, &keys).await?;
        Ok((moved, refused))
    }

    async fn row(&mut self, total: &Total, condition: &str, keys: &str) -> Result<Row> {
        let sql = total.sql.of(self.cx.plan.source.starts_with("postgres")).replace("{keys}", condition);
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

/// As one snapshot of the source has them: of what was moved, and of what is refused.
async fn their_figures(cx: &Context, shop: &ShopId, totals: &[&Total]) -> Result<Vec<(Row, Row)>> {
    let refused = accepted_refusals(cx, shop).await?;
    let reader = answered(async { Ok(cx.source.snapshot().await?) }).await?;
    let mut asking = Asking { cx, shop, reader, refused };
    let mut figures = Vec::with_capacity(totals.len());
    for total in totals {
        figures.push(answered(asking.ask(total)).await?);
    }
    Ok(figures)
}

async fn our_figures(cx: &Context, shop: &ShopId, totals: &[&Total]) -> Result<Vec<Row>> {
    let mut figures: Vec<Row> = totals.iter().map(|total| vec![None; total.measures.len()]).collect();
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
                for (total, row) in totals.iter().zip(&mut figures) {
                    if total.kind != kind || total.mapped != mapped {
                        continue;
                    }
                    for (measured, figure) in total.measures.iter().zip(row) {
                        if measured.takes(&stored) {
                            measured.measure.take(figure, &stored.document, total.scale);
                        }
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
fn concerns(cx: &Context, mapped: &str, shop: &ShopId) -> bool {
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
fn source_of<'a>(cx: &'a Context, kind: Kind, table: Option<&str>) -> &'a str {
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
