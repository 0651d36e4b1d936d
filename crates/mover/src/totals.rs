//! Control totals: figures that a person wrote in the source's own SQL, against the same figures of our documents.
//!
//! Two digests that come from one mapping can be equal and wrong; these do not come from it (law L8).

mod left_out;
mod measure;
mod rounds;
mod sides;
#[cfg(test)]
mod tests;

pub(crate) use rounds::Rounds;

use crate::context::Context;
use crate::error::{Error, Result};
use left_out::Keys;
use measure::Measure;
use sides::{Asking, Row, Theirs, concerns, our_figures};
use std::collections::{BTreeMap, BTreeSet};
use store::{Class, Stored};
use vocab::id::{Kind, ShopId};

/// Where a condition on the aggregate may follow in the SQL of a total.
const KEYS: &str = "{keys}";

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
    /// Without what was refused and accepted so, and without what changes.
    pub(crate) source: Option<i128>,
    /// What was refused and accepted so.
    pub(crate) refused: Option<i128>,
    pub(crate) ours: Option<i128>,
    /// So many aggregates changed while both sides were looked at, and are in neither figure.
    pub(crate) changing: usize,
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

    /// Whether its rows can be had without some aggregates.
    fn can_leave_out(&self, cx: &Context) -> bool {
        let postgres = cx.plan.source.starts_with("postgres");
        cx.totals.keys.contains_key(&self.of()) && self.sql.of(postgres).contains(KEYS)
    }

    fn of(&self) -> (String, Kind) {
        (self.mapped.clone(), self.kind)
    }

    /// Adds a document to what was counted before it.
    fn take(&self, row: &mut Row, stored: &Stored) {
        for (measured, figure) in self.measures.iter().zip(row) {
            if measured.takes(stored) {
                measured.measure.take(figure, &stored.document, self.scale);
            }
        }
    }

    /// Its figures on both sides, without so many aggregates.
    fn figures(&self, ours: Row, theirs: Theirs, changing: usize) -> Vec<Figure> {
        let sides = theirs.moved.into_iter().zip(theirs.refused).zip(ours);
        let figures = self.measures.iter().zip(sides).map(|(measured, ((source, refused), ours))| Figure {
            mapped: self.mapped.clone(),
            kind: self.kind,
            class: measured.class.clone(),
            measure: measured.named.clone(),
            scale: self.scale,
            same: measured.same,
            source,
            refused,
            ours,
            changing,
        });
        figures.collect()
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

/// What one comparison came to.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) figures: Vec<Figure>,
    /// What is in none of the figures of its kind.
    pub(crate) left_out: Keys,
}

/// The control totals of a shop that are wanted, on both sides; none where the stream does not follow the source, or more has
/// changed than can be left out. The caller sees to it that nobody derives meanwhile.
///
/// Shoppers need not rest: what has changed since it was derived is left out, on both sides. Of a kind of which nothing
/// would be left, or whose totals do not say how, all is compared.
pub(crate) async fn compare(cx: &Context, shop: &ShopId, rounds: &Rounds) -> Result<Option<Compared>> {
    let is_asked = |total: &&Total| concerns(cx, &total.mapped, shop) && rounds.wants(&total.of());
    let totals: Vec<&Total> = cx.totals.totals.iter().filter(is_asked).collect();
    let refused = left_out::accepted_refusals(cx, shop).await?;
    let Some(reader) = left_out::snapshot(cx).await? else { return Ok(None) };
    let Some(mut changing) = left_out::changing(cx, shop, reader.cut()).await? else { return Ok(None) };
    changing.retain(|of, _| {
        let mut of_kind = totals.iter().filter(|total| total.of() == *of).peekable();
        of_kind.peek().is_some() && of_kind.all(|total| total.can_leave_out(cx))
    });
    let mut asking = Asking { cx, shop, reader, refused: &refused };
    let (ours, theirs) = tokio::try_join!(our_figures(cx, shop, &totals, &changing), asking.all(&totals, &changing))?;
    let emptied = totals.iter().zip(&ours).filter(|(_, ours)| ours.left == 0).map(|(total, _)| total.of());
    let emptied: BTreeSet<(String, Kind)> = emptied.filter(|of| changing.remove(of).is_some()).collect();
    let mut figures = Vec::new();
    for ((total, ours), mut theirs) in totals.into_iter().zip(ours).zip(theirs) {
        let of = total.of();
        if emptied.contains(&of) {
            theirs = asking.ask(total, &BTreeSet::new()).await?;
        }
        let without = changing.get(&of).map_or(0, BTreeSet::len);
        figures.extend(total.figures(if without > 0 { ours.still } else { ours.all }, theirs, without));
    }
    Ok(Some(Compared { figures, left_out: changing }))
}
